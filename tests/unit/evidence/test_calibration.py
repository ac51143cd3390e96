import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sklearn.isotonic import IsotonicRegression

from evidence.calibration import (
    CLIP,
    FEWEST_LABELS,
    ISOTONIC_FROM,
    Calibrator,
    IsotonicCalibrator,
    PlattCalibrator,
    calibrate,
    fit_isotonic,
    fit_platt,
)

LABELS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 0.9, 1.0]) | st.floats(0, 1), st.booleans()), min_size=2, max_size=60
)


def population(cases: int, seed: int = 3) -> tuple[Any, Any]:
    """An agent that says less than it knows: logit of the share right = 1.5 logit(confidence) + .5."""
    rng = np.random.default_rng(seed)
    confidences = rng.beta(3, 1, cases)
    share = 1 / (1 + np.exp(-(1.5 * np.log(confidences / (1 - confidences)) + 0.5)))
    return confidences, rng.random(cases) < share


class TestPlatt:
    def test_finds_the_map_that_made_the_labels(self) -> None:
        found = fit_platt(*population(20_000)).calibrator

        assert isinstance(found, PlattCalibrator)
        assert found.slope == pytest.approx(1.5, abs=0.1)
        assert found.intercept == pytest.approx(0.5, abs=0.1)
        assert not found.smoothed

    def test_is_the_most_likely_map(self) -> None:
        confidences, right = population(300)
        found = fit_platt(confidences, right).calibrator
        assert isinstance(found, PlattCalibrator)

        shown = found.apply(confidences)

        logits = np.log(confidences / (1 - confidences))
        assert float(np.sum(shown - right)) == pytest.approx(0.0, abs=1e-4)
        assert float(np.sum((shown - right) * logits)) == pytest.approx(0.0, abs=1e-4)

    @pytest.mark.parametrize("verdict", [True, False])
    def test_labels_of_one_kind_give_none_and_the_reason(self, verdict: bool) -> None:
        for fitted in (fit_platt, fit_isotonic):
            found = fitted([0.2, 0.6, 0.9], [verdict] * 3)
            assert found.calibrator is None
            assert "all 3 labels are" in found.reason

    def test_no_labels_give_none(self) -> None:
        assert fit_platt([], []) == fit_isotonic([], []) == (None, "no cases with a verdict")

    def test_one_confidence_for_all_gives_none(self) -> None:
        found = fit_platt([0.9] * 20, [True] * 15 + [False] * 5)

        assert found == (None, "all 20 labels share the confidence 0.9")

    def test_perfect_separation_gives_a_finite_map(self) -> None:
        found = fit_platt([0.1] * 5 + [0.9] * 5, [False] * 5 + [True] * 5).calibrator
        assert isinstance(found, PlattCalibrator)

        assert found.smoothed
        assert found.apply([0.1, 0.9]) == pytest.approx([1 / 7, 6 / 7])

    def test_perfect_separation_the_wrong_way_round_is_one_too(self) -> None:
        found = fit_platt([0.1] * 5 + [0.9] * 5, [True] * 5 + [False] * 5).calibrator
        assert isinstance(found, PlattCalibrator)

        assert found.smoothed
        assert found.apply([0.1, 0.9]) == pytest.approx([6 / 7, 1 / 7])

    def test_classes_that_touch_in_one_confidence_are_apart_too(self) -> None:
        found = fit_platt([0.1, 0.5, 0.5, 0.9] * 3, [False, False, True, True] * 3).calibrator

        assert isinstance(found, PlattCalibrator)
        assert found.smoothed
        assert math.isfinite(found.slope)

    def test_exactly_zero_and_one_count_as_nearly(self) -> None:
        found = fit_platt([0.0, 0.0, 1.0, 1.0] * 5, [False, True, True, False] * 5 + []).calibrator
        assert isinstance(found, PlattCalibrator)

        assert found.clip == CLIP
        assert found.apply([0.0, CLIP, 1.0]) == pytest.approx([0.5, 0.5, 0.5])

    def test_confidences_a_hair_apart_give_finite_numbers(self) -> None:
        near = [0.5, 0.5 + 1e-15, 0.5 + 2e-15] * 5

        found = fit_platt(near, [0, 1, 1] * 5).calibrator

        assert isinstance(found, PlattCalibrator)
        assert np.isfinite(found.apply([0.0, 0.5, 1.0])).all()

    @pytest.mark.parametrize("clip", [0.0, 0.5, float("nan")])
    def test_a_clip_that_leaves_nothing_is_refused(self, clip: float) -> None:
        with pytest.raises(ValueError, match="clip must lie"):
            fit_platt([0.5, 0.6], [0, 1], clip=clip)

    def test_one_exception_among_a_hundred_thousand_is_borne(self) -> None:
        confidences = np.linspace(0.01, 0.99, 100_001)
        right = confidences > 0.5
        right[10], right[-10] = True, False

        found = fit_platt(confidences, right).calibrator

        assert isinstance(found, PlattCalibrator)
        assert found.slope > 1.0
        assert float(found.apply(confidences).sum()) == pytest.approx(right.sum(), rel=1e-6)


class TestIsotonic:
    @given(LABELS)
    def test_agrees_with_an_independent_implementation_everywhere(self, labels: list[tuple[float, bool]]) -> None:
        confidences, right = [c for c, _ in labels], [r for _, r in labels]
        found = fit_isotonic(confidences, right).calibrator
        if found is None:
            assert len(set(right)) == 1
            return
        everywhere = np.linspace(0, 1, 101)

        other = IsotonicRegression(out_of_bounds="clip").fit(confidences, np.array(right, dtype=float))

        close_ties = np.diff(np.unique(confidences)).min(initial=1.0) < 1e-9  # the other one merges these
        if not close_ties:
            assert found.apply(everywhere) == pytest.approx(other.predict(everywhere), abs=1e-9)

    @given(LABELS)
    def test_never_falls_and_keeps_only_the_points_it_needs(self, labels: list[tuple[float, bool]]) -> None:
        found = fit_isotonic([c for c, _ in labels], [r for _, r in labels]).calibrator
        if isinstance(found, IsotonicCalibrator):
            assert list(found.rates) == sorted(found.rates)
            assert all(0.0 <= rate <= 1.0 for rate in found.rates)
            assert all(found.rates[i] < found.rates[i + 2] for i in range(len(found.rates) - 2))

    def test_one_confidence_for_all_says_the_share_that_is_right(self) -> None:
        found = fit_isotonic([0.9] * 20, [True] * 15 + [False] * 5).calibrator

        assert isinstance(found, IsotonicCalibrator)
        assert found.apply([0.0, 0.9, 1.0]) == pytest.approx([0.75] * 3)

    def test_a_confidence_that_points_the_wrong_way_says_the_share_to_all(self) -> None:
        found = fit_isotonic([0.1, 0.2, 0.8, 0.9], [True, True, False, False]).calibrator

        assert isinstance(found, IsotonicCalibrator)
        assert found.rates == (0.5, 0.5)


class TestWhichOne:
    def test_changes_to_isotonic_at_a_thousand_labels(self) -> None:
        confidences, right = population(ISOTONIC_FROM)

        assert isinstance(calibrate(confidences[:-1], right[:-1]).calibrator, PlattCalibrator)
        assert isinstance(calibrate(confidences, right).calibrator, IsotonicCalibrator)
        assert calibrate(confidences, right) == fit_isotonic(confidences, right)

    def test_too_few_labels_say_how_many_more(self) -> None:
        found = calibrate([0.2, 0.4, 0.6], [0, 1, 1])

        assert found.calibrator is None
        assert f"{FEWEST_LABELS - 3} more" in found.reason

    def test_ten_labels_are_enough_to_draw(self) -> None:
        confidences = [0.1, 0.3, 0.3, 0.5, 0.6, 0.7, 0.8, 0.8, 0.9, 0.9]

        assert calibrate(confidences, [0, 0, 1, 0, 1, 1, 0, 1, 1, 1]).calibrator is not None

    def test_a_scale_that_is_turned_round_is_refused(self) -> None:
        confidences, right = population(2_000)

        found = calibrate(1 - confidences, right)

        assert found.calibrator is None
        assert "does not go with more right outputs" in found.reason

    def test_labels_of_one_kind_are_refused_at_any_number(self) -> None:
        assert calibrate([0.9, 0.8] * 1_000, [True] * 2_000).calibrator is None

    def test_a_million_labels_are_calibrated(self) -> None:
        confidences, right = population(10**6)
        found = calibrate(confidences, right).calibrator
        assert isinstance(found, IsotonicCalibrator)

        assert len(found.rates) < 2_000
        assert found.apply([0.5])[0] == pytest.approx(1 / (1 + math.exp(-0.5)), abs=0.03)


@pytest.mark.parametrize("fitted", [fit_platt, fit_isotonic])
class TestEveryCalibrator:
    def test_keeps_the_order_of_the_cases(self, fitted: Any) -> None:
        calibrator = fitted(*population(500)).calibrator
        confidences = np.sort(np.random.default_rng(9).random(200))

        assert (np.diff(calibrator.apply(confidences)) >= 0).all()

    def test_survives_being_stored(self, fitted: Any) -> None:
        calibrator = fitted(*population(500)).calibrator
        kind: TypeAdapter[Calibrator] = TypeAdapter(type(calibrator))

        assert kind.validate_json(kind.dump_json(calibrator)) == calibrator

    @pytest.mark.parametrize("nonsense", [float("nan"), -0.1, 1.1])
    def test_refuses_what_is_no_confidence(self, fitted: Any, nonsense: float) -> None:
        calibrator = fitted(*population(500)).calibrator
        with pytest.raises(ValueError, match=r"confidences\[0\]"):
            calibrator.apply([nonsense])
        with pytest.raises(ValueError, match=r"confidences\[1\]"):
            fitted([0.5, nonsense], [0, 1])

    def test_applies_to_no_cases(self, fitted: Any) -> None:
        assert fitted(*population(500)).calibrator.apply([]).tolist() == []

    def test_brings_the_shown_share_near_the_true_one(self, fitted: Any) -> None:
        calibrator = fitted(*population(1_500)).calibrator
        confidences, right = population(20_000, seed=11)

        shown = calibrator.apply(confidences)

        for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
            inside = (shown > low) & (shown <= high)
            assert right[inside].mean() == pytest.approx(shown[inside].mean(), abs=0.06)
