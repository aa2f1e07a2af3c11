"""Fixtures over the programs of this package; a conftest imports those it offers."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresCluster, programs


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """One cluster for all tests of this worker; the test is skipped where PostgreSQL is not installed."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresCluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The asyncpg URL of an empty database of the test's own."""
    with postgres_cluster.database() as url:
        yield url
