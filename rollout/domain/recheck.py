"""
Recomputes a stored verdict from its own record, years later: from the counts and parameters in it, nothing else.

A record that was altered in one number, or written by rules that have changed since, does not agree with itself.
"""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from evidence import sequences
from evidence.reviewers import Seeded, corrected_limit
from rollout.domain import loss_gate
from rollout.domain.counted_gate import Asked, Weighed
from rollout.domain.guardrail import calibrated_limit, fires, of_segments
from rollout.domain.metrics import Direction, Kind, Rate, get_metric
from rollout.domain.rate_gate import weigh, weigh_corrected
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
    if gate["kind"] in {Kind.RATE, Kind.LOSS}:
        return _recheck_counted(gate, verdict)
    passes = Direction(gate["direction"]).holds(gate["value"], gate["limit"])
    return passes is (verdict is Verdict.PASS)


def _recheck_counted(gate: Record, verdict: Verdict) -> bool:
    asked = Asked(Direction(gate["direction"]), gate["limit"], gate["confidence"], gate["minimum_cases"])
    if gate["kind"] == Kind.LOSS:
        weighed = _losses(gate, asked)
    elif gate.get("seeded") is not None:  # records of before do not have it
        weighed = _corrected(gate, asked)
    else:
        weighed = weigh(_rate(gate), asked)
    figures = ("seen", "bound", "other_bound", "log_e", "log_e_against")
    return (
        weighed is not None
        and verdict is weighed.verdict
        and all(_near(gate[name], getattr(weighed, name)) for name in figures)
    )


def _rate(gate: Record) -> Rate:
    return Rate(gate["bad"], gate["cases"], gate["pending"])


def _losses(gate: Record, asked: Asked) -> Weighed | None:
    """None where the days are not those that the other figures count."""
    days = tuple((date.fromisoformat(day), *counts) for day, *counts in gate["days"])
    minor, major, severe = gate["weights"]
    cases = sum(sum(day[1:]) for day in days)
    bad, pending = cases - sum(day[1] for day in days), sum(day[5] for day in days)
    if (cases, bad, pending) != (gate["cases"], gate["bad"], gate["pending"]):
        return None
    return loss_gate.weigh(days, (minor, major, severe), asked)


def _corrected(gate: Record, asked: Asked) -> Weighed | None:
    caught, errors, confirmed, right = gate["seeded"]
    corrected = corrected_limit(asked.bad_limit, Seeded(caught, errors, confirmed, right), asked.confidence)
    if not _near(gate["corrected_limit"], corrected.limit):
        return None
    return weigh_corrected(_rate(gate), asked, corrected)


def recheck_guardrail(guardrail: Record) -> bool:
    """Whether a guardrail fired, or did not, as its record (`GuardrailResult.to_dict()`) says it must."""
    verdict, breached = Verdict(guardrail["verdict"]), guardrail["breached"]
    if guardrail.get("segments"):  # absent in records of before there were guardrails by segments
        return _recheck_segments(guardrail, verdict)
    if verdict in _UNJUDGED:
        return not breached
    if guardrail["kind"] == Kind.COUNT:
        must = guardrail["value"] > guardrail["limit"]
    else:
        calibrated = guardrail.get("calibrated")
        if calibrated and not _near(guardrail["limit"], calibrated_limit(get_metric(guardrail["metric"]), *calibrated)):
            return False
        log_harm = sequences.log_harm([(bad, cases) for _, bad, cases in guardrail["days"]], guardrail["limit"])
        if not _near(guardrail["log_harm"], log_harm):
            return False
        must = fires(log_harm, guardrail["alarm_at"])
    return must is breached and must is (verdict is Verdict.FAIL)


def _recheck_segments(guardrail: Record, verdict: Verdict) -> bool:
    parts = guardrail["segments"]
    closes = [part["segment"] for part in parts if part["breached"]]
    return (
        not guardrail["breached"]
        and list(guardrail["closes"]) == closes
        and verdict is of_segments([Verdict(part["verdict"]) for part in parts])
        and all(recheck_guardrail(part) for part in parts)
    )


def _near(stored: float | None, computed: float | None) -> bool:
    if stored is None or computed is None:
        return stored is computed
    return math.isclose(stored, computed, rel_tol=1e-6, abs_tol=1e-6)
