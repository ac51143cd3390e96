"""
Recomputes a stored verdict from its own record, years later: from the counts and parameters in it, nothing else.

A record that was altered in one number, or written by rules that have changed since, does not agree with itself.
"""

import math
from collections.abc import Mapping
from typing import Any

from evidence import sequences
from rollout.domain.guardrail import fires
from rollout.domain.metrics import Direction, Kind, Rate
from rollout.domain.rate_gate import Asked, weigh
from rollout.domain.verdict import WORST_FIRST, Verdict

Record = Mapping[str, Any]

_UNJUDGED = {Verdict.NO_EVIDENCE, Verdict.ERROR}


def recheck(gate: Record) -> bool:
    """Whether the verdict of a gate follows from its record (`GateResult.to_dict()`)."""
    verdict = Verdict(gate["verdict"])
    if gate["segments"]:
        worst = min((Verdict(inner["verdict"]) for inner in gate["segments"]), key=WORST_FIRST.index)
        return verdict is worst and all(recheck(inner) for inner in gate["segments"])
    if verdict in _UNJUDGED:
        return True
    if gate["kind"] == Kind.RATE:
        return _recheck_rate(gate, verdict)
    passes = Direction(gate["direction"]).holds(gate["value"], gate["limit"])
    return passes is (verdict is Verdict.PASS)


def _recheck_rate(gate: Record, verdict: Verdict) -> bool:
    asked = Asked(Direction(gate["direction"]), gate["limit"], gate["confidence"], gate["minimum_cases"])
    weighed = weigh(Rate(gate["bad"], gate["cases"], gate["pending"]), asked)
    figures = ("seen", "bound", "other_bound", "log_e", "log_e_against")
    return verdict is weighed.verdict and all(_near(gate[name], getattr(weighed, name)) for name in figures)


def recheck_guardrail(guardrail: Record) -> bool:
    """Whether a guardrail fired, or did not, as its record (`GuardrailResult.to_dict()`) says it must."""
    verdict, breached = Verdict(guardrail["verdict"]), guardrail["breached"]
    if verdict in _UNJUDGED:
        return not breached
    if guardrail["kind"] == Kind.COUNT:
        must = guardrail["value"] > guardrail["limit"]
    else:
        log_harm = sequences.log_harm([(bad, cases) for _, bad, cases in guardrail["days"]], guardrail["limit"])
        if not _near(guardrail["log_harm"], log_harm):
            return False
        must = fires(log_harm, guardrail["alarm_at"])
    return must is breached and must is (verdict is Verdict.FAIL)


def _near(stored: float | None, computed: float | None) -> bool:
    if stored is None or computed is None:
        return stored is computed
    return math.isclose(stored, computed, rel_tol=1e-6, abs_tol=1e-6)
