"""Which device account may use which SIP address: its own, or that of a shared line it is a member of."""

from sqlalchemy import or_, select

from provisioner.model import Line, SharedLine, Tenant
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context

LONGEST_ACCOUNT = 64
LONGEST_ADDRESS = 320


async def may_use_address(context: Context, actor: Actor, *, account: str, address: str) -> bool:
    """Whether the digest user `account` may register and call from `address` (user@domain).

    The domain must be that of the account's tenant. In the mode blf nobody registers the shared address.
    """
    user, at, domain = address.rpartition("@")
    is_sane = is_plain(account) and is_plain(address)
    if not at or not is_sane or len(account) > LONGEST_ACCOUNT or len(address) > LONGEST_ADDRESS:
        return False
    statement = (
        select(Tenant.sip_domain)
        .join(Line, Line.tenant_id == Tenant.id)
        .outerjoin(SharedLine, SharedLine.id == Line.shared_line_id)
        .where(
            Line.account == account,
            or_(
                Line.account == user,
                (SharedLine.account == user) & (SharedLine.mode == "sca") & (Line.kind == "shared"),
            ),
        )
    )
    if actor.tenant_id is not None:
        statement = statement.where(Line.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        found = (await session.execute(statement)).scalar_one_or_none()
    return found is not None and found.lower() == domain.lower()
