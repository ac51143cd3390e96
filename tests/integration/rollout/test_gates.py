"""Looking at rollouts: what is kept of a look, and what follows from it without people."""

import time
from datetime import timedelta

import pytest

from kit.context import Context
from rollout.domain.phase import FreezeMode, Lane, Phase
from rollout.domain.totals import Counts
from rollout.failures import queries as failure_queries
from rollout.failures import service as failures
from rollout.gates import judging, queries, tasks
from rollout.gates import service as gates
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions.tables import Rollout
from tests.integration.rollout.house import build


def test_a_version_without_a_plan_holds_and_says_so(ctx: Context) -> None:
    house = build(ctx, planned=False)
    house.register()

    evidence = house.look()

    assert (evidence.verdict, evidence.body["reasons"][0]["code"]) == ("hold", "no_plan")
    assert house.status().verdict == "hold"


def test_a_new_version_with_a_plan_holds_without_evidence(ctx: Context) -> None:
    house = build(ctx)
    house.register()

    evidence = house.look()

    assert evidence.verdict == "hold"
    assert [gate["verdict"] for gate in evidence.body["gates"]] == ["no_evidence"]


def test_an_unchanged_look_is_seen_again_and_not_stored_twice(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    first = house.look()
    house.clock.move(timedelta(minutes=5))

    second = house.look()

    assert second.id == first.id
    assert second.at == first.at
    assert second.seen_again_at - first.at == timedelta(minutes=5)


def test_a_look_that_says_something_else_is_stored_beside_the_old_one(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    first = house.look()
    house.run()

    second = house.look()

    assert second.id != first.id
    assert (first.verdict, second.verdict) == ("hold", "advance")
    with ctx.db.read() as session:
        assert queries.get_evidence(session, second.rollout_id, first.id).verdict == "hold"


def test_stored_evidence_has_the_digest_of_its_body_on_both_databases(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    house.climb(Phase.SUPERVISED)
    house.count(overridden=3)
    house.days(2)

    evidence = house.look()

    with ctx.db.read() as session:
        stored = queries.get_evidence(session, evidence.rollout_id, evidence.id)
        assert gates.digest_of(stored.body) == stored.digest


def test_the_sweep_stores_at_most_one_snapshot_a_minute_while_only_counts_grow(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    house.climb(Phase.SHADOW)
    house.count(cases=3)
    tasks.look_at_all(ctx)
    first = house.status().evidence_id
    house.count(cases=3)
    house.clock.move(timedelta(seconds=2))

    tasks.look_at_all(ctx)
    after_seconds = house.status().evidence_id
    house.clock.move(timedelta(minutes=1))
    tasks.look_at_all(ctx)

    assert after_seconds == first
    assert house.status().evidence_id != first


def test_counting_adds_and_takes_away(ctx: Context) -> None:
    house = build(ctx)
    rollout = house.register()
    key = gates.TotalKey(rollout.id, 1, Lane.SHADOW.value, "north", ctx.clock.now().date())

    with ctx.db.begin() as session:
        gates.count(session, {key: Counts(cases=2, agreed=1)})
        gates.count(session, {key: Counts(agreed=-1, overridden=1, severe=1)})

    with ctx.db.read() as session:
        (row,) = queries.totals(session, rollout.id, 1)
        assert (row.cases, row.agreed, row.overridden, row.severe) == (2, 0, 1, 1)


def test_a_breached_guardrail_takes_one_phase_and_leaves_a_failure(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    house.climb(Phase.SUPERVISED)
    house.count(cases=100, overridden=60)

    evidence = house.look()

    assert evidence.verdict == "demote"
    status = house.status()
    assert (status.phase, status.epoch) == ("shadow", 4)
    assert (status.history[0].kind, status.history[0].by, status.history[0].evidence_id) == (
        "demoted",
        "system",
        evidence.id,
    )
    with ctx.db.read() as session:
        (failure,) = failure_queries.failures(session, "reader")
        assert (failure.severity, failure.state, failure.reported_by) == ("severe", "open", "system")
        assert "60 of 100 cases" in failure.description


def test_a_breach_does_not_demote_twice_for_the_same_cases(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    house.climb(Phase.SUPERVISED)
    house.count(cases=100, overridden=60)
    house.look()

    tasks.look_at_all(ctx)
    tasks.look_at_all(ctx)

    assert house.rollout().phase == "shadow"


def test_an_open_critical_failure_takes_one_phase_and_then_holds(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    rollout = house.climb(Phase.CONFIDENCE)
    with ctx.db.begin() as session:
        failures.report(
            session, agent="reader", version="v1", rollout_id=rollout.id, severity="critical",
            description="it paid twice", actor=house.erin, now=ctx.clock.now() + timedelta(seconds=1),
        )  # fmt: skip
    house.clock.move(timedelta(seconds=2))

    tasks.look_at_all(ctx)
    house.clock.move(timedelta(seconds=2))
    tasks.look_at_all(ctx)

    status = house.status()
    assert status.phase == "supervised"
    assert status.verdict == "hold"
    assert "critical_failure_open" in {reason.code for reason in status.reasons}


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL])
@pytest.mark.parametrize("frozen", [None, FreezeMode.ROUTING, FreezeMode.ADVANCING])
def test_guardrails_work_in_every_phase_frozen_or_not(ctx: Context, phase: Phase, frozen: FreezeMode | None) -> None:
    house = build(ctx)
    house.register()
    house.climb(phase)
    if frozen is not None:
        with ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, "reader", "v1")
            versions.freeze(session, rollout, frozen, actor=house.alice, now=ctx.clock.now(), reason="a doubt")
    house.count(cases=100, overridden=60)

    house.look()

    assert house.rollout().phase == phase.previous
    assert house.rollout().frozen == frozen


def test_a_ramp_goes_on_by_itself_only_where_the_plan_says_so(ctx: Context) -> None:
    house = build(ctx, approvals={"ramp_approval": "automatic"})
    house.register()
    house.climb(Phase.CONFIDENCE)
    house.count()
    house.days(3)

    evidence = house.look()

    assert evidence.body["without_signature"] is True
    status = house.status()
    assert (status.phase, status.ramp_step, status.ramp_share) == ("confidence", 1, 1.0)
    assert (status.history[0].kind, status.history[0].by) == ("ramped", "system")


def test_one_rollout_that_cannot_be_judged_does_not_stop_the_others(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(ctx)
    house.register("v1")
    house.climb(Phase.SUPERVISED)
    house.count(cases=100, overridden=60)
    broken = house.register("v2")
    judge_now = judging.judge_now

    def breaks_for_one(session: object, rollout: Rollout, now: object) -> object:
        if rollout.id == broken.id:
            raise RuntimeError("this one cannot be judged")
        return judge_now(session, rollout, now)  # type: ignore[arg-type]

    monkeypatch.setattr(judging, "judge_now", breaks_for_one)

    looked = [tasks.look_in_turn(ctx, seconds=0) for _ in range(3)]

    assert sum(looked) >= 2  # also where it had the first turn, it has the last one after it
    assert house.rollout("v1").phase == "shadow"


def test_one_whose_look_failed_has_its_turn_again_after_a_minute(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build(ctx)
    failed, other = house.register("v1"), house.register("v2")

    monkeypatch.setitem(tasks._failed, failed.id, time.monotonic() + 60)
    tasks.look_in_turn(ctx, seconds=0)
    first = {version: house.rollout(version).looked_at for version in ("v1", "v2")}
    monkeypatch.setitem(tasks._failed, failed.id, time.monotonic())
    tasks.look_in_turn(ctx, seconds=0)

    assert first == {"v1": None, "v2": ctx.clock.now()}
    assert house.rollout("v1").looked_at == ctx.clock.now()
    assert not {failed.id, other.id} & tasks._failed.keys()


def test_without_a_plan_a_version_is_judged_once_a_day(ctx: Context) -> None:
    house = build(ctx, planned=False)
    house.register()

    looked = [tasks.look_at_all(ctx) for _ in range(2)]
    house.clock.move(timedelta(days=1))

    assert [*looked, tasks.look_at_all(ctx)] == [1, 0, 1]


def test_a_sweep_whose_time_is_over_goes_on_where_it_ended(ctx: Context) -> None:
    house = build(ctx)
    for version in ("v1", "v2"):
        house.register(version)

    looked = [tasks.look_in_turn(ctx, seconds=0) for _ in range(2)]

    assert looked == [1, 1]
    assert {house.rollout(version).looked_at for version in ("v1", "v2")} == {ctx.clock.now()}


def test_looking_does_not_spoil_a_step_that_a_person_is_taking(ctx: Context) -> None:
    house = build(ctx)
    rollout = house.register()
    before = rollout.lock
    house.run()

    house.look()

    assert house.rollout().lock == before
    assert house.rollout().looked_at == ctx.clock.now()


def test_totals_that_no_program_of_ours_wrote_hold_and_tell(ctx: Context) -> None:
    house = build(ctx)
    house.register()
    rollout = house.climb(Phase.SHADOW)
    with ctx.db.begin() as session:
        gates.count(
            session, {gates.TotalKey(rollout.id, rollout.epoch, "nowhere", "", ctx.clock.now().date()): Counts(1)}
        )

    evidence = house.look()

    assert evidence.verdict == "hold"
    assert evidence.body["gates"][0]["verdict"] == "error"


def test_evidence_of_another_version_is_not_found(ctx: Context) -> None:
    house = build(ctx)
    house.register("v1")
    other = house.register("v2")
    evidence = house.look("v1")

    with ctx.db.read() as session, pytest.raises(Exception, match="no evidence"):
        queries.get_evidence(session, other.id, evidence.id)
