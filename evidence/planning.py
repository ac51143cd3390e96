"""
When a gate could pass: how many more cases and days at the present rate and volume, with an interval.

The gate of `evidence.sequences` is looked at after every case, so it passes at the first count of cases that tolerates
the bad ones seen by then. Between two such counts nothing can pass, so the chance of each is carried from one to the
next by the exact chances of the bad cases in between. The rate is either named, or learnt from the counts so far: then
the next case is bad with chance (a + bad) / (a + b + cases), which mixes over all rates that the counts leave possible
(Polya's urn), so that the interval holds both the luck to come and the doubt about the rate. Nothing is simulated.

A forecast ends at a horizon. What has not passed there by then may pass later or never, and is never given a number.
"""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import scipy
from scipy import special

from evidence.binomial import Floats, checked_amount, checked_counts, checked_rate, checked_share, checked_whole
from evidence.sequences import crossed, log_e_below

EARLY, MEDIAN, LATE = 0.1, 0.5, 0.9

_EXACT_STEPS = 64
"""So many counts that tolerate one more bad case are looked at singly; later ones in steps of 1/48 of the way."""
_STEPS_PER_WAY = 48
_MOST_BAD = 1_024
"""The horizon: so many further bad cases, of which the gate at its limit tolerates every one."""
_NEGLIGIBLE = 1e-8
_SPREADS, _SLACK = 6.0, 20
_FAR = 50_000
"""With more bad cases than this before the first look, the horizon is the first look."""
_RATES = 1_000
"""So many rates stand for all that are possible, where the first look is far."""

NOTHING_SEEN = "nothing was seen in this phase yet, so there is no rate to go by"


class Span(NamedTuple):
    """One chance in ten that it is over at `early`, one in two at `median`, nine in ten at `late`; `None`: not so."""

    early: int | None
    median: int | None
    late: int | None


@dataclass(frozen=True, slots=True)
class GateTerms:
    """
    What has to hold for the gate to pass: the rate below `limit`, on enough cases and days.

    A case counts once it is `settle_days` old, so that late verdicts are in.
    """

    limit: float
    confidence: float = 0.95
    minimum_cases: int = 0
    minimum_days: float = 0.0
    settle_days: float = 0.0

    def __post_init__(self) -> None:
        checked_rate(self.limit, "limit")
        checked_rate(self.confidence, "confidence")
        checked_whole(self.minimum_cases, "minimum_cases")
        checked_amount(self.minimum_days, "minimum_days")
        checked_amount(self.settle_days, "settle_days")


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    Further cases and days until the gate passes, from now on; zeros when it passes already.

    `chance` is how probable it is that it passes within `horizon` further cases. `days` is `None` without a volume, and
    both spans are when there is nothing to go by: then `reason` says so.
    """

    cases: Span | None
    days: Span | None
    chance: float
    horizon: int
    reason: str | None = None


class _Rate(Protocol):
    """How probable further bad cases are, after `bad` bad and `good` good ones."""

    def log_none(self, bad: Floats, good: Floats, more: int) -> Floats:
        """Log of the chance of no bad one among `more`."""

    def odds(self, bad: Floats, good: Floats) -> Floats:
        """The chance that the next is bad after this, over that it is good after one bad less and one good more."""

    def within(self, bad: int, good: int, more: int, most: int) -> float:
        """The chance of `most` bad ones or fewer among `more`."""


@dataclass(frozen=True, slots=True)
class _Known:
    rate: float

    def log_none(self, bad: Floats, good: Floats, more: int) -> Floats:
        del good
        return np.full(bad.shape, more * math.log1p(-self.rate))

    def odds(self, bad: Floats, good: Floats) -> Floats:
        del good
        return np.full(bad.shape, self.rate / (1.0 - self.rate))

    def within(self, bad: int, good: int, more: int, most: int) -> float:
        del bad, good
        return float(scipy.stats.binom.cdf(most, more, self.rate))


@dataclass(frozen=True, slots=True)
class _Learnt:
    """Jeffreys' prior, half a bad and half a good case beforehand: a rate of which nothing is known."""

    a: float = 0.5
    b: float = 0.5

    def log_none(self, bad: Floats, good: Floats, more: int) -> Floats:
        return np.asarray(
            special.betaln(self.a + bad, self.b + good + more) - special.betaln(self.a + bad, self.b + good)
        )

    def odds(self, bad: Floats, good: Floats) -> Floats:
        return np.asarray((self.a + bad) / (self.b + good))

    def within(self, bad: int, good: int, more: int, most: int) -> float:
        parts = (np.arange(_RATES) + 0.5) / _RATES  # as many rates, each as probable as the others
        rates = special.betaincinv(self.a + bad, self.b + good, parts)
        return float(scipy.stats.binom.cdf(most, more, rates).mean())


def cases_until_pass(rate: float, terms: GateTerms) -> Forecast:
    """
    The planning table: cases from a fresh start until an agent that is wrong at `rate` passes, looked at every case.

    Of `terms` the days are left out, for no volume is named.
    """
    rate = checked_share(rate, "rate")
    if rate == 1.0:
        raise ValueError("rate must lie below 1: an agent that is always wrong has no plan")
    return _forecast(_Known(rate), (0, 0), terms, terms.minimum_cases)


def forecast(
    bad: int, cases: int, terms: GateTerms, *, per_day: float | None = None, days_so_far: float = 0.0
) -> Forecast:
    """
    From `bad` of `cases` settled so far to a passed gate, at the rate that these counts leave possible.

    `per_day` is the volume of cases with a verdict, and `days_so_far` the age of the phase. Cases settle at the volume
    once the phase is `settle_days` old, so that wait is counted only as far as it lies ahead.
    """
    bad, cases = checked_counts(bad, cases)
    days_so_far = checked_amount(days_so_far, "days_so_far")
    if per_day is None:
        calendar, least = None, terms.minimum_cases
    else:
        calendar = _Calendar(checked_amount(per_day, "per_day"), terms, days_so_far)
        least = max(terms.minimum_cases, cases + calendar.settled_by_minimum())
    if cases == 0:
        return Forecast(None, None, 0.0, 0, NOTHING_SEEN)
    found = _forecast(_Learnt(), (bad, cases), terms, least)
    if calendar is None or found.cases is None:
        return found
    return Forecast(found.cases, Span(*map(calendar.days_for, found.cases)), found.chance, found.horizon)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Turns further settled cases into whole days from now."""

    per_day: float
    terms: GateTerms
    days_so_far: float

    @property
    def silent(self) -> float:
        """Days from now in which no case settles."""
        return max(0.0, self.terms.settle_days - self.days_so_far)

    @property
    def minimum(self) -> float:
        return max(0.0, self.terms.minimum_days - self.days_so_far)

    def settled_by_minimum(self) -> int:
        """How many further cases have settled when the minimum of days is over: earlier ones cannot pass the gate."""
        return math.floor(self.per_day * max(0.0, self.minimum - self.silent))

    def days_for(self, more: int | None) -> int | None:
        if more is None or (more > 0 and self.per_day == 0.0):
            return None
        wait = self.silent + more / self.per_day if more else 0.0
        return math.ceil(max(wait, self.minimum))


class _Look(NamedTuple):
    """
    After `cases` the gate passes with `tolerated` bad ones or fewer, which it may have done `since` that many cases.

    With more than `hopeful` bad ones it is six standard deviations above its limit: an agent that is as bad as that
    passes with a chance below one in a million, and one that is better does not come there.
    """

    cases: int
    tolerated: int
    since: float
    hopeful: int


def _forecast(rate: _Rate, now: tuple[int, int], terms: GateTerms, least: int) -> Forecast:
    bad, cases = now
    if cases >= least and _passes(bad, cases, terms):
        return Forecast(Span(0, 0, 0), None, 1.0, 0)
    looks = list(_looks(bad, cases, terms, max(least, cases)))
    reached = np.cumsum(_chances(rate, now, looks))
    return Forecast(
        cases=Span(*(_quantile(looks, reached, part, cases) for part in (EARLY, MEDIAN, LATE))),
        days=None,
        chance=min(1.0, float(reached[-1])),
        horizon=looks[-1].cases - cases,
    )


def _quantile(looks: list[_Look], reached: Floats, part: float, cases: int) -> int | None:
    """Where looks are left out, the passing is spread evenly over them."""
    place = int(np.searchsorted(reached, part))
    if place == len(looks):
        return None
    before = float(reached[place - 1]) if place else 0.0
    way = (part - before) / (float(reached[place]) - before)
    return math.ceil(looks[place].since + way * (looks[place].cases - looks[place].since)) - cases


def _looks(bad: int, cases: int, terms: GateTerms, least: int) -> Iterator[_Look]:
    """The counts of cases at which the gate may pass, in order: the least, and each that tolerates one more."""
    tolerated = _tolerated(least, terms)
    if tolerated >= bad and least > cases:
        yield (first := _look(least, tolerated, float(least), terms))
        if _is_far(bad, first):
            return
    start = max(bad, tolerated + 1)
    at, gap, before = least, round(1.0 / terms.limit), start - 1
    for step in _steps():
        further = start + step - before
        found = _first_passing(start + step, at + gap * further, terms)
        since = float(found) if further == 1 else at + (found - at) / further
        yield _look(found, start + step, since, terms)
        gap, at, before = max(1, round((found - at) / further)), found, start + step


def _look(cases: int, tolerated: int, since: float, terms: GateTerms) -> _Look:
    spread = math.sqrt(cases * terms.limit * (1.0 - terms.limit))
    hopeful = max(tolerated, math.ceil(cases * terms.limit + _SPREADS * spread) + _SLACK)
    return _Look(cases, tolerated, since, hopeful)


def _steps() -> Iterator[int]:
    step = 0
    while step < _MOST_BAD:
        yield step
        step += 1 if step < _EXACT_STEPS else math.ceil(step / _STEPS_PER_WAY)


def _chances(rate: _Rate, now: tuple[int, int], looks: list[_Look]) -> Floats:
    """The chance to pass at each look and at none before. `state[i]`: the chance of `low` + i bad ones, not passed."""
    bad, cases = now
    if _is_far(bad, looks[0]):
        return np.array([rate.within(bad, cases - bad, looks[0].cases - cases, looks[0].tolerated - bad)])
    low, state = bad, _at_first_look(rate, now, looks[0])
    passed = np.zeros(len(looks))
    for place, look in enumerate(looks):
        through = max(0, look.tolerated + 1 - low)
        passed[place] = state[:through].sum()
        low, state = low + through, state[through:]
        if place + 1 < len(looks):
            state = _carried(rate, (low, look.cases), looks[place + 1], state)
    return passed


def _at_first_look(rate: _Rate, now: tuple[int, int], look: _Look) -> Floats:
    """The chances of every count of bad ones at the first look, in logarithms, for it may be far away."""
    bad, good = now[0], now[1] - now[0]
    more = look.cases - now[1]
    further = np.arange(max(0, min(look.hopeful - bad, more)), dtype=np.float64)
    with np.errstate(divide="ignore"):  # a rate of zero: the log of its odds is minus infinity, as it should be
        ratios = np.log((more - further) / (further + 1.0) * rate.odds(bad + further, good + more - further - 1.0))
    none = rate.log_none(np.array([float(bad)]), np.array([float(good)]), more)
    return np.asarray(np.exp(np.concatenate([none, none + np.cumsum(ratios)])))


def _carried(rate: _Rate, before: tuple[int, int], look: _Look, state: Floats) -> Floats:
    """The state at the next look, which adds up over every count of bad cases in between."""
    low, cases = before
    more = look.cases - cases
    after = np.zeros(max(1, look.hopeful - low + 1))
    alive = np.flatnonzero(state > _NEGLIGIBLE)
    if not len(alive):
        return after
    start, stop = int(alive[0]), int(alive[-1]) + 1
    bad = np.arange(low + start, low + stop, dtype=np.float64)
    good = cases - bad
    weight = state[start:stop] * np.exp(rate.log_none(bad, good, more))
    left = float(state[start:stop].sum())
    for further in range(min(more, len(after) - 1 - start) + 1):
        room = after[start + further : stop + further]
        room += weight[: len(room)]
        left -= float(weight.sum())
        if left <= _NEGLIGIBLE:
            break
        weight *= rate.odds(bad + further, good + (more - further - 1.0))
        weight *= (more - further) / (further + 1.0)
    return after


def _is_far(bad: int, first: _Look) -> bool:
    return first.tolerated - bad > _FAR


def _passes(bad: int, cases: int, terms: GateTerms) -> bool:
    return crossed(log_e_below(bad, cases, terms.limit), terms.confidence)


def _tolerated(cases: int, terms: GateTerms) -> int:
    """The most bad ones with which the gate passes after `cases`; -1 when it does not even with none."""
    return bisect.bisect_left(range(cases + 1), x=True, key=lambda bad: not _passes(bad, cases, terms)) - 1


def _first_passing(bad: int, guess: int, terms: GateTerms) -> int:
    """The smallest count of cases that tolerates `bad` bad ones, sought outwards from `guess`."""
    low, high, step = bad - 1, max(bad, guess), 1
    while high < bad or not _passes(bad, high, terms):
        low, high, step = high, high + step, step * 2
    if step == 1:
        while high - step > low and _passes(bad, high - step, terms):
            high, step = high - step, step * 2
        low = max(low, high - step)
    between = range(low + 1, high + 1)
    return between[bisect.bisect_left(between, x=True, key=lambda cases: _passes(bad, cases, terms))]
