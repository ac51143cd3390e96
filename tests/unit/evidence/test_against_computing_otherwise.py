"""Figures at the far ends, computed a second time in ways that share nothing with ours."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from evidence import audits, binomial, multiplicity, sequences, staffing
from evidence.agreement.reviewers import who_was_right

ENDS = [1e-6, 1e-4, 0.05, 0.5, 0.99, 1.0 - 1e-6]


def log_beta_weight(a: float, b: float, low: float, high: float) -> float:
    """Log of the integral of q^(a-1) (1-q)^(b-1), over logits from `low` to `high`: Gauss-Legendre around the peak."""

    def height(logit: float | np.ndarray) -> np.ndarray:
        return np.asarray(-a * np.logaddexp(0.0, -logit) - b * np.logaddexp(0.0, logit))

    peak = min(max(math.log(a / b), low), high)
    top = float(height(peak))

    def reach(bound: float) -> float:
        step, way = 1e-12, math.copysign(1.0, bound - peak)
        while way * (bound - peak) > step and height(peak + way * step) > top - 60.0:
            step *= 1.5
        return peak + way * min(step, abs(bound - peak))

    edges = np.linspace(reach(low), reach(high), 200)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = np.diff(edges)[:, None] / 2.0
    logits = (edges[1:] + edges[:-1])[:, None] / 2.0 + half * nodes
    return top + math.log(float(np.sum(half * weights * np.exp(height(logits) - top))))


def log_evidence(bad: int, cases: int, limit: float, *, below: bool) -> float:
    a, b = 1.0, 1.0 / limit if below else 1.0 / (3.0 * limit)
    edge = math.log(limit) - math.log1p(-limit)
    span = (-700.0, edge) if below else (edge, 700.0)
    seen = log_beta_weight(a + bad, b + cases - bad, *span) - log_beta_weight(a, b, *span)
    return seen - bad * math.log(limit) - (cases - bad) * math.log1p(-limit)


@pytest.mark.parametrize("limit", ENDS)
@pytest.mark.parametrize("cases", [1, 300, 10**4, 10**8])
def test_evidence_is_the_mixture_at_every_end(limit: float, cases: int) -> None:
    near = int(cases * limit)
    for bad in {0, 1, cases // 2, cases - 1, cases, near, max(0, near - 3), min(cases, near + 3)}:
        for below, ours in ((True, sequences.log_e_below), (False, sequences.log_e_above)):
            expected = log_evidence(bad, cases, limit, below=below)
            assert ours(bad, cases, limit) == pytest.approx(expected, rel=1e-6, abs=1e-6), (bad, below)


@pytest.mark.parametrize("confidence", [1e-6, 0.5, 0.95, 1.0 - 1e-6])
@pytest.mark.parametrize("cases", [1, 59, 10**6, 10**8])
def test_anytime_bounds_lie_where_the_evidence_reaches_its_edge(cases: int, confidence: float) -> None:
    edge = -math.log1p(-confidence)
    for bad in {1, cases // 3, cases // 2, cases - 1} - {0, cases}:
        upper, lower = sequences.upper_bound(bad, cases, confidence), sequences.lower_bound(bad, cases, confidence)
        assert lower < bad / cases < upper
        if lower > 0.0:  # one bad case alone rules out no rate, however small
            assert sequences.log_e_above(bad, cases, lower) == pytest.approx(edge, abs=1e-5)
        if upper < 1.0 - 1e-9:
            assert sequences.log_e_below(bad, cases, upper) == pytest.approx(edge, abs=1e-5)


@pytest.mark.parametrize("confidence", [1e-6, 0.3, 0.95, 1.0 - 1e-6])
@pytest.mark.parametrize(("bad", "cases"), [(0, 1), (1, 2), (2, 7), (29, 30), (3, 400)])
def test_exact_bounds_have_the_chance_they_promise_in_fractions(bad: int, cases: int, confidence: float) -> None:
    def at_most(rate: float, most: int) -> float:
        p = Fraction(rate)
        terms = (math.comb(cases, k) * p**k * (1 - p) ** (cases - k) for k in range(most + 1))
        return float(sum(terms, Fraction(0)))

    assert at_most(binomial.upper_bound(bad, cases, confidence), bad) == pytest.approx(1.0 - confidence, rel=1e-8)
    if bad:
        below = at_most(binomial.lower_bound(bad, cases, confidence), bad - 1)
        assert below == pytest.approx(confidence, rel=1e-8)


@pytest.mark.parametrize("limit", ENDS)
@pytest.mark.parametrize("delta", [1e-6, 0.05, 0.95])
def test_what_is_tolerated_is_what_the_distribution_tolerates(limit: float, delta: float) -> None:
    found = binomial.tolerated(150, limit, delta)

    for cases in range(1, 151):
        assert found[cases] == np.count_nonzero(stats.binom.cdf(np.arange(cases + 1), cases, limit) <= delta) - 1


@pytest.mark.parametrize(("cases", "audited"), [(1, 1), (5, 2), (30, 11), (120, 60), (120, 120)])
@pytest.mark.parametrize("confidence", [0.31, 0.95, 1.0 - 1e-6])
def test_the_bound_of_a_period_is_found_by_counting(cases: int, audited: int, confidence: float) -> None:
    for bad in {0, 1, audited // 2, audited}:
        believable = [
            wrong
            for wrong in range(bad, cases - (audited - bad) + 1)
            if sum(math.comb(wrong, k) * math.comb(cases - wrong, audited - k) for k in range(bad + 1))
            > (1.0 - confidence) * math.comb(cases, audited)
        ]
        assert audits.hypergeometric_upper(bad, audited, cases, confidence).wrong == max(believable)


def test_a_segment_is_adjusted_to_the_smallest_mean_of_any_group_it_is_in() -> None:
    generator = np.random.default_rng(5)
    for size in range(1, 8):
        logs = generator.normal(0.0, 3.0, size).round(1)
        logs[-1] = logs[0]  # a tie
        found = multiplicity.averaged(logs.tolist())
        for place in range(size):
            groups = (g for n in range(1, size + 1) for g in itertools.combinations(range(size), n) if place in g)
            smallest = min(float(np.exp(logs[list(group)]).mean()) for group in groups)
            assert found[place] == pytest.approx(math.log(smallest), abs=1e-9)


@pytest.mark.parametrize("load", [1e-6, 0.5, 2.5, 30.0, 170.3])
@pytest.mark.parametrize("servers", [0, 1, 3, 40, 200])
def test_turned_away_is_what_the_recursion_says(load: float, servers: int) -> None:
    share = 1.0
    for number in range(1, servers + 1):
        share = load * share / (number + load * share)

    assert staffing.erlang_b(load, servers) == pytest.approx(share, rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("agent", "person"), [(0, 1), (3, 7), (5, 5), (0, 40), (100, 60)])
def test_who_was_right_is_the_two_sided_binomial_test(agent: int, person: int) -> None:
    expected = stats.binomtest(agent, agent + person).pvalue

    assert who_was_right(agent, person).p_value == pytest.approx(expected, rel=1e-12)
