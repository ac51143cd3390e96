"""Thresholds at declared looks while labels keep coming in."""

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.thresholds import (
    Schedule,
    Standing,
    State,
    begin,
    boundaries,
    calibrate,
    counts_on,
    group,
    group_counts,
    look,
    standing,
    start_on,
)

GRID = (0.9, 0.8, 0.7)
CLEAN = [(100, 0), (150, 0), (200, 0)]
"""Counts at 200 labels with which every point crosses."""


def declared(**how: Any) -> Schedule:
    return Schedule(**{"start": 0, "looks": (200, 400, 600), "grid": GRID, **how})


def looked(schedule: Schedule, *looks: tuple[int, list[tuple[int, int]]]) -> tuple[State, Standing]:
    state = begin(schedule)
    for labels, counts in looks:
        state, found = look(schedule, state, labels, counts)
    return state, found


class TestDeclaration:
    @pytest.mark.parametrize(
        ("how", "said"),
        [
            pytest.param({"risk": math.nan}, "risk", id="no limit"),
            pytest.param({"delta": 0.0}, "delta", id="no doubt"),
            pytest.param({"grid": ()}, "descending", id="an empty grid"),
            pytest.param({"grid": (0.8, 0.9)}, "descending", id="a grid upside down"),
            pytest.param({"grid": (0.8, 0.8)}, "descending", id="a point twice"),
            pytest.param({"grid": (1.2, 0.8)}, r"grid\[0\]", id="no confidence"),
            pytest.param({"start": 3}, "start", id="a start outside of the grid"),
            pytest.param({"looks": ()}, "looks", id="no look at all"),
            pytest.param({"looks": (200, 200)}, r"looks\[1\]", id="a look twice"),
            pytest.param({"looks": (200, 300), "go_live": 200}, r"looks\[0\]", id="a look before go-live is over"),
            pytest.param({"looks": None, "go_live": 200}, "horizon", id="go-live without a horizon"),
            pytest.param({"looks": None, "every": 0}, "every", id="looks at every no labels"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, how: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            declared(**how)

    def test_all_is_spent_at_the_horizon_and_nothing_before_go_live_is_over(self) -> None:
        schedule = declared(looks=(400, 1000), go_live=300)

        assert schedule.spent(300) == 0.0
        assert schedule.spent(1000) == schedule.spent(2000) == 1.0
        assert schedule.spent(400) == pytest.approx(math.log1p(100 / 200) / math.log1p(700 / 200))

    def test_without_a_horizon_there_is_always_something_left(self) -> None:
        schedule = declared(looks=None)
        shares = [schedule.spent(labels) for labels in (0, 100, 300, 10_000, 10**9)]

        assert shares[:2] == pytest.approx([0.0, 1 - 1 / 1.5**2])
        assert all(before < after < 1.0 for before, after in pairwise(shares))
        assert (schedule.horizon, schedule.next_look(3050)) == (None, 3100)

    def test_the_walk_starts_where_about_three_in_ten_are_accepted(self) -> None:
        assert start_on((0.9, 0.84, 0.7, 0.6), np.linspace(0.5, 1.0, 200)) == 1
        assert start_on((0.9, 0.5), [0.7, 0.7]) == 0
        with pytest.raises(ValueError, match="empty"):
            start_on(GRID, [])

    def test_the_calibration_of_go_live_is_the_declared_one(self) -> None:
        schedule = declared(looks=(400, 600), go_live=300)
        other = calibrate(group([0.9] * 200, [0] * 200), delta=0.02)
        other_risk = calibrate(group([0.9] * 300, [0] * 300), risk=0.1, delta=0.02)

        with pytest.raises(ValueError, match="not at all"):
            begin(schedule)
        with pytest.raises(ValueError, match="with 200 labels"):
            begin(schedule, other)
        with pytest.raises(ValueError, match="go_live=None"):
            begin(declared(), other)
        with pytest.raises(ValueError, match=r"risk of 0\.1"):
            begin(schedule, other_risk)


class TestRefusedLooks:
    @pytest.mark.parametrize(
        ("labels", "said"),
        [(300, "no look at 300 .* next is at 400"), (200, "lies behind"), (100, "lies behind"), (601, "frozen")],
    )
    def test_only_a_declared_look_is_taken(self, labels: int, said: str) -> None:
        schedule = declared()
        state, _ = looked(schedule, (200, CLEAN))

        with pytest.raises(ValueError, match=said):
            look(schedule, state, labels, CLEAN)

    def test_without_a_horizon_looks_come_at_every_so_many(self) -> None:
        schedule = declared(looks=None, every=100)

        with pytest.raises(ValueError, match="next is at 100"):
            look(schedule, begin(schedule), 150, CLEAN)
        assert looked(schedule, (200, CLEAN))[1].next_look == 300

    def test_the_horizon_freezes_the_threshold(self) -> None:
        schedule = declared()
        state, found = looked(schedule, (200, CLEAN), (600, [(100, 0), (150, 0), (600, 300)]))

        assert (found.threshold, found.next_look, found.spent) == (0.7, None, 1.0)
        assert "frozen" in found.explanation
        with pytest.raises(ValueError, match="frozen"):
            look(schedule, state, 800, [(100, 0), (150, 0), (800, 300)])

    @pytest.mark.parametrize(
        ("counts", "said"),
        [
            pytest.param([(60, 0), (120, 0)], "3 grid points", id="a point is missing"),
            pytest.param([(60, 0), (120, 0), (150, 0)], r"counts\[2\] .* last look", id="cases are gone"),
            pytest.param([(60, 0), (120, 0), (250, 0)], r"counts\[2\] .* last look", id="an error is gone"),
            pytest.param([(60, 0), (120, 0), (205, 8)], r"counts\[2\] .* last look", id="more errors than cases came"),
            pytest.param([(60, 0), (50, 0), (250, 2)], r"counts\[1\] .* above", id="fewer than above"),
            pytest.param([(80, 0), (120, 0), (401, 2)], "400 labels only", id="more than there are"),
            pytest.param([(60, 61), (120, 0), (250, 2)], "bad", id="more errors than cases"),
        ],
    )
    def test_what_a_look_has_seen_is_not_taken_back(self, counts: list[tuple[int, int]], said: str) -> None:
        schedule = declared()
        state, _ = looked(schedule, (200, [(60, 0), (120, 0), (200, 1)]))

        with pytest.raises(ValueError, match=said):
            look(schedule, state, 400, counts)


class TestWalk:
    def test_what_has_crossed_has_crossed_for_ever(self) -> None:
        state, found = looked(declared(), (200, CLEAN), (400, [(300, 200), (350, 200), (400, 200)]))

        assert found.threshold == 0.7
        assert [point.crossed_at for point in state.points] == [200, 200, 200]
        assert [point.errors for point in state.points] == [200, 200, 200]

    def test_a_point_that_has_not_crossed_shuts_off_those_below(self) -> None:
        _, found = looked(declared(), (200, [(100, 0), (150, 20), (200, 20)]), (400, [(100, 0), (150, 20), (400, 20)]))

        assert found.threshold == 0.9
        assert found.blocked_by == (0.8, 150, 20, found.blocked_by.bound if found.blocked_by else None)
        assert "0.8 and above: 20 of 150 wrong" in found.explanation

    def test_points_above_the_start_do_not_matter(self) -> None:
        _, found = looked(declared(start=1), (200, [(30, 30), (180, 30), (200, 30)]))
        _, lower = looked(declared(start=2), (200, [(3, 3), (4, 3), (200, 3)]))

        assert found.threshold is None
        assert lower.threshold == 0.7

    def test_before_200_labels_there_is_no_answer(self) -> None:
        schedule = declared(looks=(100, 200))
        state, early = looked(schedule, (100, [(80, 0), (90, 0), (100, 0)]))
        _, later = look(schedule, state, 200, [(80, 0), (90, 0), (200, 0)])

        assert (early.threshold, later.threshold) == (None, 0.7)

    def test_go_live_opens_and_the_looks_lower(self) -> None:
        schedule = declared(looks=(400, 600), go_live=300)
        triples = [(0.95, 100, 0), (0.85, 100, 2), (0.75, 100, 20)]
        answer = calibrate(group_counts(triples), delta=0.02)
        state = begin(schedule, answer)

        assert (answer.threshold, standing(schedule, state).threshold) == (0.85, 0.85)
        assert standing(schedule, state).blocked_by == (0.8, 0, 0, -1)
        state, found = look(schedule, state, 400, [(100, 0), (400, 2), (400, 2)])
        assert found.threshold == 0.7

    def test_a_grid_point_below_go_live_is_not_helped_by_those_above(self) -> None:
        schedule = declared(looks=(400,), go_live=300)
        state = begin(schedule, calibrate(group_counts([(0.95, 150, 0), (0.5, 150, 90)]), delta=0.02))

        _, found = look(schedule, state, 400, [(190, 60), (200, 60), (210, 60)])

        assert (found.threshold, found.blocked_by and found.blocked_by.confidence) == (0.95, 0.9)

    def test_a_missed_look_costs_nothing_but_time(self) -> None:
        later = (600, [(130, 0), (300, 12), (600, 12)])
        _, all_looks = looked(declared(), (200, CLEAN), (400, [(120, 0), (200, 12), (300, 12)]), later)
        _, one_look = looked(declared(), later)

        assert all_looks.threshold == 0.7
        assert one_look.spent == 1.0
        assert one_look.threshold is not None

    @pytest.mark.parametrize("go_live", [None, 100])
    def test_a_state_survives_being_stored(self, go_live: int | None) -> None:
        schedule = declared(go_live=go_live)
        answer = calibrate(group([0.95] * 100, [0] * 100), delta=0.02) if go_live else None
        counts = [(60, 0), (120, 5), (200, 11)]
        state, found = look(schedule, begin(schedule, answer), 200, counts)

        again = State.from_dict(json.loads(json.dumps(state.to_dict())))

        assert again == state
        assert standing(schedule, again) == found
        more = [(100, 1), (200, 6), (400, 20)]
        assert look(schedule, again, 400, more) == look(schedule, state, 400, more)


def test_counts_on_a_grid_are_those_a_threshold_there_would_accept() -> None:
    groups = group([0.95, 0.9, 0.85, 0.8, 0.1], [0, 1, 0, 1, 1])

    assert counts_on((0.99, 0.9, 0.8, 0.0), groups) == [(0, 0), (2, 1), (4, 2), (5, 3)]
    assert counts_on(GRID, group([], [])) == [(0, 0)] * 3


@given(
    steps=st.lists(st.tuples(st.integers(0, 25), st.floats(0.0, 0.05)), min_size=1, max_size=6),
    risk=st.sampled_from([0.05, 0.2, 0.4]),
)
@settings(max_examples=80, deadline=None)
def test_the_chance_to_cross_just_at_the_limit_keeps_within_what_may_be_spent(
    steps: list[tuple[int, float]], risk: float
) -> None:
    cases = np.cumsum([more for more, _ in steps]).tolist()
    budgets = np.cumsum([part for _, part in steps]).tolist()

    bounds = boundaries(cases, budgets, risk)

    for crossed, budget in zip(chance_to_cross(cases, bounds, risk), budgets, strict=True):
        assert crossed <= budget + 1e-12
    for place, bound in enumerate(bounds):
        if bound + 1 < risk * cases[place]:
            looser = [*bounds[:place], bound + 1]
            assert chance_to_cross(cases[: place + 1], looser, risk)[-1] > budgets[place] - 1e-12


def chance_to_cross(cases: list[int], bounds: list[int], risk: float) -> list[float]:
    """By going through every number of errors at every look, with a table instead of a convolution."""
    alive, before, crossed, found = {0: 1.0}, 0, 0.0, []
    for accepted, bound in zip(cases, bounds, strict=True):
        following: dict[int, float] = {}
        chances = stats.binom.pmf(range(accepted - before + 1), accepted - before, risk)
        for errors, chance in alive.items():
            for more, share in enumerate(chances):
                following[errors + more] = following.get(errors + more, 0.0) + chance * float(share)
        crossed += sum(chance for errors, chance in following.items() if errors <= bound)
        alive = {errors: chance for errors, chance in following.items() if errors > bound}
        before = accepted
        found.append(crossed)
    return found


@pytest.mark.parametrize("go_live", [None, 300], ids=["looks alone", "after go-live"])
def test_few_runs_are_ever_above_the_limit_when_every_rate_is_just_above_it(go_live: int | None) -> None:
    random, times, grid = np.random.default_rng(20261121), 300, (0.7, 0.5, 0.3)
    looks = tuple(labels for labels in range(200, 1601, 200) if labels > (go_live or 0))
    schedule = Schedule(start=0, looks=looks, grid=grid, delta=0.03 if go_live else 0.05, go_live=go_live)

    above = 0
    for _ in range(times):
        sure, wrong = random.random(looks[-1]), (random.random(looks[-1]) < 0.05 * 1.0002).astype(np.int64)
        answer = calibrate(group(sure[:go_live], wrong[:go_live]), delta=0.02) if go_live else None
        state = begin(schedule, answer)
        above += standing(schedule, state).threshold is not None or any_threshold(schedule, state, sure, wrong)

    assert above / times <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)


def any_threshold(schedule: Schedule, state: State, sure: np.ndarray, wrong: np.ndarray) -> bool:
    """Whether some look of one run gives a threshold."""
    for labels in schedule.looks or ():
        state, found = look(schedule, state, labels, counts_on(schedule.grid, group(sure[:labels], wrong[:labels])))
        if found.threshold is not None:
            return True
    return False
