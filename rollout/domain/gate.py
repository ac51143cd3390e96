"""
Judges one gate: may the version leave its phase upwards, as far as this metric can tell?

What cannot be judged is `no_evidence` or an `error`, never a pass: no cases, a suite that was not run, a source that
is broken, a metric that does not exist.
"""

from dataclasses import replace
from datetime import timedelta

from rollout.domain import loss_gate, rate_gate, suite_gate, words
from rollout.domain.counted_gate import Terms
from rollout.domain.metrics import Kind, UnknownMetric, get_metric
from rollout.domain.phase import Severity
from rollout.domain.plan import Gate, Plan
from rollout.domain.situation import Situation, Source
from rollout.domain.tally import Tallies
from rollout.domain.verdict import GateResult, Verdict

SOURCES = {Kind.RATE: Source.TOTALS, Kind.LOSS: Source.TOTALS, Kind.SUITE: Source.SUITES, Kind.COUNT: Source.FAILURES}


def tallies_of(plan: Plan, situation: Situation) -> Tallies:
    """What gates are judged on, to be summed once for all of them."""
    return Tallies(situation.totals, situation.today - timedelta(days=plan.settle_days))


def judge_gate(gate: Gate, plan: Plan, situation: Situation, tallies: Tallies | None = None) -> GateResult:
    """
    The verdict on one gate. Never raises, so that one gate cannot keep the others from being judged.

    `tallies` are those of this very situation, handed in where several gates share them.
    """
    unjudged = GateResult(name=gate.label, metric=gate.metric, verdict=Verdict.ERROR, words="")
    try:
        metric = get_metric(gate.metric)
        blank = replace(
            unjudged,
            kind=metric.kind,
            direction=gate.direction,
            limit=gate.limit,
            confidence=gate.confidence,
            minimum_cases=gate.minimum_cases,
            suite=gate.suite,
        )
        return _judge(Terms(gate, metric, blank, plan, situation), tallies or tallies_of(plan, situation))
    except UnknownMetric as unknown:
        return _cannot(unjudged, unknown.detail, "The plan names a metric that exists.")
    except ValueError as error:  # a plan that came around `load_plan`, with a limit that means nothing
        return _cannot(unjudged, str(error), "The plan is corrected.")


def _judge(terms: Terms, tallies: Tallies) -> GateResult:
    metric, blank, situation = terms.metric, terms.blank, terms.situation
    broken = situation.broken.get(SOURCES[metric.kind]) if metric.kind in SOURCES else None
    if broken is not None:
        return _cannot(blank, broken, "The source of these figures answers again.")
    match metric.kind:
        case Kind.RATE:
            return rate_gate.judge(_counted(terms), tallies)
        case Kind.LOSS:
            return loss_gate.judge(_counted(terms), tallies)
        case Kind.SUITE:
            return suite_gate.judge(metric, blank, situation)
        case Kind.COUNT:
            return _failures(blank, situation)
        case Kind.DAYS:
            return _days(blank, situation)


def _counted(terms: Terms) -> Terms:
    """With what a plan that came around `load_plan` may have left out."""
    asked = terms.asked
    return replace(terms, blank=replace(terms.blank, confidence=asked.confidence, minimum_cases=asked.minimum_cases))


def _cannot(blank: GateResult, why: str, change: str) -> GateResult:
    said = f"It cannot be judged: {why}. Nothing was concluded from that."
    return replace(blank, verdict=Verdict.ERROR, words=said, what_would_change=change)


def _failures(blank: GateResult, situation: Situation) -> GateResult:
    limit = blank.limit or 0
    count = situation.open_failures.get(Severity.CRITICAL, 0)
    said = f"{words.plural(count, 'open critical failure')}. The limit is {words.number(limit)}."
    if count <= limit:
        return replace(blank, verdict=Verdict.PASS, words=said, value=count)
    change = "They are investigated and closed."
    return replace(blank, verdict=Verdict.FAIL, words=said, value=count, what_would_change=change)


def _days(blank: GateResult, situation: Situation) -> GateResult:
    limit = int(blank.limit or 0)
    days = situation.days_since(situation.phase_since)
    said = f"{words.plural(days, 'day')} in the phase. At least {words.plural(limit, 'day')} are asked for."
    if days >= limit:
        return replace(blank, verdict=Verdict.PASS, words=said, value=days)
    change = f"{words.plural(limit - days, 'day')} more."
    return replace(blank, verdict=Verdict.INCONCLUSIVE, words=said, value=days, what_would_change=change)
