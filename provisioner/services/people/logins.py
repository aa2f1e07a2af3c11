"""People: logging in and out, sessions, passwords and who may use the server."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Address

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access import sessions
from provisioner.access.addresses import parse_address
from provisioner.access.lockout import Lockout
from provisioner.access.passwords import PeoplesPasswords
from provisioner.access.permissions import Role
from provisioner.errors import (
    BadInput,
    Conflict,
    NotFound,
    StorageFull,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from provisioner.model import Login, LoginSession, PasswordReset
from provisioner.model.text import is_plain, plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.people.login_rules import check_user, chosen_role, login_name

_NOWHERE = IPv6Address("::")
"""Stands for a client without an address (a local socket): guesses from there are counted too."""
RESET_IS_GOOD_FOR = timedelta(hours=24)
LANGUAGES = ("en", "nl", "de", "pl")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session that counts: who it is, and a new cookie token when the browser must get one."""

    actor: Actor
    login: Login
    token: str | None = field(repr=False)
    max_age: int | None


class Doorkeeper:
    """Checks people's passwords, with the counters that slow down guessing. One per process."""

    def __init__(self, context: Context) -> None:
        self.passwords = PeoplesPasswords()
        self.lockout = Lockout()
        self._context = context

    async def log_in(
        self, name: str, password: str, *, address: str, agent: str = "", remember: bool = False
    ) -> LoggedIn:
        """Open a session. Unauthenticated for a wrong pair or a blocked login, in the same words; TooManyAttempts."""
        context, name = self._context, name.strip().lower()[:254]
        source, now = parse_address(address) or _NOWHERE, context.clock()
        standing = self.lockout.check(name, source, now=now.timestamp())
        if not standing.is_open:
            raise TooManyAttempts(
                "Too many wrong passwords; wait a moment and try again.",
                retry_after=int(standing.until - now.timestamp()) + 1,
            )
        login = await self._find_by_name(name)
        verification = await self.passwords.verify_password(login.password_hash if login else None, password)
        if login is None or not verification.is_right or login.is_blocked:
            self.lockout.failed(name, source, now=now.timestamp())
            # a name nobody has is not written down: it may be a password typed into the wrong field
            shown = login.name if login else "(unknown name)"
            async with context.store.write() as session:
                audit(
                    session,
                    context,
                    _nobody(shown, address),
                    action="login.refused",
                    tenant_id=login.tenant_id if login else None,
                    object=shown,
                )
            raise Unauthenticated("The name or the password is wrong.")
        self.lockout.succeeded(name, source)
        if verification.needs_rehash:
            await self._store_hash(login.id, await self.passwords.hash_password(password))
        return await self._open(login, address=address, agent=agent, remember=remember)

    async def change_own_password(self, actor: Actor, *, old: str, new: str) -> None:
        """Change the password and end every session of this login, this one too.

        Unauthenticated when `old` is wrong; TooManyAttempts, for a stolen session must not try passwords either.
        """
        now, source = self._context.clock().timestamp(), parse_address(actor.address) or _NOWHERE
        if not self.lockout.check(actor.name, source, now=now).is_open:
            raise TooManyAttempts("Too many wrong passwords; wait a moment and try again.", retry_after=30)
        async with self._context.store.read() as session:
            login = await session.get(Login, actor.login_id) if actor.login_id else None
        if login is None or not (await self.passwords.verify_password(login.password_hash, old)).is_right:
            self.lockout.failed(actor.name, source, now=now)
            raise Unauthenticated("The present password is wrong.")
        await self._replace(actor, login.id, new)

    async def reset_password(self, token: str, new: str) -> None:
        """Set a new password with a reset link's token; NotFound when it is used up or too old."""
        digest = sessions.token_digest(token).hex()
        async with self._context.store.read() as session:
            reset = await session.get(PasswordReset, digest)
        if reset is None or reset.expires_at <= self._context.clock():
            raise NotFound("This link is used up or too old; ask for a new one.")
        await self._replace(_nobody("reset link", ""), reset.login_id, new)

    async def create_login(
        self,
        actor: Actor,
        *,
        name: str,
        role: str,
        password: str,
        tenant_id: int | None = None,
        user_id: int | None = None,
        display_name: str = "",
        language: str = "en",
    ) -> Login:
        """Let a person in. An admin makes logins of the own tenant only; operators make operators."""
        chosen = chosen_role(actor, role, tenant_id=tenant_id)
        name = login_name(name)
        if language not in LANGUAGES:
            raise BadInput(f"The language is one of {', '.join(LANGUAGES)}.", field="language")
        hashed = await self.passwords.hash_password(password)
        login = Login(
            tenant_id=tenant_id, user_id=user_id, name=name, display_name=plain(display_name.strip(), limit=120), role=chosen.value, password_hash=hashed,
            language=language, is_blocked=False, created_at=self._context.clock(),
        )  # fmt: skip
        try:
            async with self._context.store.write() as session:
                await check_user(session, chosen, tenant_id=tenant_id, user_id=user_id)
                session.add(login)
                await session.flush()
                audit(
                    session,
                    self._context,
                    actor,
                    action="login.create",
                    tenant_id=tenant_id,
                    object=name,
                    role=chosen.value,
                )
        except IntegrityError:
            raise Conflict(f"There is a login “{name}” already.", field="name") from None
        return login

    def close(self) -> None:
        self.passwords.close()

    async def _find_by_name(self, name: str) -> Login | None:
        if not is_plain(name):
            return None
        async with self._context.store.read() as session:
            return (await session.execute(select(Login).where(Login.name == name))).scalar_one_or_none()

    async def _open(self, login: Login, *, address: str, agent: str, remember: bool) -> LoggedIn:
        context, token, now = self._context, sessions.new_token(), self._context.clock()
        state = sessions.Session(logged_in_at=now, last_used_at=now, rotated_at=now, is_remembered=remember)
        async with context.store.write() as session:
            session.add(
                LoginSession(
                    token_hash=token.digest.hex(), login_id=login.id, previous_hash="", created_at=now, seen_at=now, rotated_at=now,
                    expires_at=sessions.expires_at(state), is_remembered=remember, address=address[:45], agent=plain(agent, limit=200),
                )
            )  # fmt: skip
            stored = await session.get(Login, login.id)
            if stored is not None:
                stored.last_login_at = now
            await session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
            audit(
                session,
                context,
                actor_of(login, address=address),
                action="login",
                tenant_id=login.tenant_id,
                object=login.name,
            )
        return LoggedIn(
            actor_of(login, address=address), login, token.text, sessions.cookie_max_age(state, now=now)
        )

    async def _replace(self, actor: Actor, login_id: int, new: str) -> None:
        hashed = await self.passwords.hash_password(new)
        async with self._context.store.write() as session:
            login = await session.get(Login, login_id)
            if login is None:
                raise NotFound("There is no such login.")
            login.password_hash = hashed
            await session.execute(delete(LoginSession).where(LoginSession.login_id == login_id))
            await session.execute(delete(PasswordReset).where(PasswordReset.login_id == login_id))
            audit(
                session,
                self._context,
                actor,
                action="login.password",
                tenant_id=login.tenant_id,
                object=login.name,
            )

    async def _store_hash(self, login_id: int, hashed: str) -> None:
        async with self._context.store.write() as session:
            login = await session.get(Login, login_id)
            if login is not None:
                login.password_hash = hashed


async def resume(context: Context, token: str, *, address: str) -> LoggedIn | None:
    """Who a cookie's token stands for; None when it is over. May carry a rotated token for the browser."""
    digest, now = sessions.token_digest(token).hex(), context.clock()
    async with context.store.read() as session:
        row = (
            await session.execute(
                select(LoginSession, Login)
                .join(Login, Login.id == LoginSession.login_id)
                .where(or_(LoginSession.token_hash == digest, LoginSession.previous_hash == digest))
            )
        ).first()
    if row is None:
        return None
    stored, login = row
    state = sessions.Session(
        logged_in_at=stored.created_at,
        last_used_at=stored.seen_at,
        rotated_at=stored.rotated_at,
        is_remembered=stored.is_remembered,
    )
    if login.is_blocked or not sessions.is_alive(state, now=now):
        return None
    is_current = stored.token_hash == digest
    if not is_current and not sessions.accepts_previous(state, now=now):
        return None
    fresh = sessions.new_token() if is_current and sessions.should_rotate(state, now=now) else None
    if fresh is not None or sessions.should_touch(state, now=now):
        is_rotated = await _touch(context, digest, fresh)
        fresh = fresh if is_rotated else None
    return LoggedIn(
        actor_of(login, address=address),
        login,
        fresh.text if fresh else None,
        sessions.cookie_max_age(state, now=now),
    )


async def log_out(context: Context, actor: Actor, token: str) -> None:
    """End the session of this token; nothing happens when it is over already."""
    digest = sessions.token_digest(token).hex()
    async with context.store.write() as session:
        await session.execute(
            delete(LoginSession).where(
                or_(LoginSession.token_hash == digest, LoginSession.previous_hash == digest)
            )
        )
        audit(session, context, actor, action="logout", tenant_id=actor.tenant_id, object=actor.name)


async def list_logins(context: Context, actor: Actor) -> Sequence[Login]:
    """Everybody who may log in to this actor's tenant; operators see all."""
    statement = select(Login).order_by(Login.name)
    if actor.tenant_id is not None:
        statement = statement.where(Login.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def set_blocked(context: Context, actor: Actor, *, login_id: int, is_blocked: bool) -> Login:
    """Block or unblock a login; blocking ends its sessions. Nobody blocks themselves."""
    if login_id == actor.login_id:
        raise Conflict("You cannot block yourself.")
    async with context.store.write() as session:
        login = await _find(session, actor, login_id)
        login.is_blocked = is_blocked
        if is_blocked:
            await session.execute(delete(LoginSession).where(LoginSession.login_id == login_id))
        audit(
            session,
            context,
            actor,
            action="login.block" if is_blocked else "login.unblock",
            tenant_id=login.tenant_id,
            object=login.name,
        )
    return login


async def update_own(context: Context, actor: Actor, *, display_name: str, language: str) -> Login:
    """Change the own name and language."""
    if language not in LANGUAGES:
        raise BadInput(f"The language is one of {', '.join(LANGUAGES)}.", field="language")
    async with context.store.write() as session:
        login = await session.get(Login, actor.login_id) if actor.login_id else None
        if login is None:
            raise NotFound("There is no such login.")
        login.display_name, login.language = plain(display_name.strip(), limit=120), language
    return login


async def delete_login(context: Context, actor: Actor, *, login_id: int) -> None:
    if login_id == actor.login_id:
        raise Conflict("You cannot remove yourself.")
    async with context.store.write() as session:
        login = await _find(session, actor, login_id)
        audit(session, context, actor, action="login.delete", tenant_id=login.tenant_id, object=login.name)
        await session.delete(login)


async def make_reset(context: Context, actor: Actor, *, login_id: int) -> str:
    """A token for a reset link, good for a day and once: an admin hands it to the person."""
    token = secrets.token_urlsafe(32)
    async with context.store.write() as session:
        login = await _find(session, actor, login_id)
        await session.execute(delete(PasswordReset).where(PasswordReset.login_id == login_id))
        session.add(
            PasswordReset(
                token_hash=sessions.token_digest(token).hex(),
                login_id=login_id,
                expires_at=context.clock() + RESET_IS_GOOD_FOR,
            )
        )
        audit(session, context, actor, action="login.reset", tenant_id=login.tenant_id, object=login.name)
    return token


def actor_of(login: Login, *, address: str) -> Actor:
    """The login as somebody who does things."""
    role = Role(login.role)
    user_id = (login.user_id or 0) if role is Role.USER else None
    return Actor(
        name=login.name,
        role=role,
        tenant_id=login.tenant_id,
        login_id=login.id,
        user_id=user_id,
        address=address,
    )


async def _touch(context: Context, digest: str, fresh: sessions.NewToken | None) -> bool:
    """Store the time of use, and `fresh` unless another request of this browser was quicker; whether it was stored."""
    try:
        return await _store_use(context, digest, fresh)
    except (StorageFull, Unavailable):
        return False  # people must be able to look when the disk is full, then most of all


async def _store_use(context: Context, digest: str, fresh: sessions.NewToken | None) -> bool:
    now = context.clock()
    async with context.store.write() as session:
        stored = (
            await session.execute(
                select(LoginSession).where(
                    or_(LoginSession.token_hash == digest, LoginSession.previous_hash == digest)
                )
            )
        ).scalar_one_or_none()
        if stored is None:
            return False
        stored.seen_at = now
        is_rotated = fresh is not None and stored.token_hash == digest
        if fresh is not None and is_rotated:
            stored.previous_hash, stored.token_hash, stored.rotated_at = digest, fresh.digest.hex(), now
        state = sessions.Session(
            logged_in_at=stored.created_at,
            last_used_at=now,
            rotated_at=stored.rotated_at,
            is_remembered=stored.is_remembered,
        )
        stored.expires_at = sessions.expires_at(state)
        return is_rotated


async def _find(session: AsyncSession, actor: Actor, login_id: int) -> Login:
    login = await session.get(Login, login_id)
    if login is None or actor.tenant_id not in {None, login.tenant_id}:
        raise NotFound("There is no such login.")
    return login


def _nobody(name: str, address: str) -> Actor:
    return Actor(name=name[:60], role=Role.USER, address=address)
