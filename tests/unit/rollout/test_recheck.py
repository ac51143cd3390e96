import json
from typing import Any

import pytest

from rollout.domain.judge import judge
from rollout.domain.phase import Lane, Phase, Severity
from rollout.domain.recheck import recheck, recheck_guardrail
from tests.unit.rollout.making import gate, guardrail, harm, plan_with, situation, suite_run, totals

GATES = (
    gate(),
    gate("severe_override_rate", at_most=0.02),
    gate(name="by segment", segments="each"),
    gate("suite_score", suite="forms", at_least=0.9),
    gate("suite_regression", suite="forms", at_most=0.01),
    gate("open_critical_failures", at_most=0),
    gate("days_in_phase", at_least=30),
    gate("overide_rate"),
)
GUARDRAILS = (guardrail(), guardrail("open_critical_failures", at_most=0), guardrail("error_rate"))
PLAN = plan_with(Phase.SUPERVISED, gates=GATES, guardrails=GUARDRAILS)

SITUATIONS = [
    pytest.param(situation(), id="all is well"),
    pytest.param(situation(totals=totals(cases=30)), id="few cases"),
    pytest.param(situation(totals=harm(Lane.REVIEW)), id="harm"),
    pytest.param(situation(totals=totals(cases=300, overridden=60)), id="settled harm"),
    pytest.param(situation(totals={}), id="no cases"),
    pytest.param(situation(totals=totals(cases=300, pending=300)), id="no verdicts"),
    pytest.param(situation(totals=totals(cases=300, overridden=20, pending=30)), id="some verdicts"),
    pytest.param(situation(open_failures={Severity.CRITICAL: 1}), id="a critical failure"),
    pytest.param(situation(suite_runs=(suite_run(score=0.5),)), id="a bad run"),
]


def stored(of: Any) -> dict[str, Any]:
    """As it comes back from the database, years later."""
    record: dict[str, Any] = json.loads(json.dumps(of.to_dict(), allow_nan=False))
    return record


@pytest.mark.parametrize("known", SITUATIONS)
def test_every_verdict_follows_from_its_own_record(known: Any) -> None:
    record = stored(judge(PLAN, known))

    assert all(recheck(result) for result in record["gates"])
    assert all(recheck_guardrail(result) for result in record["guardrails"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("bad", 40), ("cases", 90), ("limit", 0.001), ("confidence", 0.99999999), ("minimum_cases", 1000), ("bound", 0.01),
     ("log_e", 99.0), ("verdict", "fail"), ("direction", "at_least")],
)  # fmt: skip
def test_an_altered_gate_does_not_agree_with_itself(field: str, value: Any) -> None:
    record = stored(judge(PLAN, situation()).gates[0])

    assert recheck(record)
    assert not recheck(record | {field: value})


def test_an_altered_segment_is_found() -> None:
    record = stored(judge(PLAN, situation()).gates[2])
    record["segments"][0]["bad"] += 50

    assert not recheck(record)


def test_a_pass_over_a_failed_segment_is_found() -> None:
    record = stored(judge(PLAN, situation(totals=totals(cases=300, overridden=60))).gates[2])

    assert recheck(record)
    assert not recheck(record | {"verdict": "pass"})


@pytest.mark.parametrize("index", [3, 5, 6])
def test_an_altered_value_is_found(index: int) -> None:
    record = stored(judge(PLAN, situation()).gates[index])

    assert recheck(record)
    assert not recheck(record | {"verdict": "fail"})


def test_an_altered_guardrail_does_not_agree_with_itself() -> None:
    fired = stored(judge(PLAN, situation(totals=harm(Lane.REVIEW))).guardrails[0])

    assert recheck_guardrail(fired)
    assert not recheck_guardrail(fired | {"breached": False})
    assert not recheck_guardrail(fired | {"verdict": "pass"})
    assert not recheck_guardrail(fired | {"days": fired["days"][1:] or [["2026-11-22", 0, 1]]})
    assert not recheck_guardrail(fired | {"alarm_at": 1e9})


def test_a_breach_without_evidence_is_found() -> None:
    record = stored(judge(PLAN, situation()).guardrails[2])

    assert recheck_guardrail(record)
    assert not recheck_guardrail(record | {"breached": True})


def test_a_counted_breach_is_recomputed() -> None:
    record = stored(judge(PLAN, situation()).guardrails[1])

    assert recheck_guardrail(record)
    assert not recheck_guardrail(record | {"value": 3})
