"""Rules that leave more to the agent, and who may write them."""

import pytest
from sqlalchemy import select

from governance.actors import SYSTEM, Actor
from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.errors import Forbidden
from rollout.domain.phase import Phase
from rollout.domain.policy import Rules, Scope
from rollout.versions import queries, service
from rollout.versions.steps import NotTheOwner
from rollout.versions.tables import PolicyRevision
from tests import factories
from tests.integration.rollout.house import RITA, House, build, served

BEFORE = Rules(threshold=0.9, scope=Scope(segments=frozenset({"paper"})), audit_rate=0.1)
WIDER = Rules(threshold=0.8, scope=Scope(segments=frozenset({"paper"})), audit_rate=0.1)
NARROWER = Rules(threshold=0.95, scope=Scope(segments=frozenset({"paper"})), audit_rate=0.2)
POLICY = "/v1/agents/reader/versions/v1/policy"


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx, second=True)
    house.register(rules=BEFORE)
    return house


def change(house: House, rules: Rules, by: Actor, version: str = "v1") -> PolicyRevision:
    with house.ctx.db.begin() as session:
        rollout = queries.get_rollout(session, "reader", version)
        return service.change_rules(session, rollout, rules, actor=by, now=house.clock.now())


def present(house: House) -> Rules:
    with house.ctx.db.read() as session:
        return service.steps.rules_of(session, queries.get_rollout(session, "reader", "v1"))


@pytest.mark.parametrize("phase", [Phase.EVALUATION, Phase.SHADOW])
def test_until_real_work_is_touched_whoever_configures_may_widen(house: House, phase: Phase) -> None:
    house.climb(phase)

    change(house, WIDER, house.erin)

    assert present(house) == WIDER


@pytest.mark.parametrize("phase", [Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL])
def test_after_that_only_the_named_owner_and_second_may(house: House, phase: Phase) -> None:
    house.climb(phase)
    other_owner = factories.actor(house.ctx, "olga", roles=("owner", "admin"))

    for actor in (house.erin, other_owner, SYSTEM):
        with pytest.raises(NotTheOwner, match=r"only alice or bob may: the threshold goes from 0.9 to 0.8"):
            change(house, WIDER, actor)
    assert present(house) == BEFORE

    change(house, WIDER, house.bob)
    change(house, BEFORE, house.erin)
    change(house, WIDER, house.alice)

    assert present(house) == WIDER


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.CONFIDENCE])
def test_narrowing_stays_free_to_whoever_may_configure(house: House, phase: Phase) -> None:
    house.climb(phase)

    change(house, NARROWER, house.erin)

    assert present(house) == NARROWER
    for actor in (RITA, house.lena):
        with pytest.raises(Forbidden):
            change(house, BEFORE, actor)


def test_a_change_that_narrows_here_and_widens_there_widens(house: House) -> None:
    house.climb(Phase.CONFIDENCE)

    with pytest.raises(NotTheOwner, match="segment fax comes into scope"):
        change(house, Rules(threshold=0.99, scope=Scope(segments=frozenset({"paper", "fax"}))), house.erin)


def test_a_named_owner_who_has_lost_the_role_may_not(house: House) -> None:
    house.climb(Phase.CONFIDENCE)

    with pytest.raises(Forbidden):
        change(house, WIDER, Actor("alice", "person", frozenset({"auditor"})))


def test_the_way_in_which_it_widens_is_on_record(house: House) -> None:
    house.climb(Phase.CONFIDENCE)

    row = change(house, WIDER, house.alice)
    change(house, NARROWER, house.erin)

    with house.ctx.db.read() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.verb == "policy.written")).all()
    recorded = {event.detail["revision"]: (event.actor, event.detail["widens"]) for event in events}
    assert row.cause == "rules changed: the threshold goes from 0.9 to 0.8"
    assert recorded[row.revision] == ("alice", ["the threshold goes from 0.9 to 0.8"])
    assert recorded[row.revision + 1] == ("erin", [])


def test_registering_a_small_change_is_no_way_round(house: House) -> None:
    house.apply(small_change_may_start_in="supervised")
    house.climb(Phase.SUPERVISED)

    with pytest.raises(NotTheOwner, match=r"the threshold goes from 0.9 to 0.8"):
        house.register("v2", small_change=True, rules=WIDER)
    rollout = house.register("v2", small_change=True, rules=NARROWER)

    assert rollout.phase == "supervised"


def test_over_http_the_refusal_names_what_widens(ctx: Context, house: House) -> None:
    house.climb(Phase.CONFIDENCE)
    with served(ctx) as client:
        refused = client.put(POLICY, json=WIDER.model_dump(mode="json"), headers=factories.bearer(ctx, login="erin"))
        done = client.put(POLICY, json=WIDER.model_dump(mode="json"), headers=factories.bearer(ctx, login="bob"))

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-the-owner")
    assert refused.json()["widens"] == ["the threshold goes from 0.9 to 0.8"]
    assert done.status_code == 200
