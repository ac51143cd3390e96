import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from evidence.shares import Health, check_split, judge_mismatch, judge_repeats, log_e_mismatch, mismatch_p_value


class TestMismatch:
    @given(
        st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.01, 1.0)), min_size=2, max_size=6), st.floats(0.1, 50)
    )
    def test_knows_only_proportions_of_weights(self, arms: list[tuple[int, float]], times: float) -> None:
        counts, weights = zip(*arms, strict=True)

        scaled = mismatch_p_value(counts, [weight * times for weight in weights])

        assert scaled == pytest.approx(mismatch_p_value(counts, weights), rel=1e-6, abs=1e-300)

    @given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.01, 1.0)), min_size=2, max_size=6))
    def test_does_not_mind_arms_that_are_switched_off(self, arms: list[tuple[int, float]]) -> None:
        counts, weights = zip(*arms, strict=True)

        assert mismatch_p_value([7, *counts], [0.0, *weights]) == mismatch_p_value(counts, weights)

    @pytest.mark.parametrize("weights", [[0.5], [0.0, 0.0], [math.nan, 1.0], [-0.1, 1.1], [math.inf, 1.0]])
    def test_refuses_weights_that_are_none(self, weights: list[float]) -> None:
        with pytest.raises(ValueError, match="weights"):
            mismatch_p_value([10, 10], weights)

    def test_refuses_counts_that_are_not_whole(self) -> None:
        with pytest.raises(ValueError, match=r"counts\[1\]"):
            mismatch_p_value([10, -1], [0.5, 0.5])


class TestAnytimeMismatch:
    def test_agrees_with_integration_over_the_beta_mixture(self) -> None:
        def ratio(share: float) -> float:
            return (share / 0.3) ** 12 * ((1 - share) / 0.7) ** 10 * stats.beta.pdf(share, 30, 70)

        assert log_e_mismatch([12, 10], [0.3, 0.7]) == pytest.approx(math.log(integrate.quad(ratio, 0, 1)[0]))

    def test_knows_nothing_before_the_first_case(self) -> None:
        assert log_e_mismatch([0, 0], [0.05, 0.95]) == pytest.approx(0.0)

    def test_stays_finite_up_to_a_hundred_million_cases(self) -> None:
        assert log_e_mismatch([5 * 10**6, 95 * 10**6], [0.05, 0.95]) < 0
        assert 1e4 < log_e_mismatch([6 * 10**6, 94 * 10**6], [0.05, 0.95]) < math.inf

    def test_a_case_where_none_can_be_is_proof(self) -> None:
        assert log_e_mismatch([100, 1], [1.0, 0.0]) == math.inf

    def test_watching_all_the_time_cries_wolf_no_more_often_than_it_says(self) -> None:
        rng = np.random.default_rng(2)
        alarms = 0
        for _ in range(300):
            drawn = np.cumsum(rng.random(1500) < 0.05)
            looks = [
                log_e_mismatch([int(drawn[n - 1]), n - int(drawn[n - 1])], [0.05, 0.95]) for n in range(20, 1501, 20)
            ]
            alarms += max(looks) >= math.log(20)

        assert alarms / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


class TestHealth:
    def test_no_traffic_is_never_healthy(self) -> None:
        assert judge_mismatch(1.0, 0, 0) is Health.NOT_ENOUGH_TRAFFIC
        assert judge_repeats(0, 0, least_cases=0) is Health.NOT_ENOUGH_TRAFFIC
        assert check_split([0, 0], [0.5, 0.5]).health is Health.NOT_ENOUGH_TRAFFIC

    def test_one_case_in_an_arm_without_weight_is_one_too_many(self) -> None:
        found = check_split([1000, 1], [1.0, 0.0])

        assert (found.health, found.strays, found.p_value) == (Health.UNHEALTHY, 1, 1.0)

    def test_audits_that_come_short_are_seen(self) -> None:
        assert check_split([500, 9500], [0.05, 0.95]).health is Health.HEALTHY
        assert check_split([400, 9600], [0.05, 0.95]).health is Health.UNHEALTHY

    def test_refuses_a_p_value_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="p_value"):
            judge_mismatch(math.nan, 100, 2)
        with pytest.raises(ValueError, match="repeated"):
            judge_repeats(11, 10)


def test_a_small_arm_is_not_judged_before_it_could_have_a_few_cases() -> None:
    weights = [0.01, 0.99]

    assert check_split([3, 97], weights).health is Health.NOT_ENOUGH_TRAFFIC
    assert check_split([25, 475], weights).health is Health.UNHEALTHY
    assert check_split([5, 495], weights).health is Health.HEALTHY


@pytest.mark.parametrize(("share", "cases"), [(0.5, 16), (0.1, 50), (0.05, 100), (0.01, 500), (0.01, 2_000)])
def test_a_split_as_configured_is_rarely_called_unhealthy(share: float, cases: int) -> None:
    weights = [share, 1.0 - share]

    unhealthy = sum(
        stats.binom.pmf(few, cases, share)
        for few in range(cases + 1)
        if check_split([few, cases - few], weights).health is Health.UNHEALTHY
    )

    assert unhealthy < 0.004  # four times the threshold at most, for the smallest arms; by exact enumeration
