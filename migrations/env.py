"""Alembic's entry: runs on a connection handed over by `provisioner.model.migration`."""

from alembic import context
from sqlalchemy.engine import Connection

from provisioner.model import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        user_module_prefix="provisioner.model.base.",
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
