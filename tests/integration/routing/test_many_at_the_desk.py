"""What a claim and a ruling ask of the database, and that what was made once says the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from governance.actors import SYSTEM, Actor
from governance.people.keyring import Keyring
from kit.clock import FixedClock
from kit.context import Context
from kit.db import Database
from routing.domain.reach import Need
from routing.reviews import queries, service
from routing.reviews.service import Said, Wish
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills
from routing.snapshot import SnapshotHolder, load
from tests import factories
from tests.integration.routing.desk import LEASE, ahead, claim_next, rows

AHEAD = 3


@pytest.fixture(autouse=True)
def house(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx, undo_seconds=10)
    factories.rollout(ctx)
    for number in range(9):
        factories.decision(ctx, f"c-{number}")
        clock.move(timedelta(seconds=1))


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@contextmanager
def statements(ctx: Context) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(ctx.db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(ctx.db.engine, "before_cursor_execute", note)


def take(ctx: Context, actor: Actor) -> tuple[ReviewItem, list[str]]:
    wish = Wish(actor, ctx.clock.now(), ctx.clock.now() + LEASE, needs=())
    with ctx.db.begin() as session:
        item, following = service.claim_with_ahead(session, wish, AHEAD)
    assert item is not None
    return item, [one.case_id for one in following]


def approve(ctx: Context, actor: Actor, item: ReviewItem) -> None:
    with ctx.db.begin() as session:
        agent = load(session).agents[item.agent]
    with ctx.db.begin() as session:
        read = queries.get_item(session, item.id)
        said = Said("approve", item.fingerprint)
        service.give(session, read, said, agent=agent, actor=actor, now=ctx.clock.now())


def test_a_claim_holds_the_next_ones_in_turn_in_the_same_look(ctx: Context, alice: Actor) -> None:
    first = take(ctx, alice)
    approve(ctx, alice, first[0])
    second = take(ctx, alice)

    assert (first[0].case_id, first[1]) == ("c-0", ["c-1", "c-2", "c-3"])
    assert (second[0].case_id, second[1]) == ("c-1", ["c-2", "c-3", "c-4"])


def test_a_claim_after_a_ruling_is_three_statements_and_a_ruling_as_many(ctx: Context, alice: Actor) -> None:
    item, _ = take(ctx, alice)
    with ctx.db.begin() as session:
        agent = load(session).agents["claims"]
    on_sqlite = ctx.db.dialect == "sqlite"

    with statements(ctx) as asked, ctx.db.begin() as session:
        read = queries.get_item(session, item.id)
        said = Said("approve", item.fingerprint)
        service.give(session, read, said, agent=agent, actor=alice, now=ctx.clock.now())
    assert len(_plain(asked)) == (4 if on_sqlite else 3), asked

    with statements(ctx) as asked:
        take(ctx, alice)
    assert len(_plain(asked)) == 3, asked


def _plain(asked: list[str]) -> list[str]:
    """Without those about the transaction itself."""
    return [one for one in asked if not one.startswith(("PRAGMA", "BEGIN"))]


def test_what_is_held_long_enough_is_not_written_again(ctx: Context, clock: FixedClock, alice: Actor) -> None:
    claim_next(ctx, alice)
    ahead(ctx, alice, 2)
    until = clock.now() + service.AHEAD_FOR

    clock.move(service.AHEAD_FOR - service.AHEAD_AT_LEAST)
    ahead(ctx, alice, 2)
    assert _held_until(ctx) == {until}

    clock.move(timedelta(seconds=1))
    ahead(ctx, alice, 2)
    assert _held_until(ctx) == {clock.now() + service.AHEAD_FOR}


def test_what_is_held_on_to_is_told_with_its_new_time(ctx: Context, clock: FixedClock, alice: Actor) -> None:
    take(ctx, alice)
    clock.move(timedelta(seconds=40))

    wish = Wish(alice, clock.now(), clock.now() + LEASE, needs=())
    with ctx.db.begin() as session:
        _, following = service.claim_with_ahead(session, wish, AHEAD)

    assert {one.claimed_until for one in following} == _held_until(ctx) == {clock.now() + service.AHEAD_FOR}
    assert [one.case_id for one in following] == ["c-1", "c-2", "c-3"]


def test_a_case_that_ended_while_the_next_was_claimed_is_not_among_those_that_follow(
    ctx: Context, alice: Actor
) -> None:
    item, _ = take(ctx, alice)
    approve(ctx, alice, item)
    ended: list[str] = []

    def end(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if statement.startswith("UPDATE review_items") and not ended:
            ended.append("c-1")
            cursor.execute("UPDATE review_items SET state = 'cancelled' WHERE case_id = 'c-1'")

    event.listen(ctx.db.engine, "before_cursor_execute", end)
    try:
        item, following = take(ctx, alice)
    finally:
        event.remove(ctx.db.engine, "before_cursor_execute", end)

    assert (ended, item.case_id, following) == (["c-1"], "c-2", ["c-3", "c-4", "c-5"])


def _held_until(ctx: Context) -> set[Any]:
    return {item.claimed_until for item in rows(ctx, ReviewItem) if item.ahead}


def test_what_is_set_on_an_item_as_read_is_not_stored(ctx: Context, alice: Actor) -> None:
    item = claim_next(ctx, alice)
    assert item is not None

    with ctx.db.begin() as session:
        read = queries.get_item(session, item.id)
        assert (read.case_id, read.shown_kind, read.claimed_by) == ("c-0", "review", "alice")
        read.state = "approved"

    assert {one.state for one in rows(ctx, ReviewItem)} == {"waiting"}


def test_what_queues_take_is_known_to_a_process_as_soon_as_it_is_stored(ctx: Context) -> None:
    holder = SnapshotHolder(ctx, Keyring(ctx))
    holder.start()
    try:
        assert holder.current.needs == ()
        need = Need("claims", team="north")
        with ctx.db.begin() as session:
            skills.set_queues(session, "claims", [need], by=SYSTEM, now=ctx.clock.now())
        assert holder.current.needs == (need,)
    finally:
        holder.stop()


def test_after_reading_a_connection_still_knows_its_statements(postgres_url: str) -> None:
    """The driver forgets all of them at a ROLLBACK, and the server plans each anew."""
    db = Database(postgres_url)
    for _ in range(8):
        with db.read() as session:
            session.scalar(text("SELECT 1"))

    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
    db.close()
