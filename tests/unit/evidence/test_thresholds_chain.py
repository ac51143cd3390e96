"""The chain of exact tests, held against the same rule told one group at a time."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.thresholds import Groups, group_counts
from evidence.thresholds.chain import exact_tests, walk


def groups_of(seed: int) -> Groups:
    """Small groups with errors about as frequent as a limit of .1 just allows, so that chains end anywhere."""
    random = np.random.default_rng(seed)
    cases = random.integers(1, 9, random.integers(20, 90))
    wrong = random.binomial(cases, np.sort(random.uniform(0.0, 0.15, len(cases))))
    return group_counts(
        [(1 - place / 100, int(n), int(k)) for place, (n, k) in enumerate(zip(cases, wrong, strict=True))]
    )


made_groups = st.integers(0, 10**6).map(groups_of)


@given(groups=made_groups, risk=st.sampled_from([0.02, 0.05, 0.1, 0.2]), delta=st.sampled_from([0.02, 0.05, 0.1]))
@settings(max_examples=100, deadline=None)
def test_the_chain_ends_where_testing_one_group_after_the_other_ends(groups: Groups, risk: float, delta: float) -> None:
    exact = exact_tests(groups, risk, delta)
    if not len(exact.points):
        return

    for start in {groups.first(int(point)) for point in exact.points[:4]}:
        found = walk(groups, exact, start)

        assert (found.end and found.end.accepted) == one_by_one(groups, risk, delta, start)
        assert found.start.accepted == groups.accepted[start]


@given(groups=made_groups)
@settings(max_examples=50, deadline=None)
def test_a_chain_ends_at_a_test_that_passed_and_was_stopped_by_one_that_did_not(groups: Groups) -> None:
    exact = exact_tests(groups, 0.1, 0.05)
    if not len(exact.points):
        return

    found = walk(groups, exact, groups.first(int(exact.points[0])))

    assert found.end is None or found.end.passed
    if found.stopped_by is None:
        assert found.end is not None
        assert found.end.accepted == groups.labels
    else:
        assert not found.stopped_by.passed
        assert found.end is None or found.stopped_by.accepted > found.end.accepted


@given(cases=st.integers(1, 400), risk=st.floats(0.01, 0.5), delta=st.floats(0.01, 0.5))
@settings(max_examples=60, deadline=None)
def test_every_group_has_its_exact_test(cases: int, risk: float, delta: float) -> None:
    groups = group_counts([(0.9, cases, 0), (0.8, 7, 0)])

    tolerated = exact_tests(groups, risk, delta).tolerated.tolist()

    assert tolerated == [most_tolerated(int(accepted), risk, delta) for accepted in groups.accepted]


@pytest.mark.parametrize(("errors", "end"), [((0, 0, 0), 110), ((1, 0, 0), None), ((0, 1, 0), 110), ((0, 1, 1), 95)])
def test_where_no_further_error_is_tolerated_yet_it_is_not_tested(
    errors: tuple[int, int, int], end: int | None
) -> None:
    # 59 cases tolerate none, 93 the first: 80 cases lie in the second half of the stretch, at 95 there is a test again.
    groups = group_counts([(0.9, 60, errors[0]), (0.8, 20, errors[1]), (0.7, 15, 0), (0.6, 15, errors[2])])

    found = walk(groups, exact_tests(groups, 0.05, 0.05), 0)

    assert (found.end and found.end.accepted) == end


def one_by_one(groups: Groups, risk: float, delta: float, start: int) -> int | None:
    """The cases accepted by the chain from `start`; `None` when its first test fails."""
    tolerated = [most_tolerated(int(accepted), risk, delta) for accepted in groups.accepted]
    points = [
        n for n in range(1, groups.labels + 1) if most_tolerated(n, risk, delta) > most_tolerated(n - 1, risk, delta)
    ]
    at, end = start, None
    while True:
        if groups.errors[at] > tolerated[at]:
            return end
        end = int(groups.accepted[at])
        following = [
            place for place in range(at + 1, len(groups)) if is_tested(groups.accepted, tolerated, points, place)
        ]
        if not following:
            return end
        at = following[0]


def is_tested(accepted: np.ndarray, tolerated: list[int], points: list[int], place: int) -> bool:
    """Whether a group begins a stretch, lies in the first half of one, or in the last."""
    begun = [point for point in points if point <= accepted[place]]
    if len(begun) == len(points) or tolerated[place] > tolerated[place - 1]:
        return True
    return bool(accepted[place] <= begun[-1] + 0.5 * (points[len(begun)] - begun[-1]))


@cache
def most_tolerated(cases: int, risk: float, delta: float) -> int:
    passing = stats.binom.cdf(np.arange(cases + 1), cases, risk) <= delta
    return int(passing.sum()) - 1
