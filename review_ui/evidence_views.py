"""
One evidence snapshot as pages show it: gates, guardrails, segments, readiness.

It reads the stored JSON of a judgement, also of one stored by an older release: what is missing is a dash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from review_ui import charts, words
from review_ui.charts import Bar, Drawing, Point
from rollout.domain.metrics import METRICS
from rollout.domain.outlook import Outlook, Outlooks
from rollout.domain.words import at_most, sure
from rollout.gates.tables import EvidenceSnapshot

COUNTED = ("rate", "loss")
"""The kinds of gates that rest on cases and have a bound."""

_WORST_FIRST = ("fail", "error", "no_evidence", "inconclusive", "pass")


@dataclass(frozen=True, slots=True)
class GateRow:
    name: str
    title: str
    now: str
    limit: str
    cases: str
    verdict: str
    words: str
    change: str
    sure: str
    forecast: str = ""


@dataclass(frozen=True, slots=True)
class GuardRow:
    title: str
    nearness: str  # far | near | fired | –
    tone: str
    fill: float
    now: str
    limit: str
    words: str
    verdict: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    name: str
    cases: str
    seen: str
    bound: str
    verdict: str
    tone: str
    bar: Bar | None
    shown: str  # empty where segments were not taken together


@dataclass(frozen=True, slots=True)
class SegmentTable:
    title: str
    limit: str
    scale: str
    bound_word: str
    rows: list[SegmentRow]
    together: str  # what the last column says, and how sure; empty without one


@dataclass(frozen=True, slots=True)
class ReadinessRow:
    key: str
    category: str
    question: str
    done: bool
    words: str
    link: str


@dataclass(frozen=True, slots=True)
class LookRow:
    """One line of the table behind a chart."""

    at: datetime
    cases: str
    bad: str
    seen: str
    other: str
    bound: str


@dataclass(frozen=True, slots=True)
class GateFigure:
    """The gate that decides, and its course."""

    title: str
    sentence: str
    verdict: str
    about: str
    drawings: list[Drawing]
    looks: list[LookRow]
    bound_title: str
    other_title: str


@dataclass(frozen=True, slots=True)
class EvidenceView:
    gates: list[GateRow]
    guardrails: list[GuardRow]
    segments: list[SegmentTable]
    readiness: list[ReadinessRow]
    passed: int
    reasons: list[Mapping[str, Any]] = field(default_factory=list)


def view_of(body: Mapping[str, Any], outlooks: Outlooks | None = None) -> EvidenceView:
    """`outlooks` are those of now, and belong to the newest snapshot only."""
    gates = body.get("gates", [])
    return EvidenceView(
        gates=[_gate_row(gate, outlooks.of(gate) if outlooks is not None else None) for gate in gates],
        guardrails=guardrails_of(body),
        segments=[_segment_table(gate) for gate in gates if gate.get("segments")],
        readiness=[_readiness_row(item) for item in body.get("readiness", [])],
        passed=sum(gate["verdict"] == "pass" for gate in gates),
        reasons=list(body.get("reasons", [])),
    )


def guardrails_of(body: Mapping[str, Any]) -> list[GuardRow]:
    return [_guard_row(guard) for guard in body.get("guardrails", [])]


def title_of(result: Mapping[str, Any]) -> str:
    """What a gate or guardrail is called: its own name, or the words of its metric."""
    metric = METRICS.get(result["metric"])
    if result["name"] != result["metric"] and not (result.get("suite") and result["name"].endswith(result["suite"])):
        return words.initial(result["name"])
    said = words.initial(metric.words if metric else result["metric"])
    return f"{said}: {result['suite']}" if result.get("suite") else said


def figure_of(result: Mapping[str, Any]) -> str:
    """What is known now: a bound for a rate or loss, the value for everything else."""
    kind = result.get("kind")
    if kind not in COUNTED:
        return words.amount(result.get("value"), kind)
    bound = words.bound(result.get("bound"), result.get("direction") or "at_most", kind)
    if result.get("bound") is None:
        return words.DASH
    if result.get("bad") == 0 and (result.get("direction") or "at_most") == "at_most":
        return f"none in {result.get('cases', 0):,}, so {bound}"
    return bound


def short_figure(result: Mapping[str, Any]) -> str:
    """For one line: `at most 3.1 % overridden`."""
    metric = METRICS.get(result["metric"])
    said = f" {metric.words}" if metric else ""
    if result.get("kind") in COUNTED:
        if result.get("bound") is None:
            return "no case counted yet"
        return words.bound(result["bound"], result.get("direction"), result["kind"]) + said
    if result.get("value") is None:
        return "no run yet" if result.get("kind") == "suite" else words.DASH
    return words.amount(result["value"], result.get("kind")) + ("" if result.get("kind") == "days" else said)


def limit_of(result: Mapping[str, Any]) -> str:
    return words.limit(result.get("limit"), result.get("direction"), result.get("kind"))


def deciding_gate(gates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The gate that holds; where all pass, the first rate, since that is what the work is about."""
    if not gates:
        return None
    return min(gates, key=lambda gate: (_WORST_FIRST.index(gate["verdict"]), gate.get("kind") not in COUNTED))


def points_of(snapshots: Sequence[EvidenceSnapshot], gate: Mapping[str, Any], most: int = 60) -> list[Point]:
    """The course of a gate over the snapshots of its epoch, oldest first, the last look of each day."""
    days: dict[Any, Point] = {}
    for snapshot in sorted(snapshots, key=lambda one: one.at):
        found = next((g for g in snapshot.body.get("gates", []) if g["name"] == gate["name"]), None)
        if found is None or found.get("bound") is None or found.get("kind") not in COUNTED:
            continue
        days[snapshot.at.date()] = Point(
            snapshot.at,
            found["bound"],
            found.get("other_bound") or 0.0,
            found.get("seen") or 0.0,
            found.get("bad", 0),
            found.get("cases", 0),
        )
    points = list(days.values())
    every = -(-len(points) // most)
    return [*points[:-1:every], points[-1]] if points and every > 1 else points


def gate_figure(gate: Mapping[str, Any], snapshots: Sequence[EvidenceSnapshot]) -> GateFigure:
    direction, limit = gate.get("direction") or "at_most", gate.get("limit") or 0.0
    points, kind = points_of(snapshots, gate), gate.get("kind") or "rate"
    metric = METRICS.get(gate["metric"])
    at_most = direction == "at_most"
    return GateFigure(
        title=title_of(gate),
        sentence=gate.get("words", ""),
        verdict=gate["verdict"],
        about=metric.about if metric else "",
        drawings=charts.series(points, limit, direction, kind=kind),
        looks=[_look_row(point, direction, kind) for point in reversed(points)],
        bound_title="At most" if at_most else "At least",
        other_title="At least" if at_most else "At most",
    )


def _look_row(point: Point, direction: str, kind: str) -> LookRow:
    opposite = "at_least" if direction == "at_most" else "at_most"
    return LookRow(
        at=point.at,
        cases=words.count(point.cases),
        bad=words.count(point.bad),
        seen=words.share(point.seen, kind),
        other=words.bound(point.other, opposite, kind).split(" ", 2)[2],
        bound=words.bound(point.bound, direction, kind).split(" ", 2)[2],
    )


def _gate_row(gate: Mapping[str, Any], outlook: Outlook | None = None) -> GateRow:
    counted = gate.get("kind") in COUNTED or (gate.get("kind") == "suite" and gate.get("cases"))
    return GateRow(
        name=gate["name"],
        title=title_of(gate),
        now=figure_of(gate),
        limit=limit_of(gate),
        cases=words.count(gate.get("cases", 0)) if counted else words.DASH,
        verdict=gate["verdict"],
        words=gate.get("words", ""),
        change=gate.get("what_would_change", ""),
        sure=sure(gate["confidence"]) if gate.get("confidence") else "",
        forecast=outlook.words if outlook is not None else "",
    )


def _guard_row(guard: Mapping[str, Any]) -> GuardRow:
    verdict = guard["verdict"]
    nearness = min(max(guard.get("nearness") or 0.0, 0.0), 1.0)
    if guard.get("breached") or guard.get("closes"):
        word, tone, nearness = "fired", "bad", 1.0
    elif verdict in {"error", "no_evidence"}:
        word, tone = "not known" if verdict == "error" else "no evidence", "" if verdict == "no_evidence" else "warn"
    else:
        word, tone = ("near", "warn") if nearness >= 0.5 else ("far", "ok")  # noqa: PLR2004 - half of the way
    rate = guard.get("kind") == "rate"
    now = words.bound(guard.get("bound"), "at_least") if rate else words.amount(guard.get("value"), guard.get("kind"))
    if rate and guard.get("cases") and not guard.get("bad"):
        now = f"none in {guard['cases']:,}"
    return GuardRow(
        title=title_of(guard),
        nearness=word,
        tone=tone,
        fill=round(max(nearness * 184, 0.7), 1),
        now=now,
        limit=f"fires above {_guard_limit(guard)}",
        words=guard.get("words", ""),
        verdict=verdict,
    )


def _guard_limit(guard: Mapping[str, Any]) -> str:
    """As its author wrote it; one that was calibrated has more digits than anybody reads."""
    limit = guard.get("limit")
    if guard.get("calibrated") and limit is not None:
        return at_most(limit)
    return words.amount(limit, guard.get("kind"))


def _segment_table(gate: Mapping[str, Any]) -> SegmentTable:
    direction, limit = gate.get("direction") or "at_most", gate.get("limit") or 0.0
    scale, kind = charts.segment_scale(limit, direction), gate.get("kind") or "rate"
    return SegmentTable(
        title=title_of(gate),
        limit=limit_of(gate),
        scale=f"{words.amount(scale[0], kind)} to {words.amount(scale[1], kind)}",
        bound_word="At most" if direction == "at_most" else "At least",
        rows=[_segment_row(part, scale, direction) for part in gate["segments"]],
        together=_together(gate) if any(part.get("shown") for part in gate["segments"]) else "",
    )


_SHOWN = {"below": "shown to be below", "above": "shown to be above", "undecided": "not shown yet"}


def _together(gate: Mapping[str, Any]) -> str:
    one_sure = f", {sure(gate['confidence'])}" if gate.get("confidence") else ""
    return (
        "The verdict of a segment is about that segment alone. The last column holds for all segments taken together"
        f"{one_sure}: none of them is wrongly said to be on the good side of the limit, and none on the bad one."
    )


def _segment_row(part: Mapping[str, Any], scale: tuple[float, float], direction: str) -> SegmentRow:
    bound = part.get("bound")
    drawn = None
    if bound is not None and scale[1] > scale[0]:
        drawn = charts.bar(bound, part.get("other_bound") or 0.0, part.get("seen") or 0.0, part["limit"], scale)
    return SegmentRow(
        name=part.get("segment") or "Without a segment",
        cases=words.count(part.get("cases", 0)),
        seen=words.share(part.get("seen"), part.get("kind")),
        bound=words.bound(bound, direction, part.get("kind")).split(" ", 2)[-1],
        verdict=part["verdict"],
        tone={"pass": "ok", "fail": "bad"}.get(part["verdict"], "warn"),
        bar=drawn,
        shown=_SHOWN.get(part.get("shown") or "", ""),
    )


def _readiness_row(item: Mapping[str, Any]) -> ReadinessRow:
    link = item.get("link") or ""
    return ReadinessRow(
        key=item["key"],
        category=words.word(item.get("category") or ""),
        question=item["question"],
        done=bool(item.get("done")),
        words=item.get("words", ""),
        link=link if link.startswith(("https://", "http://")) else "",
    )
