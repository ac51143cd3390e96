"""Whether the cases of a calibration are alike from beginning to end."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evidence.thresholds.halves import WARNING, exchangeability, log_e_different


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.0, 1.0))
def test_the_mean_over_alike_halves_is_one(first: int, second: int, share: float) -> None:
    marked = int(share * (first + second))
    seen = range(max(0, marked - first), min(marked, second) + 1)

    total = sum(
        stats.hypergeom.pmf(k, first + second, marked, second)
        * math.exp(log_e_different((marked - k, first), (k, second)))
        for k in seen
    )

    assert total == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("first", "second"), [((0, 0), (0, 0)), ((0, 0), (3, 9)), ((0, 50), (0, 50)), ((9, 9), (9, 9))]
)
def test_nothing_to_compare_is_no_evidence(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert log_e_different(first, second) == pytest.approx(0.0, abs=1e-9)


def test_it_does_not_matter_which_half_is_the_worse() -> None:
    assert log_e_different((10, 500), (40, 500)) == pytest.approx(log_e_different((40, 500), (10, 500)))
    assert log_e_different((10, 500), (40, 500)) > math.log(WARNING)
    assert log_e_different((20, 500), (25, 500)) < 0.0


def test_refuses_more_marked_ones_than_cases() -> None:
    with pytest.raises(ValueError, match="bad must not exceed cases"):
        log_e_different((2, 1), (0, 5))


class TestExchangeability:
    def test_the_second_half_has_the_odd_case(self) -> None:
        found = exchangeability([0.9, 0.2, 0.3, 0.8, 0.1], [1, 0, 0, 1, 1], threshold=0.3)

        assert (found.errors.first, found.errors.second) == ((1, 2), (2, 3))
        assert found.below is not None
        assert (found.below.first, found.below.second) == ((1, 2), (1, 3))

    def test_without_a_threshold_only_errors_are_compared(self) -> None:
        found = exchangeability([0.9] * 10, [0] * 10, threshold=None)

        assert found.below is None
        assert not found.warn

    def test_without_cases_there_is_nothing_to_warn_of(self) -> None:
        assert not exchangeability([], [], threshold=0.5).warn

    def test_warns_when_the_agent_became_worse(self) -> None:
        found = exchangeability([0.9] * 400, [0] * 196 + [1] * 4 + [0] * 170 + [1] * 30, threshold=0.5)

        assert found.warn
        assert found.errors.differ
        assert found.below is not None
        assert not found.below.differ

    def test_warns_when_other_cases_came_in(self) -> None:
        found = exchangeability([0.9] * 150 + [0.4] * 50 + [0.9] * 80 + [0.4] * 120, [0] * 400, threshold=0.5)

        assert found.warn
        assert not found.errors.differ

    def test_alike_halves_are_rarely_called_different(self) -> None:
        random, times = np.random.default_rng(7), 1000

        warned = sum(
            exchangeability(random.random(300), (random.random(300) < 0.1).astype(np.int64), threshold=0.4).warn
            for _ in range(times)
        )

        # Two e-values are looked at, so one window in ten at most; both are far below it at these numbers.
        assert warned / times <= 2 / WARNING

    def test_lists_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="equal length"):
            exchangeability([0.5, 0.6], [0], threshold=None)
