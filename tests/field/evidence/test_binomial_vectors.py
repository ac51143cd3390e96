"""The published vectors of bounds and tests at one planned look."""

import pytest

from evidence import binomial
from tests.field.evidence.conftest import Vectors


def test_exact_and_score_intervals_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("clopper_pearson"):
        inputs, expected, tol = vector["inputs"], vector["expected"], vector["tol"]
        seen = (inputs["k"], inputs["n"], inputs["confidence"])

        assert binomial.upper_bound(*seen) == pytest.approx(expected["upper_one_sided"], abs=tol), vector["name"]
        assert binomial.lower_bound(*seen) == pytest.approx(expected["lower_one_sided"], abs=tol), vector["name"]
        assert binomial.interval(*seen) == pytest.approx(expected["two_sided"], abs=tol), vector["name"]
        if "wilson_two_sided" in expected:
            assert binomial.wilson(*seen) == pytest.approx(expected["wilson_two_sided"], abs=tol), vector["name"]


def test_p_values_and_the_cases_that_errors_cost_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("binomial_gate"):
        inputs, expected = vector["inputs"], vector["expected"]
        if "j" in inputs:
            points = binomial.design_points(2 * max(expected), inputs["alpha"], inputs["delta"])
            assert [int(points[j]) for j in inputs["j"]] == expected, vector["name"]
        else:
            found = binomial.p_value(inputs["k"], inputs["n"], inputs["alpha"])
            assert found == pytest.approx(expected, abs=vector["tol"]), vector["name"]


def test_the_bound_of_selective_risk_is_the_exact_one(vectors: Vectors) -> None:
    for vector in vectors("sgr_bound"):
        inputs, expected = vector["inputs"], vector["expected"]

        bound = binomial.upper_bound(inputs["k"], inputs["n"], 1 - inputs["delta"])

        assert bound == pytest.approx(expected["bound"], abs=1e-9), vector["name"]
        assert bound == pytest.approx(expected["reference_code"], abs=vector["tol"]), vector["name"]
