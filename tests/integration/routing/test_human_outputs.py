"""What people did, posted by several callers at once."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from governance.audit.tables import AuditEvent
from kit.context import Context
from rollout.failures.tables import Failure
from routing.cases import queries, service
from routing.cases.schemas import FailureIn, HumanOutputIn, HumanOutputStored
from routing.cases.service import ReportDiffers
from routing.cases.tables import HumanOutput, Label
from tests import factories
from tests.racing import together


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)


def add(ctx: Context, *given: tuple[str, Any]) -> list[HumanOutputStored]:
    items = [HumanOutputIn(case_id=case_id, output=output) for case_id, output in given]
    with ctx.db.begin() as session:
        return service.add_human_outputs(session, "claims", items, actor=factories.SYSTEM, now=ctx.clock.now())


def history(ctx: Context, case_id: str = "c-1") -> list[tuple[int, Any, bool]]:
    with ctx.db.read() as session:
        rows = queries.human_outputs_of_case(session, "claims", case_id)
        return [(row.revision, row.output, row.superseded) for row in rows]


def count(ctx: Context, table: Any, *where: Any) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


class TestBatch:
    def test_takes_one_case_several_times_in_its_order(self, ctx: Context) -> None:
        results = add(ctx, ("c-1", "a"), ("c-2", "x"), ("c-1", "a"), ("c-1", "b"), ("c-1", "b"), ("c-1", "a"))

        assert [(found.case_id, found.revision, found.status) for found in results] == [
            ("c-1", 1, "created"),
            ("c-2", 1, "created"),
            ("c-1", 1, "unchanged"),
            ("c-1", 2, "corrected"),
            ("c-1", 2, "unchanged"),
            ("c-1", 3, "corrected"),
        ]
        assert history(ctx) == [(1, "a", True), (2, "b", True), (3, "a", False)]
        assert count(ctx, AuditEvent, AuditEvent.verb.startswith("human_output.")) == 4

    @pytest.mark.parametrize("output", [None, 0, "", [], {}, 12.0])
    def test_knows_every_output_again(self, ctx: Context, output: Any) -> None:
        first, again = add(ctx, ("c-1", output)), add(ctx, ("c-1", output))

        assert (again[0].id, again[0].status) == (first[0].id, "unchanged")


class TestRaces:
    def test_twins_are_stored_once_and_all_are_answered(self, ctx: Context) -> None:
        results = [found[0] for found in together(*[lambda: add(ctx, ("c-1", "yes"))] * 8)]

        assert sorted(found.status for found in results) == ["created"] + ["unchanged"] * 7
        assert len({found.id for found in results}) == 1
        assert history(ctx) == [(1, "yes", False)]

    def test_different_ones_correct_each_other(self, ctx: Context) -> None:
        results = [found[0] for found in together(*[lambda n=n: add(ctx, ("c-1", n)) for n in range(6)])]

        assert sorted(found.revision for found in results) == [1, 2, 3, 4, 5, 6]
        assert [superseded for _, _, superseded in history(ctx)] == [True] * 5 + [False]

    def test_one_twin_does_not_refuse_a_whole_batch(self, ctx: Context) -> None:
        given = [(f"c-{n}", "yes") for n in range(50)]

        results = together(*[lambda: add(ctx, *given), lambda: add(ctx, *reversed(given))] * 3)

        assert not [found for found in results if isinstance(found, Exception)]
        statuses = [one.status for found in results for one in found]
        assert (statuses.count("created"), statuses.count("unchanged")) == (50, 250)
        assert count(ctx, HumanOutput) == 50


class TestReportedFailure:
    @staticmethod
    def report(ctx: Context, decision_id: UUID, description: str = "it paid twice") -> tuple[Failure, bool]:
        body = FailureIn(severity="major", description=description)
        with ctx.db.begin() as session:
            row = queries.get_decision(session, decision_id)
            return service.report_failure(
                session, row, body, key="one key", actor=factories.SYSTEM, now=ctx.clock.now()
            )

    def test_the_same_from_many_threads_is_one(self, ctx: Context) -> None:
        decision = factories.decision(ctx)

        results = together(*[lambda: self.report(ctx, decision.id)] * 6)

        assert sorted(new for _, new in results) == [False] * 5 + [True]
        assert len({failure.id for failure, _ in results}) == 1
        assert (count(ctx, Failure), count(ctx, Label, Label.source == "failure")) == (1, 1)

    def test_of_two_different_ones_with_one_key_the_second_is_told(self, ctx: Context) -> None:
        decision = factories.decision(ctx)

        results = together(*[lambda n=n: self.report(ctx, decision.id, f"it went wrong {n}") for n in range(4)])

        assert [type(found) for found in results].count(ReportDiffers) == 3
