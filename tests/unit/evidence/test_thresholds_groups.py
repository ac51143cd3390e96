"""Labelled cases in the order in which a threshold accepts them."""

import math
from typing import Any

import numpy as np
import pytest

from evidence.thresholds import group, group_counts


class TestGrouping:
    def test_ties_are_one_group_and_the_most_confident_comes_first(self) -> None:
        groups = group([0.5, 0.9, 0.5, 0.7], [1, 0, 0, 1])

        assert groups.confidence.tolist() == [0.9, 0.7, 0.5]
        assert groups.accepted.tolist() == [1, 2, 4]
        assert groups.errors.tolist() == [0, 1, 2]

    def test_counted_cases_are_the_same_as_single_ones(self) -> None:
        single = group([0.5, 0.9, 0.5, 0.7], [1, 0, 0, 1])
        counted = group_counts([(0.7, 1, 1), (0.5, 1, 1), (0.9, 1, 0), (0.5, 1, 0), (0.1, 0, 0)])

        for name in ("confidence", "accepted", "errors"):
            assert np.array_equal(getattr(single, name), getattr(counted, name))

    @pytest.mark.parametrize(
        "confidence",
        [
            pytest.param(math.nan, id="not a number"),
            pytest.param(math.inf, id="infinite"),
            pytest.param(-0.01, id="negative"),
            pytest.param(1.01, id="above one"),
            pytest.param(None, id="missing"),
            pytest.param("0.9", id="text"),
            pytest.param(True, id="truth"),
        ],
    )
    def test_a_confidence_that_is_none_is_refused_with_its_place(self, confidence: Any) -> None:
        with pytest.raises(ValueError, match=r"confidences\[1\]"):
            group([0.5, confidence, 0.7], [0, 0, 0])

    @pytest.mark.parametrize("error", [2, -1, 0.5, None, "1"])
    def test_an_error_that_is_neither_0_nor_1_is_refused_with_its_place(self, error: Any) -> None:
        with pytest.raises(ValueError, match=r"errors\[2\]"):
            group([0.5, 0.6, 0.7], [0, 0, error])

    def test_lists_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="equal length"):
            group([0.5, 0.6], [0])

    @pytest.mark.parametrize("triple", [(0.5, 1, 2), (0.5, 1.0, 0), (0.5, 3), (0.5, -1, 0), (1.5, 1, 0)])
    def test_counts_that_cannot_be_are_refused_with_their_place(self, triple: Any) -> None:
        with pytest.raises(ValueError, match=r"triples\[1\]"):
            group_counts([(0.9, 10, 1), triple])

    def test_the_largest_tie_is_named(self) -> None:
        tie = group_counts([(0.9, 62, 1), (0.8, 38, 2)]).largest_tie()

        assert tie == (0.9, 62, 0.62)

    def test_without_cases_there_is_no_tie(self) -> None:
        assert group([], []).largest_tie() is None
        assert len(group_counts([])) == 0

    @pytest.mark.parametrize("numbers", [np.array(["0.5"]), np.array([[0.5]]), np.array([0.5 + 0j])])
    def test_arrays_of_anything_but_numbers_in_a_row_are_refused(self, numbers: Any) -> None:
        with pytest.raises(ValueError, match="one dimension"):
            group(numbers, [0])

    def test_the_first_group_with_so_many_cases_is_found(self) -> None:
        groups = group_counts([(0.9, 10, 0), (0.8, 5, 0), (0.7, 5, 0)])

        assert [groups.first(accepted) for accepted in (1, 10, 11, 15, 16, 20, 21)] == [0, 0, 1, 1, 2, 2, 3]
