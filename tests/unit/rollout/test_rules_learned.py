"""
Rules learned from the defects of other tools; each of them is a test here.

What the pure rules can hold is held here. Stable arms and shares are the router's (tests/unit/routing), break-glass
and catching up after downtime are the services' (tests/integration).
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from rollout.domain.approval import Evidence, Ruling, Signature, State, approval_state, ask
from rollout.domain.judge import Judgement, judge
from rollout.domain.metrics import METRICS, Use
from rollout.domain.phase import FreezeMode, Phase, Severity, Standing
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.situation import Situation, Source
from rollout.domain.totals import Cohort
from rollout.domain.verdict import Conclusion, Verdict
from tests.unit.rollout.making import (
    LANES,
    NOW,
    TODAY,
    counts,
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

SUITE: dict[str, Any] = {"metric": "suite_regression", "suite": "forms", "at_most": 0.01}


def judged(phase: Phase = Phase.SUPERVISED, **more: Any) -> Judgement:
    return judge(plan(), situation(phase, **more))


class TestNoEvidenceIsNeverAPass:
    def test_no_gates(self) -> None:
        for phase in Phase:
            assert judge(plan_with(phase, gates=()), situation(phase)).verdict is not Conclusion.ADVANCE

    @pytest.mark.parametrize("phase", list(Phase))
    def test_no_data(self, phase: Phase) -> None:
        judgement = judged(phase, totals={}, suite_runs=())

        assert judgement.verdict is Conclusion.HOLD
        assert {gate.verdict for gate in judgement.gates} == {Verdict.NO_EVIDENCE}

    @pytest.mark.parametrize("phase", list(Phase)[1:])
    def test_stale_data(self, phase: Phase) -> None:
        old = {Cohort(LANES[phase], "", TODAY - timedelta(days=15)): counts(1000)}

        judgement = judged(phase, totals=old)

        assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.NO_EVIDENCE)

    @pytest.mark.parametrize("phase", [Phase.CONFIDENCE, Phase.FULL])
    def test_data_of_before_the_ramp_step_alone(self, phase: Phase) -> None:
        """The traffic stops: what was counted at a smaller share must not carry the version on, step after step."""
        began = {"ramp_step": 1, "ramp_since": NOW - timedelta(days=8)}
        before = {Cohort(LANES[phase], "", TODAY - timedelta(days=9)): counts(1000)}
        since = {**before, Cohort(LANES[phase], "", TODAY - timedelta(days=8)): counts(1)}

        stopped, going_on = judged(phase, totals=before, **began), judged(phase, totals=since, **began)

        assert (stopped.verdict, stopped.gates[0].verdict) == (Conclusion.HOLD, Verdict.NO_EVIDENCE)
        assert "no case has come in since 15 Nov 2026" in stopped.gates[0].words
        assert going_on.verdict is Conclusion.ADVANCE

    def test_a_segment_without_new_cases_does_not_stop_the_others(self) -> None:
        lane, began = LANES[Phase.CONFIDENCE], {"ramp_step": 1, "ramp_since": NOW - timedelta(days=8)}
        seen = {
            Cohort(lane, "rare", TODAY - timedelta(days=9)): counts(1000),
            Cohort(lane, "frequent", TODAY - timedelta(days=9)): counts(1000),
            Cohort(lane, "frequent", TODAY): counts(1),
        }
        by_segment = plan_with(Phase.CONFIDENCE, gates=(gate("error_rate", segments="each"),))

        judgement = judge(by_segment, situation(Phase.CONFIDENCE, totals=seen, **began))

        assert judgement.verdict is Conclusion.ADVANCE

    def test_a_terminated_run(self) -> None:
        judgement = judged(Phase.EVALUATION, suite_runs=(suite_run(finished=False),))

        assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.ERROR)

    def test_a_run_of_another_version_or_of_an_older_suite(self) -> None:
        for run in (suite_run(version="v0"), suite_run(current=False)):
            judgement = judged(Phase.EVALUATION, suite_runs=(run,))

            assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.NO_EVIDENCE)

    def test_an_unknown_metric_name(self) -> None:
        misspelt = plan_with(Phase.SUPERVISED, gates=(gate(), gate("overide_rate")))

        judgement = judge(misspelt, situation())

        assert (judgement.verdict, judgement.gates[1].verdict) == (Conclusion.HOLD, Verdict.ERROR)

    def test_a_baseline_that_does_not_exist(self) -> None:
        compared = plan_with(Phase.EVALUATION, gates=(gate(**SUITE),))

        judgement = judge(compared, situation(Phase.EVALUATION, suite_runs=(suite_run(baseline=None),)))

        assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.NO_EVIDENCE)

    def test_cases_that_nobody_ruled_on(self) -> None:
        judgement = judged(totals=totals(cases=1000, pending=1000))

        assert judgement.verdict is Conclusion.HOLD
        assert judgement.gates[0].verdict is Verdict.INCONCLUSIVE

    def test_evidence_of_another_lane(self) -> None:
        for phase, lane in product(list(Phase)[1:], LANES.values()):
            if lane is not LANES[phase]:
                assert judged(phase, totals=totals(lane, 1000)).verdict is Conclusion.HOLD


class TestAPlanThatCannotWorkIsRefusedWhenItIsLoaded:
    @pytest.mark.parametrize(
        "gates",
        [
            pytest.param([], id="a phase without a gate"),
            pytest.param([{"metric": "days_in_phase", "at_least": 9}], id="time as the only gate"),
            pytest.param([{"metric": "override_rate", "at_most": 1}], id="a limit that everything meets"),
            pytest.param([{"metric": "override_rate", "at_most": 0.1, "minimum_cases": 0}], id="a gate on no cases"),
            pytest.param([{"metric": "override_rate", "at_most": 0.1, "confidence": 0.5}], id="a coin's confidence"),
            pytest.param([{"metric": "override_rate", "at_most": 0.1, "segments": []}], id="a gate on no segment"),
            pytest.param([{"metric": "override_rate"}], id="a gate without a limit"),
        ],
    )
    def test_because_it_could_pass_without_evidence(self, gates: list[dict[str, Any]]) -> None:
        self.refuse(gates)

    @pytest.mark.parametrize(
        "gates",
        [
            pytest.param([{"metric": "override_rate", "at_most": 0}], id="a limit that nothing meets"),
            pytest.param([{"metric": "override_rate", "at_most": 1e-9}], id="a limit that needs milliards of cases"),
            pytest.param([{"metric": "override_rate", "at_most": 0.1, "confidence": 1}], id="a certainty"),
            pytest.param([{"metric": "error_rate", "at_most": 0.1}], id="a lane that the phase does not have"),
            pytest.param([{"metric": "overide_rate", "at_most": 0.1}], id="a metric that does not exist"),
            pytest.param([{"metric": "override_rate", "at_most": 0.1, "at_least": 0.2}], id="two limits"),
        ],
    )
    def test_because_it_could_never_pass(self, gates: list[dict[str, Any]]) -> None:
        self.refuse(gates)

    def refuse(self, gates: list[dict[str, Any]]) -> None:
        data = plan_data()
        data["phases"]["supervised"]["gates"] = gates
        with pytest.raises(PlanInvalid) as refused:
            plan_from_data(data)
        assert all(problem.problem and problem.mend for problem in refused.value.problems)


class TestAFailingSourceHoldsAndTells:
    @pytest.mark.parametrize("phase", list(Phase)[1:])
    def test_and_never_demotes(self, phase: Phase) -> None:
        said = "the database did not answer"

        for source, more in (
            (Source.TOTALS, {"totals": harm(LANES[phase])}),
            (Source.FAILURES, {"open_failures": {Severity.CRITICAL: 9}}),
        ):
            judgement = judged(phase, **more, broken={source: said})

            assert judgement.verdict is Conclusion.HOLD
            assert any(said in reason.words for reason in judgement.reasons)

    def test_a_suite_that_could_not_be_read_is_an_error(self) -> None:
        judgement = judged(Phase.EVALUATION, broken={Source.SUITES: "the file is not there"})

        assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.ERROR)

    def test_and_the_other_sources_are_judged_as_ever(self) -> None:
        judgement = judged(open_failures={Severity.CRITICAL: 1}, broken={Source.TOTALS: "no answer"})

        assert judgement.verdict is Conclusion.DEMOTE

    def test_an_empty_answer_is_not_a_zero(self) -> None:
        judgement = judged(totals={})

        assert (judgement.gates[0].bound, judgement.gates[0].seen) == (None, None)
        assert judgement.guardrails[0].verdict is Verdict.NO_EVIDENCE


class TestHarmMayBeConcludedEarlyAndSuccessMayNot:
    def test_a_guardrail_fires_before_the_minimum_of_cases_and_of_days(self) -> None:
        first_day = {Cohort(LANES[Phase.SUPERVISED], "", TODAY): counts(15, 12)}

        judgement = judged(totals=first_day, phase_since=NOW - timedelta(hours=3))

        assert judgement.verdict is Conclusion.DEMOTE

    def test_a_gate_does_not_pass_before_them(self) -> None:
        perfect = totals(cases=99)
        lenient = plan_with(Phase.SUPERVISED, gates=(gate(at_most=0.3),))

        assert judge(lenient, situation(totals=perfect)).gates[0].verdict is Verdict.INCONCLUSIVE
        assert judge(lenient, situation(totals=totals(cases=100))).verdict is Conclusion.ADVANCE
        assert judge(lenient, situation(phase_since=NOW - timedelta(days=6))).verdict is Conclusion.HOLD

    def test_a_gate_fails_before_the_minimum_of_cases(self) -> None:
        assert judged(totals=totals(cases=20, overridden=15)).gates[0].verdict is Verdict.FAIL


STATES = [
    pytest.param({}, id="as ever"),
    pytest.param({"frozen": FreezeMode.ROUTING}, id="frozen"),
    pytest.param({"frozen": FreezeMode.ADVANCING}, id="advancing frozen"),
    pytest.param({"glass_until": NOW + timedelta(hours=2)}, id="break-glass open"),
    pytest.param({"reviews_held": ()}, id="a review overdue"),
    pytest.param({"standing": Standing.STABLE}, id="stable"),
    pytest.param({"phase_since": NOW}, id="just entered"),
    pytest.param({"suite_runs": ()}, id="never evaluated"),
    pytest.param({"broken": {Source.SUITES: "no answer", Source.FAILURES: "no answer"}}, id="other sources broken"),
    pytest.param({"ramp_step": 3}, id="at the last step"),
    pytest.param({"now": NOW.replace(hour=3)}, id="outside the window"),
]


class TestGuardrailsWorkInEveryState:
    """
    Waiting for people is no state of its own to a judge: it has no input by which a pending signature could stop
    a guardrail. That signatures fall when one fires is shown below.
    """

    WINDOWED = plan(windows=[{"from": "09:00", "to": "12:00"}])

    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("phase", list(Phase)[1:])
    def test_walking_all_states(self, phase: Phase, state: dict[str, Any]) -> None:
        known = situation(phase, **{"totals": harm(LANES[phase]), **state})
        if "now" in state:
            known = replace(known, totals=harm(LANES[phase]))

        judgement = judge(self.WINDOWED, known)

        assert judgement.verdict is Conclusion.DEMOTE
        assert judgement.target is not None
        assert judgement.target.phase is phase.previous
        assert judgement.guardrails[0].breached

    @pytest.mark.parametrize("state", STATES)
    def test_also_in_evaluation_where_there_is_nothing_to_take_away(self, state: dict[str, Any]) -> None:
        guarded = plan_with(Phase.EVALUATION, guardrails=(guardrail("invalid_output_rate"),))
        broken = {Cohort(LANES[Phase.EVALUATION], "", TODAY): counts(60, pending=60, invalid_output=50)}

        judgement = judge(guarded, situation(Phase.EVALUATION, **{**state, "totals": broken}))

        assert judgement.guardrails[0].breached
        assert judgement.verdict is Conclusion.HOLD

    def test_retired_is_the_only_terminal_state(self) -> None:
        verdicts = {standing: judged(totals=harm(LANES[Phase.SUPERVISED]), standing=standing) for standing in Standing}

        assert [standing for standing, found in verdicts.items() if found.verdict is not Conclusion.DEMOTE] == [
            Standing.RETIRED
        ]

    def test_while_people_are_being_waited_for(self) -> None:
        asked = ask(plan(), "8c41", judged(), asked_by="jonas", owner="maria")
        later = judged(totals=harm(LANES[Phase.SUPERVISED]))
        signature = Signature("8c41", "maria", Ruling.SIGNED, NOW)

        assert later.verdict is Conclusion.DEMOTE
        assert approval_state(asked, [signature], Evidence.of("9d52", later), NOW).state is State.CHANGED


class TestTimersHoldAndNeverAdvance:
    @pytest.mark.parametrize("phase", list(Phase))
    def test_no_time_that_passes_takes_the_place_of_evidence(self, phase: Phase) -> None:
        for days in (1, 30, 400, 4000):
            waited = situation(phase, totals={}, suite_runs=(), phase_since=NOW - timedelta(days=days))

            assert judge(plan(), waited).verdict is Conclusion.HOLD

    def test_a_window_and_a_freeze_stop_advancing(self) -> None:
        windowed = plan(windows=[{"from": "11:00", "to": "12:00"}])

        assert judge(windowed, situation()).verdict is Conclusion.HOLD
        for mode in FreezeMode:
            assert judged(frozen=mode).verdict is Conclusion.HOLD

    def test_a_window_and_a_freeze_do_not_stop_demotion(self) -> None:
        windowed = plan(windows=[{"from": "11:00", "to": "12:00"}])
        harmed = situation(totals=harm(LANES[Phase.SUPERVISED]), frozen=FreezeMode.ROUTING)

        assert judge(windowed, harmed).verdict is Conclusion.DEMOTE

    def test_an_opening_window_does_not_skip_the_look(self) -> None:
        """What was true when the window closed is judged again when it opens."""
        windowed = plan(windows=[{"from": "09:00", "to": "12:00"}])
        overnight = situation(now=NOW + timedelta(days=1), totals=totals(cases=300, overridden=60))

        assert judge(windowed, situation()).verdict is Conclusion.ADVANCE
        assert judge(windowed, overnight).verdict is not Conclusion.ADVANCE


class TestApprovalComesLast:
    """One version, one step, one snapshot, once. See test_approval for each of its states."""

    def state(self, signature: Signature, *, present: Judgement | None = None, hours: int = 1) -> State:
        asked = ask(plan(), "8c41", judged(), asked_by="maria", owner="maria")
        newest = Evidence.of("9d52", present or judged())
        return approval_state(asked, [signature], newest, NOW + timedelta(hours=hours)).state

    def test_a_signature_for_this_evidence_is_taken(self) -> None:
        assert self.state(Signature("8c41", "maria", Ruling.SIGNED, NOW)) is State.APPROVED

    def test_a_signature_given_before_the_evidence_is_not(self) -> None:
        early = Signature("8c41", "maria", Ruling.SIGNED, NOW - timedelta(minutes=1))

        assert self.state(early) is State.WAITING

    def test_evidence_that_has_aged_or_changed_is_refused(self) -> None:
        signature = Signature("8c41", "maria", Ruling.SIGNED, NOW)

        assert self.state(signature, hours=48) is State.AGED
        assert self.state(signature, present=judged(totals={})) is State.CHANGED
        assert self.state(signature, present=judged(version="v2")) is State.CHANGED
        assert self.state(signature, present=judged(epoch=2)) is State.CHANGED

    def test_the_one_who_asks_is_not_the_second_approver(self) -> None:
        two = plan(approvals={"second_person_for": ["confidence"]})
        asked = ask(two, "8c41", judge(two, situation()), asked_by="ines", owner="maria")
        both = [Signature("8c41", login, Ruling.SIGNED, NOW) for login in ("maria", "ines")]

        assert approval_state(asked, both, asked.evidence, NOW).state is State.WAITING

    def test_rejection_is_a_state_with_a_reason(self) -> None:
        refusal = Signature("8c41", "maria", Ruling.REFUSED, NOW, "Wait for the audit.")

        assert self.state(refusal) is State.REFUSED


class TestTheDirectionOfEveryMetricIsWrittenInTheGate:
    @pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if Use.GATE in metric.uses])
    def test_the_wrong_direction_is_refused(self, name: str) -> None:
        metric = METRICS[name]
        phase = max(metric.phases)
        data = plan_data()
        suite = {"suite": "forms"} if metric.unit == "score" else {}
        asked = {"name": "more", "metric": name, metric.better.other.value: 0.5, **suite}
        data["phases"][phase.value]["gates"].append(asked)

        with pytest.raises(PlanInvalid, match=f"is better, so the limit is {metric.better.value}"):
            plan_from_data(data)


class TestEveryHoldTellsWhatWouldChangeIt:
    @pytest.mark.parametrize("state", STATES[1:])
    @pytest.mark.parametrize("phase", list(Phase))
    def test_with_a_sentence_and_the_record_it_rests_on(self, phase: Phase, state: dict[str, Any]) -> None:
        for seen in ({}, harm(LANES[phase]), totals(LANES[phase], 50)):
            judgement = judge(plan(), situation(phase, **{"totals": seen, **state}))

            names = {result.name for result in judgement.gates} | {result.name for result in judgement.guardrails}
            for reason in judgement.reasons:
                assert reason.words.endswith(".")
                assert reason.what_would_change or reason.code == "last_phase"
                assert reason.about is None or reason.about in names
            assert judgement.next_look_at > judgement.at


class TestCatchingUpSkipsNothing:
    def test_however_long_nobody_looked_the_next_step_is_one_step(self) -> None:
        for days in (7, 70, 700):
            late = situation(Phase.CONFIDENCE, phase_since=NOW - timedelta(days=days), ramp_step=0)

            judgement = judge(plan(), late)

            assert judgement.target is not None
            assert (judgement.target.phase, judgement.target.ramp_step) == (Phase.CONFIDENCE, 1)


def test_a_situation_says_nothing_by_default() -> None:
    """Forgetting to hand something in can only hold."""
    bare = Situation(version="v1", phase=Phase.SHADOW, phase_since=NOW - timedelta(days=99), now=NOW)

    assert (bare.totals, bare.suite_runs, bare.readiness, bare.reviews_held) == ({}, (), {}, ())
    assert judge(plan(), bare).verdict is Conclusion.HOLD
