"""Plans that could pass without evidence, or never pass, are refused with the reason and what would mend it."""

from typing import Any

import pytest

from rollout.domain.phase import Phase
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from tests.unit.rollout.making import plan_data


def told(data: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(PlanInvalid) as refused:
        plan_from_data(data)
    assert all(problem.mend for problem in refused.value.problems)
    return [(problem.place, problem.problem) for problem in refused.value.problems]


def with_gate(phase: Phase = Phase.SUPERVISED, **fields: Any) -> dict[str, Any]:
    """A plan in which one more gate stands, after the good one."""
    data = plan_data()
    data["phases"][phase]["gates"].append({"name": "more", **fields})
    return data


def with_guardrail(phase: Phase = Phase.SUPERVISED, **fields: Any) -> dict[str, Any]:
    data = plan_data()
    data["phases"][phase]["guardrails"].append({"name": "more", **fields})
    return data


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"at_most": 0}, "at_most", "at most 0 can never be shown"),
        ({"at_most": 1}, "at_most", "at most 1 passes whatever happens"),
        ({"at_most": 4}, "at_most", "4 is not a share between 0 and 1"),
        ({"at_most": -0.1}, "at_most", "-0.1 is not a share"),
        ({"at_most": 1e-9}, "at_most", "needs 4,189,235,358 cases without a bad one, so it would never pass"),
        ({"at_least": 0.9}, "at_least", "for override_rate less is better, so the limit is at_most"),
        ({"at_most": 0.1, "at_least": 0.05}, "at_least", "one gate has one limit, and here are two"),
        ({"at_most": 0.05, "at_least": 0.1}, "at_least", "no value is at most 0.05 and at least 0.1; this could never"),
        ({}, "", "a gate without a limit would pass without evidence"),
        ({"at_most": 0.05, "minimum_cases": 0}, "minimum_cases", "a gate on 0 cases could pass without evidence"),
        ({"at_most": 0.05, "minimum_cases": -5}, "minimum_cases", "a gate on -5 cases could pass"),
        ({"at_most": 0.05, "minimum_cases": 10**8}, "minimum_cases", "nobody waits for 100,000,000 cases"),
        ({"at_most": 0.05, "confidence": 0.5}, "confidence", "no better than a coin"),
        ({"at_most": 0.05, "confidence": 0}, "confidence", "no better than a coin"),
        ({"at_most": 0.05, "confidence": 1}, "confidence", "nothing is ever that certain; this could never pass"),
        ({"at_most": 0.05, "confidence": 95}, "confidence", "95 is more than 1"),
        ({"at_most": 0.05, "confidence": 950}, "confidence", "nothing is ever that certain"),
        ({"at_most": 0.05, "segments": []}, "segments", "no segment is listed, so nothing would be judged"),
        ({"at_most": 0.05, "segments": ["a", "b", "a"]}, "segments", 'the segment "a" is listed 2 times'),
        ({"at_most": 0.05, "suite": "forms"}, "suite", "override_rate is not measured on a suite"),
    ],
)
def test_gates_on_rates(fields: dict[str, Any], field: str, reason: str) -> None:
    problems = told(with_gate(metric="override_rate", **fields))

    assert len(problems) == 1
    place, problem = problems[0]
    assert place == f"phases.supervised.gates[1]{field and '.'}{field}"
    assert reason in problem


@pytest.mark.parametrize(
    ("at_least", "reason"),
    [(1, "at least 1 can never be shown"), (0, "at least 0 passes whatever happens"), (90, "90 is not a share")],
)
def test_gates_on_rates_where_more_is_better(at_least: float, reason: str) -> None:
    problems = told(with_gate(Phase.SHADOW, metric="agreement_rate", at_least=at_least))

    assert [reason in problem for _, problem in problems] == [True]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"metric": "suite_score", "at_least": 0.9}, "", "suite_score without a suite has nothing to score"),
        ({"metric": "suite_score", "suite": "s", "at_least": 0}, "at_least", "every score passes"),
        ({"metric": "suite_score", "suite": "s", "at_least": 1.1}, "at_least", "no score passes"),
        (
            {"metric": "suite_score", "suite": "s", "at_most": 0.9},
            "at_most",
            "more is better, so the limit is",
        ),
        ({"metric": "suite_regression", "suite": "s", "at_most": 1}, "at_most", "every drop passes"),
        ({"metric": "suite_regression", "suite": "s", "at_most": -0.1}, "at_most", "even an equal score fails"),
        ({"metric": "suite_score", "suite": "s", "at_least": 0.9, "confidence": 0.9}, "confidence", "is not a rate"),
        ({"metric": "suite_score", "suite": "s", "at_least": 0.9, "segments": "each"}, "segments", "is not a rate"),
        ({"metric": "suite_score", "suite": "s", "at_least": 0.9, "minimum_cases": 0}, "minimum_cases", "on 0 cases"),
        ({"metric": "days_in_phase", "at_least": 0}, "at_least", "a gate of no days passes at once"),
        ({"metric": "days_in_phase", "at_least": 1.5}, "at_least", "days_in_phase is a whole number, and 1.5 is not"),
        ({"metric": "open_critical_failures", "at_most": -1}, "at_most", "is a whole number, and -1 is not"),
        ({"metric": "overide_rate", "at_most": 0.1}, "metric", 'there is no metric "overide_rate"'),
        ({"metric": "zzzz", "at_most": 0.1}, "metric", 'there is no metric "zzzz"'),
        ({"metric": "error_rate", "at_most": 0.1}, "metric", "nothing is measured for error_rate in supervised"),
    ],
)
def test_gates_on_other_things(fields: dict[str, Any], field: str, reason: str) -> None:
    problems = told(with_gate(**fields))

    assert len(problems) == 1
    assert problems[0][0] == f"phases.supervised.gates[1]{field and '.'}{field}"
    assert reason in problems[0][1]


def test_good_gates_of_every_kind_are_taken() -> None:
    data = plan_data()
    data["phases"]["supervised"]["gates"] += [
        {"metric": "suite_score", "suite": "s", "at_least": 1},
        {"metric": "suite_regression", "suite": "s", "at_most": 0},
        {"metric": "days_in_phase", "at_least": 1},
        {"metric": "open_critical_failures", "at_most": 0},
        {"name": "by segment", "metric": "override_rate", "at_most": 0.2, "segments": ["a", ""], "confidence": 0.51},
    ]

    assert len(plan_from_data(data).phase(Phase.SUPERVISED).gates) == 6


@pytest.mark.parametrize("metric", ["override_rate", "severe_override_rate", "error_rate", "severe_error_rate"])
def test_a_lane_that_a_phase_does_not_have_is_no_gate_for_it(metric: str) -> None:
    problems = told(with_gate(Phase.SHADOW, metric=metric, at_most=0.1))

    assert f"nothing is measured for {metric} in shadow" in problems[0][1]


def test_what_only_describes_is_no_gate_and_no_guardrail() -> None:
    assert "says how much is automated" in told(with_gate(metric="automation_rate", at_least=0.1))[0][1]
    assert "says how much is automated" in told(with_guardrail(metric="automation_rate", at_most=0.1))[0][1]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"metric": "override_rate", "at_most": 0}, "at_most", "can never be shown"),
        ({"metric": "override_rate", "at_most": 1}, "at_most", "passes whatever happens"),
        ({"metric": "override_rate", "at_most": 0.01}, "at_most", "contradicts the gate override_rate"),
        ({"metric": "override_rate", "at_most": 0.1, "false_alarm_days": 1}, "false_alarm_days", "fire by chance"),
        ({"metric": "override_rate", "at_most": 0.1, "false_alarm_days": 1e9}, "false_alarm_days", "or never"),
        ({"metric": "open_critical_failures", "at_most": 0.5}, "at_most", "is a whole number"),
        (
            {"metric": "open_critical_failures", "at_most": 0, "false_alarm_days": 100},
            "false_alarm_days",
            "is counted, so it has no false alarms",
        ),
        ({"metric": "days_in_phase", "at_most": 3}, "metric", "cannot be a guardrail: it does not measure harm"),
        ({"metric": "suite_score", "at_most": 0.5}, "metric", "cannot be a guardrail"),
        ({"metric": "overide_rate", "at_most": 0.1}, "metric", 'there is no metric "overide_rate"'),
    ],
)
def test_guardrails(fields: dict[str, Any], field: str, reason: str) -> None:
    problems = told(with_guardrail(**fields))

    assert len(problems) == 1
    assert problems[0][0] == f"phases.supervised.guardrails[2].{field}"
    assert reason in problems[0][1]


def test_a_guardrail_may_be_as_strict_as_the_gate() -> None:
    assert plan_from_data(with_guardrail(metric="override_rate", at_most=0.05))


@pytest.mark.parametrize(
    ("ramp", "reasons"),
    [
        ([], ["the ramp has no step, so the phase could never be left"]),
        ([0.5], ["the ramp ends at 0.5, so the phase could never be left"]),
        ([0.5, 0.5, 1], ["the ramp does not grow from 0.5 to 0.5"]),
        ([0.5, 0.2, 1], ["the ramp does not grow from 0.5 to 0.2"]),
        ([0, 1], ["a share of 0 is not between 0 and 1"]),
        ([5, 100], ["a share of 5 is not between 0 and 1", "a share of 100 is not between 0 and 1"]),
        ([*(step / 100 for step in range(1, 25)), 1], ["the ramp has 25 steps"]),
    ],
)
def test_ramps(ramp: list[float], reasons: list[str]) -> None:
    data = plan_data()
    data["phases"]["confidence"]["ramp"] = ramp

    assert [problem for _, problem in told(data)] == reasons


@pytest.mark.parametrize("phase", [Phase.EVALUATION, Phase.SHADOW, Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL])
def test_a_phase_that_can_be_passed_without_a_gate(phase: Phase) -> None:
    data = plan_data()
    data["phases"][phase]["gates"] = []

    assert told(data)[0] == (
        f"phases.{phase}.gates",
        f"{phase} has no gate on how good the work is, so it could be passed without evidence",
    )


@pytest.mark.parametrize(
    "gates",
    [
        pytest.param([{"metric": "days_in_phase", "at_least": 30}], id="time alone"),
        pytest.param([{"metric": "open_critical_failures", "at_most": 0}], id="no failures alone"),
        pytest.param([{"metric": "invalid_output_rate", "at_most": 0.1}], id="a fitting schema alone"),
    ],
)
def test_a_phase_whose_gates_say_nothing_of_the_work(gates: list[dict[str, Any]]) -> None:
    data = plan_data()
    data["phases"]["confidence"]["gates"] = gates

    assert "could be passed without evidence" in told(data)[0][1]


def test_evaluation_without_a_suite() -> None:
    data = plan_data()
    data["phases"]["evaluation"]["gates"] = [{"metric": "invalid_output_rate", "at_most": 0.01}]

    with pytest.raises(PlanInvalid) as refused:
        plan_from_data(data)

    assert refused.value.problems[0].mend == "add a gate on suite_score or suite_regression"


def test_full_without_a_ramp_needs_no_gate() -> None:
    data = plan_data()
    data["phases"]["full"] |= {"ramp": [1], "gates": []}

    assert plan_from_data(data).phase(Phase.FULL).gates == ()


@pytest.mark.parametrize("phase", [Phase.CONFIDENCE, Phase.FULL])
def test_autonomy_without_a_guardrail(phase: Phase) -> None:
    data = plan_data()
    del data["phases"][phase]["guardrails"]

    assert told(data) == [
        (
            f"phases.{phase}",
            f"{phase} has no guardrail, so harm done without a person would not take autonomy away",
        )
    ] or told(data)[0][0].startswith(f"phases.{phase}")


def test_two_gates_of_one_name() -> None:
    assert told(with_gate(metric="override_rate", name="override_rate", at_most=0.1)) == [
        ("phases.supervised.gates[1]", 'two gates of this phase are called "override_rate"')
    ]


@pytest.mark.parametrize(
    ("window", "place", "reason"),
    [
        (
            {"from": "09:00", "to": "17:00", "days": []},
            "days",
            "the window names no day, so nothing could ever",
        ),
        ({"from": "09:00", "to": "09:00"}, "to", "the window is empty: it opens at 09:00 and closes at 09:00"),
        ({"from": "22:00", "to": "06:00"}, "to", "the window is empty: it opens at 22:00"),
        ({"from": "09:00", "to": "17:00", "timezone": "Mars/Base"}, "timezone", 'there is no time zone "Mars/Base"'),
        ({"from": "09:00", "to": "17:00", "timezone": "../etc"}, "timezone", "there is no time zone"),
        ({"from": "09:00", "to": "17:00", "timezone": "Europe"}, "timezone", "there is no time zone"),
    ],
)
def test_windows_that_never_open(window: dict[str, Any], place: str, reason: str) -> None:
    problems = told(plan_data(windows=[window]))

    assert problems[0][0] == f"windows[0].{place}"
    assert reason in problems[0][1]


def test_two_questions_with_one_key() -> None:
    item = {"key": "runbook", "category": "operations", "question": "Tried?"}
    data = plan_data()
    data["phases"]["shadow"]["readiness"] = [item]
    data["phases"]["full"]["readiness"] = [item]

    assert told(data) == [("phases.full.readiness[0].key", 'the key "runbook" stands twice')]


def test_nobody_signs_for_evaluation() -> None:
    problems = told(plan_data(approvals={"second_person_for": ["full", "evaluation"]}))

    assert problems[0][0] == "approvals.second_person_for[1]"


def test_a_small_change_does_not_start_in_full() -> None:
    assert "full autonomy without any evidence" in told(plan_data(small_change_may_start_in="full"))[0][1]
    assert plan_from_data(plan_data(small_change_may_start_in="confidence"))


def test_the_owner_cannot_be_left_out() -> None:
    assert told(plan_data(approvals={"owner": False}))[0][0] == "approvals.owner"
