import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from governance.audit import service as audit
from governance.audit.tables import AuditEvent
from governance.people.tables import Person
from kit.context import Context
from kit.db import Database, send_after_commit
from kit.errors import NotFound
from tests import factories

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


class TestBegin:
    def test_stores_when_the_block_ends(self, ctx: Context) -> None:
        with ctx.db.begin() as session:
            audit.record(session, "alice", "thing.done", 1, now=START)

        assert _events(ctx) == ["thing.done"]

    def test_stores_nothing_when_the_block_raises(self, ctx: Context) -> None:
        def edge() -> None:
            with ctx.db.begin() as session:
                audit.record(session, "alice", "thing.done", 1, now=START)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            edge()

        assert _events(ctx) == []

    def test_rows_can_be_read_after_the_block(self, ctx: Context) -> None:
        person = factories.person(ctx, "alice")

        assert person.login == "alice"

    def test_writers_take_turns(self, ctx: Context) -> None:
        def write(name: str) -> None:
            with ctx.db.begin() as session:
                audit.record(session, name, "thing.done", name, now=START)

        threads = [threading.Thread(target=write, args=(str(n),)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(_events(ctx)) == 12


class TestRead:
    def test_cannot_write(self, ctx: Context) -> None:
        with pytest.raises(DBAPIError, match=r"(?i)read-?\s?only"), ctx.db.read() as session:
            audit.record(session, "alice", "thing.done", 1, now=START)

        assert _events(ctx) == []

    def test_a_writer_after_a_reader_can_write(self, ctx: Context) -> None:
        _events(ctx)

        factories.person(ctx, "alice")

        with ctx.db.read() as session:
            assert session.get(Person, "alice") is not None

    @pytest.mark.parametrize("answer", [None, NotFound("there is no such thing")])
    def test_ends_with_a_commit_also_where_the_answer_is_a_refusal(
        self, ctx: Context, answer: Exception | None
    ) -> None:
        ends: list[str] = []
        event.listen(ctx.db.engine, "commit", commit := lambda _: ends.append("commit"))
        event.listen(ctx.db.engine, "rollback", rollback := lambda _: ends.append("rollback"))

        with suppress(NotFound), ctx.db.read() as session:
            session.scalars(select(Person.login)).all()
            if answer is not None:
                raise answer
        event.remove(ctx.db.engine, "commit", commit)
        event.remove(ctx.db.engine, "rollback", rollback)

        assert ends == ["commit"]

    def test_sees_one_moment_however_often_it_looks(self, ctx: Context) -> None:
        with ctx.db.read() as session:
            before = session.scalars(select(Person.login)).all()
            factories.person(ctx, "alice")
            after = session.scalars(select(Person.login)).all()

        assert before == after == []


class TestAfterCommit:
    def test_is_told_once_the_row_is_stored_and_not_before(self, ctx: Context) -> None:
        told: list[tuple[str, int]] = []
        ctx.db.listener = lambda name: told.append((name, len(_events(ctx))))

        with ctx.db.begin() as session:
            send_after_commit(session, "tests.wake")
            audit.record(session, "alice", "thing.done", 1, now=START)
            session.flush()
            assert told == []

        assert told == [("tests.wake", 1)]

    def test_is_not_told_after_a_rollback(self, ctx: Context) -> None:
        told: list[str] = []
        ctx.db.listener = told.append

        def edge() -> None:
            with ctx.db.begin() as session:
                send_after_commit(session, "tests.wake")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            edge()

        assert told == []

    def test_is_told_once_however_often_it_was_asked_for(self, ctx: Context) -> None:
        told: list[str] = []
        ctx.db.listener = told.append

        with ctx.db.begin() as session:
            for name in ("tests.wake", "tests.other", "tests.wake"):
                send_after_commit(session, name)

        assert told == ["tests.wake", "tests.other"]

    def test_a_listener_that_fails_takes_nothing_back_and_stops_no_other(self, ctx: Context) -> None:
        told: list[str] = []

        def listener(name: str) -> None:
            told.append(name)
            raise ConnectionError("nobody there")

        ctx.db.listener = listener

        with ctx.db.begin() as session:
            audit.record(session, "alice", "thing.done", 1, now=START)
            send_after_commit(session, "tests.wake")
            send_after_commit(session, "tests.other")

        assert told == ["tests.wake", "tests.other"]
        assert _events(ctx) == ["thing.done"]

    def test_reaches_the_listeners_of_this_process_and_the_workers(self, ctx: Context) -> None:
        heard: list[str] = []
        ctx.listen("tests:changed", lambda: heard.append("listener"))
        ctx.send_task = lambda name: heard.append(f"sent {name}")

        with ctx.db.begin() as session:
            send_after_commit(session, "tests:changed")

        assert heard == ["listener", "sent tests:changed"]


class TestTypes:
    def test_times_come_back_aware_and_in_utc(self, ctx: Context) -> None:
        there = timezone(timedelta(hours=5, minutes=30))
        at = datetime(2026, 1, 5, 14, 30, 0, 123456, tzinfo=there)
        with ctx.db.begin() as session:
            audit.record(session, "alice", "thing.done", 1, now=at)

        with ctx.db.read() as session:
            found = session.scalars(select(AuditEvent.at)).one()

        assert found == at
        assert found.utcoffset() == timedelta(0)

    def test_a_time_without_a_zone_is_refused(self, ctx: Context) -> None:
        with pytest.raises(StatementError, match="without a zone"), ctx.db.begin() as session:
            audit.record(session, "alice", "thing.done", 1, now=datetime(2026, 1, 5))  # noqa: DTZ001

    @pytest.mark.parametrize(
        "value",
        [0, 2**63, 1.5, 1e300, -1e22, 5e-324, "ä\U0001f600", [], {}, {"b": [None, True]}, ""],
        ids=repr,
    )
    def test_json_comes_back_as_it_was_stored(self, ctx: Context, value: object) -> None:
        with ctx.db.begin() as session:
            audit.record(session, "alice", "thing.done", 1, now=START, value=value)

        with ctx.db.read() as session:
            found = session.scalars(select(AuditEvent.detail)).one()

        assert found == {"value": value}
        assert type(found["value"]) is type(value)


@pytest.mark.parametrize("prefix", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_the_addresses_people_have_mean_the_driver_we_ship(prefix: str) -> None:
    db = Database(f"{prefix}localhost/phasegate")

    assert db.engine.url.drivername == "postgresql+psycopg"
    db.close()


def test_foreign_keys_hold_on_both(ctx: Context) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"), ctx.db.begin() as session:
        session.execute(
            text(
                "INSERT INTO sign_ins (digest, login, form_token, created_at, expires_at, preferences) "
                "VALUES ('d', 'nobody', 'f', '2026-01-01', '2026-01-02', '{}')"
            )
        )


def _events(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        return list(session.scalars(select(AuditEvent.verb)))
