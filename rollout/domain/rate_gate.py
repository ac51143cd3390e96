"""
Judges a gate on a rate of cases: overall, or each segment for itself.

Only settled cases count, and in favour of caution: one that is old enough and still has no verdict counts as bad.
The bounds hold at every look, so a gate may be looked at every minute.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from evidence import sequences
from rollout.domain import words
from rollout.domain.metrics import Direction, Metric, Rate, settled_rate
from rollout.domain.plan import CONFIDENCE, MINIMUM_CASES, Gate, Plan
from rollout.domain.situation import Situation
from rollout.domain.totals import Totals, by_day, by_segment, counted, newest_day, of_segment, settled, total
from rollout.domain.verdict import WORST_FIRST, GateResult, Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What the plan asks of a rate."""

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
    """What the counts of a rate say about a limit; see `GateResult` for the figures."""

    verdict: Verdict
    seen: float | None
    bound: float
    other_bound: float
    log_e: float
    log_e_against: float


def weigh(rate: Rate, asked: Asked) -> Weighed:
    """
    The comparator of all rates. More is better (`at_least`) is judged as its mirror: of what went wrong, at most.

    A pass needs the minimum of cases, a fail does not: harm may be concluded early, success may not. What nobody
    has ruled on speaks against a pass, and not for a fail: it is not known to be good, and not measured as bad.
    """
    bad, cases, measured = rate.bad, rate.cases, rate.bad - rate.pending
    log_e = sequences.log_e_below(bad, cases, asked.bad_limit)
    against = sequences.log_e_above(measured, cases, asked.bad_limit)
    verdict = Verdict.INCONCLUSIVE
    if sequences.crossed(log_e, asked.confidence) and cases >= asked.minimum_cases:
        verdict = Verdict.PASS
    elif sequences.crossed(against, asked.confidence):
        verdict = Verdict.FAIL
    ruled = cases - rate.pending
    return Weighed(
        verdict=verdict,
        seen=asked.shown(measured / ruled) if ruled else None,
        bound=asked.shown(sequences.upper_bound(bad, cases, asked.confidence)),
        other_bound=asked.shown(sequences.lower_bound(measured, cases, asked.confidence)),
        log_e=log_e,
        log_e_against=against,
    )


def worst(results: tuple[GateResult, ...]) -> GateResult:
    """The worst verdict decides; among equals the one with the least room to the limit."""
    return min(results, key=_worst_first)


def _worst_first(result: GateResult) -> tuple[int, float]:
    room = 0.0
    if result.bound is not None and result.limit is not None:
        room = result.limit - result.bound
    return WORST_FIRST.index(result.verdict), room if result.direction is Direction.AT_MOST else -room


def judge(gate: Gate, metric: Metric, blank: GateResult, plan: Plan, situation: Situation) -> GateResult:
    asked = Asked(gate.direction, gate.limit, gate.confidence or CONFIDENCE, gate.minimum_cases or MINIMUM_CASES)
    blank = replace(blank, confidence=asked.confidence, minimum_cases=asked.minimum_cases)
    totals = counted(situation.totals, metric.lanes)
    rule = _Rule(metric, asked, blank, plan, situation, _dried_up(situation, totals))
    if gate.segments is None:
        return rule.judge(totals)
    names = tuple(by_segment(totals)) if gate.segments == "each" else gate.segments
    judged = tuple(_titled(name, rule.judge(of_segment(totals, name))) for name in names)
    if not judged:  # no segment seen yet
        return rule.judge({})
    return replace(worst(judged), segments=judged)


def _titled(segment: str, result: GateResult) -> GateResult:
    title = f'Segment "{segment}"' if segment else "Without a segment"
    return replace(result, segment=segment, words=f"{title}: {result.words[:1].lower()}{result.words[1:]}")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One gate, ready to be held against the totals of all cases or of one segment."""

    metric: Metric
    asked: Asked
    blank: GateResult
    plan: Plan
    situation: Situation
    dried_up: str | None
    """In words, when no case at all has come in since the ramp step began, in whatever segment."""

    def judge(self, totals: Totals) -> GateResult:
        if not all(counts.add_up for counts in totals.values()):
            said = "It cannot be judged: the counts do not add up. Nothing was concluded from that."
            change = "The totals are counted again: phasegate doctor --recount."
            return replace(self.blank, verdict=Verdict.ERROR, words=said, what_would_change=change)
        old = total(settled(totals, self.situation.today - timedelta(days=self.plan.settle_days)))
        rate = settled_rate(self.metric, old)
        found = replace(
            self.blank,
            verdict=Verdict.NO_EVIDENCE,
            bad=rate.bad,
            cases=rate.cases,
            pending=rate.pending,
            unsettled=total(totals).cases - old.cases,
        )
        if (stale := _stale(self.plan, self.situation, totals) or self.dried_up) is not None:
            return replace(found, words=stale, what_would_change="New cases must come in.")
        if rate.cases == 0:
            said, change = _nothing_settled(self.metric, self.plan, totals, found.unsettled)
            return replace(found, words=said, what_would_change=change)
        return _weighed(self.metric, self.asked, rate, found)


def _stale(plan: Plan, situation: Situation, totals: Totals) -> str | None:
    """What was counted long ago says nothing about today, however good it was."""
    newest = newest_day(totals)
    if newest is None or (age := (situation.today - newest).days) <= plan.stale_after_days:
        return None
    allowed = words.plural(plan.stale_after_days, "day")
    return f"The evidence is stale: the newest case is {words.plural(age, 'day')} old, at most {allowed} are allowed."


def _dried_up(situation: Situation, totals: Totals) -> str | None:
    """Cases of before a ramp step speak for it together with newer ones, never alone: work must still be coming in."""
    newest, began = newest_day(totals), situation.step_since.date()
    if newest is None or newest >= began:
        return None
    return f"The evidence is stale: no case has come in since {words.day(began)}, when this share began."


def _nothing_settled(metric: Metric, plan: Plan, totals: Totals, young: int) -> tuple[str, str]:
    if not total(totals).cases:
        return "No case has been counted yet.", f"It needs {metric.counted_lanes}."
    if not young:
        return "No case counts: all of them were declared void.", "New cases must come in."
    first = next(day for day, counts in by_day(totals).items() if counts.cases)
    counts_on = first + timedelta(days=plan.settle_days + 1)
    said = f"No case is settled yet: {words.plural(young, 'case')} {'is' if young == 1 else 'are'} too young."
    age = words.plural(plan.settle_days, "day")
    return said, f"A case counts when it is more than {age} old; the first on {words.day(counts_on)}."


def _weighed(metric: Metric, asked: Asked, rate: Rate, found: GateResult) -> GateResult:
    weighed = weigh(rate, asked)
    needed = _cases_needed(asked, rate, weighed.verdict)
    return replace(
        found,
        verdict=weighed.verdict,
        words=_said(metric, asked, rate, weighed),
        what_would_change=_change(metric, asked, rate, weighed, needed),
        seen=weighed.seen,
        bound=weighed.bound,
        other_bound=weighed.other_bound,
        log_e=weighed.log_e,
        log_e_against=weighed.log_e_against,
        cases_needed=needed,
    )


def _cases_needed(asked: Asked, rate: Rate, verdict: Verdict) -> int | None:
    """How many more at the rate seen, the plan's minimum included; None when it will not pass so."""
    if verdict is Verdict.PASS:
        return 0
    altogether = sequences.cases_to_pass(asked.bad_limit, asked.confidence, rate.bad / rate.cases)
    if altogether is None:
        return None
    at_best = sequences.cases_needed(rate.bad, rate.cases, asked.bad_limit, asked.confidence)
    return max(altogether - rate.cases, at_best, asked.minimum_cases - rate.cases)


def _said(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed) -> str:
    """`At most 3.1 % overridden, 95 % sure. The limit is 4 %.`"""
    sure, limit = words.sure(asked.confidence), words.percent(asked.limit)
    at_most = asked.direction is Direction.AT_MOST
    failed = weighed.verdict is Verdict.FAIL  # then the other bound is the one that says so
    if at_most is not failed:
        bound = f"at most {words.at_most(weighed.other_bound if failed else weighed.bound)}"
    else:
        bound = f"at least {words.at_least(weighed.other_bound if failed else weighed.bound)}"
    said = f"{bound.capitalize()} {metric.words}, {sure}."
    if at_most and rate.bad == 0:
        said = f"None {metric.words} in {words.number(rate.cases)}, so {bound}, {sure}."
    said += f" The limit is {limit}." if at_most else f" At least {limit} is asked for."
    if rate.pending:
        counts = "has no verdict and counts" if rate.pending == 1 else "have no verdict and count"
        said += f" {words.number(rate.pending)} of {words.plural(rate.cases, 'case')} {counts} as bad."
    return said


def _change(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed, needed: int | None) -> str:
    if weighed.verdict is Verdict.PASS:
        return ""
    if rate.pending:
        others = "" if needed is None else f", or about {words.number(needed)} more settled ones come in as before"
        return f"People rule on the {words.plural(rate.pending, 'case')} without a verdict{others}."
    if needed is None or weighed.seen is None:
        limit, now = words.percent(asked.limit), words.seen(weighed.seen or 0.0)
        side = "below" if asked.direction is Direction.AT_MOST else "above"
        return f"It does not pass at the {now} {metric.words} seen so far; that must come clearly {side} {limit}."
    more = f"{words.number(needed)} more settled {'case is' if needed == 1 else 'cases are'} needed"
    if needed == asked.minimum_cases - rate.cases:
        return f"{more}; the plan asks for {words.number(asked.minimum_cases)}."
    return f"About {more} at the rate seen."
