"""Break-glass: exists, asks for a reason, ends by itself, tells everyone, and leaves a task to review it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from governance.actors import SYSTEM, Actor, of_agent
from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.errors import Conflict, Invalid, Problem
from rollout.agents import queries as agent_queries
from rollout.domain.phase import FreezeMode, Phase, Severity
from rollout.domain.policy import Policy, Rules
from rollout.failures import queries as failure_queries
from rollout.failures import service as failures
from rollout.gates import glass, tasks
from rollout.gates.glass import GlassRefused, Way
from rollout.plans import service as plans
from rollout.versions import queries, service
from rollout.versions.steps import GlassOpen, NotTheOwner, NoWayThere, Retired
from rollout.versions.tables import PhaseChange
from tests import factories
from tests.integration.rollout.house import RITA, House, build, plan_data, served
from tests.racing import together

WHY = "half of the reviewers are ill"
ROLLOUT = "/v1/agents/reader/versions/v1/rollout"


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx)
    house.register(rules=Rules(threshold=0.8))
    return house


def break_glass(
    house: House,
    hours: float = 4,
    *,
    to: Way = "next_phase",
    by: Actor | None = None,
    reason: str = WHY,
    version: str = "v1",
) -> PhaseChange:
    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", version)
        return glass.break_glass(
            session, rollout, actor=by or house.alice, now=house.clock.now(), reason=reason, hours=hours, to=to
        )


def policy(house: House, version: str = "v1") -> Policy:
    with house.ctx.db.read() as session:
        rollout = queries.get_rollout(session, "reader", version)
        row = queries.get_policy(session, rollout.id, rollout.policy_revision)
        return Policy.from_body(rollout.id, row.revision, row.body)


def freeze(house: House, mode: FreezeMode | None) -> None:
    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", "v1")
        more = {"actor": house.alice, "now": house.clock.now(), "reason": "a doubt"}
        if mode is None:
            service.unfreeze(session, rollout, **more)
        else:
            service.freeze(session, rollout, mode, **more)


def rollback(house: House) -> None:
    with house.ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "reader")
        service.rollback(session, agent, actor=house.alice, now=house.clock.now(), reason="it errs")


def place(house: House, version: str = "v1") -> tuple[str, int, datetime | None, str | None, int | None]:
    """Phase and ramp step, and what is remembered of the glass."""
    row = house.rollout(version)
    return row.phase, row.ramp_step, row.glass_until, row.glass_from_phase, row.glass_from_step


def kinds(house: House, version: str = "v1") -> list[str]:
    return [change.kind for change in house.status(version).history]


def hours(house: House, count: float) -> None:
    house.clock.move(timedelta(hours=count))


class TestBreaking:
    def test_lends_the_next_phase_for_so_many_hours(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        epoch, until = house.rollout().epoch, house.clock.now() + timedelta(hours=4)

        change = break_glass(house)

        assert (change.kind, change.left, change.entered) == ("broke_glass", "supervised", "confidence")
        assert (change.by, change.reason, change.glass_until) == ("alice", WHY, until)
        assert place(house) == ("confidence", 0, until, "supervised", 0)
        assert house.rollout().epoch == epoch + 1
        found = policy(house)
        assert (found.phase, found.ramp_share, found.rules.threshold) == (Phase.CONFIDENCE, 0.5, 0.8)

    def test_lends_the_last_ramp_step_where_it_is_asked_for(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)

        change = break_glass(house, to="last_ramp_step")

        assert (change.left, change.entered, change.share) == ("confidence", "confidence", 1.0)
        assert place(house)[:2] == ("confidence", 1)
        assert place(house)[3:] == ("confidence", 0)
        assert policy(house).ramp_share == 1.0

    @pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.SUPERVISED, Phase.CONFIDENCE])
    def test_never_lends_more_than_one_phase(self, house: House, phase: Phase) -> None:
        house.climb(phase)

        break_glass(house)

        assert house.rollout().phase == phase.next

    def test_is_written_down_with_its_end(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)

        change = break_glass(house)

        with house.ctx.db.read() as session:
            (event,) = session.scalars(select(AuditEvent).where(AuditEvent.verb == "rollout.glass_broken"))
        assert (event.actor, event.agent, event.detail["reason"]) == ("alice", "reader", WHY)
        assert (event.detail["left"], event.detail["entered"]) == ("supervised", "confidence")
        assert event.detail["glass_until"].startswith(f"{change.glass_until:%Y-%m-%dT%H:%M}")

    def test_leaves_a_task_to_review_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)

        break_glass(house, reason=f"{WHY}.")

        with house.ctx.db.read() as session:
            (failure,) = failure_queries.failures(session, "reader")
        assert (failure.severity, failure.state, failure.version) == ("major", "open", "v1")
        assert failure.rollout_id == house.rollout().id
        assert failure.description == f"Break-glass used by alice: {WHY}. Review whether it was right."

    def test_is_shown_with_the_status(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)
        before = house.status().glass
        since = house.clock.now()

        break_glass(house, hours=2)

        shown = house.status().glass
        assert before is None
        assert shown is not None
        assert (shown.until, shown.since, shown.by, shown.reason) == (since + timedelta(hours=2), since, "alice", WHY)
        assert (shown.back_to.phase, shown.back_to.ramp_step, shown.back_to.share) == ("confidence", 0, 0.5)

    def test_asks_those_who_tell_everyone(self, house: House) -> None:
        """The alert itself is written one floor up: tests/integration/routing/test_delivery.py."""
        house.climb(Phase.SUPERVISED)
        sent: list[str] = []
        house.ctx.send_task = sent.append
        break_glass(house)

        assert "routing.follow_rollouts" in sent


class TestWhoAndWhat:
    @pytest.mark.parametrize("who", ["owner", "second", "admin"])
    def test_the_named_owner_the_second_and_admins_may(self, house: House, who: str) -> None:
        house.climb(Phase.SUPERVISED)
        people = {"owner": house.alice, "second": house.bob}
        actor = people.get(who) or factories.actor(house.ctx, "root", roles=("admin",))

        assert break_glass(house, by=actor).by == actor.name

    def test_nobody_else_may(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        other_owner = factories.actor(house.ctx, "olga", roles=("owner",))
        former_owner = Actor("alice", "person", frozenset({"auditor"}))

        for actor in (house.erin, house.lena, RITA, other_owner, former_owner, of_agent("reader"), SYSTEM):
            with pytest.raises(NotTheOwner, match="for alice, bob or an admin"):
                break_glass(house, by=actor)
        assert kinds(house)[0] == "advanced"

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_a_reason_is_asked_for(self, house: House, reason: str) -> None:
        house.climb(Phase.SUPERVISED)

        with pytest.raises(Invalid, match="reason"):
            break_glass(house, reason=reason)

    @pytest.mark.parametrize("given", [0, -1, 24.01, float("nan"), float("inf")])
    def test_it_is_for_hours_and_not_for_days(self, house: House, given: float) -> None:
        house.climb(Phase.SUPERVISED)

        with pytest.raises(Invalid, match="hours"):
            break_glass(house, given)

    def test_a_whole_day_is_the_most(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)

        assert break_glass(house, 24).glass_until == house.clock.now() + timedelta(days=1)


class TestRefused:
    def test_in_evaluation_since_nothing_is_known(self, house: House) -> None:
        with pytest.raises(GlassRefused, match="nothing is known about it yet"):
            break_glass(house)

    def test_for_a_retired_version(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")

        with pytest.raises(Retired):
            break_glass(house)

    def test_while_routing_is_frozen(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        freeze(house, FreezeMode.ROUTING)

        with pytest.raises(GlassRefused, match="frozen"):
            break_glass(house)

    def test_not_while_only_advancing_is_frozen(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        freeze(house, FreezeMode.ADVANCING)

        assert break_glass(house).entered == "confidence"
        freeze(house, None)
        assert house.rollout().glass_until is not None

    def test_while_one_is_open(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        hours(house, 3.99)

        with pytest.raises(GlassOpen, match="open for version v1 until 20"):
            break_glass(house)
        assert house.rollout().phase == "confidence"

    def test_to_two_at_once_only_one_is_given(self, house: House) -> None:
        house.climb(Phase.SHADOW)

        results = together(lambda: break_glass(house), lambda: break_glass(house, by=house.bob))

        assert [isinstance(result, Problem) for result in results].count(True) == 1
        assert house.rollout().phase == "supervised"

    def test_past_the_last_phase_and_the_last_ramp_step(self, house: House) -> None:
        house.climb(Phase.FULL)

        with pytest.raises(NoWayThere, match="last phase"):
            break_glass(house)
        with pytest.raises(NoWayThere, match="last ramp step"):
            break_glass(house, to="last_ramp_step")

    def test_for_a_ramp_in_a_phase_without_one(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)

        with pytest.raises(NoWayThere):
            break_glass(house, to="last_ramp_step")

    def test_where_harm_was_measured(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.count(cases=100, overridden=90)

        with pytest.raises(GlassRefused, match="does not go round harm"):
            break_glass(house)
        house.look()
        assert house.rollout().phase == "shadow"

    def test_while_a_critical_failure_is_open(self, ctx: Context) -> None:
        phases = plan_data()["phases"]
        phases["supervised"]["guardrails"] = phases["supervised"]["guardrails"][:1]
        house = build(ctx, phases=phases)
        house.register()
        house.climb(Phase.SUPERVISED)
        report(house)

        with pytest.raises(GlassRefused, match="critical failures are open"):
            break_glass(house)


class TestItEndsByItself:
    @pytest.mark.parametrize("by", ["the sweep", "a look"])
    def test_and_not_before_its_time(self, house: House, by: str) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        epoch = house.rollout().epoch
        end = {"the sweep": tasks.end_break_glass, "a look": tasks.look_at_all}[by]

        hours(house, 3.9999)
        end(house.ctx)
        assert house.rollout().phase == "confidence"
        house.clock.move(timedelta(hours=4) - timedelta(hours=3.9999))
        end(house.ctx)

        assert place(house) == ("supervised", 0, None, None, None)
        assert (house.rollout().epoch, kinds(house)[0]) == (epoch + 1, "glass_ended")
        assert (house.status().history[0].by, house.status().glass) == ("system", None)
        assert (policy(house).phase, policy(house).glass) == (Phase.SUPERVISED, None)

    def test_the_sweep_ends_it_once(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        hours(house, 5)

        assert [tasks.end_break_glass(house.ctx), tasks.end_break_glass(house.ctx)] == [1, 0]
        assert kinds(house).count("glass_ended") == 1

    def test_two_sweeps_at_once_end_it_once(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        hours(house, 5)

        ended = together(lambda: tasks.end_break_glass(house.ctx), lambda: tasks.look_at_all(house.ctx))

        assert all(isinstance(result, int) for result in ended)
        assert kinds(house).count("glass_ended") == 1

    def test_one_that_cannot_be_ended_does_not_keep_the_others(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.climb(Phase.SUPERVISED)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")
        break_glass(house, 1, version="v2")
        break_glass(house, 2)
        hours(house, 3)
        real, broken = glass.end_one, house.rollout("v2").id

        def end_one(session: object, rollout_id: UUID, *, now: datetime) -> bool:
            if rollout_id == broken:
                raise RuntimeError("broken")
            return real(session, rollout_id, now=now)  # type: ignore[arg-type]

        monkeypatch.setattr(glass, "end_one", end_one)

        assert tasks.end_break_glass(house.ctx) == 1
        assert (house.rollout("v1").phase, house.rollout("v2").phase) == ("supervised", "supervised")
        assert house.rollout("v1").glass_until is None

    def test_routing_has_gone_back_even_while_no_worker_is_there(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        change = break_glass(house)
        until = change.glass_until
        assert until is not None

        during, after = (policy(house).at(at) for at in (until - timedelta(microseconds=1), until))

        assert (during.phase, during.ramp_share) == (Phase.CONFIDENCE, 0.5)
        assert (after.phase, after.ramp_share) == (Phase.SUPERVISED, 1.0)

    def test_the_ramp_step_that_was_earned_is_not_lost(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)
        house.sign(house.ready().id)
        break_glass(house)
        during = place(house)[:2]
        hours(house, 5)

        tasks.end_break_glass(house.ctx)

        assert (during, place(house)[:2]) == (("full", 0), ("confidence", 1))
        assert policy(house).ramp_share == 1.0

    def test_the_last_ramp_step_goes_back_to_the_one_that_was_earned(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)
        break_glass(house, to="last_ramp_step")
        hours(house, 5)

        tasks.end_break_glass(house.ctx)

        assert place(house)[:2] == ("confidence", 0)
        assert policy(house).ramp_share == 0.5

    def test_after_its_end_it_may_be_broken_again_from_where_the_evidence_is(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        break_glass(house)
        hours(house, 4)

        break_glass(house)

        assert place(house)[0] == "supervised"
        assert place(house)[3] == "shadow"
        assert kinds(house)[:3] == ["broke_glass", "glass_ended", "broke_glass"]


class TestNothingIsEarnedByIt:
    def test_a_look_holds_and_says_so(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        break_glass(house, 24)
        house.count(cases=500)
        hours(house, 23)

        evidence = house.look()

        assert evidence.verdict == "hold"
        assert evidence.body["reasons"][0]["code"] == "glass_open"
        assert "open until 6 Jan, 09:00 UTC" in evidence.body["reasons"][0]["words"]

    def test_perfect_evidence_of_the_lent_phase_can_neither_be_signed_then_nor_later(self, ctx: Context) -> None:
        phases = plan_data()["phases"]
        phases["supervised"] |= {"minimum_days": 0, "readiness": []}
        house = build(ctx, phases=phases, settle_days=0)
        house.register()
        house.climb(Phase.SHADOW)
        break_glass(house, 24)
        house.count(cases=1000)
        hours(house, 23)
        house.hold_review()
        evidence = house.look()
        gate = evidence.body["gates"][0]["verdict"]

        with pytest.raises(Conflict):
            house.sign(evidence.id)
        hours(house, 2)
        tasks.look_at_all(house.ctx)
        with pytest.raises(Conflict):
            house.sign(evidence.id)

        assert gate == "pass"
        assert (house.rollout().phase, house.status().verdict) == ("shadow", "hold")
        assert house.status().gates[0].verdict == "no_evidence"

    def test_an_automatic_ramp_stands_still(self, ctx: Context) -> None:
        phases = plan_data()["phases"]
        phases["confidence"] |= {"minimum_days": 0, "ramp": [0.1, 0.2, 1.0], "ramp_minimum_days": 0}
        house = build(ctx, phases=phases, approvals={"ramp_approval": "automatic"}, settle_days=0)
        house.register()
        house.climb(Phase.SUPERVISED)
        break_glass(house, 24)
        house.count(cases=1000)
        hours(house, 23)
        house.hold_review()

        tasks.look_at_all(house.ctx)

        assert (house.status().gates[0].verdict, house.status().ramp_share) == ("pass", 0.1)

    def test_what_was_asked_for_before_cannot_be_signed_meanwhile(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        evidence = house.ready()
        house.ask(evidence.id, house.erin)
        break_glass(house)

        with pytest.raises(Conflict):
            house.sign(evidence.id)

    def test_a_candidate_does_not_take_over_by_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")

        break_glass(house, version="v2")

        assert (house.rollout("v2").phase, house.rollout("v2").standing) == ("supervised", "candidate")
        assert house.rollout("v1").standing == "stable"
        hours(house, 5)
        tasks.end_break_glass(house.ctx)
        assert (house.rollout("v2").phase, house.rollout("v2").standing) == ("shadow", "candidate")

    def test_a_small_change_starts_from_what_the_stable_version_has_earned(self, house: House) -> None:
        house.apply(small_change_may_start_in="confidence")
        house.climb(Phase.SUPERVISED)
        break_glass(house)

        assert house.register("v2", small_change=True).phase == "supervised"

    def test_no_other_plan_is_adopted_meanwhile(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.apply(settle_days=2)
        break_glass(house)

        with house.ctx.db.begin() as session:
            rollout = queries.get_rollout(session, "reader", "v1")
            with pytest.raises(GlassOpen):
                plans.adopt(session, rollout, actor=house.alice, now=house.clock.now(), reason="better")


class TestTheWaysBackWorkAsAlways:
    def test_a_demotion_closes_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)

        house.demote()

        assert place(house) == ("supervised", 0, None, None, None)
        hours(house, 5)
        tasks.end_break_glass(house.ctx)
        assert kinds(house)[0] == "demoted"

    def test_a_demotion_far_down_is_not_undone_by_its_end(self, house: House) -> None:
        house.climb(Phase.CONFIDENCE)
        break_glass(house)
        house.demote(to=Phase.SHADOW)
        hours(house, 5)

        tasks.look_at_all(house.ctx)

        assert place(house) == ("shadow", 0, None, None, None)

    def test_a_guardrail_closes_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        house.count(cases=100, overridden=90)

        evidence = house.look()

        assert evidence.verdict == "demote"
        assert place(house) == ("supervised", 0, None, None, None)

    def test_a_critical_failure_closes_it(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)
        house.clock.move(timedelta(minutes=1))
        report(house)

        tasks.look_at_all(house.ctx)

        assert place(house) == ("supervised", 0, None, None, None)

    @pytest.mark.parametrize("mode", list(FreezeMode))
    def test_a_freeze_closes_it_and_lifting_the_freeze_does_not_open_it(self, house: House, mode: FreezeMode) -> None:
        house.climb(Phase.SUPERVISED)
        break_glass(house)

        freeze(house, mode)
        frozen = place(house)
        freeze(house, None)

        assert frozen == place(house) == ("supervised", 0, None, None, None)
        assert kinds(house)[:4] == ["unfrozen", "frozen", "glass_ended", "broke_glass"]
        assert (policy(house).phase, policy(house).frozen) == (Phase.SUPERVISED, None)

    def test_a_rollback_closes_it(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")
        break_glass(house, version="v2")

        rollback(house)

        assert place(house, "v2") == ("shadow", 0, None, None, None)
        assert (house.rollout("v2").standing, house.rollout("v1").standing) == ("retired", "stable")
        assert policy(house, "v2").glass is None

    def test_a_stopped_candidate_has_none(self, house: House) -> None:
        house.climb(Phase.SUPERVISED)
        house.register("v2")
        house.climb(Phase.SHADOW, "v2")
        break_glass(house, version="v2")

        house.stop("v2")

        assert place(house, "v2") == ("shadow", 0, None, None, None)

    def test_a_version_that_was_replaced_meanwhile_comes_back_with_what_it_had_earned(self, house: House) -> None:
        house.climb(Phase.SHADOW)
        house.register("v2")
        evidence = [house.ready("v2")]
        house.sign(evidence[0].id, version="v2")
        assert house.rollout("v1").standing == "retired"
        break_glass(house, 24, version="v2")
        house.register("v3")
        house.climb(Phase.SHADOW, "v3")
        with house.ctx.db.begin() as session:
            rollout = queries.get_rollout(session, "reader", "v3")
            service.steps.enter_phase(
                session, rollout, Phase.SUPERVISED, "advanced", actor=house.alice, now=house.clock.now(), reason="test"
            )
        rollback(house)

        assert (house.rollout("v2").standing, place(house, "v2")) == ("stable", ("shadow", 0, None, None, None))
        assert policy(house, "v2").phase is Phase.SHADOW


class TestOverHttp:
    @pytest.fixture
    def client(self, house: House) -> Iterator[TestClient]:
        with served(house.ctx) as client:
            client.headers = factories.bearer(house.ctx, login="alice")  # type: ignore[assignment]
            yield client

    def test_it_is_broken_and_shown(self, house: House, client: TestClient) -> None:
        house.climb(Phase.SUPERVISED)

        made = client.post(f"{ROLLOUT}/break-glass", json={"reason": WHY, "hours": 0.5})
        again = client.post(f"{ROLLOUT}/break-glass", json={"reason": WHY, "hours": 0.5})

        assert (made.status_code, made.json()["kind"], made.json()["entered"]) == (200, "broke_glass", "confidence")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/glass-open")
        shown = client.get(ROLLOUT).json()["glass"]
        assert (shown["by"], shown["reason"], shown["until"]) == ("alice", WHY, made.json()["glass_until"])
        present = client.get("/v1/agents/reader/versions/v1/policy").json()
        assert present["glass"] == {"until": made.json()["glass_until"], "phase": "supervised", "ramp_share": 1.0}

    @pytest.mark.parametrize(
        "body",
        [
            {"hours": 1},
            {"reason": WHY},
            {"reason": "", "hours": 1},
            {"reason": WHY, "hours": 0},
            {"reason": WHY, "hours": 25},
            {"reason": WHY, "hours": "soon"},
            {"reason": WHY, "hours": 1, "to": "full"},
            {"reason": WHY, "hours": 1, "for": "ever"},
        ],
    )
    def test_what_it_lacks_is_told(self, house: House, client: TestClient, body: dict[str, object]) -> None:
        house.climb(Phase.SUPERVISED)

        assert client.post(f"{ROLLOUT}/break-glass", json=body).status_code == 422

    def test_it_is_not_for_others(self, ctx: Context, client: TestClient) -> None:
        refused = [
            client.post(f"{ROLLOUT}/break-glass", json={"reason": WHY, "hours": 1}, headers=headers)
            for headers in (factories.bearer(ctx, login="erin"), factories.bearer(ctx, agent="reader"))
        ]

        assert [(response.status_code, response.json()["type"]) for response in refused] == [
            (403, "/problems/not-the-owner")
        ] * 2


def report(house: House) -> None:
    """A critical failure of v1, from production."""
    with house.ctx.db.begin() as session:
        failures.report(
            session, agent="reader", version="v1", rollout_id=house.rollout().id, severity=Severity.CRITICAL,
            description="it paid twice", actor=house.alice, now=house.clock.now(),
        )  # fmt: skip
