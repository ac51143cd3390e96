"""Alembic's entry: on the connection `chain.py` hands in, or on the database of the settings."""

from alembic import context
from sqlalchemy.engine import Connection

from kit.settings import Settings
from migrations import chain, comparing
from migrations.tables import metadata


def run(connection: Connection) -> None:
    options = comparing.options(connection.dialect.name)
    context.configure(connection=connection, target_metadata=metadata, **options)
    context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    run(handed_in)
else:  # the `alembic` command: check, revision --autogenerate
    url = context.config.attributes.get("url") or Settings().resolved_database_url
    with chain.opened(url) as connection:
        run(connection)
