"""The procedures we are compared with compute what their own implementations were seen to compute."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evidence import peers
from bench.evidence.drawing import Calibration, calibration_of
from evidence import binomial
from tests.field.evidence.conftest import Vectors


@pytest.fixture
def router(vectors: Vectors) -> dict[str, Any]:
    return vectors("router")[0]


def _drawn(router: dict[str, Any]) -> Calibration:
    return calibration_of(np.array(router["inputs"]["confidence"]), np.array(router["inputs"]["error"]))


def _seen_at(drawn: Calibration, threshold: float) -> tuple[int, int]:
    place = drawn.confidence.tolist().index(threshold)
    return int(drawn.accepted[place]), int(drawn.wrong[place])


def test_the_bound_of_sgr_is_the_published_one(vectors: Vectors) -> None:
    for vector in vectors("sgr_bound"):
        at = vector["inputs"]
        found = peers.sgr_bound(at["k"], at["n"], at["delta"])
        assert found == pytest.approx(vector["expected"]["bound"], abs=1e-9), vector["name"]
        assert found == pytest.approx(vector["expected"]["reference_code"], abs=vector["tol"]), vector["name"]


def test_sgr_selects_what_it_selected(router: dict[str, Any]) -> None:
    drawn = _drawn(router)
    threshold, cases, errors, bound = router["expected"]["sgr_threshold_n_k_bound"]
    found = peers.sgr(drawn, 0.1, 0.05)
    assert (found, *_seen_at(drawn, found)) == (threshold, cases, errors)
    assert peers.sgr_bound(errors, cases, 0.05 / 9) == pytest.approx(bound, abs=router["tol"])


def test_the_fixed_sequence_ends_where_it_ended(router: dict[str, Any]) -> None:
    drawn = _drawn(router)
    expected = router["expected"]["fst_start30"]
    threshold, cases, errors, p_value = expected["result"]
    assert peers.fst30_start(400, 0.1, 0.05) == expected["start_n"]
    assert binomial.tolerated(400, 0.1)[expected["start_n"]] == expected["start_tolerates"]
    assert binomial.p_value(errors, cases, 0.1) == pytest.approx(p_value, abs=router["tol"])
    found = peers.fst30(drawn, 0.1, 0.05)
    assert (found, *_seen_at(drawn, found)) == (threshold, cases, errors)


def test_hoeffding_and_bentkus_give_the_published_p_values(vectors: Vectors) -> None:
    for vector in vectors("hoeffding_bentkus"):
        at, expected = vector["inputs"], vector["expected"]
        found = peers.hoeffding_bentkus(at["k"], at["n"], at["alpha"])
        assert found == pytest.approx(expected["mapie"], abs=vector["tol"]), vector["name"]
        of_controller = float(peers.controller_p(np.array(at["k"] / at["n"]), np.array(at["n"]), at["alpha"]))
        assert of_controller == pytest.approx(expected["mapie_binary"], abs=vector["tol"]), vector["name"]


def test_a_rate_in_floats_makes_an_error_too_many(vectors: Vectors) -> None:
    """Which is why our counts are whole numbers, all the way."""
    vector = vectors("pitfall")[0]
    found = [[k, n] for n in range(1, 400) for k in range(1, n) if math.ceil(n * (k / n)) != k]
    assert found[: len(vector["expected"])] == vector["expected"]
    for k, n in vector["expected"]:
        whole = peers.hoeffding_bentkus(k, n, 0.9)
        assert whole <= peers.hoeffding_bentkus(k + 1, n, 0.9)


def test_the_level_of_the_nested_band_is_the_exact_one(vectors: Vectors) -> None:
    for vector in vectors("nested_exact_band"):
        at = vector["inputs"]
        found = peers.nested_level(at["N"], at["alpha"], at["delta"])
        assert found == pytest.approx(vector["expected"]["local_level"], abs=vector["tol"]), vector["name"]


def test_the_controller_finds_the_thresholds_that_the_library_found(vectors: Vectors, router: dict[str, Any]) -> None:
    vector = vectors("mapie_binary_controller")[0]
    grid = np.round(np.linspace(0.1, 0.8, 71), 2)
    for correction, expected in vector["expected"].items():
        valid = peers.controller_valid(_drawn(router), grid, 0.1, 0.05, correction)
        assert len(valid) == expected["n_valid"], correction
        assert valid.min() == pytest.approx(expected["best"], abs=vector["tol"]), correction


def test_one_empty_threshold_shuts_the_controller(shared: Path) -> None:
    lines = (shared / "data" / "snips" / "agent_outputs.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    confidence = np.array([row["confidence"]["overall"] for row in rows])
    drawn = calibration_of(confidence, np.array([1 - row["correct"] for row in rows]))
    assert drawn.confidence[0] < 0.99
    assert peers.controller(drawn, 0.05, correction="fixed_sequence") == math.inf
    assert peers.controller(drawn, 0.05, correction="fixed_sequence", clipped=True) < 1
