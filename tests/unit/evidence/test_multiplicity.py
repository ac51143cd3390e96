import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import sequences
from evidence.multiplicity import (
    Standing,
    all_pass,
    averaged,
    benjamini_hochberg_adjusted,
    holm,
    holm_adjusted,
    judge_segments,
)

LOG_E = st.lists(st.floats(-20, 20), max_size=7)
EDGE = -math.log1p(-0.95)


def by_all_groups(values: list[float]) -> list[float]:
    """Closed testing from its definition: the smallest mean of e-values over every group with the segment in it."""
    groups = [group for size in range(1, len(values) + 1) for group in combinations(range(len(values)), size)]
    means = {group: math.log(math.fsum(math.exp(values[place]) for place in group) / len(group)) for group in groups}
    return [min(mean for group, mean in means.items() if place in group) for place in range(len(values))]


class TestAveraged:
    @given(LOG_E)
    def test_is_closed_testing_over_all_groups(self, values: list[float]) -> None:
        assert averaged(values) == pytest.approx(by_all_groups(values), abs=1e-9)

    @given(st.lists(st.floats(-3, 9), max_size=12))
    def test_rejects_whatever_the_steps_down_reject_and_these_what_is_large_enough_for_all(
        self, values: list[float]
    ) -> None:
        plain = [value >= EDGE + math.log(len(values)) + 1e-12 for value in values]
        down, mean = holm(values), [log_e >= EDGE - 1e-12 for log_e in averaged(values)]

        assert all(step >= each for step, each in zip(down, plain, strict=True))
        assert all(best >= step for best, step in zip(mean, down, strict=True))

    @given(LOG_E, st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_segments(self, values: list[float], shuffled: Any) -> None:
        order = list(range(len(values)))
        shuffled.shuffle(order)

        assert averaged([values[place] for place in order]) == pytest.approx(
            [averaged(values)[place] for place in order], abs=1e-12
        )

    @given(LOG_E.filter(bool), st.integers(0, 5))
    def test_segments_that_nobody_has_seen_count_with_an_e_value_of_one(self, values: list[float], more: int) -> None:
        declared = averaged(values, family=len(values) + more)

        assert declared == pytest.approx(averaged([*values, *[0.0] * more])[: len(values)], abs=1e-12)

    def test_alone_is_the_e_value_itself(self) -> None:
        assert averaged([1.25]) == [1.25]
        assert averaged([]) == []


class TestHolm:
    def test_lets_the_second_pass_at_less_than_the_first(self) -> None:
        first, second = math.log(41), math.log(21)

        assert holm([second, first]) == [True, True]
        assert holm([second, second]) == [False, False]

    @given(st.lists(st.floats(0, 1), max_size=12))
    def test_agrees_with_its_adjusted_p_values(self, p_values: list[float]) -> None:
        adjusted = holm_adjusted(p_values)

        assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
        assert all(b <= a + 1e-12 for a, b in zip(adjusted, benjamini_hochberg_adjusted(p_values), strict=True))

    def test_holds_in_families_at_all_looks_together(self) -> None:
        """Six segments at their limit, looked at after every case: in at most delta of all runs is any called good."""
        runs, segments, cases, limit = 1_500, 6, 300, 0.1
        bad = (np.random.default_rng(20260105).random((runs, segments, cases)) < limit).cumsum(axis=2)
        log_e = np.array(
            [[sequences.log_e_below(k, n, limit) if k <= n else 0.0 for k in range(80)] for n in range(301)]
        )
        values = log_e[np.arange(1, cases + 1), bad.clip(max=79)]
        ordered = np.sort(values, axis=1)

        # Any is rejected by the mean of groups when the largest one is, against all smaller groups beside it.
        means = np.logaddexp.accumulate(ordered, axis=1) - np.log(np.arange(1, segments + 1))[None, :, None]
        any_averaged = (means[:, -1] >= EDGE).any(axis=1).mean()
        any_holm = (ordered[:, -1] >= EDGE + math.log(segments)).any(axis=1).mean()

        assert any_holm <= any_averaged <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


class TestSegments:
    def test_are_shown_on_either_side_or_stay_undecided(self) -> None:
        judged = judge_segments([(0, 400), (90, 400), (20, 400), (0, 0)], 0.05)

        assert [segment.standing for segment in judged] == [
            Standing.BELOW,
            Standing.ABOVE,
            Standing.UNDECIDED,
            Standing.UNDECIDED,
        ]

    @given(st.lists(st.tuples(st.integers(0, 20), st.integers(20, 400)), max_size=6), st.randoms(use_true_random=False))
    def test_keep_their_verdicts_when_they_are_renamed(self, counts: list[tuple[int, int]], shuffled: Any) -> None:
        order = list(range(len(counts)))
        shuffled.shuffle(order)
        judged = judge_segments(counts, 0.1)

        renamed = judge_segments([counts[place] for place in order], 0.1)

        assert [segment.standing for segment in renamed] == [judged[place].standing for place in order]

    def test_are_not_shown_by_cases_that_would_do_for_one(self) -> None:
        assert judge_segments([(0, 82)], 0.05)[0].standing is Standing.BELOW
        assert judge_segments([(0, 82), (5, 82)], 0.05)[0].standing is Standing.UNDECIDED
        assert judge_segments([(0, 82)], 0.05, family=10)[0].standing is Standing.UNDECIDED

    def test_cost_as_much_at_a_hundred_million_cases(self) -> None:
        judged = judge_segments([(10**6, 10**8), (10**7, 10**8)], 0.05)

        assert [segment.standing for segment in judged] == [Standing.BELOW, Standing.ABOVE]


class TestPuttingTogether:
    def test_passes_when_all_do_and_never_without_any(self) -> None:
        assert all_pass([True, True])
        assert not all_pass([True, False])
        assert not all_pass([])


class TestRefusals:
    @pytest.mark.parametrize(
        ("call", "named"),
        [
            pytest.param(lambda: holm([math.nan]), r"log_e_values\[0\]", id="evidence that is no number"),
            pytest.param(lambda: averaged([0.0, math.nan]), r"log_e_values\[1\]", id="second that is no number"),
            pytest.param(lambda: holm([0.0, 0.0], family=1), "family", id="family too small"),
            pytest.param(lambda: holm_adjusted([0.5, 1.5]), r"p_values\[1\]", id="p above one"),
            pytest.param(lambda: benjamini_hochberg_adjusted([math.nan]), r"p_values\[0\]", id="p that is no number"),
            pytest.param(lambda: judge_segments([], 0.05, 1.0), "confidence", id="certainty without segments"),
            pytest.param(lambda: judge_segments([(2, 1)], 0.05), "bad must not exceed", id="more bad than cases"),
            pytest.param(lambda: judge_segments([(0, 1)], 1.0), "limit", id="limit of everything"),
        ],
    )
    def test_name_what_is_wrong(self, call: Any, named: str) -> None:
        with pytest.raises(ValueError, match=named):
            call()
