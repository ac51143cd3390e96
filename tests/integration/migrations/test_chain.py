import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from kit.context import Context
from kit.db import Database
from migrations import chain, comparing
from migrations.tables import metadata

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def test_the_chain_goes_up_and_down_and_up_again(empty_url: str) -> None:
    chain.upgrade(empty_url)
    chain.downgrade(empty_url, "base")
    assert _tables(empty_url) == {"alembic_version"}

    chain.upgrade(empty_url)

    assert _tables(empty_url) == {"alembic_version", *metadata.tables}


def test_the_migrated_schema_is_the_one_in_the_code(empty_url: str) -> None:
    chain.upgrade(empty_url)

    assert chain.differences(empty_url) == []


def test_the_migrated_indexes_are_those_in_the_code_with_their_conditions(empty_url: str) -> None:
    chain.upgrade(empty_url)
    migrated = _indexes(empty_url)
    chain.downgrade(empty_url, "base")
    db = Database(empty_url)
    metadata.create_all(db.engine)
    db.close()

    created = _indexes(empty_url)

    assert migrated == created


def test_an_empty_database_is_not_current_and_a_migrated_one_is(empty_url: str) -> None:
    db = Database(empty_url)
    before = chain.current(db), chain.is_current(db)

    chain.upgrade(empty_url)

    assert before == (None, False)
    assert chain.is_current(db)
    db.close()


def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    chain.upgrade(empty_url)

    chain.upgrade(empty_url)

    assert chain.differences(empty_url) == []


def test_two_processes_that_upgrade_together_take_turns(empty_url: str) -> None:
    failed: list[Exception] = []

    def upgrade() -> None:
        try:
            _in_another_process(empty_url, cwd=Path.cwd())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert chain.differences(empty_url) == []


def test_the_chain_is_found_from_any_directory(empty_url: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "100 % elsewhere"
    elsewhere.mkdir()

    _in_another_process(empty_url, cwd=elsewhere)

    assert chain.differences(empty_url) == []


def test_a_migration_that_would_orphan_rows_is_undone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orphans.db'}"
    chain.upgrade(url)
    db = Database(url)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        connection.execute(text("INSERT INTO sign_ins VALUES ('d', 'nobody', 'f', '2026-01-01', '2026-01-02', '{}')"))
        connection.commit()
    db.close()

    with pytest.raises(RuntimeError, match="sign_ins"):
        chain.upgrade(url)


def test_times_ids_and_json_have_postgresqls_own_types(migrated_postgres: Context) -> None:
    with migrated_postgres.db.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = 'audit_events' AND column_name IN ('at', 'detail', 'id')"
            )
        ).all()

    assert dict(rows) == {"at": "timestamp with time zone", "detail": "jsonb", "id": "uuid"}


def _in_another_process(url: str, *, cwd: Path) -> None:
    code = f"from migrations import chain; chain.upgrade({url!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(chain.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, check=True, timeout=60)


def _tables(url: str) -> set[str]:
    db = Database(url)
    try:
        return {name for name in inspect(db.engine).get_table_names() if not comparing.is_partition(name)}
    finally:
        db.close()


def _of_a_month(index: str) -> bool:
    return re.match(r"decisions_(\d{4}_\d{2}|rest)_", index) is not None


def _indexes(url: str) -> dict[str, str]:
    db = Database(url)
    try:
        with db.engine.connect() as connection:
            found = connection.execute(text(_INDEXES[db.dialect])).all()
        return {name: sql for name, sql in found if name != "alembic_version_pkc" and not _of_a_month(name)}
    finally:
        db.close()


def test_the_alembic_command_finds_no_difference(empty_url: str) -> None:
    chain.upgrade(empty_url)
    root = Path(chain.__file__).parents[1]

    checked = subprocess.run(
        [sys.executable, "-m", "alembic", "check"],
        cwd=root,
        env={**os.environ, "PHASEGATE_DATABASE_URL": empty_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "No new upgrade operations detected" in checked.stdout, checked.stderr
