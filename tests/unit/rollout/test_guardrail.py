import math
from datetime import timedelta
from typing import Any

import pytest

from rollout.domain.guardrail import fires, judge_guardrail
from rollout.domain.phase import Lane, Severity
from rollout.domain.situation import Source
from rollout.domain.totals import Cohort, Counts, Totals
from rollout.domain.verdict import GuardrailResult, Verdict
from tests.unit.rollout.making import TODAY, counts, guardrail, situation

NBSP = "\u00a0"


def on(seen: Totals, **more: Any) -> GuardrailResult:
    return judge_guardrail(guardrail(**more), situation(totals=seen))


def days(*rows: tuple[int, int], lane: Lane = Lane.REVIEW, pending: int = 0) -> Totals:
    """(cases, overridden) of the last days, the newest last and today."""
    return {
        Cohort(lane, "", TODAY - timedelta(days=len(rows) - 1 - index)): counts(cases, bad, pending=pending)
        for index, (cases, bad) in enumerate(rows)
    }


def test_does_not_fire_on_a_good_agent() -> None:
    result = on(days(*[(50, 1)] * 60))

    assert (result.verdict, result.breached) == (Verdict.PASS, False)
    assert (result.bad, result.cases, result.since) == (60, 3000, None)
    assert result.words == f"At least 1.2{NBSP}% overridden, 95{NBSP}% sure. It fires at 10{NBSP}%."
    assert not result.is_near


def test_fires_on_harm_of_one_day_before_any_minimum_of_cases() -> None:
    result = on(days((20, 15)))

    assert (result.verdict, result.breached) == (Verdict.FAIL, True)
    assert result.words == (
        f"15 of 20 cases overridden since 23 Nov 2026, that is 75.0{NBSP}%. The limit is 10{NBSP}%."
    )
    assert result.nearness == 1


def test_finds_harm_after_a_long_good_time_and_the_day_it_began() -> None:
    result = on(days(*[(50, 1)] * 60, (50, 20), (50, 20)))

    assert result.breached
    assert result.since == TODAY - timedelta(days=1)
    assert (result.bad, result.cases) == (100, 3100)  # 3 % over all, below the limit


def test_sums_the_segments_of_a_day() -> None:
    one = {Cohort(Lane.REVIEW, segment, TODAY): counts(10, 5) for segment in ("", "a", "b", "c")}

    assert on(one).days == ((TODAY, 20, 40),)


def test_fires_at_the_limit_of_the_alarm_and_not_below() -> None:
    alarm = math.log(1000)

    assert fires(alarm, alarm)
    assert not fires(math.nextafter(alarm, 0), alarm)
    assert not fires(math.nan, alarm)


def test_a_rarer_false_alarm_needs_more_harm() -> None:
    seen = days((20, 7))

    assert on(seen, false_alarm_days=10).breached
    assert not on(seen, false_alarm_days=1_000_000).breached
    assert on(seen, false_alarm_days=1_000_000).nearness < on(seen, false_alarm_days=1000).nearness


def test_a_case_without_a_verdict_is_no_harm() -> None:
    assert not on(days((50, 1), (50, 1), pending=49)).breached


def test_nothing_ruled_on_is_no_evidence_and_no_breach() -> None:
    result = on(days((50, 0), pending=50))

    assert (result.verdict, result.breached, result.words) == (
        Verdict.NO_EVIDENCE,
        False,
        "No case has a verdict yet.",
    )
    assert on({}).words == "No case has been counted yet."
    assert on({Cohort(Lane.REVIEW, "", TODAY): counts(5, void=5)}).verdict is Verdict.NO_EVIDENCE


def test_none_of_many_is_told_as_none() -> None:
    assert on(days((50, 0))).words == f"None overridden in 50 cases. It fires at 10{NBSP}%."


def test_a_rate_over_all_lanes() -> None:
    seen = {
        Cohort(Lane.HUMAN, "", TODAY): counts(30, pending=30, invalid_output=25),
        Cohort(Lane.AUTO, "", TODAY): counts(30, pending=30, invalid_output=0),
    }

    result = on(seen, metric="invalid_output_rate")

    assert (result.breached, result.bad, result.cases, result.pending) == (True, 25, 60, 0)


@pytest.mark.parametrize(("count", "limit", "breached"), [(0, 0, False), (1, 0, True), (2, 2, False), (3, 2, True)])
def test_open_critical_failures_above_the_limit(count: int, limit: int, breached: bool) -> None:
    asked = guardrail("open_critical_failures", at_most=limit)

    result = judge_guardrail(asked, situation(open_failures={Severity.CRITICAL: count, Severity.SEVERE: 9}))

    assert (result.breached, result.value) == (breached, count)
    assert result.verdict is (Verdict.FAIL if breached else Verdict.PASS)


@pytest.mark.parametrize(
    ("asked", "more", "words"),
    [
        ({}, {"broken": {Source.TOTALS: "the database did not answer"}}, "the database did not answer"),
        ({"metric": "overide_rate"}, {}, 'there is no metric "overide_rate"'),
        ({"metric": "automation_rate"}, {}, "says nothing about how good"),
        ({"at_most": 0.0}, {}, "limit"),
        ({}, {"totals": {Cohort(Lane.REVIEW, "", TODAY): Counts(cases=1, overridden=9)}}, "do not add up"),
    ],
)
def test_what_cannot_be_judged_is_an_error_and_never_a_breach(
    asked: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    result = judge_guardrail(guardrail(**asked), situation(**more))

    assert (result.verdict, result.breached) == (Verdict.ERROR, False)
    assert words in result.words
    assert result.what_would_change


def test_a_source_that_a_guardrail_does_not_use_may_be_broken() -> None:
    broken = {Source.SUITES: "no answer", Source.FAILURES: "no answer"}

    assert judge_guardrail(guardrail(), situation(totals=days((20, 15)), broken=broken)).breached


def test_an_agent_at_the_tolerated_level_seldom_fires_however_often_one_looks() -> None:
    """Ten cases a day at just the limit for 200 days: at most one in five may fire (200 of 1000 days)."""
    fired = 0
    for start in range(20):
        rows = [(10, int((day + start) % 20 == 0) + int((day * 7 + start) % 20 == 3)) for day in range(200)]
        seen = days(*rows)
        fired += on(seen, at_most=0.02).breached

    assert fired <= 4
