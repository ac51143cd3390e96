"""Nobody waits for ever: not for a statement, not for a lock, and not for a server that says nothing any more."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kit.db import Database
from kit.patience import PatientConnection
from tests.system.proxy import Proxy, Way, between

LONG = 60  # seconds; a test that waited so long would be ended by nobody


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    with between(postgres_url) as proxy:
        yield proxy


@pytest.fixture
def db(proxy: Proxy) -> Iterator[Database]:
    made = Database(proxy.url, seconds=1)
    yield made
    made.close()


def one(db: Database) -> int | None:
    with db.read() as session:
        return session.scalar(text("SELECT 1"))


def test_a_statement_that_takes_too_long_is_ended_by_the_server_and_its_connection_stays(db: Database) -> None:
    began = time.monotonic()
    with db.read() as session:
        with pytest.raises(OperationalError, match="statement timeout") as caught:
            session.execute(text(f"SELECT pg_sleep({LONG})"))
        assert not caught.value.connection_invalidated
    assert time.monotonic() - began < LONG / 2
    assert one(db) == 1


@pytest.mark.parametrize("ways", [("up",), ("down",)], ids=["to it", "from it"])
def test_a_server_that_falls_silent_is_given_up_and_found_again(db: Database, proxy: Proxy, ways: tuple[Way]) -> None:
    assert one(db) == 1
    proxy.silence(*ways)
    began = time.monotonic()
    with pytest.raises(OperationalError):
        one(db)
    assert time.monotonic() - began < LONG / 2
    proxy.heal()
    assert one(db) == 1


def test_whoever_was_in_the_middle_of_something_gives_up_too_and_leaves_nothing_half_done(
    db: Database, proxy: Proxy
) -> None:
    def change() -> None:
        with db.begin() as session:
            session.execute(text("CREATE TEMPORARY TABLE half_done (id integer)"))
            proxy.silence()
            session.execute(text("SELECT 1"))

    with pytest.raises(OperationalError, match="no sign of life") as caught:
        change()
    assert caught.value.connection_invalidated
    proxy.heal()
    assert one(db) == 1


def test_a_connection_that_was_cut_is_replaced(db: Database, proxy: Proxy) -> None:
    assert one(db) == 1
    proxy.cut()
    with pytest.raises(OperationalError):
        one(db)
    proxy.heal()
    assert one(db) == 1


def test_the_server_is_told_to_let_go_of_what_is_left_behind(db: Database) -> None:
    with db.read() as session:
        found = {name: session.scalar(text(f"SHOW {name}")) for name in ("statement_timeout",
                 "idle_in_transaction_session_timeout")}  # fmt: skip
    assert found == {"statement_timeout": "750ms", "idle_in_transaction_session_timeout": "15s"}


def test_a_pool_that_is_empty_is_waited_for_no_longer_either(postgres_url: str) -> None:
    db = Database(postgres_url, pool_size=1, seconds=1)
    with db.engine.connect(), pytest.raises(PoolTimeout):
        one(db)
    db.close()


def test_a_connection_is_kept_for_the_next_however_many_were_wanted_at_once(postgres_url: str) -> None:
    db = Database(postgres_url, pool_size=4, seconds=1)
    opened = [db.engine.connect() for _ in range(4)]
    for connection in opened:
        connection.close()
    assert db.engine.pool.checkedin() == 4  # type: ignore[attr-defined]
    db.close()


def test_without_a_bound_there_is_none(postgres_url: str) -> None:
    db = Database(postgres_url)
    with db.read() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "0"
        assert not isinstance(session.connection().connection.driver_connection, PatientConnection)
    db.close()
