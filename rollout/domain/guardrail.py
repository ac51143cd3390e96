"""
Judges one guardrail: has harm begun?

Judged on every look, in every state and before any minimum of cases, since harm may be concluded early. The alarm
adds up, for every day on which harm may have begun, the evidence of all cases since; it fires by mistake once in
`false_alarm_days` days on average, however often one looks. Only measured harm counts: a case without a verdict is
no harm, and a source that does not answer is an error, not a breach.
"""

import math
from dataclasses import replace
from datetime import date

from evidence import sequences
from rollout.domain import words
from rollout.domain.gate import SOURCES
from rollout.domain.metrics import Kind, Metric, UnknownMetric, get_metric, harm_rate
from rollout.domain.phase import Severity
from rollout.domain.plan import CONFIDENCE, FALSE_ALARM_DAYS, Guardrail
from rollout.domain.situation import Situation
from rollout.domain.totals import Counts, Totals, by_day, counted, total
from rollout.domain.verdict import GuardrailResult, Verdict

Day = tuple[date, int, int]
"""A day with its bad cases and all its cases."""


def judge_guardrail(guardrail: Guardrail, situation: Situation) -> GuardrailResult:
    """Never raises, so that one guardrail cannot keep the others from firing."""
    blank = GuardrailResult(
        name=guardrail.label,
        metric=guardrail.metric,
        verdict=Verdict.ERROR,
        words="",
        limit=guardrail.at_most,
        false_alarm_days=guardrail.false_alarm_days,
    )
    try:
        metric = get_metric(guardrail.metric)
        broken = situation.broken.get(SOURCES[metric.kind]) if metric.kind in SOURCES else None
        if broken is not None:
            return _cannot(blank, broken)
        blank = replace(blank, kind=metric.kind)
        if metric.kind is Kind.COUNT:
            return _failures(blank, situation)
        return _rate(metric, blank, counted(situation.totals, metric.lanes))
    except (UnknownMetric, ValueError) as error:  # a plan that came around `load_plan`
        return _cannot(blank, str(error))


def _cannot(blank: GuardrailResult, why: str) -> GuardrailResult:
    said = f"It cannot be judged: {why}. Nothing was concluded from that."
    change = "The source of these figures answers again."
    return replace(blank, verdict=Verdict.ERROR, words=said, what_would_change=change)


def _failures(blank: GuardrailResult, situation: Situation) -> GuardrailResult:
    count = situation.open_failures.get(Severity.CRITICAL, 0)
    breached = count > blank.limit
    return replace(
        blank,
        verdict=Verdict.FAIL if breached else Verdict.PASS,
        breached=breached,
        words=f"{words.plural(count, 'open critical failure')}. It fires above {words.number(blank.limit)}.",
        what_would_change="They are investigated and closed." if breached else "",
        nearness=1.0 if breached else count / (blank.limit + 1),
        value=count,
    )


def _rate(metric: Metric, blank: GuardrailResult, totals: Totals) -> GuardrailResult:
    if not all(counts.add_up for counts in totals.values()):
        return _cannot(blank, "the counts do not add up")
    days = tuple(_day(metric, day, counts) for day, counts in by_day(totals).items())
    everything = total(totals)
    rate = harm_rate(metric, everything)
    blank = replace(
        blank,
        bad=rate.bad,
        cases=rate.cases,
        pending=everything.pending if metric.ruled else 0,
        days=days,
        alarm_at=math.log(blank.false_alarm_days or FALSE_ALARM_DAYS),
    )
    if rate.cases == 0 or (metric.ruled and blank.pending == rate.cases):
        said = "No case has a verdict yet." if rate.cases else "No case has been counted yet."
        return replace(blank, verdict=Verdict.NO_EVIDENCE, words=said, what_would_change="Cases come in.")
    return _weighed(metric, blank)


def _day(metric: Metric, day: date, counts: Counts) -> Day:
    rate = harm_rate(metric, counts)
    return day, rate.bad, rate.cases


def fires(log_harm: float, alarm_at: float) -> bool:
    """At the limit it fires; a NaN does not, as it measures nothing."""
    return log_harm >= alarm_at


def _weighed(metric: Metric, blank: GuardrailResult) -> GuardrailResult:
    assert blank.alarm_at is not None
    log_harm = sequences.log_harm([(bad, cases) for _, bad, cases in blank.days], blank.limit)
    breached = fires(log_harm, blank.alarm_at)
    result = replace(
        blank,
        verdict=Verdict.FAIL if breached else Verdict.PASS,
        breached=breached,
        seen=blank.bad / blank.cases,
        bound=sequences.lower_bound(blank.bad, blank.cases, CONFIDENCE),
        log_harm=log_harm,
        nearness=min(max(log_harm / blank.alarm_at, 0.0), 1.0),
    )
    return _told_breach(metric, result) if breached else _told(metric, result)


def _told(metric: Metric, result: GuardrailResult) -> GuardrailResult:
    assert result.bound is not None
    fires_at = f"It fires at {words.percent(result.limit)}."
    if result.bad == 0:
        said = f"None {metric.words} in {words.plural(result.cases, 'case')}."
    else:
        said = f"At least {words.at_least(result.bound)} {metric.words}, {words.sure(CONFIDENCE)}."
    return replace(result, words=f"{said} {fires_at}")


def _told_breach(metric: Metric, result: GuardrailResult) -> GuardrailResult:
    first = _began(result)
    bad = sum(bad for _, bad, _ in result.days[first:])
    cases = sum(cases for _, _, cases in result.days[first:])
    since = result.days[first][0]
    said = (
        f"{words.number(bad)} of {words.plural(cases, 'case')} {metric.words} since {words.day(since)}, "
        f"that is {words.seen(bad / cases)}. The limit is {words.percent(result.limit)}."
    )
    change = "The cause is found and mended, or another version takes its place."
    return replace(result, words=said, what_would_change=change, since=since)


def _began(result: GuardrailResult) -> int:
    """The day since which the cases speak most clearly of harm."""
    evidence, bad, cases = [], 0, 0
    for _, more_bad, more_cases in reversed(result.days):
        bad, cases = bad + more_bad, cases + more_cases
        evidence.append(sequences.log_e_above(bad, cases, result.limit))
    return len(evidence) - 1 - evidence.index(max(evidence))
