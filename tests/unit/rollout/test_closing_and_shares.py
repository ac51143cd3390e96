"""Guardrails that close segments, and those on the share of cases below the threshold."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rollout.domain.guardrail import judge_guardrail
from rollout.domain.judge import judge
from rollout.domain.metrics import get_metric
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan_rules import guardrail_flaws
from rollout.domain.policy import Calibrated, Rules
from rollout.domain.recheck import recheck_guardrail
from rollout.domain.thresholds import NO_THRESHOLDS, Thresholds, thresholds_of
from rollout.domain.totals import Cohort, Totals
from rollout.domain.verdict import Conclusion, GuardrailResult, Verdict
from tests.unit.rollout.making import NOW, TODAY, counts, guardrail, plan_with, situation

SOME = UUID("00000000-0000-7000-8000-000000000001")


def calibrated(below: int = 200, labels: int = 1000) -> Calibrated:
    return Calibrated(calibration=SOME, threshold=0.8, below=below, labels=labels)


def in_force(days_ago: int = 30, **more: Any) -> Thresholds:
    since = NOW - timedelta(days=days_ago)
    return replace(Thresholds(general=0.8, calibrated=calibrated(), since=since), **more)


def shares(low: int, cases: int = 100, *, days: int = 10, segment: str = "") -> Totals:
    """So many of the cases of each of the last days lie below the threshold."""
    return {
        Cohort(lane, segment, TODAY - timedelta(days=ago)): counts(half, low_confidence=part)
        for ago in range(days)
        for lane, half, part in ((Lane.REVIEW, low, low), (Lane.AUTO, cases - low, 0))
    }


def on_share(seen: Totals, thresholds: Thresholds, metric: str = "low_confidence_rate", **more: Any) -> GuardrailResult:
    rail = guardrail(metric, **{"at_most": None, **more})
    return judge_guardrail(rail, situation(Phase.CONFIDENCE, totals=seen, thresholds=thresholds))


def test_the_share_below_the_threshold_is_held_against_what_was_calibrated() -> None:
    usual, more = on_share(shares(20), in_force()), on_share(shares(40), in_force())

    assert (usual.verdict, usual.calibrated) == (Verdict.PASS, (200, 1000))
    assert usual.limit == pytest.approx(0.231, abs=0.002)  # 20 % seen of 1,000, 99 % sure
    assert more.breached
    assert "400 of 1,000 cases below the threshold" in more.words
    assert all(recheck_guardrail(result.to_dict()) for result in (usual, more))


def test_an_agent_that_has_become_sure_of_everything_is_noticed() -> None:
    assert not on_share(shares(20), in_force(), "high_confidence_rate").breached
    assert on_share(shares(2), in_force(), "high_confidence_rate").breached


def test_a_calibrated_limit_that_was_changed_in_the_record_does_not_agree() -> None:
    record = on_share(shares(20), in_force()).to_dict()
    days = [(row[1], row[2]) for row in record["days"]]

    assert days
    assert not recheck_guardrail({**record, "limit": 0.9})


@pytest.mark.parametrize(
    ("thresholds", "why"),
    [
        (NO_THRESHOLDS, "No threshold is in force"),
        (in_force(calibrated=None), "rests on no calibration"),
        (in_force(calibrated=calibrated(1000, 1000)), "cannot be more"),
        (in_force(days_ago=0), "No case has been counted yet"),
    ],
)
def test_without_something_to_compare_with_nothing_is_concluded(thresholds: Thresholds, why: str) -> None:
    result = on_share(shares(100), thresholds)

    assert (result.verdict, result.breached) == (Verdict.NO_EVIDENCE, False)
    assert why in result.words
    assert recheck_guardrail(result.to_dict())


def test_only_whole_days_under_the_threshold_in_force_count() -> None:
    result = on_share(shares(40), in_force(days_ago=3))

    assert [day for day, _, _ in result.days] == [TODAY - timedelta(days=ago) for ago in (2, 1, 0)]


def test_segments_with_a_threshold_of_their_own_are_no_share_of_the_general_one() -> None:
    seen = shares(20) | shares(100, segment="scans")

    assert on_share(seen, in_force()).breached
    assert not on_share(seen, in_force(own=frozenset({"scans"}))).breached


def test_a_limit_in_the_plan_needs_no_calibration() -> None:
    result = on_share(shares(40), in_force(calibrated=None), at_most=0.5)

    assert (result.verdict, result.limit, result.calibrated) == (Verdict.PASS, 0.5, None)


def test_the_metric_says_what_it_counts() -> None:
    assert get_metric("low_confidence_rate").counted_lanes == "decisions of the audit and auto and review lanes"


def of(segments: dict[str, tuple[int, int]], *, ago: int = 1, lane: Lane = Lane.AUDIT) -> Totals:
    return {
        Cohort(lane, segment, TODAY - timedelta(days=ago)): counts(cases, bad)
        for segment, (cases, bad) in segments.items()
    }


def each(seen: Totals, thresholds: Thresholds = NO_THRESHOLDS, **more: Any) -> GuardrailResult:
    rail = guardrail("error_rate", segments="each", **more)
    return judge_guardrail(rail, situation(Phase.CONFIDENCE, totals=seen, thresholds=thresholds))


def test_harm_in_one_segment_closes_it_and_demotes_nothing() -> None:
    result = each(of({"": (100, 3), "scans": (40, 25), "mail": (100, 2)}))

    assert (result.verdict, result.breached, result.closes) == (Verdict.FAIL, False, ("scans",))
    assert result.words.startswith("segment scans: 25 of 40 cases wrong without a person")
    assert [part.segment for part in result.segments] == ["", "mail", "scans"]
    assert recheck_guardrail(result.to_dict())


def test_the_segments_share_the_false_alarms_of_the_guardrail() -> None:
    alone, among = each(of({"scans": (20, 10)})), each(of({f"s{n}": (20, 10 if not n else 0) for n in range(50)}))

    assert alone.closes == ("scans",)
    assert among.closes == ()
    assert {part.false_alarm_days for part in among.segments} == {50_000}


def test_a_closed_segment_is_not_judged_and_an_opened_one_only_on_new_cases() -> None:
    seen = of({"scans": (40, 25), "mail": (100, 2)}, ago=5)
    moment = NOW - timedelta(days=3)

    assert each(seen, in_force(closed={"scans": moment})).closes == ()
    assert each(seen, in_force(reopened={"scans": moment})).closes == ()
    again = each(seen | of({"scans": (40, 25)}, ago=1), in_force(reopened={"scans": moment}))
    assert again.closes == ("scans",)
    assert again.segments[1].days == ((TODAY - timedelta(days=1), 25, 40),)


def test_no_segment_with_a_verdict_is_no_evidence() -> None:
    assert each({}).verdict is Verdict.NO_EVIDENCE
    waiting = {Cohort(Lane.AUDIT, "scans", TODAY): counts(5, pending=5)}
    assert each(waiting).verdict is Verdict.NO_EVIDENCE


def test_a_forged_record_of_segments_does_not_agree_with_itself() -> None:
    record = each(of({"scans": (40, 25)})).to_dict()

    assert recheck_guardrail(record)
    assert not recheck_guardrail({**record, "closes": []})
    assert not recheck_guardrail({**record, "verdict": "pass"})


def test_the_look_that_closes_a_segment_holds() -> None:
    plan = plan_with(Phase.CONFIDENCE, guardrails=(guardrail("error_rate", segments="each", at_most=0.1),))
    found = judge(plan, situation(Phase.CONFIDENCE, totals=of({"scans": (40, 25)})))

    assert found.verdict is Conclusion.HOLD
    assert found.reasons[0].code == "segment_closed"


def at(day: int) -> datetime:
    return NOW + timedelta(days=day)


def test_thresholds_are_told_from_the_policies_of_a_version() -> None:
    found = thresholds_of([
        (at(0), Rules(threshold=0.9)),
        (at(1), Rules(threshold=0.8, thresholds={"scans": 0.95})),
        (at(2), Rules(threshold=0.8, thresholds={"scans": None, "mail": None})),
        (at(3), Rules(threshold=0.8, thresholds={"scans": None})),
        (at(4), Rules(threshold=0.8, thresholds={"scans": None}, audit_rate=0.5)),
    ])  # fmt: skip

    assert (found.general, found.since) == (0.8, at(1))
    assert found.own == {"scans", "mail"}
    assert (dict(found.closed), dict(found.reopened)) == ({"scans": at(2)}, {"mail": at(3)})
    assert thresholds_of([]) == NO_THRESHOLDS


def test_rules_rest_on_a_calibration_only_while_their_threshold_is_the_calibrated_one() -> None:
    present = Rules(threshold=0.8, calibrated=calibrated())

    assert Rules(threshold=0.8, audit_rate=0.2).resting_on(present).calibrated == calibrated()
    assert Rules(threshold=0.9, calibrated=calibrated()).resting_on(present).calibrated is None
    assert Rules(threshold=0.8, calibrated=calibrated()).resting_on(Rules(threshold=0.8)).calibrated is None


@pytest.mark.parametrize(
    ("phase", "metric", "more", "place"),
    [
        (Phase.CONFIDENCE, "error_rate", {"at_most": None}, ()),
        (Phase.CONFIDENCE, "open_critical_failures", {"at_most": None}, ()),
        (Phase.CONFIDENCE, "invalid_output_rate", {"segments": "each"}, ("segments",)),
        (Phase.CONFIDENCE, "low_confidence_rate", {"segments": "each"}, ("segments",)),
        (Phase.SUPERVISED, "override_rate", {"segments": "each"}, ("segments",)),
        (Phase.SUPERVISED, "low_confidence_rate", {}, ("metric",)),
    ],
)
def test_a_guardrail_that_could_never_do_its_work_is_refused(
    phase: Phase, metric: str, more: dict[str, Any], place: tuple[str, ...]
) -> None:
    flaws = list(guardrail_flaws(phase, guardrail(metric, **more)))

    assert [flaw.path for flaw in flaws] == [place]
    assert flaws[0].mend


@pytest.mark.parametrize("metric", ["low_confidence_rate", "high_confidence_rate"])
def test_a_share_needs_no_limit_in_the_plan(metric: str) -> None:
    assert not list(guardrail_flaws(Phase.FULL, guardrail(metric, at_most=None)))


@pytest.mark.parametrize("metric", ["error_rate", "override_rate", "severe_error_rate"])
def test_what_people_said_of_its_cases_may_close_a_segment(metric: str) -> None:
    assert not list(guardrail_flaws(Phase.FULL, guardrail(metric, segments="each")))
