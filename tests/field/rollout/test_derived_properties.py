"""
What looking again and again does to a test that was made for one look, and what it does to our gates.

Their figures are simulated or computed anew, so that the comparison is fair: the same paths, the same looks.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from evidence.sequences import crossed, log_e_above, log_e_below
from evidence.shares import log_e_mismatch, mismatch_p_value
from rollout.domain.metrics import Direction, Rate
from rollout.domain.rate_gate import Asked, weigh
from rollout.domain.verdict import Verdict
from tests.field.rollout.mapping import Case, Unmapped

ALPHA = 0.05
SPREAD = 4  # standard errors that a simulated share may be off
PATHS = 3000
CASES_A_LOOK = 20

Counts = npt.NDArray[np.int64]


def hold(case: Case) -> None:
    for words, held in KINDS.items():
        if words in case["id"]:
            held(case)
            return
    raise Unmapped(case)


@cache
def most_bad_to_pass(cases: int, limit: float) -> int:
    """The largest count of bad cases that our gate passes; -1 when it passes none."""
    counts = range(cases + 1)
    return bisect_left(counts, x=True, key=lambda bad: not crossed(log_e_below(bad, cases, limit), 1 - ALPHA)) - 1


@cache
def fewest_bad_to_fail(cases: int, limit: float) -> int:
    """The smallest count of bad cases that our gate fails; one more than there are cases when it fails none."""
    counts = range(math.ceil(limit * cases), cases + 1)
    return counts.start + bisect_left(
        counts, x=True, key=lambda bad: crossed(log_e_above(bad, cases, limit), 1 - ALPHA)
    )


def paths(rate: float, looks: int, cases_a_look: int, *, seed: int, many: int = PATHS) -> Counts:
    """Bad cases up to each look, a row for each path."""
    return np.random.default_rng(seed).binomial(cases_a_look, rate, size=(many, looks)).cumsum(axis=1)


def ever_passes(bad: Counts, cases_a_look: int, limit: float) -> float:
    most = [most_bad_to_pass(cases_a_look * (look + 1), limit) for look in range(bad.shape[1])]
    return float(np.mean((bad <= np.array(most)).any(axis=1)))


def ever_fails(bad: Counts, cases_a_look: int, limit: float) -> float:
    fewest = [fewest_bad_to_fail(cases_a_look * (look + 1), limit) for look in range(bad.shape[1])]
    return float(np.mean((bad >= np.array(fewest)).any(axis=1)))


def error(share: float, many: int = PATHS) -> float:
    return SPREAD * math.sqrt(max(share * (1 - share), 1 / many) / many)


def fixed_test_looked_at_often(case: Case) -> None:
    """Theirs goes wrong as published, the more the more often it is looked at; ours does not, on either side."""
    longest = max(case["looks"])
    drawn = np.random.default_rng(1).standard_normal((PATHS, longest)).cumsum(axis=1)
    beyond = np.abs(drawn) > 1.96 * np.sqrt(np.arange(1, longest + 1))
    for looks, published in zip(case["looks"], case["false_positive"], strict=True):
        assert float(np.mean(beyond[:, :looks].any(axis=1))) == pytest.approx(published, abs=error(published))
    at_most_alpha(case)


def at_most_alpha(case: Case) -> None:
    """At the limit itself, the worst there is: passed or failed by chance in 5 % of all paths at most."""
    for limit in (0.02, 0.05, 0.3):
        bad = paths(limit, max(case["looks"]), CASES_A_LOOK, seed=2)
        for looks in case["looks"]:
            assert ever_passes(bad[:, :looks], CASES_A_LOOK, limit) <= ALPHA + error(ALPHA)
            assert ever_fails(bad[:, :looks], CASES_A_LOOK, limit) <= ALPHA + error(ALPHA)


def sequence_under_no_effect(case: Case) -> None:
    assert max(case["false_positive"]) <= ALPHA
    at_most_alpha(case)


def looking_costs_no_power(case: Case) -> None:
    """As many cases in the end, looked at more often: never less often passed, and more often before the end."""
    longest = max(case["looks"])
    assert all(longest % looks == 0 for looks in case["looks"])
    bad = paths(0.03, longest, 2, seed=3)
    most = np.array([most_bad_to_pass(2 * (look + 1), 0.05) for look in range(longest)])
    power = []
    for looks in (1, *case["looks"]):
        every = longest // looks
        passed = (bad <= most)[:, every - 1 :: every]
        power.append(float(np.mean(passed.any(axis=1))))
    assert power == sorted(power)
    assert power[-1] > power[0] > ALPHA
    assert case["power"] == sorted(case["power"])


def split_looked_at_often(case: Case) -> None:
    """The chi-square goes wrong as published at a hundred looks; our e-value of the split does not."""
    looks, many = 100, 400
    cases = 100 * np.arange(1, looks + 1)
    left = paths(0.5, looks, 100, seed=4, many=many)
    chi_square = (2 * left - cases) ** 2 / cases
    theirs = float(np.mean((chi_square > stats.chi2.isf(0.001, 1)).any(axis=1)))
    assert theirs == pytest.approx(case["false_positive"], abs=error(case["false_positive"], many))
    assert mismatch_p_value([600, 400], [0.5, 0.5]) == pytest.approx(float(stats.chi2.sf(40, 1)))
    seen = {(int(one), int(all_)) for row in left for one, all_ in zip(row[9::10], cases[9::10], strict=True)}
    found = {pair: log_e_mismatch([pair[0], pair[1] - pair[0]], [0.5, 0.5]) for pair in seen}
    ours = np.mean(
        [
            max(found[int(one), int(all_)] for one, all_ in zip(row[9::10], cases[9::10], strict=True)) > math.log(1000)
            for row in left
        ]
    )
    assert ours <= 0.001 + error(0.001, many)


def threshold_of_measurements(case: Case) -> None:
    """
    A limit on the number of measurements below a threshold aborts the healthy and misses the bad, as published. Ours
    weighs all cases so far: the healthy is failed and the bad is passed in 5 % of all paths at most.
    """
    success, true_rate = _rates(case)
    for name, published in case.items():
        if (found := re.fullmatch(r"(abort|detect)_failureLimit([0-9]+)", name)) is None:
            continue
        for cases, share in zip(case["n"], published, strict=False):
            assert _theirs(cases, success, true_rate, int(found[2])) == pytest.approx(share, abs=0.0006)
    limit = round(1 - success, 9)
    for cases in case["n"]:
        bad = paths(1 - true_rate, 10, cases, seed=cases)
        if true_rate > success:
            assert ever_fails(bad, cases, limit) <= ALPHA + error(ALPHA)
        else:
            assert ever_passes(bad, cases, limit) <= ALPHA + error(ALPHA)


def _rates(case: Case) -> tuple[float, float]:
    """Asked for and true; the second row leaves out what the first has said."""
    success = re.search(r"success>=(\.[0-9]+)", case["id"])
    true_rate = re.search(r"true (\.[0-9]+)", case["id"])
    if true_rate is None:
        raise Unmapped(case)
    return float(success[1]) if success else 0.95, float(true_rate[1])


def _theirs(cases: int, success: float, true_rate: float, tolerated: int) -> float:
    """Ten measurements; aborted when more than the tolerated number of them are below the threshold."""
    enough = math.ceil(success * cases - 1e-9)
    below = float(stats.binom.cdf(enough - 1, cases, true_rate))
    return float(stats.binom.sf(tolerated, 10, below))


KINDS: dict[str, Callable[[Case], None]] = {
    "fixed z": fixed_test_looked_at_often,
    "confidence sequence": sequence_under_no_effect,
    "power": looking_costs_no_power,
    "SRM": split_looked_at_often,
    "threshold gate": threshold_of_measurements,
    "bad candidate": threshold_of_measurements,
}


def test_every_property_holds_for_ours(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("derived.properties"):
        hold(case)


def test_the_counts_above_are_where_our_gate_changes_its_verdict() -> None:
    """So that what is simulated is the gate itself."""
    asked = Asked(Direction.AT_MOST, 0.05, 1 - ALPHA, 1)
    for cases in (100, 400, 2000):
        most, fewest = most_bad_to_pass(cases, 0.05), fewest_bad_to_fail(cases, 0.05)
        assert most >= 0
        assert [weigh(Rate(bad, cases), asked).verdict for bad in (most, most + 1, fewest - 1, fewest)] == [
            Verdict.PASS,
            Verdict.INCONCLUSIVE,
            Verdict.INCONCLUSIVE,
            Verdict.FAIL,
        ]
