"""What a threshold costs and saves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.thresholds import (
    Prices,
    balance,
    calibrate,
    cheapest_threshold,
    group_counts,
    probability_to_automate,
    with_costs,
)

unit = st.floats(0.0, 1.0)


class TestProbabilityToAutomate:
    def test_by_hand(self) -> None:
        # A wrong output costs 20, a review 2, and people err in one of twenty: 20 (1 - q) < 2 + 1 from q = .85 on.
        assert probability_to_automate(Prices(20.0, 2.0, 0.05)) == pytest.approx(0.85)
        assert probability_to_automate(Prices(20.0, 2.0)) == pytest.approx(0.9)

    def test_a_review_dearer_than_any_error_is_never_worth_it(self) -> None:
        assert probability_to_automate(Prices(1.0, 2.0)) == 0.0

    def test_reviews_for_nothing_by_people_who_never_err_beat_every_agent(self) -> None:
        assert probability_to_automate(Prices(1.0, 0.0)) == 1.0

    @given(error=st.floats(0.1, 1e6), review=st.floats(0.0, 1e6), human=unit, right=unit)
    def test_above_it_automating_is_cheaper_and_below_it_is_not(
        self, error: float, review: float, human: float, right: float
    ) -> None:
        automated, reviewed = (1 - right) * error, review + human * error
        wanted = probability_to_automate(Prices(error, review, human))

        if right > wanted + 1e-9:
            assert automated < reviewed
        if right < wanted - 1e-9:
            assert automated > reviewed

    @pytest.mark.parametrize(
        ("prices", "said"),
        [
            (Prices(0.0, 1.0), "error"),
            (Prices(math.inf, 1.0), "error"),
            (Prices(math.nan, 1.0), "error"),
            (Prices(1.0, -0.1), "review"),
            (Prices(1.0, math.nan), "review"),
            (Prices(1.0, 1.0, 1.1), "human_errors"),
            (Prices(1.0, 1.0, math.nan), "human_errors"),
        ],
    )
    def test_prices_that_are_none_are_refused(self, prices: Prices, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            probability_to_automate(prices)


class TestCheapestThreshold:
    def test_it_is_the_lowest_from_which_on_all_are_worth_it(self) -> None:
        prices = Prices(10.0, 1.0)  # worth it above .9

        assert cheapest_threshold([0.5, 0.6, 0.7, 0.8], [0.8, 0.9, 0.93, 0.97], prices) == 0.7
        assert cheapest_threshold([0.8, 0.5, 0.7, 0.6], [0.97, 0.95, 0.93, 0.85], prices) == 0.7
        assert cheapest_threshold([0.5, 0.6], [0.95, 0.99], prices) == 0.5

    def test_there_is_none_where_not_even_the_highest_is(self) -> None:
        assert cheapest_threshold([0.5, 0.9], [0.99, 0.5], Prices(10.0, 1.0)) is None
        assert cheapest_threshold([], [], Prices(10.0, 1.0)) is None

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="equal length"):
            cheapest_threshold([0.5], [0.5, 0.6], Prices(10.0, 1.0))
        with pytest.raises(ValueError, match=r"probabilities\[0\]"):
            cheapest_threshold([0.5], [math.nan], Prices(10.0, 1.0))


@given(guaranteed=st.none() | unit, cheapest=st.none() | unit)
def test_costs_only_ever_raise_a_guaranteed_threshold(guaranteed: float | None, cheapest: float | None) -> None:
    found = with_costs(guaranteed, cheapest)

    if guaranteed is None or cheapest is None:
        assert found is None
    else:
        assert found is not None
        assert found >= guaranteed
        assert found in {guaranteed, cheapest}


class TestBalance:
    def test_by_hand(self) -> None:
        answer = calibrate(group_counts([(0.9, 200, 4), (0.5, 200, 100)]), risk=0.05)
        assert (answer.threshold, answer.coverage) == (0.9, 0.5)

        found = balance(answer, 10_000, Prices(error=20.0, review=2.0, human_errors=0.01))

        # 5,000 run alone: 10,000 saved on reviews; 100 of them wrong where people would have made 50, 250 at most.
        assert (found.automated, found.reviewed, found.saved_on_reviews) == (5000, 5000, 10_000)
        assert (found.wrong, found.wrong_at_most) == (100, 250)
        assert found.gained == pytest.approx(10_000 - (100 - 50) * 20)
        assert found.gained_at_least == pytest.approx(10_000 - (250 - 50) * 20)

    def test_errors_may_cost_more_than_reviews_save(self) -> None:
        answer = calibrate(group_counts([(0.9, 200, 4)]))

        assert balance(answer, 1000, Prices(error=500.0, review=1.0)).gained < 0

    def test_without_a_threshold_nothing_is_saved_and_nothing_wrong(self) -> None:
        found = balance(calibrate(group_counts([(0.9, 20, 0)])), 1000, Prices(20.0, 2.0))

        assert found == (0.0, 1000.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def test_a_volume_is_a_whole_number(self) -> None:
        with pytest.raises(ValueError, match="volume"):
            balance(calibrate(group_counts([(0.9, 20, 0)])), 10.5, Prices(20.0, 2.0))  # type: ignore[arg-type]
