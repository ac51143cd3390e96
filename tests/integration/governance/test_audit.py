import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from governance.audit import queries, service, signing, tasks
from governance.audit.merkle import inclusion_proof, is_included, leaf_hash
from governance.audit.tables import AuditCheckpoint, AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id


class TestRecording:
    def test_an_event_stands_in_the_transaction_of_what_it_tells(self, ctx: Context) -> None:
        def edge() -> None:
            with ctx.db.begin() as session:
                service.record(session, "alice", "thing.done", 1, now=ctx.clock.now())
                raise RuntimeError

        with pytest.raises(RuntimeError):
            edge()

        assert _count(ctx) == 0

    def test_the_newest_are_found_by_subject_and_by_agent(self, ctx: Context, clock: FixedClock) -> None:
        for verb, subject, agent in [("a", 1, "x"), ("b", 2, "x"), ("c", 1, "y"), ("d", 1, None)]:
            _record(ctx, verb, subject, agent)
            clock.move(timedelta(seconds=1))

        with ctx.db.read() as session:
            of_one = [event.verb for event in queries.events_of(session, subject="1", limit=10)]
            of_x = [event.verb for event in queries.events_of(session, agent="x", limit=10)]
            newest = queries.events_of(session, limit=1)
            older = [event.verb for event in queries.events_of(session, before=newest[0].id, limit=2)]

        assert of_one == ["d", "c", "a"]
        assert of_x == ["b", "a"]
        assert older == ["c", "b"]


class TestSealing:
    def test_gives_every_event_its_place_and_signs_the_root(self, ctx: Context) -> None:
        _events(ctx, 5)

        sealed = tasks.seal(ctx)

        with ctx.db.read() as session:
            checkpoint = queries.last_checkpoint(session)
            places = session.scalars(select(AuditEvent.place).order_by(AuditEvent.place)).all()
        assert sealed == 5
        assert places == [0, 1, 2, 3, 4]
        assert checkpoint is not None
        assert (checkpoint.size, checkpoint.start) == (5, 0)
        assert signing.is_signed(ctx.secret, 5, checkpoint.root, checkpoint.at, checkpoint.signature)

    def test_with_nothing_new_writes_nothing(self, ctx: Context) -> None:
        _events(ctx, 1)
        tasks.seal(ctx)

        assert tasks.seal(ctx) == 0
        assert _verify(ctx).checkpoints == 1

    def test_goes_on_where_it_ended(self, ctx: Context) -> None:
        for number in (3, 1, 4):
            _events(ctx, number)
            tasks.seal(ctx)

        assert _verify(ctx) == service.Verification(events=8, checkpoints=3, unsealed=0, fault=None)

    def test_takes_a_backlog_in_batches(self, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "BATCH", 3)
        _events(ctx, 7)

        assert tasks.seal(ctx) == 7
        assert _verify(ctx).checkpoints == 3

    def test_an_event_that_was_committed_late_stands_behind(self, ctx: Context) -> None:
        late = service.event_row("alice", "thing.late", 1, now=ctx.clock.now())
        _events(ctx, 1)
        tasks.seal(ctx)
        with ctx.db.begin() as session:
            queries.add(session, [late])

        tasks.seal(ctx)

        with ctx.db.read() as session:
            assert session.scalars(select(AuditEvent.verb).order_by(AuditEvent.place)).all() == [
                "thing.done",
                "thing.late",
            ]
        assert _verify(ctx).fault is None

    def test_the_second_of_two_sealers_changes_nothing(self, ctx: Context) -> None:
        _events(ctx, 2)
        first = _batch(ctx)
        _events(ctx, 1)
        second = _batch(ctx)
        _store(ctx, first)

        with pytest.raises(IntegrityError):
            _store(ctx, second)

        assert _verify(ctx) == service.Verification(events=2, checkpoints=1, unsealed=1, fault=None)

    def test_many_sealers_at_once_give_no_place_twice(self, ctx: Context) -> None:
        _events(ctx, 40)
        threads = [threading.Thread(target=tasks.seal, args=(ctx,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tasks.seal(ctx)

        assert _verify(ctx) == service.Verification(events=40, checkpoints=1, unsealed=0, fault=None)

    def test_an_event_can_be_shown_to_be_in_the_log(self, ctx: Context) -> None:
        _events(ctx, 6)
        tasks.seal(ctx)

        with ctx.db.read() as session:
            checkpoint = queries.last_checkpoint(session)
            leaves = [bytes.fromhex(leaf) for leaf in queries.leaves(session, 0, 6)]
            event = queries.sealed(session, 4, 1)[0]
            own = leaf_hash(service.canonical(event))

        assert checkpoint is not None
        assert is_included(own, 4, 6, inclusion_proof(4, leaves), bytes.fromhex(checkpoint.root))


def _alter(at: int, **values: Any) -> Callable[[Context], None]:
    return lambda ctx: _execute(ctx, update(AuditEvent).where(AuditEvent.place == at).values(**values))


def _alter_and_hash_again(ctx: Context) -> None:
    with ctx.db.begin() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.place == 4)).one()
        event.actor = "mallory"
        event.leaf = leaf_hash(service.canonical(event)).hex()


def _slip_in(ctx: Context) -> None:
    row = service.event_row("mallory", "thing.invented", 1, now=ctx.clock.now())
    with ctx.db.begin() as session:
        queries.add(session, [row | {"place": 7, "leaf": "0" * 64}])


def _swap(ctx: Context) -> None:
    for old, new in ((1, 100), (2, 1), (100, 2)):
        _alter(old, place=new)(ctx)


class TestVerifying:
    def test_an_empty_log_is_in_order(self, ctx: Context) -> None:
        assert _verify(ctx) == service.Verification(events=0, checkpoints=0, unsealed=0, fault=None)

    @pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
    def test_an_untouched_log_is_in_order_in_chunks_of_any_size(self, ctx: Context, chunk: int) -> None:
        _sealed_log(ctx)

        assert _verify(ctx, chunk) == service.Verification(events=7, checkpoints=2, unsealed=0, fault=None)

    @pytest.mark.parametrize(
        ("tamper", "kind", "place"),
        [
            pytest.param(_alter(2, actor="mallory"), "altered", 2, id="another actor"),
            pytest.param(_alter(2, detail={"n": 99}), "altered", 2, id="another detail"),
            pytest.param(_alter(6, verb="thing.undone"), "altered", 6, id="the last one"),
            pytest.param(_alter(3, leaf="0" * 64), "altered", 3, id="another hash"),
            pytest.param(_alter_and_hash_again, "altered", 4, id="altered, and hashed again"),
            # Whole events changed places, so only the root over them tells.
            pytest.param(_swap, "altered", 0, id="two events in each other's place"),
            pytest.param(
                lambda ctx: _execute(ctx, delete(AuditEvent).where(AuditEvent.place == 0)),
                "missing",
                0,
                id="the first one gone",
            ),
            pytest.param(
                lambda ctx: _execute(ctx, delete(AuditEvent).where(AuditEvent.place == 6)),
                "missing",
                6,
                id="the last one gone",
            ),
            pytest.param(_slip_in, "inserted", 7, id="one slipped in"),
            pytest.param(
                lambda ctx: _execute(
                    ctx, update(AuditCheckpoint).where(AuditCheckpoint.size == 4).values(root="0" * 64)
                ),
                "checkpoint",
                4,
                id="another root",
            ),
            pytest.param(
                lambda ctx: _execute(ctx, delete(AuditCheckpoint).where(AuditCheckpoint.size == 7)),
                "inserted",
                4,
                id="the last checkpoint gone",
            ),
        ],
    )
    @pytest.mark.parametrize("chunk", [2, 1000])
    def test_names_the_first_thing_that_does_not_fit(
        self, ctx: Context, tamper: Callable[[Context], None], kind: str, place: int, chunk: int
    ) -> None:
        _sealed_log(ctx)

        tamper(ctx)

        fault = _verify(ctx, chunk).fault
        assert fault is not None
        assert fault.words
        assert (fault.kind, fault.place) == (kind, place)

    def test_without_our_secret_nobody_can_sign_a_log_of_their_own(self, ctx: Context) -> None:
        ours, ctx.secret = ctx.secret, b"another secret"
        _sealed_log(ctx)
        ctx.secret = ours

        fault = _verify(ctx).fault

        assert fault is not None
        assert fault.kind == "checkpoint"

    def test_events_that_wait_for_their_place_are_counted_and_no_fault(self, ctx: Context) -> None:
        _sealed_log(ctx)
        _events(ctx, 2)

        assert _verify(ctx) == service.Verification(events=7, checkpoints=2, unsealed=2, fault=None)


def _sealed_log(ctx: Context) -> None:
    """Seven events under two checkpoints, of four and of three."""
    for number in (4, 3):
        _events(ctx, number)
        tasks.seal(ctx)


def _events(ctx: Context, number: int) -> None:
    rows = [service.event_row("alice", "thing.done", new_id(), now=ctx.clock.now(), n=n, x=0.5) for n in range(number)]
    with ctx.db.begin() as session:
        queries.add(session, rows)


def _record(ctx: Context, verb: str, subject: object, agent: str | None) -> None:
    with ctx.db.begin() as session:
        service.record(session, "alice", verb, subject, now=ctx.clock.now(), agent=agent)


def _batch(ctx: Context) -> service.Batch:
    with ctx.db.read() as session:
        batch = service.next_batch(session, ctx.secret, now=ctx.clock.now())
    assert batch is not None
    return batch


def _store(ctx: Context, batch: service.Batch) -> None:
    with ctx.db.begin() as session:
        service.store(session, batch)


def _verify(ctx: Context, chunk: int = 1000) -> service.Verification:
    with ctx.db.read() as session:
        return service.verify(session, ctx.secret, chunk=chunk)


def _count(ctx: Context) -> int:
    with ctx.db.read() as session:
        return queries.count_unsealed(session)


def _execute(ctx: Context, statement: Any) -> None:
    with ctx.db.begin() as session:
        session.execute(statement)
