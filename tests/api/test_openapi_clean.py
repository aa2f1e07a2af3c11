"""Schemathesis asks every operation, with good and with broken input, as an operator and as a tenant's admin."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from provisioner.services.context import Context
from provisioner.web.api.openapi import openapi_document
from tests.api.world import World, make_app, populate

OPERATIONS = [
    (method, path) for path, operations in openapi_document()["paths"].items() for method in operations
]
"""All of them."""
EXAMPLES = 6
EXCLUDED = [positive_data_acceptance, ignored_auth]
"""A value may fit its type and still break a rule no schema can say: a user of another tenant, a weak password. That nobody
gets in without a token is asked of every endpoint, with every role, by the test of the permission matrix."""


@contextmanager
def running(make: Callable[[], Context]) -> Iterator[tuple[str, World]]:
    """The door in a thread of its own, for a client that blocks: its address and what is in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, Context, World, int]:
        context = make()
        world = await populate(context)
        runner = web.AppRunner(make_app(context), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, context, world, runner.addresses[0][1]

    async def stop() -> None:
        await runner.cleanup()
        await context.store.close()

    runner, context, world, port = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield f"http://127.0.0.1:{port}", world
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def ask(
    operation: schemathesis.APIOperation,
    mode: schemathesis.GenerationMode,
    *,
    url: str,
    headers: dict[str, str],
    ids: dict[str, str],
) -> list[int]:
    """Ask with some generated requests, sound ones about things that are there; the statuses of the answers."""
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        if mode is schemathesis.GenerationMode.POSITIVE:
            case.path_parameters = {name: ids[name] for name in case.path_parameters}
        statuses.append(
            case.call_and_validate(base_url=url, headers=headers, excluded_checks=EXCLUDED).status_code
        )

    run()
    return statuses


@pytest.mark.timeout(180)
@pytest.mark.parametrize("by", ["operator", "admin"])
def test_no_operation_breaks_its_description(open_context: Callable[[], Context], by: str) -> None:
    schema = schemathesis.openapi.from_dict(openapi_document())
    found = [result.ok() for result in schema.get_all_operations()]
    assert sorted((operation.method, operation.path) for operation in found) == sorted(OPERATIONS)
    found.sort(key=lambda operation: (operation.method == "delete", operation.path))
    good, bad = Counter[int](), Counter[int]()
    with running(open_context) as (url, world):
        given_to = {
            "url": url,
            "headers": {"Authorization": f"Bearer {world.tokens[by]}"},
            "ids": world.own.ids(),
        }
        for operation in found:
            good.update(ask(operation, schemathesis.GenerationMode.POSITIVE, **given_to))
            if operation.body or operation.query or operation.path_parameters:
                bad.update(ask(operation, schemathesis.GenerationMode.NEGATIVE, **given_to))
    assert good.total() > 2 * len(OPERATIONS)
    assert good[200] > good.total() / 3, good
    assert bad[422] > bad.total() / 3, bad
