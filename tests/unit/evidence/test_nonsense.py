"""What is no number is refused by every public function with the name of its place, and never becomes a silent NaN."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evidence import (
    audit_planning,
    audits,
    betting,
    binomial,
    calibration,
    multiplicity,
    noninferiority,
    planning,
    reliability,
    reviewers,
    sequences,
    shares,
    signals,
    staffing,
)
from evidence.agreement import kappa, krippendorff, latent, tables
from evidence.agreement import reviewers as people
from evidence.alarms import detector, drift, fleet, presets

NUMBERS: list[Any] = [math.nan, -1.0, "0.5", "x", None, [], 1j, np.array([0.5, 0.6])]
WHOLE: list[Any] = [math.nan, math.inf, True, "3", None, -1, 0.5, [], 1j, np.array([1, 2])]
SEEDED = reviewers.Seeded(45, 50)
TERMS = planning.GateTerms(0.05)
STATE = presets.labelled(0.05).start().to_dict()

FRACTIONS: dict[str, Callable[[Any], object]] = {
    "crossed, confidence": lambda x: sequences.crossed(3.0, x),
    "anytime upper, confidence": lambda x: sequences.upper_bound(3, 100, x),
    "anytime lower, confidence": lambda x: sequences.lower_bound(3, 100, x),
    "anytime prior": lambda x: sequences.log_e_below(3, 100, 0.05, prior=(1.0, x)),
    "cases needed, limit": lambda x: sequences.cases_needed(3, 100, x),
    "cases to pass, rate": lambda x: sequences.cases_to_pass(0.05, rate=x),
    "exact interval, confidence": lambda x: binomial.interval(3, 100, x),
    "wilson, confidence": lambda x: binomial.wilson(3, 100, x),
    "tolerated, delta": lambda x: binomial.tolerated(100, 0.05, x),
    "betting limit": lambda x: betting.log_e_above([{0.0: 3}], x),
    "betting loss": lambda x: betting.upper_bound([[(x, 3)]]),
    "wealth, limit": betting.Wealth,
    "wealth, loss": lambda x: betting.Wealth(0.05).update(x),
    "weighted, loss": lambda x: audits.horvitz_thompson([x, 0], [0.5, 0.5], 10),
    "weighted, probability": lambda x: audits.hajek([1, 0], [x, 0.5]),
    "stratum": lambda x: audits.stratified([audits.Stratum("", 100, 10, 1, x)]),
    "period, confidence": lambda x: audits.hypergeometric_upper(1, 10, 100, x),
    "audit rate, chance": lambda x: audit_planning.audit_rate(1000, 0.05, chance=x),
    "risk edges": lambda x: audit_planning.risk_edges([x, 0.2]),
    "neyman, risk": lambda x: audit_planning.neyman_probabilities([10, 10], [x, 0.2], 5),
    "holm, p": lambda x: multiplicity.holm_adjusted([0.2, x]),
    "hochberg, p": lambda x: multiplicity.benjamini_hochberg_adjusted([0.2, x]),
    "people, score": lambda x: noninferiority.difference(1, [1, 2], lambda _one, _other: x),
    "people, margin": lambda x: noninferiority.compare([[0.1]], x),
    "plan, rate": lambda x: planning.cases_until_pass(x, TERMS),
    "plan, days": lambda x: planning.GateTerms(0.05, minimum_days=x),
    "plan, age": lambda x: planning.forecast(1, 50, TERMS, days_so_far=x),
    "reviewers, limit": lambda x: reviewers.corrected_limit(x, SEEDED),
    "reviewers, estimate": lambda x: reviewers.estimated_rate(0.1, x, 0.9),
    "split, weight": lambda x: shares.log_e_mismatch([10, 10], [x, 1.0]),
    "split, p": lambda x: shares.judge_mismatch(x, 100, 2),
    "queue, load": lambda x: staffing.erlang_b(x, 3),
    "queue, arrivals": lambda x: staffing.erlang_c(x, 1.0, 3),
    "queue, service": lambda x: staffing.erlang_c(1.0, x, 3),
    "queue, share": lambda x: staffing.reviewers_needed(2.0, 1.0, 1.0, x),
    "queue, automation": lambda x: staffing.review_arrivals([1.0], x),
    "display, clip": lambda x: calibration.fit_platt([0.1, 0.9], [0, 1], clip=x),
    "diagram, confidence": lambda x: reliability.reliability([0.5], [1], confidence=x),
    "signals, share": lambda x: signals.older_and_newer([1.0, 2.0], x),
    "alpha, confidence": lambda x: krippendorff.alpha_interval([[1, 2], [3, 0]], seed=1, confidence=x),
    "labels, smoothing": lambda x: latent.dawid_skene([latent.Vote(0, 0, 0)], 2, smoothing=x),
    "blind, confidence": lambda x: people.blind_against_assisted((1, 2), (1, 2), x),
    "detector, reference": lambda x: detector.Detector(x, (0.9,)),
    "detector, cases between": lambda x: presets.labelled(0.03, cases_between_alarms=x),
    "detector, stored": lambda x: detector.DetectorState.from_dict({**STATE, "logs": [x]}),
    "drift, level": lambda x: drift.drift({"a": 9}, {"a": 9}, x),
    "fleet": lambda x: fleet.fleet_rate(x, 3, 1000),
}

COUNTS: dict[str, Callable[[Any], object]] = {
    "tolerated": lambda x: binomial.tolerated(x, 0.05),
    "harm": lambda x: sequences.log_harm([(x, 10)], 0.05),
    "betting": lambda x: betting.upper_bound([[(0.5, x)]]),
    "weighted": lambda x: audits.horvitz_thompson([1], [0.5], x),
    "stratum": lambda x: audits.stratified([audits.Stratum("", x, 0, 0, 0.5)]),
    "period": lambda x: audits.hypergeometric_upper(0, 0, x),
    "seeded": lambda x: reviewers.Seeded(0, x),
    "plan": lambda x: planning.GateTerms(0.05, minimum_cases=x),
    "split": lambda x: shares.mismatch_p_value([x, 10], [1, 1]),
    "repeats": lambda x: shares.judge_repeats(x, 10**6),
    "servers": lambda x: staffing.erlang_c(1.0, 1.0, x),
    "agreed": lambda x: kappa.percent_agreement(x, 10**6),
    "seed": lambda x: krippendorff.alpha_interval([[1, 2], [3, 0]], seed=x),
    "categories": lambda x: latent.dawid_skene([latent.Vote(0, 0, 0)], x),
    "calibrated": lambda x: presets.failures(0, x),
    "drift": lambda x: drift.drift({"a": x, "b": 9}, {"a": 9, "b": 9}, 0.01),
    "streams": lambda x: fleet.fleet_rate(20_000.0, x, 1000),
}


@pytest.mark.parametrize("given", NUMBERS, ids=repr)
@pytest.mark.parametrize("place", FRACTIONS)
def test_what_is_no_number_is_refused(place: str, given: Any) -> None:
    with pytest.raises(ValueError, match=r"must|inhomogeneous"):
        FRACTIONS[place](given)


@pytest.mark.parametrize("given", WHOLE, ids=repr)
@pytest.mark.parametrize("place", COUNTS)
def test_what_is_no_count_is_refused(place: str, given: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        COUNTS[place](given)


@pytest.mark.parametrize("given", [math.nan, "1", None, 1j], ids=repr)
def test_evidence_that_is_no_number_is_refused(given: Any) -> None:
    for together in (multiplicity.averaged, multiplicity.holm):
        with pytest.raises(ValueError, match=r"log_e_values\[1\] must be a number"):
            together([0.0, given])


def test_a_scale_goes_by_its_name_and_an_unknown_one_is_refused() -> None:
    counts = [[1, 2, 0], [1, 1, 1], [0, 0, 3]]
    named: Any = "nominal"
    unknown: Any = "Nominal"

    assert krippendorff.krippendorff_alpha(counts, named) == krippendorff.krippendorff_alpha(counts)
    with pytest.raises(ValueError, match="scale must be one of nominal, ordinal, interval"):
        krippendorff.krippendorff_alpha(counts, unknown)


def test_a_label_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"first\[0\] must be one of"):
        tables.confusion([["good"]], ["good"], ["good", "bad"])  # type: ignore[list-item]
