"""Registering versions, the standing they have, and every way back."""

from collections.abc import Sequence

import pytest
from sqlalchemy.orm.exc import StaleDataError

from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.errors import Forbidden, Invalid
from rollout.agents import queries as agent_queries
from rollout.domain.phase import FreezeMode, Phase
from rollout.domain.policy import Policy, Rules
from rollout.versions import queries, service
from rollout.versions.service import AlreadySo, CandidateOnItsWay, NothingToRollBackTo, VersionExists
from rollout.versions.steps import NoWayThere, Retired
from rollout.versions.tables import PolicyRevision, Rollout
from tests.integration.rollout.house import RITA, House, build
from tests.racing import together


@pytest.fixture
def house(ctx: Context) -> House:
    return build(ctx)


def policy(house: House, version: str = "v1") -> Policy:
    """The policy in force, as a router would load it."""
    with house.ctx.db.read() as session:
        rollout = queries.get_rollout(session, "reader", version)
        row = queries.get_policy(session, rollout.id, rollout.policy_revision)
        return Policy.from_body(rollout.id, row.revision, row.body)


def rollback(house: House, reason: str = "it errs") -> Rollout:
    with house.ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "reader")
        return service.rollback(session, agent, actor=house.alice, now=house.clock.now(), reason=reason)


def freeze(house: House, mode: FreezeMode, version: str = "v1") -> None:
    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", version)
        service.freeze(session, rollout, mode, actor=house.alice, now=house.clock.now(), reason="a doubt")


def test_the_first_version_is_stable_and_begins_in_evaluation(house: House) -> None:
    rollout = house.register("v1", rules=Rules(threshold=0.9))

    assert (rollout.standing, rollout.phase, rollout.epoch, rollout.policy_revision) == ("stable", "evaluation", 1, 1)
    assert rollout.plan_id is not None
    found = policy(house)
    assert (found.phase, found.rules.threshold, found.revision) == (Phase.EVALUATION, 0.9, 1)


def test_the_next_is_the_candidate_and_a_second_candidate_has_to_wait(house: House) -> None:
    house.register("v1")

    candidate = house.register("v2")

    assert candidate.standing == "candidate"
    with pytest.raises(CandidateOnItsWay, match="v2"):
        house.register("v3")


def test_a_stopped_candidate_makes_room(house: House) -> None:
    house.register("v1")
    house.register("v2")
    house.stop("v2")

    house.register("v3")

    assert (house.rollout("v2").standing, policy(house, "v2").standing) == ("retired", "retired")
    assert house.rollout("v3").standing == "candidate"


def test_a_stable_version_cannot_be_stopped(house: House) -> None:
    house.register("v1")

    with pytest.raises(NoWayThere):
        house.stop("v1")


def test_versions_never_change(house: House) -> None:
    house.register("v1")

    with pytest.raises(VersionExists):
        house.register("v1")


def test_two_who_register_at_once_make_one_stable_version_and_one_candidate(house: House) -> None:
    results = together(lambda: house.register("v1"), lambda: house.register("v2"), lambda: house.register("v3"))

    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [CandidateOnItsWay]
    standings = sorted(result.standing for result in results if not isinstance(result, Exception))
    assert standings == ["candidate", "stable"]


def test_policies_written_at_once_have_one_order(house: House) -> None:
    house.register("v1")
    house.register("v2")

    def change(version: str) -> None:
        with house.ctx.db.begin() as session:
            rollout = queries.get_rollout(session, "reader", version)
            rules = Rules(threshold=0.5)
            service.change_rules(session, rollout, rules, actor=house.erin, now=house.clock.now())

    assert together(lambda: change("v1"), lambda: change("v2")) == [None, None]
    with house.ctx.db.read() as session:
        rows = [row for version in ("v1", "v2") for row in _policies(house, version)]
        assert sorted(row.sequence for row in rows) == [1, 2, 3, 4]
        assert queries.newest_sequence(session) == 4


def test_two_who_change_one_policy_at_once_get_one_conflict_or_an_order(house: House) -> None:
    house.register("v1")

    def change(threshold: float) -> None:
        with house.ctx.db.begin() as session:
            rollout = queries.get_rollout(session, "reader", "v1")
            service.change_rules(session, rollout, Rules(threshold=threshold), actor=house.erin, now=house.clock.now())

    results = together(lambda: change(0.5), lambda: change(0.6))

    failed = [type(result).__name__ for result in results if result is not None]
    assert failed in ([], ["StaleDataError"])
    assert len(_policies(house, "v1")) == 3 - len(failed)


def test_the_same_rules_again_are_no_new_revision(house: House) -> None:
    house.register("v1", rules=Rules(threshold=0.5))

    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", "v1")
        row = service.change_rules(session, rollout, Rules(threshold=0.5), actor=house.erin, now=house.clock.now())

    assert row.revision == 1


def test_every_phase_has_its_own_epoch_policy_and_history(house: House) -> None:
    house.register()

    house.climb(Phase.CONFIDENCE)

    status = house.status()
    assert [change.entered for change in reversed(status.history)] == [
        "evaluation",
        "shadow",
        "supervised",
        "confidence",
    ]
    assert status.epoch == 4
    assert (policy(house).epoch, policy(house).ramp_share) == (4, 0.5)


def test_the_share_is_the_ramp_step_and_never_more(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)
    before = policy(house)

    house.sign(house.ready().id)

    assert (before.ramp_share, policy(house).ramp_share) == (0.5, 1.0)
    assert policy(house).epoch == before.epoch
    assert house.status().history[0].kind == "ramped"
    assert house.status().history[0].share == 1.0


def test_without_a_plan_no_case_goes_alone(ctx: Context) -> None:
    house = build(ctx, planned=False)
    house.register()
    with ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", "v1")
        rollout.phase = Phase.CONFIDENCE.value
        service.change_rules(session, rollout, Rules(threshold=0.1), actor=house.alice, now=ctx.clock.now())

    assert policy(house).ramp_share == 0.0


def test_a_candidate_that_comes_as_far_as_the_stable_version_takes_over(house: House) -> None:
    house.register("v1")
    house.climb(Phase.SUPERVISED)
    house.register("v2")
    house.climb(Phase.SHADOW, "v2")
    before = (house.rollout("v1").standing, house.rollout("v2").standing)

    house.climb(Phase.SUPERVISED, "v2")

    assert before == ("stable", "candidate")
    assert (house.rollout("v1").standing, house.rollout("v2").standing) == ("retired", "stable")
    assert (policy(house, "v1").standing, policy(house, "v2").standing) == ("retired", "stable")
    assert house.status("v1").history[0].kind == "retired"
    assert house.status("v2").history[0].kind == "promoted"


def test_a_small_change_starts_where_the_plan_says_but_never_above_the_stable_version(house: House) -> None:
    house.register("v1", rules=Rules(threshold=0.7))
    house.register("v2", small_change=True)
    assert house.rollout("v2").phase == "evaluation"
    house.stop("v2")
    house.climb(Phase.SUPERVISED)

    house.register("v4", small_change=True)

    assert (house.rollout("v4").phase, house.rollout("v4").standing) == ("shadow", "candidate")
    assert policy(house, "v4").rules.threshold == 0.7
    assert house.rollout("v1").standing == "stable"


def test_a_small_change_needs_a_plan_that_allows_it(ctx: Context) -> None:
    house = build(ctx, small_change_may_start_in=None)
    house.register("v1")

    with pytest.raises(NoWayThere, match="small change"):
        house.register("v2", small_change=True)


def test_demotion_goes_one_phase_back_at_once_or_to_a_named_lower_one(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)

    one = house.demote(reason="it looks wrong")
    two = house.demote(to=Phase.EVALUATION)

    assert (one.left, one.entered) == ("confidence", "supervised")
    assert (two.left, two.entered) == ("supervised", "evaluation")
    assert policy(house).phase is Phase.EVALUATION


@pytest.mark.parametrize("target", [Phase.SUPERVISED, Phase.SHADOW], ids=["upwards", "where it is"])
def test_a_demotion_leads_down(house: House, target: Phase) -> None:
    house.register()
    house.climb(Phase.SHADOW)

    with pytest.raises(NoWayThere):
        house.demote(to=target)


def test_a_button_that_is_pressed_twice_takes_one_phase(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)
    house.demote(seen=Phase.CONFIDENCE)

    with pytest.raises(AlreadySo, match="is in supervised and not in confidence any more"):
        house.demote(seen=Phase.CONFIDENCE)
    with pytest.raises(AlreadySo):
        house.demote(to=Phase.EVALUATION, seen=Phase.CONFIDENCE)

    assert house.rollout().phase == "supervised"
    assert house.demote(seen=Phase.SUPERVISED).entered == "shadow"


def test_two_who_demote_in_the_same_moment_take_one_phase(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)

    def press() -> None:
        house.demote(seen=Phase.CONFIDENCE)

    results = together(press, press)

    assert [isinstance(result, AlreadySo | StaleDataError) for result in results].count(True) == 1
    assert house.rollout().phase == "supervised"


def test_below_evaluation_there_is_nothing(house: House) -> None:
    house.register()

    with pytest.raises(NoWayThere):
        house.demote()


def test_a_demotion_has_a_reason_and_somebody_who_may(house: House) -> None:
    house.register()
    house.climb(Phase.SHADOW)

    with pytest.raises(Invalid):
        house.demote(reason="  ")
    with pytest.raises(Forbidden):
        house.demote(by=RITA)


@pytest.mark.parametrize("mode", list(FreezeMode))
def test_a_freeze_is_in_the_policy_and_ends_as_it_began(house: House, mode: FreezeMode) -> None:
    house.register()
    house.climb(Phase.SHADOW)

    freeze(house, mode)
    frozen = policy(house)
    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", "v1")
        service.unfreeze(session, rollout, actor=house.alice, now=house.clock.now(), reason="all is well")

    assert (frozen.frozen, frozen.phase) == (mode, Phase.SHADOW)
    assert policy(house).frozen is None
    assert [change.kind for change in house.status().history[:2]] == ["unfrozen", "frozen"]


def test_freezing_twice_says_that_it_is_so(house: House) -> None:
    house.register()
    freeze(house, FreezeMode.ROUTING)

    with pytest.raises(AlreadySo):
        freeze(house, FreezeMode.ROUTING)


def test_rolling_back_restores_the_last_stable_version_with_its_phase_and_share(house: House) -> None:
    house.register("v1")
    house.climb(Phase.CONFIDENCE)
    house.sign(house.ready().id)
    house.register("v2")
    house.climb(Phase.CONFIDENCE, "v2")
    assert house.rollout("v2").standing == "stable"

    restored = rollback(house)

    assert (restored.version, restored.standing, restored.phase, restored.ramp_step) == (
        "v1",
        "stable",
        "confidence",
        1,
    )
    assert (policy(house, "v1").standing, policy(house, "v1").ramp_share) == ("stable", 1.0)
    assert policy(house, "v2").standing == "retired"
    assert house.status("v2").history[0].kind == "rolled_back"
    assert house.status("v1").history[0].kind == "restored"


def test_a_restored_version_begins_a_new_epoch(house: House) -> None:
    house.register("v1")
    epoch = house.climb(Phase.SHADOW).epoch
    house.register("v2")
    house.climb(Phase.SHADOW, "v2")

    assert rollback(house).epoch == epoch + 1


def test_rolling_back_leaves_a_candidate_alone(house: House) -> None:
    house.register("v1")
    house.climb(Phase.SHADOW)
    house.register("v2")
    house.climb(Phase.SHADOW, "v2")
    house.climb(Phase.SUPERVISED, "v2")
    house.register("v3")

    rollback(house)

    assert [house.rollout(version).standing for version in ("v1", "v2", "v3")] == ["stable", "retired", "candidate"]


def test_rolling_back_twice_goes_further_back_and_never_to_what_was_rolled_back(house: House) -> None:
    for version in ("v1", "v2", "v3"):
        house.register(version)
        house.climb(Phase.SHADOW, version)

    first, second = rollback(house), rollback(house)

    assert (first.version, second.version) == ("v2", "v1")
    with pytest.raises(NothingToRollBackTo):
        rollback(house)


def test_a_stopped_candidate_is_nothing_to_roll_back_to(house: House) -> None:
    house.register("v1")
    house.register("v2")
    house.stop("v2")

    with pytest.raises(NothingToRollBackTo):
        rollback(house)


def test_two_who_roll_back_at_once_go_back_as_often_as_there_were_conflict_free_presses(house: House) -> None:
    for version in ("v1", "v2"):
        house.register(version)
        house.climb(Phase.SHADOW, version)

    results = together(lambda: rollback(house), lambda: rollback(house))

    assert sum(isinstance(result, Exception) for result in results) == 1
    assert house.rollout("v1").standing == "stable"


def test_what_is_retired_is_not_moved_any_more(house: House) -> None:
    house.register("v1")
    house.climb(Phase.SHADOW)
    house.register("v2")
    house.climb(Phase.SHADOW, "v2")

    with pytest.raises(Retired):
        house.demote("v1")
    with pytest.raises(Retired):
        freeze(house, FreezeMode.ROUTING)


def test_every_step_is_in_the_audit_log_and_told_to_the_web_processes(house: House) -> None:
    told: list[str] = []
    house.ctx.send_task = told.append
    house.register()

    house.climb(Phase.SHADOW)
    house.demote()

    assert {"policies:changed", "routing.follow_rollouts"} <= set(told)
    with house.ctx.db.read() as session:
        verbs = [event.verb for event in session.query(AuditEvent).order_by(AuditEvent.id)]
    assert {"version.registered", "policy.written", "rollout.signed", "rollout.advanced", "rollout.demoted"} <= set(
        verbs
    )


def _policies(house: House, version: str) -> Sequence[PolicyRevision]:
    with house.ctx.db.read() as reading:
        return queries.policies(reading, queries.get_rollout(reading, "reader", version).id)
