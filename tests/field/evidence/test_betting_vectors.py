"""Bounds of others that we compare with, and how our own one-sided ones stand to them."""

import math

import numpy as np
import pytest

from evidence import betting, sequences
from evidence.betting import Wealth
from tests.field.evidence import oracles_sequences as oracles
from tests.field.evidence.conftest import Vectors


def test_the_boundaries_of_the_oracles_are_the_published_ones(vectors: Vectors) -> None:
    for vector in vectors("confseq_boundary"):
        inputs, expected = vector["inputs"], vector["expected"]
        at = (inputs["v"], inputs["alpha"], inputs["v_opt"], inputs["alpha_opt"])

        found = {
            "beta_binomial": oracles.beta_binomial_boundary(*at, (inputs["g"], inputs["h"])),
            "normal": oracles.normal_boundary(*at),
            "gamma_exponential_c1": oracles.gamma_exponential_boundary(*at),
            "poly_stitching": oracles.stitched_boundary(inputs["v"], inputs["alpha"], v_min=10),
        }

        assert found == pytest.approx(expected, abs=vector["tol"])


def test_our_one_sided_bound_is_tighter_than_the_two_sided_mixture_for_good_agents_and_as_tight_for_others(
    vectors: Vectors,
) -> None:
    for vector in vectors("confseq_bernoulli_ci"):
        inputs = vector["inputs"]
        bad, cases, alpha = inputs["num_successes"], inputs["num_trials"], inputs["alpha"]

        low, high = oracles.bernoulli_interval(bad, cases, alpha, inputs["t_opt"], inputs["alpha_opt"])

        assert [low, high] == pytest.approx(vector["expected"], abs=vector["tol"]), vector["name"]
        ours = sequences.upper_bound(bad, cases, 1 - alpha)
        # The two-sided one is tuned to just this number of cases; ours to none.
        allowed = high if bad <= 0.02 * cases else 1.01 * high
        assert bad / cases <= ours <= allowed, vector["name"]


def test_our_betting_bound_is_tighter_than_the_hedged_one_and_the_empirical_bernstein_one(vectors: Vectors) -> None:
    for vector in vectors("confseq_betting"):
        inputs, expected, tol = vector["inputs"], vector["expected"], vector["tol"]
        bits, alpha = inputs["bits"], inputs["alpha"]
        at = np.array(inputs["at"]) - 1

        low, high = oracles.hedged_interval(bits, alpha, inputs["breaks"])
        low_200, high_200 = oracles.hedged_interval(bits, alpha, inputs["breaks"], population=200)
        bernstein = 1 - oracles.empirical_bernstein_lower(1 - np.array(bits, dtype=float), alpha / 2)

        assert low[at] == pytest.approx(expected["lower"], abs=tol)
        assert high[at] == pytest.approx(expected["upper"], abs=tol)
        assert low_200[at] == pytest.approx(expected["wor_N200_lower"], abs=tol)
        assert high_200[at] == pytest.approx(expected["wor_N200_upper"], abs=tol)
        assert bernstein[at] == pytest.approx(expected["predmix_empbern_upper"], abs=1e-9)
        ours = [betting.upper_bound([{float(bit): 1} for bit in bits[:seen]], 1 - alpha) for seen in inputs["at"]]
        assert all(our <= hedged + tol for our, hedged in zip(ours, expected["upper"], strict=True))
        assert all(our < other for our, other in zip(ours, expected["predmix_empbern_upper"], strict=True))


def test_the_betting_evidence_is_stronger_than_that_of_the_two_sided_p_value(vectors: Vectors) -> None:
    for vector in vectors("wsr_pvalue"):
        inputs = vector["inputs"]
        state = Wealth(inputs["alpha"], confidence=1 - inputs["delta"])
        strongest = 0.0

        for bit in inputs["bits"]:
            state = state.update(bit)
            strongest = max(strongest, state.log_e)

        published = oracles.wsr_p_value(inputs["bits"], inputs["alpha"], inputs["delta"])
        assert published == pytest.approx(vector["expected"], abs=vector["tol"])
        assert math.exp(-strongest) < published


def test_the_martingale_without_replacement_is_the_published_one(vectors: Vectors) -> None:
    for vector in vectors("alpha_wor"):
        inputs, expected = vector["inputs"], vector["expected"]

        history = oracles.alpha_martingale(inputs["bits"], inputs["N"], inputs["t"], inputs["eta"])

        assert 1 / history.max() == pytest.approx(expected["p_value"], abs=vector["tol"])
        at = np.array(expected["history_at"]) - 1
        assert np.minimum(1, 1 / history[at]) == pytest.approx(expected["history"], abs=vector["tol"])
        # Ours, on counts, bets on about half the limit and not on a rate it was told; nor does it know the population.
        ours = math.exp(-sequences.log_e_below(inputs["bits"].count(0), len(inputs["bits"]), 1 - inputs["t"]))
        assert expected["p_value"] < ours < 3 * expected["p_value"]
