"""A segment that does harm is closed by the look, once, and stays closed until the owner opens it."""

from typing import Any

import pytest
from sqlalchemy import select

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.context import Context
from rollout.domain.phase import Phase
from rollout.domain.policy import Rules
from rollout.domain.totals import Counts
from rollout.failures.tables import Failure
from rollout.gates import service as gates
from rollout.gates.fleet import fleet_of
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions import steps
from rollout.versions.steps import NotTheOwner
from tests.integration.rollout.house import House, build, plan_data


def _with_segments() -> dict[str, Any]:
    phases = plan_data()["phases"]
    for phase in ("confidence", "full"):
        phases[phase]["guardrails"].append(
            {"name": "by segment", "metric": "error_rate", "at_most": 0.3, "segments": "each"}
        )
    return phases


@pytest.fixture
def house(ctx: Context) -> House:
    made = build(ctx, phases=_with_segments())
    made.register()
    made.climb(Phase.CONFIDENCE)
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, made.agent, "v1")
        versions.change_rules(session, rollout, Rules(threshold=0.8), actor=made.alice, now=ctx.clock.now())
    return made


def _count(house: House, segment: str, cases: int, overridden: int) -> None:
    rollout = house.rollout()
    key = gates.TotalKey(rollout.id, rollout.epoch, "audit", segment, house.clock.now().date())
    counts = Counts(cases=cases, agreed=cases - overridden, overridden=overridden)
    with house.ctx.db.begin() as session:
        gates.count(session, {key: counts})


def _rules(house: House) -> Rules:
    with house.ctx.db.read() as session:
        return steps.rules_of(session, version_queries.get_rollout(session, house.agent, "v1"))


def _open(house: House, by: Actor) -> None:
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, house.agent, "v1")
        versions.change_rules(session, rollout, Rules(threshold=0.8), actor=by, now=house.clock.now())


def _harm(house: House) -> None:
    _count(house, "mail", 900, 10)
    _count(house, "scans", 30, 25)


def test_the_look_closes_the_segment_and_tells_everybody(house: House) -> None:
    _harm(house)
    snapshot = house.look()

    assert snapshot.verdict == "hold"
    assert _rules(house) == Rules(threshold=0.8, thresholds={"scans": None})
    status = house.status()
    assert status.phase == "confidence"
    assert [(one.segment, one.since) for one in status.closed_segments] == [("scans", house.clock.now())]
    assert "Segment scans is closed since" in status.closed_segments[0].words
    assert status.history[0].kind == "segment_closed"
    assert status.history[0].evidence_id == snapshot.id
    with house.ctx.db.read() as session:
        failure = session.scalars(select(Failure.description)).one()
        assert failure.startswith("A guardrail closed a segment in confidence. segment scans: 25 of 30 cases")
        event = session.scalars(select(AuditEvent).where(AuditEvent.verb == "segment.closed")).one()
        policy = version_queries.get_policy(session, house.rollout().id, house.rollout().policy_revision)
        assert (policy.created_by, str(snapshot.id) in policy.cause) == ("system", True)
    assert event.detail["segments"] == ["scans"]


def test_looking_again_closes_nothing_twice(house: House) -> None:
    _harm(house)
    house.look()
    revision = house.rollout().policy_revision
    house.look()

    assert house.rollout().policy_revision == revision
    with house.ctx.db.read() as session:
        assert len(session.scalars(select(Failure)).all()) == 1


def test_it_never_opens_by_itself_and_the_owner_alone_opens_it(house: House) -> None:
    _harm(house)
    house.look()
    house.days(5)
    _count(house, "scans", 500, 0)
    house.look()
    assert _rules(house).closed == {"scans"}

    with pytest.raises(NotTheOwner):
        _open(house, house.erin)
    _open(house, house.alice)
    house.look()

    assert (_rules(house).closed, house.status().closed_segments) == (frozenset(), [])


def test_a_segment_that_does_harm_again_after_it_was_opened_is_closed_again(house: House) -> None:
    _harm(house)
    house.look()
    _open(house, house.alice)
    house.days(1)
    _harm(house)
    house.look()

    assert _rules(house).closed == {"scans"}


def test_harm_all_over_demotes_and_closes_the_segment_as_well(house: House) -> None:
    _count(house, "scans", 30, 25)

    assert house.look().verdict == "demote"
    assert (house.rollout().phase, _rules(house).closed) == ("supervised", {"scans"})


def test_the_guardrails_of_all_agents_are_counted_in_their_present_phase(house: House) -> None:
    with house.ctx.db.read() as session:
        found = fleet_of(session, house.ctx.settings.false_alarms_per_year)
        other = fleet_of(session, 0.5, agent="somebody-else")

    assert [(one.guardrail, one.phase) for one in found.streams] == [
        ("error_rate", "confidence"),
        ("by segment", "confidence"),
    ]
    assert (found.per_year, other.streams) == (pytest.approx(0.73), ())
