import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import BadInput, Forbidden, NotFound, StorageFull
from provisioner.model import ApiToken, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.people.api_tokens import TokenBook, create_token, list_tokens, revoke_token


@pytest.fixture
async def book(context: Context) -> AsyncIterator[TokenBook]:
    made = TokenBook(context)
    yield made
    await made.close()


async def test_a_token_stands_for_its_role_and_tenant(
    context: Context, book: TokenBook, tenant: Tenant
) -> None:
    made = await create_token(context, SYSTEM, name="kamailio", role="pbx", tenant_id=tenant.id)
    for address in ("192.0.2.1", "192.0.2.2"):
        actor = await book.actor(made.text, address=address)
        assert actor is not None
        assert (actor.role, actor.tenant_id, actor.address, actor.name) == (
            Role.PBX,
            tenant.id,
            address,
            "token kamailio",
        )


@pytest.mark.parametrize("text", ["", "prov_", "prov_aaaaaaaaaaaa_" + "x" * 40, "\udcff", "x" * 10_000])
async def test_a_wrong_token_is_nobody(context: Context, book: TokenBook, text: str) -> None:
    assert await book.actor(text, address="") is None


async def test_only_a_hash_is_kept(context: Context, tenant: Tenant) -> None:
    """T20."""
    made = await create_token(context, SYSTEM, name="kamailio", role="pbx", tenant_id=tenant.id)
    (row,) = await list_tokens(context, SYSTEM)
    assert made.text.rpartition("_")[2] not in repr(vars(row))


async def test_a_revoked_token_dies_within_a_second(
    context: Context, book: TokenBook, tenant: Tenant, clock: SteppedClock
) -> None:
    made = await create_token(context, SYSTEM, name="kamailio", role="pbx", tenant_id=tenant.id)
    assert await book.actor(made.text, address="") is not None
    await revoke_token(context, SYSTEM, token_id=made.row.id)
    clock.advance(timedelta(seconds=1))
    assert await book.actor(made.text, address="") is None
    assert await list_tokens(context, SYSTEM) == []


async def test_a_token_ends_on_its_day(
    context: Context, book: TokenBook, tenant: Tenant, clock: SteppedClock
) -> None:
    made = await create_token(context, SYSTEM, name="trial", role="admin", tenant_id=tenant.id, days=1)
    assert await book.actor(made.text, address="") is not None
    clock.advance(timedelta(days=1))
    assert await book.actor(made.text, address="") is None


async def test_nobody_makes_a_token_that_may_do_more_than_they_may(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    await create_token(context, admin, name="own", role="admin", tenant_id=tenant.id)
    for role, owner, error in (
        ("operator", None, Forbidden), ("operator", tenant.id, Forbidden), ("pbx", None, Forbidden), ("pbx", other_tenant.id, NotFound),
        ("user", tenant.id, BadInput), ("king", tenant.id, BadInput),
    ):  # fmt: skip
        with pytest.raises(error):
            await create_token(context, admin, name="more", role=role, tenant_id=owner)
    for role, owner in (("admin", None), ("operator", tenant.id), ("pbx", 9_999)):
        with pytest.raises((BadInput, NotFound)):
            await create_token(context, SYSTEM, name="odd", role=role, tenant_id=owner)
    for fields in ({"name": ""}, {"name": "a\x00"}, {"name": "x", "days": 0}, {"name": "x", "days": 3651}):
        with pytest.raises(BadInput):
            await create_token(context, SYSTEM, role="pbx", tenant_id=tenant.id, **fields)


async def test_foreign_tokens_do_not_exist(context: Context, tenant: Tenant, other_tenant: Tenant) -> None:
    """T27."""
    theirs = await create_token(context, SYSTEM, name="theirs", role="pbx", tenant_id=other_tenant.id)
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    assert await list_tokens(context, admin) == []
    with pytest.raises(NotFound):
        await revoke_token(context, admin, token_id=theirs.row.id)


async def test_the_time_of_use_is_noted_and_a_full_disk_is_no_reason_to_refuse(
    context: Context, book: TokenBook, tenant: Tenant, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create_token(context, SYSTEM, name="kamailio", role="pbx", tenant_id=tenant.id)
    assert await book.actor(made.text, address="") is not None
    await book.close()
    async with context.store.read() as session:
        assert (await session.get_one(ApiToken, made.row.id)).last_used_at == clock()

    def full() -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(type(context.store), "write", lambda _: full())
    clock.advance(timedelta(hours=1))
    assert await book.actor(made.text, address="") is not None
    await book.close()


async def test_a_machine_waits_for_no_writer(
    context: Context, book: TokenBook, tenant: Tenant, clock: SteppedClock
) -> None:
    made = await create_token(context, SYSTEM, name="kamailio", role="pbx", tenant_id=tenant.id)
    async with context.store.change():  # an import, for a minute
        assert await asyncio.wait_for(book.actor(made.text, address=""), 5) is not None
        clock.advance(timedelta(seconds=2))
        assert await asyncio.wait_for(book.actor(made.text, address=""), 5) is not None
    await book.close()
    async with context.store.read() as session:
        assert (await session.get_one(ApiToken, made.row.id)).last_used_at is not None
