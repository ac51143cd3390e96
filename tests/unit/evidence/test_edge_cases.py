"""
The edge cases that every statistic has to bear, one test for each, named after it.

What becomes of a single verdict (a later one, a void one) is decided where cases are counted, and shown there; the
last test holds that those tests are there.
"""

import ast
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence import audits, betting, binomial, multiplicity, planning, reliability, sequences
from evidence.agreement import krippendorff
from evidence.agreement.kappa import ONE_CATEGORY, cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement
from evidence.agreement.reviewers import who_was_right
from evidence.agreement.tables import confusion, ratings
from evidence.alarms.detector import Detector
from evidence.alarms.drift import drift, week_against_week
from evidence.alarms.presets import labelled
from evidence.calibration import calibrate as calibrate_display
from evidence.shares import Health, check_split
from evidence.staffing import erlang_c
from evidence.thresholds import Reason, calibrate, close_segments, group, group_counts
from rollout.domain.metrics import get_metric, settled_rate
from rollout.domain.phase import Lane
from rollout.domain.tally import Tallies
from rollout.domain.totals import Cohort, Counts

ROOT = Path(__file__).parents[3]
NONSENSE: list[Any] = [math.nan, math.inf, -0.1, "0.9", None, True]

SHOWN_WHERE_CASES_ARE_COUNTED = {
    "duplicate verdicts": (
        "tests/integration/routing/test_settling.py",
        "test_the_worst_of_several_failures_counts_and_all_are_kept",
    ),
    "void cases": ("tests/integration/routing/test_settling.py", "test_what_is_ignored_is_void"),
    "verdict before decision": ("tests/integration/routing/test_settling.py", "test_before_the_output"),
    "clock skew": ("tests/unit/rollout/test_gate.py", "test_a_clock_that_went_back_counts_as_no_days"),
    "late override, counted": (
        "tests/integration/routing/test_settling.py",
        "test_a_failure_after_agreement_moves_the_case_over",
    ),
    "late override, after a signature": (
        "tests/unit/rollout/test_approval.py",
        "test_a_late_override_after_the_signature_makes_it_fall",
    ),
    "late override, the pass stays recorded": (
        "tests/integration/rollout/test_gates.py",
        "test_a_look_that_says_something_else_is_stored_beside_the_old_one",
    ),
    "version change mid-day": (
        "tests/integration/routing/test_settling.py",
        "test_is_under_the_epoch_of_the_decision",
    ),
    "repeated trials": (
        "tests/integration/routing/test_first_verdict.py",
        "test_trying_again_until_somebody_approves_changes_no_figure",
    ),
}


@pytest.mark.parametrize("cases", [1, 59, 10**8])
def test_nothing_bad_still_has_a_bound_above_zero(cases: int) -> None:
    assert binomial.lower_bound(0, cases) == sequences.lower_bound(0, cases) == 0.0
    assert binomial.upper_bound(0, cases) == pytest.approx(-math.expm1(math.log(0.05) / cases), rel=1e-9)
    assert 0.0 < binomial.upper_bound(0, cases) < sequences.upper_bound(0, cases) <= 1.0
    assert 0.0 < betting.upper_bound([{0.0: cases}]) <= 1.0
    assert audits.hypergeometric_upper(0, cases, 2 * cases).wrong > 0


@pytest.mark.parametrize("cases", [1, 59, 10**8])
def test_everything_bad_passes_no_gate(cases: int) -> None:
    assert binomial.upper_bound(cases, cases) == sequences.upper_bound(cases, cases) == 1.0
    assert betting.upper_bound([{1.0: cases}]) == pytest.approx(1.0, abs=1e-9)
    assert binomial.p_value(cases, cases, 0.5) == 1.0
    for limit in (1e-6, 0.05, 1.0 - 1e-6):
        assert sequences.log_e_below(cases, cases, limit) <= 0.0 <= sequences.log_e_above(cases, cases, limit)


def test_no_cases_are_no_evidence_and_never_a_pass() -> None:
    for limit in (1e-6, 0.05, 1.0 - 1e-6):
        assert sequences.log_e_below(0, 0, limit) == sequences.log_e_above(0, 0, limit) == 0.0
        assert not sequences.crossed(sequences.log_e_below(0, 0, limit), 1e-6)
        assert binomial.p_value(0, 0, limit) == 1.0
    assert sequences.upper_bound(0, 0) == binomial.upper_bound(0, 0) == betting.upper_bound([]) == 1.0
    assert sequences.lower_bound(0, 0) == binomial.lower_bound(0, 0) == betting.lower_bound([]) == 0.0
    assert audits.zero_errors_bound(0) == 1.0
    assert audits.hypergeometric_upper(0, 0, 100).rate == audits.stratified([]).upper == 1.0
    assert calibrate(group([], [])).reason is Reason.TOO_FEW_LABELS
    assert not multiplicity.all_pass([])
    assert planning.forecast(0, 0, planning.GateTerms(0.05)).reason == planning.NOTHING_SEEN
    assert check_split([0, 0], [1, 1]).health is Health.NOT_ENOUGH_TRAFFIC
    assert not drift({}, {}, 0.01).alarmed
    assert drift({}, {}, 0.01).reason != ""
    assert not week_against_week((0, 0), (5, 5)).changed
    assert percent_agreement(0, 0).share is None
    assert who_was_right(0, 0).p_value == 1.0
    assert reliability.brier([], []).value is None
    assert erlang_c(0.0, 1.0, 0).stable
    detector = labelled(0.05)
    assert not detector.alarmed(detector.start())


@pytest.mark.parametrize("limit", [0.0, 1.0, 0, 1, *NONSENSE])
def test_a_limit_of_zero_or_one_is_refused(limit: Any) -> None:
    for refusing in (
        lambda: sequences.log_e_below(0, 10, limit),
        lambda: sequences.log_e_above(0, 10, limit),
        lambda: sequences.log_harm([(0, 10)], limit),
        lambda: betting.log_e_below([{0.0: 10}], limit),
        lambda: binomial.p_value(0, 10, limit),
        lambda: binomial.tolerated(10, limit),
        lambda: planning.GateTerms(limit),
        lambda: Detector(limit, (0.5,)),
        lambda: calibrate(group([0.9], [0]), risk=limit),
        lambda: multiplicity.judge_segments([(0, 10)], limit),
    ):
        with pytest.raises(ValueError, match=r"(limit|reference|risk) must lie strictly between 0 and 1"):
            refusing()


def test_all_confidences_equal_are_accepted_together_or_not_at_all() -> None:
    good, bad = group([0.9] * 100, [0] * 100), group([0.9] * 100, [1] * 20 + [0] * 80)

    assert calibrate(good).threshold == 0.9
    assert (calibrate(bad).threshold, calibrate(bad).reason) == (None, Reason.TOP_GROUP_FAILS)
    assert calibrate_display([0.9] * 100, [0, 1] * 50).calibrator is None
    assert len(reliability.equal_mass_bins([0.9] * 100, [0, 1] * 50)) == 1


def test_all_wrong_give_no_threshold() -> None:
    sure = np.linspace(0.0, 1.0, 1_000)

    answer = calibrate(group(sure, np.ones(1_000, dtype=np.int64)))

    assert answer.threshold is None
    assert answer.reason is not None
    assert answer.coverage == 0.0


def test_one_class_only_has_no_agreement_beyond_chance_and_says_why() -> None:
    counts = ratings([["good", "good"]] * 10, ["good", "bad"])

    assert (cohen_kappa([[10, 0], [0, 0]]).value, cohen_kappa([[10, 0], [0, 0]]).reason) == (None, ONE_CATEGORY)
    assert krippendorff.krippendorff_alpha(counts).value is None
    assert krippendorff.alpha_interval(counts, seed=1).interval is None
    assert gwet_ac1(counts).value == 1.0  # which is why it is the one to read here
    for verdict in (0, 1):
        assert calibrate_display(np.linspace(0, 1, 50), [verdict] * 50).calibrator is None


@pytest.mark.parametrize("confidence", NONSENSE)
def test_a_confidence_that_is_none_is_refused_with_its_place(confidence: Any) -> None:
    for refusing in (
        lambda: group([0.5, confidence], [0, 0]),
        lambda: group_counts([(0.5, 1, 0), (confidence, 1, 0)]),
    ):
        with pytest.raises(ValueError, match=r"\[1\] must be a confidence between 0 and 1"):
            refusing()
    if confidence is not True:  # in a list of numbers it is the number one
        with pytest.raises(ValueError, match="confidences"):
            reliability.reliability([0.5, confidence], [0, 1])


@pytest.mark.parametrize("count", [*NONSENSE, -1, 2.0, "3", np.float64(2.0), np.array([1, 2])])
def test_a_count_that_is_none_is_refused_with_its_name(count: Any) -> None:
    for refusing in (
        lambda: sequences.log_e_below(count, 10, 0.05),
        lambda: sequences.upper_bound(count, 10),
        lambda: binomial.upper_bound(count, 10),
        lambda: labelled(0.05).update_many(labelled(0.05).start(), count, 10),
        lambda: week_against_week((count, 10), (1, 10)),
    ):
        with pytest.raises(ValueError, match="bad must"):
            refusing()


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint16])
def test_whole_numbers_of_numpy_are_whole_numbers(kind: Any) -> None:
    assert sequences.log_e_below(kind(3), kind(100), np.float64(0.05)) == sequences.log_e_below(3, 100, 0.05)
    assert binomial.interval(kind(3), kind(100), np.float64(0.95)) == binomial.interval(3, 100)


@pytest.mark.parametrize("verdict", [None, "yes", math.nan, 2, -1])
def test_a_verdict_that_is_missing_is_no_good_one(verdict: Any) -> None:
    detector = labelled(0.05)
    with pytest.raises(ValueError, match="bad must be true or false"):
        detector.update(detector.start(), verdict)
    with pytest.raises(ValueError, match=r"passed\[1\] must be true or false"):
        multiplicity.all_pass([True, verdict])


def test_the_same_verdict_twice_is_counted_once() -> None:
    detector = labelled(0.05)
    once = detector.update(detector.start(), bad=True, position=1)

    assert detector.update(once, bad=True, position=1) == once
    assert detector.update(once, bad=False, position=1) == once


def test_void_cases_are_in_neither_numerator_nor_denominator() -> None:
    metric = get_metric("override_rate")
    counts = Counts(cases=100, agreed=90, overridden=4)
    voided = Counts(cases=130, agreed=90, overridden=4, void=30)

    assert settled_rate(metric, voided) == settled_rate(metric, counts)
    assert (settled_rate(metric, voided).bad, settled_rate(metric, voided).cases) == (10, 100)


def test_a_verdict_counts_on_the_day_of_its_decision_however_late_or_early_it_comes() -> None:
    today = date(2026, 11, 23)
    old, young = Cohort(Lane.REVIEW, "", today - timedelta(days=20)), Cohort(Lane.REVIEW, "", today)
    totals = {old: Counts(cases=5, overridden=5), young: Counts(cases=500, agreed=500)}

    tally = Tallies(totals, today - timedelta(days=14)).of(frozenset({Lane.REVIEW})).whole

    assert (tally.settled, tally.young) == (Counts(cases=5, overridden=5), 500)


def test_a_clock_that_runs_ahead_brings_no_case_into_the_evidence_early() -> None:
    today = date(2026, 11, 23)
    ahead = {Cohort(Lane.REVIEW, "", today + timedelta(days=3)): Counts(cases=500, agreed=500)}

    tally = Tallies(ahead, today - timedelta(days=14)).of(frozenset({Lane.REVIEW})).whole

    assert (tally.settled, tally.young, tally.days) == (Counts(), 500, [])


def test_a_late_override_after_a_pass_lowers_the_evidence() -> None:
    before, after = sequences.log_e_below(0, 82, 0.05), sequences.log_e_below(1, 82, 0.05)

    assert sequences.crossed(before, 0.95)
    assert not sequences.crossed(after, 0.95)
    assert sequences.upper_bound(1, 82) >= 0.05 > sequences.upper_bound(0, 82)


def test_a_new_version_in_the_middle_of_a_day_starts_from_nothing() -> None:
    morning, afternoon = (0, 60), (0, 60)

    assert sequences.crossed(sequences.log_e_below(0, sum((60, 60)), 0.05), 0.95)
    for version in (morning, afternoon):
        assert not sequences.crossed(sequences.log_e_below(*version, 0.05), 0.95)


def test_repeated_trials_of_one_case_are_averaged_and_not_counted_as_cases() -> None:
    trials = [[0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]] + [[0, 0, 0, 0]] * 47
    per_case = [{sum(trial) / len(trial): 1} for trial in trials]

    bound = betting.upper_bound(per_case)

    assert betting.mean_loss(per_case) == pytest.approx(5 / 200)
    assert bound > betting.upper_bound([{0.0: 1} if not one else {1.0: 1} for trial in trials for one in trial])
    assert binomial.upper_bound(5, 200) < bound < 1.0


def test_segments_without_labels_are_neither_passed_nor_closed_and_stay_in_the_family() -> None:
    unseen, bad = multiplicity.judge_segments([(0, 0), (60, 100)], 0.05)

    assert (unseen.standing, bad.standing) == (multiplicity.Standing.UNDECIDED, multiplicity.Standing.ABOVE)
    assert not close_segments({"empty": (0, 0), "bad": (60, 100)})["empty"].closed
    alone = multiplicity.judge_segments([(0, 100)], 0.05)[0].log_e_below
    assert multiplicity.judge_segments([(0, 100)], 0.05, family=20)[0].log_e_below < alone


def test_one_reviewer_for_everything_agrees_with_nobody() -> None:
    alone = ratings([["good"], ["bad"], ["good"]], ["good", "bad"])

    for coefficient in (krippendorff.krippendorff_alpha(alone), gwet_ac1(alone)):
        assert coefficient.value is None
        assert coefficient.reason is not None
    assert confusion([], [], ["good", "bad"]).sum() == 0
    assert cohen_kappa(confusion([], [], ["good", "bad"])).value is None


@pytest.mark.parametrize("cases", [10**7, 10**8])
def test_ten_million_rows_are_two_numbers(cases: int) -> None:
    bad = cases // 20
    for limit in (0.04, 0.05, 0.0501, 0.06):
        assert math.isfinite(sequences.log_e_below(bad, cases, limit))
        assert math.isfinite(sequences.log_e_above(bad, cases, limit))
    lower, upper = sequences.lower_bound(bad, cases), sequences.upper_bound(bad, cases)
    assert 0.0496 < lower < 0.05 < upper < 0.0504
    assert audits.hypergeometric_upper(bad, cases, 2 * cases).rate == pytest.approx(0.05, abs=2e-4)
    detector = labelled(0.05)
    state = detector.update_many(detector.start(), bad, cases)
    assert all(math.isfinite(log) for log in state.logs)


def test_ten_thousand_million_votes_on_an_item_do_not_overflow() -> None:
    many = 10**10

    assert fleiss_kappa([[many, 0], [0, many]]).value == pytest.approx(1.0)
    assert gwet_ac1([[many, 0], [many // 2, many // 2]]).observed == pytest.approx(0.75)


def test_counts_are_whole_and_never_made_of_a_rate() -> None:
    assert math.ceil(25 * (7 / 25)) == 8  # what a rate would have made of seven
    with pytest.raises(ValueError, match="bad must be a whole number"):
        binomial.p_value(25 * (7 / 25), 25, 0.5)  # type: ignore[arg-type]
    assert binomial.p_value(7, 25, 0.5) < binomial.p_value(8, 25, 0.5)


@pytest.mark.parametrize(("bad", "cases"), [(10**6, 10**6), (999_999, 10**6), (5 * 10**7, 10**8)])
def test_what_underflows_opens_no_gate(bad: int, cases: int) -> None:
    """A beta function that underflows and is then clipped makes a gate that passes everything."""
    for limit in (1e-6, 1e-3, 0.05):
        assert -math.inf < sequences.log_e_below(bad, cases, limit) < 0.0
        assert 1e4 < sequences.log_e_above(bad, cases, limit) < math.inf


@pytest.mark.parametrize(("file", "name"), SHOWN_WHERE_CASES_ARE_COUNTED.values(), ids=SHOWN_WHERE_CASES_ARE_COUNTED)
def test_what_happens_to_single_verdicts_is_shown_where_they_are_counted(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
