"""What all tests share: a clock that stands still, the use cases on both databases, and a loop that must not be blocked."""

import functools
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from provisioner.clock import SteppedClock
from provisioner.model import Tenant
from provisioner.services.context import SYSTEM, Context
from provisioner.services.operation import installation
from provisioner.services.people.tenants import create_tenant
from tests.support.fixtures import postgres_cluster, postgres_url
from tests.support.postgres import PostgresCluster
from tests.support.server import copies, opened_context, prepared

__all__ = ["postgres_cluster", "postgres_url"]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """In CI every program is installed: a test that was skipped there was not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"CI skips nothing, but {len(skipped)} tests were skipped.", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


BOTH_DATABASES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session", autouse=True)
def _vendor_profiles_are_read_once() -> Iterator[None]:
    """Compiling the shipped profiles takes half a second; they never change during a run."""
    from provisioner.profiles.loader import load_profiles as real

    @functools.cache
    def shipped() -> object:
        from provisioner.composition.catalogue import load_catalogue

        return real(installation.PROFILES, settings=load_catalogue().phone_settings)

    def load(folder: Path, *, settings: object) -> object:
        return shipped() if folder == installation.PROFILES else real(folder, settings=settings)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "load_profiles", load)
        yield


@pytest.fixture
def clock() -> SteppedClock:
    """Stands still, a little ahead of everything that was installed, until a test moves it."""
    return SteppedClock(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1))


@pytest.fixture
def unblocked() -> Iterator[BlockBuster]:
    """Fails the test when the package blocks the event loop (DESIGN, invariant 8), with the documented exceptions."""
    with blockbuster_ctx("provisioner") as buster:
        for name, function in buster.functions.items():
            function.can_block_in(
                "provisioner/model/store.py", {"_sqlite_engine"}
            )  # once, when a process starts
            function.can_block_in(
                "provisioner/secrets.py", {"reload"}
            )  # one stat; the small file itself after a rotation only
            if name.startswith("sqlite3."):
                # one indexed row costs microseconds, a thread more
                function.can_block_in(
                    "provisioner/model/quick.py", {"all", "begin", "_leave", "open_sqlite_reader", "close"}
                )
                function.can_block_in("provisioner/services/change_feed.py", {"_read", "close"})
            function.can_block_in("provisioner/services/operation/health.py", {"_storage"})  # one statvfs
            function.can_block_in("provisioner/access/passwords.py", {"close"})  # at the end of a process
            # the coverage tool's own lock, taken in whatever line a file is first traced at
            function.can_block_in("coverage/collector.py", {"lock_data"})
            # a password file is looked for when a connection is opened, not when one is used
            function.can_block_in("asyncpg/connect_utils.py", {"_parse_connect_dsn_and_args"})
        yield buster


@pytest.fixture(scope="session")
def postgres_template() -> dict[str, str]:
    """Name of the installed database that others are copied from, once it was made."""
    return {}


@pytest.fixture(params=BOTH_DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """ "sqlite" or "postgres": everything that asks for `context` runs on both."""
    kind: str = request.param
    return kind


@pytest.fixture
async def context(
    database: str,
    tmp_path: Path,
    clock: SteppedClock,
    request: pytest.FixtureRequest,
    postgres_template: dict[str, str],
) -> AsyncIterator[Context]:
    """The use cases over a fresh installation, on both databases, with the loop watched."""
    overrides: dict[str, object] = {}
    if database == "postgres":
        overrides["database"] = await _copied_database(request, postgres_template, tmp_path)
    async with opened_context(tmp_path / "data", clock=clock, **overrides) as opened:
        request.getfixturevalue("unblocked")
        yield opened


async def _copied_database(request: pytest.FixtureRequest, made: dict[str, str], tmp_path: Path) -> str:
    cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
    if "name" not in made:
        cluster.create("installed")
        await prepared(tmp_path / "template", database=cluster.url("installed"))
        made["name"] = "installed"
    manager = cluster.database(template=made["name"])
    url = manager.__enter__()
    request.addfinalizer(lambda: manager.__exit__(None, None, None))
    copies.add(url)
    return url


@pytest.fixture
async def tenant(context: Context) -> Tenant:
    return await create_tenant(
        context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test", is_premium=True
    )


@pytest.fixture
async def other_tenant(context: Context) -> Tenant:
    return await create_tenant(context, SYSTEM, key="globex", name="Globex", sip_domain="globex.test")
