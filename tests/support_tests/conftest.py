from tests.support.fixtures import postgres_cluster, postgres_url

__all__ = ["postgres_cluster", "postgres_url"]
