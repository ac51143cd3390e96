"""Asking, signing and refusing: who may, on what, and what makes a signature fall."""

from uuid import UUID

import pytest

from governance.actors import SYSTEM, of_agent
from kit.context import Context
from kit.errors import Conflict, Forbidden, Invalid, NotFound
from rollout.agents import queries as agent_queries
from rollout.domain.approval import State
from rollout.domain.phase import FreezeMode, Phase
from rollout.domain.policy import Rules
from rollout.failures import service as failures
from rollout.gates import service as gates
from rollout.gates.signing import (
    AlreadySigned,
    AskedAlready,
    EvidenceAged,
    EvidenceChanged,
    GateNotPassed,
    NotTheSigner,
    SignaturesUsed,
    StepRefused,
)
from rollout.plans import service as plans
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from tests.integration.rollout.house import House, build
from tests.racing import together


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx)
    house.register()
    return house


def test_the_owner_signs_and_the_version_advances(house: House) -> None:
    evidence = house.ready()

    answered = house.sign(evidence.id, reason="I have read it")

    assert answered.change is not None
    status = house.status()
    assert (status.phase, status.epoch, status.standing) == ("shadow", 2, "stable")
    change = status.history[0]
    assert (change.kind, change.left, change.entered, change.by) == ("advanced", "evaluation", "shadow", "alice")
    assert change.evidence_id == evidence.id
    assert change.reason == "signed by alice (owner): I have read it"


def test_nobody_but_the_owner_signs_where_no_second_person_is_asked_for(house: House) -> None:
    evidence = house.ready()

    for other in (house.bob, house.lena):
        with pytest.raises(NotTheSigner, match="alice"):
            house.sign(evidence.id, other)
    with pytest.raises(Forbidden):
        house.sign(evidence.id, house.erin)
    with pytest.raises(Forbidden):
        house.sign(evidence.id, of_agent("reader"))
    with pytest.raises(NotTheSigner, match="person"):
        house.sign(evidence.id, SYSTEM)
    assert house.rollout().phase == "evaluation"


def test_evidence_that_does_not_carry_the_step_cannot_be_signed(house: House) -> None:
    evidence = house.look()

    with pytest.raises(GateNotPassed, match="suite forms was not run"):
        house.sign(evidence.id)


def test_two_people_sign_for_full_and_only_then_is_the_step_taken(house: House) -> None:
    house.climb(Phase.CONFIDENCE)
    first = house.ready()
    house.sign(first.id)  # the ramp step needs the owner alone
    evidence = house.ready()

    waiting = house.sign(evidence.id)
    before = house.status()
    answered = house.sign(evidence.id, house.bob)

    assert (waiting.approval.state, waiting.change) == (State.WAITING, None)
    assert before.phase == "confidence"
    assert before.approval is not None
    assert (before.approval.state, before.approval.missing) == ("waiting", ["second"])
    assert answered.change is not None
    assert house.status().phase == "full"
    assert house.status().history[0].reason == "signed by alice (owner), bob (second)"


def test_the_one_who_asks_is_not_the_second_person(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.ask(evidence, house.bob)
    house.sign(evidence)

    with pytest.raises(NotTheSigner, match="Asked for it"):
        house.sign(evidence, house.bob)

    assert house.rollout().phase == "confidence"


def test_the_second_person_cannot_begin(house: House) -> None:
    evidence = _at_the_door_of_full(house)

    with pytest.raises(NotTheSigner, match="Asked for it"):
        house.sign(evidence, house.bob)


def test_a_named_second_person_is_the_only_one(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)

    with pytest.raises(NotTheSigner, match="bob"):
        house.sign(evidence, house.lena)


def test_nobody_signs_twice(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)

    with pytest.raises(AlreadySigned):
        house.sign(evidence)


def test_who_asked_may_sign_as_the_owner_in_the_same_row(house: House) -> None:
    evidence = house.ready()
    house.ask(evidence.id, house.alice)

    assert house.sign(evidence.id).change is not None


def test_an_engineer_asks_and_the_owner_signs(house: House) -> None:
    evidence = house.ready()
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        asked = gates.advance(session, rollout, evidence.id, actor=house.erin, now=house.clock.now())

    status = house.status()
    assert (asked.change, status.phase) == (None, "evaluation")
    assert status.approval is not None
    assert (status.approval.asked_by, status.approval.state) == ("erin", "waiting")
    assert house.sign(evidence.id).change is not None


def test_signatures_are_used_once(house: House) -> None:
    evidence = house.ready()
    house.sign(evidence.id)
    house.demote(to=Phase.EVALUATION)

    with pytest.raises(SignaturesUsed):
        house.sign(evidence.id)


def test_a_signature_falls_when_the_evidence_has_aged(house: House) -> None:
    evidence = house.ready()
    house.days(2)

    with pytest.raises(EvidenceAged):
        house.sign(evidence.id)


def test_a_signature_falls_when_the_evidence_no_longer_carries_the_step(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    house.count(cases=200, overridden=40, days_ago=2)

    with pytest.raises(EvidenceChanged):
        house.sign(evidence, house.bob)


def test_more_of_the_same_evidence_leaves_a_signature_standing(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    house.count(cases=50, days_ago=2)
    house.look()

    assert house.sign(evidence, house.bob).change is not None


def test_a_signature_falls_when_the_version_was_moved(house: House) -> None:
    evidence = house.ready()
    house.climb(Phase.SHADOW)
    house.demote()

    with pytest.raises((EvidenceChanged, SignaturesUsed)):
        house.sign(evidence.id)


def test_a_signature_falls_when_another_plan_is_adopted(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    house.apply(name="stricter", settle_days=0)
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        plans.adopt(session, rollout, actor=house.alice, now=house.clock.now(), reason="we know more now")

    with pytest.raises(EvidenceChanged):
        house.sign(evidence, house.bob)


def test_a_signature_falls_when_the_routing_rules_change(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        versions.change_rules(session, rollout, Rules(threshold=0.1), actor=house.alice, now=house.clock.now())

    with pytest.raises(EvidenceChanged, match="routing rules"):
        house.sign(evidence, house.bob)


def test_a_freeze_and_a_critical_failure_stop_a_step_that_was_signed_for(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        versions.freeze(
            session, rollout, FreezeMode.ADVANCING, actor=house.lena, now=house.clock.now(), reason="wait a moment"
        )
    with pytest.raises(EvidenceChanged):
        house.sign(evidence, house.bob)
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        versions.unfreeze(session, rollout, actor=house.lena, now=house.clock.now(), reason="all is well")
        failures.report(
            session, agent="reader", version="v1", rollout_id=rollout.id, severity="critical",
            description="it paid twice", actor=house.erin, now=house.clock.now(),
        )  # fmt: skip

    with pytest.raises(EvidenceChanged):
        house.sign(evidence, house.bob)


def test_a_refusal_is_a_state_with_a_reason(house: House) -> None:
    evidence = house.ready()
    with pytest.raises(Invalid):
        house.refuse(evidence.id, reason=" ")

    refused = house.refuse(evidence.id, reason="too early for me")

    assert refused.approval.state is State.REFUSED
    status = house.status()
    assert (status.phase, status.history[0].kind, status.history[0].reason) == (
        "evaluation",
        "refused",
        "too early for me",
    )
    with pytest.raises(StepRefused, match="too early"):
        house.sign(evidence.id)


def test_after_a_refusal_it_takes_new_evidence_to_ask_again(house: House) -> None:
    evidence = house.ready()
    house.refuse(evidence.id)
    with pytest.raises(Conflict):
        house.ask(evidence.id, house.erin)
    house.days(1)
    newer = house.look()

    assert newer.id != evidence.id
    assert house.sign(newer.id).change is not None


def test_one_step_is_asked_for_on_one_snapshot_at_a_time(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.sign(evidence)
    house.count(cases=50, days_ago=2)
    newer = house.look()

    with pytest.raises(AskedAlready, match=str(evidence)):
        house.ask(newer.id, house.erin)


def test_evidence_of_another_version_cannot_be_signed_here(house: House) -> None:
    evidence = house.ready()
    house.register("v2")

    with pytest.raises(NotFound):
        house.sign(evidence.id, version="v2")


def test_two_who_advance_at_once_take_one_step(house: House) -> None:
    evidence = house.ready()

    results = together(lambda: house.sign(evidence.id), lambda: house.sign(evidence.id))

    taken = [result for result in results if not isinstance(result, Exception)]
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(taken) == len(refused) == 1
    assert type(refused[0]).__name__ in {"SignaturesUsed", "AlreadySigned", "EvidenceChanged", "StaleDataError"}
    assert house.status().epoch == 2


def test_owner_and_second_signing_at_once_take_the_step_once(house: House) -> None:
    evidence = _at_the_door_of_full(house)
    house.ask(evidence, house.erin)

    results = together(lambda: house.sign(evidence), lambda: house.sign(evidence, house.bob))

    assert [result for result in results if isinstance(result, Exception)] == []
    assert sum(result.change is not None for result in results) == 1
    assert house.rollout().phase == "full"


def test_a_change_of_owner_changes_who_signs(house: House) -> None:
    evidence = house.ready()
    with house.ctx.db.begin() as session:
        agent_queries.get_agent(session, "reader").owner = "lena"

    with pytest.raises(NotTheSigner):
        house.sign(evidence.id)
    assert house.sign(evidence.id, house.lena).change is not None


def _at_the_door_of_full(house: House) -> UUID:
    """Evidence that carries the entry into full, which two people sign."""
    house.climb(Phase.CONFIDENCE)
    house.sign(house.ready().id)
    evidence = house.ready()
    assert evidence.body["target"]["phase"] == "full", evidence.body["reasons"]
    return evidence.id
