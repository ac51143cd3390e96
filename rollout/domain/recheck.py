"""
Recomputes a stored verdict from its own record, years later: from the counts and parameters in it, nothing else.

A record that was altered in one number, or written by rules that have changed since, does not agree with itself. What
no other figure of the record follows from or leads to cannot be told so: how many cases are too young, what the plan
asks for where nothing was concluded from it, and what is said in words. The digest of the whole covers that.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import date
from typing import Any

from evidence import sequences
from evidence.reviewers import Seeded, corrected_limit
from rollout.domain import loss_gate, rate_gate
from rollout.domain.counted_gate import Asked, Weighed, worst_first
from rollout.domain.guardrail import (
    began,
    calibrated_limit,
    fires,
    harm_bound,
    nearness,
    nearness_of_count,
    of_segments,
)
from rollout.domain.metrics import METRICS, Direction, Kind, Metric, Rate
from rollout.domain.plan import FALSE_ALARM_DAYS
from rollout.domain.verdict import GateResult, GuardrailResult, Verdict, as_json

Record = Mapping[str, Any]

_UNJUDGED = {Verdict.NO_EVIDENCE, Verdict.ERROR}
_BLANK = {
    kind: {part.name: as_json(part.default) for part in fields(kind) if part.default is not MISSING}
    for kind in (GateResult, GuardrailResult)
}
_ASKED = ("name", "metric", "kind", "direction", "limit", "confidence", "minimum_cases")
_COUNTED = ("bad", "cases", "pending", "unsettled")
_WEIGHED = ("seen", "bound", "other_bound", "log_e", "log_e_against")
_CONCLUDED = (*_WEIGHED, "cases_needed", "value", "weights", "days", "seeded", "corrected_limit")
_SHOWN_LATER = {"forecast"}
"""Computed when a gate is shown, and no part of its record."""


def recheck(gate: Record) -> bool:
    """Whether the verdict and the figures of a gate follow from its record (`GateResult.to_dict()`)."""
    return _follows(_outer_gate, gate)


def recheck_guardrail(guardrail: Record) -> bool:
    """Whether a guardrail fired, or did not, as its record (`GuardrailResult.to_dict()`) says it must."""
    return _follows(_guardrail, guardrail)


def _follows(check: Callable[[Record], bool], record: Record) -> bool:
    try:
        return check(record)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):  # no counting can have written this
        return False


def _outer_gate(gate: Record) -> bool:
    return gate.get("shown") is None and _gate(gate)


def _gate(gate: Record) -> bool:
    if gate["segments"]:
        return _of_worst(gate)
    verdict = Verdict(gate["verdict"])
    if gate["kind"] is None:
        return verdict is Verdict.ERROR and _is_blank(gate, (*_COUNTED, *_CONCLUDED))
    metric, kind = METRICS[gate["metric"]], Kind(gate["kind"])
    if metric.kind is not kind or metric.better is not Direction(gate["direction"]):
        return False
    if verdict in _UNJUDGED:
        return _is_blank(gate, _CONCLUDED) and _counts_of_unjudged(gate, kind, verdict)
    if kind in {Kind.RATE, Kind.LOSS}:
        return _counts_add_up(gate) and _recheck_counted(gate, verdict)
    return _recheck_value(gate, kind, verdict)


def _of_worst(gate: Record) -> bool:
    """The worst segment decides, and the gate shows its figures; the same was asked of all."""
    parts = gate["segments"]
    worst = min(parts, key=_worst_first)
    shown = [name for name in gate if name not in {"segments", "shown", *_SHOWN_LATER}]
    names = [part["segment"] for part in parts]
    return (
        all(gate[name] == worst[name] for name in shown)
        and None not in names
        and len(set(names)) == len(names)
        and all(part[name] == gate[name] for part in parts for name in _ASKED)
        and not any(part["segments"] for part in parts)
        and all(_gate(part) for part in parts)
        and _are_standings(gate, parts)
    )


def _are_standings(gate: Record, parts: Sequence[Record]) -> bool:
    """Where the segments of a rate lie, all taken together; records of before do not say it."""
    said = [part.get("shown") for part in parts]
    if all(one is None for one in said):
        return True
    found = [
        rate_gate.evidence_of(Verdict(part["verdict"]), part["cases"], part["log_e"], part["log_e_against"])
        for part in parts
    ]
    return gate["kind"] == Kind.RATE and said == rate_gate.standings(
        found, Direction(gate["direction"]), gate["confidence"]
    )


def _worst_first(part: Record) -> tuple[int, float]:
    direction = Direction(part["direction"]) if part["direction"] is not None else None
    return worst_first(Verdict(part["verdict"]), direction, part["limit"], part["bound"])


def _counts_of_unjudged(gate: Record, kind: Kind, verdict: Verdict) -> bool:
    """Of stale evidence the counts are told, of a suite how long it was; otherwise nothing was counted."""
    if kind is Kind.SUITE:
        return gate["cases"] >= 0 and _is_blank(gate, ("bad", "pending", "unsettled"))
    if verdict is Verdict.ERROR:
        return _is_blank(gate, _COUNTED)
    return kind in {Kind.RATE, Kind.LOSS} and _counts_add_up(gate)


def _counts_add_up(gate: Record) -> bool:
    most = gate["bad"] if METRICS[gate["metric"]].ruled else 0
    return bool(0 <= gate["pending"] <= most and gate["bad"] <= gate["cases"] and gate["unsettled"] >= 0)


def _recheck_value(gate: Record, kind: Kind, verdict: Verdict) -> bool:
    value, limit = gate["value"], gate["limit"]
    rest = {*_COUNTED, *_CONCLUDED} - {"value"}
    match kind:
        case Kind.SUITE:
            passes, otherwise = Direction(gate["direction"]).holds(value, limit), Verdict.FAIL
            if gate["seen"] != value or abs(value) > 1 or gate["cases"] < (gate["minimum_cases"] or 1):
                return False
            rest -= {"seen", "cases"}
        case Kind.DAYS:
            passes, otherwise = value >= int(limit), Verdict.INCONCLUSIVE
        case _:
            passes, otherwise = value <= limit, Verdict.FAIL
    return verdict is (Verdict.PASS if passes else otherwise) and _is_blank(gate, rest)


def _recheck_counted(gate: Record, verdict: Verdict) -> bool:
    asked = Asked(Direction(gate["direction"]), gate["limit"], gate["confidence"], gate["minimum_cases"])
    used: set[str] = set()
    if gate["kind"] == Kind.LOSS:
        used, found = {"weights", "days"}, _losses(gate, asked)
    elif gate.get("seeded") is not None:  # records of before do not have it
        used, found = {"seeded", "corrected_limit"}, _corrected(gate, asked)
    else:
        rate = _rate(gate)
        weighed = rate_gate.weigh(rate, asked)
        found = weighed, rate_gate.cases_needed(asked, rate, weighed.verdict)
    if found is None:
        return False
    weighed, needed = found
    return (
        verdict is weighed.verdict
        and all(_near(gate[name], getattr(weighed, name)) for name in _WEIGHED)
        and gate["cases_needed"] == needed
        and _is_blank(gate, {"value", "weights", "days", "seeded", "corrected_limit"} - used)
    )


def _rate(gate: Record) -> Rate:
    return Rate(gate["bad"], gate["cases"], gate["pending"])


def _losses(gate: Record, asked: Asked) -> tuple[Weighed, int | None] | None:
    """None where the days are not those that the other figures count."""
    days = tuple((date.fromisoformat(day), *counts) for day, *counts in gate["days"])
    minor, major, severe = gate["weights"]
    cases = sum(sum(day[1:]) for day in days)
    bad, pending = cases - sum(day[1] for day in days), sum(day[5] for day in days)
    if (cases, bad, pending) != (gate["cases"], gate["bad"], gate["pending"]) or not _in_order(days):
        return None
    weights = (minor, major, severe)
    weighed = loss_gate.weigh(days, weights, asked)
    return weighed, loss_gate.cases_needed(days, weights, asked, weighed.verdict)


def _corrected(gate: Record, asked: Asked) -> tuple[Weighed, int | None] | None:
    caught, errors, confirmed, right = gate["seeded"]
    corrected = corrected_limit(asked.bad_limit, Seeded(caught, errors, confirmed, right), asked.confidence)
    if not _near(gate["corrected_limit"], corrected.limit):
        return None
    rate = _rate(gate)
    weighed = rate_gate.weigh_corrected(rate, asked, corrected)
    return weighed, rate_gate.cases_needed_corrected(asked, rate, corrected, weighed.verdict)


_HARM = ("bad", "cases", "pending", "alarm_at", "days")
_JUDGED = ("breached", "seen", "bound", "log_harm", "nearness", "since", "value", "closes")


def _guardrail(guardrail: Record) -> bool:
    verdict = Verdict(guardrail["verdict"])
    if guardrail.get("segments"):  # absent in records of before there were guardrails by segments
        return _guardrail_by_segments(guardrail, verdict)
    if guardrail["kind"] is None or verdict is Verdict.ERROR:
        return verdict is Verdict.ERROR and _is_blank(guardrail, (*_HARM, *_JUDGED), GuardrailResult)
    metric = METRICS[guardrail["metric"]]
    if metric.kind is not Kind(guardrail["kind"]):
        return False
    if metric.kind is Kind.COUNT:
        return _guardrail_on_count(guardrail, verdict)
    if verdict is Verdict.NO_EVIDENCE:
        nothing = _is_blank(guardrail, _HARM, GuardrailResult) or _is_harm_counted(guardrail, metric)
        return nothing and _is_unknown(guardrail, metric) and _is_blank(guardrail, _JUDGED, GuardrailResult)
    return (
        _is_harm_counted(guardrail, metric)
        and not _is_unknown(guardrail, metric)
        and _is_limit_calibrated(guardrail, metric)
        and _is_harm_weighed(guardrail, verdict)
    )


def _guardrail_by_segments(guardrail: Record, verdict: Verdict) -> bool:
    parts = guardrail["segments"]
    closes = [part["segment"] for part in parts if part["breached"]]
    sums = {name: sum(part[name] for part in parts) for name in ("bad", "cases", "pending")}
    rest = ("breached", "seen", "bound", "log_harm", "alarm_at", "since", "value", "days", "calibrated")
    return (
        list(guardrail["closes"]) == closes
        and verdict is of_segments([Verdict(part["verdict"]) for part in parts])
        and all(guardrail[name] == number for name, number in sums.items())
        and guardrail["nearness"] == max(part["nearness"] for part in parts)
        and _is_blank(guardrail, rest, GuardrailResult)
        and _is_family(guardrail, parts)
        and all(_guardrail(part) for part in parts)
    )


def _is_family(guardrail: Record, parts: Iterable[Record]) -> bool:
    """All share the false alarms: the days of each are those of all, times the segments, closed ones included."""
    names = [part["segment"] for part in parts]
    times = {part["false_alarm_days"] / (guardrail["false_alarm_days"] or FALSE_ALARM_DAYS) for part in parts}
    return (
        None not in names
        and len(set(names)) == len(names)
        and len(times) == 1
        and all(_near(share, round(share)) and round(share) >= len(names) for share in times)
        and all(part[name] == guardrail[name] for part in parts for name in ("name", "metric", "kind", "limit"))
        and not any(part.get("segments") for part in parts)
    )


def _guardrail_on_count(guardrail: Record, verdict: Verdict) -> bool:
    value, limit, breached = guardrail["value"], guardrail["limit"], guardrail["breached"]
    return (
        value >= 0
        and breached is (value > limit)
        and verdict is (Verdict.FAIL if breached else Verdict.PASS)
        and _near(guardrail["nearness"], nearness_of_count(value, limit))
        and _is_blank(guardrail, {*_HARM, *_JUDGED} - {"breached", "value", "nearness"}, GuardrailResult)
    )


def _is_harm_counted(guardrail: Record, metric: Metric) -> bool:
    """Whether days, sums and the level of the alarm belong together."""
    days, bad, cases, pending = guardrail["days"], guardrail["bad"], guardrail["cases"], guardrail["pending"]
    return (
        (sum(day[1] for day in days), sum(day[2] for day in days)) == (bad, cases)
        and all(0 <= day[1] <= day[2] for day in days)
        and _in_order([(date.fromisoformat(day[0]), *day[1:]) for day in days])
        and 0 <= pending <= (cases - bad if metric.ruled else 0)
        and _near(guardrail["alarm_at"], math.log(guardrail["false_alarm_days"] or FALSE_ALARM_DAYS))
    )


def _is_unknown(guardrail: Record, metric: Metric) -> bool:
    """Whether no case tells anything: there is none, or none has a verdict."""
    return guardrail["cases"] == 0 or (metric.ruled and guardrail["pending"] == guardrail["cases"])


def _is_limit_calibrated(guardrail: Record, metric: Metric) -> bool:
    calibrated = guardrail.get("calibrated")
    return not calibrated or _near(guardrail["limit"], calibrated_limit(metric, *calibrated))


def _is_harm_weighed(guardrail: Record, verdict: Verdict) -> bool:
    days = [(date.fromisoformat(day), bad, cases) for day, bad, cases in guardrail["days"]]
    limit, alarm_at, breached = guardrail["limit"], guardrail["alarm_at"], guardrail["breached"]
    log_harm = sequences.log_harm([(bad, cases) for _, bad, cases in days], limit)
    since = days[began(days, limit)][0].isoformat() if breached else None
    return (
        _near(guardrail["log_harm"], log_harm)
        and breached is fires(log_harm, alarm_at)
        and verdict is (Verdict.FAIL if breached else Verdict.PASS)
        and _near(guardrail["seen"], guardrail["bad"] / guardrail["cases"])
        and _near(guardrail["bound"], harm_bound(guardrail["bad"], guardrail["cases"]))
        and _near(guardrail["nearness"], nearness(log_harm, alarm_at))
        and guardrail["since"] == since
        and _is_blank(guardrail, ("value", "closes"), GuardrailResult)
    )


def _in_order(days: Iterable[tuple[Any, ...]]) -> bool:
    each = [day[0] for day in days]
    return each == sorted(set(each))


def _is_blank(record: Record, names: Iterable[str], kind: type[GateResult | GuardrailResult] = GateResult) -> bool:
    """Whether these figures are as they were before anything was known. Records of before do not have all."""
    return all(record.get(name, _BLANK[kind][name]) in (_BLANK[kind][name], _as_tuple(kind, name)) for name in names)


def _as_tuple(kind: type[GateResult | GuardrailResult], name: str) -> Any:
    blank = _BLANK[kind][name]
    return tuple(blank) if isinstance(blank, list) else blank


def _near(stored: float | None, computed: float | None) -> bool:
    if stored is None or computed is None or not math.isfinite(computed):
        return stored is None and (computed is None or not math.isfinite(computed))
    return math.isclose(stored, computed, rel_tol=1e-6, abs_tol=1e-6)
