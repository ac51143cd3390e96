"""
Where the chain of tests begins: at a place fixed by the number of labels, or learned from the labels below it.

The learned start never looks at a label above itself. It fits how errors grow as the confidence falls on the groups
below a candidate only, predicts the errors above it, and stops at the least confident candidate whose test is about
as likely to pass as any further up. So no label is split off and no part of delta is spent; that a group which is
accepted is not less reliable than those below it is what the guarantee then rests on (closed testing; Marcus, Peritz,
Gabriel 1976, Biometrika 63). A poor fit costs automation, never the guarantee.

One large tie can carry even the first candidate so far down that its test is nearly hopeless, though the groups above
the tie could pass. Then, and only if the labels below the tie say so, the same search goes on above it.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from evidence.binomial import Floats, Ints
from evidence.thresholds.chain import Exact
from evidence.thresholds.groups import Groups

FIXED_SHARE = 0.3
LEARNED_SHARE = 0.2
"""The first test tolerates as many errors as the exact test would among this share of the labels, one at least."""
HIGHEST_SHARE = 0.6
"""The first test is not made below this share of the labels if an earlier one is possible."""
LOWEST_CANDIDATE = 0.5
"""Candidates for a learned start lie above this share of the labels."""
MOST_CANDIDATES = 48
AS_LIKELY = 0.95
"""A candidate is taken when its test passes with this part of the best chance further up."""
HOPELESS = 0.1
"""The search goes on above a large tie if the chance of the test with the tie to pass is below this."""
DISPERSION = 4.0
"""Shape of the negative binomial by which the number of errors above a candidate is predicted."""
CLIP = 0.005
"""Keeps the logit of a confidence of 0 or 1 finite."""

_PRIOR_MEAN = (0.0, 1.0)
_PRIOR_WEIGHT = (1.0, 4.0)
_LONGEST_STEP = 2.0
_MOST_STEPS = 100
_SETTLED = 1e-7
"""A step of Newton's method so short leaves an error of about its square."""
_MANY = 4096
_BLOCK = 64
"""Beyond `_MANY` groups the search begins at the fit of blocks of so many groups each."""


class Fit(NamedTuple):
    """logit P(error) = intercept + slope * logit(1 - confidence)."""

    intercept: float
    slope: float


_NOTHING_SEEN = Fit(*_PRIOR_MEAN)
"""Where Newton's method starts: the means of the priors."""


def fixed_start(groups: Groups, exact: Exact) -> int:
    """The group at which the chain starts in strict mode. Needs at least one design point."""
    return groups.first(_earliest(groups, exact, FIXED_SHARE))


def learned_start(groups: Groups, exact: Exact) -> int:
    """The group at which the chain starts by the backward rule. Needs at least one design point."""
    candidates, enough = _considered(groups, exact)
    unsure, fit = unsureness(groups.confidence), _NOTHING_SEEN
    cases, wrong = groups.cases.astype(np.float64), groups.wrong.astype(np.float64)
    tolerated = exact.tolerated[candidates]
    for place in range(len(candidates) - 1, 0, -1):
        candidate = int(candidates[place])
        if groups.accepted[candidate] == groups.labels:
            continue
        below = slice(candidate + 1, None)
        fit = fitted(unsure[below], cases[below], wrong[below], warm=fit)
        above = slice(0, candidate + 1)
        expected = np.cumsum(cases[above] * special.expit(fit.intercept + fit.slope * unsure[above]))
        chances = chance_to_pass(expected[candidates[: place + 1]], tolerated[: place + 1])
        if chances[place] >= min(enough, AS_LIKELY * chances[:place].max()):
            return candidate
    return int(candidates[0])


def unsureness(confidence: Floats) -> Floats:
    """The logit of 1 - confidence, both kept off 0 by `CLIP`."""
    return np.asarray(np.log((1.0 - confidence + CLIP) / (confidence + CLIP)))


def fitted(unsure: Floats, cases: Floats, wrong: Floats, *, warm: Fit = _NOTHING_SEEN) -> Fit:
    """
    The most likely intercept and slope given `wrong` of `cases` per group, all of shape (groups,).

    The priors, Normal(0, 1) for the intercept and Normal(1, 0.25) for the slope, make the maximum unique and finite
    whatever the labels. Newton's method from `warm`, no step longer than 2, and halved where it overshoots: with
    saturated groups whole steps may go back and forth for ever. Blocks of neighbours only say where to begin, so that
    all groups have to be gone through once or twice, not ten times.
    """
    if len(unsure) > _MANY:
        warm = fitted(*_in_blocks(unsure, cases, wrong), warm=warm)
    fit, step, promised = warm, Fit(0.0, 0.0), math.inf
    for _ in range(_MOST_STEPS):
        slope, following = _newton(unsure, cases, wrong, fit)
        if slope.intercept * step.intercept + slope.slope * step.slope < -0.5 * promised:
            step, promised = _scaled(step, 0.5), 0.5 * promised
            fit = Fit(fit.intercept - step.intercept, fit.slope - step.slope)
            continue
        longest = max(abs(following.intercept), abs(following.slope))
        step = _scaled(following, min(1.0, _LONGEST_STEP / max(longest, _SETTLED)))
        promised = slope.intercept * step.intercept + slope.slope * step.slope
        fit = Fit(fit.intercept + step.intercept, fit.slope + step.slope)
        if longest < _SETTLED:
            break
    return fit


def _in_blocks(unsure: Floats, cases: Floats, wrong: Floats) -> tuple[Floats, Floats, Floats]:
    starts = np.arange(0, len(unsure), _BLOCK)
    together = np.add.reduceat(cases, starts)
    return np.add.reduceat(cases * unsure, starts) / together, together, np.add.reduceat(wrong, starts)


def _newton(unsure: Floats, cases: Floats, wrong: Floats, fit: Fit) -> tuple[Fit, Fit]:
    """The derivatives of the log posterior at `fit`, and Newton's step from there."""
    chance = special.expit(fit.intercept + fit.slope * unsure)
    predicted = cases * chance
    spread = predicted * (1.0 - chance)
    missed, weighted = wrong - predicted, spread * unsure
    a = float(missed.sum()) - _PRIOR_WEIGHT[0] * (fit.intercept - _PRIOR_MEAN[0])
    b = _dot(missed, unsure) - _PRIOR_WEIGHT[1] * (fit.slope - _PRIOR_MEAN[1])
    aa = float(spread.sum()) + _PRIOR_WEIGHT[0]
    ab = float(weighted.sum())
    bb = _dot(weighted, unsure) + _PRIOR_WEIGHT[1]
    determinant = aa * bb - ab * ab
    return Fit(a, b), Fit((bb * a - ab * b) / determinant, (aa * b - ab * a) / determinant)


def _dot(one: Floats, other: Floats) -> float:
    """Not `@`, which shares long sums out to threads: slow where others compute too, and not always the same sum."""
    return float(np.einsum("i,i->", one, other))


def _scaled(step: Fit, by: float) -> Fit:
    return Fit(step.intercept * by, step.slope * by)


def chance_to_pass(expected: Floats, tolerated: Ints) -> Floats:
    """P(K <= tolerated) for K negative binomial with mean `expected` and shape `DISPERSION`; broadcasts."""
    return np.asarray(special.betainc(DISPERSION, tolerated + 1.0, DISPERSION / (DISPERSION + expected)))


def _considered(groups: Groups, exact: Exact) -> tuple[Ints, float]:
    """
    The candidates, and a chance to pass that is enough whatever the others have.

    Where ties carry even the first candidate below `HIGHEST_SHARE` it is the only one, and all design points above it
    are added. That depends on confidences alone; without labels below the tie nothing could say that it is hopeless.
    """
    candidates = _candidates(groups, exact)
    accepted = groups.accepted[candidates[0]]
    if HIGHEST_SHARE * groups.labels < accepted < groups.labels:
        return _reached(groups, exact.points[exact.points <= accepted]), HOPELESS
    return candidates, math.inf


def _candidates(groups: Groups, exact: Exact) -> Ints:
    lowest = _earliest(groups, exact, LEARNED_SHARE)
    highest = max(LOWEST_CANDIDATE * groups.labels, lowest)
    return _reached(groups, exact.points[(exact.points >= lowest) & (exact.points <= highest)])


def _reached(groups: Groups, points: Ints) -> Ints:
    """Where the tests of `points` are made: ascending, each once, at most `MOST_CANDIDATES` of them, evenly spread."""
    found = np.unique(np.searchsorted(groups.accepted, points)).astype(np.int64)
    if len(found) > MOST_CANDIDATES:
        found = found[np.round(np.linspace(0, len(found) - 1, MOST_CANDIDATES)).astype(np.int64)]
    return found


def _earliest(groups: Groups, exact: Exact, share: float) -> int:
    """The design point, in cases, of the first test that may be made."""
    labels, points = groups.labels, exact.points
    within = int(np.searchsorted(points, math.floor(share * labels), side="right")) - 1
    wanted = int(points[min(max(1, within), len(points) - 1)])
    if wanted <= HIGHEST_SHARE * labels:
        return wanted
    possible = points[points <= HIGHEST_SHARE * labels]
    return int(possible[-1] if len(possible) else points[0])
