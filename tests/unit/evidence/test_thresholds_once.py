"""The calibration at go-live."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.thresholds import Answer, Mode, Reason, calibrate, group, group_counts, least_labels, shape

MODES = [pytest.param(mode, id=mode.value) for mode in Mode]

tied_cases = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(1, 60)), max_size=40).map(
    lambda runs: [(level / 8, wrong) for level, wrong, times in runs for _ in range(times)]
)


def calibrated(cases: list[tuple[float, bool]], **how: Any) -> Answer:
    return calibrate(group([sure for sure, _ in cases], [wrong for _, wrong in cases]), **how)


@pytest.mark.parametrize("mode", MODES)
class TestEdges:
    def test_no_labels_are_too_few(self, mode: Mode) -> None:
        answer = calibrate(group([], []), mode=mode)

        assert (answer.threshold, answer.reason, answer.more_labels) == (None, Reason.TOO_FEW_LABELS, 59)
        assert answer.coverage == 0.0

    def test_one_label_less_than_needed_is_one_too_few(self, mode: Mode) -> None:
        fewer, enough = (calibrate(group([0.9] * labels, [0] * labels), mode=mode) for labels in (58, 59))

        assert (fewer.reason, fewer.more_labels) == (Reason.TOO_FEW_LABELS, 1)
        assert "1 more are needed" in fewer.explanation
        assert (enough.threshold, enough.reason) == (0.9, None)

    def test_all_cases_of_one_confidence_are_accepted_together_or_not_at_all(self, mode: Mode) -> None:
        good = calibrate(group([0.7] * 200, [1] * 4 + [0] * 196), mode=mode)
        bad = calibrate(group([0.7] * 200, [1] * 5 + [0] * 195), mode=mode)

        assert (good.threshold, good.coverage) == (0.7, 1.0)
        assert (bad.threshold, bad.reason) == (None, Reason.TOP_GROUP_FAILS)
        assert bad.explanation == "the top group itself has 5 of 200 wrong, 4 would be tolerated"
        assert bad.more_labels is not None

    def test_all_wrong_has_no_threshold_and_more_labels_would_not_help(self, mode: Mode) -> None:
        answer = calibrate(group(np.linspace(0, 1, 500), np.ones(500, dtype=np.int64)), mode=mode)

        assert (answer.threshold, answer.reason, answer.more_labels) == (None, Reason.START_FAILS, None)

    def test_all_right_accepts_every_case(self, mode: Mode) -> None:
        answer = calibrate(group(np.linspace(0, 1, 500), np.zeros(500, dtype=np.int64)), mode=mode)

        assert (answer.threshold, answer.coverage, answer.stopped_by) == (0.0, 1.0, None)
        assert answer.explanation == "every group was accepted"

    @pytest.mark.parametrize("nonsense", [0, 1, 0.0, 1.0, -0.1, math.nan])
    def test_a_risk_or_delta_that_states_nothing_is_refused(self, mode: Mode, nonsense: float) -> None:
        groups = group([0.9] * 100, [0] * 100)

        with pytest.raises(ValueError, match="risk"):
            calibrate(groups, risk=nonsense, mode=mode)
        with pytest.raises(ValueError, match="delta"):
            calibrate(groups, delta=nonsense, mode=mode)


@pytest.mark.parametrize(
    ("risk", "delta", "least"),
    [(0.05, 0.05, 59), (0.02, 0.05, 149), (0.01, 0.05, 299), (0.05, 0.025, 72), (0.05, 0.02, 77), (0.01, 0.02, 390)],
)
def test_fewer_labels_than_this_show_nothing(risk: float, delta: float, least: int) -> None:
    assert least_labels(risk, delta) == least


def test_the_next_test_is_named_where_the_chain_stopped() -> None:
    answer = calibrate(group_counts([(0.9, 200, 1), (0.8, 86, 9), (0.7, 100, 0)]))

    assert (answer.threshold, answer.stopped_by) == (0.9, (0.8, 286, 10, 8))
    assert answer.explanation == "next test at 286 cases tolerates 8, found 10"


def test_as_many_labels_as_estimated_would_have_passed_at_the_same_rate() -> None:
    few = calibrate(group_counts([(0.9, 100, 3), (0.5, 300, 90)]), mode=Mode.FIXED_START)
    assert few.reason is Reason.TOP_GROUP_FAILS
    assert few.start is not None
    assert few.more_labels is not None

    times = math.ceil((few.labels + few.more_labels) / few.labels)
    many = calibrate(group_counts([(0.9, 100 * times, 3 * times), (0.5, 300 * times, 90 * times)]))

    assert many.threshold == 0.9


def test_a_top_band_that_is_worse_than_the_next_is_shown_before_the_result() -> None:
    overconfident = shape(group_counts([(0.95, 100, 9), (0.9, 100, 1), (0.8, 100, 2), (0.7, 100, 3), (0.6, 100, 4)]))
    sound = shape(group_counts([(0.95, 100, 0), (0.9, 100, 1), (0.8, 100, 2), (0.7, 100, 3), (0.6, 100, 4)]))
    upside_down = shape(group_counts([(0.9, 1000, 300), (0.1, 1000, 3)]))

    assert overconfident is not None
    assert (overconfident.top_band_worse, overconfident.falls) == (True, False)
    assert sound is not None
    assert sound.falls
    by_luck = shape(group_counts([(0.95, 48, 1), (0.9, 48, 0), (0.8, 48, 0), (0.7, 48, 1), (0.6, 48, 7)]))
    assert by_luck is not None
    assert by_luck.falls
    assert [band.cases for band in sound.bands] == [100] * 5
    assert upside_down is not None
    assert upside_down.fit.slope < 0.0
    assert shape(group([], [])) is None


@pytest.mark.parametrize("mode", MODES)
@given(cases=tied_cases, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_cases_leaves_no_trace(mode: Mode, cases: list[tuple[float, bool]], seed: int) -> None:
    shuffled = [cases[place] for place in np.random.default_rng(seed).permutation(len(cases))]

    assert calibrated(cases, mode=mode) == calibrated(shuffled, mode=mode)


@pytest.mark.parametrize("mode", MODES)
@given(cases=tied_cases)
@settings(max_examples=40, deadline=None)
def test_a_threshold_takes_ties_whole_and_passes_its_own_test(mode: Mode, cases: list[tuple[float, bool]]) -> None:
    answer = calibrated(cases, mode=mode)

    if answer.threshold is None:
        assert answer.reason is not None
        return
    accepted = [wrong for sure, wrong in cases if sure >= answer.threshold]
    assert answer.end is not None
    assert answer.end[1:3] == (len(accepted), sum(accepted))
    assert answer.end.passed
    assert answer.start is not None
    assert answer.start.passed


@given(cases=tied_cases, place=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_further_error_never_lowers_the_threshold_of_a_fixed_start(
    cases: list[tuple[float, bool]], place: int
) -> None:
    # Only of a fixed one: an error below a candidate may move a learned start to where the chain gets further.
    if not cases:
        return
    place %= len(cases)
    worse = [*cases[:place], (cases[place][0], True), *cases[place + 1 :]]

    before, after = (calibrated(each, mode=Mode.FIXED_START).threshold for each in (cases, worse))

    assert (2.0 if after is None else after) >= (2.0 if before is None else before)


class TestMoreLabels:
    @pytest.mark.parametrize(("accepted", "errors"), [(92, 1), (100, 3), (153, 4), (181, 5), (500, 19), (3000, 140)])
    def test_as_many_as_estimated_are_the_fewest_that_would_do(self, accepted: int, errors: int) -> None:
        few = calibrate(group_counts([(0.9, accepted, errors)]))
        assert few.threshold is None
        assert few.more_labels is not None
        enough = accepted + few.more_labels

        cases = np.arange(accepted, enough + 1)
        passes = stats.binom.cdf(-(-errors * cases // accepted), cases, 0.05) <= 0.05

        assert passes[-1]
        assert not passes[: round(0.99 * enough) - accepted].any()

    def test_labels_that_are_not_accepted_are_needed_in_proportion(self) -> None:
        alone = calibrate(group_counts([(0.9, 100, 3)]))
        among = calibrate(group_counts([(0.9, 100, 3), (0.5, 100, 60)]))

        assert alone.more_labels is not None
        assert among.more_labels == 2 * (100 + alone.more_labels) - 200

    def test_a_rate_at_the_limit_itself_is_never_shown_to_be_below_it(self) -> None:
        assert calibrate(group_counts([(0.9, 200, 10)])).more_labels is None

    def test_beyond_a_million_no_number_is_told(self) -> None:
        close = calibrate(group_counts([(0.9, 9045, 89)]), risk=0.01)

        assert (close.reason, close.more_labels) == (Reason.TOP_GROUP_FAILS, None)
        assert "tolerated" in close.explanation
