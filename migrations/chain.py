"""
Brings a database to the schema this code expects, or says that it is not there.

Alembic is given the address of the scripts by file, so it works from any directory and from the wheel.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection

from kit.db import Database
from migrations import comparing
from migrations.tables import metadata

_SCRIPTS = Path(__file__).resolve().parent
_LOCK = 7_268_436_901_137  # any number, the same in every process: only one of them migrates at a time


def upgrade(url: str, to: str = "head") -> None:
    """Go up the chain in one transaction: all of it, or nothing."""
    with _migrating(url) as config:
        command.upgrade(config, to)


def downgrade(url: str, to: str) -> None:
    with _migrating(url) as config:
        command.downgrade(config, to)


def head() -> str:
    """The newest revision this code knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise RuntimeError(f"there are no revisions in {_SCRIPTS}")
    return newest


def knows(revision: str) -> bool:
    """Whether it is a revision of this code's chain."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(db: Database) -> str | None:
    """The revision the database is at; None where nothing was ever migrated."""
    with db.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def is_current(db: Database) -> bool:
    return current(db) == head()


def differences(url: str) -> list[Any]:
    """What the tables in the code have that the database has not, or the other way round."""
    db = Database(url)
    try:
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=comparing.options(db.dialect))
            with warnings.catch_warnings():  # that indexes over expressions cannot be compared on SQLite is known
                warnings.filterwarnings("ignore", message=".*expression-based index")
                return list(compare_metadata(context, metadata))
    finally:
        db.close()


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A connection fit to change the schema: alone, in one transaction, and undone if rows lost their parents."""
    db = Database(url)
    if db.dialect == "sqlite":
        event.listen(db.engine, "connect", _without_foreign_keys)
    try:
        with db.engine.begin() as connection:
            _take_turns(connection)
            yield connection
            _check_foreign_keys(connection)
    finally:
        db.close()


@contextmanager
def _migrating(url: str) -> Iterator[Config]:
    config = _config()
    with opened(url) as connection:
        config.attributes["connection"] = connection
        yield config


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _take_turns(connection: Connection) -> None:
    """Wait for another process that migrates; wait for no table longer than five seconds."""
    if connection.dialect.name == "postgresql":  # on SQLite the writer's lock does both
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")


def _without_foreign_keys(connection: Any, _record: Any) -> None:
    # SQLite changes a table by copying it and dropping the old one, which would take its children along.
    connection.execute("PRAGMA foreign_keys = OFF")


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise RuntimeError(f"the migration would leave a row of {broken[0]} without its {broken[2]}; undone")
