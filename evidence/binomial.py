"""
What counts say when they are looked at once, at a moment that was fixed beforehand: exact binomial bounds and tests.

For a number that people watch day by day use `sequences`, which pays for the watching. These here are for one look
planned in advance: a calibration of a threshold, the audit of a month, the answers of a reviewer to seeded cases.

Sources: Clopper, Pearson (1934), Biometrika 26; Wilson (1927), JASA 22, for display only.
"""

import operator
import sys
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


_CLOSE = 2
"""How far from a guess, in cases, it is tried whether the guess was good."""


class Interval(NamedTuple):
    """A rate lies between `lower` and `upper`, both in [0, 1]."""

    lower: float
    upper: float


def upper_bound(bad: int, cases: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound for a rate (Clopper and Pearson). 1 when nothing was seen: no evidence, no bound."""
    bad, cases = checked_counts(bad, cases)
    delta = _delta(confidence)
    if bad == cases:
        return 1.0
    return float(special.betainccinv(bad + 1, cases - bad, delta))


def lower_bound(bad: int, cases: int, confidence: float = 0.95) -> float:
    """The one-sided lower bound for a rate (Clopper and Pearson). 0 when nothing was seen, or nothing bad."""
    bad, cases = checked_counts(bad, cases)
    delta = _delta(confidence)
    if bad == 0:
        return 0.0
    return float(special.betaincinv(bad, cases - bad + 1, delta))


def interval(bad: int, cases: int, confidence: float = 0.95) -> Interval:
    """The two-sided exact interval: half of the doubt on either side."""
    half = 1.0 - _delta(confidence) / 2.0
    return Interval(lower_bound(bad, cases, half), upper_bound(bad, cases, half))


def wilson(bad: int, cases: int, confidence: float = 0.95) -> Interval:
    """Wilson's two-sided score interval. For display: it covers on average, not always, so nothing is decided by it."""
    bad, cases = checked_counts(bad, cases)
    level = checked_rate(confidence, "confidence")
    if cases == 0:
        return Interval(0.0, 1.0)
    found = scipy.stats.binomtest(bad, cases).proportion_ci(level, method="wilson")
    return Interval(float(found.low), float(found.high))


def p_value(bad: int, cases: int, limit: float) -> float:
    """
    The chance of so few bad ones or fewer when the rate is just at `limit`: P(Bin(cases, limit) <= bad).

    The uniformly most powerful test of "the rate is `limit` or more" at one look. 1 when nothing was seen.
    """
    bad, cases = checked_counts(bad, cases)
    return float(scipy.stats.binom.cdf(bad, cases, checked_rate(limit, "limit"))) if cases else 1.0


def tolerated(most: int, limit: float, delta: float = 0.05) -> Ints:
    """
    How many bad ones the exact test at level `delta` tolerates among n = 0 .. `most` cases; -1 where not even none.

    `tolerated(...)[n]` is max{k : P(Bin(n, limit) <= k) <= delta}. Shape (most + 1,), never falling.
    """
    points = design_points(most, limit, delta)
    n = np.arange(most + 1)
    return (np.searchsorted(points, n, side="right") - 1).astype(np.int64)


def design_points(most: int, limit: float, delta: float = 0.05) -> Ints:
    """
    The smallest n, up to `most`, at which 0, 1, 2, ... bad ones are tolerated: 59, 93, 124, ... at 5 % and 5 %.

    Ascending, shape (tolerated(most) + 1,); empty when `most` cases are too few for any statement.
    """
    most = checked_whole(most, "most")
    limit, delta = checked_rate(limit, "limit"), checked_rate(delta, "delta")
    if most == 0:
        return np.empty(0, dtype=np.int64)
    highest = int(scipy.stats.binom.ppf(delta, most, limit)) + 2
    k = np.arange(highest + 1)
    return _smallest_n(k, most, limit, delta)


def smallest_sample(bad: int, limit: float, delta: float = 0.05) -> int:
    """The entry `bad` of `design_points`, found by itself: 59 for 0, 93 for 1; as quick for a million."""
    bad = checked_whole(bad, "bad")
    limit, delta = checked_rate(limit, "limit"), checked_rate(delta, "delta")
    most, wanted = 64 + 2 * bad, np.array([bad], dtype=np.int64)
    while not len(found := _smallest_n(wanted, most, limit, delta)):
        most *= 2
    return int(found[0])


def _smallest_n(k: Ints, most: int, limit: float, delta: float) -> Ints:
    """For each k the smallest n with P(Bin(n, limit) <= k) <= delta, by bisection of all k at once."""
    low, high = _bracket(k, most, limit, delta)
    wide = np.flatnonzero(high - low > 1)
    while len(wide):
        middle = (low[wide] + high[wide]) // 2
        enough = scipy.stats.binom.cdf(k[wide], middle, limit) <= delta
        high[wide], low[wide] = np.where(enough, middle, high[wide]), np.where(enough, low[wide], middle)
        wide = wide[high[wide] - low[wide] > 1]
    return high[high <= most]


def _bracket(k: Ints, most: int, limit: float, delta: float) -> tuple[Ints, Ints]:
    """
    For each k an n that is not enough and one that is, or most + 1: close together where the guess is a good one.

    The guess is Cornish and Fisher's expansion of how long one waits for error k + 1; it saves two thirds of the time.
    """
    low, high = k.astype(np.int64), np.full(k.shape, most + 1, dtype=np.int64)  # at n = k the probability is one
    z, wait = special.ndtri(1.0 - delta), (k + 1) * (1.0 - limit)
    guess = ((k + 1) + z * np.sqrt(wait) + (z * z - 1.0) * (2.0 - limit) / 6.0) / limit
    for near in (np.floor(guess) - _CLOSE, np.ceil(guess) + _CLOSE):
        tried = np.clip(near, low, high - 1).astype(np.int64)
        enough = scipy.stats.binom.cdf(k, tried, limit) <= delta
        high, low = np.where(enough, tried, high), np.where(enough, low, tried)
    return low, high


def checked_counts(bad: int, cases: int, place: str = "") -> tuple[int, int]:
    """Two whole numbers, bad of cases. Raises ValueError with what is wrong, its names beginning with `place`."""
    bad, cases = checked_whole(bad, f"{place}bad"), checked_whole(cases, f"{place}cases")
    if bad > cases:
        raise ValueError(f"{place}bad must not exceed cases, but {bad} > {cases}")
    return bad, cases


def checked_whole(count: int, name: str) -> int:
    """Counts are integers, never `n * (k / n)`: that is off by one for 7 of 25."""
    try:
        number = None if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(f"{name} must be a whole number, not {count!r}")
    if number < 0:
        raise ValueError(f"{name} must not be negative, but is {number}")
    return number


def checked_rate(rate: float, name: str) -> float:
    """A rate strictly between 0 and 1; NaN, text and nothing are none. At 0 or 1 there is nothing to test."""
    try:
        inside = bool(0.0 < rate < 1.0)
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ValueError(f"{name} must lie strictly between 0 and 1, not {rate!r}")
    return float(rate)


def checked_share(share: float, name: str) -> float:
    """A number from 0 to 1, both included; true and false are none."""
    if not _is_within(share, 1.0):
        raise ValueError(f"{name} must lie between 0 and 1, not {share!r}")
    return float(share)


def checked_amount(amount: float, name: str) -> float:
    """A finite number from 0 on: days, hours, cases per hour."""
    if not _is_within(amount, sys.float_info.max):
        raise ValueError(f"{name} must be a finite number from 0 on, not {amount!r}")
    return float(amount)


def _is_within(number: float, most: float) -> bool:
    try:
        return not isinstance(number, bool | np.bool_) and bool(0.0 <= number <= most)
    except (TypeError, ValueError):
        return False


def _delta(confidence: float) -> float:
    return 1.0 - checked_rate(confidence, "confidence")
