"""
When a gate that is not sure yet could pass, at the present volume and if it stays as good as so far.

Computed when it is shown, never when a rollout is judged: it decides nothing. A forecast has a horizon of cases. What
has not passed there may pass later or never, so it is never given a date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from evidence import planning
from evidence.planning import Forecast, GateTerms, Span
from evidence.reviewers import Seeded, corrected_limit
from rollout.domain import words
from rollout.domain.counted_gate import Asked
from rollout.domain.metrics import Direction, Kind, get_metric
from rollout.domain.tally import Tallies, Tally
from rollout.domain.totals import Totals
from rollout.domain.verdict import Verdict

VOLUME_DAYS: Final = 28
"""The present volume is that of the settled days among so many."""

_UNITS = ((730, 365, "year"), (180, 30, "month"), (14, 7, "week"), (0, 1, "day"))
"""From so many days on, a unit of so many days: a finer one would promise too much."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    Further cases and days until a gate passes, each at the earliest, as likely as not, and at the latest.

    One in ten is over before the first, nine in ten before the last; None: not within `horizon` cases. `chance` is how
    probable it is to pass within them, `per_day` the volume of settled cases. `days` is None without a volume.
    """

    words: str
    cases: Span
    days: Span | None
    chance: float
    horizon: int
    per_day: float


@dataclass(frozen=True, slots=True)
class Outlooks:
    """What forecasts of one rollout are made from. `since`: the day its phase began; only its cases are in `totals`."""

    totals: Totals
    since: date
    today: date
    settle_days: int

    def of(self, gate: Mapping[str, Any]) -> Outlook | None:
        """That of a stored gate (`GateResult.to_dict()`) or of its deciding segment; None where nothing can be said."""
        if gate["kind"] != Kind.RATE or gate["verdict"] != Verdict.INCONCLUSIVE or not gate["cases"]:
            return None
        terms = self._terms(gate)
        if terms is None:
            return None
        per_day = self._per_day(self._tally(gate))
        found = _forecast(gate["bad"], gate["cases"], terms, per_day, max(0, (self.today - self.since).days))
        if found.cases is None:
            return None
        said = _said(found, per_day)
        if gate["segment"] is not None:
            said = f'Segment "{gate["segment"]}": {said[:1].lower()}{said[1:]}' if gate["segment"] else said
        return Outlook(said, found.cases, found.days, found.chance, found.horizon, per_day)

    def _terms(self, gate: Mapping[str, Any]) -> GateTerms | None:
        asked = Asked(Direction(gate["direction"]), gate["limit"], gate["confidence"], gate["minimum_cases"])
        limit, confidence = asked.bad_limit, asked.confidence
        if gate.get("seeded") is not None:
            corrected = corrected_limit(limit, Seeded(*gate["seeded"]), confidence)
            if corrected.limit is None or not 0.0 < corrected.limit < 1.0:
                return None
            limit, confidence = corrected.limit, corrected.gate_confidence
        return GateTerms(limit, confidence, asked.minimum_cases, settle_days=float(self.settle_days))

    @property
    def _before(self) -> date:
        return self.today - timedelta(days=self.settle_days)

    def _tally(self, gate: Mapping[str, Any]) -> Tally:
        lanes = Tallies(self.totals, self._before).of(get_metric(gate["metric"]).lanes)
        return lanes.whole if gate["segment"] is None else lanes.segments.get(gate["segment"], Tally())

    def _per_day(self, tally: Tally) -> float:
        """Settled cases a day that were not void, over the last days of the phase that have settled."""
        first = max(self.since, self._before - timedelta(days=VOLUME_DAYS))
        days = (self._before - first).days
        if days <= 0:
            return 0.0
        return sum(counts.cases - counts.void for day, counts in tally.days if day >= first) / days


@lru_cache(maxsize=1024)
def _forecast(bad: int, cases: int, terms: GateTerms, per_day: float, days_so_far: int) -> Forecast:
    """Kept, for a page that is looked at all day asks for the same one again: it takes some thirty milliseconds."""
    return planning.forecast(bad, cases, terms, per_day=per_day, days_so_far=days_so_far)


def _said(found: Forecast, per_day: float) -> str:
    """`In about 3 to 9 weeks at the present 40 cases a day, if it stays as good as so far.`"""
    cases, same = found.cases, "if it stays as good as so far"
    assert cases is not None
    beyond = f"within {words.plural(found.horizon, 'more case')}"
    if cases.early is None:
        return f"It will hardly pass {beyond}, {same}."
    if found.days is None or found.days.early is None:
        more = _range(cases.early, cases.late if cases.late is not None else cases.median, "more case")
        return f"No case has settled lately, so no time can be given. It takes {more}, {same}."
    at = f"at the present {_volume(per_day)} a day"
    if found.days.late is not None:
        return f"In {_time(found.days.early, found.days.late)} {at}, {same}."
    if found.days.median is not None:
        return f"Perhaps in {_time(found.days.early, found.days.median)} {at}, {same}; it may also not pass {beyond}."
    return f"In {_time(found.days.early, None)} {at} at the earliest, {same}; more likely it does not pass {beyond}."


def _time(early: int, late: int | None) -> str:
    """`about 3 to 9 weeks`, `about 11 days to 5 months`."""
    low, unit = _rounded(early)
    if late is None:
        return _range(low, None, unit)
    high, high_unit = _rounded(late)
    if unit == high_unit:
        return _range(low, high, unit)
    return f"about {words.plural(low, unit)} to {words.plural(high, high_unit)}"


def _rounded(days: int) -> tuple[int, str]:
    length, unit = next((length, unit) for start, length, unit in _UNITS if days >= start)
    return max(1, round(days / length)), unit


def _range(low: int, high: int | None, unit: str) -> str:
    low = max(low, 1)
    if high is None or high <= low:
        return f"about {words.plural(low, unit)}"
    return f"about {low:,} to {words.plural(high, unit)}"


def _volume(per_day: float) -> str:
    if per_day < 1:
        return f"{per_day:.1g} cases"
    return words.plural(round(per_day), "case")
