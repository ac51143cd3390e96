"""Suites, runs on them, and failures that become their cases."""

import json
from typing import Any

import pytest

from kit.context import Context
from kit.errors import Forbidden, Invalid
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import AgentSettings
from rollout.evaluation import queries, service
from rollout.evaluation.jsonl import SuiteInvalid
from rollout.evaluation.service import AlreadyLearned, NothingToLearn
from rollout.evaluation.tables import EvaluationRun, Suite
from rollout.failures import queries as failure_queries
from rollout.failures import service as failures
from rollout.failures.tables import Failure
from rollout.versions import queries as version_queries
from tests.integration.rollout.house import RITA, House, build


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx)
    house.register()
    return house


def store(house: House, *lines: Any, name: str = "edge", by: Any = None) -> tuple[Suite, bool]:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    with house.ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "reader")
        return service.store(session, agent, name, raw, actor=by or house.erin, now=house.clock.now())


def run(house: House, outputs: dict[str, Any], version: str = "v1", suite: str = "edge") -> EvaluationRun:
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", version)
        found = queries.get_suite(session, "reader", suite)
        return service.run(session, rollout, found, outputs, actor=house.erin, now=house.clock.now())


def report(house: House, **more: Any) -> Failure:
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        fields = {"severity": "major", "description": "it misread a seven", "shown_input": {"image": 7}} | more
        return failures.report(
            session, agent="reader", version="v1", rollout_id=rollout.id, actor=house.erin,
            now=house.clock.now(), **fields,
        )  # fmt: skip


def learn(house: House, failure: Failure, **more: Any) -> Suite:
    with house.ctx.db.begin() as session:
        found = failure_queries.get_failure(session, failure.id)
        return service.learn(session, found, "edge", actor=house.erin, now=house.clock.now(), **more)


def test_a_suite_is_stored_in_the_order_of_the_file(house: House) -> None:
    suite, is_new = store(
        house, {"id": "b", "input": 1, "expected": 2, "tags": ["easy"]}, b"", {"input": None, "expected": None}
    )

    assert (is_new, suite.revision, suite.cases) == (True, 1, 2)
    with house.ctx.db.read() as session:
        rows = queries.suite_cases(session, suite.id)
        assert [(row.key, row.input, row.expected, row.tags) for row in rows] == [
            ("b", 1, 2, ["easy"]),
            ("case-2", None, None, []),
        ]


def test_the_same_cases_again_are_no_new_revision_and_other_cases_are(house: House) -> None:
    line = {"id": "a", "input": 1, "expected": 2}
    first, _ = store(house, line)

    again, is_new = store(house, line)
    other, _ = store(house, line | {"expected": 3})

    assert (again.id, is_new) == (first.id, False)
    assert (other.revision, first.revision) == (2, 1)


def test_every_broken_line_is_told_by_its_number_and_nothing_is_stored(house: House) -> None:
    good = {"id": "a", "input": 1, "expected": 2}

    with pytest.raises(SuiteInvalid) as refused:
        store(
            house, good, b"{", b"[]", {"input": 1}, {**good, "expcted": 1}, good, b'{"a": 1, "a": 2}', b"\xff",
            {"id": 7, "input": 1, "expected": 1}, {"input": 1, "expected": 1, "tags": "x"},
        )  # fmt: skip

    told = [place.place for place in refused.value.places]
    assert [place.split(":")[0] for place in told] == [f"line {number}" for number in range(2, 11)]
    assert told[0] == "line 2: column 2"
    assert told[2] == "line 4: expected"
    assert told[3] == "line 5: expcted"
    assert "9 lines" in refused.value.detail
    with house.ctx.db.read() as session:
        assert queries.newest_suite(session, "reader", "edge") is None


@pytest.mark.parametrize("raw", [b"", b"\n \n"], ids=["nothing", "blank lines"])
def test_a_suite_without_cases_proves_nothing(house: House, raw: bytes) -> None:
    with pytest.raises(SuiteInvalid, match="no case"):
        store(house, raw)


def test_a_reviewer_does_not_store_suites(house: House) -> None:
    with pytest.raises(Forbidden):
        store(house, {"input": 1, "expected": 1}, by=RITA)


def test_a_missing_output_counts_as_wrong(house: House) -> None:
    store(house, *({"id": name, "input": 1, "expected": 2} for name in "abcd"))

    made = run(house, {"a": 2, "b": 2, "c": 3})

    assert (made.cases, made.equal, made.missing, made.score) == (4, 2, 1, 0.5)
    assert [(failed["case"], failed["kind"]) for failed in made.failed_cases] == [("c", "different"), ("d", "missing")]


def test_outputs_of_cases_nobody_knows_are_refused(house: House) -> None:
    store(house, {"id": "a", "input": 1, "expected": 2})

    with pytest.raises(Invalid, match='no case "x"'):
        run(house, {"a": 2, "x": 2})


def test_a_run_compares_as_the_agent_does_and_counts_what_does_not_fit_its_schema(house: House) -> None:
    with house.ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "reader")
        wanted = agents.as_edited(agent)
        wanted.settings = AgentSettings(
            output_schema={"type": "object", "required": ["total"]},
            comparison={"fields": {"/total": {"compare": "number", "absolute": 0.5}}, "ignore": ["/id"]},
        )
        agents.change(session, agent, wanted, actor=house.erin, now=house.clock.now())
    store(house, *({"id": name, "input": 1, "expected": {"total": 10, "id": 1}} for name in "abc"))

    made = run(house, {"a": {"total": 10.4, "id": 2}, "b": {"total": 11}, "c": "ten"})

    assert (made.equal, made.invalid, made.missing) == (1, 1, 0)
    assert made.failed_cases[0]["differences"][0]["path"] == "/total"


def test_the_first_run_has_no_baseline_and_the_next_of_the_stable_version_has(house: House) -> None:
    store(house, *({"id": name, "input": 1, "expected": 2} for name in "ab"))

    first, second = run(house, {"a": 2, "b": 2}), run(house, {"a": 2})

    assert (first.baseline_run_id, first.baseline_score) == (None, None)
    assert (second.baseline_run_id, second.baseline_score) == (first.id, 1.0)


def test_a_candidate_is_measured_against_the_stable_version_on_the_same_cases(house: House) -> None:
    house.register("v2")
    line = {"id": "a", "input": 1, "expected": 2}
    store(house, line)
    stable = run(house, {"a": 2})

    against = run(house, {"a": 3}, "v2")
    store(house, line, {"id": "b", "input": 1, "expected": 2})
    on_other_cases = run(house, {"a": 2}, "v2")

    assert (against.baseline_run_id, against.baseline_score, against.score) == (stable.id, 1.0, 0.0)
    assert on_other_cases.baseline_run_id is None


def test_a_run_on_an_older_suite_no_longer_carries_the_gate(house: House) -> None:
    house.run()
    before = house.look()
    house.suite(cases=11)

    after = house.look()

    assert (before.verdict, after.verdict) == ("advance", "hold")
    assert "has changed since its last run" in after.body["gates"][0]["words"]


def test_a_failure_becomes_a_case_of_a_new_revision(house: House) -> None:
    store(house, {"id": "a", "input": 1, "expected": 2})
    failure = report(house, correct_output={"digit": 7})

    suite = learn(house, failure)

    assert (suite.revision, suite.cases) == (2, 2)
    with house.ctx.db.read() as session:
        row = queries.suite_cases(session, suite.id)[-1]
        assert (row.key, row.input, row.expected, row.tags) == (
            f"failure-{failure.id}",
            {"image": 7},
            {"digit": 7},
            ["failure"],
        )
        assert failure_queries.get_failure(session, failure.id).suite == "edge"


def test_a_failure_begins_a_suite_where_there_is_none(house: House) -> None:
    assert learn(house, report(house), correct_output=7).revision == 1


def test_a_suite_learns_a_failure_once(house: House) -> None:
    failure = report(house, correct_output=7)
    learn(house, failure)

    with pytest.raises(AlreadyLearned):
        learn(house, failure)


@pytest.mark.parametrize("known", [{}, {"correct_output": 7, "shown_input": None}], ids=["no right answer", "no input"])
def test_a_failure_without_an_answer_or_input_teaches_nothing(house: House, known: dict[str, Any]) -> None:
    failure = report(house, **known)

    with pytest.raises(NothingToLearn):
        learn(house, failure)
