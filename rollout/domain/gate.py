"""
Judges one gate: may the version leave its phase upwards, as far as this metric can tell?

What cannot be judged is `no_evidence` or an `error`, never a pass: no cases, a suite that was not run, a source that
is broken, a metric that does not exist.
"""

from dataclasses import replace

from rollout.domain import rate_gate, suite_gate, words
from rollout.domain.metrics import Kind, Metric, UnknownMetric, get_metric
from rollout.domain.phase import Severity
from rollout.domain.plan import Gate, Plan
from rollout.domain.situation import Situation, Source
from rollout.domain.verdict import GateResult, Verdict

SOURCES = {Kind.RATE: Source.TOTALS, Kind.SUITE: Source.SUITES, Kind.COUNT: Source.FAILURES}


def judge_gate(gate: Gate, plan: Plan, situation: Situation) -> GateResult:
    """The verdict on one gate. Never raises, so that one gate cannot keep the others from being judged."""
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
        return _judge(gate, metric, blank, plan, situation)
    except UnknownMetric as unknown:
        return _cannot(unjudged, unknown.detail, "The plan names a metric that exists.")
    except ValueError as error:  # a plan that came around `load_plan`, with a limit that means nothing
        return _cannot(unjudged, str(error), "The plan is corrected.")


def _judge(gate: Gate, metric: Metric, blank: GateResult, plan: Plan, situation: Situation) -> GateResult:
    broken = situation.broken.get(SOURCES[metric.kind]) if metric.kind in SOURCES else None
    if broken is not None:
        return _cannot(blank, broken, "The source of these figures answers again.")
    if metric.kind is Kind.RATE:
        return rate_gate.judge(gate, metric, blank, plan, situation)
    if metric.kind is Kind.SUITE:
        return suite_gate.judge(metric, blank, situation)
    return _failures(blank, situation) if metric.kind is Kind.COUNT else _days(blank, situation)


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
