"""Where the chain of tests begins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.thresholds import Groups, Mode, calibrate, group, starts
from evidence.thresholds.chain import exact_tests
from evidence.thresholds.starts import Fit, chance_to_pass, fitted, fixed_start, learned_start, unsureness


@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 500), st.floats(0, 1)), min_size=1, max_size=12),
    warm=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
)
@settings(max_examples=100, deadline=None)
def test_the_fit_reaches_its_one_maximum_from_anywhere(
    rows: list[tuple[float, int, float]], warm: tuple[float, float]
) -> None:
    unsure = unsureness(np.array([row[0] for row in rows]))
    cases = np.array([float(row[1]) for row in rows])
    wrong = np.floor(cases * np.array([row[2] for row in rows]))

    near, far = fitted(unsure, cases, wrong), fitted(unsure, cases, wrong, warm=Fit(*warm))
    missed = wrong - cases / (1 + np.exp(-(near.intercept + near.slope * unsure)))

    assert near == pytest.approx(far, abs=1e-6)
    assert missed.sum() == pytest.approx(near.intercept, abs=1e-5)
    assert missed @ unsure == pytest.approx(4 * (near.slope - 1), abs=1e-5)


def test_a_fit_that_whole_steps_would_never_reach_is_reached() -> None:
    unsure, cases, wrong = np.array([1.3678323, 2.15397459, 5.30330491]), np.array([9.0, 11, 7]), np.array([0.0, 3, 2])

    assert fitted(unsure, cases, wrong) == pytest.approx((-1.63475077, 0.18201974), abs=1e-7)


def test_blocks_only_say_where_the_fit_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    sure = np.sort(random.random(6000))[::-1]
    wrong = (random.random(6000) < 0.4 * (1 - sure) ** 2).astype(np.float64)

    with_blocks = fitted(unsureness(sure), np.ones(6000), wrong)
    monkeypatch.setattr(starts, "_MANY", 10**6)
    without = fitted(unsureness(sure), np.ones(6000), wrong)

    assert with_blocks == pytest.approx(without, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_answer_is_the_same_with_blocks_as_without(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    random = np.random.default_rng(seed)
    sure = random.random(5000)
    groups = group(sure, (random.random(5000) < 0.25 * (1 - sure) ** random.uniform(0.5, 2)).astype(np.int64))

    monkeypatch.setattr(starts, "_MANY", 100)
    with_blocks = calibrate(groups)
    monkeypatch.setattr(starts, "_MANY", 10**6)
    without = calibrate(groups)

    assert (with_blocks.start, with_blocks.end, with_blocks.stopped_by) == (
        without.start,
        without.end,
        without.stopped_by,
    )


def test_a_fixed_start_depends_on_the_number_of_labels_alone() -> None:
    sure = np.linspace(1, 0, 400)
    starts_at = {
        fixed_start(groups, exact_tests(groups, 0.05, 0.05))
        for groups in (group(sure, np.full(400, error)) for error in (0, 1))
    }

    assert starts_at == {92}  # 93 cases: the first test that tolerates an error


def test_a_start_for_few_labels_is_the_first_test_there_is() -> None:
    groups = group(np.linspace(1, 0, 80), np.zeros(80, dtype=np.int64))
    exact = exact_tests(groups, 0.05, 0.05)

    assert fixed_start(groups, exact) == learned_start(groups, exact) == 58


def test_a_learned_start_lies_lower_where_there_are_hardly_errors_below() -> None:
    sure = np.linspace(1, 0, 1000)
    many_below = group(sure, (sure < 0.7).astype(np.int64))
    few_below = group(sure, (sure < 0.05).astype(np.int64))

    high, low = (calibrate(groups, mode=Mode.LEARNED_START) for groups in (many_below, few_below))

    assert high.start is not None
    assert low.start is not None
    assert high.start.accepted < low.start.accepted
    assert low.start.accepted <= 0.5 * 1000


def test_labels_above_a_learned_start_have_no_part_in_its_choice() -> None:
    random = np.random.default_rng(11)
    sure = np.sort(random.random(600))[::-1]
    wrong = (random.random(600) < 0.3 * (1 - sure)).astype(np.int64)
    groups = group(sure, wrong)
    start = learned_start(groups, exact_tests(groups, 0.05, 0.05))

    for changed in (np.zeros(start + 1, dtype=np.int64), np.ones(start + 1, dtype=np.int64)):
        other = group(sure, np.append(changed, wrong[start + 1 :]))
        assert learned_start(other, exact_tests(other, 0.05, 0.05)) == start


# A tenth of all cases above a tie of 60 %: every candidate lies at the end of the tie.
ABOVE, TIED, BELOW = 100, 600, 300
SURE = np.concatenate([np.linspace(1, 0.96, ABOVE), np.full(TIED, 0.9), np.linspace(0.85, 0.7, BELOW)])


def tied(*, above: int, within: int, below: int) -> Groups:
    """A start that counts so many errors above the tie, in it and below it, each spread evenly."""
    wrong = [
        np.diff(np.arange(cases + 1) * errors // cases)
        for cases, errors in ((ABOVE, above), (TIED, within), (BELOW, below))
    ]
    return group(SURE, np.concatenate(wrong))


def test_above_a_large_tie_that_is_hopeless_the_search_goes_on() -> None:
    answer = calibrate(tied(above=2, within=70, below=150), risk=0.1)

    assert answer.start is not None
    assert answer.start.accepted < ABOVE
    assert answer.end is not None
    assert answer.start.accepted <= answer.end.accepted <= ABOVE
    assert answer.stopped_by is not None
    assert answer.stopped_by.accepted == ABOVE + TIED


def test_a_large_tie_that_may_pass_is_the_start_although_a_test_above_it_is_likelier_to() -> None:
    answer = calibrate(tied(above=0, within=20, below=70), risk=0.1)

    assert answer.start is not None
    assert answer.start.accepted == ABOVE + TIED
    assert answer.threshold is not None


def test_whether_the_search_goes_on_above_a_large_tie_depends_on_the_labels_below_it_alone() -> None:
    goes_on = []
    for below in (0, 30, 60, 90, 120, 150):
        found = {
            learned_start(groups, exact_tests(groups, 0.1, 0.05)) < ABOVE
            for groups in (tied(above=a, within=w, below=below) for a in (0, 100) for w in (0, 600))
        }
        assert len(found) == 1, below
        goes_on += found

    assert set(goes_on) == {False, True}


def test_without_labels_below_a_large_tie_it_is_the_start() -> None:
    groups = group(SURE[: ABOVE + TIED], np.append(np.zeros(ABOVE), np.ones(TIED)).astype(np.int64))

    assert learned_start(groups, exact_tests(groups, 0.1, 0.05)) == len(groups) - 1


@given(labels=st.integers(60, 600), rate=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_without_ties_nothing_counts_as_hopeless(labels: int, rate: float, seed: int) -> None:
    wrong = (np.random.default_rng(seed).random(labels) < rate).astype(np.int64)
    groups = group(np.linspace(1, 0, labels), wrong)
    exact = exact_tests(groups, 0.05, 0.05)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "HOPELESS", 0.0)
        never = learned_start(groups, exact)
        patch.setattr(starts, "HOPELESS", 1.0)
        assert learned_start(groups, exact) == never


def test_the_chance_to_pass_is_that_of_a_negative_binomial() -> None:
    tolerated = np.array([0, 3, 10])

    found = chance_to_pass(np.array([1.0, 3.0, 20.0]), tolerated)

    expected = stats.nbinom.cdf(tolerated, 4, 4 / (4 + np.array([1.0, 3.0, 20.0])))
    assert found == pytest.approx(expected)
