"""
Says how far the counts of good and bad cases carry, in bounds that hold at every look.

A gate may be looked at every minute: the e-value of a rule that is true exceeds 1/delta at any time in the whole
life of the stream with probability delta at most (Ville). So there is no look that is one too many, and no
number of looks to declare. The evidence against "the rate is `limit` or more" is the mixture

    E = integral over q < limit of (q/limit)^bad ((1-q)/(1-limit))^(cases-bad) dBeta(q; a, b | q < limit)

with a = 1, b = 1/limit, and the mirror for "the rate is `limit` or less" (Robbins 1970; Howard et al. 2021,
arXiv 1810.08240). It has a closed form in incomplete beta functions, and is computed in logarithms throughout:
an incomplete beta that underflows and is then clipped makes a gate that passes everything.

Everything is a function of whole counts, so ten million cases cost as much as ten.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special
from scipy.special import cython_special as functions

from evidence.binomial import checked_amount, checked_counts, checked_rate, checked_share

Prior: TypeAlias = tuple[float, float]
Floats: TypeAlias = NDArray[np.float64]

MOST_CASES = 10**9
"""Beyond this many cases a plan is not a plan, and `cases_to_pass` says `None`."""

_SMALLEST_TRUSTED = 1e-280
"""Below this an incomplete beta function loses digits to underflow and is expanded in logarithms instead."""

_SETTLED = 1e-8
"""When the next step of a bound's logit is smaller, what is left after it is its product with the step before."""
_SECANTS = 20


def log_e_below(bad: int, cases: int, limit: float, *, prior: Prior | None = None) -> float:
    """Log e-value against "the rate is `limit` or more"; large means that it is below. 0 when nothing was seen."""
    bad, cases = checked_counts(bad, cases)
    limit = checked_rate(limit, "limit")
    return _one_below(bad, cases, limit, prior) if cases else 0.0


def log_e_above(bad: int, cases: int, limit: float, *, prior: Prior | None = None) -> float:
    """Log e-value against "the rate is `limit` or less"; large means that it is above. 0 when nothing was seen."""
    bad, cases = checked_counts(bad, cases)
    limit = checked_rate(limit, "limit")
    return _one_above(bad, cases, limit, prior) if cases else 0.0


def crossed(log_e: float, confidence: float) -> bool:
    """Whether the e-value has reached 1/delta, delta = 1 - `confidence`; a NaN never has."""
    return log_e >= _log_threshold(confidence)


def upper_bound(bad: int, cases: int, confidence: float = 0.95, *, prior: Prior | None = None) -> float:
    """
    The largest rate that the counts do not rule out; holds at all looks together with `confidence`.

    A gate at `limit` has passed exactly when this lies below the limit. 1 when nothing was seen.
    """
    bad, cases = checked_counts(bad, cases)
    threshold = _log_threshold(confidence)
    if bad == cases:
        return 1.0

    def distance(rate: float) -> float:
        return _one_below(bad, cases, rate, prior) - threshold

    found = _near(distance, bad, cases, threshold, side=1.0)
    if found is not None:
        return found
    return _root(distance, max(bad / cases, 1e-15), math.nextafter(1.0, 0.0), otherwise=1.0)


def lower_bound(bad: int, cases: int, confidence: float = 0.95, *, prior: Prior | None = None) -> float:
    """The smallest rate that the counts do not rule out; holds at all looks together. 0 when nothing was bad."""
    bad, cases = checked_counts(bad, cases)
    threshold = _log_threshold(confidence)
    if bad == 0:
        return 0.0

    def distance(rate: float) -> float:
        return _one_above(bad, cases, rate, prior) - threshold

    found = _near(distance, bad, cases, threshold, side=-1.0)
    if found is not None:
        return found
    return _root(distance, min(bad / cases, math.nextafter(1.0, 0.0)), 1e-15, otherwise=0.0)


def log_harm(days: Sequence[tuple[int, int]], limit: float) -> float:
    """
    Log of the e-detector for "the rate has risen above `limit` on some day", over (bad, cases) in order of time.

    The sum, over every day on which harm may have begun, of the e-value above the limit of all cases since then
    (Shin, Ramdas, Rinaldo 2024, arXiv 2203.03532; the Shiryaev-Roberts form, starting at day boundaries). An
    alarm at log(A) comes, while the rate stays at or below the limit, after A days with cases or more on
    average, and within t such days with probability t/A at most, however often one looks. Days without cases
    are passed over: silence is no evidence. A verdict that is not in yet may be counted as good, for that
    only lowers the sum.
    """
    limit = checked_rate(limit, "limit")
    counted = [checked_counts(bad, cases, f"days[{day}].") for day, (bad, cases) in enumerate(days)]
    table = np.array([pair for pair in counted if pair[1]], dtype=np.int64).reshape(-1, 2)
    if not len(table):
        return -math.inf
    since = np.cumsum(table[::-1], axis=0).astype(np.float64)
    return float(special.logsumexp(_log_above(since[:, 0], since[:, 1], limit, _prior_above(limit))))


def cases_needed(bad: int, cases: int, limit: float, confidence: float = 0.95) -> int:
    """How many further cases, all of them good, would let a gate at `limit` pass; 0 when it passes already."""
    bad, cases = checked_counts(bad, cases)
    limit, threshold = checked_rate(limit, "limit"), _log_threshold(confidence)

    def passes(more: int) -> bool:
        return _one_below(bad, cases + more, limit) >= threshold

    return _first(passes, 0)


def cases_to_pass(limit: float, confidence: float = 0.95, rate: float = 0.0) -> int | None:
    """
    The smallest number of cases on which a gate at `limit` passes an agent with floor(`rate` * cases) bad ones.

    `None` when it never does: the rate is not below the limit, or so near that `MOST_CASES` are not enough.
    """
    limit, threshold = checked_rate(limit, "limit"), _log_threshold(confidence)
    rate = checked_share(rate, "rate")
    if rate >= limit:
        return None
    if rate == 0.0:
        return cases_needed(0, 0, limit, confidence)
    share = Fraction(repr(float(rate)))  # 0.29 * 100 is 28.999… in floats; the owner means 29
    bad = _fewest_bad(share, limit, threshold)
    if bad is None:
        return None
    first = math.ceil(bad / share)
    return first + cases_needed(bad, first, limit, confidence)


def _fewest_bad(share: Fraction, limit: float, threshold: float) -> int | None:
    """
    The smallest count of bad cases that passes on the last case before the next one turns bad.

    Along these last cases the evidence grows, but for the jitter of whole numbers; its width, in counts of bad
    ones, is about 2 * limit * rate / (limit - rate). So we bisect, and then look back over twice as many.
    """

    def evidence(bad: int) -> float:
        return _one_below(bad, math.ceil((bad + 1) / share) - 1, limit)

    most = int(MOST_CASES * share)
    if evidence(most) < threshold:
        return None
    found = _first(lambda bad: evidence(bad) >= threshold, 0)
    jitter = 2 + math.ceil(4 * limit * float(share) / (limit - float(share)))
    return next(bad for bad in range(max(0, found - jitter), found + 1) if evidence(bad) >= threshold)


def _prior_above(limit: float) -> Prior:
    """Expects harm at about three times the limit."""
    return (1.0, 1.0 / (3.0 * limit))


def _one_below(bad: int, cases: int, limit: float, prior: Prior | None = None) -> float:
    """The closed form for one pair of counts: without arrays it takes a microsecond instead of twenty."""
    log_limit, log_rest = math.log(limit), math.log1p(-limit)
    if prior is None:  # expects an agent at about half the limit; with a = 1 the integral is elementary
        a, b = 1.0, 1.0 / limit
        expected = math.log(-math.expm1(b * log_rest) / b)
    else:
        a, b = _checked_prior(prior)
        expected = functions.betaln(a, b) + _one_beta_below(a, b, limit)
    a, b = a + bad, b + (cases - bad)
    evidence: float = functions.betaln(a, b) + _one_beta_below(a, b, limit)
    return evidence - expected - bad * log_limit - (cases - bad) * log_rest


def _one_above(bad: int, cases: int, limit: float, prior: Prior | None = None) -> float:
    log_limit, log_rest = math.log(limit), math.log1p(-limit)
    if prior is None:
        a, b = 1.0, 1.0 / (3.0 * limit)
        expected = b * log_rest - math.log(b)
    else:
        a, b = _checked_prior(prior)
        expected = functions.betaln(a, b) + _one_beta_above(a, b, limit)
    a, b = a + bad, b + (cases - bad)
    evidence: float = functions.betaln(a, b) + _one_beta_above(a, b, limit)
    return evidence - expected - bad * log_limit - (cases - bad) * log_rest


def _one_beta_below(a: float, b: float, x: float) -> float:
    plain: float = functions.betainc(a, b, x)
    return math.log(plain) if plain >= _SMALLEST_TRUSTED else float(_log_beta_below(np.float64(a), np.float64(b), x))


def _one_beta_above(a: float, b: float, x: float) -> float:
    plain: float = functions.betaincc(a, b, x)
    return math.log(plain) if plain >= _SMALLEST_TRUSTED else float(_log_beta_above(np.float64(a), np.float64(b), x))


def _log_above(bad: Floats | np.float64, cases: Floats | np.float64, limit: float, prior: Prior) -> Floats:
    a, b = prior
    evidence = special.betaln(a + bad, b + cases - bad) + _log_beta_above(a + bad, b + cases - bad, limit)
    expected = special.betaln(a, b) + _log_beta_above(np.float64(a), np.float64(b), limit)
    return np.asarray(evidence - expected - bad * math.log(limit) - (cases - bad) * math.log1p(-limit))


def _log_beta_below(a: Floats | np.float64, b: Floats | np.float64, x: float) -> Floats:
    """Log of the probability that a Beta(a, b) lies below x, down to any depth."""
    return _log_beta(special.betainc(a, b, x), a, b, (math.log(x), math.log1p(-x)))


def _log_beta_above(a: Floats | np.float64, b: Floats | np.float64, x: float) -> Floats:
    return _log_beta(special.betaincc(a, b, x), b, a, (math.log1p(-x), math.log(x)))


def _log_beta(plain: Floats, a: Floats | np.float64, b: Floats | np.float64, logs: tuple[float, float]) -> Floats:
    """Log of `plain`, with what underflowed replaced by the continued fraction; `logs` are log x and log(1-x)."""
    plain, a, b = np.broadcast_arrays(plain, a, b)
    deep = plain < _SMALLEST_TRUSTED
    result = np.asarray(np.log(np.where(deep, 1.0, plain)))
    if deep.any():
        log_x, log_rest = logs
        a, b = a[deep], b[deep]
        front = a * log_x + b * log_rest - np.log(a) - special.betaln(a, b)
        result[deep] = front + np.log(_continued_fraction(a, b, math.exp(log_x)))
    return result


def _continued_fraction(a: Floats, b: Floats, x: float) -> Floats:
    """
    The continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method.

    Only called far below the mean a/(a+b), where it converges in a few steps and no denominator nears zero.
    """
    step_c = np.ones_like(a)
    step_d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = step_d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        step_d, step_c = 1.0 / (1.0 + even * step_d), 1.0 + even / step_c
        value = value * step_d * step_c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step_d, step_c = 1.0 / (1.0 + odd * step_d), 1.0 + odd / step_c
        value = value * step_d * step_c
        if np.all(np.abs(step_d * step_c - 1.0) < 1e-13):  # noqa: PLR2004 - the last digit but two of a float
            break
    return value


def _log_threshold(confidence: float) -> float:
    return -math.log1p(-checked_rate(confidence, "confidence"))


def _checked_prior(prior: Prior) -> Prior:
    try:
        a, b = (checked_amount(part, "prior") for part in prior)
    except (TypeError, ValueError):
        a = b = 0.0
    if not (a > 0.0 and b > 0.0):
        raise ValueError(f"prior must be two finite numbers above 0, not {prior!r}")
    return a, b


def _near(distance: Callable[[float], float], bad: int, cases: int, threshold: float, *, side: float) -> float | None:
    """
    The bound by secants in the logit, from a guess near it; `None` when they do not settle, and `_root` must search.

    The guess is Wilson's bound at the width that the mixture comes to; a handful of evaluations instead of twenty.
    """
    square = 2.0 * threshold + math.log1p(bad)
    seen = bad / cases
    half = math.sqrt(square * (seen * (1.0 - seen) / cases + square / (4.0 * cases * cases)))
    rate = (seen + square / (2.0 * cases) + side * half) / (1.0 + square / cases)
    if not 1e-12 < rate < 1.0 - 1e-12:  # noqa: PLR2004 - further out a logit loses the digits of the rate
        return None
    place, value = math.log(rate / (1.0 - rate)), distance(rate)
    step = -value / (cases * (rate - seen))
    for _ in range(_SECANTS):
        step = min(max(step, -1.0), 1.0)
        place += step
        rate = 1.0 / (1.0 + math.exp(-place))
        if rate == 1.0:  # all but a few of very many were bad
            return None
        if abs(step) < _SETTLED:
            return rate if side * (rate - seen) > 0.0 else None
        before, value = value, distance(rate)
        if value == before:
            return None
        step *= -value / (value - before)
    return None


def _root(distance: Callable[[float], float], inside: float, outside: float, *, otherwise: float) -> float:
    """Where `distance` turns positive between a rate that is possible and one that is not."""
    if distance(outside) < 0.0:
        return otherwise
    return float(scipy.optimize.brentq(distance, inside, outside, xtol=1e-18, rtol=1e-13))


def _first(holds: Callable[[int], bool], start: int) -> int:
    """The smallest number from `start` on for which `holds`, which stays true once it is."""
    if holds(start):
        return start
    step = 1
    while not holds(start + step):
        start, step = start + step, step * 2
    numbers = range(start + 1, start + step + 1)
    return numbers[bisect.bisect_left(numbers, x=True, key=holds)]
