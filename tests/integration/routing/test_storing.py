from typing import Any

import pytest
from sqlalchemy import func, select

from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.errors import Problem
from rollout.domain.phase import Phase
from routing.cases.service import AttemptOutOfOrder, CaseDiffers, Stored
from routing.cases.tables import Decision, Label
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.racing import together


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)


def count(ctx: Context, table: Any, *where: Any) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def stored(found: Stored | Problem) -> Stored:
    assert isinstance(found, Stored), found
    return found


class TestOneCase:
    def test_is_stored_with_its_item_and_its_audit_event(self, ctx: Context) -> None:
        decision = factories.decision(ctx)

        with ctx.db.read() as session:
            kept = session.get_one(Decision, decision.id)
            item = session.scalars(select(ReviewItem)).one()
            event = session.scalars(select(AuditEvent).where(AuditEvent.verb == "decision.stored")).one()
        assert (kept.route, kept.phase, kept.policy_revision, kept.unsettled) == ("review", "supervised", 1, True)
        assert (item.decision_id, item.kind, item.level, item.state) == (decision.id, "review", 1, "waiting")
        assert (event.subject, event.actor, event.detail["route"]) == (str(decision.id), "agent:claims", "review")

    @pytest.mark.parametrize(
        "output",
        [None, "", "ä€😀", 0, -1.5, 1e300, True, [], {}, {"a": [1, {"b": None}]}, "x" * 10_000],
        ids=lambda value: str(value)[:12] or "empty",
    )
    def test_comes_back_as_it_was_sent(self, ctx: Context, output: Any) -> None:
        decision = factories.decision(ctx, output=output, input={"of": output})

        with ctx.db.read() as session:
            kept = session.get_one(Decision, decision.id)
            assert (kept.output, kept.input) == (output, {"of": output})

    def test_is_answered_as_it_will_be_read(self, ctx: Context) -> None:
        answered = factories.decision(ctx, confidence="high", amount=1, attributes={"a": 1}, usage={"tokens": 1})

        with ctx.db.read() as session:
            kept = session.get_one(Decision, answered.id)
            names = [column.name for column in Decision.__table__.columns]
            assert {name: getattr(answered, name) for name in names} == {name: getattr(kept, name) for name in names}

    def test_a_version_nobody_registered_is_stored_for_a_person(self, ctx: Context) -> None:
        decision = factories.decision(ctx, version="v99")

        assert (decision.route, decision.rollout_id, count(ctx, ReviewItem)) == ("human", None, 0)


class TestRetry:
    def test_gets_the_same_decision_and_stores_nothing(self, ctx: Context) -> None:
        first = stored(factories.store(ctx, factories.case())[0])

        again = stored(factories.store(ctx, factories.case())[0])

        assert (first.new, again.new) == (True, False)
        assert again.decision.id == first.decision.id
        assert (count(ctx, Decision), count(ctx, ReviewItem)) == (1, 1)
        assert count(ctx, AuditEvent, AuditEvent.verb == "decision.stored") == 1

    def test_gets_the_first_answer_also_when_the_policy_has_changed(self, ctx: Context) -> None:
        factories.decision(ctx)
        with ctx.db.begin() as session:
            row = session.scalars(select(factories.Rollout)).one()
        factories.change_rollout(ctx, row, phase="shadow")

        again = stored(factories.store(ctx, factories.case())[0])

        assert (again.decision.route, again.decision.policy_revision) == ("review", 1)

    def test_may_differ_in_trace_usage_and_time(self, ctx: Context) -> None:
        factories.decision(ctx, trace=[{"step": 1}], usage={"tokens": 1}, occurred_at="2026-01-05T09:00:00Z")

        assert not stored(factories.store(ctx, factories.case())[0]).new

    def test_of_another_version_is_another_decision(self, ctx: Context) -> None:
        first, other = factories.decision(ctx), factories.decision(ctx, version="v2")

        assert first.id != other.id

    def test_under_another_agent_is_another_decision(self, ctx: Context) -> None:
        factories.agent(ctx, "refunds")

        first, other = factories.decision(ctx), factories.decision(ctx, agent="refunds")

        assert first.id != other.id


class TestOtherBody:
    @pytest.mark.parametrize(
        ("other", "differing"),
        [
            ({"output": "no"}, ["output"]),
            ({"input": {"a": 1}}, ["input"]),
            ({"confidence": 0.1}, ["confidence"]),
            ({"confidence": None}, ["confidence"]),
            ({"segment": "de"}, ["segment"]),
            ({"action": "pay"}, ["action"]),
            ({"amount": 1.0}, ["amount"]),
            ({"amount": float("nan")}, ["amount"]),
            ({"risk": "high"}, ["risk"]),
            ({"attributes": {"a": 1}}, ["attributes"]),
            ({"signals": {"a": 1}}, ["signals"]),
            ({"output": "no", "segment": "de"}, ["output", "segment"]),
        ],
    )
    def test_is_a_conflict_that_names_what_differs(self, ctx: Context, other: Any, differing: list[str]) -> None:
        first = factories.decision(ctx)

        refused = factories.store(ctx, factories.case(**other))[0]

        assert isinstance(refused, CaseDiffers)
        assert [place.place for place in refused.places] == differing
        assert refused.extra["decision_id"] == str(first.id)
        assert count(ctx, Decision) == 1

    @pytest.mark.parametrize(
        ("first", "other", "differing"),
        [
            ({"amount": float("nan")}, {"amount": float("inf")}, ["amount"]),
            ({"amount": float("nan")}, {"amount": None}, ["amount"]),
            ({"confidence": "a" * 100}, {"confidence": "a" * 99 + "b"}, ["confidence"]),
            ({"confidence": 0.5}, {"confidence": True}, ["confidence"]),
            ({"confidence": "high"}, {"confidence": "low", "output": "no"}, ["output", "confidence"]),
            ({"confidence": 1, "output": 1}, {"confidence": 1.0, "output": "no"}, ["output"]),
        ],
    )
    def test_names_also_what_no_column_shows(self, ctx: Context, first: Any, other: Any, differing: list[str]) -> None:
        factories.decision(ctx, **first)

        refused = factories.store(ctx, factories.case(**other))[0]

        assert isinstance(refused, CaseDiffers)
        assert [place.place for place in refused.places] == differing

    @pytest.mark.parametrize(
        ("first", "again"),
        [
            ({"confidence": 1}, {"confidence": 1.0}),
            ({"confidence": float("nan")}, {"confidence": float("nan")}),
            ({"amount": 12}, {"amount": 12.0}),
            ({"amount": float("nan")}, {"amount": float("nan")}),
            ({"output": 1}, {"output": 1.0}),
        ],
    )
    def test_is_not_the_same_number_written_otherwise(self, ctx: Context, first: Any, again: Any) -> None:
        factories.decision(ctx, **first)

        assert not stored(factories.store(ctx, factories.case(**again))[0]).new

    def test_one_unusable_confidence_instead_of_another_is_named_too(self, ctx: Context) -> None:
        factories.decision(ctx, confidence="high")

        refused = factories.store(ctx, factories.case(confidence=float("nan")))[0]

        assert isinstance(refused, CaseDiffers)
        assert [place.place for place in refused.places] == ["confidence"]


class TestBatch:
    def test_a_conflict_harms_nobody_else(self, ctx: Context) -> None:
        factories.decision(ctx, "c-2")

        results = factories.store(
            ctx,
            factories.case("c-1"),
            factories.case("c-2", output="no"),
            factories.case("c-3"),
            factories.case("c-2"),
            factories.case("c-4", attempt=2),
        )

        kinds = [found.new if isinstance(found, Stored) else type(found) for found in results]
        assert kinds == [True, CaseDiffers, True, False, AttemptOutOfOrder]
        assert count(ctx, Decision) == count(ctx, ReviewItem) == 3

    def test_twice_the_same_in_one_batch_is_one_decision(self, ctx: Context) -> None:
        one, same, other = factories.store(
            ctx, factories.case(), factories.case(), factories.case(output="no"), agent="claims"
        )

        assert stored(one).decision.id == stored(same).decision.id
        assert isinstance(other, CaseDiffers)
        assert count(ctx, Decision) == 1

    def test_results_stand_in_the_order_of_the_cases(self, ctx: Context) -> None:
        names = ["c-9", "c-1", "c-5"]

        results = factories.store(ctx, *[factories.case(name) for name in names])

        assert [stored(found).decision.case_id for found in results] == names

    def test_of_a_thousand_is_stored_whole(self, ctx: Context) -> None:
        factories.store(ctx, *[factories.case(f"c-{n}") for n in range(500)])

        results = factories.store(ctx, *[factories.case(f"c-{n}") for n in range(1000)])

        assert [stored(found).new for found in results] == [False] * 500 + [True] * 500
        assert count(ctx, Decision) == count(ctx, ReviewItem) == 1000

    def test_an_attempt_may_follow_in_the_same_batch(self, ctx: Context) -> None:
        first, second = factories.store(ctx, factories.case(), factories.case(attempt=2, output="no"))

        assert stored(first).new
        assert stored(second).new
        with ctx.db.read() as session:
            assert session.get_one(Decision, stored(first).decision.id).superseded_by == stored(second).decision.id


class TestRaces:
    def test_the_same_case_from_eight_threads_is_stored_once(self, ctx: Context) -> None:
        calls = [lambda: factories.store(ctx, factories.case())[0]] * 8

        results = [stored(found) for found in together(*calls)]

        assert [found.new for found in results].count(True) == 1
        assert len({found.decision.id for found in results}) == 1
        assert (count(ctx, Decision), count(ctx, ReviewItem)) == (1, 1)

    def test_of_two_bodies_one_wins_and_the_other_is_told(self, ctx: Context) -> None:
        calls = [lambda n=n: factories.store(ctx, factories.case(output=f"answer {n}"))[0] for n in range(6)]

        results = together(*calls)

        assert sorted(type(found).__name__ for found in results) == ["CaseDiffers"] * 5 + ["Stored"]
        assert count(ctx, Decision) == 1

    def test_batches_in_opposite_order_do_not_wait_for_each_other(self, ctx: Context) -> None:
        cases = [factories.case(f"c-{n}") for n in range(60)]
        calls = [lambda: factories.store(ctx, *cases), lambda: factories.store(ctx, *reversed(cases))] * 3

        results = together(*calls)

        assert not [found for found in results if isinstance(found, Exception)]
        assert count(ctx, Decision) == count(ctx, ReviewItem) == 60

    def test_the_same_attempt_from_many_threads_supersedes_once(self, ctx: Context) -> None:
        factories.decision(ctx)
        calls = [lambda: factories.store(ctx, factories.case(attempt=2, output="no"))[0]] * 6

        results = [stored(found) for found in together(*calls)]

        assert [found.new for found in results].count(True) == 1
        assert count(ctx, Decision) == 2
        assert count(ctx, Label, Label.source == "superseded") == 1
        assert count(ctx, ReviewItem, ReviewItem.state == "waiting") == 1


class TestAttempts:
    def test_the_next_replaces_the_one_before_and_voids_what_hung_on_it(self, ctx: Context) -> None:
        first = factories.decision(ctx)

        second = factories.decision(ctx, attempt=2, output="no")

        with ctx.db.read() as session:
            before = session.get_one(Decision, first.id)
            label = session.scalars(select(Label)).one()
            items = {item.decision_id: item.state for item in session.scalars(select(ReviewItem))}
            event = session.scalars(select(AuditEvent).where(AuditEvent.verb == "decision.superseded")).one()
        assert (before.superseded_by, before.outcome, before.outcome_at) == (second.id, "superseded", ctx.clock.now())
        assert before.output == "yes"
        assert (label.decision_id, label.verdict, label.source, label.source_id) == (
            first.id, "void", "superseded", second.id,
        )  # fmt: skip
        assert items == {first.id: "superseded", second.id: "waiting"}
        assert event.subject == str(first.id)

    def test_again_is_a_retry(self, ctx: Context) -> None:
        factories.decision(ctx)
        second = factories.decision(ctx, attempt=2, output="no")

        again = stored(factories.store(ctx, factories.case(attempt=2, output="no"))[0])

        assert (again.new, again.decision.id) == (False, second.id)

    def test_again_with_another_body_is_a_conflict(self, ctx: Context) -> None:
        factories.decision(ctx)
        factories.decision(ctx, attempt=2, output="no")

        refused = factories.store(ctx, factories.case(attempt=2, output="maybe"))[0]

        assert isinstance(refused, CaseDiffers)

    @pytest.mark.parametrize(("there", "attempt", "next_one"), [(0, 2, 1), (0, 7, 1), (1, 3, 2), (2, 4, 3)])
    def test_out_of_order_is_refused_with_the_one_that_is_next(
        self, ctx: Context, there: int, attempt: int, next_one: int
    ) -> None:
        for number in range(1, there + 1):
            factories.decision(ctx, attempt=number)

        refused = factories.store(ctx, factories.case(attempt=attempt))[0]

        assert isinstance(refused, AttemptOutOfOrder)
        assert refused.places[0].mend == f"send attempt {next_one}"
        assert count(ctx, Decision) == there

    def test_the_first_again_after_the_second_is_still_a_retry(self, ctx: Context) -> None:
        first = factories.decision(ctx)
        factories.decision(ctx, attempt=2, output="no")

        again = stored(factories.store(ctx, factories.case())[0])

        assert (again.new, again.decision.id, again.decision.outcome) == (False, first.id, "superseded")

    def test_a_chain_of_attempts_supersedes_one_by_one(self, ctx: Context) -> None:
        chain = [factories.decision(ctx, attempt=number, output=str(number)) for number in range(1, 5)]

        with ctx.db.read() as session:
            after = [session.get_one(Decision, link.id).superseded_by for link in chain]
        assert after == [link.id for link in chain[1:]] + [None]
        assert count(ctx, ReviewItem, ReviewItem.state == "waiting") == 1

    def test_an_attempt_in_shadow_has_no_item_to_end(self, ctx: Context) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        first = factories.decision(ctx, version="v2")

        factories.decision(ctx, version="v2", attempt=2, output="no")

        with ctx.db.read() as session:
            assert session.get_one(Decision, first.id).outcome == "superseded"
