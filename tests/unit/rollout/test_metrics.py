import math

import pytest

from rollout.domain.metrics import (
    METRICS,
    Direction,
    Kind,
    UnknownMetric,
    Use,
    automated,
    get_metric,
    harm_rate,
    settled_rate,
)
from rollout.domain.phase import Lane
from rollout.domain.totals import Cohort
from tests.unit.rollout.making import TODAY, counts


def test_an_unknown_metric_is_refused_with_the_names_like_it() -> None:
    with pytest.raises(UnknownMetric, match="did you mean override_rate"):
        get_metric("overide_rate")
    with pytest.raises(UnknownMetric, match=r'no metric "zzz"$'):
        get_metric("zzz")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = get_metric(name)

    assert metric.name == name
    assert metric.words
    assert metric.about.endswith(".")
    assert metric.phases
    assert (metric.kind is Kind.RATE) == (metric.unit == "share")
    assert metric.counted_lanes.startswith(("all decisions", "decisions of the"))


@pytest.mark.parametrize(
    ("direction", "value", "holds"),
    [
        (Direction.AT_MOST, 0.04, True),
        (Direction.AT_MOST, math.nextafter(0.04, 1), False),
        (Direction.AT_MOST, math.nextafter(0.04, 0), True),
        (Direction.AT_LEAST, 0.04, True),
        (Direction.AT_LEAST, math.nextafter(0.04, 1), True),
        (Direction.AT_LEAST, math.nextafter(0.04, 0), False),
        (Direction.AT_MOST, math.nan, False),
        (Direction.AT_LEAST, math.nan, False),
        (Direction.AT_MOST, math.inf, False),
        (Direction.AT_LEAST, -math.inf, False),
    ],
)
def test_the_comparator_at_its_boundary(direction: Direction, value: float, holds: bool) -> None:
    assert direction.holds(value, 0.04) is holds
    assert direction.other.other is direction


def test_a_settled_case_without_a_verdict_is_bad_and_a_void_one_is_not_there() -> None:
    rate = settled_rate(get_metric("override_rate"), counts(10, 2, pending=3, void=1))

    assert (rate.bad, rate.cases, rate.pending) == (5, 9, 3)


def test_a_case_without_a_verdict_is_no_harm() -> None:
    rate = harm_rate(get_metric("override_rate"), counts(10, 2, pending=3, void=1))

    assert (rate.bad, rate.cases) == (2, 9)


def test_what_needs_no_verdict_is_counted_over_all_cases() -> None:
    seen = counts(10, 2, pending=3, void=1, invalid_output=4)

    assert (settled_rate(get_metric("invalid_output_rate"), seen).bad) == 4
    assert (settled_rate(get_metric("invalid_output_rate"), seen).cases) == 10
    assert (harm_rate(get_metric("invalid_output_rate"), seen).cases) == 10


def test_automation_counts_audited_cases_as_automated() -> None:
    cases = {Lane.AUTO: 5, Lane.AUDIT: 1, Lane.REVIEW: 3, Lane.HUMAN: 1}
    seen = {Cohort(lane, "", TODAY): counts(number) for lane, number in cases.items()}

    assert automated(seen) == (6, 10)


def test_automation_is_shown_and_decides_nothing() -> None:
    metric = get_metric("automation_rate")

    assert not metric.uses & set(Use)
    with pytest.raises(ValueError, match="says nothing about how good"):
        settled_rate(metric, counts(10))
