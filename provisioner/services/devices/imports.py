"""Devices from a table (CSV), all or nothing, with a preview; and back into a table."""

import asyncio
import csv
import difflib
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from provisioner.errors import BadInput, Conflict, InvalidMac, ProvisionerError
from provisioner.model import InternalNumber, Mac, Site, Tenant, User, UserKind, parse_extension
from provisioner.model.store import touch_where
from provisioner.services.context import Actor, Context, audit
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.enrolment import enrol_in
from provisioner.services.devices.import_table import COLUMNS, BrokenRow, Row, read_rows, refused, safe_cell
from provisioner.services.key_targets import with_everyone
from provisioner.services.number_rules import Rules, number_plan_changed, read_rules
from provisioner.services.people.tenants import find_tenant
from provisioner.services.people.users import MAX_PAGE

TELL_EVERY = 25
"""Rows between two calls of the progress callback."""

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all)."""
_FIELDS = {
    "mac": "mac",
    "model": "model",
    "site_id": "site",
    "password": "password",
    "name": "name",
    "note": "note",
}


@dataclass(frozen=True, slots=True)
class ImportedDevice:
    """One row as it is (or would be) stored. `password` is what was chosen or generated, shown now and never again."""

    line: int
    device_id: int
    mac: str
    name: str
    model: str
    """Label of the model."""
    user: str
    makes_user: bool
    username: str
    password: str = field(repr=False)
    was_generated: bool = True
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do now; nothing of it is stored, and generated passwords are not those of the import."""

    devices: Sequence[ImportedDevice]
    broken: Sequence[BrokenRow]

    @property
    def is_importable(self) -> bool:
        return bool(self.devices) and not self.broken


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was imported."""

    devices: Sequence[ImportedDevice]
    users_made: int


async def preview(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    text: str,
    create_users: bool = False,
    on_progress: Progress | None = None,
) -> ImportPlan:
    """Carry the import out and throw it away, with nobody waiting: so the preview follows the same rules as the import.

    Raises ImportRefused only when the table as a whole cannot be read; broken rows stand in the plan.
    """
    rows = read_rows(text)
    importer = _Importer(context, actor, create_users=create_users)
    async with context.store.rehearsal() as session:
        await importer.run(session, tenant_id=tenant_id, rows=rows, on_progress=on_progress)
    return ImportPlan(importer.devices, importer.broken)


async def import_devices(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    text: str,
    create_users: bool = False,
    on_progress: Progress | None = None,
) -> ImportResult:
    """Register every row in one transaction. ImportRefused carries every broken row; then nothing is stored.

    `text`: header in any order and case, separated by comma, semicolon or tab. `create_users` makes users that
    are named but not there.
    """
    rows = read_rows(text)
    importer = _Importer(context, actor, create_users=create_users)
    async with context.store.change() as session:
        tenant = await importer.run(session, tenant_id=tenant_id, rows=rows, on_progress=on_progress)
        if importer.broken:
            raise refused(importer.broken)
        audit(
            session,
            context,
            actor,
            action="device.import",
            tenant_id=tenant.id,
            devices=len(importer.devices),
            users=importer.users_made,
        )
    return ImportResult(importer.devices, importer.users_made)


async def export_devices(context: Context, actor: Actor, *, tenant_id: int) -> str:
    """The tenant's devices with the columns of the import, the password's left empty. CSV with commas, CRLF (RFC 4180).

    Cells that a spreadsheet would calculate get an apostrophe in front, which the import takes away.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    offset, total = 0, 1
    while offset < total:
        page = await list_devices(context, actor, tenant_id=tenant_id, offset=offset, limit=MAX_PAGE)
        for item in page.items:
            device, user = item.device, item.user
            model = f"{device.profile}/{device.model}"
            cells = (
                Mac(device.mac).pretty,
                model,
                item.extension,
                user.name if user else "",
                device.name,
                item.site_name,
                "",
                device.note,
            )
            writer.writerow([safe_cell(cell) for cell in cells])
        offset, total = offset + MAX_PAGE, page.total
    return out.getvalue()


class _Importer:
    """One run over all rows inside a transaction; collects what is wrong and goes on."""

    def __init__(self, context: Context, actor: Actor, *, create_users: bool) -> None:
        self._context = context
        self._actor = actor
        self._create_users = create_users
        self._models = _models(context)
        self._named: dict[str, list[User]] = defaultdict(list)
        self._extensions: dict[str, User | None] = {}
        self._rules = Rules((), ())
        self.devices: list[ImportedDevice] = []
        self.broken: list[BrokenRow] = []
        self.users_made = 0

    async def run(
        self, session: AsyncSession, *, tenant_id: int, rows: Sequence[Row], on_progress: Progress | None
    ) -> Tenant:
        tenant = await find_tenant(session, self._actor.tenant(tenant_id))
        sites = {
            name.casefold(): key
            for name, key in await session.execute(
                select(Site.name, Site.id).where(Site.tenant_id == tenant.id)
            )
        }
        await self._know_users(session, tenant)
        first: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            try:
                self._refuse_repeated(row, first)
                await self._enrol(session, tenant, row, sites)
            except ProvisionerError as error:
                self.broken += _broken(row, error)
            if on_progress is not None and (number % TELL_EVERY == 0 or number == len(rows)):
                on_progress(number, len(rows))
            await asyncio.sleep(0)  # phones are served between two rows
        self.broken.sort(key=lambda broken: broken.line)
        if self.users_made:
            await touch_where(session, with_everyone(tenant.id))
            await number_plan_changed(session, tenant.id)
        return tenant

    async def _enrol(self, session: AsyncSession, tenant: Tenant, row: Row, sites: Mapping[str, int]) -> None:
        profile, model, label = self._model(row["model"])
        site_id = None
        if row["site"]:
            site_id = sites.get(row["site"].casefold())
            if site_id is None:
                raise BadInput(f"There is no site “{row['site'][:60]}” in this tenant.", field="site")
        user, is_new = await self._user(session, tenant, row)
        enrolled = await enrol_in(
            session,
            self._context,
            self._actor,
            tenant=tenant,
            profile=profile,
            model=model,
            mac=row["mac"],
            name=row["name"],
            user_id=user.id if user else None,
            site_id=site_id,
            password=row["password"] or None,
            note=row["note"],
        )
        device = enrolled.device
        self.devices.append(
            ImportedDevice(
                line=row.line,
                device_id=device.id,
                mac=Mac(device.mac).pretty,
                name=device.name,
                model=label,
                user=user.name if user else "",
                makes_user=is_new,
                username=device.username,
                password=enrolled.password,
                was_generated=enrolled.was_generated,
                warnings=enrolled.warnings,
            )
        )

    def _refuse_repeated(self, row: Row, first: dict[str, int]) -> None:
        mac = Mac.parse(row["mac"])
        earlier = first.setdefault(mac.digits, row.line)
        if earlier != row.line:
            raise InvalidMac(f"{mac.pretty} stands in line {earlier} already.", field="mac")

    def _model(self, text: str) -> tuple[str, str, str]:
        if not text:
            raise BadInput("The model is empty: write for example the name on the phone.", field="model")
        found = self._models.get(text.casefold(), [])
        if len(found) == 1:
            return found[0]
        if found:
            choices = ", ".join(f"{profile}/{model}" for profile, model, _ in found)
            raise BadInput(f"“{text[:60]}” can be more than one model: write {choices}.", field="model")
        near = difflib.get_close_matches(text.casefold(), self._models, n=6)
        labels = list(dict.fromkeys(label for key in near for _, _, label in self._models[key]))
        hint = f" Near it: {', '.join(labels[:3])}." if labels else ""
        raise BadInput(f"No vendor profile knows the model “{text[:60]}”.{hint}", field="model")

    async def _user(self, session: AsyncSession, tenant: Tenant, row: Row) -> tuple[User | None, bool]:
        """The user of a row, and whether the row made them."""
        name, extension = row["user"], row["extension"]
        if extension:
            extension = parse_extension(extension)
            owner = self._owner(extension, name)
            if owner is not None:
                return owner, False
            if not (name and self._create_users):
                raise BadInput(f"No user of this tenant has the extension {extension}.", field="extension")
        if not name:
            return None, False
        named = self._named.get(name.casefold(), [])
        if len(named) > 1:
            raise BadInput(
                f"There are {len(named)} users called {name[:60]}: say which by the extension.", field="user"
            )
        if named and extension:
            raise BadInput(
                f"{named[0].name} is here already, without the extension {extension}.", field="extension"
            )
        if named:
            return named[0], False
        if not self._create_users:
            raise BadInput(f"There is no user “{name[:60]}” in this tenant.", field="user")
        return await self._new_user(session, tenant, name, extension), True

    def _owner(self, extension: str, name: str) -> User | None:
        """Who has the extension, and is called so when the row says a name; None when it is free."""
        if extension not in self._extensions:
            return None
        owner = self._extensions[extension]
        if owner is None:
            raise Conflict(f"Extension {extension} belongs to something that is no user.", field="extension")
        if name and owner.name.casefold() != name.casefold():
            raise Conflict(
                f"Extension {extension} belongs to {owner.name}, not to {name[:60]}.", field="extension"
            )
        return owner

    async def _know_users(self, session: AsyncSession, tenant: Tenant) -> None:
        """Read all users at once: a query for each row would keep others waiting."""
        for user in (
            (await session.execute(select(User).where(User.tenant_id == tenant.id))).unique().scalars()
        ):
            self._named[user.name.casefold()].append(user)
        numbers = (
            select(InternalNumber)
            .where(InternalNumber.tenant_id == tenant.id)
            .options(selectinload(InternalNumber.user))
        )
        self._rules = await read_rules(session, tenant.id)
        self._extensions.update(
            {number.digits: number.user for number in (await session.execute(numbers)).scalars()}
        )

    async def _new_user(self, session: AsyncSession, tenant: Tenant, name: str, extension: str) -> User:
        if len(name) > 120 or any(ord(character) < 32 for character in name):
            raise BadInput("The name of a user has at most 120 characters and no line breaks.", field="user")
        user = User(tenant_id=tenant.id, name=name, kind=UserKind.PERSON, created_at=self._context.clock())
        if extension:
            self._rules.check(extension)
            user.extension = InternalNumber(tenant_id=tenant.id, digits=extension)
            self._extensions[extension] = user
        session.add(user)
        await session.flush()
        self._named[name.casefold()].append(user)
        self.users_made += 1
        audit(
            session,
            self._context,
            self._actor,
            action="user.create",
            tenant_id=tenant.id,
            object=name,
            extension=extension,
        )
        return user


def _models(context: Context) -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """Every spelling of a model → (profile, model, label): `profile/model`, the model alone and the label."""
    found: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for profile in context.profiles.all.values():
        for model in profile.models.values():
            for spelling in (f"{profile.id}/{model.id}", model.id, model.label):
                found[spelling.casefold()][(profile.id, model.id)] = model.label
    return {spelling: [(*key, label) for key, label in models.items()] for spelling, models in found.items()}


def _broken(row: Row, error: ProvisionerError) -> list[BrokenRow]:
    given = error.data.get("field") or ""
    column = (
        ("extension" if row["extension"] else "user") if given == "user_id" else _FIELDS.get(given, given)
    )
    sentences = error.data.get("missing") or [error.detail]
    return [BrokenRow(row.line, column if column in COLUMNS else "", sentence) for sentence in sentences]
