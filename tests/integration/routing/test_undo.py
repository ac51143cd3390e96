from datetime import timedelta
from typing import Any

import pytest

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from routing.cases.tables import Decision, Label
from routing.delivery.tables import OutboxMessage
from routing.doctor import service as doctor
from routing.queries import backlog
from routing.reviews import queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.tables import ReviewItem, Ruling
from tests import factories
from tests.integration.routing.desk import (
    A_MOMENT,
    LEASE,
    claim,
    conclude,
    decision_of,
    held,
    item_of,
    rows,
    rule,
    undo,
    webhook,
)
from tests.racing import together

WINDOW = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, undo_seconds=10)
    factories.rollout(ctx)
    webhook(ctx)


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@pytest.fixture
def bob(ctx: Context) -> Actor:
    return factories.actor(ctx, "bob", roles=("reviewer",))


def nothing_came_of_it(ctx: Context, item: ReviewItem) -> bool:
    return decision_of(ctx, item).outcome is None and not rows(ctx, Label) and not rows(ctx, OutboxMessage)


def voided(ctx: Context) -> list[tuple[str, str, str]]:
    """What the audit log has of rulings that came to nothing: whose, which, why."""
    found = [event.detail for event in rows(ctx, AuditEvent) if event.verb == "review.voided"]
    return [(detail["ruled_by"], detail["ruling"], detail["because"]) for detail in found]


def doctor_finds(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        return [found.check for found in doctor.examine(session, now=ctx.clock.now()) if not found.ok]


class TestWindow:
    def test_a_ruling_ends_the_review_at_once_and_nothing_comes_of_it_yet(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)

        rule(ctx, alice, item, "reject", reason_code="harmful")

        ended = item_of(ctx, item.decision_id)
        assert (ended.state, ended.ended_at, ended.concludes_at) == ("rejected", clock.now(), clock.now() + WINDOW)
        assert nothing_came_of_it(ctx, item)
        assert conclude(ctx) == 0
        assert doctor_finds(ctx) == []

    @pytest.mark.parametrize(
        ("ruling", "said", "outcome", "label"),
        [
            ("approve", {}, "approved", ("agree", None)),
            ("edit", {"output": "no"}, "edited", ("override", "major")),
            ("reject", {"reason_code": "harmful"}, "rejected", ("override", "severe")),
        ],
    )
    def test_when_it_is_over_everything_follows_once(
        self, ctx: Context, clock: FixedClock, alice: Actor, ruling: str, said: Any, outcome: str, label: Any
    ) -> None:
        item = held(ctx, alice)
        at = rule(ctx, alice, item, ruling, note="seen", **said).at
        clock.move(WINDOW)

        assert (conclude(ctx), conclude(ctx)) == (1, 0)

        (given,), (message,), decision = rows(ctx, Label), rows(ctx, OutboxMessage), decision_of(ctx, item)
        assert (decision.outcome, decision.outcome_at) == (outcome, at)
        assert decision.outcome_detail == {"by": "alice", "reason_code": said.get("reason_code"), "note": "seen"}
        assert (given.verdict, given.severity, given.at) == (*label, at)
        assert (message.kind, message.created_at) == ("decision.ruled", clock.now())
        assert item_of(ctx, item.decision_id).concludes_at is None
        assert doctor_finds(ctx) == []

    def test_that_ended_while_no_worker_ran_is_concluded_by_the_next_sweep(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)
        clock.move(timedelta(days=3))

        assert [conclude(ctx) for _ in range(2)] == [1, 0]
        assert decision_of(ctx, item).outcome == "approved"
        assert len(rows(ctx, OutboxMessage)) == len(rows(ctx, Label)) == 1

    def test_is_concluded_once_by_several_workers_at_the_same_time(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        for number in range(12):
            rule(ctx, alice, held(ctx, alice, f"c-{number}"))
        clock.move(WINDOW)

        done = together(*[lambda: conclude(ctx) for _ in range(4)])

        conclude(ctx)  # what one of them passed over because another held it
        assert sum(done) <= 12
        assert len(rows(ctx, OutboxMessage)) == len(rows(ctx, Label)) == 12

    def test_a_case_that_is_passed_on_waits_for_the_second_line_only_then(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")
        assert [row.level for row in rows(ctx, ReviewItem)] == [1]
        clock.move(WINDOW)

        conclude(ctx)

        assert item_of(ctx, item.decision_id, level=2).state == "waiting"
        assert nothing_came_of_it(ctx, item)

    def test_of_an_audit_delays_its_label_and_its_message(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        factories.rollout(ctx, version="v2", phase=factories.Phase.FULL, audit_rate=1.0)
        item = held(ctx, alice, version="v2")
        rule(ctx, alice, item, "reject", reason_code="wrong")
        assert nothing_came_of_it(ctx, item)
        clock.move(WINDOW)

        conclude(ctx)

        (message,) = rows(ctx, OutboxMessage)
        assert (item.kind, message.kind) == ("audit", "audit.ruled")
        assert [label.source for label in rows(ctx, Label)] == ["audit"]

    def test_is_as_long_as_the_agents_owner_says(self, ctx: Context, alice: Actor) -> None:
        factories.agent(ctx, "refunds", undo_seconds=0)
        factories.rollout(ctx, "refunds")
        item = held(ctx, alice, agent="refunds")

        rule(ctx, alice, item)

        assert decision_of(ctx, item).outcome == "approved"
        with pytest.raises(service.TooLateToUndo):
            undo(ctx, alice, item)

    def test_is_counted_in_what_the_workers_have_to_do_once_it_is_over(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        rule(ctx, alice, held(ctx, alice))
        counts = []
        for _ in range(2):
            with ctx.db.read() as session:
                counts.append(backlog(session, clock.now())["rulings_to_conclude"])
            clock.move(WINDOW)

        assert counts == [0, 1]


class TestUndo:
    def test_gives_the_case_back_to_who_ruled_and_keeps_the_ruling_on_record(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        ruling = rule(ctx, alice, item, "reject", reason_code="wrong")
        clock.move(WINDOW - A_MOMENT)

        back = undo(ctx, alice, item)

        assert (back.state, back.claimed_by, back.claimed_until) == ("waiting", "alice", clock.now() + LEASE)
        (kept,) = rows(ctx, Ruling)
        assert (kept.id, kept.ruling, kept.undone_at) == (ruling.id, "reject", clock.now())
        (event,) = [event for event in rows(ctx, AuditEvent) if event.verb == "review.undone"]
        assert (event.actor, event.detail["ruling_id"], event.detail["ruling"]) == ("alice", str(ruling.id), "reject")

    def test_lets_nothing_follow_from_the_ruling_ever(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)
        undo(ctx, alice, item)
        clock.move(WINDOW * 2)

        assert conclude(ctx) == 0
        assert nothing_came_of_it(ctx, item)
        assert doctor_finds(ctx) == []

    def test_is_followed_by_another_ruling_which_alone_counts(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "reject", reason_code="wrong")
        clock.move(timedelta(seconds=4))
        undo(ctx, alice, item)
        second = rule(ctx, alice, item)
        clock.move(WINDOW)

        conclude(ctx)

        assert decision_of(ctx, item).outcome == "approved"
        assert [label.source_id for label in rows(ctx, Label)] == [second.id]
        with ctx.db.read() as session:
            assert queries.ruled_since(session, "alice", clock.now() - timedelta(hours=1)) == {"approve": 1}

    def test_comes_too_late_when_the_window_is_over_even_before_the_sweep(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)
        clock.move(WINDOW)

        with pytest.raises(service.TooLateToUndo):
            undo(ctx, alice, item)
        conclude(ctx)
        with pytest.raises(service.TooLateToUndo):
            undo(ctx, alice, item)

    def test_is_for_who_ruled_alone(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)

        with pytest.raises(service.NotYours):
            undo(ctx, bob, item)

    def test_said_twice_changes_nothing_more(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)

        assert undo(ctx, alice, item).id == undo(ctx, alice, item).id
        assert len([event for event in rows(ctx, AuditEvent) if event.verb == "review.undone"]) == 1

    def test_of_nothing_is_refused(self, ctx: Context, alice: Actor) -> None:
        with pytest.raises(service.NothingToUndo):
            undo(ctx, alice, held(ctx, alice))

    def test_brings_a_case_back_before_the_one_that_was_taken_meanwhile(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        first = held(ctx, alice, "c-1")
        rule(ctx, alice, first)
        clock.move(timedelta(seconds=1))
        held(ctx, alice, "c-2")

        undo(ctx, alice, first)

        with ctx.db.read() as session:
            now = dealing.held_by(session, "alice", clock.now())
        assert now is not None
        assert now.id == first.id

    def test_offers_the_newest_ruling_that_can_still_be_undone(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        for number in range(2):
            rule(ctx, alice, held(ctx, alice, f"c-{number}"))
            clock.move(timedelta(seconds=6))

        found = []
        for _ in range(2):
            with ctx.db.read() as session:
                one = queries.may_undo(session, "alice", clock.now())
            found.append(one.case_id if one else None)
            clock.move(timedelta(seconds=6))

        assert found == ["c-1", None]

    def test_and_the_end_of_the_window_never_both_win(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        for number in range(6):
            item = held(ctx, alice, f"c-{number}")
            rule(ctx, alice, item)
            last = clock.now() + WINDOW

            def take_back(item: ReviewItem = item, at: Any = last - A_MOMENT) -> Any:
                with ctx.db.begin() as session:
                    return service.undo(session, item.id, actor=alice, now=at, lease=LEASE)

            clock.set(last)
            results = together(take_back, lambda: conclude(ctx))

            outcome, state = decision_of(ctx, item).outcome, item_of(ctx, item.decision_id).state
            undone = isinstance(results[0], ReviewItem)
            assert (outcome, state) == ((None, "waiting") if undone else ("approved", "approved")), results


class TestWhatEndsTheCaseMeanwhile:
    def test_a_new_attempt_is_not_answered_with_a_ruling_on_the_old_one(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)
        factories.decision(ctx, attempt=2, output="no")
        with pytest.raises(service.AlreadyEnded, match="superseded"):
            undo(ctx, alice, item)
        clock.move(WINDOW)

        assert conclude(ctx) == 0
        assert (decision_of(ctx, item).outcome, item_of(ctx, item.decision_id).state) == ("superseded",) * 2
        assert {label.verdict for label in rows(ctx, Label)} == {"void"}
        assert [message.kind for message in rows(ctx, OutboxMessage)] == []
        assert voided(ctx) == [("alice", "approve", "superseded")]
        assert doctor_finds(ctx) == []

    def test_a_case_the_agent_gave_to_a_person_stays_there(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)
        factories.store(ctx, factories.case("c-1", handed_over=True))
        clock.move(WINDOW)

        assert conclude(ctx) == 0
        assert (decision_of(ctx, item).outcome, item_of(ctx, item.decision_id).state) == ("cancelled",) * 2
        assert voided(ctx) == [("alice", "approve", "cancelled")]

    def test_an_escalation_is_not_carried_out_on_a_replaced_case(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")
        factories.decision(ctx, attempt=2, output="no")
        clock.move(WINDOW)

        assert conclude(ctx) == 0
        assert item_of(ctx, item.decision_id).state == "superseded"
        assert len([row for row in rows(ctx, ReviewItem) if row.decision_id == item.decision_id]) == 1

    def test_autonomy_taken_back_leaves_what_was_ruled_and_takes_what_is_undone(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        row = factories.rollout(ctx, version="v2")
        stands, undone = (held(ctx, alice, f"c-{n}", version="v2") for n in range(2))
        rule(ctx, alice, stands)
        rule(ctx, alice, undone)
        factories.change_rollout(ctx, row, phase="shadow")
        REGISTRY["routing.follow_rollouts"].run(ctx)
        undo(ctx, alice, undone)

        REGISTRY["routing.follow_rollouts"].run(ctx)
        clock.move(WINDOW)
        conclude(ctx)

        assert (decision_of(ctx, stands).outcome, decision_of(ctx, undone).outcome) == ("approved", "cancelled")

    def test_time_runs_on_for_a_case_that_came_back(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        item = held(ctx, alice)
        clock.move(timedelta(hours=30))
        claim(ctx, alice, item.id)
        rule(ctx, alice, item)
        assert REGISTRY["routing.expire"].run(ctx) == 0
        undo(ctx, alice, item)
        clock.move(LEASE + A_MOMENT)

        assert REGISTRY["routing.expire"].run(ctx) == 1
        assert item_of(ctx, item.decision_id).state == "escalated"

    def test_a_ruling_and_a_new_attempt_at_the_end_of_the_window_leave_one_outcome(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        for number in range(6):
            item = held(ctx, alice, f"c-{number}")
            rule(ctx, alice, item)
            clock.move(WINDOW)

            results = together(
                lambda: conclude(ctx),
                lambda number=number: factories.decision(ctx, f"c-{number}", attempt=2, output="no"),
            )

            assert [found for found in results if isinstance(found, Exception)] == []
            conclude(ctx)
            before = decision_of(ctx, item)
            assert before.outcome == item_of(ctx, item.decision_id).state
            assert before.superseded_by is not None


@pytest.mark.parametrize(
    ("state", "outcome", "spoke"),
    [
        ("approved", "approved", "alice"),
        ("edited", "edited", "alice"),
        ("rejected", "rejected", "alice"),
        ("escalated", None, "alice"),
        ("expired", "expired", None),
        ("cancelled", "cancelled", None),
        ("superseded", "superseded", None),
    ],
)
def test_every_way_to_end_is_told_apart_and_time_never_speaks_for_a_person(
    ctx: Context, clock: FixedClock, alice: Actor, state: str, outcome: str | None, spoke: str | None
) -> None:
    row = factories.rollout(ctx, version="v2")
    item = held(ctx, alice, version="v2")
    said: dict[str, Any] = {"output": "no"} if state == "edited" else {"reason_code": "wrong"}
    match state:
        case "approved" | "edited" | "rejected" | "escalated":
            word = {"approved": "approve", "edited": "edit", "rejected": "reject", "escalated": "escalate"}[state]
            rule(ctx, alice, item, word, **(said if word in {"edit", "reject"} else {}))
            clock.move(WINDOW)
            conclude(ctx)
        case "expired":
            for _ in range(2):
                clock.move(timedelta(hours=24) + A_MOMENT)
                REGISTRY["routing.expire"].run(ctx)
        case "cancelled":
            factories.change_rollout(ctx, row, phase="shadow")
            REGISTRY["routing.follow_rollouts"].run(ctx)
        case "superseded":
            factories.decision(ctx, version="v2", attempt=2, output="no")

    ended = item_of(ctx, item.decision_id, level=2 if state == "expired" else 1)
    assert (ended.state, decision_of(ctx, item).outcome) == (state, outcome)
    assert [ruling.login for ruling in rows(ctx, Ruling)] == ([spoke] if spoke else [])
    people = {label.person for label in rows(ctx, Label) if label.verdict in {"agree", "override"}}
    assert people == ({"alice"} if state in {"approved", "edited", "rejected"} else set())
    if outcome in {"expired", "cancelled", "superseded"}:
        with ctx.db.read() as session:
            assert session.get_one(Decision, item.decision_id).outcome_output is None
