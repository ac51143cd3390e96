"""Reviewers for a promised time to answer."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.staffing import (
    HOURS_OF_A_WEEK,
    erlang_b,
    erlang_c,
    review_arrivals,
    reviewers_needed,
    square_root_staffing,
    week,
)

NAN = float("nan")


def by_recursion(load: float, servers: int) -> float:
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked


class TestErlang:
    @given(st.floats(0.01, 400.0), st.integers(0, 500))
    def test_b_agrees_with_its_recursion(self, load: float, servers: int) -> None:
        assert erlang_b(load, servers) == pytest.approx(by_recursion(load, servers), rel=1e-9, abs=1e-300)

    def test_b_of_very_many_servers_neither_overflows_nor_loses_its_digits(self) -> None:
        assert erlang_b(1e6, 1_000_000) == pytest.approx(math.sqrt(2 / (math.pi * 1e6)), rel=1e-2)
        assert erlang_b(1e8, 10) == pytest.approx(1 - 10 / 1e8, rel=1e-9)
        busy = 1e6 * erlang_b(1e6, 1_000_000)  # one step of the recursion leads across the two ways to compute it
        assert erlang_b(1e6, 1_000_001) == pytest.approx(busy / (1_000_001 + busy), rel=1e-8)

    def test_without_arrivals_nobody_waits(self) -> None:
        assert erlang_b(0.0, 3) == 0.0
        assert erlang_b(0.0, 0) == 1.0
        assert erlang_c(0.0, 4.0, 0).waits_beyond(0.0) == 0.0

    @pytest.mark.parametrize("servers", [0, 4, 5])
    def test_reviewers_who_cannot_keep_up_are_unstable_and_have_no_mean_wait(self, servers: int) -> None:
        queue = erlang_c(10.0, 2.0, servers)

        assert (queue.stable, queue.waits, queue.mean_wait) == (False, 1.0, None)
        assert queue.waits_beyond(1_000.0) == 1.0

    def test_a_single_reviewer_is_busy_as_often_as_a_case_waits(self) -> None:
        queue = erlang_c(3.0, 4.0, 1)

        assert queue.waits == pytest.approx(0.75)
        assert queue.mean_wait == pytest.approx(0.75 / (4 - 3))

    @given(st.floats(0.1, 500.0), st.floats(0.1, 50.0), st.integers(1, 200))
    def test_one_reviewer_more_never_makes_anybody_wait_longer(
        self, arrivals: float, service: float, servers: int
    ) -> None:
        fewer, more = erlang_c(arrivals, service, servers), erlang_c(arrivals, service, servers + 1)

        assert 0.0 <= more.waits <= fewer.waits <= 1.0
        assert more.waits_beyond(0.5) <= fewer.waits_beyond(0.5) <= 1.0

    @pytest.mark.parametrize(
        ("arrivals", "service", "servers"),
        [(NAN, 1.0, 1), (-1.0, 1.0, 1), (1.0, 0.0, 1), (1.0, NAN, 1), (math.inf, 1.0, 1), (1.0, 1.0, -1), (1, 1, 1.5)],
    )
    def test_refuses_nonsense(self, arrivals: float, service: float, servers: int) -> None:
        with pytest.raises(ValueError, match="must"):
            erlang_c(arrivals, service, servers)

    def test_the_share_that_waits_is_what_a_simulated_queue_shows(self) -> None:
        generator = np.random.default_rng(4)
        free, now, waited = [0.0] * 4, 0.0, []
        for _ in range(60_000):
            now += generator.exponential(1 / 30)
            start = max(now, min(free))
            free[free.index(min(free))] = start + generator.exponential(1 / 10)
            waited.append(start - now)
        queue = erlang_c(30.0, 10.0, 4)

        assert np.mean(np.array(waited) > 0) == pytest.approx(queue.waits, abs=0.03)
        assert np.mean(np.array(waited) > 0.05) == pytest.approx(queue.waits_beyond(0.05), abs=0.03)


class TestReviewersNeeded:
    @given(st.floats(0.1, 300.0), st.floats(0.5, 20.0), st.floats(0.0, 4.0), st.floats(0.5, 0.99))
    def test_are_enough_and_one_fewer_is_not(
        self, arrivals: float, service: float, within: float, share: float
    ) -> None:
        needed = reviewers_needed(arrivals, service, within, share)

        assert erlang_c(arrivals, service, needed).waits_beyond(within) <= 1 - share
        fewer = erlang_c(arrivals, service, needed - 1)
        assert not fewer.stable or fewer.waits_beyond(within) > 1 - share

    def test_are_none_when_nothing_arrives(self) -> None:
        assert reviewers_needed(0.0, 4.0, 1.0, 0.95) == 0

    def test_of_a_million_are_near_the_square_root_rule(self) -> None:
        needed = reviewers_needed(4e6, 4.0, 0.0, 1 - erlang_c(4e6, 4.0, 1_001_000).waits)

        assert needed == pytest.approx(square_root_staffing(1e6), abs=2)

    @pytest.mark.parametrize(("within", "share"), [(-1.0, 0.9), (NAN, 0.9), (1.0, 1.0), (1.0, 0.0), (1.0, NAN)])
    def test_want_a_promise_that_can_be_kept(self, within: float, share: float) -> None:
        with pytest.raises(ValueError, match="must"):
            reviewers_needed(10.0, 2.0, within, share)


class TestWeek:
    def test_what_reaches_people_is_the_rest_and_the_audits_and_second_opinions(self) -> None:
        arrivals = review_arrivals([100.0, 0.0], automation=0.8, audit_rate=0.05, double_reviews=0.1)

        assert arrivals.tolist() == pytest.approx([(20 + 4) * 1.1, 0.0])

    def test_marks_the_hours_that_cannot_keep_up(self) -> None:
        arrivals = [0.0] * HOURS_OF_A_WEEK
        arrivals[9], arrivals[10] = 30.0, 90.0
        servers = [0] * HOURS_OF_A_WEEK
        servers[9], servers[10] = 4, 4

        hours = week(arrivals, servers, service=12.0, answer_within=0.5, share=0.95)

        assert [hour.hour for hour in hours if not hour.stable] == [10]
        assert hours[9].late < 0.05
        assert hours[9].missing == 0
        assert hours[10].late == 1.0
        assert hours[10].missing == hours[10].needed - 4 > 0
        assert hours[0].needed == 0

    def test_wants_all_the_hours_and_names_the_one_that_is_wrong(self) -> None:
        good = [1.0] * HOURS_OF_A_WEEK
        with pytest.raises(ValueError, match="servers must have one entry"):
            week(good, [1], 2.0, 1.0, 0.9)
        with pytest.raises(ValueError, match=r"arrivals\[1\]"):
            week([1.0, NAN, *good[2:]], [1] * HOURS_OF_A_WEEK, 2.0, 1.0, 0.9)
        with pytest.raises(ValueError, match=r"volume\[0\]"):
            review_arrivals([-1.0], 0.5)
        with pytest.raises(ValueError, match="automation"):
            review_arrivals([1.0], NAN)
