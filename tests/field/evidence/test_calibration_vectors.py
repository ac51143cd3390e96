"""The published vectors of calibration, and what calibration does to real confidences."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evidence.calibration import Calibration, IsotonicCalibrator, PlattCalibrator, calibrate, fit_isotonic, fit_platt
from evidence.reliability import adaptive_calibration_error, brier, expected_calibration_error, reliability
from tests.field.evidence.oracles_calibration import beta_calibrated, ppi_mean, venn_abers

Floats = NDArray[np.float64]
Vectors = Callable[[str], list[dict[str, Any]]]
Fit = Callable[[Floats, Floats], Calibration]


def test_errors_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("ece"):
        confidence, correct = vector["inputs"]["confidence"], vector["inputs"]["correct"]
        found = {
            "ece_10_equal_width_right_closed": expected_calibration_error(confidence, correct, 10),
            "netcal_ECE_10": expected_calibration_error(confidence, correct, 10),
            "ece_15": expected_calibration_error(confidence, correct),
            "ace_5_equal_mass": adaptive_calibration_error(confidence, correct, 5),
            "brier": brier(confidence, correct),
        }

        assert {name: figure.value for name, figure in found.items()} == pytest.approx(
            vector["expected"], abs=vector["tol"]
        ), vector["name"]


def test_calibrators_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("calibration"):
        inputs, expected, tol = vector["inputs"], vector["expected"], vector["tol"]
        labels = (inputs["confidence"], inputs["correct"])

        platt, isotonic = fit_platt(*labels).calibrator, fit_isotonic(*labels).calibrator

        assert isinstance(platt, PlattCalibrator)
        assert isinstance(isotonic, IsotonicCalibrator)
        assert [platt.slope, platt.intercept] == pytest.approx(expected["platt_coef"], abs=tol)
        assert platt.apply(inputs["query"]) == pytest.approx(expected["platt"], abs=tol)
        assert isotonic.apply(inputs["query"]) == pytest.approx(expected["isotonic"], abs=tol)


def test_other_calibrators_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("calibration"):
        inputs, expected, tol = vector["inputs"], vector["expected"], vector["tol"]
        asked = (inputs["confidence"], inputs["correct"], inputs["query"])

        pairs, merged = venn_abers(*asked)

        assert beta_calibrated(*asked) == pytest.approx(expected["beta_abm"], abs=tol)
        assert np.array(pairs) == pytest.approx(np.array(expected["venn_abers_p0_p1"]), abs=tol)
        assert merged == pytest.approx(expected["venn_abers_p"], abs=tol)


def test_prediction_powered_means_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("ppi_mean"):
        point, interval = ppi_mean(vector["inputs"])

        assert vector["inputs"]["alternative"] == "two-sided"
        assert point == pytest.approx(vector["expected"]["point"], abs=vector["tol"])
        assert interval == pytest.approx(tuple(vector["expected"]["ci"]), abs=vector["tol"])


def recorded(path: Path) -> tuple[Floats, Floats]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(float(row["confidence"]), row["correct"] == "1") for row in csv.DictReader(file)]
    return np.array([confidence for confidence, _ in rows]), np.array([right for _, right in rows], dtype=np.float64)


def error_after(fit: Fit, confidences: Floats, right: Floats, labels: int, runs: int = 10) -> tuple[float, float]:
    """ECE x 100 on the cases not fitted on, mean and highest over runs that draw the labels anew."""
    errors = []
    for seed in range(runs):
        order = np.random.default_rng(seed).permutation(len(right))
        fitted, rest = order[:labels], order[labels:]
        calibrator = fit(confidences[fitted], right[fitted]).calibrator
        assert calibrator is not None
        shown = calibrator.apply(confidences[rest])
        errors.append(100 * (expected_calibration_error(shown, right[rest]).value or 0.0))
    return float(np.mean(errors)), max(errors)


# measured with 20 draws of 1,000 labels: banking77 9.1 -> 1.3 and 1.4 (worst 2.4), clinc150 6.8 -> 1.4 and 1.8 (2.7)
@pytest.mark.parametrize(
    ("path", "raw"),
    [("banking77/agent_oof.csv", 9.09), ("banking77/agent_test.csv", 9.08), ("clinc150/agent_test.csv", 6.77)],
)
def test_a_thousand_labels_make_a_confidence_say_what_is_so(shared: Path, path: str, raw: float) -> None:
    confidences, right = recorded(shared / "data" / path)

    shown = reliability(confidences, right)
    platt, isotonic = (error_after(fit, confidences, right, 1_000) for fit in (fit_platt, fit_isotonic))

    assert shown.calibration_error.value == pytest.approx(raw / 100, abs=1e-4)
    assert platt[0] < 2.0
    assert isotonic[0] < 2.2
    assert max(platt[1], isotonic[1]) < 3.5


def test_with_few_labels_the_simple_map_is_the_better_one(shared: Path) -> None:
    confidences, right = recorded(shared / "data" / "clinc150" / "agent_test.csv")

    platt, isotonic = (error_after(fit, confidences, right, 300)[0] for fit in (fit_platt, fit_isotonic))

    assert platt < isotonic
    assert isinstance(calibrate(confidences[:300], right[:300]).calibrator, PlattCalibrator)


def test_calibration_changes_no_order_and_so_no_threshold(shared: Path) -> None:
    confidences, right = recorded(shared / "data" / "banking77" / "agent_test.csv")
    for fit in (fit_platt, fit_isotonic):
        calibrator = fit(confidences[:1_000], right[:1_000]).calibrator
        assert calibrator is not None

        shown = calibrator.apply(confidences)

        assert (np.diff(shown[np.argsort(confidences)]) >= 0.0).all()
