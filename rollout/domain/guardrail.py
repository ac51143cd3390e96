"""
Judges one guardrail: has harm begun?

Judged on every look, in every state and before any minimum of cases, since harm may be concluded early. The alarm
adds up, for every day on which harm may have begun, the evidence of all cases since; it fires by mistake once in
`false_alarm_days` days on average, however often one looks. Only measured harm counts: a case without a verdict is
no harm, and a source that does not answer is an error, not a breach.

Two kinds are told apart from that. A share of cases above or below the threshold is held against what it was when the
threshold was calibrated. And a guardrail by segments closes a segment instead of demoting the version; the segments
share its false alarms.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from evidence import binomial, sequences
from evidence.alarms.presets import CALIBRATION_CONFIDENCE
from rollout.domain import words
from rollout.domain.gate import SOURCES
from rollout.domain.metrics import Kind, Metric, UnknownMetric, get_metric, harm_rate
from rollout.domain.phase import Severity
from rollout.domain.plan import CONFIDENCE, FALSE_ALARM_DAYS, Guardrail
from rollout.domain.situation import Situation
from rollout.domain.thresholds import Thresholds
from rollout.domain.totals import Cohort, Counts, CountsTable, Totals, by_day, by_segment, counted, of_segment, total
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
        if guardrail.at_most is None and not metric.calibrated:
            return _cannot(blank, "it has no limit")
        if metric.kind is Kind.COUNT:
            return _failures(blank, situation)
        return _of_rate(guardrail, metric, blank, situation)
    except (UnknownMetric, ValueError) as error:  # a plan that came around `load_plan`
        return _cannot(blank, str(error))


def _cannot(blank: GuardrailResult, why: str) -> GuardrailResult:
    said = f"It cannot be judged: {why}. Nothing was concluded from that."
    change = "The source of these figures answers again."
    return replace(blank, verdict=Verdict.ERROR, words=said, what_would_change=change)


def _failures(blank: GuardrailResult, situation: Situation) -> GuardrailResult:
    assert blank.limit is not None
    count = situation.open_failures.get(Severity.CRITICAL, 0)
    breached = count > blank.limit
    return replace(
        blank,
        verdict=Verdict.FAIL if breached else Verdict.PASS,
        breached=breached,
        words=f"{words.plural(count, 'open critical failure')}. It fires above {words.number(blank.limit)}.",
        what_would_change="They are investigated and closed." if breached else "",
        nearness=nearness_of_count(count, blank.limit),
        value=count,
    )


def nearness_of_count(count: float, limit: float) -> float:
    return 1.0 if count > limit else count / (limit + 1)


def _of_rate(guardrail: Guardrail, metric: Metric, blank: GuardrailResult, situation: Situation) -> GuardrailResult:
    totals = counted(situation.totals, metric.lanes)
    if metric.calibrated:
        return _share(metric, blank, totals, situation.thresholds)
    if guardrail.segments is not None:
        return _each(metric, blank, totals, situation.thresholds)
    return _rate(metric, blank, totals)


def _share(metric: Metric, blank: GuardrailResult, totals: Totals, thresholds: Thresholds) -> GuardrailResult:
    """Only whole days under the threshold in force, and only segments that fall under it, can be compared with it."""
    if thresholds.general is None or thresholds.since is None:
        return _unknown(blank, "No threshold is in force, so no case lies above or below it.", "One is put in force.")
    if blank.limit is None:
        calibrated = thresholds.calibrated
        if calibrated is None:
            said = "The threshold rests on no calibration, so what share is usual is not known."
            return _unknown(blank, said, "A calibration is put in force, or the plan says at_most.")
        seen = calibrated.below, calibrated.labels
        limit = calibrated_limit(metric, *seen)
        if limit >= 1.0:
            said = f"All {words.plural(calibrated.labels, 'calibrated case')} were {metric.words}: it cannot be more."
            return _unknown(replace(blank, calibrated=seen), said, "The plan says at_most, or another look is taken.")
        blank = replace(blank, limit=limit, calibrated=seen)
    first = thresholds.since.date() + timedelta(days=1)
    return _rate(metric, blank, {
        cohort: counts for cohort, counts in totals.items()
        if cohort.day >= first and cohort.segment not in thresholds.own
    })  # fmt: skip


def calibrated_limit(metric: Metric, below: int, labels: int) -> float:
    """The most that the share can have been when the threshold was calibrated, 99 % sure; 1: it cannot grow."""
    seen = below if metric.bad == "low_confidence" else labels - below
    return binomial.upper_bound(seen, labels, CALIBRATION_CONFIDENCE)


def _unknown(blank: GuardrailResult, said: str, change: str) -> GuardrailResult:
    return replace(blank, verdict=Verdict.NO_EVIDENCE, words=said, what_would_change=change)


def _each(metric: Metric, blank: GuardrailResult, totals: Totals, thresholds: Thresholds) -> GuardrailResult:
    """Every open segment for itself, each at the alarm level of all together, so that their false alarms do not add."""
    family = by_segment(totals)
    alarm_days = (blank.false_alarm_days or FALSE_ALARM_DAYS) * max(len(family), 1)
    parts = tuple(
        _rate(
            metric,
            replace(blank, segment=segment, false_alarm_days=alarm_days),
            _since_reopened(of_segment(totals, segment), thresholds),
        )
        for segment in family
        if segment not in thresholds.closed
    )
    result = replace(
        blank,
        verdict=of_segments([part.verdict for part in parts]),
        bad=sum(part.bad for part in parts),
        cases=sum(part.cases for part in parts),
        pending=sum(part.pending for part in parts),
        nearness=max((part.nearness for part in parts), default=0.0),
        closes=tuple(str(part.segment) for part in parts if part.breached),
        segments=parts,
    )
    return _told_each(result)


_OF_SEGMENTS = (Verdict.FAIL, Verdict.ERROR, Verdict.PASS)


def of_segments(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a guardrail by segments: one that fails is told first; without any evidence there is none."""
    return next((verdict for verdict in _OF_SEGMENTS if verdict in verdicts), Verdict.NO_EVIDENCE)


def _since_reopened(totals: Totals, thresholds: Thresholds) -> Totals:
    """What closed a segment does not close it again once an owner has opened it: its cases count from the next day."""

    def counts(cohort: Cohort) -> bool:
        reopened = thresholds.reopened.get(cohort.segment)
        return reopened is None or cohort.day > reopened.date()

    return {cohort: figures for cohort, figures in totals.items() if counts(cohort)}


def _told_each(result: GuardrailResult) -> GuardrailResult:
    if result.closes:
        fired = [part for part in result.segments if part.breached]
        said = " ".join(f"{words.segment(part.segment)}: {part.words}" for part in fired)
        many = "It is" if len(fired) == 1 else "They are"
        change = f"{many} closed: people do these cases, until the owner opens it again."
        return replace(result, words=said, what_would_change=change)
    seen = [part for part in result.segments if part.verdict is Verdict.PASS]
    if not seen:
        first = next((part for part in result.segments if part.verdict is result.verdict), None)
        said = first.words if first is not None else "No case has been counted yet."
        return replace(result, words=said, what_would_change=first.what_would_change if first else "Cases come in.")
    nearest = max(seen, key=lambda part: part.nearness)
    said = f"None of {words.plural(len(seen), 'segment')} is above the limit."
    return replace(result, words=f"{said} Nearest to it is {words.segment(nearest.segment)}: {nearest.words}")


def _rate(metric: Metric, blank: GuardrailResult, totals: Totals) -> GuardrailResult:
    if not CountsTable([*totals.values()]).add_up:
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


def harm_bound(bad: int, cases: int) -> float:
    """What the rate is at least; shown only, for it is the alarm that decides."""
    return sequences.lower_bound(bad, cases, CONFIDENCE)


def nearness(log_harm: float, alarm_at: float) -> float:
    """On the scale of the evidence: 0 is far, at 1 it fires."""
    return min(max(log_harm / alarm_at, 0.0), 1.0)


def _weighed(metric: Metric, blank: GuardrailResult) -> GuardrailResult:
    assert blank.alarm_at is not None
    assert blank.limit is not None
    log_harm = sequences.log_harm([(bad, cases) for _, bad, cases in blank.days], blank.limit)
    breached = fires(log_harm, blank.alarm_at)
    result = replace(
        blank,
        verdict=Verdict.FAIL if breached else Verdict.PASS,
        breached=breached,
        seen=blank.bad / blank.cases,
        bound=harm_bound(blank.bad, blank.cases),
        log_harm=log_harm,
        nearness=nearness(log_harm, blank.alarm_at),
    )
    return _told_breach(metric, result) if breached else _told(metric, result)


def _told(metric: Metric, result: GuardrailResult) -> GuardrailResult:
    assert result.bound is not None
    fires_at = f"It fires at {_limit_words(result)}."
    if result.bad == 0:
        said = f"None {metric.words} in {words.plural(result.cases, 'case')}."
    else:
        said = f"At least {words.at_least(result.bound)} {metric.words}, {words.sure(CONFIDENCE)}."
    return replace(result, words=f"{said} {fires_at}")


def _told_breach(metric: Metric, result: GuardrailResult) -> GuardrailResult:
    assert result.limit is not None
    first = began(result.days, result.limit)
    bad = sum(bad for _, bad, _ in result.days[first:])
    cases = sum(cases for _, _, cases in result.days[first:])
    since = result.days[first][0]
    said = (
        f"{words.number(bad)} of {words.plural(cases, 'case')} {metric.words} since {words.day(since)}, "
        f"that is {words.seen(bad / cases)}. The limit is {_limit_words(result)}."
    )
    change = "The cause is found and mended, or another version takes its place."
    return replace(result, words=said, what_would_change=change, since=since)


def _limit_words(result: GuardrailResult) -> str:
    """As the plan's author wrote it, or rounded up where it was calibrated."""
    assert result.limit is not None
    return words.percent(result.limit) if result.calibrated is None else words.at_most(result.limit)


def began(days: Sequence[Day], limit: float) -> int:
    """The day since which the cases speak most clearly of harm."""
    evidence, bad, cases = [], 0, 0
    for _, more_bad, more_cases in reversed(days):
        bad, cases = bad + more_bad, cases + more_cases
        evidence.append(sequences.log_e_above(bad, cases, limit))
    return len(evidence) - 1 - evidence.index(max(evidence))
