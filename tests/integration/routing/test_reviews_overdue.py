from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.tables import Decision, Label
from routing.delivery.tables import OutboxMessage, Webhook
from routing.reviews import service
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import load
from tests import factories

LEASE = timedelta(minutes=10)
HOURS = timedelta(hours=2)  # review_within_hours of every version here
HALF = HOURS / 2  # when the second line gets a case
A_MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, review_within_hours=2)
    with ctx.db.begin() as session:
        session.add(
            Webhook(
                agent="claims",
                url="http://localhost:9/",
                secret="whsec_" + "A" * 32,
                active=True,
                created_at=ctx.clock.now(),
                created_by="tests",
            )
        )


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@pytest.fixture
def lead(ctx: Context) -> Actor:
    return factories.actor(ctx, "lena", roles=("lead",))


def sweep(ctx: Context) -> int:
    done: int = REGISTRY["routing.expire"].run(ctx)
    return done


def items(ctx: Context, decision_id: UUID) -> list[ReviewItem]:
    with ctx.db.read() as session:
        wanted = select(ReviewItem).where(ReviewItem.decision_id == decision_id).order_by(ReviewItem.level)
        return list(session.scalars(wanted))


def states(ctx: Context, decision_id: UUID) -> list[str]:
    return [item.state for item in items(ctx, decision_id)]


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))


def stored(ctx: Context, decision_id: UUID) -> Decision:
    with ctx.db.read() as session:
        return session.get_one(Decision, decision_id)


def verbs(ctx: Context) -> list[str]:
    events = sorted(rows(ctx, AuditEvent), key=lambda event: (event.at, event.id))
    return [event.verb for event in events if event.verb.startswith("review.")]


def hold(ctx: Context, actor: Actor, item: ReviewItem) -> ReviewItem:
    with ctx.db.begin() as session:
        return service.claim(session, item.id, actor=actor, now=ctx.clock.now(), lease=LEASE)


def rule(ctx: Context, actor: Actor, item: ReviewItem, ruling: Any) -> None:
    with ctx.db.begin() as session:
        said = Said(ruling, item.fingerprint)
        agent = load(session).agents[item.agent]
        service.rule(session, item.id, said, agent=agent, actor=actor, now=ctx.clock.now())


def test_until_half_of_its_time_is_over_nothing_happens(ctx: Context, clock: FixedClock) -> None:
    decision = factories.decision(ctx)
    clock.move(HALF)

    assert sweep(ctx) == 0
    assert states(ctx, decision.id) == ["waiting"]


def test_after_half_of_its_time_a_case_waits_in_the_second_line_and_nobody_is_told(
    ctx: Context, clock: FixedClock
) -> None:
    decision = factories.decision(ctx)
    clock.move(HALF + A_MOMENT)

    assert sweep(ctx) == 1

    first, second = items(ctx, decision.id)
    assert (first.state, second.state, second.level, second.priority) == ("escalated", "waiting", 2, first.priority + 1)
    assert second.expires_at == clock.now() + HALF == second.due_at + A_MOMENT
    assert stored(ctx, decision.id).outcome is None
    assert rows(ctx, OutboxMessage) == rows(ctx, Label) == rows(ctx, Ruling) == []
    assert verbs(ctx) == ["review.overdue"]


def test_when_all_of_its_time_is_over_it_ends_without_an_answer_and_goes_to_a_person(
    ctx: Context, clock: FixedClock
) -> None:
    decision = factories.decision(ctx)
    clock.move(HALF + A_MOMENT)
    sweep(ctx)
    clock.move(HALF)
    assert sweep(ctx) == 0
    clock.move(A_MOMENT)

    assert sweep(ctx) == 1

    ended = stored(ctx, decision.id)
    assert states(ctx, decision.id) == ["escalated", "expired"]
    assert (ended.outcome, ended.outcome_output, ended.outcome_at) == ("expired", None, clock.now())
    assert ended.outcome_detail is not None
    assert (ended.outcome_detail["by"], ended.outcome_detail["fallback"]) == ("system", "human")
    assert rows(ctx, Ruling) == rows(ctx, Label) == []
    assert [message.kind for message in rows(ctx, OutboxMessage)] == ["decision.expired"]
    assert verbs(ctx) == ["review.overdue", "review.expired"]


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_agents_owner_says_how_much_of_the_time_is_the_first_lines(
    ctx: Context, clock: FixedClock, share: float
) -> None:
    factories.agent(ctx, "refunds", second_line_at=share)
    factories.rollout(ctx, "refunds", review_within_hours=2)
    decision = factories.decision(ctx, agent="refunds")
    clock.move(HOURS * share)
    assert sweep(ctx) == 0

    clock.move(A_MOMENT)

    assert sweep(ctx) == 1
    assert states(ctx, decision.id) == ["escalated", "waiting"]


def test_an_expired_case_stays_without_a_verdict_which_counts_against_the_agent(
    ctx: Context, clock: FixedClock
) -> None:
    decision = factories.decision(ctx)
    for _ in range(2):
        clock.move(HOURS + A_MOMENT)
        sweep(ctx)

    REGISTRY["routing.settle"].run(ctx)

    settled = stored(ctx, decision.id)
    assert (settled.label, settled.counted_as) == (None, "pending")


def test_again_does_nothing(ctx: Context, clock: FixedClock) -> None:
    factories.decision(ctx)
    clock.move(HOURS + A_MOMENT)
    assert (sweep(ctx), sweep(ctx)) == (1, 0)
    clock.move(HOURS + A_MOMENT)

    assert (sweep(ctx), sweep(ctx)) == (1, 0)


def test_after_a_long_outage_the_second_line_still_has_half_of_the_time(ctx: Context, clock: FixedClock) -> None:
    decision = factories.decision(ctx)
    clock.move(timedelta(days=30))

    assert (sweep(ctx), sweep(ctx)) == (1, 0)
    assert states(ctx, decision.id) == ["escalated", "waiting"]
    assert items(ctx, decision.id)[1].expires_at == clock.now() + HALF


def test_what_somebody_holds_is_left_alone_until_the_lease_ends(ctx: Context, clock: FixedClock, alice: Actor) -> None:
    decision = factories.decision(ctx)
    clock.move(HALF)
    hold(ctx, alice, items(ctx, decision.id)[0])
    clock.move(LEASE)
    assert sweep(ctx) == 0

    clock.move(A_MOMENT)

    assert sweep(ctx) == 1


def test_a_ruling_in_the_second_line_counts_as_any_other(ctx: Context, clock: FixedClock, lead: Actor) -> None:
    decision = factories.decision(ctx)
    clock.move(HOURS + A_MOMENT)
    sweep(ctx)

    rule(ctx, lead, hold(ctx, lead, items(ctx, decision.id)[1]), "approve")

    clock.move(HOURS * 2)
    assert sweep(ctx) == 0
    assert stored(ctx, decision.id).outcome == "approved"


@pytest.mark.parametrize(("after", "left"), [(HALF / 2, HALF * 1.5), (HOURS * 0.75, HALF)], ids=["early", "late"])
def test_what_a_person_escalated_has_the_rest_of_the_time_there_or_half_of_it_and_then_expires(
    ctx: Context, clock: FixedClock, alice: Actor, after: timedelta, left: timedelta
) -> None:
    decision = factories.decision(ctx)
    clock.move(after)
    rule(ctx, alice, hold(ctx, alice, items(ctx, decision.id)[0]), "escalate")
    clock.move(left)
    assert sweep(ctx) == 0

    clock.move(A_MOMENT)

    assert sweep(ctx) == 1
    assert states(ctx, decision.id) == ["escalated", "expired"]
    assert verbs(ctx) == ["review.escalated", "review.expired"]


def test_an_audit_expires_without_an_outcome(ctx: Context, clock: FixedClock) -> None:
    factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=1.0, review_within_hours=2)
    decision = factories.decision(ctx, version="v2")
    for _ in range(2):
        clock.move(HOURS + A_MOMENT)
        sweep(ctx)

    assert states(ctx, decision.id) == ["escalated", "expired"]
    assert stored(ctx, decision.id).outcome == decision.outcome
    assert rows(ctx, Label) == []
    assert [message.kind for message in rows(ctx, OutboxMessage)] == ["audit.expired"]


def test_more_than_one_round_has_is_taken_in_rounds(ctx: Context, clock: FixedClock) -> None:
    factories.store(ctx, *[factories.case(f"c-{n}") for n in range(230)])
    clock.move(HOURS + A_MOMENT)

    assert sweep(ctx) == 230
