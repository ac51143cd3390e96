import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evidence import binomial
from evidence.alarms.drift import drift, level_of_one, week_against_week
from evidence.alarms.fleet import fleet_rate
from evidence.alarms.presets import failures, high_confidence, labelled, low_confidence

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3000), min_size=1)


def drawn(rng: np.random.Generator, shares: np.ndarray, cases: int) -> dict[str, int]:
    return {str(place): int(count) for place, count in enumerate(rng.multinomial(cases, shares))}


class TestPresets:
    def test_overrides_are_watched_from_what_is_tolerated(self) -> None:
        detector = labelled(0.03)

        assert detector.reference == 0.03
        assert detector.alternatives == pytest.approx((0.045, 0.06, 0.09, 0.15))
        assert detector.cases_between_alarms == 20_000

    def test_shares_are_watched_from_the_bound_of_the_calibration_not_its_rate(self) -> None:
        grown, shrunk = low_confidence(100, 1000), high_confidence(100, 1000)

        assert shrunk is not None
        assert grown.reference == binomial.upper_bound(100, 1000, 0.99)
        assert shrunk.reference == binomial.lower_bound(100, 1000, 0.99)
        assert max(shrunk.alternatives) < shrunk.reference < 0.1 < grown.reference < min(grown.alternatives)

    @given(st.integers(1, 3000), st.data())
    def test_every_share_but_all_can_be_watched(self, calibrated: int, data: st.DataObject) -> None:
        seen = data.draw(st.integers(0, calibrated - 1))

        for detector in (low_confidence(seen, calibrated), failures(seen, calibrated)):
            assert len(set(detector.alternatives)) == 4
            assert list(detector.alternatives) == sorted(detector.alternatives)

    def test_nothing_to_compare_with_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing to compare"):
            low_confidence(0, 0)
        with pytest.raises(ValueError, match="cannot grow"):
            failures(5, 5)

    def test_a_share_of_nothing_cannot_shrink(self) -> None:
        assert high_confidence(0, 500) is None

    def test_over_confidence_is_seen_though_no_verdict_is_in(self) -> None:
        detector = high_confidence(200, 1000)
        assert detector is not None
        state = detector.start()
        for number in range(1500):
            state = detector.update(state, bad=number % 20 == 0)

        assert detector.alarmed(state)


class TestFleet:
    def test_a_hundred_streams_have_together_the_false_alarms_of_one(self) -> None:
        fleet = fleet_rate(20_000, 100, 5_000_000)

        assert fleet.cases_between_alarms == 2_000_000
        assert fleet.per_million_cases == pytest.approx(0.5)
        assert fleet.per_year == pytest.approx(2.5)

    def test_refuses_a_fleet_of_none(self) -> None:
        with pytest.raises(ValueError, match="streams"):
            fleet_rate(20_000, 0, 100)
        with pytest.raises(ValueError, match="cases_between_alarms"):
            fleet_rate(math.nan, 1, 100)


class TestDrift:
    @given(COUNTS)
    def test_the_same_window_twice_has_no_drift(self, counts: dict[str, int]) -> None:
        found = drift(counts, counts, 0.001)

        assert not found.alarmed
        assert found.unseen == 0
        if found.stability is None:
            assert found.reason
        else:
            assert found.stability == pytest.approx(0.0, abs=1e-12)

    @given(COUNTS, COUNTS)
    def test_names_and_order_of_categories_mean_nothing(self, before: dict[str, int], now: dict[str, int]) -> None:
        def renamed(counts: dict[str, int]) -> dict[str, int]:
            return {name.swapcase() * 2: count for name, count in reversed(counts.items())}

        assert drift(renamed(before), renamed(now), 0.01) == drift(before, now, 0.01)

    @given(COUNTS, COUNTS, st.sampled_from([0.05, 0.01, 1e-5]))
    def test_alarms_exactly_when_the_p_value_reaches_the_level(
        self, before: dict[str, int], now: dict[str, int], level: float
    ) -> None:
        found = drift(before, now, level)

        if found.p_value is None:
            assert not found.alarmed
        elif not math.isclose(found.p_value, level, rel_tol=1e-9):
            assert found.alarmed == (found.p_value < level)

    @pytest.mark.parametrize(("kinds", "before", "now"), [(3, 1000, 300), (10, 1000, 1000), (60, 5000, 1000)])
    def test_without_drift_it_alarms_about_as_often_as_its_level(self, kinds: int, before: int, now: int) -> None:
        rng = np.random.default_rng(kinds)
        shares = rng.dirichlet(np.full(kinds, 2.0))
        found = [drift(drawn(rng, shares, before), drawn(rng, shares, now), 0.05) for _ in range(800)]

        rate = sum(one.alarmed for one in found) / 800
        assert 0.025 <= rate <= 0.06 + 3 * math.sqrt(0.05 * 0.95 / 800)

    def test_the_folklore_tenth_is_no_level(self) -> None:
        """0.1 is chance between small windows and plain drift between large ones: the level goes with the sizes."""
        small = drift({"a": 60, "b": 40}, {"a": 45, "b": 55}, 0.01)
        large = drift({"a": 60_000, "b": 40_000}, {"a": 57_000, "b": 43_000}, 0.01)

        assert small.stability is not None
        assert large.stability is not None
        assert small.stability > 0.09
        assert large.stability < 0.01
        assert (small.alarmed, large.alarmed) == (False, True)

    def test_a_kind_never_seen_before_is_counted_and_raises_the_alarm_when_frequent(self) -> None:
        rare = drift({"a": 600, "b": 400}, {"a": 599, "b": 400, "new": 1}, 0.001)
        frequent = drift({"a": 600, "b": 400}, {"a": 550, "b": 350, "new": 100}, 0.001)

        assert (rare.unseen, rare.alarmed) == (1, False)
        assert (frequent.unseen, frequent.alarmed) == (100, True)
        assert frequent.stability is not None
        assert math.isfinite(frequent.stability)

    def test_many_small_new_kinds_are_seen_together(self) -> None:
        now = {"a": 450, "b": 350} | {f"new{number}": 1 for number in range(200)}

        assert drift({"a": 600, "b": 400}, now, 0.001).alarmed

    @pytest.mark.parametrize(("before", "now"), [({}, {"a": 5}), ({"a": 5}, {}), ({}, {}), ({"a": 0}, {"a": 5})])
    def test_a_window_without_cases_is_compared_with_nothing(self, before: dict[str, int], now: dict[str, int]) -> None:
        found = drift(before, now, 0.01)

        assert (found.stability, found.p_value, found.alarmed) == (None, None, False)
        assert found.reason

    def test_refuses_counts_that_are_not_whole_with_their_place(self) -> None:
        with pytest.raises(ValueError, match=r"now\['a'\]"):
            drift({"a": 5}, {"a": -1}, 0.01)

    def test_the_allowed_false_alarms_are_shared_out(self) -> None:
        assert level_of_one(0.1, 520) == pytest.approx(0.1 / 520)
        for wrong in (0.0, 1.0, math.nan):
            with pytest.raises(ValueError, match="false_alarms"):
                level_of_one(wrong, 5)
        with pytest.raises(ValueError, match="comparisons"):
            level_of_one(0.1, 0)


class TestWeekAgainstWeek:
    def test_an_empty_week_never_differs(self) -> None:
        found = week_against_week((5, 100), (0, 0))

        assert (found.p_value, found.changed, tuple(found.now)) == (1.0, False, (0.0, 1.0))

    def test_sees_a_plain_rise_and_a_plain_fall(self) -> None:
        assert week_against_week((20, 1000), (60, 1000)).changed
        assert week_against_week((60, 1000), (20, 1000)).changed
        assert not week_against_week((20, 1000), (28, 1000)).changed

    def test_a_year_of_weeks_has_no_more_false_alarms_than_allowed(self) -> None:
        rng = np.random.default_rng(8)
        alarms = []
        for _ in range(25):
            weeks = rng.binomial(200, 0.05, size=53).tolist()
            pairs = itertools.pairwise(weeks)
            alarms.append(
                sum(week_against_week((a, 200), (b, 200), false_alarms_per_year=0.9).changed for a, b in pairs)
            )

        assert np.mean(alarms) <= 0.9

    @given(st.integers(0, 200), st.integers(0, 200))
    def test_agrees_with_the_sum_of_the_chances_no_larger(self, before: int, now: int) -> None:
        chances = stats.hypergeom.pmf(np.arange(201), 400, before + now, 200)
        exact = float(chances[chances <= chances[now] * (1 + 1e-9)].sum())

        assert week_against_week((before, 200), (now, 200)).p_value == pytest.approx(min(1.0, exact), rel=1e-6)
