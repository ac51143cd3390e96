"""Audits of the automated lane: how often the bound that is reported covers the truth of the period."""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from bench.evidence.drawing import Floats, Ints
from bench.evidence.effort import Effort, random
from bench.evidence.report import Mean, Section, Share, percent
from bench.evidence.scenarios import DATA, population
from evidence import audit_planning, binomial, sequences
from evidence import audits as product

CASES, AUDITS, CONFIDENCE = 5_000, 300, 0.95
LANES = (("banking77", 0.8), ("banking77", 0.5), ("snips", 0.6))


class Lane(NamedTuple):
    """All outputs that are automated: confidence, and 1 where wrong."""

    name: str
    confidence: Floats
    error: Ints


def made_up() -> Lane:
    """2 % wrong, rarer with confidence."""
    rng = random("audits", "lane")
    confidence = rng.beta(6, 1, 40_000)
    error = (rng.random(40_000) < 0.14 * (1 - confidence)).astype(np.int64)
    return Lane("made up", confidence, error)


def lane(name: str, threshold: float) -> Lane:
    cases = population(name)
    accepted = cases.confidence >= threshold
    return Lane(f"{name}, confidence >= {threshold}", cases.confidence[accepted], cases.error[accepted])


def wald_upper(bad: int, audited: int) -> float:
    """Rate + z standard errors: what most dashboards show."""
    rate = bad / audited
    return rate + float(special.ndtri(CONFIDENCE)) * math.sqrt(rate * (1 - rate) / audited)


BOUNDS = {
    "Wald": None,
    "Clopper and Pearson": 0.95,
    "exact hypergeometric (the product's uniform part)": 0.95,
    "anytime, for daily looks": 0.95,
    "stratified, k + 1/2 and normal (shown, not decided by)": None,
    "stratified, weighted sum of rare events (the product)": 0.95,
}
"""Every bound with the coverage it must have; None for those that only stand beside."""


def _one_period(cases: Lane, rng: np.random.Generator) -> list[tuple[float, bool]]:
    """Every bound for one period of the lane, and whether it is at or above the truth."""
    chosen = rng.integers(0, len(cases.error), CASES)
    error, confidence = cases.error[chosen], cases.confidence[chosen]
    truth = float(error.mean())
    drawn = rng.choice(CASES, AUDITS, replace=False)
    bad = int(error[drawn].sum())
    strata = _stratified(error, confidence, rng)
    over_strata = product.stratified(strata, CONFIDENCE)
    bounds = [
        wald_upper(bad, AUDITS),
        binomial.upper_bound(bad, AUDITS, CONFIDENCE),
        product.hypergeometric_upper(bad, AUDITS, CASES, CONFIDENCE).rate,
        sequences.upper_bound(bad, AUDITS, CONFIDENCE),
        over_strata.normal_upper,
        over_strata.upper,
    ]
    return [(bound, bound >= truth - 1e-12) for bound in bounds]


def _stratified(error: Ints, confidence: Floats, rng: np.random.Generator) -> list[product.Stratum]:
    """Four classes by risk, each case drawn by its own coin; the risks are guessed from the confidence alone."""
    risk = 1.0 - confidence
    group = np.searchsorted(audit_planning.risk_edges(risk), risk, side="right")
    sizes = np.bincount(group, minlength=4)
    guessed = np.bincount(group, weights=risk, minlength=4) / np.maximum(sizes, 1)
    rates = audit_planning.neyman_probabilities(sizes.tolist(), guessed.tolist(), AUDITS)
    drawn = rng.random(len(error)) < rates[group]
    audited = np.bincount(group[drawn], minlength=4).tolist()
    bad = np.bincount(group[drawn], weights=error[drawn], minlength=4).astype(np.int64).tolist()
    return [
        product.Stratum(str(place), int(sizes[place]), audited[place], bad[place], float(rates[place]))
        for place in range(4)
    ]


def _periods(job: tuple[tuple[str, float] | None, int]) -> tuple[str, float, list[list[tuple[float, bool]]]]:
    which, runs = job
    cases = lane(*which) if which else made_up()
    rng = random("audits", cases.name)
    return cases.name, float(cases.error.mean()), [_one_period(cases, rng) for _ in range(runs)]


def run(effort: Effort) -> Section:
    section = Section(
        "Audits of the automated lane",
        f"Each period has {CASES:,} automated cases, of which about {AUDITS} are audited; a bound of 95 % must be at "
        f"or above the true share of wrong outputs of the period in 95 % of {effort.audits:,} periods. Wald and the "
        "normal approximation stand beside; nothing is decided by them.",
    )
    jobs: list[tuple[tuple[str, float] | None, int]] = [(None, effort.audits)]
    if DATA.is_dir():
        jobs += [(one, effort.audits) for one in LANES]
    else:
        section.left_out.append("the lanes of banking77 and snips, for the folder ../shared/data is not here")
    table = section.table("lane", "wrong", "bound", "covers", "mean bound, %")
    for name, wrong, periods in effort.spread(_periods, jobs):
        for place, (bound, wanted) in enumerate(BOUNDS.items()):
            covered = Share(sum(period[place][1] for period in periods), len(periods))
            mean = Mean.of([100 * period[place][0] for period in periods])
            claim = f"at least {percent(wanted, 0)}" if wanted else None
            table.add(name, percent(wrong, 2), bound, covered, mean, claim=claim, met=_met(covered, wanted))
    return section


def _met(covered: Share, wanted: float | None) -> bool | None:
    return None if wanted is None else covered.at_least(wanted)
