"""
How many outputs of the automated lane are wrong, told from the few that a person looked at afterwards.

Every audited case was drawn with a probability that was stored when it was decided, so the few can speak for the
many: each counts for one over its probability. The bounds here are for a period that is over, looked at once; for a
number that is watched day by day use `sequences` on the uniform part. Nothing here is decided by a normal
approximation: with the handful of errors that an audit finds it promises 95 % and keeps less (bench/evidence.md).

Sources: Horvitz, Thompson (1952), JASA 47; Hájek (1971); Cochran (1977), Sampling Techniques, chapters 3 and 5;
Fay, Feuer (1997), Statistics in Medicine 16, for the bound of a weighted sum of rare events.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evidence import binomial
from evidence.binomial import checked_counts, checked_rate, checked_share, checked_whole
from evidence.logistic import checked_confidences

Floats: TypeAlias = NDArray[np.float64]


class Estimate(NamedTuple):
    """A rate with the variance of its estimator. The square root of the variance is a standard error, no bound."""

    rate: float
    variance: float


class Stratum(NamedTuple):
    """What one class of risk brought: so many `cases` in the lane, `audited` of them, `bad` among these."""

    name: str
    cases: int
    audited: int
    bad: int
    probability: float
    """With which each case of the stratum was drawn, as stored when it was decided; in (0, 1]."""


class Stratified(NamedTuple):
    """The error rate over all strata; `rate` and `variance` are None where a stratum cannot speak for itself."""

    rate: float | None
    variance: float | None
    normal_upper: float
    """Rate + z standard errors, from (bad + 1/2) / (audited + 1). For display: too low while few errors were found."""
    upper: float
    """The bound to put a name under. 1 for the share of cases of which nobody audited any."""


class PeriodBound(NamedTuple):
    """At most `wrong` of the `cases` of a period are wrong; `rate` is wrong / cases."""

    wrong: int
    cases: int
    rate: float


class AuditReport(NamedTuple):
    """All that a page shows of the audits of a period. Rates in [0, 1]; None where nothing can be said."""

    cases: int
    audited: int
    bad: int
    confidence: float
    weighted: Estimate | None
    """Horvitz and Thompson; None when nothing was audited."""
    ratio: Estimate | None
    """Hájek; None when nothing was audited."""
    stratified: Stratified
    wrong_expected: float | None
    wrong_at_most: float
    """Cases times the upper bound: the number of wrong outputs the lane may hold, in the worst believable case."""
    uniform: PeriodBound | None
    """By the exact hypergeometric bound, from the uniformly drawn audits alone; None when none were said to be."""
    nothing_found: float | None
    """The bound to be shown in place of "0 %" when no uniform audit was bad; None when one was, or none is uniform."""


def horvitz_thompson(bad: ArrayLike, probabilities: ArrayLike, cases: int) -> Estimate:
    """
    The unbiased error rate of `cases` cases: the mean of bad / probability over all of them.

    `bad` (0 or 1, or a loss in [0, 1]) and `probabilities` hold one number for each audited case, shape (audited,).
    The variance is that of Poisson sampling, each case drawn by its own coin. Raises ValueError for probabilities
    outside (0, 1], more audits than cases, or no case at all.
    """
    losses, drawn = _audited(bad, probabilities)
    cases = _some_cases(cases, len(losses))
    return Estimate(
        float(np.sum(losses / drawn)) / cases, float(np.sum((1.0 - drawn) * (losses / drawn) ** 2)) / cases**2
    )


def hajek(bad: ArrayLike, probabilities: ArrayLike) -> Estimate:
    """
    The weighted mean of what was audited: slightly biased, steadier than Horvitz and Thompson, never above 1.

    The variance is the linearised one and is itself estimated: where all audits agree it is zero, which means
    "no bound from here" and not certainty. Raises ValueError when nothing was audited.
    """
    losses, drawn = _audited(bad, probabilities)
    if not len(losses):
        raise ValueError("probabilities must hold at least one audited case: no audits, no rate")
    size = float(np.sum(1.0 / drawn))
    rate = float(np.sum(losses / drawn)) / size
    return Estimate(rate, float(np.sum((1.0 - drawn) * ((losses - rate) / drawn) ** 2)) / size**2)


def stratified(strata: Sequence[Stratum], confidence: float = 0.95) -> Stratified:
    """
    The error rate over strata drawn at different rates, its variance (Cochran 5.6, finite population) and its bound.

    `upper` is the gamma bound of Fay and Feuer for a weighted sum of rare events. Strata that were audited whole
    are known and add no doubt; the rest is treated as endless, which errs on the safe side. With no error
    anywhere it is about three times the largest weight that one audit carries.
    """
    delta = 1.0 - checked_rate(confidence, "confidence")
    strata = [_checked_stratum(stratum, f"strata[{place}]") for place, stratum in enumerate(strata)]
    cases = sum(stratum.cases for stratum in strata)
    if not cases:
        return Stratified(None, None, 1.0, 1.0)
    lived = [stratum for stratum in strata if stratum.cases]
    silent = sum(stratum.cases for stratum in lived if not stratum.audited) / cases
    heard = [stratum for stratum in lived if stratum.audited]
    partial = sum(stratum.cases * stratum.bad / stratum.audited for stratum in heard) / cases
    spread = sum((s.cases / cases) ** 2 * _variance(s, shift=0.5) for s in heard)
    normal = partial + silent + float(special.ndtri(1.0 - delta)) * math.sqrt(spread)
    variance = sum((s.cases / cases) ** 2 * _variance(s, shift=0.0) for s in heard)
    return Stratified(
        rate=None if silent else partial,
        variance=None if silent or math.isinf(variance) else variance,
        normal_upper=min(1.0, normal),
        upper=min(1.0, silent + _gamma_upper(heard, cases, delta)),
    )


def hypergeometric_upper(bad: int, audited: int, cases: int, confidence: float = 0.95) -> PeriodBound:
    """
    How many of the `cases` of a finished period are wrong at most, when `audited` of them, drawn evenly, held `bad`.

    The largest K with P(Hypergeometric(cases, K, audited) <= bad) > delta. Exact, for draws without replacement; a
    Bernoulli sample is one, given its size. Without audits all cases may be wrong.
    """
    bad, audited = checked_counts(bad, audited)
    cases = checked_whole(cases, "cases")
    delta = 1.0 - checked_rate(confidence, "confidence")
    if audited > cases:
        raise ValueError(f"audited must not exceed cases, but {audited} > {cases}")
    possible, beyond = bad, cases - (audited - bad) + 1
    while beyond - possible > 1:
        middle = (possible + beyond) // 2
        believable = bool(scipy.stats.hypergeom.cdf(bad, cases, middle, audited) > delta)
        possible, beyond = (middle, beyond) if believable else (possible, middle)
    return PeriodBound(possible, cases, possible / cases if cases else 1.0)


def zero_errors_bound(audited: int, confidence: float = 0.95) -> float:
    """The rate that `audited` cases without an error leave possible: 1 - delta^(1/n), near 3/n. 1 without audits."""
    return binomial.upper_bound(0, checked_whole(audited, "audited"), confidence)


def summary(strata: Sequence[Stratum], uniform: tuple[int, int] | None, confidence: float = 0.95) -> AuditReport:
    """
    All statements about the audits of a period at once, from the counts by stratum.

    `uniform` is (bad, audited) of the evenly drawn audits alone, over all strata; what was drawn in addition, because
    it looked risky, speaks through its probability in the other numbers and is never counted here. None says that no
    audits are even over all strata, as when the rate has changed: then nothing is said that only even ones bear.
    """
    strata = [_checked_stratum(stratum, f"strata[{place}]") for place, stratum in enumerate(strata)]
    cases, audited = sum(s.cases for s in strata), sum(s.audited for s in strata)
    wrong = sum(s.bad for s in strata)
    even = None if uniform is None else checked_counts(*uniform)
    if even is not None and (even[1] > audited or even[0] > wrong):
        raise ValueError("uniform must be a part of the audits of the strata")
    over_strata = stratified(strata, confidence)
    weighted, ratio = _weighted(strata, cases) if audited else (None, None)
    return AuditReport(
        cases=cases,
        audited=audited,
        bad=wrong,
        confidence=confidence,
        weighted=weighted,
        ratio=ratio,
        stratified=over_strata,
        wrong_expected=None if over_strata.rate is None else over_strata.rate * cases,
        wrong_at_most=over_strata.upper * cases,
        uniform=None if even is None else hypergeometric_upper(*even, cases, confidence),
        nothing_found=None if even is None or even[0] else zero_errors_bound(even[1], confidence),
    )


def _weighted(strata: Sequence[Stratum], cases: int) -> tuple[Estimate, Estimate]:
    """Both weighted estimates from counts: the cases of a stratum that share a probability share a term."""
    pi = np.array([s.probability for s in strata])
    bad, audited = np.array([s.bad for s in strata]), np.array([s.audited for s in strata])
    plain = Estimate(float(np.sum(bad / pi)) / cases, float(np.sum(bad * (1.0 - pi) / pi**2)) / cases**2)
    size = float(np.sum(audited / pi))
    rate = float(np.sum(bad / pi)) / size
    squares = bad * (1.0 - rate) ** 2 + (audited - bad) * rate**2
    return plain, Estimate(rate, float(np.sum((1.0 - pi) / pi**2 * squares)) / size**2)


def _variance(stratum: Stratum, *, shift: float) -> float:
    """Of the mean of one stratum, drawn without replacement; `shift` keeps zero errors from meaning no doubt."""
    if stratum.audited == stratum.cases:
        return 0.0
    if stratum.audited == 1:
        return math.inf
    rate = (stratum.bad + shift) / (stratum.audited + 2.0 * shift)
    return (1.0 - stratum.audited / stratum.cases) * rate * (1.0 - rate) / (stratum.audited - 1)


def _gamma_upper(heard: Sequence[Stratum], cases: int, delta: float) -> float:
    """Known strata as they are, and for the others the gamma whose mean and variance hold one more heaviest error."""
    known = sum(s.bad for s in heard if s.audited == s.cases) / cases
    open_strata = [s for s in heard if s.audited < s.cases]
    if not open_strata:
        return known
    weights = np.array([s.cases / s.audited / cases for s in open_strata])
    bad = np.array([s.bad for s in open_strata])
    heaviest = float(weights.max())
    mean = float(np.sum(weights * bad)) + heaviest
    variance = float(np.sum(weights**2 * bad)) + heaviest**2
    return known + float(scipy.stats.gamma.isf(delta, mean**2 / variance, scale=variance / mean))


def _checked_stratum(stratum: Stratum, place: str) -> Stratum:
    name, cases, audited, bad, probability = stratum
    cases, audited, bad = (
        checked_whole(cases, f"{place}.cases"),
        checked_whole(audited, f"{place}.audited"),
        checked_whole(bad, f"{place}.bad"),
    )
    if not bad <= audited <= cases:
        raise ValueError(f"{place} must have bad <= audited <= cases, not {bad}, {audited}, {cases}")
    drawn = checked_share(probability, f"{place}.probability")
    if drawn == 0.0:
        raise ValueError(f"{place}.probability must be above 0: what could not be drawn cannot be spoken for")
    return Stratum(name, cases, audited, bad, drawn)


def _audited(bad: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats]:
    flags = np.asarray(bad)
    losses = checked_confidences(flags.astype(np.int64) if flags.dtype == np.bool_ else flags, "bad")
    drawn = checked_confidences(probabilities, "probabilities")
    if losses.shape != drawn.shape:
        raise ValueError(f"bad and probabilities must be of one length, not {losses.shape} and {drawn.shape}")
    if not np.all(drawn > 0.0):
        raise ValueError("probabilities must lie in (0, 1]: what could not be drawn cannot be spoken for")
    return losses, drawn


def _some_cases(cases: int, audited: int) -> int:
    cases = checked_whole(cases, "cases")
    if audited > cases or cases == 0:
        raise ValueError(f"cases must be at least 1 and at least the {audited} audited, not {cases}")
    return cases
