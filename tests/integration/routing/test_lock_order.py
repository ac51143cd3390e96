"""
Whoever changes a case and its reviews takes the case first, and sweeps, which come from the reviews, wait for no case:
so nobody waits in a circle. On SQLite writers take turns.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.versions.tables import Rollout
from routing import snapshot
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.alike import service as alike
from routing.cases import queries as cases
from routing.cases.tables import Decision
from routing.reviews import service as desk
from routing.reviews.service import Said
from routing.reviews.tables import Opened, ReviewItem
from tests import factories
from tests.integration.routing.test_judgements import until_somebody_waits
from tests.racing import together

LEASE = timedelta(minutes=10)
pytestmark = pytest.mark.parametrize("ctx", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, supervision={"blind_share": 0.0, "bulk_most": 20})
    factories.rollout(ctx, review_within_hours=2)


@pytest.fixture
def rita(ctx: Context) -> Actor:
    return factories.actor(ctx, "rita", roles=("reviewer",))


def review_of(ctx: Context, decision_id: UUID) -> ReviewItem:
    with ctx.db.read() as session:
        return session.scalars(select(ReviewItem).where(ReviewItem.decision_id == decision_id)).one()


def hold(ctx: Context, actor: Actor, item: ReviewItem) -> None:
    with ctx.db.begin() as session:
        desk.claim(session, item.id, actor=actor, now=ctx.clock.now(), lease=LEASE)


def rule(ctx: Context, actor: Actor, item: ReviewItem) -> None:
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents["claims"]
        desk.rule(session, item.id, Said("approve", item.fingerprint), agent=agent, actor=actor, now=ctx.clock.now())


def ruling(ctx: Context, actor: Actor, decision: Decision) -> Callable[[], Any]:
    item = review_of(ctx, decision.id)
    hold(ctx, actor, item)
    return lambda: rule(ctx, actor, item)


def ruling_on_several(ctx: Context, actor: Actor, decision: Decision) -> Callable[[], Any]:
    item = review_of(ctx, decision.id)
    with ctx.db.begin() as session:
        session.add(Opened(item_id=item.id, login=actor.name, at=ctx.clock.now()))

    def call() -> None:
        with ctx.db.begin() as session:
            said = Said("approve", item.fingerprint, bulk=True)
            agent = snapshot.load(session).agents["claims"]
            alike.rule_one(
                session, item.id, said, signature=alike.signature_of(item, decision), agent=agent, actor=actor,
                now=ctx.clock.now(), lease=LEASE,
            )  # fmt: skip

    return call


def another_attempt(ctx: Context, _actor: Actor, _decision: Decision) -> Callable[[], Any]:
    return lambda: factories.store(ctx, factories.case(attempt=2))


def more_attempts(ctx: Context, _actor: Actor, _decision: Decision) -> Callable[[], Any]:
    factories.decision(ctx, "c-2")
    return lambda: factories.store(ctx, factories.case(attempt=2), factories.case("c-2", attempt=2))


def handing_over(ctx: Context, _actor: Actor, _decision: Decision) -> Callable[[], Any]:
    return lambda: factories.store(ctx, factories.case(handed_over=True))


@pytest.mark.parametrize("change", [ruling, ruling_on_several, another_attempt, more_attempts, handing_over])
def test_whoever_waits_for_a_case_holds_none_of_its_reviews(
    ctx: Context, rita: Actor, change: Callable[[Context, Actor, Decision], Callable[[], Any]]
) -> None:
    decision = factories.decision(ctx)
    call = change(ctx, rita, decision)
    with ThreadPoolExecutor(1) as pool:
        with ctx.db.begin() as session:
            cases.lock_decision(session, decision.id)
            made = pool.submit(call)
            until_somebody_waits(ctx)
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            held = select(ReviewItem.id).where(ReviewItem.decision_id == decision.id)
            assert session.scalars(held.with_for_update()).all()
        made.result()

    assert review_of(ctx, decision.id).state in {"approved", "superseded", "cancelled"}


def concluded(ctx: Context, rita: Actor, clock: FixedClock) -> str:
    factories.agent(ctx, "letters", undo_seconds=30)
    factories.rollout(ctx, "letters")
    item = review_of(ctx, factories.decision(ctx, agent="letters").id)
    hold(ctx, rita, item)
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents["letters"]
        desk.rule(session, item.id, Said("approve", item.fingerprint), agent=agent, actor=rita, now=clock.now())
    clock.move(timedelta(seconds=31))
    return "routing.conclude"


def expired(ctx: Context, _rita: Actor, clock: FixedClock) -> str:
    factories.decision(ctx)
    clock.move(timedelta(hours=1, seconds=1))
    REGISTRY["routing.expire"].run(ctx)
    clock.move(timedelta(hours=2))
    return "routing.expire"


def withdrawn(ctx: Context, _rita: Actor, _clock: FixedClock) -> str:
    factories.decision(ctx)
    with ctx.db.read() as session:
        version = session.scalars(select(Rollout)).one()
    factories.change_rollout(ctx, version, phase="shadow")
    return "routing.follow_rollouts"


@pytest.mark.parametrize("due", [concluded, expired, withdrawn])
def test_a_sweep_waits_for_no_case_and_the_next_one_finds_what_it_left(
    ctx: Context, rita: Actor, clock: FixedClock, due: Callable[[Context, Actor, FixedClock], str]
) -> None:
    task = REGISTRY[due(ctx, rita, clock)]
    with ctx.db.begin() as session:
        [decision] = session.scalars(select(Decision.id))
        cases.lock_decision(session, decision)
        assert task.run(ctx) == 0

    assert task.run(ctx) == 1
    with ctx.db.read() as session:
        assert session.scalars(select(Decision.outcome)).one() in {"approved", "expired", "cancelled"}


def test_a_new_attempt_and_the_end_of_an_undo_window_never_end_each_other(
    ctx: Context, rita: Actor, clock: FixedClock
) -> None:
    factories.agent(ctx, "letters", undo_seconds=30)
    factories.rollout(ctx, "letters")
    names = [f"l-{number}" for number in range(8)]
    for name in names:
        item = review_of(ctx, factories.decision(ctx, name, agent="letters").id)
        hold(ctx, rita, item)
        with ctx.db.begin() as session:
            agent = snapshot.load(session).agents["letters"]
            desk.rule(session, item.id, Said("approve", item.fingerprint), agent=agent, actor=rita, now=clock.now())
    clock.move(timedelta(seconds=31))
    again = [factories.case(name, attempt=2) for name in names]

    results = together(
        lambda: REGISTRY["routing.conclude"].run(ctx),
        lambda: factories.store(ctx, *again, agent="letters"),
        lambda: factories.store(ctx, *reversed(again), agent="letters"),
        lambda: REGISTRY["routing.settle"].run(ctx),
    )

    REGISTRY["routing.conclude"].run(ctx)
    assert [one for one in results if isinstance(one, Exception)] == []
    with ctx.db.read() as session:
        first = session.scalars(select(Decision).where(Decision.attempt == 1)).all()
        assert {row.outcome for row in first} <= {"approved", "superseded"}
        assert all(row.superseded_by is not None for row in first)
