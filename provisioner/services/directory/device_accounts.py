"""What a PBX asks: for now, how a device account proves itself."""

import hashlib

from sqlalchemy import select

from provisioner.errors import BadInput
from provisioner.model import Device, Line, Tenant
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context
from provisioner.services.device_secrets import line_purpose

_ALGORITHMS = {"MD5": lambda text: hashlib.md5(text, usedforsecurity=False), "SHA-256": hashlib.sha256}


async def ha1_of(
    context: Context, actor: Actor, *, account: str, realm: str, algorithm: str = "MD5"
) -> str | None:
    """HA1 of RFC 7616 §3.4.2 for a device account, lower-case hexadecimal; None for an account nobody has.

    The realm must be the SIP domain of the account's tenant: a password is good for its own registrar only.
    """
    digest = _ALGORITHMS.get(algorithm)
    if digest is None:
        raise BadInput("The algorithm is MD5 or SHA-256.", field="algorithm")
    if not is_plain(account):
        return None
    statement = (
        select(Line.account, Line.secret, Tenant.sip_domain)
        .join(Device, Device.id == Line.device_id)
        .join(Tenant, Tenant.id == Line.tenant_id)
        .where(Line.account == account[:64])
    )
    if actor.tenant_id is not None:
        statement = statement.where(Line.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        row = (await session.execute(statement)).first()
    if row is None or row.sip_domain.lower() != realm.lower():
        return None
    password = context.keyring.open(row.secret, purpose=line_purpose(row.account))
    return digest(f"{row.account}:{realm}:{password}".encode()).hexdigest()
