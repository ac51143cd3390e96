import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence import sequences
from evidence.binomial import (
    checked_counts,
    checked_rate,
    checked_whole,
    design_points,
    interval,
    lower_bound,
    p_value,
    smallest_sample,
    tolerated,
    upper_bound,
    wilson,
)

CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@st.composite
def counts(draw: st.DrawFn, most: int = 5_000) -> tuple[int, int]:
    cases = draw(st.integers(0, most))
    return draw(st.integers(0, cases)), cases


class TestBounds:
    def test_say_nothing_when_nothing_was_seen(self) -> None:
        assert (lower_bound(0, 0), upper_bound(0, 0)) == (0.0, 1.0)
        assert interval(0, 0) == wilson(0, 0) == (0.0, 1.0)

    def test_are_one_sided_at_the_ends(self) -> None:
        assert lower_bound(0, 300) == 0.0
        assert upper_bound(300, 300) == 1.0
        assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
        assert lower_bound(300, 300) == pytest.approx(0.05 ** (1 / 300))

    @given(counts(), CONFIDENCES)
    def test_are_where_the_exact_test_turns(self, seen: tuple[int, int], confidence: float) -> None:
        bad, cases = seen
        high, low = upper_bound(bad, cases, confidence), lower_bound(bad, cases, confidence)

        if bad < cases:
            assert stats.binom.cdf(bad, cases, high) == pytest.approx(1 - confidence, rel=1e-6)
        if bad > 0:
            assert stats.binom.sf(bad - 1, cases, low) == pytest.approx(1 - confidence, rel=1e-6)

    @given(counts(), CONFIDENCES)
    def test_move_with_the_counts(self, seen: tuple[int, int], confidence: float) -> None:
        bad, cases = seen

        if bad < cases:
            assert upper_bound(bad + 1, cases, confidence) >= upper_bound(bad, cases, confidence)
            assert lower_bound(bad + 1, cases, confidence) >= lower_bound(bad, cases, confidence)
        assert upper_bound(bad, cases + 1, confidence) <= upper_bound(bad, cases, confidence)
        assert lower_bound(bad + 1, cases + 1, confidence) >= lower_bound(bad, cases, confidence) - 1e-12

    @given(counts(), CONFIDENCES)
    def test_of_one_look_are_never_wider_than_those_of_all_looks(
        self, seen: tuple[int, int], confidence: float
    ) -> None:
        bad, cases = seen

        assert upper_bound(bad, cases, confidence) <= sequences.upper_bound(bad, cases, confidence) + 1e-9
        assert lower_bound(bad, cases, confidence) >= sequences.lower_bound(bad, cases, confidence) - 1e-9

    @given(counts(), CONFIDENCES)
    def test_hold_the_observed_rate_between_them(self, seen: tuple[int, int], confidence: float) -> None:
        bad, cases = seen

        for low, high in (interval(bad, cases, confidence), wilson(bad, cases, confidence)):
            assert 0.0 <= low <= high <= 1.0
            if cases:
                assert low - 1e-12 <= bad / cases <= high + 1e-12

    @pytest.mark.parametrize("bad", [0, 1, 10**4, 10**8 - 1, 10**8])
    def test_stay_within_the_unit_interval_at_a_hundred_million_cases(self, bad: int) -> None:
        cases = 10**8

        assert 0.0 <= lower_bound(bad, cases) <= bad / cases <= upper_bound(bad, cases) <= 1.0


class TestTest:
    def test_without_cases_never_rejects(self) -> None:
        assert p_value(0, 0, 0.05) == 1.0

    @given(counts(), st.floats(0.001, 0.999))
    def test_grows_with_every_bad_case(self, seen: tuple[int, int], limit: float) -> None:
        bad, cases = seen

        if bad < cases:
            assert p_value(bad + 1, cases, limit) >= p_value(bad, cases, limit)

    @given(counts(), st.floats(0.01, 0.99), CONFIDENCES)
    def test_rejects_exactly_when_the_bound_lies_below(
        self, seen: tuple[int, int], limit: float, confidence: float
    ) -> None:
        bound = upper_bound(*seen, confidence)

        if abs(bound - limit) > 1e-9:
            assert (p_value(*seen, limit) < 1 - confidence) == (bound < limit)


class TestDesign:
    @given(st.integers(1, 600), st.sampled_from([0.01, 0.05, 0.1, 0.5]), st.sampled_from([0.025, 0.05, 0.1]))
    def test_tolerates_what_the_exact_test_does(self, most: int, limit: float, delta: float) -> None:
        found = tolerated(most, limit, delta)

        assert found.shape == (most + 1,)
        for cases in {0, most // 3, most // 2, most}:
            passing = [bad for bad in range(cases + 1) if cases and stats.binom.cdf(bad, cases, limit) <= delta]
            assert found[cases] == max(passing, default=-1)

    @given(
        st.integers(1, 20_000),
        st.sampled_from([1e-6, 1e-3, 0.02, 0.3, 0.9, 0.999]),
        st.sampled_from([1e-9, 0.01, 0.05, 0.5, 0.99]),
    )
    @settings(max_examples=60, deadline=None)
    def test_each_number_of_cases_is_the_smallest_that_will_do(self, most: int, limit: float, delta: float) -> None:
        found = design_points(most, limit, delta)
        bad = np.arange(len(found))

        assert np.all(stats.binom.cdf(bad, found, limit) <= delta)
        assert np.all(stats.binom.cdf(bad, found - 1, limit) > delta)
        assert stats.binom.cdf(len(found), most, limit) > delta

    def test_starts_at_the_known_numbers_of_clean_cases(self) -> None:
        firsts = [int(design_points(400, limit)[0]) for limit in (0.05, 0.02, 0.01)]

        assert firsts == [59, 149, 299]

    @pytest.mark.parametrize("most", [0, 1, 58])
    def test_is_empty_where_no_statement_is_possible(self, most: int) -> None:
        assert design_points(most, 0.05).tolist() == []
        assert set(tolerated(most, 0.05).tolist()) == {-1}

    @pytest.mark.parametrize("limit", [0.5, 0.05, 0.001])
    def test_each_is_found_by_itself_as_among_all(self, limit: float) -> None:
        points = design_points(20_000, limit)

        assert [smallest_sample(bad, limit) for bad in range(0, len(points), 97)] == points[::97].tolist()

    def test_is_the_last_that_is_not_enough_and_one_more_for_many_bad_ones_too(self) -> None:
        found = smallest_sample(200_000, 0.05)

        assert stats.binom.cdf(200_000, found, 0.05) <= 0.05 < stats.binom.cdf(200_000, found - 1, 0.05)


class TestRefusals:
    @pytest.mark.parametrize("count", [-1, 1.0, True, "3", None, math.nan])
    def test_a_count_is_a_whole_number(self, count: Any) -> None:
        with pytest.raises(ValueError, match="bad"):
            checked_whole(count, "bad")

    def test_there_are_no_more_bad_ones_than_cases(self) -> None:
        for call in (upper_bound, lower_bound, interval, wilson, checked_counts):
            with pytest.raises(ValueError, match="bad must not exceed cases"):
                call(3, 2)

    @pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan, math.inf])
    def test_a_rate_lies_strictly_between_nothing_and_everything(self, rate: float) -> None:
        with pytest.raises(ValueError, match="limit"):
            checked_rate(rate, "limit")
        with pytest.raises(ValueError, match="limit"):
            p_value(1, 2, rate)
        for call in (upper_bound, lower_bound, interval, wilson):
            with pytest.raises(ValueError, match="confidence"):
                call(1, 2, rate)

    def test_counts_may_come_from_numpy(self) -> None:
        assert upper_bound(np.int64(1), np.int64(10)) == upper_bound(1, 10)  # type: ignore[arg-type]
