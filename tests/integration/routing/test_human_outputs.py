"""What people did, posted by several callers at once and again after a lost answer."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi.testclient import TestClient
from phasegate_client import Phasegate, Refused
from sqlalchemy import func, select

from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.failures.tables import Failure
from routing.cases import queries, repeats, service
from routing.cases.repeats import KeyDiffers
from routing.cases.schemas import FailureIn, HumanOutputIn, HumanOutputStored
from routing.cases.service import ReportDiffers
from routing.cases.tables import HumanOutput, Label
from tests import factories
from tests.racing import together
from web_app import create_app


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


def keyed(ctx: Context, key: str, *given: tuple[str, Any], agent: str = "claims") -> list[HumanOutputStored]:
    items = [HumanOutputIn(case_id=case_id, output=output) for case_id, output in given]
    with ctx.db.begin() as session:
        actor, now = factories.SYSTEM, ctx.clock.now()
        return repeats.add_human_outputs(session, agent, items, key=key, actor=actor, now=now)


class TestKeys:
    def test_a_repeat_is_answered_as_before_and_overwrites_no_correction(self, ctx: Context) -> None:
        first = keyed(ctx, "one", ("c-1", "a"), ("c-2", "x"), ("c-1", "b"))
        same = keyed(ctx, "two", ("c-1", "b"))
        add(ctx, ("c-1", "by another process"))

        assert keyed(ctx, "one", ("c-1", "a"), ("c-2", "x"), ("c-1", "b")) == first
        assert keyed(ctx, "two", ("c-1", "b")) == same
        assert [found.status for found in first + same] == ["created", "created", "corrected", "unchanged"]
        assert [output for _, output, superseded in history(ctx) if not superseded] == ["by another process"]
        assert (len(history(ctx)), len(history(ctx, "c-2"))) == (3, 1)

    def test_other_human_outputs_with_it_are_refused_and_not_stored(self, ctx: Context) -> None:
        keyed(ctx, "one", ("c-1", "a"))

        for other in [("c-1", "b")], [("c-2", "a")], [("c-1", "a"), ("c-2", "a")]:
            with pytest.raises(KeyDiffers):
                keyed(ctx, "one", *other)
        assert count(ctx, HumanOutput) == 1

    def test_of_twins_one_is_stored_and_all_get_its_answer(self, ctx: Context) -> None:
        results = together(*[lambda: keyed(ctx, "one", ("c-1", "a"), ("c-1", "b"))] * 6)

        assert [found.status for found in results[0]] == ["created", "corrected"]
        assert results == [results[0]] * 6
        assert len(history(ctx)) == 2

    def test_another_agent_may_have_the_same_one(self, ctx: Context) -> None:
        factories.agent(ctx, "refunds")
        mine, theirs = keyed(ctx, "one", ("c-1", "a")), keyed(ctx, "one", ("c-1", "b"), agent="refunds")

        assert (mine[0].status, theirs[0].status) == ("created", "created")

    def test_what_came_to_nothing_does_not_use_it_up(self, ctx: Context) -> None:
        items, now = [HumanOutputIn(case_id="c-1", output="a")], ctx.clock.now()
        with ctx.db.begin() as session:
            repeats.add_human_outputs(session, "claims", items, key="one", actor=factories.SYSTEM, now=now)
            session.rollback()

        assert keyed(ctx, "one", ("c-1", "b"))[0].status == "created"

    def test_it_is_known_for_thirty_days(self, ctx: Context, clock: FixedClock) -> None:
        keyed(ctx, "one", ("c-1", "a"))
        clock.move(timedelta(days=29))
        keyed(ctx, "two", ("c-1", "b"))
        assert REGISTRY["routing.forget_keys"].run(ctx) == 0

        clock.move(timedelta(days=2))

        assert REGISTRY["routing.forget_keys"].run(ctx) == 1
        assert keyed(ctx, "two", ("c-1", "b"))[0].revision == 2
        assert keyed(ctx, "one", ("c-1", "a"))[0].revision == 3

    def test_over_http_it_is_a_header_and_the_client_sends_one(self, ctx: Context, tmp_path: Path) -> None:
        """An agent's client whose answer is lost, while another process corrects the case."""
        with TestClient(create_app(ctx), headers=factories.bearer(ctx, agent="claims")) as web:
            lost: list[int] = []

            def relay(request: httpx2.Request) -> httpx2.Response:
                answer = web.post(request.url.path, content=request.content, headers=dict(request.headers))
                if not lost:
                    lost.append(answer.status_code)
                    web.post(request.url.path, json={"case_id": "c-1", "output": "by another process"})
                    raise httpx2.ReadError("the answer was lost")
                return httpx2.Response(answer.status_code, content=answer.content)

            transport, key = httpx2.MockTransport(relay), factories.key(ctx, agent="claims")[1]
            with Phasegate(
                "http://house", key, agent="claims", timeout=30, transport=transport, spool=tmp_path
            ) as agent:
                told = agent.human_output("c-1", "a")
                agent.human_output("c-2", "b", key="one")
                with pytest.raises(Refused, match="another request"):
                    agent.human_output("c-2", "c", key="one")

        assert (lost, told.status, told.revision) == ([201], "created", 1)
        assert history(ctx) == [(1, "a", True), (2, "by another process", False)]
        assert history(ctx, "c-2") == [(1, "b", False)]


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
