"""
What all gates on counted cases have in common: which cases count, for all or for each segment, and when none does.

Only settled cases count, and in favour of caution: one that is old enough and still has no verdict counts as bad.
How the cases that count are weighed is the matter of `rate_gate` and `loss_gate`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeAlias

from rollout.domain import words
from rollout.domain.metrics import Direction, Metric, Rate, settled_rate
from rollout.domain.plan import CONFIDENCE, MINIMUM_CASES, Gate, Plan
from rollout.domain.situation import Situation
from rollout.domain.tally import Tallies, Tally
from rollout.domain.verdict import WORST_FIRST, GateResult, Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What the plan asks of counted cases."""

    direction: Direction
    limit: float
    confidence: float = CONFIDENCE
    minimum_cases: int = MINIMUM_CASES

    @property
    def bad_limit(self) -> float:
        """The limit of what may go wrong; rounded, as 1 - 0.9 is a little less than 0.1."""
        return self.limit if self.direction is Direction.AT_MOST else round(1 - self.limit, 12)

    def shown(self, bad_share: float) -> float:
        """A share of what went wrong, in the metric's own direction."""
        return bad_share if self.direction is Direction.AT_MOST else 1 - bad_share


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the counts say about a limit; see `GateResult` for the figures."""

    verdict: Verdict
    seen: float | None
    bound: float
    other_bound: float
    log_e: float | None
    log_e_against: float


@dataclass(frozen=True, slots=True)
class Terms:
    """One gate with what it is judged by; `blank` is its result before anything is known."""

    gate: Gate
    metric: Metric
    blank: GateResult
    plan: Plan
    situation: Situation

    @property
    def asked(self) -> Asked:
        gate = self.gate
        return Asked(gate.direction, gate.limit, gate.confidence or CONFIDENCE, gate.minimum_cases or MINIMUM_CASES)


_KNOWN = ("name", "metric", "kind", "direction", "limit", "confidence", "minimum_cases")
"""What a gate on cases says before anything is counted. Copied by name: `replace` looks at all thirty fields."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted for a gate; `segment` is None where all cases are judged together."""

    blank: GateResult
    rate: Rate
    tally: Tally
    segment: str | None

    def told(self, verdict: Verdict, said: str, change: str = "", **figures: Any) -> GateResult:
        """The result, with further `figures` of `GateResult`. In one go: there are as many of them as segments."""
        if self.segment is not None:
            title = f'Segment "{self.segment}"' if self.segment else "Without a segment"
            said = f"{title}: {said[:1].lower()}{said[1:]}"
        known = {name: getattr(self.blank, name) for name in _KNOWN}
        return GateResult(
            **known,
            verdict=verdict,
            words=said,
            what_would_change=change,
            segment=self.segment,
            bad=self.rate.bad,
            cases=self.rate.cases,
            pending=self.rate.pending,
            unsettled=self.tally.young,
            **figures,
        )


Weigh: TypeAlias = Callable[[Found], GateResult]
"""Judges where there is evidence: at least one settled case that was not void."""


def worst(results: tuple[GateResult, ...]) -> GateResult:
    """The worst verdict decides; among equals the one with the least room to the limit."""
    return min(results, key=_worst_first)


def _worst_first(result: GateResult) -> tuple[int, float]:
    return worst_first(result.verdict, result.direction, result.limit, result.bound)


def worst_first(
    verdict: Verdict, direction: Direction | None, limit: float | None, bound: float | None
) -> tuple[int, float]:
    room = limit - bound if bound is not None and limit is not None else 0.0
    return WORST_FIRST.index(verdict), room if direction is Direction.AT_MOST else -room


def judge(terms: Terms, tallies: Tallies, weigh: Weigh) -> GateResult:
    """Overall, or each segment for itself: then the worst one decides."""
    lanes, wanted = tallies.of(terms.metric.lanes), terms.gate.segments
    rule = _Rule(terms, _dried_up(terms.situation, lanes.whole), weigh)
    if wanted is None:
        return rule.judge(lanes.whole, None)
    names = tuple(lanes.segments) if wanted == "each" else wanted
    judged = tuple(rule.judge(lanes.segments.get(name) or Tally(), name) for name in names)
    if not judged:  # no segment seen yet
        return rule.judge(Tally(), None)
    return replace(worst(judged), segments=judged)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One gate, ready to be held against what was counted of all cases or of one segment."""

    terms: Terms
    dried_up: str | None
    """In words, when no case at all has come in since the ramp step began, in whatever segment."""
    weigh: Weigh

    def judge(self, tally: Tally, segment: str | None) -> GateResult:
        terms = self.terms
        if not tally.adds_up:
            said = "It cannot be judged: the counts do not add up. Nothing was concluded from that."
            change = "The totals are counted again by phasegate doctor --repair."
            return Found(terms.blank, Rate(0, 0), Tally(), segment).told(Verdict.ERROR, said, change)
        rate = settled_rate(terms.metric, tally.settled)
        found = Found(terms.blank, rate, tally, segment)
        if (stale := _stale(terms.plan, terms.situation, tally) or self.dried_up) is not None:
            return found.told(Verdict.NO_EVIDENCE, stale, "New cases must come in.")
        if rate.cases == 0:
            return found.told(Verdict.NO_EVIDENCE, *_nothing_settled(terms, tally))
        return self.weigh(found)


def _stale(plan: Plan, situation: Situation, tally: Tally) -> str | None:
    """What was counted long ago says nothing about today, however good it was."""
    if tally.newest is None or (age := (situation.today - tally.newest).days) <= plan.stale_after_days:
        return None
    allowed = words.plural(plan.stale_after_days, "day")
    return f"The evidence is stale: the newest case is {words.plural(age, 'day')} old, at most {allowed} are allowed."


def _dried_up(situation: Situation, tally: Tally) -> str | None:
    """Cases of before a ramp step speak for it together with newer ones, never alone: work must still be coming in."""
    began = situation.step_since.date()
    if tally.newest is None or tally.newest >= began:
        return None
    return f"The evidence is stale: no case has come in since {words.day(began)}, when this share began."


def _nothing_settled(terms: Terms, tally: Tally) -> tuple[str, str]:
    if tally.first is None:
        return "No case has been counted yet.", f"It needs {terms.metric.counted_lanes}."
    if not tally.young:
        return "No case counts: all of them were declared void.", "New cases must come in."
    counts_on = tally.first + timedelta(days=terms.plan.settle_days + 1)
    young = words.plural(tally.young, "case")
    said = f"No case is settled yet: {young} {'is' if tally.young == 1 else 'are'} too young."
    age = words.plural(terms.plan.settle_days, "day")
    return said, f"A case counts when it is more than {age} old; the first on {words.day(counts_on)}."
