"""Alembic's entry: on the connection `chain.py` hands in, or on the database of the settings."""

from alembic import context

from kit.db import Database
from kit.settings import Settings
from migrations import comparing
from migrations.tables import metadata


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        options = comparing.options(connection.dialect.name)
        context.configure(connection=connection, target_metadata=metadata, **options)
        context.run_migrations()
        return
    db = Database(context.config.get_main_option("sqlalchemy.url") or Settings().resolved_database_url)
    with db.engine.begin() as opened:  # `alembic check` and `alembic revision --autogenerate` come here
        context.configure(connection=opened, target_metadata=metadata, **comparing.options(db.dialect))
        context.run_migrations()
    db.close()


run()
