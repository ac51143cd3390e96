from typing import Any

import numpy as np
import pytest

from evidence.signal_choice import COMBINED, Choice, _area, _automated, choose_confidence, folds_by_key
from evidence.signals import Columns, Scale, Signal, fit_signals

TWO = [Signal("first"), Signal("second")]


def labels(cases: int, weights: tuple[float, float], seed: int = 4) -> tuple[dict[str, Any], Any, Any]:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, cases))
    score = 2.0 + weights[0] * first + weights[1] * second
    return {"first": first, "second": second}, rng.random(cases) < 1 / (1 + np.exp(-score)), np.arange(cases)


def choose(columns: Columns, right: Any, times: Any, *, target: float = 0.05, **more: Any) -> Choice:
    return choose_confidence(TWO, columns, right, times, np.arange(len(right)) % 10, target=target, **more)


class TestChoice:
    def test_two_signals_that_both_know_something_are_combined(self) -> None:
        data = labels(2_000, (1.0, 1.0))

        found = choose(*data)

        assert found.combined == fit_signals(TWO, *data)
        assert found.gain is not None
        assert found.gain_low is not None
        assert found.gain > found.gain_low > 0.0
        assert "the combination is better" in found.reason

    def test_a_signal_that_knows_nothing_is_not_taken_in(self) -> None:
        taken = sum(choose(*labels(300, (1.0, 0.0), seed), target=0.1).combined is not None for seed in range(40))

        assert taken <= 5  # one in twenty at most, and four standard errors

    def test_what_is_not_taken_in_is_reported_all_the_same(self) -> None:
        found = choose(*labels(300, (1.0, 0.0)), target=0.1)

        assert found.combined is None
        assert found.best_single == "first"
        assert [score.name for score in found.scores] == ["first", "second", COMBINED]
        assert "first stays" in found.reason
        assert found.gain_low is not None
        assert found.gain_low <= 0.0

    def test_more_doubt_asks_for_more(self) -> None:
        data = labels(1_000, (1.0, 0.6))

        lows = [choose(*data, confidence=level).gain_low for level in (0.5, 0.9, 0.99)]

        assert lows == sorted(lows, reverse=True)
        assert lows[0] == pytest.approx(choose(*data).gain)

    def test_better_over_all_is_not_enough_where_it_is_worse_at_the_target(self) -> None:
        rng = np.random.default_rng(8)
        first, second = rng.normal(size=(2, 6_000))
        helps = np.where(first < 1.0, 1.5, -1.5)  # in the top of "first" the second signal points the wrong way
        right = rng.random(6_000) < 1 / (1 + np.exp(-(1.0 + 2.0 * first + helps * second)))
        data: tuple[Any, Any, Any] = {"first": first, "second": second}, right, np.arange(6_000)

        at_the_top, further_down = choose(*data, target=0.02), choose(*data, target=0.15)

        alone, _, combined = at_the_top.scores
        assert combined.area < alone.area
        assert combined.log_loss < alone.log_loss
        assert at_the_top.combined is None
        assert further_down.combined is not None

    def test_the_direction_of_a_signal_does_not_matter(self) -> None:
        columns, right, times = labels(1_000, (1.0, 1.0))

        found = choose({"first": columns["first"], "second": -columns["second"]}, right, times)

        assert found.gain == choose(columns, right, times).gain

    def test_labels_are_not_judged_by_a_fit_that_saw_them(self) -> None:
        rng = np.random.default_rng(6)
        names = [Signal(f"noise {i}") for i in range(20)]
        columns = {signal.name: rng.normal(size=250) for signal in names}
        right = rng.random(250) < 0.8

        found = choose_confidence(names, columns, right, np.arange(250), np.arange(250) % 10, target=0.1)

        coin = -np.mean(np.log(np.where(right, right.mean(), 1 - right.mean())))
        assert found.scores[-1].log_loss > coin
        assert found.combined is None


class TestNothingToChoose:
    def test_one_signal_is_not_combined(self) -> None:
        columns, right, times = labels(100, (1.0, 1.0))

        found = choose_confidence(TWO[:1], columns, right, times, times % 5, target=0.05)

        assert (found.combined, found.best_single, found.gain) == (None, "first", None)
        assert "only signal" in found.reason

    def test_too_few_labels_say_how_many_more(self) -> None:
        found = choose(*labels(20, (1.0, 1.0)))

        assert (found.combined, found.scores, found.labels_missing) == (None, (), 10)
        assert "10 more are needed" in found.reason

    def test_enough_in_all_but_not_outside_a_fold_is_too_few(self) -> None:
        columns, right, times = labels(30, (1.0, 1.0))

        found = choose_confidence(TWO, columns, right, times, times % 3, target=0.05)

        assert found.labels_missing == 15
        assert found.reason.startswith("without fold 0: 20 labels")

    def test_labels_of_one_kind_choose_nothing(self) -> None:
        columns, _, times = labels(100, (1.0, 1.0))

        assert "all 100 labels are right" in choose(columns, np.ones(100), times).reason

    def test_all_errors_in_one_fold_choose_nothing(self) -> None:
        columns, _, times = labels(100, (1.0, 1.0))
        right = times % 10 != 3

        assert choose(columns, right, times).reason.startswith("without fold 3: all 90 labels are right")

    def test_nonsense_is_named(self) -> None:
        columns, right, times = labels(100, (1.0, 1.0))
        with pytest.raises(ValueError, match="one fold for each of 100"):
            choose_confidence(TWO, columns, right, times, [0, 1], target=0.05)
        with pytest.raises(ValueError, match="whole numbers"):
            choose_confidence(TWO, columns, right, times, times / 7, target=0.05)
        with pytest.raises(ValueError, match="two or more"):
            choose_confidence(TWO, columns, right, times, times * 0, target=0.05)
        with pytest.raises(ValueError, match="no signal may be named 'combined'"):
            choose_confidence([TWO[0], Signal(COMBINED)], columns, right, times, times % 5, target=0.05)
        with pytest.raises(ValueError, match="target must lie"):
            choose(columns, right, times, target=0.0)
        with pytest.raises(ValueError, match="must be a finite number"):
            choose(columns | {"first": np.full(100, np.nan)}, right, times)
        with pytest.raises(ValueError, match="one signal or more"):
            choose_confidence([], columns, right, times, times % 5, target=0.05)


def test_gaps_that_only_one_fold_has_are_borne() -> None:
    columns, right, times = labels(200, (1.0, 1.0))
    gaps: list[float | None] = columns["second"].tolist()
    gaps[0] = gaps[10] = None  # both of fold 0

    found = choose(columns | {"second": gaps}, right, times)

    assert all(np.isfinite(score.log_loss) for score in found.scores)


class TestMeasures:
    def test_the_share_automated_is_the_mean_over_the_limits(self) -> None:
        right = np.array([True] * 19 + [False] + [True] * 40 + [False] * 40)
        chances = np.linspace(0.99, 0.01, 100)

        # limits .05 to .15, .1: 19 right and 1 wrong are 5 %; 66 with 7 wrong are 10.6 %, 69 with 10 are 14.5 %
        by_hand = [
            max(n for n in range(101) if not n or (~right[:n]).sum() <= limit * n) / 100
            for limit in 0.1 * np.linspace(0.5, 1.5, 21)
        ]

        assert _automated(chances, right, 0.1) == pytest.approx(np.mean(by_hand))

    def test_cases_of_one_confidence_are_automated_together_or_not_at_all(self) -> None:
        right = np.array([True] * 50 + [False] * 50)

        assert _automated(np.full(100, 0.9), right, 0.1) == 0.0
        assert _automated(np.full(100, 0.9), np.array([True] * 100), 0.1) == 1.0

    def test_the_area_is_the_mean_of_the_risks(self) -> None:
        right = np.array([True, False, True, False])

        found = _area(np.array([0.9, 0.8, 0.7, 0.6]), right)

        assert found == pytest.approx(np.mean([0, 1 / 2, 1 / 3, 2 / 4]))

    def test_an_order_that_says_nothing_has_the_share_of_errors_as_area(self) -> None:
        assert _area(np.full(40, 0.5), np.array([True] * 30 + [False] * 10)) == pytest.approx(0.25)


class TestFolds:
    def test_a_key_keeps_its_fold(self) -> None:
        keys = [f"customer {i}" for i in range(200)]

        found = folds_by_key(keys, 5)

        assert found.tolist()[::-1] == folds_by_key(keys[::-1], 5).tolist()
        assert folds_by_key(["customer 0"] * 3).tolist() == [folds_by_key(["customer 0"])[0]] * 3
        assert np.bincount(found).min() > 20
        assert found[:5].tolist() == [1, 0, 4, 4, 4]

    def test_one_fold_is_none(self) -> None:
        with pytest.raises(ValueError, match="count must be 2 or more"):
            folds_by_key(["a"], 1)


def test_scales_are_dealt_with_in_every_fold() -> None:
    columns, right, times = labels(1_000, (1.0, 1.0))
    both = [Signal("first", Scale.PROBABILITY), Signal("second", Scale.POSITIVE)]
    scaled = {"first": 1 / (1 + np.exp(-columns["first"])), "second": np.expm1(columns["second"] + 10)}

    plain = choose(columns, right, times)
    found = choose_confidence(both, scaled, right, times, times % 10, target=0.05)

    assert found.gain == pytest.approx(plain.gain, abs=0.01)


def test_the_best_single_signal_is_found_wherever_it_stands() -> None:
    columns, right, times = labels(300, (0.0, 1.0))

    assert choose(columns, right, times, target=0.1).best_single == "second"


def test_where_none_automates_anything_the_better_order_is_the_best_signal() -> None:
    columns, right, times = labels(500, (0.0, 1.0))

    found = choose({name: np.sign(values) for name, values in columns.items()}, right, times, target=0.001)

    assert [score.automated for score in found.scores] == [0.0, 0.0, 0.0]
    assert found.best_single == "second"


def test_a_limit_that_is_just_reached_is_held() -> None:
    # of the 21 limits from .25 to .75 ten allow the first case only, and from .5 on both
    assert _automated(np.array([0.9, 0.8]), np.array([True, False]), 0.5) == pytest.approx((10 * 0.5 + 11) / 21)
