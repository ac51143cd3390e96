import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import betting
from evidence.betting import Wealth, log_e_above, log_e_below, lower_bound, mean_loss, upper_bound

LEVELS = (0.0, 0.2, 0.5, 1.0)
LIMITS = st.floats(0.01, 0.99)
LOSSES = st.lists(st.sampled_from(LEVELS), max_size=40)
COHORTS = st.lists(st.dictionaries(st.sampled_from(LEVELS), st.integers(0, 200)), max_size=8)
FEW = settings(max_examples=30)
EDGE = -math.log1p(-0.95)
STEADY = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def by_hand(losses: list[float], limit: float) -> float:
    """The capital below a limit, written out: half on plug-in bets, the rest on steady ones."""
    cap = 0.5 / (1 - limit)
    plug_in, means, seen = 1.0, [], 0.0
    for place, loss in enumerate(losses):
        variance = (0.25 + sum((x - m) ** 2 for x, m in zip(losses[:place], means, strict=True))) / (place + 1)
        bet = math.sqrt(2 * math.log(20) / (variance * (place + 1) * math.log(place + 2)))
        plug_in *= 1 - min(bet, cap) * (loss - limit)
        seen += loss
        means.append((0.5 + seen) / (place + 2))
    steady = [math.prod(1 - part * cap * (loss - limit) for loss in losses) for part in STEADY]
    return math.log(plug_in / 2 + sum(steady) / 12)


class TestWealth:
    @given(LOSSES, st.floats(0.05, 0.9))
    def test_is_the_capital_written_out(self, losses: list[float], limit: float) -> None:
        state = Wealth(limit)
        for loss in losses:
            state = state.update(loss)

        assert state.log_e == pytest.approx(by_hand(losses, limit), abs=1e-9)
        assert state.labels == len(losses)

    @given(LOSSES, LIMITS)
    def test_equals_cohorts_of_one_label_each(self, losses: list[float], limit: float) -> None:
        below, above = Wealth(limit), Wealth(limit, below=False)
        for loss in losses:
            below, above = below.update(loss), above.update(loss)
        days = [{loss: 1} for loss in losses]

        assert below.log_e == pytest.approx(log_e_below(days, limit), abs=1e-9)
        assert above.log_e == pytest.approx(log_e_above(days, limit), abs=1e-9)

    def test_says_nothing_before_the_first_label(self) -> None:
        assert Wealth(0.05).log_e == pytest.approx(0.0, abs=1e-12)

    @pytest.mark.parametrize("loss", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
    def test_refuses_what_is_no_loss(self, loss: Any) -> None:
        with pytest.raises(ValueError, match="loss must be a number between 0 and 1"):
            Wealth(0.05).update(loss)

    @pytest.mark.parametrize("limit", [0.0, 1.0, -1.0, math.nan])
    def test_refuses_a_limit_with_nothing_to_show(self, limit: float) -> None:
        with pytest.raises(ValueError, match="limit"):
            Wealth(limit)


class TestCohorts:
    @given(COHORTS, LIMITS, st.randoms(use_true_random=False))
    @FEW
    def test_do_not_depend_on_the_order_within_them(
        self, days: list[dict[float, int]], limit: float, shuffled: Any
    ) -> None:
        mixed = []
        for day in days:
            pairs = [(loss, part) for loss, count in day.items() for part in (count // 2, count - count // 2)]
            shuffled.shuffle(pairs)
            mixed.append(pairs)

        assert log_e_below(mixed, limit) == pytest.approx(log_e_below(days, limit), abs=1e-7)
        assert upper_bound(mixed) == pytest.approx(upper_bound(days), abs=1e-7)

    @given(COHORTS, LIMITS)
    @FEW
    def test_mirror_each_other(self, days: list[dict[float, int]], limit: float) -> None:
        mirrored = [{1.0 - loss: count for loss, count in day.items()} for day in days]

        assert log_e_above(days, limit) == pytest.approx(log_e_below(mirrored, 1.0 - limit), abs=1e-9)
        assert lower_bound(days) == pytest.approx(1.0 - upper_bound(mirrored), abs=1e-9)

    @given(COHORTS, st.floats(0.02, 0.98))
    @FEW
    def test_bounds_lie_on_the_good_side_exactly_when_the_evidence_has_crossed(
        self, days: list[dict[float, int]], limit: float
    ) -> None:
        high, low = upper_bound(days), lower_bound(days)

        assert 0.0 <= low <= 1.0
        assert 0.0 <= high <= 1.0
        if abs(high - limit) > 1e-9:
            assert (high < limit) == (log_e_below(days, limit) >= EDGE)
        if abs(low - limit) > 1e-9:
            assert (low > limit) == (log_e_above(days, limit) >= EDGE)

    @given(COHORTS, st.floats(0.01, 0.5), st.floats(0.0, 0.49))
    def test_a_higher_limit_is_easier_to_keep(self, days: list[dict[float, int]], limit: float, more: float) -> None:
        assert log_e_below(days, limit + more) >= log_e_below(days, limit) - 1e-9

    @given(COHORTS.filter(bool), LIMITS, st.sampled_from(LEVELS), st.sampled_from(LEVELS))
    def test_a_worse_loss_on_the_last_day_never_helps(
        self, days: list[dict[float, int]], limit: float, one: float, other: float
    ) -> None:
        milder, worse = sorted((one, other))

        with_worse = log_e_below([*days, {worse: 1}], limit)

        assert with_worse <= log_e_below([*days, {milder: 1}], limit) + 1e-9

    def test_without_labels_are_no_evidence(self) -> None:
        for days in ([], [{}], [{0.0: 0}, []]):
            assert log_e_below(days, 0.05) == log_e_above(days, 0.05) == 0.0
            assert (lower_bound(days), upper_bound(days)) == (0.0, 1.0)
            assert mean_loss(days) is None

    def test_without_labels_between_others_change_nothing(self) -> None:
        assert log_e_below([{}, {0.0: 50}, {}, {0.2: 1}], 0.05) == log_e_below([{0.0: 50}, {0.2: 1}], 0.05)

    def test_of_no_loss_still_have_a_bound_and_of_full_loss_too(self) -> None:
        assert 0.0 < upper_bound([{0.0: 500}]) < 0.02
        assert upper_bound([{1.0: 500}]) == 1.0
        assert 0.98 < lower_bound([{1.0: 500}]) < 1.0
        assert lower_bound([{0.0: 500}]) == 0.0

    @pytest.mark.parametrize("loss", [0.0, 0.2, 1.0])
    @pytest.mark.parametrize("limit", [0.001, 0.05, 0.999])
    def test_stay_finite_up_to_a_hundred_million_labels(self, loss: float, limit: float) -> None:
        days = [{loss: 10**8}, {0.0: 10**8, 1.0: 10**6}]

        assert math.isfinite(log_e_below(days, limit))
        assert math.isfinite(log_e_above(days, limit))
        assert 0.0 <= lower_bound(days) <= 1.0
        assert 0.0 <= upper_bound(days) <= 1.0

    @given(st.dictionaries(st.sampled_from(LEVELS), st.integers(0, 2_000)))
    @FEW
    def test_hold_the_mean_of_a_single_one_between_their_bounds(self, day: dict[float, int]) -> None:
        seen = mean_loss([day])

        assert lower_bound([day]) <= upper_bound([day])
        if seen is not None:
            assert lower_bound([day]) - 1e-9 <= seen <= upper_bound([day]) + 1e-9

    def test_that_contradict_each_other_show_in_bounds_that_do(self) -> None:
        days = [{0.2: 10_000}, {0.0: 100_000}]

        assert lower_bound(days) > upper_bound(days)

    def test_a_first_day_of_many_thousands_does_not_lose_what_a_slightly_better_agent_has_shown(self) -> None:
        assert log_e_below([{0.0: 19_200, 1.0: 800}], 0.05) > EDGE

    def test_say_the_plain_mean_beside_the_bound(self) -> None:
        assert mean_loss([{0.0: 6}, {0.5: 3, 1.0: 1}]) == pytest.approx(0.25)

    @pytest.mark.parametrize(
        ("day", "named"),
        [
            pytest.param({1.5: 1}, r"days\[1\]: a loss", id="loss above one"),
            pytest.param({math.nan: 1}, r"days\[1\]: a loss", id="loss that is no number"),
            pytest.param({0.5: -1}, r"days\[1\]: a count", id="negative count"),
            pytest.param({0.5: 1.0}, r"days\[1\]: a count", id="count in floats"),
        ],
    )
    def test_name_the_day_that_cannot_be(self, day: Any, named: str) -> None:
        for function in (log_e_below, log_e_above):
            with pytest.raises(ValueError, match=named):
                function([{0.0: 1}, day], 0.05)
        with pytest.raises(ValueError, match=named):
            upper_bound([{0.0: 1}, day])

    @pytest.mark.parametrize("limit", [0.0, 1.0, math.nan])
    def test_refuse_a_limit_with_nothing_to_show(self, limit: float) -> None:
        for function in (log_e_below, log_e_above):
            with pytest.raises(ValueError, match="limit"):
                function([{0.0: 1}], limit)


class TestLooking:
    def test_every_tenth_day_passes_an_agent_at_the_limit_in_at_most_delta_of_all_runs(self) -> None:
        tried, days, limit = 60, 60, 0.05
        shares = np.array([0.1, 0.03, 0.015])
        assert float(shares @ LEVELS[1:]) == pytest.approx(limit)
        drawn = np.random.default_rng(20260103).multinomial(40, [1 - shares.sum(), *shares], size=(tried, days))

        passed = 0
        for run in drawn:
            cohorts = [list(zip(LEVELS, map(int, day), strict=True)) for day in run]
            passed += any(log_e_below(cohorts[:day], limit) >= EDGE for day in range(10, days + 1, 10))

        assert passed / tried <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / tried)

    def test_every_label_passes_an_agent_at_the_limit_in_at_most_delta_of_all_runs(self) -> None:
        """The capitals of many runs at once, by the definition and not by the code under test, which agrees with it."""
        runs, labels, limit = 3_000, 600, 0.05
        losses = (np.random.default_rng(20260104).random((runs, labels)) < limit).astype(float)
        total, spread = np.zeros(runs), np.zeros(runs)
        cap = 0.5 / (1 - limit)
        capitals = np.vstack([np.full(runs, 0.5), *[np.full(runs, 1 / 12)] * 6])
        highest = np.ones(runs)
        for label in range(labels):
            bet = np.sqrt(2 * math.log(20) / ((0.25 + spread) * math.log(label + 2)))
            bets = np.vstack([np.minimum(bet, cap), *[np.full(runs, part * cap) for part in STEADY]])
            capitals *= 1 - bets * (losses[:, label] - limit)
            total += losses[:, label]
            spread += (losses[:, label] - (0.5 + total) / (label + 2)) ** 2
            highest = np.maximum(highest, capitals.sum(axis=0))

        passed = float((highest >= 20).mean())
        one = Wealth(limit)
        for loss in losses[0]:
            one = one.update(float(loss))
        assert one.log_e == pytest.approx(math.log(capitals.sum(axis=0)[0]), abs=1e-8)
        assert passed <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
        assert capitals.sum(axis=0).mean() < 1.5  # a supermartingale: one on average, but for rare rich runs
        assert betting.log_e_below([{0.0: 200}], limit) > EDGE
