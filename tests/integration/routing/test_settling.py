import dataclasses
import itertools
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from governance.actors import SYSTEM
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Problem
from kit.ids import new_id
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from rollout.domain.totals import Counts
from rollout.gates.tables import Total
from routing import snapshot
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases import service, settling
from routing.cases.history import case_out
from routing.cases.schemas import FailureIn, HumanOutputIn
from routing.cases.tables import ComparisonRow, Decision, HumanOutput, Label
from routing.doctor import service as doctor
from routing.reviews import service as reviews
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.racing import together

NAMES = [field.name for field in dataclasses.fields(Counts)]


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, output_schema={"type": "string"}, comparison={"default": "text"})
    factories.rollout(ctx, phase=Phase.SHADOW)


def settle(ctx: Context) -> int:
    return REGISTRY["routing.settle"].run(ctx)


def totals(ctx: Context) -> dict[tuple[str, str, date], dict[str, int]]:
    """What was counted, by lane, segment and day, without zeros."""
    with ctx.db.read() as session:
        rows = session.scalars(select(Total)).all()
    kept = {
        (row.lane, row.segment, row.day): {name: getattr(row, name) for name in NAMES if getattr(row, name)}
        for row in rows
    }
    return {key: counts for key, counts in kept.items() if counts}


def shadow(ctx: Context) -> dict[str, int]:
    """The counts of the only cohort these tests have."""
    found = totals(ctx)
    assert len(found) <= 1
    return next(iter(found.values()), {})


def decision(ctx: Context, decision_id: Any) -> Decision:
    with ctx.db.read() as session:
        return session.get_one(Decision, decision_id)


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table).order_by(table.id)))


def fail(ctx: Context, row: Decision, severity: Any = "critical") -> None:
    with ctx.db.begin() as session:
        service.report_failure(
            session, session.get_one(Decision, row.id), FailureIn(severity=severity, description="it was wrong"),
            key=None, actor=SYSTEM, now=ctx.clock.now(),
        )  # fmt: skip


def rule(ctx: Context, row: Decision, ruling: Any = "approve", **said: Any) -> None:
    reviewer = factories.actor(ctx, roles=("reviewer",))
    with ctx.db.begin() as session:
        item = session.scalars(
            select(ReviewItem).where(ReviewItem.decision_id == row.id, ReviewItem.state == "waiting")
        ).one()
        reviews.claim(session, item.id, actor=reviewer, now=ctx.clock.now(), lease=timedelta(minutes=5))
        agent = snapshot.load(session).agents[item.agent]
        what = Said(ruling, item.fingerprint, **said)
        reviews.rule(session, item.id, what, agent=agent, actor=reviewer, now=ctx.clock.now())


def assert_recount_agrees(ctx: Context) -> None:
    with ctx.db.read() as session:
        findings = doctor.examine(session, now=ctx.clock.now())
    assert [finding.words for finding in findings if not finding.ok] == []


class TestHumanOutputs:
    def test_are_stored_with_their_history(self, ctx: Context) -> None:
        results = [factories.human_output(ctx, output=answer) for answer in ("yes", "yes", "no", "yes")]

        assert [(found.revision, found.status) for found in results] == [
            (1, "created"), (1, "unchanged"), (2, "corrected"), (3, "corrected"),
        ]  # fmt: skip
        assert [(row.output, row.superseded) for row in rows(ctx, HumanOutput)] == [
            ("yes", True), ("no", True), ("yes", False),
        ]  # fmt: skip
        verbs = [event.verb for event in rows(ctx, AuditEvent) if event.verb.startswith("human_output")]
        assert verbs == ["human_output.stored", "human_output.corrected", "human_output.corrected"]

    def test_of_one_batch_may_correct_each_other(self, ctx: Context) -> None:
        items = [HumanOutputIn(case_id="c-1", output=answer) for answer in ("yes", "no", "no")]

        with ctx.db.begin() as session:
            stored = service.add_human_outputs(session, "claims", items, actor=SYSTEM, now=ctx.clock.now())

        assert [found.status for found in stored] == ["created", "corrected", "unchanged"]

    @pytest.mark.parametrize("output", [None, 12.0, 1e300, 1e16, 0, False, "", {"b": 1.0, "a": [1e20]}, []], ids=str)
    def test_the_same_again_is_unchanged_whatever_the_database_made_of_it(self, ctx: Context, output: Any) -> None:
        factories.human_output(ctx, output=output)

        assert factories.human_output(ctx, output=output).status == "unchanged"

    def test_one_and_true_are_two_answers(self, ctx: Context) -> None:
        factories.human_output(ctx, output=1)

        assert factories.human_output(ctx, output=True).status == "corrected"

    def test_from_many_threads_leave_one_in_force(self, ctx: Context) -> None:
        factories.decision(ctx)
        results = together(*[lambda n=n: factories.human_output(ctx, output=f"answer {n}") for n in range(6)])

        settle(ctx)

        stored = [found for found in results if not isinstance(found, Exception)]
        assert stored
        assert len([row for row in rows(ctx, HumanOutput) if not row.superseded]) == 1
        assert [row.revision for row in rows(ctx, HumanOutput)] == list(range(1, len(stored) + 1))
        assert_recount_agrees(ctx)


class TestAnyOrder:
    def test_before_the_output(self, ctx: Context) -> None:
        factories.human_output(ctx)
        settle(ctx)
        factories.decision(ctx)

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "agreed": 1}

    def test_after_the_output(self, ctx: Context) -> None:
        factories.decision(ctx)
        settle(ctx)
        assert shadow(ctx) == {"cases": 1}

        factories.human_output(ctx, output="no")
        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1}

    def test_for_every_version_that_answered(self, ctx: Context) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        first, other = factories.decision(ctx), factories.decision(ctx, version="v2", output="no")
        factories.human_output(ctx, output="YES")

        settle(ctx)

        assert (decision(ctx, first.id).label, decision(ctx, other.id).label) == ("agree", "override")

    def test_only_for_its_own_agent(self, ctx: Context) -> None:
        factories.agent(ctx, "refunds")
        row = factories.decision(ctx)
        factories.human_output(ctx, agent="refunds")

        settle(ctx)

        assert decision(ctx, row.id).label is None

    def test_a_correction_moves_the_label_and_keeps_both_comparisons(self, ctx: Context, clock: FixedClock) -> None:
        row = factories.decision(ctx)
        for answer in ("no", "yes"):
            clock.move(timedelta(days=1))
            factories.human_output(ctx, output=answer)
            settle(ctx)

        assert shadow(ctx) == {"cases": 1, "agreed": 1}
        assert [found.kind for found in rows(ctx, ComparisonRow)] == ["different", "equal"]
        assert [label.verdict for label in rows(ctx, Label)] == ["override", "agree"]
        assert decision(ctx, row.id).label == "agree"

    # Whatever happens to three cases in whatever order, the same is counted in the end.
    STEPS: tuple[tuple[str, Callable[[Context], Any]], ...] = (
        ("decide c-1", lambda ctx: factories.store(ctx, factories.case("c-1"))),
        ("decide c-2", lambda ctx: factories.store(ctx, factories.case("c-2", output="no", segment="de"))),
        ("person c-1", lambda ctx: factories.human_output(ctx, "c-1", "yes")),
        ("person c-2", lambda ctx: factories.human_output(ctx, "c-2", "yes")),
        ("settle", settle),
        ("decide c-1 again", lambda ctx: factories.store(ctx, factories.case("c-1"))),
        ("decide c-3", lambda ctx: factories.store(ctx, factories.case("c-3", output=7, confidence="high"))),
    )

    @pytest.mark.parametrize("start", range(0, 5040, 720))
    def test_the_totals_do_not_hang_on_it(self, ctx: Context, start: int) -> None:
        for _, step in next(itertools.islice(itertools.permutations(self.STEPS), start + start // 7, None)):
            step(ctx)

        settle(ctx)

        day = ctx.clock.now().date()
        assert totals(ctx) == {
            ("shadow", "", day): {"cases": 2, "agreed": 1, "invalid_output": 1, "invalid_confidence": 1},
            ("shadow", "de", day): {"cases": 1, "overridden": 1},
        }
        assert_recount_agrees(ctx)


class TestCounting:
    def test_again_counts_nothing_twice(self, ctx: Context) -> None:
        factories.decision(ctx)
        factories.human_output(ctx)
        settle(ctx)
        with ctx.db.begin() as session:
            for row in session.scalars(select(Decision)):
                row.mark_unsettled()

        assert settle(ctx) == 1
        assert settle(ctx) == 0

        assert shadow(ctx) == {"cases": 1, "agreed": 1}
        assert len(rows(ctx, ComparisonRow)) == len(rows(ctx, Label)) == 1

    def test_is_by_the_day_of_the_decision(self, ctx: Context, clock: FixedClock) -> None:
        day = clock.now().date()
        factories.decision(ctx)
        clock.move(timedelta(days=40))
        factories.human_output(ctx)

        settle(ctx)

        assert list(totals(ctx)) == [("shadow", "", day)]

    def test_is_by_the_utc_day(self, ctx: Context, clock: FixedClock) -> None:
        clock.set(clock.now().replace(hour=23, minute=59, second=59, microsecond=999_999))
        factories.decision(ctx, "c-1")
        clock.move(timedelta(microseconds=1))
        factories.decision(ctx, "c-2")

        settle(ctx)

        assert [day.day for _, _, day in sorted(totals(ctx))] == [5, 6]

    def test_is_under_the_epoch_of_the_decision(self, ctx: Context) -> None:
        factories.decision(ctx, "c-1")
        with ctx.db.read() as session:
            row = session.scalars(select(factories.Rollout)).one()
        factories.change_rollout(ctx, row, epoch=2)
        factories.decision(ctx, "c-2")
        factories.human_output(ctx, "c-1")

        settle(ctx)

        with ctx.db.read() as session:
            counted = {found.epoch: (found.cases, found.agreed) for found in session.scalars(select(Total))}
        assert counted == {1: (1, 1), 2: (1, 0)}

    def test_an_unknown_version_counts_nothing(self, ctx: Context) -> None:
        row = factories.decision(ctx, version="v99")
        factories.human_output(ctx)

        settle(ctx)

        assert totals(ctx) == {}
        assert (decision(ctx, row.id).counted_as, decision(ctx, row.id).unsettled) == ("nothing", False)

    def test_an_invalid_output_is_its_own_kind_and_no_disagreement(self, ctx: Context) -> None:
        factories.decision(ctx, output=7)
        factories.human_output(ctx, output="7")

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "void": 1, "invalid_output": 1}
        assert [found.kind for found in rows(ctx, ComparisonRow)] == ["invalid_output"]

    @pytest.mark.parametrize("confidence", ["high", float("nan"), 1.2, True])
    def test_an_invalid_confidence_is_counted_beside(self, ctx: Context, confidence: Any) -> None:
        factories.decision(ctx, confidence=confidence)

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "invalid_confidence": 1}

    def test_a_missing_confidence_is_not(self, ctx: Context) -> None:
        factories.decision(ctx, confidence=None)

        settle(ctx)

        assert shadow(ctx) == {"cases": 1}

    def test_what_is_ignored_is_void(self, ctx: Context) -> None:
        factories.agent(ctx, "notes", comparison={"ignore": ["/note"]})
        factories.rollout(ctx, "notes", phase=Phase.SHADOW)
        factories.decision(ctx, agent="notes", output={"note": "a"})
        factories.human_output(ctx, agent="notes", output={"note": "b"})

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "void": 1}

    def test_severity_is_counted(self, ctx: Context) -> None:
        factories.agent(ctx, "notes", comparison={"fields": {"/sum": {"compare": "number", "severity": "severe"}}})
        factories.rollout(ctx, "notes", phase=Phase.SHADOW)
        factories.decision(ctx, agent="notes", output={"sum": 1})
        factories.human_output(ctx, agent="notes", output={"sum": 2})

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1, "severe": 1}

    def test_more_than_a_round_is_counted_in_one_run(self, ctx: Context) -> None:
        factories.store(ctx, *[factories.case(f"c-{n}") for n in range(1100)])

        assert settle(ctx) >= 1100

        assert shadow(ctx) == {"cases": 1100}

    def test_from_four_threads_counts_once(self, ctx: Context) -> None:
        factories.store(ctx, *[factories.case(f"c-{n}", segment=f"s-{n % 7}") for n in range(300)])
        for n in range(0, 300, 3):
            factories.human_output(ctx, f"c-{n}", "yes" if n % 2 else "no")

        results = together(*[lambda: settle(ctx)] * 4)
        settle(ctx)

        assert [found for found in results if isinstance(found, Exception)] == []
        summed = sum((Counts(**counts) for counts in totals(ctx).values()), Counts())
        assert (summed.cases, summed.agreed, summed.overridden) == (300, 50, 50)
        assert_recount_agrees(ctx)


class TestCleaning:
    def test_what_is_cleaned_decides_but_is_neither_stored_nor_shown(self, ctx: Context) -> None:
        factories.agent(ctx, "pay", comparison={"clean": [{"path": "/iban", "redact": True}]})
        factories.rollout(ctx, "pay", phase=Phase.SHADOW)
        row = factories.decision(ctx, agent="pay", output={"iban": "DE11"})
        factories.human_output(ctx, agent="pay", output={"iban": "DE22"})

        settle(ctx)

        assert decision(ctx, row.id).label == "override"
        with ctx.db.read() as session:
            [stored] = case_out(session, "pay", "c-1").comparisons
        [found] = stored.differences
        assert (found["path"], found["expected"], found["actual"]) == ("/iban", "[redacted]", "[redacted]")
        assert "DE" not in str(stored.differences)


class TestComparisonThatFails:
    @pytest.fixture(autouse=True)
    def broken(self, ctx: Context) -> None:
        factories.agent(ctx, "sums", comparison={"default": {"compare": "number"}})
        factories.rollout(ctx, "sums", phase=Phase.SHADOW)

    def test_leaves_the_case_without_a_verdict(self, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        row = factories.decision(ctx, agent="sums", output=1)
        factories.human_output(ctx, agent="sums", output=2)
        _break_comparing(monkeypatch)

        settle(ctx)

        kept = decision(ctx, row.id)
        assert (kept.label, kept.counted_as, kept.unsettled) == (None, "pending", False)
        assert shadow(ctx) == {"cases": 1}
        assert [found.kind for found in rows(ctx, ComparisonRow)] == ["error"]

    def test_takes_back_what_was_said_of_the_human_output_before(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = factories.decision(ctx, agent="sums", output=1)
        factories.human_output(ctx, agent="sums", output=1)
        settle(ctx)
        assert shadow(ctx) == {"cases": 1, "agreed": 1}
        _break_comparing(monkeypatch)
        factories.human_output(ctx, agent="sums", output=2)

        settle(ctx)
        with ctx.db.begin() as session:
            session.get_one(Decision, row.id).mark_unsettled()
        settle(ctx)

        assert shadow(ctx) == {"cases": 1}

    def test_one_that_counts_in_no_gate_does_not_either_where_it_is_left_alone(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = factories.decision(ctx)
        factories.human_output(ctx, output="no")
        settle(ctx)
        with ctx.db.begin() as session:
            session.add(
                Label(
                    decision_id=row.id, verdict="agree", severity=None, source="extra_judgement", source_id=new_id(),
                    person="rita", note="", at=ctx.clock.now(),
                )
            )  # fmt: skip
        _break_comparing(monkeypatch)
        factories.human_output(ctx, output="maybe")
        settle(ctx)

        assert (shadow(ctx), decision(ctx, row.id).label) == ({"cases": 1}, None)
        assert_recount_agrees(ctx)


def _break_comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.comparing import Comparison, Kind

    monkeypatch.setattr(settling, "compare", lambda *_, **__: Comparison(Kind.ERROR))


class TestLateVerdicts:
    def test_a_failure_after_agreement_moves_the_case_over(self, ctx: Context, clock: FixedClock) -> None:
        row = factories.decision(ctx)
        factories.human_output(ctx)
        settle(ctx)
        clock.move(timedelta(weeks=3))

        fail(ctx, row)
        settle(ctx)

        kept = decision(ctx, row.id)
        assert shadow(ctx) == {"cases": 1, "overridden": 1, "severe": 1}
        assert (kept.label, kept.label_severity, kept.label_source) == ("override", "severe", "failure")

    @pytest.mark.parametrize(
        ("severity", "also"),
        [("minor", {"minor": 1}), ("major", {}), ("severe", {"severe": 1}), ("critical", {"severe": 1})],
    )
    def test_a_failure_counts_by_its_severity(self, ctx: Context, severity: str, also: dict[str, int]) -> None:
        row = factories.decision(ctx)

        fail(ctx, row, severity)
        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1} | also
        assert_recount_agrees(ctx)

    def test_cases_below_the_threshold_are_counted_without_any_verdict(self, ctx: Context) -> None:
        factories.rollout(ctx, version="v3", phase=Phase.CONFIDENCE, threshold=0.8)
        factories.rollout(ctx, version="v4", phase=Phase.SUPERVISED, threshold=0.8)
        for version in ("v3", "v4"):
            for number, confidence in enumerate((0.9, 0.8, 0.79)):
                factories.decision(ctx, f"c-{number}", version=version, confidence=confidence)
        settle(ctx)

        with ctx.db.read() as session:
            below = [(row.lane, row.low_confidence) for row in session.scalars(select(Total)) if row.low_confidence]
        assert below == [("review", 1)]
        assert_recount_agrees(ctx)

    def test_the_worst_of_several_failures_counts_and_all_are_kept(self, ctx: Context, clock: FixedClock) -> None:
        row = factories.decision(ctx)
        for severity in ("minor", "severe", "minor"):
            clock.move(timedelta(hours=1))
            fail(ctx, row, severity)
        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1, "severe": 1}
        assert len(rows(ctx, Label)) == 3
        assert_recount_agrees(ctx)

    def test_a_minor_failure_makes_nothing_less_of_what_a_reviewer_called_severe(
        self, ctx: Context, clock: FixedClock
    ) -> None:
        reasons = [{"code": "harmful", "words": "It does harm", "severity": "severe"}]
        factories.agent(ctx, "letters", reasons=reasons)
        factories.rollout(ctx, "letters", phase=Phase.SUPERVISED)
        row = factories.decision(ctx, agent="letters")
        rule(ctx, row, "reject", reason_code="harmful")
        clock.move(timedelta(hours=1))
        fail(ctx, row, "minor")
        settle(ctx)

        kept = decision(ctx, row.id)
        assert (kept.label_severity, kept.label_source, kept.counted_as) == ("severe", "review", "severe")
        assert_recount_agrees(ctx)
        fail(ctx, row, "critical")
        settle(ctx)
        assert decision(ctx, row.id).label_source == "failure"
        assert_recount_agrees(ctx)

    def test_rulings_are_counted_by_lane(self, ctx: Context) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SUPERVISED)
        factories.rollout(ctx, version="v3", phase=Phase.FULL, audit_rate=1.0)
        rule(ctx, factories.decision(ctx, "c-1", version="v2"))
        rule(ctx, factories.decision(ctx, "c-2", version="v2"), "edit", output="no")
        rule(ctx, factories.decision(ctx, "c-3", version="v2"), "reject", reason_code="harmful")
        rule(ctx, factories.decision(ctx, "c-4", version="v3"), "reject", reason_code="style")
        rule(ctx, factories.decision(ctx, "c-5", version="v2"), "escalate")

        settle(ctx)

        day = ctx.clock.now().date()
        assert totals(ctx) == {
            ("review", "", day): {"cases": 4, "agreed": 1, "overridden": 2, "severe": 1},
            ("audit", "", day): {"cases": 1, "overridden": 1, "minor": 1},
        }

    def test_a_verdict_given_while_it_is_being_settled_is_not_forgotten(self, ctx: Context) -> None:
        if ctx.db.dialect == "sqlite":
            return  # writers take turns there
        factories.decision(ctx)
        with ctx.db.begin() as late:
            row = late.scalars(select(Decision)).one()
            assert row.unsettled
            settle(ctx)
            service.report_failure(
                late,
                row,
                FailureIn(severity="severe", description="wrong"),
                key=None,
                actor=SYSTEM,
                now=ctx.clock.now(),
            )

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "overridden": 1, "severe": 1}

    def test_settling_leaves_out_what_another_holds_and_finds_it_later(self, ctx: Context) -> None:
        if ctx.db.dialect == "sqlite":
            return  # writers take turns there
        held, free = factories.decision(ctx, "c-1"), factories.decision(ctx, "c-2")
        with ctx.db.begin() as holder:
            holder.get_one(Decision, held.id, with_for_update=True)

            settle(ctx)

            assert (decision(ctx, held.id).unsettled, decision(ctx, free.id).unsettled) == (True, False)
        settle(ctx)
        assert shadow(ctx) == {"cases": 2}


class TestTransaction:
    def test_a_settling_that_fails_counts_nothing_and_is_repeated(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        factories.decision(ctx)
        factories.human_output(ctx)

        def broken(*_: Any) -> None:
            raise RuntimeError("no space left")

        with monkeypatch.context() as patched:
            patched.setattr("rollout.gates.service.count", broken)
            with pytest.raises(RuntimeError):
                settle(ctx)
        assert (totals(ctx), rows(ctx, Label)) == ({}, [])

        settle(ctx)

        assert shadow(ctx) == {"cases": 1, "agreed": 1}


def test_a_failure_reported_twice_with_one_key_is_one(ctx: Context) -> None:
    row = factories.decision(ctx)

    def report(description: str = "wrong") -> bool:
        with ctx.db.begin() as session:
            body = FailureIn(severity="major", description=description)
            found = session.get_one(Decision, row.id)
            return service.report_failure(session, found, body, key="k", actor=SYSTEM, now=ctx.clock.now())[1]

    assert (report(), report()) == (True, False)
    with pytest.raises(Problem):
        report("another")
    assert len(rows(ctx, Label)) == 1
