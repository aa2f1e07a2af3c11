"""Tokens of programs: shown once, kept as a hash, revoked for good."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, select, update

from provisioner.access.permissions import Role
from provisioner.access.tokens import hash_secret, new_api_token, parse_api_token, secret_matches
from provisioner.clock import epoch_of
from provisioner.errors import BadInput, Forbidden, NotFound, StorageFull, Unavailable
from provisioner.model import ApiToken, Revocation
from provisioner.model.store import sequence
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.people.tenants import find_tenant
from provisioner.services.revocations import remember_revoked

TRUSTED_FOR = 1.0
"""Seconds: how long a token that was just checked is not looked up again: a revoked one dies within this time."""
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """A token and its text, which is shown now and never again."""

    row: ApiToken
    text: str = field(repr=False)


_BY_PUBLIC_ID: Final = select(
    ApiToken.id,
    ApiToken.name,
    ApiToken.role,
    ApiToken.tenant_id,
    ApiToken.secret_hash,
    ApiToken.expires_at,
    ApiToken.last_used_at,
).where(ApiToken.public_id == bindparam("public_id"))


class TokenBook:
    """Answers who a token stands for; keeps the answer for a moment, because a PBX asks thousands of times a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[str, tuple[float, Actor]] = OrderedDict()
        self.now = epoch_of(context.clock)
        """The time for `known`: seconds since 1970."""
        self._noting: dict[int, asyncio.Task[None]] = {}
        self._asking: dict[str, asyncio.Future[Actor | None]] = {}

    async def actor(self, text: str, *, address: str) -> Actor | None:
        """The machine behind a token; None when the token is wrong, revoked or too old."""
        known = self.known(text, now=self.now())
        if known is not None:
            return replace(known, address=address)
        asking = self._asking.get(text)
        if asking is None:  # those that ask meanwhile wait for the same answer
            asking = self._asking[text] = asyncio.ensure_future(self._ask(text, address=address))
            asking.add_done_callback(lambda done: self._asked(text, done))
        actor = await asyncio.shield(asking)
        return replace(actor, address=address) if actor is not None else None

    def _asked(self, text: str, done: "asyncio.Future[Actor | None]") -> None:
        del self._asking[text]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may have waited so long

    async def _ask(self, text: str, *, address: str) -> Actor | None:
        now = self.now()
        actor = await self._look_up(text, address=address, now=self._context.clock())
        self._known.pop(text, None)
        if actor is not None:
            self._known[text] = (now, actor)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return actor

    def known(self, text: str, *, now: float) -> Actor | None:
        """The machine behind a token that was checked a moment ago; its address is that of the first who used it."""
        known = self._known.get(text)
        return known[1] if known is not None and now - known[0] < TRUSTED_FOR else None

    async def _look_up(self, text: str, *, address: str, now: datetime) -> Actor | None:
        token = parse_api_token(text)
        if token is None:
            return None
        async with self._context.store.quick() as quick:
            rows = await quick.all(_BY_PUBLIC_ID, public_id=token.id)
        row = rows[0] if rows else None
        matches = secret_matches(token.secret, bytes.fromhex(row.secret_hash) if row else None)
        if row is None or not matches or (row.expires_at is not None and row.expires_at <= now):
            return None
        if row.last_used_at is None or now - row.last_used_at > timedelta(minutes=5):
            self._note_later(row.id, now)
        return Actor(name=f"token {row.name}", role=Role(row.role), tenant_id=row.tenant_id, address=address)

    def _note_later(self, token_id: int, now: datetime) -> None:
        """Not on the answer's way: a registrar that asks for a phone's password waits for no writer."""
        if token_id not in self._noting:
            task = self._noting[token_id] = asyncio.create_task(self._note_use(token_id, now))
            task.add_done_callback(lambda _: self._noting.pop(token_id, None))

    async def close(self) -> None:
        """Write what waits, for a moment; a use that is not noted does no harm."""
        if self._noting:
            await asyncio.wait(self._noting.values(), timeout=1.0)
        for task in [*self._noting.values()]:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _note_use(self, token_id: int, now: datetime) -> None:
        """For people only: a full disk or a busy database is no reason to turn a machine away."""
        with contextlib.suppress(StorageFull, Unavailable):
            async with self._context.store.write() as session:
                await session.execute(
                    update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now)
                )


async def list_tokens(context: Context, actor: Actor) -> Sequence[ApiToken]:
    statement = select(ApiToken).order_by(ApiToken.name)
    if actor.tenant_id is not None:
        statement = statement.where(ApiToken.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def create_token(
    context: Context,
    actor: Actor,
    *,
    name: str,
    role: str,
    tenant_id: int | None = None,
    days: int | None = None,
) -> NewApiToken:
    """Make a token of a role; nobody makes one that may do more than they may."""
    name = name.strip()
    if not 1 <= len(name) <= 80 or not is_plain(name):
        raise BadInput("A token has a name of 1 to 80 characters that says what uses it.", field="name")
    chosen = _role(actor, role, tenant_id)
    if days is not None and not 1 <= days <= 3650:
        raise BadInput("A token lasts 1 to 3650 days.", field="days")
    token, now = new_api_token(), context.clock()
    row = ApiToken(
        tenant_id=tenant_id,
        name=name,
        role=chosen.value,
        public_id=token.id,
        secret_hash=hash_secret(token.secret).hex(),
        created_at=now,
        expires_at=now + timedelta(days=days) if days else None,
    )
    async with context.store.write() as session:
        if tenant_id is not None:
            await find_tenant(session, actor.tenant(tenant_id))
        session.add(row)
        await session.flush()
        audit(
            session,
            context,
            actor,
            action="token.create",
            tenant_id=tenant_id,
            object=name,
            role=chosen.value,
        )
    return NewApiToken(row, token.reveal())


async def revoke_token(context: Context, actor: Actor, *, token_id: int) -> None:
    """End a token for good."""
    async with context.store.change() as session:
        row = await session.get(ApiToken, token_id)
        if row is None or actor.tenant_id not in {None, row.tenant_id}:
            raise NotFound("There is no such token.")
        ref = f"token:{row.public_id}"
        session.add(Revocation(ref=ref, seq=sequence(session), at=context.clock(), reason="revoked"))
        audit(session, context, actor, action="token.revoke", tenant_id=row.tenant_id, object=row.name)
        await remember_revoked(context, ref)
        await session.delete(row)


def _role(actor: Actor, role: str, tenant_id: int | None) -> Role:
    try:
        chosen = Role(role)
    except ValueError:
        raise BadInput(f"The role is one of {', '.join(Role)}.", field="role") from None
    if chosen is Role.USER:
        raise BadInput("The role user belongs to people.", field="role")
    if actor.role is not Role.OPERATOR and (chosen is Role.OPERATOR or tenant_id is None):
        raise Forbidden("Only an operator makes tokens for the whole server.")
    if chosen is Role.OPERATOR and tenant_id is not None:
        raise BadInput("An operator's token belongs to no tenant.", field="tenant_id")
    if chosen in {Role.ADMIN, Role.INSTALLER} and tenant_id is None:
        raise BadInput("This role belongs to a tenant; say which.", field="tenant_id")
    return chosen
