"""Which verdict counts: of several attempts at a case the first one, of several labels the one of the highest rank."""

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from governance.actors import SYSTEM
from kit.clock import FixedClock
from kit.context import Context
from rollout.agents.schemas import NewAgent
from rollout.agents.service import register
from rollout.domain.phase import Phase
from routing.cases import service, settling
from routing.cases.history import case_out
from routing.cases.schemas import HumanOutputIn
from routing.cases.tables import Decision, HumanOutput
from routing.doctor import service as doctor
from routing.reviews import withdrawing
from routing.snapshot import AgentEntry
from tests import factories
from tests.integration.routing.test_settling import (
    assert_recount_agrees,
    decision,
    fail,
    rows,
    rule,
    settle,
    shadow,
)
from tests.racing import together


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, output_schema={"type": "string"}, comparison={"default": "text"})
    factories.rollout(ctx, phase=Phase.SUPERVISED)


def counted(ctx: Context) -> list[str | None]:
    """What the attempts are counted as, in order."""
    with ctx.db.read() as session:
        return [row.counted_as for row in session.scalars(select(Decision).order_by(Decision.attempt))]


def attempt(ctx: Context, number: int, clock: FixedClock | None = None, **fields: Any) -> Decision:
    if clock is not None:
        clock.move(timedelta(minutes=1))
    return factories.decision(ctx, attempt=number, output=f"answer {number}", **fields)


class TestAttempts:
    @pytest.mark.parametrize("every_time", [True, False], ids=["settled after each", "settled at the end"])
    def test_trying_again_until_somebody_approves_changes_no_figure(self, ctx: Context, every_time: bool) -> None:
        for number in (1, 2, 3, 4):
            row = attempt(ctx, number)
            rule(ctx, row, "approve") if number == 4 else rule(ctx, row, "reject", reason_code="harmful")
            if every_time:
                settle(ctx)

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1, "severe": 1}
        assert counted(ctx) == ["severe", "nothing", "nothing", "nothing"]
        assert [row.label for row in rows(ctx, Decision)] == ["override", "override", "override", "agree"]
        assert_recount_agrees(ctx)

    def test_what_nobody_had_ruled_on_is_void_and_the_later_one_counts(self, ctx: Context) -> None:
        attempt(ctx, 1)
        settle(ctx)
        rule(ctx, attempt(ctx, 2))

        settle(ctx)

        assert counted(ctx) == ["void", "agree"]
        assert shadow(ctx) == {"cases": 2, "void": 1, "agreed": 1}
        assert_recount_agrees(ctx)

    def test_a_late_failure_of_a_replaced_attempt_counts_there(self, ctx: Context, clock: FixedClock) -> None:
        first = attempt(ctx, 1)
        rule(ctx, attempt(ctx, 2))
        attempt(ctx, 3)
        settle(ctx)
        assert counted(ctx) == ["void", "agree", "nothing"]
        clock.move(timedelta(days=1))

        fail(ctx, first)
        settle(ctx)

        assert counted(ctx) == ["severe", "nothing", "nothing"]
        assert_recount_agrees(ctx)

    def test_a_correction_that_takes_the_first_verdict_back_lets_the_later_one_count(
        self, ctx: Context, clock: FixedClock
    ) -> None:
        factories.agent(ctx, "notes", comparison={"ignore": [{"path": "/note", "when": "human_empty"}]})
        factories.rollout(ctx, "notes", phase=Phase.SHADOW)
        factories.decision(ctx, agent="notes", output={"note": "a"})
        factories.human_output(ctx, agent="notes", output={"note": "b"})
        clock.move(timedelta(minutes=1))
        second = factories.decision(ctx, agent="notes", output={"note": "c"}, attempt=2)
        settle(ctx)
        assert counted(ctx) == ["override", "nothing"]

        factories.human_output(ctx, agent="notes", output={"note": ""})
        fail(ctx, second, "major")
        settle(ctx)

        assert counted(ctx) == ["void", "override"]
        assert_recount_agrees(ctx)

    @pytest.mark.parametrize("before", [True, False], ids=["before the replacement", "after it"])
    def test_a_human_output_is_a_verdict_on_what_was_in_force_when_it_came(
        self, ctx: Context, clock: FixedClock, before: bool
    ) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        attempt(ctx, 1, version="v2")
        clock.move(timedelta(minutes=1))
        if before:
            factories.human_output(ctx, output="answer 2")
        attempt(ctx, 2, clock, version="v2")
        if not before:
            clock.move(timedelta(minutes=1))
            factories.human_output(ctx, output="answer 2")

        settle(ctx)

        assert counted(ctx) == (["override", "nothing"] if before else ["void", "agree"])
        assert_recount_agrees(ctx)

    def test_a_correction_moves_the_label_of_the_replaced_attempt(self, ctx: Context, clock: FixedClock) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        first = attempt(ctx, 1, version="v2")
        factories.human_output(ctx, output="answer 2")
        attempt(ctx, 2, clock, version="v2")
        settle(ctx)
        clock.move(timedelta(minutes=1))

        factories.human_output(ctx, output="answer 1")
        settle(ctx)

        assert (decision(ctx, first.id).label, counted(ctx)) == ("agree", ["agree", "nothing"])
        assert_recount_agrees(ctx)

    def test_of_another_epoch_counts_by_itself(self, ctx: Context) -> None:
        rule(ctx, attempt(ctx, 1), "reject", reason_code="wrong")
        with ctx.db.read() as session:
            row = session.scalars(select(factories.Rollout)).one()
        factories.change_rollout(ctx, row, epoch=2)
        rule(ctx, attempt(ctx, 2))

        settle(ctx)

        assert counted(ctx) == ["override", "agree"]
        assert_recount_agrees(ctx)

    @pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
    def test_the_order_of_settling_does_not_matter(self, ctx: Context, order: tuple[int, ...]) -> None:
        chain = [attempt(ctx, number) for number in (1, 2)]
        rule(ctx, chain[1], "reject", reason_code="harmful")
        chain.append(attempt(ctx, 3))
        rule(ctx, chain[2])
        fail(ctx, chain[0], "major")
        for number in order:
            self.only(ctx, chain, {number})
            settle(ctx)
        self.only(ctx, chain, {1, 2, 3})

        settle(ctx)

        assert counted(ctx) == ["override", "nothing", "nothing"]
        assert shadow(ctx) == {"cases": 1, "overridden": 1}
        assert_recount_agrees(ctx)

    def only(self, ctx: Context, chain: list[Decision], numbers: set[int]) -> None:
        with ctx.db.begin() as session:
            for row in chain:
                session.get_one(Decision, row.id).unsettled = row.attempt in numbers

    def test_many_workers_and_retries_at_once_agree_with_a_recount(self, ctx: Context) -> None:
        for number in range(12):
            rule(ctx, factories.decision(ctx, f"c-{number}"), "reject", reason_code="harmful")
        retries = [lambda n=n: factories.decision(ctx, f"c-{n}", attempt=2, output="no") for n in range(12)]

        results = together(*[lambda: settle(ctx)] * 3, *retries)
        settle(ctx)

        assert [found for found in results if isinstance(found, Exception)] == []
        assert shadow(ctx) == {"cases": 12, "overridden": 12, "severe": 12}
        assert_recount_agrees(ctx)

    def test_one_waits_with_its_mark_while_another_worker_settles_the_one_before(self, ctx: Context) -> None:
        if ctx.db.dialect == "sqlite":
            return  # writers take turns there
        first, second = attempt(ctx, 1), attempt(ctx, 2)
        with ctx.db.begin() as worker:
            worker.get_one(Decision, first.id, with_for_update=True)

            settle(ctx)

            assert decision(ctx, second.id).unsettled
        fail(ctx, first, "major")
        settle(ctx)
        assert counted(ctx) == ["override", "nothing"]

    def test_a_doctor_finds_a_retry_that_is_counted_and_repairs_it(self, ctx: Context) -> None:
        rule(ctx, attempt(ctx, 1), "reject", reason_code="wrong")
        second = attempt(ctx, 2)
        settle(ctx)
        with ctx.db.begin() as session:
            session.get_one(Decision, second.id).counted_as = "pending"

        with ctx.db.begin() as session:
            done = doctor.repair(session, now=ctx.clock.now())
        settle(ctx)

        assert set(done) == {"totals", "counted_as_labelled"}
        assert counted(ctx) == ["override", "nothing"]
        assert_recount_agrees(ctx)


class TestRank:
    def test_a_human_output_does_not_overturn_a_ruling(self, ctx: Context, clock: FixedClock) -> None:
        row = factories.decision(ctx)
        rule(ctx, row, "reject", reason_code="harmful")
        settle(ctx)
        clock.move(timedelta(days=1))

        factories.human_output(ctx, output="yes")
        settle(ctx)

        kept = decision(ctx, row.id)
        assert (kept.label, kept.label_source, kept.counted_as) == ("override", "review", "severe")
        assert_recount_agrees(ctx)

    @pytest.mark.parametrize("first", ["human output", "ruling"])
    def test_a_ruling_counts_over_a_human_output_whichever_came_first(
        self, ctx: Context, clock: FixedClock, first: str
    ) -> None:
        row = factories.decision(ctx)
        steps = [lambda: factories.human_output(ctx, output="no"), lambda: rule(ctx, row)]
        for step in steps if first == "human output" else reversed(steps):
            step()
            clock.move(timedelta(minutes=1))
            settle(ctx)

        assert (decision(ctx, row.id).label, decision(ctx, row.id).label_source) == ("agree", "review")
        assert_recount_agrees(ctx)

    def test_a_failure_counts_over_a_later_audit(self, ctx: Context, clock: FixedClock) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=1.0)
        row = factories.decision(ctx, version="v2")
        fail(ctx, row)
        clock.move(timedelta(minutes=1))

        rule(ctx, row)
        settle(ctx)

        assert decision(ctx, row.id).label_source == "failure"
        assert_recount_agrees(ctx)

    def test_what_a_person_did_counts_over_a_cancelled_review(self, ctx: Context, clock: FixedClock) -> None:
        with ctx.db.read() as session:
            version = session.scalars(select(factories.Rollout)).one()
        row = factories.decision(ctx)
        factories.human_output(ctx, output="no")
        clock.move(timedelta(minutes=1))
        factories.change_rollout(ctx, version, phase="shadow")
        with ctx.db.begin() as session:
            withdrawing.cancel_what_nobody_may_rule(session, ctx.clock.now())

        settle(ctx)

        assert (decision(ctx, row.id).label, decision(ctx, row.id).counted_as) == ("override", "override")
        assert_recount_agrees(ctx)

    def test_who_posted_a_human_output_is_shown_with_the_case(self, ctx: Context) -> None:
        actor = factories.actor(ctx, "rita", roles=("owner",))
        items = [HumanOutputIn(case_id="c-1", output="yes", person="amira")]
        with ctx.db.begin() as session:
            service.add_human_outputs(session, "claims", items, actor=actor, now=ctx.clock.now())
        factories.human_output(ctx, output="no")

        with ctx.db.read() as session:
            shown = case_out(session, "claims", "c-1").human_outputs

        assert [(one.person, one.posted_by) for one in shown] == [("amira", "rita"), (None, SYSTEM.name)]
        assert [row.posted_by for row in rows(ctx, HumanOutput)] == ["rita", SYSTEM.name]


class TestAgentsInMemory:
    def test_a_case_of_an_agent_not_loaded_yet_keeps_its_mark_and_its_count(self, ctx: Context) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        row = factories.decision(ctx, version="v2")
        settle(ctx)
        factories.human_output(ctx)

        with ctx.db.begin() as session:
            done = settling.settle(session, {}, now=ctx.clock.now())

        kept = decision(ctx, row.id)
        assert (done.decisions, done.more) == (0, False)
        assert (kept.unsettled, kept.counted_as, kept.label) == (True, "pending", None)
        settle(ctx)
        assert decision(ctx, row.id).label == "agree"
        assert_recount_agrees(ctx)

    def test_agents_are_read_again_between_rounds_when_one_changed(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        newcomer = NewAgent(name="newcomer", title="Newcomer", owner=factories.person(ctx).login)
        known: list[Mapping[str, AgentEntry]] = []

        def settle_one(
            session: Session, agents: Mapping[str, AgentEntry], *, now: datetime, limit: int, draw: object
        ) -> settling.Settled:
            assert limit > 0
            known.append(agents)
            if len(known) == 2:
                register(session, newcomer, actor=SYSTEM, now=now)
            return settling.Settled(0, 0, len(known) < 4)

        monkeypatch.setattr(settling, "settle", settle_one)

        settle(ctx)

        assert [sorted(agents) for agents in known] == [["claims"]] * 2 + [["claims", "newcomer"]] * 2
        assert (known[0] is known[1], known[2] is known[3]) == (True, True)
