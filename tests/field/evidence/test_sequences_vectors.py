"""The published vectors of the evidence engine."""

import json
from pathlib import Path
from typing import Any

import pytest

from evidence.sequences import cases_needed, log_e_above, log_e_below, upper_bound


def vectors(shared: Path, group: str) -> list[dict[str, Any]]:
    written = json.loads((shared / "vectors" / "evidence.json").read_text(encoding="utf-8"))
    found = [vector for vector in written["vectors"] if vector["group"] == group]
    assert found, f"no vectors of group {group}"
    return found


def test_evidence_below_a_limit_agrees_with_the_vectors(shared: Path) -> None:
    for vector in vectors(shared, "eprocess_below"):
        inputs, expected, prior = vector["inputs"], vector["expected"], prior_of(vector)
        counts = (inputs["k"], inputs["n"])

        log_e = log_e_below(*counts, inputs["p0"], prior=prior)
        bound = upper_bound(*counts, 1 - inputs["alpha"], prior=prior)

        assert log_e == pytest.approx(expected["log_e"], abs=vector["tol"]), vector["name"]
        assert bound == pytest.approx(expected["upper_cs_same_prior"], abs=vector["tol"]), vector["name"]


def test_evidence_above_a_limit_agrees_with_the_vectors(shared: Path) -> None:
    for vector in vectors(shared, "eprocess_above"):
        inputs, expected = vector["inputs"], vector["expected"]

        given = log_e_above(inputs["k"], inputs["n"], inputs["p0"], prior=prior_of(vector))
        by_itself = log_e_above(inputs["k"], inputs["n"], inputs["p0"])

        assert given == pytest.approx(expected["log_e"], abs=vector["tol"]), vector["name"]
        assert by_itself == pytest.approx(expected["log_e"], abs=vector["tol"]), vector["name"]


def test_a_bound_for_every_look_is_never_tighter_than_one_for_a_single_look(shared: Path) -> None:
    for vector in vectors(shared, "clopper_pearson"):
        inputs = vector["inputs"]

        anytime = upper_bound(inputs["k"], inputs["n"], inputs["confidence"])

        assert anytime >= vector["expected"]["upper_one_sided"], vector["name"]


def test_looking_at_every_case_costs_clean_cases_over_looking_once(shared: Path) -> None:
    planned = next(v for v in vectors(shared, "binomial_gate") if "j" in v["inputs"])
    inputs = planned["inputs"]

    for bad, once in zip(inputs["j"], planned["expected"], strict=True):
        always = bad + cases_needed(bad, bad, inputs["alpha"], 1 - inputs["delta"])
        assert once < always < 2 * once


def prior_of(vector: dict[str, Any]) -> tuple[float, float]:
    return vector["inputs"]["a"], vector["inputs"]["b"]
