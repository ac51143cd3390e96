import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.domain.judge import Judgement, Step, judge, present_step, step_up
from rollout.domain.phase import FreezeMode, Lane, Phase, Severity, Standing
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import plan_from_data
from rollout.domain.situation import Answer, Answered, Situation, Source
from rollout.domain.verdict import Conclusion, Verdict, digest_of
from tests.unit.rollout.making import (
    LANES,
    NOW,
    YES,
    gate,
    guardrail,
    harm,
    plan,
    plan_data,
    plan_with,
    situation,
    suite_run,
    totals,
)

LAST = 3  # the last of the four usual ramp steps


def codes(judgement: Judgement) -> list[str]:
    return [reason.code for reason in judgement.reasons]


def judged(phase: Phase = Phase.SUPERVISED, of: Plan | None = None, **more: Any) -> Judgement:
    return judge(of or plan(), situation(phase, **more))


class TestAdvance:
    @pytest.mark.parametrize(
        ("phase", "step", "target"),
        [
            (Phase.EVALUATION, 0, Step(Phase.SHADOW, 0, 1.0)),
            (Phase.SHADOW, 0, Step(Phase.SUPERVISED, 0, 1.0)),
            (Phase.SUPERVISED, 0, Step(Phase.CONFIDENCE, 0, 0.05)),
            (Phase.CONFIDENCE, 0, Step(Phase.CONFIDENCE, 1, 0.25)),
            (Phase.CONFIDENCE, 2, Step(Phase.CONFIDENCE, 3, 1.0)),
            (Phase.CONFIDENCE, 3, Step(Phase.FULL, 0, 0.05)),
            (Phase.FULL, 0, Step(Phase.FULL, 1, 0.25)),
        ],
    )
    def test_goes_one_step_at_a_time(self, phase: Phase, step: int, target: Step) -> None:
        judgement = judged(phase, ramp_step=step)

        assert judgement.verdict is Conclusion.ADVANCE
        assert judgement.target == target
        assert codes(judgement) == ["all_pass"]

    def test_says_what_happens_next(self) -> None:
        reason = judged().reasons[0]

        assert reason.words == "The gate passes, and nothing stands against it."
        assert reason.what_would_change == "It goes to Confidence at 5\u00a0% when it is signed for."
        two = plan_with(Phase.SUPERVISED, gates=(gate(), gate("severe_override_rate")))
        assert judged(of=two).reasons[0].words == "All 2 gates pass, and nothing stands against it."

    def test_a_ramp_step_may_be_taken_without_a_signature_where_the_plan_says_so(self) -> None:
        automatic = plan(approvals={"ramp_approval": "automatic"})

        inside = judged(Phase.CONFIDENCE, automatic)
        assert inside.without_signature
        assert inside.reasons[0].what_would_change == "It goes to Confidence at 25\u00a0% by itself."
        assert not judged(Phase.CONFIDENCE, automatic, ramp_step=LAST).without_signature
        assert not judged(Phase.SUPERVISED, automatic).without_signature
        assert not judged(Phase.CONFIDENCE).without_signature
        assert not judged(Phase.CONFIDENCE, automatic, totals={}).without_signature

    def test_after_the_last_step_of_the_last_phase_there_is_nothing(self) -> None:
        judgement = judged(Phase.FULL, ramp_step=LAST)

        assert (judgement.verdict, judgement.target, codes(judgement)) == (Conclusion.HOLD, None, ["last_phase"])
        assert judgement.phase is Phase.FULL
        assert judgement.share == 1.0

    def test_in_the_last_step_a_gate_that_no_longer_passes_is_told_all_the_same(self) -> None:
        assert codes(judged(Phase.FULL, ramp_step=LAST, totals={})) == ["gate_no_evidence", "last_phase"]

    def test_a_ramp_step_that_the_plan_does_not_have_is_its_last(self) -> None:
        assert present_step(plan(), situation(Phase.CONFIDENCE, ramp_step=9)).ramp_step == LAST
        assert present_step(plan(), situation(Phase.CONFIDENCE, ramp_step=-1)).ramp_step == 0
        assert step_up(plan(), situation(Phase.SHADOW, ramp_step=9)) == Step(Phase.SUPERVISED, 0, 1.0)


class TestHold:
    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"totals": {}}, "gate_no_evidence"),
            ({"totals": totals(cases=50)}, "gate_inconclusive"),
            ({"broken": {Source.FAILURES: "no answer"}}, "failures_unknown"),
            ({"phase_since": NOW - timedelta(days=6, hours=23)}, "minimum_time"),
            ({"reviews_held": ()}, "review_overdue"),
            ({"frozen": FreezeMode.ROUTING}, "frozen_routing"),
            ({"frozen": FreezeMode.ADVANCING}, "frozen_advancing"),
            ({"glass_until": NOW + timedelta(hours=2)}, "glass_open"),
            ({"glass_until": NOW - timedelta(hours=2)}, "glass_open"),
        ],
    )
    def test_any_one_thing_holds(self, more: dict[str, Any], code: str) -> None:
        judgement = judged(**more)

        assert judgement.verdict is Conclusion.HOLD
        assert judgement.target is None
        assert code in codes(judgement)
        assert all(reason.words and reason.what_would_change for reason in judgement.reasons)

    def test_a_failed_gate_holds_and_does_not_demote(self) -> None:
        lenient = plan_with(Phase.SUPERVISED, guardrails=(guardrail(at_most=0.9),))

        judgement = judged(of=lenient, totals=totals(cases=300, overridden=60))

        assert (judgement.verdict, codes(judgement)) == (Conclusion.HOLD, ["gate_failed"])
        assert judgement.reasons[0].about == "override_rate"

    def test_a_plan_without_gates_holds(self) -> None:
        for phase in list(Phase):
            assert judged(phase, plan_with(phase, gates=())).verdict is Conclusion.HOLD
        assert codes(judged(of=plan_with(Phase.SUPERVISED, gates=()))) == ["no_gates"]

    def test_a_phase_without_gates_and_without_a_next_step_is_simply_the_last(self) -> None:
        last = plan_with(Phase.FULL, gates=(), ramp=(1.0,))

        assert codes(judged(Phase.FULL, last)) == ["last_phase"]

    def test_an_open_critical_failure_holds_where_no_guardrail_watches_for_it(self) -> None:
        unguarded = plan_with(Phase.SUPERVISED, guardrails=())

        judgement = judged(of=unguarded, open_failures={Severity.CRITICAL: 2})

        assert codes(judgement) == ["critical_failure_open"]
        assert judgement.reasons[0].words == "2 critical failures are open."
        assert judged(of=unguarded, open_failures={Severity.SEVERE: 2}).verdict is Conclusion.ADVANCE

    def test_a_guardrail_that_cannot_be_judged_holds(self) -> None:
        unknown = plan_with(Phase.SUPERVISED, guardrails=(guardrail("overide_rate"),))

        assert codes(judged(of=unknown)) == ["guardrail_error"]

    def test_a_guardrail_without_cases_does_not_hold_as_the_gates_ask_for_evidence(self) -> None:
        quiet = plan_with(Phase.CONFIDENCE, guardrails=(guardrail(),))

        judgement = judged(Phase.CONFIDENCE, quiet)

        assert judgement.guardrails[0].verdict is Verdict.NO_EVIDENCE
        assert judgement.verdict is Conclusion.ADVANCE

    def test_a_retired_version_goes_nowhere(self) -> None:
        judgement = judged(standing=Standing.RETIRED, totals=harm(Lane.REVIEW))

        assert (judgement.verdict, codes(judgement)) == (Conclusion.HOLD, ["retired"])

    def test_the_strongest_reason_comes_first(self) -> None:
        judgement = judged(totals={}, frozen=FreezeMode.ADVANCING, reviews_held=(), phase_since=NOW - timedelta(days=1))

        assert codes(judgement) == [
            "gate_no_evidence", "minimum_time", "review_overdue", "frozen_advancing",
        ]  # fmt: skip


class TestTimes:
    def test_the_minimum_of_the_phase_is_asked_when_it_is_left(self) -> None:
        young = {"phase_since": NOW - timedelta(days=10), "ramp_since": NOW - timedelta(days=8)}
        slow = plan_with(Phase.CONFIDENCE, minimum_days=21)

        assert judged(Phase.CONFIDENCE, slow, **young).verdict is Conclusion.ADVANCE
        leaving = judged(Phase.CONFIDENCE, slow, ramp_step=LAST, **young)
        assert codes(leaving) == ["minimum_time"]
        assert leaving.reasons[0].words == "10 days in the phase; at least 21 days are asked for."
        assert leaving.reasons[0].what_would_change == "11 days more."

    @pytest.mark.parametrize(("hours", "held"), [(7 * 24 - 1, True), (7 * 24, False)])
    def test_each_ramp_step_has_its_own_minimum(self, hours: int, held: bool) -> None:
        for step in (0, LAST):
            judgement = judged(Phase.CONFIDENCE, ramp_step=step, ramp_since=NOW - timedelta(hours=hours))

            assert ("ramp_minimum_time" in codes(judgement)) is held

    def test_the_first_step_counts_from_the_entry_of_the_phase(self) -> None:
        judgement = judged(Phase.CONFIDENCE, phase_since=NOW - timedelta(days=3))

        assert "ramp_minimum_time" in codes(judgement)


class TestPeople:
    def asking(self) -> Plan:
        data = plan_data()
        item = {"key": "runbook", "category": "operations", "question": "Is there a runbook?"}
        data["phases"]["confidence"]["readiness"] = [item]
        return plan_from_data(data)

    def test_the_checklist_is_complete_before_the_phase_is_left(self) -> None:
        open_item = judged(Phase.CONFIDENCE, self.asking(), ramp_step=LAST)
        assert codes(open_item) == ["readiness_open"]
        assert open_item.reasons[0].words == "Is there a runbook? Not answered, which counts as a no."
        assert open_item.reasons[0].about == "runbook"

        done = judged(Phase.CONFIDENCE, self.asking(), ramp_step=LAST, readiness={"runbook": YES})
        assert done.verdict is Conclusion.ADVANCE

    def test_the_checklist_does_not_stand_against_a_ramp_step(self) -> None:
        judgement = judged(Phase.CONFIDENCE, self.asking(), readiness={"runbook": Answered(Answer.NO)})

        assert judgement.verdict is Conclusion.ADVANCE
        assert not judgement.readiness[0].done

    @pytest.mark.parametrize(("days", "held"), [(7, False), (8, True)])
    def test_an_overdue_review_holds(self, days: int, held: bool) -> None:
        judgement = judged(reviews_held=(NOW - timedelta(days=days),))

        assert ("review_overdue" in codes(judgement)) is held

    def test_no_review_is_due_before_evaluation_is_left(self) -> None:
        judgement = judged(Phase.EVALUATION, first_phase_at=None, reviews_held=())

        assert judgement.verdict is Conclusion.ADVANCE


class TestWindows:
    TUESDAY = ({"days": ["tue"], "from": "09:00", "to": "12:00"},)

    def test_outside_every_window_it_holds_and_says_when_the_next_opens(self) -> None:
        judgement = judged(of=plan(windows=[*self.TUESDAY]))

        assert codes(judgement) == ["outside_window"]
        assert judgement.reasons[0].what_would_change == "The next window opens on 24 Nov, 09:00 UTC."

    def test_inside_a_window_it_advances(self) -> None:
        tuesday = NOW + timedelta(days=1)

        assert judge(plan(windows=[*self.TUESDAY]), situation(now=tuesday)).verdict is Conclusion.ADVANCE


class TestDemote:
    @pytest.mark.parametrize("phase", list(Phase)[1:])
    def test_goes_back_by_one_phase_and_starts_there_at_the_first_step(self, phase: Phase) -> None:
        judgement = judged(phase, totals=harm(LANES[phase]), ramp_step=2)

        assert judgement.verdict is Conclusion.DEMOTE
        assert judgement.target is not None
        assert judgement.target.phase is phase.previous
        assert judgement.target.ramp_step == 0
        assert codes(judgement) == ["guardrail_breached"]
        assert "goes back to" in judgement.reasons[0].what_would_change

    def test_in_evaluation_it_stays_and_holds(self) -> None:
        judgement = judged(Phase.EVALUATION, open_failures={Severity.CRITICAL: 1})

        assert (judgement.verdict, judgement.target) == (Conclusion.HOLD, None)
        assert codes(judgement) == ["guardrail_breached", "critical_failure_open"]
        assert judgement.reasons[0].what_would_change.startswith("It is in its first phase")

    def test_every_breach_is_told(self) -> None:
        judgement = judged(totals=harm(Lane.REVIEW), open_failures={Severity.CRITICAL: 1})

        assert [reason.about for reason in judgement.reasons] == ["override_rate", "open_critical_failures"]


class TestNextLook:
    def at(self, **more: Any) -> datetime:
        return judged(**more).next_look_at

    def test_is_after_the_time_that_the_plan_says(self) -> None:
        hourly = plan_with(Phase.SUPERVISED, look_every=1.0)

        assert self.at(of=hourly) == NOW + timedelta(hours=1)

    def test_is_at_the_turn_of_the_day_when_more_cases_have_settled(self) -> None:
        assert self.at() == NOW.replace(day=24, hour=0)

    def test_is_when_the_minimum_time_is_over(self) -> None:
        soon = NOW + timedelta(hours=2)

        assert self.at(phase_since=soon - timedelta(days=7)) == soon
        ramp = judged(Phase.CONFIDENCE, ramp_since=soon - timedelta(days=7))
        assert ramp.next_look_at == soon

    def test_is_when_a_window_opens(self) -> None:
        today = plan(windows=[{"from": "11:30", "to": "12:00"}])

        assert self.at(of=today) == NOW.replace(hour=11, minute=30)

    def test_is_when_break_glass_ends(self) -> None:
        assert self.at(glass_until=NOW + timedelta(minutes=20)) == NOW + timedelta(minutes=20)

    def test_is_always_later_than_now(self) -> None:
        midnight = replace(situation(), now=NOW.replace(hour=0))

        assert judge(plan(), midnight).next_look_at > midnight.now


class TestRecord:
    def test_is_plain_json_and_complete(self) -> None:
        for phase in Phase:
            record = judged(phase).to_dict()

            assert json.loads(json.dumps(record, allow_nan=False)) == record
            assert record["at"] == "2026-11-23T10:00:00Z"
            assert record["gates"][0]["verdict"] == "pass"
        assert record["plan_digest"] == plan().digest

    def test_the_same_situation_gives_the_same_judgement(self) -> None:
        assert judged() == judged()
        assert digest_of(judged().to_dict()) == digest_of(judged().to_dict())

    def test_a_look_that_finds_just_the_same_has_the_same_digest(self) -> None:
        def look(hours: int, **more: Any) -> str:
            return digest_of(judge(plan(), situation(now=NOW + timedelta(hours=hours), **more)).to_dict())

        assert look(0) == look(5)
        assert look(0) != look(0, totals=totals(cases=301))
        assert look(0) != look(0, suite_runs=(), frozen=FreezeMode.ADVANCING)

    def test_what_an_open_window_changes_is_not_lost(self) -> None:
        windows = plan(windows=[{"from": "09:00", "to": "12:00"}])

        assert judge(windows, situation()).verdict is Conclusion.ADVANCE
        assert judge(windows, situation(now=NOW + timedelta(hours=4))).verdict is Conclusion.HOLD


def test_an_empty_situation_holds_in_every_phase() -> None:
    for phase in Phase:
        bare = Situation(version="v1", phase=phase, phase_since=NOW - timedelta(days=99), now=NOW)

        assert judge(plan(), bare).verdict is Conclusion.HOLD


def test_a_suite_run_for_another_version_advances_nobody() -> None:
    judgement = judged(Phase.EVALUATION, suite_runs=(suite_run(version="v0"),))

    assert codes(judgement) == ["gate_no_evidence"]
