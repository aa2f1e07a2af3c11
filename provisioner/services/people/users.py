"""Users: destinations that can be called, with their extension and public numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadInput, Conflict, InUse, NotFound
from provisioner.model import (
    Device,
    FunctionKey,
    InternalNumber,
    KeyRange,
    Line,
    PublicNumber,
    SettingValue,
    Site,
    User,
    UserKind,
    parse_public_number,
)
from provisioner.model.store import touch_where
from provisioner.model.text import is_plain, plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.key_targets import listing_of, showing_user
from provisioner.services.number_rules import check_digits_free, number_plan_changed
from provisioner.services.people.tenants import find_tenant
from provisioner.services.seats.seating import leave_before_going

T = TypeVar("T")
PAGE = 50
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many: `total` counts all, `offset` says where these start."""

    items: Sequence[T]
    total: int
    offset: int
    limit: int


async def list_users(
    context: Context, actor: Actor, *, tenant_id: int, search: str = "", offset: int = 0, limit: int = PAGE
) -> Page[User]:
    """Users of a tenant by name; `search` looks in name, extension and e-mail."""
    where = [User.tenant_id == actor.tenant(tenant_id)]
    if actor.user_id is not None:
        where.append(User.id == actor.user_id)
    if search:
        pattern = f"%{escape_like(search.lower())}%"
        where.append(
            or_(
                func.lower(User.name).like(pattern, escape="\\"),
                func.lower(User.email).like(pattern, escape="\\"),
                User.id.in_(
                    select(InternalNumber.user_id).where(
                        InternalNumber.tenant_id == tenant_id,
                        InternalNumber.digits.like(pattern, escape="\\"),
                    )
                ),
            )
        )
    limit = min(max(limit, 1), MAX_PAGE)
    async with context.store.read() as session:
        total = (await session.execute(select(func.count()).select_from(User).where(*where))).scalar_one()
        rows = await session.execute(
            select(User)
            .where(*where)
            .order_by(func.lower(User.name), User.id)
            .offset(max(offset, 0))
            .limit(limit)
        )
        return Page(rows.scalars().unique().all(), total, max(offset, 0), limit)


async def get_user(context: Context, actor: Actor, *, user_id: int) -> User:
    async with context.store.read() as session:
        return await find_user(session, actor, user_id)


async def public_numbers(
    context: Context, actor: Actor, *, user_ids: Sequence[int]
) -> Mapping[int, list[str]]:
    """The public numbers of these users (those this actor may see)."""
    found: dict[int, list[str]] = {user_id: [] for user_id in user_ids}
    statement = select(PublicNumber).where(PublicNumber.user_id.in_(user_ids)).order_by(PublicNumber.number)
    if actor.tenant_id is not None:
        statement = statement.where(PublicNumber.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        for row in (await session.execute(statement)).scalars():
            found.setdefault(row.user_id or 0, []).append(row.number)
    return found


async def create_user(
    context: Context, actor: Actor, *, tenant_id: int, name: str, extension: str | None = None, **fields: Any
) -> User:
    """Make a user with an optional extension; BadInput, ExtensionTaken."""
    user = User(tenant_id=actor.everything(tenant_id), name="", created_at=context.clock(), extension=None)
    async with context.store.change() as session:
        await find_tenant(session, tenant_id)
        await _apply(session, user, {"name": name, **fields})
        session.add(user)
        await session.flush()
        if extension:
            await _set_extension(session, user, extension)
        after = await listing_of(session, user)
        await touch_where(session, showing_user(tenant_id, user.id, before=None, after=after))
        audit(
            session,
            context,
            actor,
            action="user.create",
            tenant_id=tenant_id,
            object=user.name,
            extension=extension or "",
        )
    return user


async def update_user(context: Context, actor: Actor, *, user_id: int, **fields: Any) -> User:
    """Change a user; `extension` "" takes it away, `numbers` replaces the public numbers. Touches exactly the devices it is shown on."""
    async with context.store.change() as session:
        user = await find_user(session, actor, user_id)
        changed, before = sorted(fields), await listing_of(session, user)
        numbers = fields.pop("numbers", None)
        extension = fields.pop("extension", None)
        await _apply(session, user, fields)
        if extension is not None:
            await _set_extension(session, user, extension)
        if numbers is not None:
            await _set_numbers(session, user, numbers)
        await session.flush()
        reached = showing_user(user.tenant_id, user.id, before=before, after=await listing_of(session, user))
        if {"name", "extension"} & set(changed):  # the only two that the own phones show
            reached |= Device.id.in_(select(Line.device_id).where(Line.user_id == user.id))
        await touch_where(session, reached)
        audit(
            session,
            context,
            actor,
            action="user.update",
            tenant_id=user.tenant_id,
            object=user.name,
            fields=changed,
        )
    return user


async def delete_user(context: Context, actor: Actor, *, user_id: int) -> None:
    """Remove a user who has no device; InUse names the devices otherwise."""
    async with context.store.change() as session:
        user = await find_user(session, actor, user_id)
        await leave_before_going(session, context, actor, user=user)
        names = (
            (
                await session.execute(
                    select(Device.name).join(Line, Line.device_id == Device.id).where(Line.user_id == user_id)
                )
            )
            .scalars()
            .all()
        )
        if names:
            raise InUse(
                f"{user.name} still has {len(names)} device(s): {', '.join(names[:9])}. Remove or reassign them first.",
                devices=list(names),
            )
        before = await listing_of(session, user)
        await touch_where(session, showing_user(user.tenant_id, user.id, before=before, after=None))
        for table in (SettingValue, FunctionKey, KeyRange):
            await session.execute(
                delete(table).where(
                    table.tenant_id == user.tenant_id, table.scope == "user", table.ref == str(user_id)
                )
            )
        audit(session, context, actor, action="user.delete", tenant_id=user.tenant_id, object=user.name)
        await session.delete(user)
        await number_plan_changed(session, user.tenant_id)


async def find_user(session: AsyncSession, actor: Actor, user_id: int) -> User:
    """The row of a user this actor may see; NotFound."""
    user = await session.get(User, user_id)
    hidden = (
        user is None or actor.tenant_id not in {None, user.tenant_id} or actor.user_id not in {None, user.id}
    )
    if user is None or hidden:
        raise NotFound("There is no such user.")
    return user


def escape_like(text: str) -> str:
    r"""Text in which %, _ and \ stand for themselves in LIKE … ESCAPE '\\'."""
    return plain(text, limit=200).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def _set_extension(session: AsyncSession, user: User, text: str) -> None:
    number = (
        await session.execute(select(InternalNumber).where(InternalNumber.user_id == user.id))
    ).scalar_one_or_none()
    if not text:
        user.extension = None
        await number_plan_changed(session, user.tenant_id)
        return
    digits = await check_digits_free(session, user.tenant_id, text, but=number.id if number else None)
    if number is None:
        user.extension = InternalNumber(tenant_id=user.tenant_id, digits=digits)
    else:
        number.digits = digits
        user.extension = number
    await number_plan_changed(session, user.tenant_id)


async def _set_numbers(session: AsyncSession, user: User, numbers: Sequence[str]) -> None:
    """Exactly these ring the user. One that is taken away goes, unless an internal number still stands for it."""
    wanted = [parse_public_number(str(number), field="numbers") for number in numbers]
    lost = (PublicNumber.user_id == user.id) & PublicNumber.number.not_in(wanted)
    kept = select(InternalNumber.public_number_id).where(
        InternalNumber.tenant_id == user.tenant_id, InternalNumber.public_number_id.is_not(None)
    )
    await session.execute(update(PublicNumber).where(lost, PublicNumber.id.in_(kept)).values(user_id=None))
    await session.execute(delete(PublicNumber).where(lost))
    free = PublicNumber.group_id.is_(None) & PublicNumber.menu_id.is_(None)
    unused = PublicNumber.user_id.is_(None) & (PublicNumber.tenant_id == user.tenant_id) & free
    await session.execute(
        update(PublicNumber).where(unused, PublicNumber.number.in_(wanted)).values(user_id=user.id)
    )
    known = set(
        (await session.execute(select(PublicNumber.number).where(PublicNumber.user_id == user.id))).scalars()
    )
    session.add_all(
        PublicNumber(tenant_id=user.tenant_id, user_id=user.id, number=number)
        for number in wanted
        if number not in known
    )
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict("One of these public numbers belongs to somebody else.", field="numbers") from None


async def _apply(session: AsyncSession, user: User, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if name == "site_id":
            user.site_id = await _site(session, user.tenant_id, value)
        elif name in _TEXTS:
            setattr(user, name, _text(name, value, limit=_TEXTS[name]))
        elif name == "kind":
            user.kind = _kind(value)
        else:
            raise BadInput(f"A user has no field “{name}”.", field=name)
    if not user.name:
        raise BadInput("A user needs a name.", field="name")


_TEXTS = {"name": 120, "email": 254, "department": 120}


def _text(field: str, value: Any, *, limit: int) -> str:
    text = str(value).strip()
    if len(text) > limit or not is_plain(text):
        raise BadInput(f"At most {limit} characters and no line breaks.", field=field)
    return text


def _kind(value: Any) -> UserKind:
    try:
        return UserKind(value)
    except ValueError:
        raise BadInput(f"The kind is one of {', '.join(UserKind)}.", field="kind") from None


async def _site(session: AsyncSession, tenant_id: int, value: Any) -> int | None:
    if value is None:
        return None
    site = await session.get(Site, value) if isinstance(value, int) and 0 < value < 2**31 else None
    if site is None or site.tenant_id != tenant_id:
        raise BadInput("There is no such site in this tenant.", field="site_id")
    return site.id
