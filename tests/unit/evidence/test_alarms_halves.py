import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evidence.alarms.halves import WARN_AT, log_e_halves


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.0, 1.0))
def test_the_mean_under_one_rate_is_one(first: int, second: int, share: float) -> None:
    bad = int(share * (first + second))
    seen = range(max(0, bad - first), min(bad, second) + 1)
    total = sum(
        stats.hypergeom.pmf(k, first + second, bad, second) * math.exp(log_e_halves((bad - k, first), (k, second)))
        for k in seen
    )

    assert total == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("first", "second"), [((0, 0), (0, 0)), ((0, 0), (3, 9)), ((0, 50), (0, 50)), ((9, 9), (9, 9))]
)
def test_nothing_to_compare_is_no_evidence(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert log_e_halves(first, second) == pytest.approx(0.0, abs=1e-9)


def test_warns_of_a_window_that_changed_in_its_middle() -> None:
    assert log_e_halves((10, 500), (40, 500)) > WARN_AT
    assert log_e_halves((40, 500), (10, 500)) > WARN_AT
    assert log_e_halves((20, 500), (25, 500)) < 0.0


def test_refuses_more_bad_ones_than_cases() -> None:
    with pytest.raises(ValueError, match="bad must not exceed cases"):
        log_e_halves((2, 1), (0, 5))
