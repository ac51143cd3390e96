import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from evidence.sequences import (
    cases_needed,
    cases_to_pass,
    crossed,
    log_e_above,
    log_e_below,
    log_harm,
    lower_bound,
    upper_bound,
)

LIMITS = st.floats(0.001, 0.999)
CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@st.composite
def counts(draw: st.DrawFn, most: int = 5_000) -> tuple[int, int]:
    cases = draw(st.integers(0, most))
    return draw(st.integers(0, cases)), cases


def by_quadrature(bad: int, cases: int, limit: float, prior: tuple[float, float], *, below: bool) -> float:
    """The mixture from its definition, sharing nothing with the closed form."""
    low, high = (0.0, limit) if below else (limit, 1.0)

    def ratio(rate: float) -> float:
        return (rate / limit) ** bad * ((1 - rate) / (1 - limit)) ** (cases - bad) * stats.beta.pdf(rate, *prior)

    total, _ = integrate.quad(ratio, low, high, limit=500, epsabs=0.0, epsrel=1e-10)
    weight, _ = integrate.quad(stats.beta.pdf, low, high, args=prior, limit=500, epsabs=0.0, epsrel=1e-10)
    return math.log(total / weight)


class TestEvidence:
    @pytest.mark.parametrize(
        ("bad", "cases", "limit"), [(0, 10, 0.05), (3, 200, 0.05), (10, 400, 0.05), (7, 20, 0.3), (40, 900, 0.02)]
    )
    def test_agrees_with_numeric_integration_of_its_definition(self, bad: int, cases: int, limit: float) -> None:
        below = by_quadrature(bad, cases, limit, (1.0, 1 / limit), below=True)
        above = by_quadrature(bad, cases, limit, (1.0, 1 / (3 * limit)), below=False)

        assert log_e_below(bad, cases, limit) == pytest.approx(below, abs=1e-8)
        assert log_e_above(bad, cases, limit) == pytest.approx(above, abs=1e-8)

    @pytest.mark.parametrize(
        ("bad", "cases", "limit", "below", "above"),
        [
            pytest.param(0, 0, 0.05, 0.0, 0.0, id="nothing seen"),
            pytest.param(0, 100, 0.05, 3.779369437973102, None, id="clean"),
            pytest.param(5, 300, 0.05, 3.773421159464627, None, id="below the limit"),
            pytest.param(10, 2000, 0.02, 14.938206130826643, None, id="far below the limit"),
            pytest.param(5, 50, 0.05, None, 0.29886404549205237, id="above the limit"),
            pytest.param(10, 100, 0.05, None, 1.0657291951913583, id="further above the limit"),
        ],
    )
    def test_keeps_to_its_reference_values(
        self, bad: int, cases: int, limit: float, below: float | None, above: float | None
    ) -> None:
        if below is not None:
            assert log_e_below(bad, cases, limit) == pytest.approx(below, abs=1e-9)
        if above is not None:
            assert log_e_above(bad, cases, limit) == pytest.approx(above, abs=1e-9)

    @given(counts(), LIMITS)
    def test_more_bad_cases_never_help_to_pass_and_never_hide_harm(self, seen: tuple[int, int], limit: float) -> None:
        bad, cases = seen

        if bad < cases:
            assert log_e_below(bad + 1, cases, limit) <= log_e_below(bad, cases, limit) + 1e-9
            assert log_e_above(bad + 1, cases, limit) >= log_e_above(bad, cases, limit) - 1e-9

    @given(counts(), LIMITS)
    def test_a_further_good_case_never_hurts(self, seen: tuple[int, int], limit: float) -> None:
        bad, cases = seen

        assert log_e_below(bad, cases + 1, limit) >= log_e_below(bad, cases, limit) - 1e-9
        assert log_e_above(bad, cases + 1, limit) <= log_e_above(bad, cases, limit) + 1e-9

    @pytest.mark.parametrize("share", [0.0, 1e-8, 0.01, 0.049, 0.051, 0.5, 0.999, 1.0])
    @pytest.mark.parametrize("limit", [0.001, 0.05, 0.5, 0.99])
    def test_stays_finite_up_to_a_hundred_million_cases(self, share: float, limit: float) -> None:
        cases = 10**8
        bad = int(share * cases)

        assert math.isfinite(log_e_below(bad, cases, limit))
        assert math.isfinite(log_e_above(bad, cases, limit))

    def test_underflow_never_makes_a_pass(self) -> None:
        assert not crossed(log_e_below(50_000, 100_000, 0.05), 0.95)
        assert not crossed(log_e_above(50, 100_000, 0.05), 0.95)

    @given(counts(), LIMITS, st.floats(0.5, 20), st.floats(0.5, 200))
    def test_is_the_same_with_its_own_prior_named(
        self, seen: tuple[int, int], limit: float, a: float, b: float
    ) -> None:
        own_below, own_above = (1.0, 1.0 / limit), (1.0, 1.0 / (3.0 * limit))

        assert log_e_below(*seen, limit) == pytest.approx(log_e_below(*seen, limit, prior=own_below), abs=1e-8)
        assert log_e_above(*seen, limit) == pytest.approx(log_e_above(*seen, limit, prior=own_above), abs=1e-8)
        assert math.isfinite(log_e_below(*seen, limit, prior=(a, b)))

    @given(counts(), st.floats(0.001, 0.5))
    def test_is_the_same_for_one_pair_of_counts_and_for_many(self, seen: tuple[int, int], limit: float) -> None:
        if seen[1]:
            assert log_harm([seen], limit) == pytest.approx(log_e_above(*seen, limit), abs=1e-8)


class TestCrossing:
    def test_comes_exactly_at_one_over_delta(self) -> None:
        edge = -math.log1p(-0.95)

        assert crossed(edge, 0.95)
        assert not crossed(math.nextafter(edge, 0.0), 0.95)

    def test_never_comes_from_what_is_not_a_number(self) -> None:
        assert not crossed(math.nan, 0.95)


class TestBounds:
    def test_say_nothing_when_nothing_was_seen(self) -> None:
        assert (lower_bound(0, 0), upper_bound(0, 0)) == (0.0, 1.0)

    def test_are_one_sided_at_the_ends(self) -> None:
        assert lower_bound(0, 500) == 0.0
        assert upper_bound(500, 500) == 1.0
        assert upper_bound(0, 500) < 0.01
        assert lower_bound(500, 500) > 0.98

    @given(counts(), CONFIDENCES)
    def test_hold_the_observed_rate_between_them(self, seen: tuple[int, int], confidence: float) -> None:
        bad, cases = seen

        low, high = lower_bound(bad, cases, confidence), upper_bound(bad, cases, confidence)

        assert 0.0 <= low <= high <= 1.0
        if cases:
            assert low <= bad / cases <= high

    @given(counts(), LIMITS, CONFIDENCES)
    def test_lie_on_the_good_side_exactly_when_the_evidence_has_crossed(
        self, seen: tuple[int, int], limit: float, confidence: float
    ) -> None:
        bad, cases = seen
        high, low = upper_bound(bad, cases, confidence), lower_bound(bad, cases, confidence)

        if abs(high - limit) > 1e-9:
            assert (high < limit) == crossed(log_e_below(bad, cases, limit), confidence)
        if abs(low - limit) > 1e-9:
            assert (low > limit) == crossed(log_e_above(bad, cases, limit), confidence)

    @given(counts(), CONFIDENCES)
    def test_move_with_the_counts(self, seen: tuple[int, int], confidence: float) -> None:
        bad, cases = seen

        if bad < cases:
            assert upper_bound(bad + 1, cases, confidence) >= upper_bound(bad, cases, confidence)
            assert lower_bound(bad + 1, cases, confidence) >= lower_bound(bad, cases, confidence)

    @pytest.mark.parametrize("cases", [1, 7, 60, 5_000, 10**6, 10**8])
    @pytest.mark.parametrize("share", [0.0, 1e-3, 0.03, 0.5, 0.97, 1.0])
    @pytest.mark.parametrize("confidence", [0.8, 0.95, 0.9999])
    def test_are_where_the_evidence_reaches_its_edge(self, cases: int, share: float, confidence: float) -> None:
        bad, edge = int(cases * share), -math.log1p(-confidence)
        high, low = upper_bound(bad, cases, confidence), lower_bound(bad, cases, confidence)

        if high < 1.0:
            assert log_e_below(bad, cases, high) == pytest.approx(edge, abs=1e-5)
        if low > 0.0:
            assert log_e_above(bad, cases, low) == pytest.approx(edge, abs=1e-5)

    @pytest.mark.parametrize(
        ("bad", "cases"), [(1, 2), (1, 60), (2, 3), (10**8 - 1, 10**8), (1, 10**9), (10**9, 10**9)]
    )
    def test_hold_where_a_quick_search_finds_nothing(self, bad: int, cases: int) -> None:
        high, low = upper_bound(bad, cases), lower_bound(bad, cases)

        assert 0.0 <= low <= bad / cases <= high <= 1.0
        assert high == 1.0 or not crossed(log_e_below(bad, cases, high * (1 - 1e-6)), 0.95)
        assert low == 0.0 or not crossed(log_e_above(bad, cases, low + (1 - low) * 1e-6), 0.95)

    def test_keep_to_a_reference_value(self) -> None:
        assert upper_bound(0, 10) == pytest.approx(0.33823459737, abs=1e-9)
        assert by_quadrature(0, 10, 0.33823459737, (1.0, 1 / 0.33823459737), below=True) == pytest.approx(
            math.log(20), abs=1e-7
        )


class TestLooking:
    def test_at_every_case_passes_an_agent_at_the_limit_in_at_most_delta_of_all_runs(self) -> None:
        limit, runs, cases = 0.05, 600, 500
        fewest_for = [bad + cases_needed(bad, bad, limit) for bad in range(40)]

        streams = np.random.default_rng(20260101).random((runs, cases)) < limit
        bad = streams.cumsum(axis=1)
        needed = np.array(fewest_for)[bad.clip(max=39)]
        passed = (np.arange(1, cases + 1) >= needed).any(axis=1)

        assert bad.max() < 40 + 20
        assert passed.mean() <= 0.05

    def test_at_every_case_stops_an_agent_at_the_limit_in_at_most_delta_of_all_runs(self) -> None:
        limit, runs, cases = 0.05, 600, 500
        edge = -math.log1p(-0.95)
        most = np.array(
            [[log_e_above(k, n, limit) if k <= n else math.inf for k in range(60)] for n in range(cases + 1)]
        )

        streams = np.random.default_rng(20260108).random((runs, cases)) < limit
        stopped = (most[np.arange(1, cases + 1), streams.cumsum(axis=1)] >= edge).any(axis=1)

        assert streams.sum(axis=1).max() < 60
        assert stopped.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    def test_at_every_day_raises_no_false_alarm_sooner_than_promised(self) -> None:
        """By Markov P(alarm within t) <= t/A; checked at A = 100, t = 30, on streams at the tolerated rate."""
        rng = np.random.default_rng(20260102)
        alarms = 0
        for _ in range(150):
            days = [(int(bad), 20) for bad in rng.binomial(20, 0.05, size=30)]
            alarms += any(log_harm(days[: day + 1], 0.05) >= math.log(100) for day in range(30))

        assert alarms / 150 <= 0.3


class TestHarm:
    def test_is_the_sum_over_every_day_on_which_it_may_have_begun(self) -> None:
        days = [(0, 30), (1, 40), (6, 35)]

        by_hand = sum(math.exp(log_e_above(b, c, 0.05)) for b, c in [(6, 35), (7, 75), (7, 105)])

        assert log_harm(days, 0.05) == pytest.approx(math.log(by_hand))

    def test_passes_over_days_without_cases(self) -> None:
        assert log_harm([(0, 0), (3, 40), (0, 0), (5, 40)] + [(0, 0)] * 5_000, 0.05) == log_harm(
            [(3, 40), (5, 40)], 0.05
        )
        assert log_harm([(0, 0)] * 90, 0.05) == -math.inf
        assert log_harm([], 0.05) == -math.inf

    def test_is_seen_soon_although_the_past_was_good(self) -> None:
        calm = [(2, 100)] * 200
        spoilt = [*calm, *[(15, 100)] * 4]

        assert log_harm(calm, 0.05) < math.log(20)
        assert log_harm(spoilt, 0.05) > math.log(1_000_000)
        assert log_e_above(2 * 200 + 60, 20_400, 0.05) < 0

    @given(st.lists(counts(200), min_size=1, max_size=20), LIMITS, st.data())
    def test_never_shrinks_when_one_more_case_turns_out_bad(
        self, days: list[tuple[int, int]], limit: float, data: st.DataObject
    ) -> None:
        day = data.draw(st.integers(0, len(days) - 1))
        bad, cases = days[day]
        worse = [*days[:day], (min(bad + 1, cases), cases), *days[day + 1 :]]

        assert log_harm(worse, limit) >= log_harm(days, limit) - 1e-9

    def test_names_the_day_that_cannot_be(self) -> None:
        with pytest.raises(ValueError, match=r"days\[1\]\.bad must not exceed cases"):
            log_harm([(1, 2), (3, 2)], 0.05)


class TestPlanning:
    @pytest.mark.parametrize(("limit", "cases"), [(0.1, 40), (0.05, 82), (0.02, 208), (0.01, 417)])
    def test_knows_how_many_clean_cases_pass(self, limit: float, cases: int) -> None:
        assert cases_to_pass(limit, 0.95) == cases
        assert cases_needed(0, 0, limit) == cases

    @given(counts(500), st.floats(0.01, 0.9), CONFIDENCES)
    def test_the_cases_needed_pass_and_one_fewer_does_not(
        self, seen: tuple[int, int], limit: float, confidence: float
    ) -> None:
        bad, cases = seen

        more = cases_needed(bad, cases, limit, confidence)

        assert crossed(log_e_below(bad, cases + more, limit), confidence)
        assert more == 0 or not crossed(log_e_below(bad, cases + more - 1, limit), confidence)

    @given(st.integers(2, 60), st.data())
    def test_the_cases_to_pass_at_a_rate_are_the_first_that_do(self, percent: int, data: st.DataObject) -> None:
        limit = percent / 100
        rate = data.draw(st.integers(0, int(percent * 7))) / 1000
        exact = Fraction(repr(rate))

        found = cases_to_pass(limit, 0.95, rate)

        first = next(n for n in range(10_000) if crossed(log_e_below(int(exact * n), n, limit), 0.95))
        assert found == first

    @pytest.mark.parametrize("rate", [0.05, 0.06, 1.0])
    def test_an_agent_that_is_not_better_than_the_limit_never_passes(self, rate: float) -> None:
        assert cases_to_pass(0.05, 0.95, rate) is None

    def test_says_none_rather_than_more_cases_than_anybody_has(self) -> None:
        assert cases_to_pass(0.05, 0.95, 0.0499999) is None

    def test_counts_in_the_decimals_that_the_owner_wrote(self) -> None:
        cases = cases_to_pass(0.5, 0.95, 0.29)

        assert cases is not None
        assert crossed(log_e_below(int(Fraction(29, 100) * cases), cases, 0.5), 0.95)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            pytest.param((1, 10, 0.0), "limit", id="limit of nothing"),
            pytest.param((1, 10, 1.0), "limit", id="limit of everything"),
            pytest.param((1, 10, math.nan), "limit", id="limit that is no number"),
            pytest.param((-1, 10, 0.05), "bad", id="negative bad"),
            pytest.param((0, -1, 0.05), "cases", id="negative cases"),
            pytest.param((1.0, 10, 0.05), "bad", id="bad in floats"),
            pytest.param((1, 10.0, 0.05), "cases", id="cases in floats"),
            pytest.param((True, 10, 0.05), "bad", id="bad as truth value"),
            pytest.param((11, 10, 0.05), "bad must not exceed cases", id="more bad than cases"),
        ],
    )
    @pytest.mark.parametrize("function", [log_e_below, log_e_above, cases_needed])
    def test_name_the_argument(self, function: Any, arguments: tuple[Any, ...], named: str) -> None:
        with pytest.raises(ValueError, match=named):
            function(*arguments)

    @pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
    def test_name_the_confidence(self, confidence: float) -> None:
        for call in (
            lambda: crossed(3.0, confidence),
            lambda: upper_bound(1, 2, confidence),
            lambda: lower_bound(1, 2, confidence),
            lambda: cases_to_pass(0.05, confidence),
        ):
            with pytest.raises(ValueError, match="confidence"):
                call()

    @pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
    def test_name_the_rate(self, rate: float) -> None:
        with pytest.raises(ValueError, match="rate"):
            cases_to_pass(0.05, 0.95, rate)

    def test_counts_may_come_from_numpy(self) -> None:
        assert log_e_below(np.int64(0), np.int64(100), 0.05) == log_e_below(0, 100, 0.05)


@pytest.mark.parametrize("cases", [10**6, 10**8])
@pytest.mark.parametrize("confidence", [1e-6, 0.5, 0.95, 1.0 - 1e-12])
def test_all_but_one_of_very_many_bad_leave_everything_up_to_one_possible(cases: int, confidence: float) -> None:
    bound = upper_bound(cases - 1, cases, confidence)

    assert (cases - 1) / cases < bound <= 1.0


@pytest.mark.parametrize("prior", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf), (1.0,), 1.0, ("a", "b")])
def test_a_prior_that_is_none_is_refused_and_never_a_silent_nan(prior: Any) -> None:
    for evidence in (log_e_below, log_e_above):
        with pytest.raises(ValueError, match="prior must be two finite numbers above 0"):
            evidence(3, 100, 0.05, prior=prior)
