"""A case that the agent gave to a person because no answer reached it, told to us afterwards."""

from typing import Any

import pytest
from sqlalchemy import func, select

from governance.audit.tables import AuditEvent
from kit.context import Context
from rollout.domain.phase import Phase
from routing.cases.service import Stored
from routing.cases.tables import Decision, Label
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.test_settling import assert_recount_agrees, rule, settle, totals
from tests.racing import together


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)


def hand_over(ctx: Context, **fields: Any) -> Stored:
    found = factories.store(ctx, factories.case(handed_over=True, **fields))[0]
    assert isinstance(found, Stored), found
    return found


def count(ctx: Context, table: Any, *where: Any) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def kept(ctx: Context, stored: Stored) -> Decision:
    with ctx.db.read() as session:
        return session.get_one(Decision, stored.decision.id)


class TestOfANewCase:
    @pytest.mark.parametrize("phase", [Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL])
    def test_a_person_has_it_and_nobody_rules_on_it(self, ctx: Context, phase: Phase) -> None:
        factories.rollout(ctx, phase=phase, threshold=0.5, audit_rate=1.0)

        decision = hand_over(ctx).decision

        assert (decision.route, decision.lane) == ("human", "human")
        assert [reason["code"] for reason in decision.reasons] == ["handed_over"]
        assert count(ctx, ReviewItem) == 0

    @pytest.mark.parametrize(("phase", "route"), [(Phase.SHADOW, "shadow"), (Phase.EVALUATION, "human")])
    def test_what_a_person_would_have_done_anyway_is_as_without_it(
        self, ctx: Context, phase: Phase, route: str
    ) -> None:
        factories.rollout(ctx, phase=phase)

        decision = hand_over(ctx).decision

        assert (decision.route, decision.reasons[0]["code"]) == (route, phase)

    def test_a_try_that_arrives_after_it_gets_the_same_decision(self, ctx: Context) -> None:
        factories.rollout(ctx)
        first = hand_over(ctx)

        late = factories.store(ctx, factories.case())[0]

        assert isinstance(late, Stored)
        assert (late.new, late.decision.id, late.decision.route) == (False, first.decision.id, "human")


class TestOfACaseWhoseAnswerWasLost:
    def test_the_review_is_cancelled_and_the_case_is_void(self, ctx: Context) -> None:
        factories.rollout(ctx)
        factories.decision(ctx)

        stored = hand_over(ctx)

        assert (stored.new, stored.decision.route, stored.decision.outcome) == (False, "review", "cancelled")
        with ctx.db.read() as session:
            item = session.scalars(select(ReviewItem)).one()
            label = session.scalars(select(Label)).one()
            event = session.scalars(select(AuditEvent).where(AuditEvent.verb == "decision.handed_over")).one()
        assert (item.state, item.ended_at) == ("cancelled", ctx.clock.now())
        assert (label.verdict, label.source, label.decision_id) == ("void", "cancelled", stored.decision.id)
        assert (event.subject, event.actor) == (str(stored.decision.id), "agent:claims")
        assert kept(ctx, stored).unsettled

    def test_nobody_acts_on_auto_any_more(self, ctx: Context) -> None:
        factories.rollout(ctx, phase=Phase.FULL, threshold=0.5, audit_rate=1e-9)
        assert factories.decision(ctx).route == "auto"

        stored = hand_over(ctx)

        assert (stored.decision.route, stored.decision.outcome) == ("auto", "cancelled")
        assert stored.decision.outcome_detail == {"by": "agent:claims", "reason_code": "handed_over", "note": ""}
        assert count(ctx, Label, Label.verdict == "void") == 1

    def test_an_audit_stays_so_that_no_agent_lifts_its_own(self, ctx: Context) -> None:
        factories.rollout(ctx, phase=Phase.FULL, threshold=0.5, audit_rate=1.0)
        factories.decision(ctx)

        stored = hand_over(ctx)

        assert stored.decision.outcome == "cancelled"
        assert count(ctx, ReviewItem, ReviewItem.kind == "audit", ReviewItem.state == "waiting") == 1

    def test_in_shadow_nothing_changes(self, ctx: Context) -> None:
        factories.rollout(ctx, phase=Phase.SHADOW)
        factories.decision(ctx)

        stored = hand_over(ctx)

        assert (stored.decision.route, stored.decision.outcome) == ("shadow", None)
        assert count(ctx, Label) == 0

    def test_in_the_same_batch_it_is_seen_too(self, ctx: Context) -> None:
        factories.rollout(ctx)

        first, second = factories.store(ctx, factories.case(), factories.case(handed_over=True))

        assert isinstance(first, Stored)
        assert isinstance(second, Stored)
        assert (first.new, second.new, second.decision.outcome) == (True, False, "cancelled")
        assert count(ctx, ReviewItem, ReviewItem.state == "cancelled") == 1

    def test_said_twice_or_at_once_it_is_said_once(self, ctx: Context) -> None:
        factories.rollout(ctx)
        factories.decision(ctx)

        results = together(*[lambda: hand_over(ctx)] * 4)
        hand_over(ctx)

        assert [found.decision.outcome for found in results] == ["cancelled"] * 4
        assert count(ctx, Label) == count(ctx, AuditEvent, AuditEvent.verb == "decision.handed_over") == 1

    def test_another_body_is_still_a_conflict_and_changes_nothing(self, ctx: Context) -> None:
        factories.rollout(ctx)
        decision = factories.decision(ctx)

        found = factories.store(ctx, factories.case(output="no", handed_over=True))[0]

        assert not isinstance(found, Stored)
        assert kept(ctx, Stored(decision, new=False)).outcome is None

    def test_a_ruling_that_came_first_stands(self, ctx: Context) -> None:
        factories.rollout(ctx)
        decision = factories.decision(ctx)
        rule(ctx, decision, "approve")

        stored = hand_over(ctx)

        assert (stored.decision.id, stored.decision.outcome) == (decision.id, "approved")
        assert count(ctx, Label, Label.source == "cancelled") == 0

    def test_the_work_of_a_person_is_compared_with_it_all_the_same(self, ctx: Context) -> None:
        factories.rollout(ctx)
        factories.decision(ctx)
        stored = hand_over(ctx)
        factories.human_output(ctx, output="no")

        settle(ctx)

        assert (kept(ctx, stored).label, kept(ctx, stored).counted_as) == ("override", "override")

    @pytest.mark.parametrize("settled_before", [True, False])
    @pytest.mark.parametrize(("phase", "lane"), [(Phase.SUPERVISED, "review"), (Phase.FULL, "auto")])
    def test_it_is_counted_as_void(self, ctx: Context, phase: Phase, lane: str, settled_before: bool) -> None:
        factories.rollout(ctx, phase=phase, threshold=0.5, audit_rate=1e-9)
        factories.decision(ctx)
        if settled_before:
            settle(ctx)
        hand_over(ctx)

        settle(ctx)

        ((found, _, _), counts) = next(iter(totals(ctx).items()))
        assert (found, counts["cases"], counts["void"]) == (lane, 1, 1)
        assert_recount_agrees(ctx)
