"""The published vectors for audits, and the cases of another tool's traffic-split checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.audits import Stratum, hajek, horvitz_thompson, hypergeometric_upper, stratified
from evidence.shares import judge_mismatch, judge_repeats, mismatch_p_value

Vectors = Callable[[str], list[dict[str, Any]]]


def suite(shared: Path, name: str) -> list[dict[str, Any]]:
    suites = json.loads((shared / "vectors" / "rollout.json").read_text(encoding="utf-8"))["suites"]
    cases: list[dict[str, Any]] = next(found["cases"] for found in suites if found["id"] == name)
    assert cases, name
    return cases


def test_weighted_estimates_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("horvitz_thompson"):
        inputs, expected = vector["inputs"], vector["expected"]

        weighted = horvitz_thompson(inputs["audited_error"], inputs["pi"], inputs["N"])
        ratio = hajek(inputs["audited_error"], inputs["pi"])

        assert weighted == pytest.approx((expected["ht"], expected["var_poisson"]), abs=vector["tol"])
        assert ratio.rate == pytest.approx(expected["hajek"], abs=vector["tol"])


def test_stratified_estimates_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("stratified"):
        inputs, expected = vector["inputs"], vector["expected"]
        counts = zip(inputs["N_h"], inputs["n_h"], inputs["k_h"], strict=True)

        found = stratified([Stratum("", cases, audited, bad, audited / cases) for cases, audited, bad in counts])

        assert (found.rate, found.variance) == pytest.approx((expected["est"], expected["var"]), abs=vector["tol"])


def test_the_bound_of_a_period_agrees_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("hypergeometric_upper"):
        inputs, expected = vector["inputs"], vector["expected"]

        found = hypergeometric_upper(inputs["k"], inputs["n"], inputs["N"], 1 - inputs["delta"])

        assert (found.wrong, found.rate) == (expected["K_upper"], expected["rate"]), vector["name"]


def test_split_mismatches_agree_with_another_tool(shared: Path) -> None:
    for case in suite(shared, "growthbook.srm"):
        p_value = mismatch_p_value(case["users"], case["weights"])

        assert p_value == pytest.approx(case["expected_p"], abs=0.6 * 10 ** -case["decimals"]), case


def test_split_health_agrees_with_another_tool(shared: Path) -> None:
    for case in suite(shared, "growthbook.health"):
        if case["check"] == "srm":
            limits = {"threshold": case["threshold"], "least_per_arm": case["min_users_per_variation"]}
            found = judge_mismatch(case["p"], case["users"], case["variations"], **limits)
        else:
            found = judge_repeats(case["count"], case["users"], least_cases=case["min_count"], share=case["min_pct"])

        assert found == case["expected"], case
