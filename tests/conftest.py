"""
What every test may ask for. `ctx` is the one to know: an empty, migrated house with a clock that stands still,
once on SQLite and once on PostgreSQL.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import hypothesis
import pytest
import structlog
from hypothesis import HealthCheck
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import event

from governance.people import service as people
from kit.clock import FixedClock
from kit.context import Context, make_context
from kit.db import Database
from kit.settings import Settings
from migrations import chain
from migrations.tables import metadata
from tests import servers
from tests.running import pytest_collection_finish, pytest_collection_modifyitems  # noqa: F401 - found by their names

START = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday
SECRET = "a secret for tests that nobody else has"

# A busy machine must not fail a property; how fast things are is measured in bench/.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    max_examples=int(os.environ.get("PHASEGATE_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")

# The pretty form of a traceback, with every local, takes seconds for each error that a test brings up.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

for _name in [name for name in os.environ if name.startswith("PHASEGATE_") and "_TEST_" not in name]:
    del os.environ[_name]  # the settings of whoever runs the tests are not the tests' settings


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """The same hash with the least work; at full strength the tests would mostly hash passwords."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_passwords", lambda: quick)
        yield


@pytest.fixture(scope="session")
def postgres_url(testrun_uid: str) -> Iterator[str]:
    """A PostgreSQL server, shared by all workers of the run."""
    with servers.postgres(testrun_uid[:8]) as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with servers.valkey() as url:
        yield url


@pytest.fixture(scope="session")
def database_name(worker_id: str, testrun_uid: str) -> str:
    """Where two workers, or two runs on one server, must not meet."""
    return f"phasegate_test_{testrun_uid[:8]}_{worker_id}"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, database_name: str) -> Iterator[Context]:
    """One migrated database per worker; `ctx` empties it before each test."""
    with servers.database(postgres_url, database_name) as url:
        chain.upgrade(url)
        ctx = make_context(Settings(database_url=url, secret=SECRET))
        yield ctx
        ctx.db.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy."""
    path = tmp_path_factory.mktemp("migrated") / "phasegate.db"
    chain.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def kept_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """
    One engine per worker, so that no statement is compiled twice; `ctx` puts an empty file under it before each test.
    """
    path = tmp_path_factory.mktemp("kept") / migrated_sqlite.name
    db = Database(f"sqlite:///{path}", seconds=Settings(secret=SECRET).task_seconds)
    event.listen(db.engine, "connect", servers.forget_safety_of_file)
    yield db
    db.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a single table, for migrations and for processes that migrate themselves."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    name = request.getfixturevalue("database_name")
    with servers.database(request.getfixturevalue("postgres_url"), f"{name}_empty") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ctx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    """A migrated, empty house at nine o'clock on a Monday."""
    if request.param == "sqlite":
        db = cast("Database", request.getfixturevalue("kept_sqlite"))
        servers.put_under(db, request.getfixturevalue("migrated_sqlite"))
        yield _on(db, tmp_path, f"sqlite:///{db.engine.url.database}")
        return
    shared = cast("Context", request.getfixturevalue("migrated_postgres"))
    servers.empty(shared.db.engine, metadata.sorted_tables)
    yield _on(shared.db, tmp_path, shared.settings.resolved_database_url)


@pytest.fixture
def clock(ctx: Context) -> FixedClock:
    """The clock of `ctx`, to be moved."""
    return cast("FixedClock", ctx.clock)


def _on(db: Database, folder: Path, url: str) -> Context:
    settings = Settings(data_dir=folder / "var", database_url=url, secret=SECRET)
    made = Context(settings, db, FixedClock(START), SECRET.encode())
    made.db.listener = made.announce
    return made
