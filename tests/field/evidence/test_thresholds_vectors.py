"""The published vectors of thresholds with a guarantee."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.thresholds import Groups, Mode, Schedule, boundaries, calibrate, group, group_counts
from evidence.thresholds.starts import chance_to_pass, fitted, unsureness

Vectors = Callable[[str], list[dict[str, Any]]]

MODES = {"learned": Mode.LEARNED_START, "fixed": Mode.FIXED_START}


@pytest.fixture
def of_thresholds(shared: Path) -> list[dict[str, Any]]:
    written = json.loads((shared / "vectors" / "thresholds.json").read_text(encoding="utf-8"))
    return list(written["vectors"])


@pytest.fixture
def sample(vectors: Vectors) -> Groups:
    inputs = vectors("router")[0]["inputs"]
    return group(inputs["confidence"], inputs["error"])


def test_calibrations_agree_with_the_vectors(of_thresholds: list[dict[str, Any]], sample: Groups) -> None:
    found = [vector for vector in of_thresholds if "bls_fst" in vector["function"]]
    assert len(found) >= 3

    for vector in found:
        for name, expected in vector["expected"].items():
            inputs, place = vector["inputs"], (vector["name"], name)
            answer = calibrate(groups_of(inputs, sample), risk=inputs["alpha"], delta=inputs["delta"], mode=MODES[name])

            assert answer.start is not None, place
            assert answer.start.accepted == expected["start_n"], place
            assert answer.start.errors == expected["start_k"], place
            assert answer.start.tolerated == expected["start_tolerates"], place
            assert answer.threshold == expected["threshold"], place
            assert (answer.end.accepted if answer.end else 0) == expected["n"], place
            assert (answer.end.errors if answer.end else 0) == expected["k"], place
            assert (answer.reason is None) == (expected["why"] == ""), place


def groups_of(inputs: dict[str, Any], sample: Groups) -> Groups:
    if "groups" in inputs:
        return group_counts(inputs["groups"])
    return group(inputs["confidence"], inputs["error"]) if "confidence" in inputs else sample


def test_the_fit_below_a_candidate_agrees_with_the_vectors(of_thresholds: list[dict[str, Any]]) -> None:
    found = [vector for vector in of_thresholds if "map_fit" in vector["function"]]
    assert found

    for vector in found:
        inputs, expected = vector["inputs"], vector["expected"]
        cases, wrong = np.array(inputs["n"], dtype=float), np.array(inputs["errors"], dtype=float)

        fit = fitted(unsureness(np.array(inputs["confidence"])), cases, wrong)
        chance = chance_to_pass(np.array([inputs["predict_mu"]]), np.array([inputs["k"]]))

        assert fit == pytest.approx((expected["a"], expected["b"]), abs=vector["tol"]), vector["name"]
        assert chance == pytest.approx([expected["pass_probability"]], abs=vector["tol"]), vector["name"]


def test_boundaries_agree_with_the_vectors(of_thresholds: list[dict[str, Any]]) -> None:
    found = [vector for vector in of_thresholds if "gs_bounds" in vector["function"]]
    assert found

    for vector in found:
        inputs, expected = vector["inputs"], vector["expected"]
        schedule = Schedule(start=0, looks=tuple(n for n in inputs["looks"] if n > 300), go_live=300)
        spent = [schedule.spent(labels) for labels in inputs["looks"]]

        bounds = boundaries(inputs["accepted"], [share * inputs["delta"] for share in spent], inputs["alpha"])

        given = spent[2 : 2 + len(expected["spent"])]
        assert given == pytest.approx(expected["spent"], abs=vector["tol"]), vector["name"]
        assert bounds == expected["bounds"], vector["name"]
