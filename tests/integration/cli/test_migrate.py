"""`phasegate migrate` brings a database to this release, says from where, and never goes on by guessing."""

from pathlib import Path

import pytest
from sqlalchemy import text

from kit.db import Database
from migrations import chain
from tests.integration.cli.conftest import Ran, invoke


@pytest.fixture
def url(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PHASEGATE_DATABASE_URL", empty_url)
    monkeypatch.setenv("PHASEGATE_DATA_DIR", str(tmp_path / "var"))
    return empty_url


def migrate() -> Ran:
    return invoke("migrate")


def revision(url: str) -> str | None:
    db = Database(url)
    try:
        return chain.current(db)
    finally:
        db.close()


def test_an_empty_database_gets_every_table_and_a_second_run_changes_nothing(url: str) -> None:
    first, second = migrate(), migrate()

    assert (first.status, first.out) == (0, f"Migrated from nothing to {chain.head()}.\n")
    assert (second.status, second.out) == (0, f"The database is at {chain.head()} already.\n")
    assert revision(url) == chain.head()
    assert chain.differences(url) == []


def test_a_database_of_a_newer_release_is_left_as_it_is(url: str) -> None:
    migrate()
    db = Database(url)
    with db.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    db.close()

    ran = migrate()

    assert ran.status == 1
    assert "it is at ffff" in ran.err
    assert revision(url) == "ffff"


def test_a_database_that_does_not_answer_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHASEGATE_DATABASE_URL", "postgresql://127.0.0.1:1/none")

    ran = migrate()

    assert ran.status == 4
    assert "did not answer" in ran.err
