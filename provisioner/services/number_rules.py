"""What an internal number keeps clear of: other numbers, dial codes, emergency numbers; and the plan that phones get of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.calling.number_plan import (
    Code,
    Collision,
    Rule,
    find_code_collision,
    find_extension_collision,
)
from provisioner.composition.catalogue import load_catalogue
from provisioner.errors import BadInput, CodeCollision, ExtensionTaken
from provisioner.model import (
    CallGroup,
    Device,
    InternalNumber,
    Menu,
    PublicNumber,
    SettingValue,
    SharedLine,
    Tenant,
    User,
    parse_extension,
)
from provisioner.model.quick import AnyRow, AnySelect
from provisioner.model.store import touch_where

CODE_SETTINGS: Final = (
    "pickup_code", "group_pickup_code", "hotdesk_code", "blind_transfer_code", "attended_transfer_code", "park_code", "retrieve_code",
)  # fmt: skip
EMERGENCY: Final = "emergency_numbers"
CHECKED_SETTINGS: Final = frozenset({*CODE_SETTINGS, EMERGENCY})
"""Settings after whose change `check_codes` is called."""

KINDS: Final[Mapping[str, str]] = {
    "user": "user",
    "device": "device",
    "public": "public number",
    "outside": "outside number",
    "shared_line": "shared line",
    "group": "call group",
    "menu": "menu",
}
"""What an internal number can stand for, and how people call it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a number stands for: its kind, its id (None for an outside number) and its name."""

    kind: str
    id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The dial codes and emergency numbers of a tenant at one moment."""

    codes: Sequence[Code]
    emergency: Sequence[str]

    def check(self, digits: str, *, owner: str = "", field: str = "extension") -> None:
        """CodeCollision when a phone could not tell this extension from a code or an emergency number."""
        found = find_extension_collision(digits, codes=self.codes, emergency=self.emergency)
        if found is not None:
            _refuse_extension(found, f"{digits} ({owner})" if owner else digits, field)


async def read_rules(session: AsyncSession, tenant_id: int) -> Rules:
    """The codes in force, and the emergency numbers of the tenant and all its sites."""
    rows = await session.execute(
        select(SettingValue.scope, SettingValue.name, SettingValue.value).where(
            SettingValue.tenant_id == tenant_id,
            or_(
                (SettingValue.scope == "tenant") & SettingValue.name.in_(CHECKED_SETTINGS),
                (SettingValue.scope == "site") & (SettingValue.name == EMERGENCY),
            ),
        )
    )
    own: dict[str, Any] = {}
    emergency: list[str] = []
    for scope, name, value in rows:
        if scope == "tenant" and value is not None:
            own[name] = value
        elif name == EMERGENCY:
            emergency += value or ()
    settings = load_catalogue().settings
    codes = [
        Code(name, settings[name].label, own.get(name, settings[name].default)) for name in CODE_SETTINGS
    ]
    return Rules(codes, [*own.get(EMERGENCY, settings[EMERGENCY].default), *emergency])


async def check_digits_free(
    session: AsyncSession,
    tenant_id: int,
    digits: str,
    *,
    but: int | None = None,
    field: str = "extension",
) -> str:
    """The digits in canonical form, when they can be given out (again, to the internal number `but`).

    BadInput for what is no extension, ExtensionTaken naming whose it is, CodeCollision. Inside a `change` transaction
    nobody can take them before it ends; call `number_plan_changed` when the number is stored.
    """
    try:
        digits = parse_extension(digits)
    except BadInput as error:
        raise BadInput(error.detail, field=field) from None
    taken = InternalNumber.tenant_id == tenant_id, InternalNumber.digits == digits
    row = (await session.execute(owners().where(*taken))).one_or_none()
    if row is not None and row.id != but:
        owner = owner_of(row)
        raise ExtensionTaken(
            f"Extension {digits} belongs to {owner.name} ({KINDS[owner.kind]}); choose another.",
            field=field,
            extension=digits,
            kind=owner.kind,
            owner=owner.name,
        )
    if row is None:
        (await read_rules(session, tenant_id)).check(digits, field=field)
    return digits


async def check_codes(session: AsyncSession, tenant_id: int) -> None:
    """CodeCollision when the codes and emergency numbers in force are in each other's way, or in an extension's."""
    rules = await read_rules(session, tenant_id)
    found = find_code_collision(rules.codes, rules.emergency)
    if found is not None:
        _refuse_code(found)
    rows = await session.execute(
        owners().where(InternalNumber.tenant_id == tenant_id).order_by(InternalNumber.digits)
    )
    for row in rows:
        rules.check(row.digits, owner=owner_of(row).name, field="")


async def number_plan_changed(session: AsyncSession, tenant_id: int) -> bool:
    """Look at the internal numbers again; all phones of the tenant get a new file if first digits or lengths are others."""
    await session.flush()
    first, length = func.substr(InternalNumber.digits, 1, 1), func.length(InternalNumber.digits)
    rows = await session.execute(
        select(first, length).where(InternalNumber.tenant_id == tenant_id).distinct()
    )
    plan = number_plan((first, length) for first, length in rows)
    tenant = await session.get_one(Tenant, tenant_id)
    if tenant.number_plan == plan:
        return False
    tenant.number_plan = plan
    await touch_where(session, Device.tenant_id == tenant_id)
    return True


def number_plan(found: Iterable[tuple[str, int]]) -> str:
    """First digits and lengths as `Tenant.number_plan` has them: `2:3 3:3 5:4`."""
    return " ".join(
        f"{first}:{length}" for first, length in sorted(found, key=lambda item: (item[1], item[0]))
    )


def owners() -> AnySelect:
    """Internal numbers with what they stand for; `owner_of` reads a row."""
    return (
        select(
            InternalNumber.id, InternalNumber.tenant_id, InternalNumber.digits, InternalNumber.label, InternalNumber.outside,
            InternalNumber.user_id, User.name.label("user_name"), InternalNumber.device_id, Device.name.label("device_name"),
            InternalNumber.public_number_id, PublicNumber.number.label("public_name"), InternalNumber.shared_line_id,
            SharedLine.name.label("shared_line_name"), InternalNumber.group_id, CallGroup.name.label("group_name"),
            InternalNumber.menu_id, Menu.name.label("menu_name"),
        )
        .outerjoin(User, User.id == InternalNumber.user_id)
        .outerjoin(Device, Device.id == InternalNumber.device_id)
        .outerjoin(PublicNumber, PublicNumber.id == InternalNumber.public_number_id)
        .outerjoin(SharedLine, SharedLine.id == InternalNumber.shared_line_id)
        .outerjoin(CallGroup, CallGroup.id == InternalNumber.group_id)
        .outerjoin(Menu, Menu.id == InternalNumber.menu_id)
    )  # fmt: skip


def owner_of(row: AnyRow) -> Owner:
    """What a row of `owners` stands for."""
    for kind, target, name in (
        ("user", row.user_id, row.user_name),
        ("device", row.device_id, row.device_name),
        ("public", row.public_number_id, row.public_name),
        ("shared_line", row.shared_line_id, row.shared_line_name),
        ("group", row.group_id, row.group_name),
        ("menu", row.menu_id, row.menu_name),
    ):
        if target is not None:
            return Owner(kind, target, name)
    return Owner("outside", None, row.outside)


def _refuse_code(found: Collision) -> NoReturn:
    data = {"field": found.setting, "code": found.first, "with": found.second}
    if found.rule is Rule.CODES:
        raise CodeCollision(
            f"{found.first_label} ({found.first}) and {found.second_label} ({found.second}): one starts with the other, so a "
            "phone cannot tell them apart. Choose codes of which none is the beginning of another.",
            **data,
        )
    raise CodeCollision(
        f"{found.first_label} ({found.first}) and the emergency number {found.second}: one starts with the other. Choose another "
        "code; emergency numbers come first.",
        **data,
    )


def _refuse_extension(found: Collision, extension: str, field: str) -> NoReturn:
    """`extension` with its owner; `field` is empty when it was a setting that changed."""
    data = {"field": field or found.setting or EMERGENCY, "code": found.first, "with": found.second}
    if found.rule is Rule.EXTENSION_AND_EMERGENCY:
        raise CodeCollision(
            f"Extension {extension} is in the way of the emergency number {found.second}: one starts with the other, so somebody "
            "would call it by mistake or be kept from calling it. Choose another extension.",
            **data,
        )
    if found.rule is Rule.PICKUP:
        raise CodeCollision(
            f"Extension {extension} could not be picked up: {found.first} starts with {found.second} ({found.second_label}). "
            "Choose another extension or another code.",
            **data,
        )
    raise CodeCollision(
        f"Extension {extension} is in the way of the code {found.second_label} ({found.second}): one starts with the other, so a "
        "phone cannot tell them apart. Choose another extension or another code.",
        **data,
    )
