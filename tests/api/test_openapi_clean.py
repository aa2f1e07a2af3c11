"""Schemathesis asks every operation, with good and with broken input, as an operator and as a tenant's admin."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from provisioner.services.context import Context
from provisioner.web.api.openapi import openapi_document
from tests.api.world import World, make_app, populate

OPERATIONS = [
    (method, path) for path, operations in openapi_document()["paths"].items() for method in operations
]
"""All of them."""
EXAMPLES = 4
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


Operation = schemathesis.APIOperation[Any, Any, Any, Any]


@dataclass(frozen=True)
class Asker:
    """Asks a running door as one role. `statuses` counts the answers to sound (True) and broken (False) requests."""

    url: str
    token: str
    ids: dict[str, str]
    statuses: dict[bool, Counter[int]] = field(default_factory=lambda: {True: Counter(), False: Counter()})

    def ask(self, operation: Operation, *, sound: bool) -> None:
        """Ask with some generated requests; the sound ones are about things that are there."""
        mode = schemathesis.GenerationMode.POSITIVE if sound else schemathesis.GenerationMode.NEGATIVE

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: schemathesis.Case[Any]) -> None:
            if sound:
                case.path_parameters = {name: self.ids[name] for name in case.path_parameters}
            answer = case.call_and_validate(
                base_url=self.url,
                headers={"Authorization": f"Bearer {self.token}"},
                excluded_checks=EXCLUDED,
            )
            self.statuses[sound][answer.status_code] += 1

        run()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("by", ["operator", "admin"])
def test_no_operation_breaks_its_description(open_context: Callable[[], Context], by: str) -> None:
    schema = schemathesis.openapi.from_dict(openapi_document())
    found: list[Operation] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        found.append(result.ok())
    assert sorted((operation.method, operation.path) for operation in found) == sorted(OPERATIONS)
    found.sort(key=lambda operation: (operation.method == "delete", operation.path))
    with running(open_context) as (url, world):
        asker = Asker(url, world.tokens[by], world.own.ids())
        for operation in found:
            asker.ask(operation, sound=True)
            if operation.body or operation.query or operation.path_parameters:
                asker.ask(operation, sound=False)
    good, bad = asker.statuses[True], asker.statuses[False]
    assert good.total() > 2 * len(OPERATIONS)
    assert good[200] > good.total() / 3, good
    assert bad[422] > bad.total() / 3, bad
