"""One measurement under two conditions, against the verdicts of our gates."""

import re
from collections.abc import Callable, Iterable

from rollout.domain.gate import judge_gate
from rollout.domain.judge import judge
from rollout.domain.phase import Lane, Phase, Severity
from rollout.domain.totals import Cohort, Totals
from rollout.domain.verdict import WORST_FIRST, Conclusion, Verdict
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.unit.rollout.making import TODAY, counts, gate, plan, plan_with, situation, suite_run, totals

PLAN = plan()
VERDICTS = {
    "Successful": Verdict.PASS,
    "Failed": Verdict.FAIL,
    "Inconclusive": Verdict.INCONCLUSIVE,
    "Error": Verdict.ERROR,
}


def hold(case: Case) -> Divergence | None:
    result = case["result"]
    if isinstance(result, bool):
        return conditions(case)
    if result is None or result == []:
        return nothing(case)
    if isinstance(result, str) and result.lstrip("+-").lower() in {"nan", "inf"}:
        return no_number(case)
    if isinstance(result, list):
        return several(case)
    if isinstance(result, int | float):
        return one_number(case)
    raise Unmapped(case)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    return min(verdicts, key=WORST_FIRST.index)


def conditions(case: Case) -> Divergence | None:
    """A success condition asks for evidence that it is good, a failure condition for evidence that it is bad."""
    success, failure = case["successCondition"], case["failureCondition"]
    metrics = {"override_rate": success, "invalid_output_rate": failure}
    asked = tuple(
        gate(f"{metric}s" if "invalid" in condition else metric) for metric, condition in metrics.items() if condition
    )
    cases = 300 if success == "true" else 40
    seen = totals(cases=cases, invalid_output=cases // 2 if failure == "true" else 0)
    judgement = judge(plan_with(Phase.SUPERVISED, of=PLAN, gates=asked, guardrails=()), situation(totals=seen))
    verdicts = [result.verdict for result in judgement.gates]
    if not asked:
        assert case["expected"] == "Successful"
        assert (judgement.verdict, judgement.reasons[0].code) == (Conclusion.HOLD, "no_gates")
        return Divergence.NOTHING_ASKED
    assert (judgement.verdict is Conclusion.ADVANCE) is (case["expected"] == "Successful" and all(metrics.values()))
    readable = [condition for condition in metrics.values() if condition and "invalid" not in condition]
    assert verdicts.count(Verdict.ERROR) == len(asked) - len(readable)
    if len(readable) < len(asked):  # told as an error of its own, whatever the other condition says
        assert case["expected"] == "Error"
        return None
    if not all(metrics.values()):
        assert worst(verdicts) is Verdict.INCONCLUSIVE
        return Divergence.NOT_SHOWN
    assert worst(verdicts) is VERDICTS[case["expected"]]
    return None


def nothing(case: Case) -> Divergence:
    assert case["expected"] == "Error"
    for phase in Phase:
        judgement = judge(PLAN, situation(phase, totals={}, suite_runs=()))

        assert judgement.verdict is Conclusion.HOLD
        assert {result.verdict for result in judgement.gates} == {Verdict.NO_EVIDENCE}
    return Divergence.NOTHING_CAME


def no_number(case: Case) -> Divergence:
    """Whatever their condition makes of it."""
    assert case["expected"] in VERDICTS
    broken = situation(Phase.EVALUATION, suite_runs=(suite_run(score=float(case["result"])),))
    for asked in (
        gate("suite_score", suite="forms", at_least=0.9),
        gate("suite_regression", suite="forms", at_most=0.01),
    ):
        assert judge_gate(asked, PLAN, broken).verdict is Verdict.ERROR
    return Divergence.NO_NUMBER


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": lambda value, limit: value > limit,
    "<": lambda value, limit: value < limit,
    ">=": lambda value, limit: value >= limit,
    "<=": lambda value, limit: value <= limit,
}


def several(case: Case) -> Divergence | None:
    """Several values are several segments. Ours asks each of them; what is good of one is not good of all."""
    condition = case["successCondition"]
    every = re.fullmatch(r"all\(result, # (>=|<=|>|<) ([0-9.]+)\)", condition)
    any_of = re.fullmatch(r"([0-9.]+) in result", condition)
    if every:
        compared, limit = _COMPARED[every[1]], float(every[2])
        good = [not isinstance(value, int | float) or compared(value, limit) for value in case["result"]]
    elif any_of:
        good = [value == float(any_of[1]) for value in case["result"]]
    else:
        raise Unmapped(case)
    result = judge_gate(gate(segments="each"), PLAN, situation(totals=_segments(good)))
    assert result.verdict is (Verdict.PASS if all(good) else Verdict.FAIL)
    if every:
        assert VERDICTS[case["expected"]] is result.verdict
        return None
    assert case["expected"] == "Successful"
    return None if all(good) else Divergence.WORST_DECIDES


def _segments(good: list[bool]) -> Totals:
    seen = {}
    for number, fine in enumerate(good):
        seen |= totals(cases=300, overridden=0 if fine else 150, segment=str(number))
    return seen | {Cohort(Lane.REVIEW, "0", TODAY): counts(1)}


def one_number(case: Case) -> Divergence | None:
    """A number that is on its limit is good."""
    if not re.fullmatch(r"result == [0-9]+", case["successCondition"]):
        raise Unmapped(case)
    limit = int(case["successCondition"].split()[-1])
    seen = situation(open_failures={Severity.CRITICAL: case["result"]})
    result = judge_gate(gate("open_critical_failures", at_most=limit), PLAN, seen)
    assert result.verdict is VERDICTS[case["expected"]]
    return None


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("argo.evaluate_result"):
        hold(case)


def test_no_counts_carry_a_pass_and_a_fail_at_once() -> None:
    """Their two conditions may both hold; our two sides of a limit cannot."""
    for bad in range(0, 300, 3):
        judged = judge_gate(gate(), PLAN, situation(totals=totals(cases=300, overridden=bad)))
        assert judged.log_e is not None
        assert judged.log_e_against is not None
        assert min(judged.log_e, judged.log_e_against) < 0
