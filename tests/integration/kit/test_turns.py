"""Who wants to write to SQLite gets a turn, whatever others have to store."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from kit.db import Database


@pytest.fixture
def address(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'turns.db'}"
    house = Database(found)
    with house.begin() as session:
        session.execute(text("CREATE TABLE notes (said TEXT)"))
    house.close()
    return found


def test_a_worker_with_much_to_store_lets_others_in_between(address: str) -> None:
    worker, web = Database(address), Database(address)
    worker.turns.gives_way = True
    begun, rounds = threading.Event(), 100
    done: list[str] = []

    def work() -> None:
        for number in range(rounds):
            with worker.begin() as session:
                session.execute(text("INSERT INTO notes VALUES ('worker')"))
                begun.set()
                for _ in range(50):
                    session.execute(text("SELECT count(*) FROM notes"))
            done.append(f"worker {number}")

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    for number in range(5):
        with web.begin() as session:
            session.execute(text("INSERT INTO notes VALUES ('web')"))
        done.append(f"web {number}")
    thread.join()

    assert done.index("web 4") < rounds / 2
    worker.close()
    web.close()


def test_who_waits_too_long_for_a_turn_is_told_that_it_is_locked(address: str) -> None:
    holder, other = Database(address), Database(address, seconds=0.05)

    with holder.begin() as session:
        session.execute(text("INSERT INTO notes VALUES ('first')"))
        with pytest.raises(OperationalError, match="locked"), other.begin() as late:
            late.execute(text("INSERT INTO notes VALUES ('second')"))

    with other.begin() as session:  # and later it is as if nothing had been
        session.execute(text("INSERT INTO notes VALUES ('later')"))
    with other.read() as session:
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 50
    holder.close()
    other.close()
