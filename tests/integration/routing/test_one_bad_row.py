"""What a sweep cannot do with one review, it does with all others; the one is told of and tried again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from routing.cases.tables import Decision
from routing.doctor import service as doctor
from routing.queries import backlog
from routing.reviews.tables import ReviewItem, ReviewTrouble
from tests import factories
from tests.integration.routing.desk import A_MOMENT, claim, held, item_of, rows, rule, webhook

HALF = timedelta(hours=1)  # of the time that a review has here


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, undo_seconds=10)
    webhook(ctx)


def decided(ctx: Context, *, ruled_by: Actor | None = None) -> list[ReviewItem]:
    """Three reviews, ruled on or not; the second is to be the bad one."""
    if ruled_by is None:
        made = [factories.decision(ctx, f"c-{number}").id for number in range(3)]
        return [item_of(ctx, decision) for decision in made]
    items = [held(ctx, ruled_by, f"c-{number}") for number in range(3)]
    for item in items:
        rule(ctx, ruled_by, item)
    return items


def lose_decision(ctx: Context, item: ReviewItem) -> Callable[[], None]:
    """Returns what brings it back."""
    with ctx.db.begin() as session:
        columns = Decision.__table__.columns
        row = dict(session.execute(select(*columns).where(Decision.id == item.decision_id)).one()._mapping)
        session.execute(delete(Decision).where(Decision.id == item.decision_id))

    def bring_back() -> None:
        with ctx.db.begin() as session:
            session.execute(insert(Decision.__table__).values(row))

    return bring_back


def take_its_place(ctx: Context, item: ReviewItem) -> Callable[[], None]:
    """Another item of that decision in the second line; returns what takes it away."""
    with ctx.db.begin() as session:
        columns = {name: getattr(item, name) for name in ReviewItem.__table__.columns.keys() if name != "id"}  # noqa: SIM118
        other = ReviewItem(**columns | {"level": 2, "state": "approved", "escalates_at": None})
        session.add(other)
        session.flush()  # its id
        other_id = other.id

    def go_away() -> None:
        with ctx.db.begin() as session:
            session.execute(delete(ReviewItem).where(ReviewItem.id == other_id))

    return go_away


def run(ctx: Context, name: str) -> None:
    REGISTRY[f"routing.{name}"].run(ctx)


def states(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        first = select(ReviewItem.state).where(ReviewItem.level == 1).order_by(ReviewItem.case_id)
        return list(session.scalars(first))


def told(ctx: Context) -> tuple[int, list[str]]:
    """What operators see of it: how many, and what the doctor says."""
    with ctx.db.read() as session:
        found = {one.check: one for one in doctor.examine(session, now=ctx.clock.now())}["reviews_go_their_way"]
        return backlog(session, ctx.clock.now())["reviews_in_trouble"], list(found.examples)


def test_the_rulings_beside_it_are_concluded_and_it_is_when_it_can_be(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx)
    items = decided(ctx, ruled_by=factories.actor(ctx, "alice", roles=("reviewer",)))
    mend = lose_decision(ctx, items[1])
    clock.move(timedelta(seconds=10))

    for _ in range(3):
        run(ctx, "conclude")

    assert [item_of(ctx, item.decision_id).concludes_at is None for item in items] == [True, False, True]
    count, (words,) = told(ctx)
    assert (count, words.split(":")[0]) == (1, str(items[1].id))
    assert "conclude, tried 1 times: NotFound" in words
    mend()
    clock.move(timedelta(minutes=1))
    run(ctx, "conclude")
    assert [row.outcome for row in rows(ctx, Decision)] == ["approved"] * 3
    assert told(ctx) == (0, [])


def test_the_cases_beside_it_are_passed_on_also_where_the_database_refuses_it(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, review_within_hours=2)
    items = decided(ctx)
    mend = take_its_place(ctx, items[1])
    clock.move(HALF + A_MOMENT)

    for _ in range(2):
        run(ctx, "expire")

    assert states(ctx) == ["escalated", "waiting", "escalated"]
    mend()
    clock.move(timedelta(minutes=1))
    run(ctx, "expire")
    assert states(ctx) == ["escalated"] * 3
    assert rows(ctx, ReviewTrouble) == []


def test_the_cases_beside_it_expire(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, review_within_hours=2)
    items = decided(ctx)
    clock.move(HALF + A_MOMENT)
    run(ctx, "expire")
    lose_decision(ctx, items[1])
    clock.move(HALF + A_MOMENT)

    run(ctx, "expire")

    assert [item_of(ctx, item.decision_id, level=2).state for item in items] == ["expired", "waiting", "expired"]


def test_the_cases_beside_it_go_to_people_when_autonomy_is_taken_back(ctx: Context) -> None:
    row = factories.rollout(ctx)
    items = decided(ctx)
    lose_decision(ctx, items[1])
    factories.change_rollout(ctx, row, phase="shadow")

    run(ctx, "follow_rollouts")

    assert states(ctx) == ["cancelled", "waiting", "cancelled"]


def test_one_that_ended_otherwise_is_told_of_no_more(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, review_within_hours=2)
    items = decided(ctx)
    take_its_place(ctx, items[1])
    clock.move(HALF + A_MOMENT)
    run(ctx, "expire")
    assert told(ctx)[0] == 1

    with ctx.db.begin() as session:
        session.execute(update(ReviewItem).where(ReviewItem.id == items[1].id).values(state="approved"))

    assert told(ctx) == (0, [])


def test_a_ruling_does_not_wait_for_what_failed_before_it(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, review_within_hours=2)
    alice = factories.actor(ctx, "alice", roles=("reviewer",))
    (item,) = decided(ctx)[:1]
    take_its_place(ctx, item)
    clock.move(HALF + A_MOMENT)
    for _ in range(5):
        run(ctx, "expire")
        clock.move(timedelta(minutes=10))

    rule(ctx, alice, claim(ctx, alice, item.id))
    clock.move(timedelta(seconds=10))
    run(ctx, "conclude")

    assert item_of(ctx, item.decision_id).concludes_at is None


def test_it_is_tried_less_and_less_often(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx)
    items = decided(ctx, ruled_by=factories.actor(ctx, "alice", roles=("reviewer",)))
    lose_decision(ctx, items[1])
    pauses = []
    for _ in range(8):
        clock.move(timedelta(hours=1))
        run(ctx, "conclude")
        (trouble,) = rows(ctx, ReviewTrouble)
        pauses.append((trouble.next_at - clock.now()) // timedelta(minutes=1))

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert trouble.attempts == 8


def test_what_a_former_release_stored_is_passed_on_after_half_of_its_time(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, review_within_hours=2)
    items = decided(ctx)
    with ctx.db.begin() as session:
        session.execute(update(ReviewItem).values(escalates_at=None))
    run(ctx, "expire")
    assert {item_of(ctx, item.decision_id).escalates_at for item in items} == {clock.now() + HALF}

    clock.move(HALF + A_MOMENT)
    run(ctx, "expire")

    assert states(ctx) == ["escalated"] * 3
