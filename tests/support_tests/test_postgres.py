import asyncpg
import pytest

from tests.support.postgres import PostgresCluster, programs
from tests.support.program import ProgramError

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")]


def plain(url: str) -> str:
    return url.replace("+asyncpg", "")


async def test_a_query_runs_over_the_network_as_the_server_will_do_it(postgres_url: str) -> None:
    assert postgres_url.startswith("postgresql+asyncpg://")
    connection = await asyncpg.connect(plain(postgres_url))
    try:
        assert await connection.fetchval("SELECT 6 * 7") == 42
    finally:
        await connection.close()


def test_a_database_is_copied_from_a_template_and_goes_with_the_test(
    postgres_cluster: PostgresCluster,
) -> None:
    postgres_cluster.create("pattern")
    postgres_cluster.query(
        "pattern", "CREATE TABLE phone (mac text); INSERT INTO phone VALUES ('000413ABCDEF')"
    )
    for _ in range(2):
        with postgres_cluster.database(template="pattern") as url:
            name = url.rpartition("/")[2]
            assert postgres_cluster.query(name, "DELETE FROM phone RETURNING mac") == "000413ABCDEF"
        assert (
            postgres_cluster.query("postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{name}'")
            == "0"
        )


async def test_a_database_with_a_connection_left_open_still_goes(postgres_cluster: PostgresCluster) -> None:
    with postgres_cluster.database() as url:
        connection = await asyncpg.connect(plain(url))
    with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()


def test_an_error_is_told_in_the_words_of_postgresql(postgres_cluster: PostgresCluster) -> None:
    with pytest.raises(ProgramError, match="does not exist"):
        postgres_cluster.query("postgres", "SELECT * FROM nothing")


def test_nothing_is_left_after_the_end() -> None:
    with PostgresCluster() as other:
        folder = other.folder
        assert other.query("postgres", "SELECT current_user") == "provisioner"
    assert not folder.exists()
    assert not other.is_running
