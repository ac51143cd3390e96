import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.noninferiority import Comparison, compare, difference


class TestDifference:
    @pytest.mark.parametrize(
        ("agent", "people", "expected"),
        [
            pytest.param("a", ["a", "a", "a"], 0.0, id="all agree"),
            pytest.param("b", ["a", "a", "a"], -1.0, id="agent alone"),
            pytest.param("a", ["a", "b"], 0.5, id="agent with one of two who differ"),
            pytest.param("a", ["a", "a", "b"], 2 / 3 - 1 / 3, id="agent with the majority"),
            pytest.param("b", ["a", "a", "b"], 1 / 3 - 1 / 3, id="agent with the minority"),
            pytest.param("c", ["a", "b"], 0.0, id="nobody agrees"),
        ],
    )
    def test_is_agreement_with_a_person_minus_that_of_another_person(
        self, agent: str, people: list[str], expected: float
    ) -> None:
        assert difference(agent, people) == pytest.approx(expected)

    @given(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=2, max_size=6), st.randoms(use_true_random=False))
    def test_does_not_depend_on_who_is_who(self, agent: int, people: list[int], shuffled: Any) -> None:
        mixed = list(people)
        shuffled.shuffle(mixed)

        assert difference(agent, mixed) == pytest.approx(difference(agent, people))
        assert -1.0 <= difference(agent, people) <= 1.0

    def test_scores_answers_as_it_is_told(self) -> None:
        near = difference(3.0, [3.5, 4.0], lambda one, other: max(0.0, 1 - abs(one - other)))

        assert near == pytest.approx((0.5 + 0.0) / 2 - 0.5)

    @pytest.mark.parametrize("people", [[], ["a"]])
    def test_needs_two_people(self, people: list[str]) -> None:
        with pytest.raises(ValueError, match="people must be at least 2"):
            difference("a", people)

    @pytest.mark.parametrize("score", [1.5, -0.1, math.nan])
    def test_refuses_a_score_that_is_none(self, score: float) -> None:
        with pytest.raises(ValueError, match="the score that agree gives must lie between 0 and 1"):
            difference("a", ["a", "b"], lambda _one, _other: score)


class TestComparing:
    def test_without_items_is_no_evidence(self) -> None:
        for days in ([], [[]], [[], []]):
            shown = compare(days, 0.05)

            assert shown.comparison is Comparison.NO_EVIDENCE
            assert (shown.items, shown.mean, shown.lower, shown.upper) == (0, None, -1.0, 1.0)

    def test_shows_an_agent_that_agrees_like_people_to_be_no_worse(self) -> None:
        assert compare([[0.0] * 100] * 4, 0.05).comparison is Comparison.NOT_WORSE

    def test_shows_an_agent_that_agrees_with_nobody_to_be_worse(self) -> None:
        shown = compare([[-1.0] * 30], 0.05)

        assert shown.comparison is Comparison.WORSE
        assert shown.mean == pytest.approx(-1.0)

    def test_does_not_know_after_a_few_items(self) -> None:
        assert compare([[0.0, 0.5, -0.5]], 0.05).comparison is Comparison.NOT_SHOWN

    def test_does_not_speak_for_an_agent_that_has_changed_on_the_way(self) -> None:
        shown = compare([[-0.6] * 10_000, [-1.0] * 100_000], 0.05)

        assert shown.lower > shown.upper
        assert shown.comparison is Comparison.NOT_SHOWN

    def test_shows_an_agent_at_the_margin_to_be_no_worse_in_at_most_delta_of_all_runs(self) -> None:
        rng = np.random.default_rng(20260107)
        runs, levels = 60, np.array([-1.0, -1 / 3, 0.0, 1 / 3])
        shares = np.array([0.03, 0.13, 0.7, 0.14])
        margin = -float(levels @ shares / shares.sum())

        passed = 0
        for _ in range(runs):
            days = [[float(value) for value in day] for day in rng.choice(levels, size=(20, 50), p=shares)]
            looks = (compare(days[:look], margin).comparison for look in range(5, 21, 5))
            passed += Comparison.NOT_WORSE in looks

        assert passed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    @pytest.mark.parametrize("margin", [0.0, 1.0, -0.05, math.nan])
    def test_refuses_a_margin_that_is_none(self, margin: float) -> None:
        with pytest.raises(ValueError, match="margin"):
            compare([[0.0]], margin)

    @pytest.mark.parametrize("value", [1.1, -1.1, math.nan])
    def test_names_the_item_that_cannot_be(self, value: float) -> None:
        with pytest.raises(ValueError, match=r"days\[0\]\[1\] must lie between -1 and 1"):
            compare([[0.0, value]], 0.05)
