"""
What has changed about the cases that come in, before any verdict tells: by attribute, week against week, and whether
the router's own draws fall as they should.

Everything here is shown and nothing is done about it; what takes autonomy away are the guardrails. All windows hold
whole days that are over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from evidence.alarms.drift import Drift, WeekAgainstWeek, drift, level_of_one, week_against_week
from evidence.shares import Split, check_split
from rollout.domain.metrics import METRICS, Metric
from rollout.domain.phase import Lane
from rollout.gates.tables import Total
from rollout.versions import steps
from rollout.versions.tables import Rollout
from routing.drift import queries
from routing.thresholds import queries as threshold_queries

WEEK = timedelta(days=7)
FIRST_DAYS = timedelta(days=28)
DRAWS_OF = timedelta(days=28)
FALSE_ALARMS_A_YEAR = 0.5
"""To be expected at most of all attributes of a version together, although somebody looks every day."""

MISSING = "(missing)"
_LOOKS_A_YEAR = 365
_COMPARED = ("error_rate", "override_rate", "low_confidence_rate", "invalid_output_rate")


@dataclass(frozen=True, slots=True)
class Window:
    """Days from `first` up to but not including `end`; `why` says what they are compared for."""

    first: date
    end: date
    why: str


@dataclass(frozen=True, slots=True)
class Value:
    value: str
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class AttributeDrift:
    """One attribute: its values in both windows, the most frequent first, and whether they differ."""

    attribute: str
    found: Drift
    values: tuple[Value, ...]
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class Week:
    metric: Metric
    before: tuple[int, int]
    now: tuple[int, int]
    found: WeekAgainstWeek


@dataclass(frozen=True, slots=True)
class Draw:
    """How often a draw came out: of `cases` about `probability` should have been `drawn`."""

    what: str
    probability: float
    drawn: int
    cases: int
    split: Split


@dataclass(frozen=True, slots=True)
class Report:
    reference: Window | None
    week: Window
    attributes: tuple[AttributeDrift, ...]
    weeks: tuple[Week, ...]
    draws: tuple[Draw, ...]


def report(session: Session, rollout: Rollout, *, now: datetime) -> Report:
    """All that can be said without verdicts, and week against week with them."""
    today = now.date()
    week = Window(today - WEEK, today, "the last seven days")
    reference = _reference(session, rollout, week)
    return Report(
        reference=reference,
        week=week,
        attributes=_attributes(session, rollout, reference, week) if reference is not None else (),
        weeks=_weeks(session, rollout, today),
        draws=_draws(session, rollout, today),
    )


def _reference(session: Session, rollout: Rollout, week: Window) -> Window | None:
    """The days whose labels the threshold in force rests on, or else the first days of the version."""
    calibrated = steps.rules_of(session, rollout).calibrated
    if calibrated is not None:
        for row in threshold_queries.calibrations(session, rollout.id, ""):
            if row.id == calibrated.calibration:
                first, last = (_day(row.data[place]["decided_at"]) for place in ("first", "last"))
                end = min(last + timedelta(days=1), week.first)
                if first < end:
                    return Window(first, end, "the labels that the threshold rests on")
    begins = queries.first_day(session, rollout.id)
    if begins is None or begins >= week.first:
        return None
    return Window(begins, min(begins + FIRST_DAYS, week.first), "the first days of the version")


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).date()


def _attributes(session: Session, rollout: Rollout, reference: Window, week: Window) -> tuple[AttributeDrift, ...]:
    before = _with_missing(queries.counted(session, rollout.id, reference.first, reference.end))
    now = _with_missing(queries.counted(session, rollout.id, week.first, week.end))
    names = sorted({*before, *now})
    if not names:
        return ()
    level = level_of_one(FALSE_ALARMS_A_YEAR, _LOOKS_A_YEAR * len(names))
    missing = [
        {MISSING: max((sum(counts.values()) for counts in window.values()), default=0)} for window in (before, now)
    ]
    made = [_attribute(name, before.get(name, missing[0]), now.get(name, missing[1]), level) for name in names]
    return tuple(sorted(made, key=lambda one: (not one.found.alarmed, one.found.p_value or 1.0, one.attribute)))


def _with_missing(counted: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """An attribute that many cases suddenly come without is a change too. Every case has a confidence or none."""
    cases = sum(counted.get("confidence", {}).values())
    return {
        name: values | ({MISSING: cases - sum(values.values())} if sum(values.values()) < cases else {})
        for name, values in counted.items()
    }


def _attribute(name: str, before: Mapping[str, int], now: Mapping[str, int], level: float) -> AttributeDrift:
    values = [Value(value, before.get(value, 0), now.get(value, 0)) for value in {*before, *now}]
    if name == "confidence":
        values.sort(key=lambda one: one.value)
    else:
        values.sort(key=lambda one: (-one.before - one.now, one.value))
    found = drift(before, now, level)
    return AttributeDrift(name, found, tuple(values), sum(before.values()), sum(now.values()))


def _weeks(session: Session, rollout: Rollout, today: date) -> tuple[Week, ...]:
    """Of the rates whose cases were ruled on only those are counted that were."""
    rows = queries.totals(session, rollout.id, today - 2 * WEEK, today)
    found = []
    for name in _COMPARED:
        metric = METRICS[name]
        mine = [row for row in rows if Lane(row.lane) in metric.lanes]
        before = _rate(metric, [row for row in mine if row.day < today - WEEK])
        now = _rate(metric, [row for row in mine if row.day >= today - WEEK])
        compared = week_against_week(before, now, comparisons_per_week=WEEK.days * len(_COMPARED))
        found.append(Week(metric, before, now, compared))
    return tuple(found)


def _rate(metric: Metric, rows: Sequence[Total]) -> tuple[int, int]:
    bad = sum(getattr(row, metric.bad) for row in rows)
    if metric.ruled:
        return bad, sum(row.agreed + row.overridden for row in rows)
    return bad, sum(row.cases for row in rows)


def _draws(session: Session, rollout: Rollout, today: date) -> tuple[Draw, ...]:
    first = today - DRAWS_OF
    audits = queries.draws(session, rollout.id, "audit", first)
    ramps = queries.draws(session, rollout.id, "ramp", first)
    return (*_splits("audit", audits, {"audit"}), *_splits("ramp", ramps, {"auto", "audit"}))


def _splits(what: str, rows: Sequence[tuple[float, str, int]], drawn_lanes: set[str]) -> list[Draw]:
    """One split for every probability that was in force."""
    made = []
    for probability in sorted({row[0] for row in rows}):
        mine = [(lane, count) for at, lane, count in rows if at == probability]
        cases = sum(count for _, count in mine)
        drawn = sum(count for lane, count in mine if lane in drawn_lanes)
        split = check_split((drawn, cases - drawn), (probability, 1.0 - probability))
        made.append(Draw(what, probability, drawn, cases, split))
    return made
