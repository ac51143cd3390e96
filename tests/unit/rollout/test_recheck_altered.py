"""Every honest record agrees with itself, and one that was altered in any one figure does not."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.reviewers import Seeded
from rollout.domain.judge import judge
from rollout.domain.phase import FreezeMode, Lane, Phase, Severity, Standing
from rollout.domain.plan import Plan
from rollout.domain.recheck import recheck, recheck_guardrail
from rollout.domain.recheck_judgement import recheck_judgement
from rollout.domain.situation import Situation, Source
from rollout.domain.thresholds import Thresholds
from rollout.domain.totals import Cohort, Counts
from rollout.domain.verdict import digest_of
from tests.unit.rollout.making import (
    LANES,
    NOW,
    TODAY,
    YES,
    gate,
    guardrail,
    harm,
    plan_with,
    situation,
    suite_run,
    totals,
)

GATES = (
    gate(),
    gate("severe_override_rate", at_most=0.02),
    gate("invalid_output_rate", at_most=0.1),
    gate(name="by segment", segments="each"),
    gate(name="named segments", segments=("a", "nowhere")),
    gate(name="corrected", corrected_for_reviewers=True),
    gate("override_loss", at_most=0.1),
    gate("override_loss", name="loss by segment", at_most=0.1, segments="each"),
    gate("suite_score", suite="forms", at_least=0.9),
    gate("suite_regression", suite="forms", at_most=0.01),
    gate("open_critical_failures", at_most=0),
    gate("days_in_phase", at_least=30),
    gate("overide_rate"),
)
GUARDRAILS = (
    guardrail(),
    guardrail(name="each", segments="each"),
    guardrail("open_critical_failures", at_most=0),
    guardrail("error_rate"),
    guardrail("invalid_output_rate"),
)
PLAN = plan_with(Phase.SUPERVISED, gates=GATES, guardrails=GUARDRAILS)

ALSO_SAID = {
    "unsettled": "of cases that are too young nothing follows",
    "minimum_cases": "the plan asks for it; a verdict follows from it only near it",
}
"""Figures of a gate that no other figure of its record follows from; the digest of the snapshot covers them."""
ALSO_SAID_BY_GUARDRAILS = {"pending": "harm is what was measured, and days do not tell who is waited for"}
ASKED = {"limit", "confidence", "minimum_cases", "cases", "bad", "pending", "false_alarm_days"}
"""Told where nothing was concluded from it, so nothing follows from it there."""


def stored(of: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(json.dumps(of.to_dict(), allow_nan=False))
    return record


def handed_out(plan: Plan, known: Situation) -> dict[str, Any]:
    body = stored(judge(plan, known))
    return body | {"digest": digest_of(body)}


@st.composite
def sound_counts(draw: st.DrawFn) -> Counts:
    cases = draw(st.integers(0, 400))
    overridden = draw(st.integers(0, cases))
    void = draw(st.integers(0, cases - overridden))
    agreed = draw(st.integers(0, cases - overridden - void))
    severe = draw(st.integers(0, overridden))
    minor = draw(st.integers(0, overridden - severe))
    return Counts(cases, agreed, overridden, severe, void, draw(st.integers(0, cases)), 0, minor)


def counted(lane: Lane) -> st.SearchStrategy[dict[Cohort, Counts]]:
    days = st.integers(-2, 40).map(lambda days: TODAY - timedelta(days=days))
    cohorts = st.builds(Cohort, st.just(lane), st.sampled_from(["", "a", "b"]), days)
    mostly_good = st.integers(0, 300).map(lambda cases: Counts(cases=cases, agreed=cases))
    broken = st.just(Counts(cases=1, agreed=5))
    return st.dictionaries(cohorts, st.one_of(mostly_good, mostly_good, sound_counts(), broken), max_size=6)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    phase = draw(st.sampled_from(Phase))
    seen = draw(counted(LANES[phase]))
    return situation(
        phase,
        totals=seen,
        standing=draw(st.sampled_from(Standing)),
        ramp_step=draw(st.integers(0, 3)),
        ramp_since=draw(st.sampled_from([None, NOW - timedelta(days=1)])),
        suite_runs=draw(st.sampled_from([(), (suite_run(),), (suite_run(score=0.2),), (suite_run(cases=0),)])),
        open_failures=draw(st.sampled_from([{}, {Severity.CRITICAL: 2}])),
        frozen=draw(st.sampled_from([None, None, FreezeMode.ROUTING])),
        broken=draw(st.sampled_from([{}, {}, {Source.TOTALS: "it is away"}, {Source.FAILURES: "it is away"}])),
        seeded=draw(st.sampled_from([Seeded(0, 0), Seeded(95, 100, 190, 200), Seeded(2, 9, 1, 4)])),
        thresholds=Thresholds(
            closed=draw(st.sampled_from([{}, {"a": NOW}])), reopened=draw(st.sampled_from([{}, {"b": _EARLIER}]))
        ),
        readiness=draw(st.sampled_from([{}, {"runbook": YES}])),
    )


_EARLIER: datetime = NOW - timedelta(days=10)


def everywhere(phase: Phase) -> Plan:
    return plan_with(phase, gates=GATES, guardrails=GUARDRAILS)


@given(situations(), st.booleans())
def test_every_honest_record_agrees_with_itself(known: Situation, rich: bool) -> None:
    body = handed_out(everywhere(known.phase) if rich else PLAN, known)

    assert [part["name"] for part in body["gates"] if not recheck(part)] == []
    assert [part["name"] for part in body["guardrails"] if not recheck_guardrail(part)] == []
    assert [one for one in recheck_judgement(body) if not one.agrees] == []


def mixed() -> dict[Cohort, Counts]:
    """Harm in one segment, cases nobody ruled on, and several days."""
    seen = {**totals(cases=300, overridden=6, minor=2, pending=5), **totals(cases=80, overridden=40, segment="a")}
    day = TODAY - timedelta(days=9)
    return seen | {Cohort(Lane.REVIEW, "b", day): Counts(cases=400, agreed=398, overridden=2, severe=1)}


KNOWN = {
    "all is well": situation(seeded=Seeded(95, 100, 190, 200)),
    "harm": situation(totals=harm(Lane.REVIEW)),
    "settled harm": situation(totals=totals(cases=300, overridden=60)),
    "mixed": situation(totals=mixed(), seeded=Seeded(95, 100, 190, 200)),
    "no verdicts": situation(totals=totals(cases=300, pending=300)),
    "no cases": situation(totals={}),
    "a bad run": situation(suite_runs=(suite_run(score=0.5),), open_failures={Severity.CRITICAL: 1}),
}


def changes(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every number of a record a little or much larger, every one smaller, and every other verdict."""
    for name, value in part.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            for other in (value + 1, value * 1.01 + 0.001, value - 1):
                yield name, other
    for verdict in {"pass", "fail", "inconclusive", "no_evidence", "error"} - {part["verdict"]}:
        yield "verdict", verdict


def altered_days(part: Mapping[str, Any]) -> Iterator[list[Any]]:
    for index, day in enumerate(part.get("days") or []):
        for place in range(1, len(day)):
            more = [*day[:place], day[place] + 1, *day[place + 1 :]]
            yield [*part["days"][:index], more, *part["days"][index + 1 :]]


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_a_gate_altered_in_any_one_figure_does_not_agree(known: Situation) -> None:
    for part in stored(judge(PLAN, known))["gates"]:
        free = set(ALSO_SAID) | (ASKED if part["verdict"] in {"no_evidence", "error"} else set())
        free |= {"limit"} if part["kind"] in {"suite", "count", "days"} else set()  # the side of it is what counts
        free |= {"cases"} if part["kind"] == "suite" else set()
        if (part["bound"], part["other_bound"]) == (1.0, 0.0):  # nothing was learned, whatever was asked
            free |= {"confidence", "limit"}
        for name, value in changes(part):
            if name == "verdict" and part["verdict"] in {"no_evidence", "error"} and value in {"no_evidence", "error"}:
                continue  # neither concludes anything, and nothing was counted
            if name == "value" and part["kind"] in {"count", "days"} and not part["segments"]:
                continue  # on the same side of the limit; below it is held against the rest of the snapshot
            if name not in free or part["segments"]:
                assert not recheck(part | {name: value}), (part["name"], name, part[name], value)
        assert not any(recheck(part | {"days": days}) for days in altered_days(part))
        for index, inner in enumerate(part["segments"]):
            for name, value in changes(inner):
                whole = [*part["segments"][:index], inner | {name: value}, *part["segments"][index + 1 :]]
                unjudged = inner["verdict"] in {"no_evidence", "error"}
                if name not in ALSO_SAID and not (unjudged and (name in ASKED or value in {"no_evidence", "error"})):
                    assert not recheck(part | {"segments": whole}), (part["name"], name, inner[name], value)


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_a_guardrail_altered_in_any_one_figure_does_not_agree(known: Situation) -> None:
    for part in stored(judge(PLAN, known))["guardrails"]:
        unjudged = part["verdict"] in {"no_evidence", "error"}
        free = {"limit", "false_alarm_days"} if unjudged or part["kind"] == "count" else set()
        for name, value in changes(part):
            if name in ALSO_SAID_BY_GUARDRAILS and not part["segments"] and 0 <= value <= part["cases"] - part["bad"]:
                continue
            if unjudged and value in {"no_evidence", "error"}:
                continue  # neither concludes anything
            if name == "value" and part["breached"] and value > part["limit"]:
                continue  # above the limit as before; a gate on the same failures would differ
            if name not in free:
                assert not recheck_guardrail(part | {name: value}), (part["name"], name, part[name], value)
        assert not any(recheck_guardrail(part | {"days": days}) for days in altered_days(part))


def test_a_failure_is_not_hidden_by_saying_that_nothing_is_known() -> None:
    body = stored(judge(PLAN, KNOWN["settled harm"]))
    failed, fired = body["gates"][0], body["guardrails"][0]
    assert (failed["verdict"], fired["verdict"]) == ("fail", "fail")

    for verdict in ("no_evidence", "error"):
        assert not recheck(failed | {"verdict": verdict})
        assert not recheck_guardrail(fired | {"verdict": verdict, "breached": False})
        blank = {"seen": None, "bound": None, "log_harm": None, "nearness": 0.0, "since": None}
        assert not recheck_guardrail(fired | {"verdict": verdict, "breached": False} | blank)


def test_the_alarm_of_a_fired_guardrail_is_computed_again() -> None:
    fired = stored(judge(PLAN, KNOWN["harm"]))["guardrails"][0]

    assert recheck_guardrail(fired)
    for change in ({"false_alarm_days": 10**6}, {"since": "2026-11-01"}, {"since": None}, {"nearness": 0.5}):
        assert not recheck_guardrail(fired | change)


def test_the_family_of_a_guardrail_by_segments_is_one_and_whole() -> None:
    each = stored(judge(PLAN, KNOWN["mixed"]))["guardrails"][1]
    assert recheck_guardrail(each)
    assert each["closes"] == ["a"]

    alone = [part | {"false_alarm_days": 1000, "alarm_at": 6.907755278982137} for part in each["segments"]]
    assert not recheck_guardrail(each | {"segments": alone})
    assert not recheck_guardrail(each | {"cases": each["cases"] - 1})
    assert not recheck_guardrail(each | {"segments": [*each["segments"], each["segments"][0]]})


def test_where_segments_are_shown_to_be_is_computed_again() -> None:
    each = stored(judge(PLAN, KNOWN["mixed"]))["gates"][3]
    first, *others = each["segments"]

    assert recheck(each)
    assert not recheck(each | {"segments": [first | {"shown": "above"}, *others]})
    assert recheck(each | {"segments": [part | {"shown": None} for part in each["segments"]]})  # of before


DEMOTED = handed_out(PLAN, KNOWN["harm"])
READY = handed_out(plan_with(Phase.SUPERVISED, gates=(gate(),)), situation())
HELD = handed_out(PLAN, KNOWN["all is well"])

OTHER_FAILURES = [part | ({"value": 7} if part["kind"] == "count" else {}) for part in HELD["guardrails"]]


def disagreeing(body: Mapping[str, Any]) -> set[str]:
    digest = digest_of({name: value for name, value in body.items() if name != "digest"})
    return {one.name for one in recheck_judgement({**body, "digest": digest}) if not one.agrees}


@pytest.mark.parametrize(
    ("body", "change", "found"),
    [
        (READY, {}, set()),
        (READY, {"gates": []}, {"conclusion"}),
        (READY, {"target": None}, {"conclusion"}),
        (READY, {"target": {"phase": "full", "ramp_step": 0, "share": 0.05}}, {"conclusion"}),
        (READY, {"target": {"phase": "confidence", "ramp_step": 2, "share": 0.5}}, {"conclusion"}),
        (READY, {"without_signature": True}, {"conclusion"}),
        (READY, {"guardrails": DEMOTED["guardrails"]}, {"conclusion"}),
        (READY, {"verdict": "hold", "target": None}, {"reasons"}),
        (DEMOTED, {}, set()),
        (DEMOTED, {"target": {"phase": "evaluation", "ramp_step": 0, "share": 1.0}}, {"conclusion"}),
        (DEMOTED, {"verdict": "hold", "target": None}, {"conclusion", "reasons"}),
        (DEMOTED, {"verdict": "advance"}, {"conclusion", "reasons"}),
        (DEMOTED, {"guardrails": READY["guardrails"]}, {"conclusion", "reasons"}),
        (HELD, {}, set()),
        (HELD, {"verdict": "demote"}, {"conclusion", "reasons"}),
        (HELD, {"reasons": HELD["reasons"][1:]}, {"reasons"}),
        (HELD, {"share": 0}, {"conclusion"}),
        (HELD, {"guardrails": OTHER_FAILURES}, {"conclusion", "reasons"}),
        (HELD, {"days_in_phase": 3}, {"conclusion"}),
    ],
)
def test_a_conclusion_follows_from_what_was_judged(
    body: Mapping[str, Any], change: Mapping[str, Any], found: set[str]
) -> None:
    assert disagreeing({**body, **change}) == found


def test_an_item_is_done_only_with_a_link() -> None:
    item = {"key": "runbook", "category": "operations", "question": "Is there one?", "answer": "yes", "done": True}
    item |= {"words": "Yes.", "link": "https://wiki.example/run", "owner": "", "due": None}

    assert disagreeing(READY | {"readiness": [item]}) == set()
    assert disagreeing(READY | {"readiness": [item | {"link": " "}]}) == {"readiness"}
    assert disagreeing(READY | {"readiness": [item | {"done": False, "answer": "no"}]}) == {"conclusion"}


def test_failures_that_have_cost_a_phase_hold_and_do_not_demote_again() -> None:
    plan = plan_with(Phase.SUPERVISED, gates=(gate(),), guardrails=(guardrail("open_critical_failures", at_most=0),))
    body = handed_out(plan, situation(open_failures={Severity.CRITICAL: 1}))
    rail = body["guardrails"][0]
    held = {"code": "critical_failure_open", "words": "", "what_would_change": "", "about": rail["name"]}

    assert disagreeing(body) == set()
    assert disagreeing(body | {"verdict": "hold", "target": None, "reasons": [held]}) == set()
    assert "conclusion" in disagreeing(body | {"verdict": "hold", "target": None, "reasons": []})


def test_the_digest_is_that_of_the_release_that_wrote_it() -> None:
    assert [one.agrees for one in recheck_judgement(READY | {"version": "v2"})] == [True, True, True, False]
    forecast = [part | {"forecast": {"words": "soon"}} for part in READY["gates"]]
    assert all(one.agrees for one in recheck_judgement(READY | {"gates": forecast, "seen_again_at": "2026-11-23"}))


def test_a_version_without_a_plan_or_retired_holds() -> None:
    retired = handed_out(PLAN, replace(KNOWN["harm"], standing=Standing.RETIRED))
    assert disagreeing(retired) == set()
    nothing = {"code": "no_plan", "words": "", "what_would_change": "", "about": None}
    bare = retired | {"gates": [], "guardrails": [], "readiness": [], "plan_digest": "", "reasons": [nothing]}
    assert disagreeing(bare) == set()
    assert disagreeing(bare | {"plan_digest": "a"}) == {"reasons"}
