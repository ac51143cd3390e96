import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.binomial import Interval, interval
from evidence.reliability import (
    BINS,
    adaptive_calibration_error,
    brier,
    equal_mass_bins,
    equal_width_bins,
    expected_calibration_error,
    reliability,
)

CASES = st.lists(st.tuples(st.sampled_from([i / 20 for i in range(21)]) | st.floats(0, 1), st.booleans()), max_size=60)


def apart(cases: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [confidence for confidence, _ in cases], [right for _, right in cases]


class TestBins:
    @pytest.mark.parametrize("bins", [3, 7, 10, 15, 20, 100])
    def test_a_confidence_on_an_edge_lies_in_the_bin_that_ends_there(self, bins: int) -> None:
        edges = [i / bins for i in range(1, bins + 1)]

        found = equal_width_bins(edges, [True] * bins, bins)

        assert [each.cases for each in found] == [1] * bins
        assert [each.high for each in found] == edges

    def test_zero_lies_in_the_first_bin(self) -> None:
        assert equal_width_bins([0.0], [False], 10)[0].cases == 1

    def test_a_bin_without_cases_is_there_and_promises_nothing(self) -> None:
        empty = equal_width_bins([0.95], [True], 10)[0]

        assert (empty.cases, empty.mean_confidence, empty.rate) == (0, None, None)
        assert empty.band == Interval(0.0, 1.0)

    def test_a_bin_that_is_all_right_shows_how_far_that_carries(self) -> None:
        last = equal_width_bins([0.99] * 50, [True] * 50, 10, confidence=0.9)[-1]

        assert last.rate == 1.0
        assert last.band == interval(50, 50, 0.9)
        assert 0.9 < last.band.lower < 0.95

    def test_equal_mass_bins_hold_equally_many(self) -> None:
        found = equal_mass_bins(np.linspace(0.1, 0.9, 23), [True] * 23, 5)

        assert [each.cases for each in found] == [5, 5, 5, 4, 4]

    def test_cases_of_one_confidence_stay_together(self) -> None:
        found = equal_mass_bins([0.9] * 30 + [0.1, 0.2], [True] * 32, 4)

        assert [each.cases for each in found] == [32]
        assert len(equal_mass_bins([0.9] * 7, [True] * 7)) == 1

    def test_more_bins_than_cases_give_a_bin_per_case(self) -> None:
        assert [each.cases for each in equal_mass_bins([0.2, 0.4, 0.6], [True] * 3)] == [1, 1, 1]

    @given(CASES, st.integers(1, 20))
    def test_no_case_is_lost_or_counted_twice(self, cases: list[tuple[float, bool]], bins: int) -> None:
        confidences, right = apart(cases)
        for found in (equal_width_bins(confidences, right, bins), equal_mass_bins(confidences, right, bins)):
            assert sum(each.cases for each in found) == len(cases)
            assert sum(each.right for each in found) == sum(right)
            for each in found:
                inside = [c for c in confidences if each.low <= c <= each.high]
                assert each.cases <= len(inside)
                if each.rate is not None:
                    assert each.band.lower <= each.rate <= each.band.upper
                    assert each.mean_confidence == pytest.approx(each.mean_confidence)

    @given(CASES, st.integers(1, 20), st.randoms(use_true_random=False))
    def test_the_order_of_the_cases_does_not_matter(
        self, cases: list[tuple[float, bool]], bins: int, shuffler: st.randoms
    ) -> None:
        mixed = list(cases)
        shuffler.shuffle(mixed)
        for made in (equal_width_bins, equal_mass_bins):
            before, after = made(*apart(cases), bins), made(*apart(mixed), bins)
            assert [(b.low, b.high, b.cases, b.right) for b in before] == [
                (a.low, a.high, a.cases, a.right) for a in after
            ]

    @pytest.mark.parametrize("bins", [0, 1_001])
    def test_a_senseless_number_of_bins_is_refused(self, bins: int) -> None:
        with pytest.raises(ValueError, match="bins must be between 1 and 1000"):
            equal_width_bins([0.5], [True], bins)
        with pytest.raises(ValueError, match="bins must be between 1 and 1000"):
            equal_mass_bins([0.5], [True], bins)


class TestErrors:
    def test_no_cases_have_no_error_and_say_why(self) -> None:
        for found in (expected_calibration_error([], []), adaptive_calibration_error([], []), brier([], [])):
            assert found == (None, "no cases with a verdict")

    def test_an_agent_that_says_what_is_so_has_none(self) -> None:
        confidences, right = [0.8] * 10, [True] * 8 + [False] * 2

        assert expected_calibration_error(confidences, right).value == pytest.approx(0.0)
        assert adaptive_calibration_error(confidences, right).value == pytest.approx(0.0)
        assert brier(confidences, right).value == pytest.approx(0.16)

    def test_an_agent_that_is_sure_and_wrong_has_all_of_it(self) -> None:
        for found in (expected_calibration_error, adaptive_calibration_error, brier):
            assert found([1.0] * 5, [False] * 5).value == 1.0

    def test_the_number_of_bins_changes_the_error(self) -> None:
        confidences, right = [0.1, 0.9], [True, False]

        assert expected_calibration_error(confidences, right, 1).value == pytest.approx(0.0)
        assert expected_calibration_error(confidences, right, 2).value == pytest.approx(0.9)

    @given(CASES)
    def test_errors_lie_between_nothing_and_everything(self, cases: list[tuple[float, bool]]) -> None:
        if cases:
            shown = reliability(*apart(cases))
            for figure in (shown.calibration_error, shown.adaptive_error, shown.brier):
                assert figure.value is not None
                assert -1e-12 <= figure.value <= 1.0 + 1e-12


def test_the_diagram_holds_what_its_parts_say() -> None:
    rng = np.random.default_rng(1)
    confidences = rng.random(500)
    right = rng.random(500) < confidences

    shown = reliability(confidences, right, confidence=0.9)

    assert (shown.cases, shown.right, shown.confidence) == (500, int(right.sum()), 0.9)
    assert len(shown.equal_width) == len(shown.equal_mass) == BINS
    assert shown.equal_width == equal_width_bins(confidences, right, confidence=0.9)
    assert shown.equal_mass == equal_mass_bins(confidences, right, confidence=0.9)
    assert shown.calibration_error == expected_calibration_error(confidences, right)
    assert shown.adaptive_error == adaptive_calibration_error(confidences, right)
    assert shown.brier == brier(confidences, right)


def test_a_diagram_of_nothing_can_be_drawn() -> None:
    shown = reliability([], [])

    assert shown.equal_mass == ()
    assert len(shown.equal_width) == BINS
    assert shown.calibration_error.value is None


def test_the_bands_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    held = tried = 0
    for _ in range(200):
        confidences = np.repeat([0.55, 0.75, 0.95], 40)
        right = rng.random(120) < confidences
        for found in equal_width_bins(confidences, right, 10, confidence=0.9):
            if found.mean_confidence is not None:
                tried += 1
                held += found.band.lower <= found.mean_confidence <= found.band.upper

    assert held / tried >= 0.9 - 3 * math.sqrt(0.09 / tried)


def test_a_million_cases_are_binned_exactly() -> None:
    confidences = np.tile(np.arange(1, 1_001) / 1_000, 1_000)

    found = equal_width_bins(confidences, np.ones(10**6), 1_000)

    assert {each.cases for each in found} == {1_000}
