"""How many more labels a gate on losses takes, and bounds and evidence by the same bets."""

import pytest

from evidence import betting

DAYS = [{0.0: 38, 0.1: 2}, {0.0: 39, 0.5: 1}, {0.0: 40}, {0.0: 37, 0.1: 2, 1.0: 1}]


@pytest.mark.parametrize("limit", [0.02, 0.05, 0.2])
def test_evidence_and_bound_come_out_the_same_together_as_alone(limit: float) -> None:
    assert betting.shown_below(DAYS, limit) == (betting.log_e_below(DAYS, limit), betting.upper_bound(DAYS))
    assert betting.shown_above(DAYS, limit) == (betting.log_e_above(DAYS, limit), betting.lower_bound(DAYS))


def test_nothing_seen_shows_nothing() -> None:
    assert betting.shown_below([], 0.05) == (0.0, 1.0)
    assert betting.shown_above([], 0.05) == (0.0, 0.0)


@pytest.mark.parametrize("limit", [0.02, 0.03, 0.04])
def test_so_many_more_labels_like_those_so_far_pass_the_gate(limit: float) -> None:
    needed = betting.cases_needed(DAYS, limit)

    assert needed
    days = list(DAYS)
    while sum(sum(day.values()) for day in days) < 160 + 1.1 * needed:
        days += DAYS
    assert betting.upper_bound(days) < limit


def test_a_gate_that_passes_needs_none() -> None:
    assert betting.cases_needed(DAYS * 30, 0.2) == 0


@pytest.mark.parametrize("limit", [0.01, 0.0125])
def test_with_a_mean_at_the_limit_or_above_no_number_is_enough(limit: float) -> None:
    assert betting.cases_needed([{0.0: 39, 0.5: 1}], limit) is None


def test_without_labels_there_is_nothing_to_go_by() -> None:
    assert betting.cases_needed([], 0.05) is None
    assert betting.cases_needed([{}], 0.05) is None


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.5, 0.99])
def test_the_fewest_labels_that_pass_are_those_without_any_loss(limit: float) -> None:
    fewest = betting.fewest_to_pass(limit)

    assert fewest is not None
    assert betting.upper_bound([{0.0: fewest}]) <= limit < betting.upper_bound([{0.0: fewest - 1}])


def test_a_limit_that_no_number_reaches() -> None:
    assert betting.fewest_to_pass(1e-9) is None


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, float("nan")])
def test_a_limit_that_means_nothing_is_refused(wrong: float) -> None:
    for asked in (betting.fewest_to_pass, lambda limit: betting.cases_needed(DAYS, limit)):
        with pytest.raises(ValueError, match="limit"):
            asked(wrong)
