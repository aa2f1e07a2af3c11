import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from provisioner.access.passwords import PeoplesPasswords
from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    ProvisionerError,
    TooManyAttempts,
    Unauthenticated,
    WeakPassword,
)
from provisioner.model import Login, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.people.audit_log import list_audit
from provisioner.services.people.logins import (
    Doorkeeper,
    delete_login,
    list_logins,
    log_out,
    make_reset,
    resume,
    set_blocked,
    update_own,
)

SECRET = "correct horse battery"
HERE = "192.0.2.1"


@pytest.fixture
async def door(context: Context) -> AsyncIterator[Doorkeeper]:
    keeper = Doorkeeper(context)
    keeper.passwords.close()
    keeper.passwords = PeoplesPasswords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield keeper
    keeper.close()


@pytest.fixture
async def ann(door: Doorkeeper, tenant: Tenant) -> Login:
    return await door.create_login(
        SYSTEM, name="Ann@Acme.test", role="admin", password=SECRET, tenant_id=tenant.id
    )


async def _again_and_again(attempt: Callable[[], Awaitable[object]]) -> None:
    for _ in range(10):
        with contextlib.suppress(Unauthenticated):
            await attempt()


async def _words(door: Doorkeeper, name: str, password: str) -> tuple[type[ProvisionerError], str]:
    with pytest.raises(ProvisionerError) as caught:
        await door.log_in(name, password, address=HERE)
    return type(caught.value), caught.value.detail


async def test_the_right_pair_opens_a_session(door: Doorkeeper, ann: Login, context: Context) -> None:
    session = await door.log_in(" ann@acme.TEST ", SECRET, address=HERE, agent="Firefox")
    assert (session.actor.role, session.actor.tenant_id, session.max_age) == (Role.ADMIN, ann.tenant_id, None)
    assert session.token is not None
    again = await resume(context, session.token, address=HERE)
    assert again is not None
    assert (again.login.id, again.token) == (ann.id, None)
    assert await resume(context, "guess", address=HERE) is None


async def test_wrong_unknown_and_blocked_get_the_same_words(
    door: Doorkeeper, ann: Login, context: Context
) -> None:
    """T1 for people."""
    said = [
        await _words(door, "ann@acme.test", "wrong"),
        await _words(door, "nobody", SECRET),
        await _words(door, "nul\x00\ud800", SECRET),
    ]
    await set_blocked(context, SYSTEM, login_id=ann.id, is_blocked=True)
    said.append(await _words(door, "ann@acme.test", SECRET))
    assert set(said) == {(Unauthenticated, "The name or the password is wrong.")}


async def test_what_is_typed_as_an_unknown_name_is_not_written_down(
    door: Doorkeeper, context: Context
) -> None:
    """T19: it may be a password in the wrong field."""
    await _words(door, "my-canary-password", "x")
    assert "my-canary-password" not in repr(
        [vars(entry) for entry in (await list_audit(context, SYSTEM)).items]
    )


@pytest.mark.parametrize("address", [HERE, ""])
async def test_guessing_is_slowed_down_and_said(
    door: Doorkeeper, ann: Login, clock: SteppedClock, address: str
) -> None:
    """T15."""
    with pytest.raises(TooManyAttempts) as caught:
        await _again_and_again(lambda: door.log_in("ann@acme.test", "wrong", address=address))
    assert caught.value.data["retry_after"] >= 1
    clock.advance(timedelta(hours=3))
    assert (await door.log_in("ann@acme.test", SECRET, address=address)).login.id == ann.id


async def test_a_blocked_login_loses_its_sessions_at_once(
    door: Doorkeeper, ann: Login, context: Context
) -> None:
    session = await door.log_in("ann@acme.test", SECRET, address=HERE)
    await set_blocked(context, SYSTEM, login_id=ann.id, is_blocked=True)
    assert await resume(context, session.token or "", address=HERE) is None
    await set_blocked(context, SYSTEM, login_id=ann.id, is_blocked=False)
    assert (await door.log_in("ann@acme.test", SECRET, address=HERE)).token


async def test_a_session_rotates_and_the_old_token_lives_a_moment_longer(
    door: Doorkeeper, ann: Login, context: Context, clock: SteppedClock
) -> None:
    first = (await door.log_in("ann@acme.test", SECRET, address=HERE)).token or ""
    clock.advance(timedelta(hours=1))
    rotated = await resume(context, first, address=HERE)
    assert rotated is not None
    assert rotated.token
    late = await resume(context, first, address=HERE)
    assert late is not None
    assert late.token is None
    clock.advance(timedelta(seconds=61))
    assert await resume(context, first, address=HERE) is None
    assert await resume(context, rotated.token, address=HERE) is not None


async def test_a_session_ends_when_idle_unless_remembered(
    door: Doorkeeper, ann: Login, context: Context, clock: SteppedClock
) -> None:
    short = (await door.log_in("ann@acme.test", SECRET, address=HERE)).token or ""
    remembered = await door.log_in("ann@acme.test", SECRET, address=HERE, remember=True)
    assert remembered.max_age == 30 * 86_400
    clock.advance(timedelta(hours=13))
    assert await resume(context, short, address=HERE) is None
    assert await resume(context, remembered.token or "", address=HERE) is not None


async def test_logging_out_ends_the_session(door: Doorkeeper, ann: Login, context: Context) -> None:
    session = await door.log_in("ann@acme.test", SECRET, address=HERE)
    await log_out(context, session.actor, session.token or "")
    assert await resume(context, session.token or "", address=HERE) is None
    await log_out(context, session.actor, session.token or "")


async def test_an_own_new_password_ends_all_sessions(door: Doorkeeper, ann: Login, context: Context) -> None:
    session = await door.log_in("ann@acme.test", SECRET, address=HERE)
    with pytest.raises(Unauthenticated):
        await door.change_own_password(session.actor, old="wrong", new="another good password")
    with pytest.raises(WeakPassword):
        await door.change_own_password(session.actor, old=SECRET, new="short")
    await door.change_own_password(session.actor, old=SECRET, new="another good password")
    assert await resume(context, session.token or "", address=HERE) is None
    assert (await door.log_in("ann@acme.test", "another good password", address=HERE)).token


async def test_a_stolen_session_cannot_try_passwords_for_ever(door: Doorkeeper, ann: Login) -> None:
    session = await door.log_in("ann@acme.test", SECRET, address=HERE)
    with pytest.raises(TooManyAttempts):
        await _again_and_again(
            lambda: door.change_own_password(session.actor, old="wrong", new="another good password")
        )


async def test_a_reset_link_works_once_and_for_a_day(
    door: Doorkeeper, ann: Login, context: Context, clock: SteppedClock
) -> None:
    token = await make_reset(context, SYSTEM, login_id=ann.id)
    await door.reset_password(token, "another good password")
    with pytest.raises(NotFound):
        await door.reset_password(token, "a third good password")
    token = await make_reset(context, SYSTEM, login_id=ann.id)
    clock.advance(timedelta(hours=24))
    with pytest.raises(NotFound):
        await door.reset_password(token, "a third good password")
    assert (await door.log_in("ann@acme.test", "another good password", address=HERE)).token


async def test_nobody_lets_people_into_more_than_they_may(
    door: Doorkeeper, ann: Login, tenant: Tenant, other_tenant: Tenant
) -> None:
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id, login_id=ann.id)
    for name, role, owner, error in (
        ("bob", "operator", None, Forbidden), ("bob", "admin", other_tenant.id, NotFound), ("bob", "admin", None, BadInput), ("bob", "pbx", tenant.id, BadInput),
        ("bob", "user", tenant.id, BadInput), ("b b", "admin", tenant.id, BadInput), ("b", "admin", tenant.id, BadInput), ("ANN@acme.test", "admin", tenant.id, Conflict),
    ):  # fmt: skip
        with pytest.raises(error):
            await door.create_login(admin, name=name, role=role, password=SECRET, tenant_id=owner)
    with pytest.raises(WeakPassword):
        await door.create_login(admin, name="bob", role="admin", password="short", tenant_id=tenant.id)


async def test_foreign_logins_do_not_exist_and_nobody_locks_themselves_out(
    door: Doorkeeper, ann: Login, context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """T27."""
    bob = await door.create_login(
        SYSTEM, name="bob", role="admin", password=SECRET, tenant_id=other_tenant.id
    )
    operator = next(login for login in await list_logins(context, SYSTEM) if login.role == "operator")
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id, login_id=ann.id)
    assert [login.id for login in await list_logins(context, admin)] == [ann.id]
    for other in (bob, operator):
        with pytest.raises(NotFound):
            await set_blocked(context, admin, login_id=other.id, is_blocked=True)
        for use in (delete_login, make_reset):
            with pytest.raises(NotFound):
                await use(context, admin, login_id=other.id)
    for refused in (
        set_blocked(context, admin, login_id=ann.id, is_blocked=True),
        delete_login(context, admin, login_id=ann.id),
    ):
        with pytest.raises(Conflict):
            await refused
    assert (await update_own(context, admin, display_name="Ann", language="nl")).language == "nl"
