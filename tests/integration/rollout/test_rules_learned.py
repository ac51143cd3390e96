"""
"Rules learned from others' defects", as far as they concern what is stored and who presses when.

Those that are pure judgement stand in tests/unit/rollout/test_rules_learned.py.
"""

import pytest

from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.errors import Conflict, Invalid
from rollout.domain.phase import FreezeMode, Phase
from rollout.domain.plan_yaml import PlanInvalid
from rollout.domain.totals import Counts
from rollout.gates import service as gates
from rollout.gates import tasks
from rollout.gates.signing import GateNotPassed, SignaturesUsed
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from tests.integration.rollout.house import House, build, plan_data


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx)
    house.register()
    return house


class TestNoEvidenceIsNeverAPass:
    def test_a_version_nobody_has_looked_at_has_no_verdict(self, house: House) -> None:
        assert (house.status().verdict, house.status().gates) == (None, [])

    def test_evidence_of_an_earlier_epoch_does_not_count(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.count()
        house.days(3)
        passing = house.look().verdict
        house.sign(house.status().evidence_id or house.rollout().id)
        house.demote()

        again = house.look()

        assert passing == "advance"
        assert (again.verdict, again.body["gates"][0]["verdict"]) == ("hold", "no_evidence")

    def test_evidence_of_another_version_does_not_count(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")
        house.count("v1")
        house.days(3)

        assert house.look("v2").body["gates"][0]["verdict"] == "no_evidence"

    def test_stale_evidence_holds(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.count()
        house.days(20)
        house.hold_review()

        evidence = house.look()

        assert (evidence.verdict, evidence.body["gates"][0]["verdict"]) == ("hold", "no_evidence")

    def test_a_baseline_that_does_not_exist_holds(self, ctx: Context) -> None:
        phases = plan_data()["phases"]
        phases["evaluation"]["gates"].append({"metric": "suite_regression", "suite": "forms", "at_most": 0.01})
        house = build(ctx, phases=phases)
        house.register()
        house.run()

        verdicts = {gate["metric"]: gate["verdict"] for gate in house.look().body["gates"]}

        assert verdicts == {"suite_score": "pass", "suite_regression": "no_evidence"}

    def test_a_plan_without_gates_does_not_get_in(self, house: House) -> None:
        phases = plan_data()["phases"]
        phases["shadow"]["gates"] = []

        with pytest.raises(PlanInvalid, match="without evidence"):
            house.apply(phases=phases)


class TestAFailingSourceHoldsAndTells:
    def test_counts_that_do_not_add_up_neither_pass_nor_demote(self, house: House) -> None:
        rollout = house.climb(Phase.SUPERVISED)
        key = gates.TotalKey(rollout.id, rollout.epoch, "review", "", house.clock.now().date())
        with house.ctx.db.begin() as session:
            gates.count(session, {key: Counts(cases=10, overridden=200)})

        evidence = house.look()

        assert evidence.verdict == "hold"
        assert {"gate_error", "guardrail_error"} <= {reason["code"] for reason in evidence.body["reasons"]}
        assert house.rollout().phase == "supervised"


class TestHarmMayBeConcludedEarly:
    def test_a_guardrail_does_not_wait_for_cases_to_settle(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.count(cases=30, overridden=28)

        house.look()

        assert house.rollout().phase == "shadow"

    def test_a_gate_does(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.days(3)
        house.count()

        evidence = house.look()

        assert (evidence.verdict, evidence.body["gates"][0]["unsettled"]) == ("hold", 200)


class TestGuardrailsWorkWhilePeopleAreWaitedFor:
    def test_a_breach_demotes_although_a_signature_is_given_and_takes_the_signature_with_it(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)
        house.sign(house.ready().id)
        evidence = house.ready()
        house.sign(evidence.id)
        house.count(cases=100, overridden=90)

        tasks.look_at_all(house.ctx)

        assert house.rollout().phase == "supervised"
        with pytest.raises(Conflict):
            house.sign(evidence.id, house.bob)

    def test_a_closed_window_stops_advancing_and_never_demotion(self, ctx: Context) -> None:
        house = build(ctx)
        house.register()
        house.climb(Phase.SUPERVISED)
        house.apply(windows=[{"days": ["sun"], "from": "03:00", "to": "03:01"}])
        _adopt(house)
        house.count(cases=100, overridden=90)

        evidence = house.look()

        assert evidence.verdict == "demote"
        assert house.rollout().phase == "shadow"

    def test_a_retired_version_is_judged_no_more(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.count(cases=100, overridden=90)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")

        tasks.look_at_all(house.ctx)

        assert (house.rollout("v1").standing, house.rollout("v1").phase) == ("retired", "shadow")


class TestTimersNeverAdvance:
    def test_a_year_of_looks_advances_nothing(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        for _ in range(12):
            house.days(30)
            tasks.look_at_all(house.ctx)

        assert house.rollout().phase == "shadow"

    def test_passing_gates_alone_advance_nothing(self, house: House) -> None:
        evidence = house.ready()
        for _ in range(3):
            tasks.look_at_all(house.ctx)

        assert evidence.verdict == "advance"
        assert house.rollout().phase == "evaluation"


class TestApprovalComesLast:
    def test_a_signature_before_the_evidence_is_none(self, house: House) -> None:
        evidence = house.look()

        with pytest.raises(GateNotPassed):
            house.sign(evidence.id)

    def test_a_signature_is_for_one_phase(self, house: House) -> None:
        evidence = house.ready()
        house.sign(evidence.id)
        house.count()
        house.days(3)
        house.look()

        with pytest.raises(SignaturesUsed):
            house.sign(evidence.id)

    def test_a_refusal_without_a_reason_is_refused(self, house: House) -> None:
        with pytest.raises(Invalid):
            house.refuse(house.ready().id, reason="")


class TestEveryStepIsOnRecord:
    def test_a_demotion_by_a_guardrail_names_its_evidence_in_history_and_audit(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.count(cases=100, overridden=90)
        evidence = house.look()

        change = house.status().history[0]
        with house.ctx.db.read() as session:
            events = [event for event in session.query(AuditEvent) if event.verb == "rollout.demoted"]

        assert (change.evidence_id, change.by) == (evidence.id, "system")
        assert [(event.actor, event.detail["evidence_id"]) for event in events] == [("system", str(evidence.id))]

    def test_every_hold_tells_what_would_change_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)

        for reason in house.look().body["reasons"]:
            assert reason["words"]
            assert reason["what_would_change"]


class TestCatchingUpSkipsNothing:
    def test_after_a_long_downtime_one_look_takes_one_phase(self, house: House) -> None:
        house.climb(Phase.FULL)
        house.days(60)
        house.count(cases=500, overridden=400, days_ago=30)

        tasks.look_at_all(house.ctx)
        tasks.look_at_all(house.ctx)

        assert house.rollout().phase == "confidence"

    def test_an_automatic_ramp_takes_one_step_at_a_time_and_waits_between_them(self, ctx: Context) -> None:
        phases = plan_data()["phases"]
        phases["confidence"]["ramp"] = [0.1, 0.2, 0.5, 1.0]
        house = build(ctx, phases=phases, approvals={"ramp_approval": "automatic"})
        house.register()
        house.climb(Phase.CONFIDENCE)
        house.count()
        house.days(10)
        house.hold_review()

        tasks.look_at_all(ctx)
        tasks.look_at_all(ctx)

        assert house.status().ramp_share == 0.2

    def test_the_last_ramp_step_is_not_left_by_itself(self, ctx: Context) -> None:
        house = build(ctx, approvals={"ramp_approval": "automatic"})
        house.register()
        house.climb(Phase.CONFIDENCE)
        for _ in range(5):
            house.count()
            house.days(3)
            house.hold_review()
            tasks.look_at_all(ctx)

        assert (house.status().phase, house.status().ramp_share) == ("confidence", 1.0)


class TestAFreezeNeverStopsDemotion:
    @pytest.mark.parametrize("mode", list(FreezeMode))
    def test_by_hand(self, house: House, mode: FreezeMode) -> None:
        house.climb(Phase.SUPERVISED)
        with house.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, "reader", "v1")
            versions.freeze(session, rollout, mode, actor=house.alice, now=house.clock.now(), reason="a doubt")

        assert house.demote().entered == "shadow"


def _adopt(house: House) -> None:
    from rollout.plans import service as plans

    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        plans.adopt(session, rollout, actor=house.alice, now=house.clock.now(), reason="windows")
