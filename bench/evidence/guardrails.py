"""
Guardrails as a plan has them: judged by day cohorts, looked at every day, `false_alarm_days` at its default.

A guardrail at a fixed limit and with the same number of cases every day depends on days and bad cases only, so its
e-values are looked up in a table made by the product's own function; `check_against_the_product` holds the outcome
against `sequences.log_harm`. The shares have another limit in every run, and are judged by the product itself.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from bench.evidence.drawing import Floats, Ints
from bench.evidence.effort import Effort, random
from bench.evidence.report import Median, Section, Share, percent
from evidence import sequences
from rollout.domain.guardrail import calibrated_limit, fires
from rollout.domain.metrics import get_metric
from rollout.domain.plan import FALSE_ALARM_DAYS

LIMIT = 0.03
QUIET_DAYS, WATCHED_DAYS, YEAR = 60, 240, 365
_LABELS, _SHARE = 1_000, 0.30
_CERTAIN = 50.0
"""Far beyond any alarm; the table ends there."""


def first_alarms(bad: Ints, per_day: int, limit: float = LIMIT) -> Floats:
    """The first day whose look fires, inf where none does; `bad` has shape (runs, days)."""
    runs, days = bad.shape
    until = np.concatenate([np.zeros((runs, 1), dtype=np.int64), np.cumsum(bad, axis=1)], axis=1)
    table = _table(per_day, days, int(bad.max(initial=0)), limit)
    at, open_runs = np.full(runs, np.inf), np.arange(runs)
    for day in range(1, days + 1):
        since = until[open_runs, day, None] - until[open_runs, :day]  # bad cases since each day that it may have begun
        length = np.arange(day, 0, -1)
        evidence = table[length, np.minimum(since, table.shape[1] - 1)].sum(axis=1)
        fired = evidence >= FALSE_ALARM_DAYS
        at[open_runs[fired]] = day
        open_runs = open_runs[~fired]
    return at


@cache
def _table(per_day: int, days: int, most_a_day: int, limit: float) -> Floats:
    """E-values above the limit by days and bad cases in them; from where it is certain on, the same."""
    width = min(int(3 * limit * per_day * days) + 60, most_a_day * days) + 1
    table = np.full((days + 1, width), np.exp(_CERTAIN))
    for length in range(1, days + 1):
        for bad in range(min(width, per_day * length + 1)):
            log_e = sequences.log_e_above(bad, per_day * length, limit)
            if log_e >= _CERTAIN:
                break
            table[length, bad] = np.exp(log_e)
    return table


def first_alarm_of_the_product(days: list[tuple[int, int]], limit: float) -> float:
    """The same of one stream of (bad, cases), by the function that judges guardrails, looked at day by day."""
    for day in range(1, len(days) + 1):
        if fires(sequences.log_harm(days[:day], limit), float(np.log(FALSE_ALARM_DAYS))):
            return day
    return np.inf


def check_against_the_product(bad: Ints, per_day: int) -> int:
    """How many of the streams fire on another day than the product's own function says."""
    simulated = first_alarms(bad, per_day)
    streams = [[(int(one), per_day) for one in stream] for stream in bad]
    return sum(first_alarm_of_the_product(one, LIMIT) != at for one, at in zip(streams, simulated, strict=True))


class Course(NamedTuple):
    """The rate on every day of a stream, `before` and `after` a jump; without one, a year at the same rate."""

    per_day: int
    before: float
    after: float

    def bad(self, runs: int) -> Ints:
        rng, jumps = random("guardrails", *self), self.before != self.after
        rates = np.full(QUIET_DAYS + WATCHED_DAYS if jumps else YEAR, self.after)
        rates[:QUIET_DAYS] = self.before
        return rng.binomial(self.per_day, rates, (runs, len(rates)))


def _alarms_on(job: tuple[Course, int]) -> Floats:
    course, runs = job
    return first_alarms(course.bad(runs), course.per_day)


def false_alarms_and_delays(section: Section, effort: Effort) -> None:
    quiet = section.table(
        "cases a day",
        "true rate",
        "years with a false alarm within 90 days",
        "within 365 days",
        note=f"**The product's guardrail, false alarms.** `at_most: {LIMIT}`, judged by day, looked at daily, "
        f"`false_alarm_days` {FALSE_ALARM_DAYS:,.0f}; {effort.alarms:,} years each.",
    )
    jumps = section.table(
        "cases a day",
        f"rate after day {QUIET_DAYS}, 2 % before",
        "delay in days: median (90 %)",
        "in cases",
        f"not noticed in {WATCHED_DAYS} days",
        note="**The product's guardrail, delays.** Runs with an alarm before the jump are left out.",
    )
    courses = [Course(per_day, 0.02, after) for per_day in (50, 200) for after in (0.02, 0.04, 0.06)]
    courses += [Course(per_day, LIMIT, LIMIT) for per_day in (50, 200)]
    jobs = [(course, effort.alarms) for course in courses]
    for course, at in zip(courses, effort.spread(_alarms_on, jobs), strict=True):
        if course.before == course.after:
            early, year = (Share(int((at <= days).sum()), len(at)) for days in (90, YEAR))
            met = early.at_most(90 / FALSE_ALARM_DAYS) and year.at_most(YEAR / FALSE_ALARM_DAYS)
            claim = "at most 9 %, and 36.5 %: t days of 1,000"
            quiet.add(course.per_day, percent(course.before, 0), early, year, claim=claim, met=met)
            continue
        late = at[at > QUIET_DAYS] - QUIET_DAYS
        missed = Share(int(np.isinf(late).sum()), len(late))
        delays = Median.of(late), Median.of(late * course.per_day)
        jumps.add(course.per_day, percent(course.after, 0), *delays, missed)


def _share_alarms(job: tuple[float, int, int]) -> Floats:
    """Of the share below the threshold: each run with a calibration of its own, whose 99 % bound is the limit."""
    share, per_day, runs = job
    rng, metric = random("shares", *job[:2]), get_metric("low_confidence_rate")
    at = np.full(runs, np.inf)
    for run in range(runs):
        limit = calibrated_limit(metric, int(rng.binomial(_LABELS, _SHARE)), _LABELS)
        days = [(int(bad), per_day) for bad in rng.binomial(per_day, share, 90)]
        at[run] = first_alarm_of_the_product(days, limit)
    return at


def shares(section: Section, effort: Effort) -> None:
    table = section.table(
        "cases a day",
        "true share below the threshold",
        "runs with an alarm within 90 days",
        "days to the alarm: median (90 %)",
        note=f"**The product's guardrail on the share below the threshold.** {percent(_SHARE, 0)} of {_LABELS:,} "
        "labels in the calibration, drawn anew for each run; the limit is its 99 % bound; judged by day, looked at "
        "daily.",
    )
    runs = max(10, effort.alarms // 20)
    jobs = [(share, per_day, runs) for per_day in (50, 200) for share in (_SHARE, 0.40)]
    for (share, per_day, _), at in zip(jobs, effort.spread(_share_alarms, jobs), strict=True):
        seen, held = Share(int(np.isfinite(at).sum()), runs), share == _SHARE
        claim = "at most 10 %: 90 days of 1,000, and 1 % for the calibration" if held else None
        shown = (per_day, percent(share, 0), seen, Median.of(at))
        table.add(*shown, claim=claim, met=seen.at_most(90 / FALSE_ALARM_DAYS + 0.01) if held else None)


def check(section: Section) -> None:
    different = check_against_the_product(Course(50, 0.02, 0.06).bad(5)[:, :120], 50)
    table = section.table("guardrail simulated against the product's own function, day by day", "streams that differ")
    table.add("5 streams of 120 days", different, claim="none differs", met=different == 0)
