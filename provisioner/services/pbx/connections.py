"""How this server speaks to a tenant's PBX, so that phones are told of new configurations: stored, checked, tried."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from yarl import URL

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Forbidden, NotFound
from provisioner.model import PbxConnection
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.pbx.links import KINDS, PORTS, Links, Pbx
from provisioner.services.people.tenants import find_tenant
from provisioner.services.registrations.watching import registrar_address

LONGEST_ADDRESS, LONGEST_NAME, LONGEST_SECRET = 250, 80, 128


def pbx_purpose(tenant_id: int) -> str:
    """What a connection's secret is sealed for."""
    return f"pbx.secret:{tenant_id}"


async def get_connection(context: Context, actor: Actor, *, tenant_id: int) -> PbxConnection:
    """The tenant's connection; NotFound when there is none."""
    async with context.store.read() as session:
        await find_tenant(session, actor.everything(tenant_id))
        row = await session.get(PbxConnection, tenant_id)
    if row is None:
        raise NotFound("This tenant has no connection to a PBX.")
    return row


async def put_connection(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    kind: str,
    address: str = "",
    username: str = "",
    secret: str | None = None,
) -> PbxConnection:
    """Set the tenant's connection. `secret` None keeps the stored one, as long as it goes to the same place.

    Raises BadInput; Forbidden for all but server operators.
    """
    _require_operator(actor)
    address, username = address.strip(), username.strip()
    _check(kind=kind, address=address, username=username, secret=secret or "")
    async with context.store.change() as session:
        tenant = await find_tenant(session, actor.tenant(tenant_id))
        row = await session.get(PbxConnection, tenant_id)
        if row is None:
            row = PbxConnection(tenant_id=tenant_id, kind="", address="", username="", secret="")
            session.add(row)
        elif secret is None and row.secret and (row.kind, row.address) != (kind, address):
            raise BadInput(
                "Another PBX: enter its password too; the stored one is not sent elsewhere.", field="secret"
            )
        row.kind, row.address, row.username = kind, address, username
        if secret is not None:
            row.secret = context.keyring.seal(secret, purpose=pbx_purpose(tenant_id)) if secret else ""
        _check_complete(row)
        fields = {"kind": kind, "address": address, "username": username}
        audit(session, context, actor, action="pbx.put", tenant_id=tenant_id, object=tenant.key, **fields)
    return row


async def delete_connection(context: Context, actor: Actor, *, tenant_id: int) -> None:
    """Forget the connection: phones come by themselves at their poll interval."""
    _require_operator(actor)
    async with context.store.change() as session:
        tenant = await find_tenant(session, actor.tenant(tenant_id))
        row = await session.get(PbxConnection, tenant_id)
        if row is None:
            raise NotFound("This tenant has no connection to a PBX.")
        await session.delete(row)
        audit(session, context, actor, action="pbx.delete", tenant_id=tenant_id, object=tenant.key)


async def probe_connection(context: Context, actor: Actor, *, tenant_id: int) -> str:
    """Try the stored connection without telling any phone anything: "" when it works, else what failed, in words."""
    _require_operator(actor)
    row = await get_connection(context, actor, tenant_id=tenant_id)
    links = Links()
    try:
        return await links.probe(opened(context, row))
    finally:
        await links.close()


async def find_connection(session: AsyncSession, context: Context, tenant_id: int) -> Pbx | None:
    """The tenant's connection with its secret in clear, for the server itself."""
    row = await session.get(PbxConnection, tenant_id)
    return opened(context, row) if row is not None else None


def opened(context: Context, row: PbxConnection) -> Pbx:
    """A stored connection with its secret in clear."""
    secret = context.keyring.open(row.secret, purpose=pbx_purpose(row.tenant_id)) if row.secret else ""
    return Pbx(row.kind, row.address, row.username, secret)


def _require_operator(actor: Actor) -> None:
    if actor.role is not Role.OPERATOR:
        raise Forbidden("Only a server operator chooses which PBX this server speaks to.")


def _check(*, kind: str, address: str, username: str, secret: str) -> None:
    if kind not in KINDS:
        raise BadInput(f"The kind of a PBX is one of {', '.join(KINDS)}.", field="kind")
    for name, value, longest in (
        ("address", address, LONGEST_ADDRESS),
        ("username", username, LONGEST_NAME),
        ("secret", secret, LONGEST_SECRET),
    ):
        if len(value) > longest or not is_plain(value):
            raise BadInput(f"At most {longest} characters and no line breaks.", field=name)
    _CHECKS[kind](address)


def _check_url(address: str) -> None:
    """The scheme http or https, a host, nothing hidden in it: no user, no fragment."""
    try:
        url = URL(address)
        good = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
        good = good and url.user is None and url.password is None and not url.fragment
    except ValueError:
        good = False
    if not good:
        raise BadInput(
            "The address of Kamailio's JSON-RPC is a URL such as http://192.0.2.10:5080/RPC, without a user name in it.",
            field="address",
        )


def _check_place(address: str) -> None:
    try:
        registrar_address(address)
    except BadInput:
        ports = f"{PORTS['asterisk']} (Asterisk) or {PORTS['freeswitch']} (FreeSWITCH)"
        raise BadInput(
            f"The address is a host name or address, with :port behind it when that is not {ports}.",
            field="address",
        ) from None


def _check_nothing(address: str) -> None:
    if address:
        raise BadInput("Messages straight to the phones need no address: leave it empty.", field="address")


def _check_complete(row: PbxConnection) -> None:
    """What a kind cannot do without."""
    if row.kind == "asterisk" and not row.username:
        raise BadInput("Asterisk needs the name of a manager user.", field="username")
    if row.kind in PORTS and not row.secret:
        raise BadInput("This PBX needs a password.", field="secret")
    if row.kind == "kamailio" and row.secret and not row.username:
        raise BadInput("A password needs a user name.", field="username")
    if row.kind == "kamailio" and ":" in row.username:  # HTTP Basic (RFC 7617 §2) cannot say it
        raise BadInput("A user name has no colon in it.", field="username")


_CHECKS: dict[str, Any] = {
    "kamailio": _check_url,
    "asterisk": _check_place,
    "freeswitch": _check_place,
    "direct": _check_nothing,
}
