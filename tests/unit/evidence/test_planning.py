"""Forecasts of when a gate could pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.planning import NOTHING_SEEN, Forecast, GateTerms, Span, cases_until_pass, forecast
from evidence.sequences import cases_needed

TERMS = GateTerms(0.05)


def case_by_case(rate: float | None, limit: float, now: tuple[int, int], most: int) -> dict[float, int]:
    """The quantiles by stepping through every single case; `rate` None: the next is bad by Polya's urn."""
    bad, cases = now
    tolerant, at = [], cases
    while at <= cases + most:
        count = bad + len(tolerant)
        at = max(at, count) + cases_needed(count, max(at, count), limit)
        tolerant.append(at)
    state, reached, found = np.zeros(len(tolerant) + 5), 0.0, {}
    state[0] = 1.0
    for number in range(cases + 1, cases + most + 1):
        worse = (np.arange(len(state)) + bad + 0.5) / number if rate is None else np.full(len(state), rate)
        state, moved = state * (1 - worse), (state * worse)[:-1]
        state[1:] += moved
        passing = int(np.searchsorted(tolerant, number, side="right"))
        reached += state[:passing].sum()
        state[:passing] = 0.0
        for part in (0.1, 0.5, 0.9):
            if reached >= part and part not in found:
                found[part] = number - cases
    return found


def spans(found: Forecast) -> Span:
    assert found.cases is not None
    return found.cases


class TestKnownRate:
    @pytest.mark.parametrize(("limit", "rate"), [(0.05, 0.02), (0.1, 0.05), (0.02, 0.002), (0.3, 0.1)])
    def test_agrees_with_stepping_through_every_case(self, limit: float, rate: float) -> None:
        exact = case_by_case(rate, limit, (0, 0), 1_200)

        assert spans(cases_until_pass(rate, GateTerms(limit))) == (exact[0.1], exact[0.5], exact[0.9])

    def test_an_agent_without_a_fault_passes_at_one_moment(self) -> None:
        assert spans(cases_until_pass(0.0, TERMS)) == (82, 82, 82)

    @pytest.mark.parametrize("rate", [0.06, 0.3, 0.99])
    def test_an_agent_above_the_limit_passes_seldom_and_gets_no_number(self, rate: float) -> None:
        found = cases_until_pass(rate, TERMS)

        assert found.chance <= 0.05
        assert spans(found) == (None, None, None)

    def test_at_the_limit_the_chance_ever_to_pass_is_what_the_gate_allows(self) -> None:
        assert 0.01 < cases_until_pass(0.05, TERMS).chance <= 0.05

    def test_never_passes_before_the_minimum_of_cases(self) -> None:
        assert spans(cases_until_pass(0.001, GateTerms(0.05, minimum_cases=400))) == (400, 400, 400)

    @given(st.floats(0.001, 0.045), st.floats(0.0, 0.045))
    @settings(max_examples=15)
    def test_a_better_agent_does_not_take_longer(self, rate: float, other: float) -> None:
        better, worse = (spans(cases_until_pass(each, TERMS)) for each in sorted((rate, other)))

        assert better.median is not None
        assert worse.median is None or better.median <= worse.median * 1.001

    @pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
    def test_refuses_a_rate_that_is_none(self, rate: float) -> None:
        with pytest.raises(ValueError, match="rate"):
            cases_until_pass(rate, TERMS)


class TestLearntRate:
    @pytest.mark.parametrize("now", [(0, 10), (1, 60), (2, 100)])
    def test_agrees_with_stepping_through_every_case(self, now: tuple[int, int]) -> None:
        exact, found = case_by_case(None, 0.05, now, 1_500), spans(forecast(*now, TERMS))

        assert (found.early, found.median) == (exact[0.1], exact[0.5])

    def test_is_near_the_exact_answer_where_looks_are_left_out(self) -> None:
        exact = case_by_case(None, 0.05, (4, 100), 6_000)

        assert spans(forecast(4, 100, TERMS)).median == pytest.approx(exact[0.5], rel=0.04)

    def test_says_nothing_when_nothing_was_seen(self) -> None:
        assert forecast(0, 0, TERMS, per_day=50.0) == Forecast(None, None, 0.0, 0, NOTHING_SEEN)

    def test_is_over_when_the_gate_passes_already(self) -> None:
        found = forecast(5, 300, TERMS, per_day=50.0)

        assert (found.cases, found.days, found.chance) == ((0, 0, 0), (0, 0, 0), 1.0)

    def test_doubt_about_the_rate_widens_the_span(self) -> None:
        little, much = forecast(1, 50, TERMS), forecast(2, 50, TERMS)

        assert little.chance > much.chance
        assert spans(little).late is None
        assert spans(cases_until_pass(0.02, TERMS)).late is not None

    def test_a_rate_far_above_the_limit_is_given_no_number(self) -> None:
        found = forecast(60, 300, TERMS, per_day=50.0)

        assert found.chance < 1e-6
        assert found.cases == found.days == (None, None, None)

    @given(st.integers(0, 30), st.integers(0, 3_000))
    @settings(max_examples=20, deadline=None)
    def test_chance_and_order_hold_for_any_counts(self, bad: int, good: int) -> None:
        found = forecast(bad, bad + good, TERMS, per_day=40.0, days_so_far=3.0)

        assert 0.0 <= found.chance <= 1.0
        if found.cases is not None and found.days is not None:
            for span in (found.cases, found.days):
                known = [number for number in span if number is not None]
                assert known == sorted(known)
                assert list(span[: len(known)]) == known
            assert (found.cases.late is None) is (found.chance < 0.9)

    def test_refuses_more_bad_than_cases(self) -> None:
        with pytest.raises(ValueError, match="must not exceed"):
            forecast(3, 2, TERMS)


class TestCalendar:
    def test_days_are_cases_at_the_volume(self) -> None:
        found = forecast(2, 100, TERMS, per_day=25.0, days_so_far=30.0)

        assert found.days is not None
        assert found.days.median == -(-(spans(found).median or 0) // 25)

    def test_a_young_phase_waits_until_its_first_cases_settle(self) -> None:
        terms = GateTerms(0.05, settle_days=14.0)
        young = forecast(2, 100, terms, per_day=25.0, days_so_far=4.0).days
        old = forecast(2, 100, terms, per_day=25.0, days_so_far=20.0).days

        assert young is not None
        assert old is not None
        assert [one - other for one, other in zip(young[:2], old[:2], strict=True) if one and other] == [10, 10]

    def test_never_passes_before_the_minimum_of_days(self) -> None:
        found = forecast(0, 200, GateTerms(0.05, minimum_days=7.0), per_day=5.0, days_so_far=2.0)

        assert found.days is not None
        assert found.days.early == 5
        assert spans(found).early == 25

    def test_without_volume_a_gate_that_lacks_cases_has_no_day(self) -> None:
        found = forecast(0, 50, TERMS, per_day=0.0)

        assert spans(found).median is not None
        assert found.days == (None, None, None)
        assert forecast(0, 50, TERMS).days is None

    def test_ten_million_cases_before_the_first_look_are_one_step(self) -> None:
        terms = GateTerms(0.05, minimum_days=10.0)

        found = forecast(4, 100, terms, per_day=1e6)

        assert spans(found).early == 10_000_000
        assert found.days is not None
        assert found.days.early == 10
        assert found.chance == pytest.approx(0.65, abs=0.01)  # of Beta(4.5, 96.5) below 5 %
        assert spans(cases_until_pass(0.02, GateTerms(0.05, minimum_cases=10_000_000))).late == 10_000_000

    @pytest.mark.parametrize(
        "terms",
        [
            {"limit": 0.0},
            {"limit": 1.0},
            {"limit": 0.05, "confidence": 1.0},
            {"limit": 0.05, "minimum_cases": -1},
            {"limit": 0.05, "minimum_days": float("nan")},
            {"limit": 0.05, "settle_days": -1.0},
        ],
    )
    def test_terms_that_are_none_are_refused(self, terms: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="must"):
            GateTerms(**terms)  # type: ignore[arg-type]
