from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rollout.domain.approval import (
    Approval,
    Capacity,
    Evidence,
    Permission,
    Person,
    ReasonMissing,
    Request,
    Ruling,
    Signature,
    State,
    approval_state,
    ask,
    may_sign,
)
from rollout.domain.judge import Step, judge
from rollout.domain.phase import Phase
from tests.unit.rollout.making import NOW, plan, situation, totals

TWO = plan(approvals={"second_person_for": ["confidence"], "ramp_approval": "automatic"})
LATER = NOW + timedelta(hours=1)


def request(phase: Phase = Phase.SUPERVISED, *, second: str | None = None, asked_by: str = "jonas") -> Request:
    """To go on from a phase. From supervised it needs two people."""
    judgement = judge(TWO, situation(phase))
    return ask(TWO, "8c41", judgement, asked_by=asked_by, owner="maria", second=second)


def signed(login: str = "maria", *, at: datetime = LATER, evidence_id: str = "8c41") -> Signature:
    return Signature(evidence_id, login, Ruling.SIGNED, at)


def refused(login: str = "maria", reason: str = "The figures of October are missing.") -> Signature:
    return Signature("8c41", login, Ruling.REFUSED, LATER, reason)


def state(
    *signatures: Signature, of: Request | None = None, present: Evidence | None = None, now: datetime = LATER
) -> Approval:
    of = of or request()
    return approval_state(of, signatures, present or of.evidence, now)


class TestMaySign:
    def allowed(self, login: str, of: Request | None = None) -> Capacity | None:
        return may_sign(Person(login), of or request()).capacity

    def test_the_owner_signs_as_the_owner_also_when_they_asked(self) -> None:
        assert self.allowed("maria") is Capacity.OWNER
        assert self.allowed("maria", request(asked_by="maria")) is Capacity.OWNER

    def test_anybody_else_is_the_second_but_not_the_one_who_asked(self) -> None:
        assert self.allowed("ines") is Capacity.SECOND
        assert may_sign(Person("jonas"), request()) == Permission(
            None, "Asked for it, so may not be the second person."
        )

    def test_only_the_named_second_where_one_is_named(self) -> None:
        assert self.allowed("ines", request(second="ines")) is Capacity.SECOND
        assert self.allowed("paul", request(second="ines")) is None
        assert self.allowed("jonas", request(second="jonas")) is None

    def test_nobody_but_the_owner_where_one_signature_is_enough(self) -> None:
        assert self.allowed("ines", request(Phase.SHADOW)) is None
        assert self.allowed("maria", request(Phase.SHADOW)) is Capacity.OWNER

    def test_a_key_signs_nothing(self) -> None:
        assert may_sign(Person("maria", is_person=False), request()).capacity is None


class TestNeeds:
    def test_a_second_person_signs_for_the_phases_of_the_plan(self) -> None:
        assert request(Phase.SUPERVISED).needs == {Capacity.OWNER, Capacity.SECOND}
        assert request(Phase.SHADOW).needs == {Capacity.OWNER}

    def test_a_ramp_step_needs_nobody_where_the_plan_says_so(self) -> None:
        of = request(Phase.CONFIDENCE)

        assert of.needs == frozenset()
        assert state(of=of).state is State.APPROVED

    def test_a_ramp_step_inside_a_phase_needs_no_second_person(self) -> None:
        strict = plan(approvals={"second_person_for": ["confidence"]})
        judgement = judge(strict, situation(Phase.CONFIDENCE))

        assert ask(strict, "1", judgement, asked_by="x", owner="maria").needs == {Capacity.OWNER}

    def test_only_what_may_be_done_can_be_asked_for(self) -> None:
        holding = judge(TWO, situation(totals={}))

        with pytest.raises(ValueError, match="says advance"):
            ask(TWO, "1", holding, asked_by="x", owner="maria")


class TestState:
    def test_waits_for_everybody_who_has_to_sign(self) -> None:
        assert state() == Approval(
            State.WAITING,
            "It waits for the signature of the owner and a second person.",
            frozenset({Capacity.OWNER, Capacity.SECOND}),
        )
        assert state(signed("maria")).words == "It waits for the signature of a second person."
        assert state(signed("ines")).missing == {Capacity.OWNER}
        assert state(signed("maria"), signed("ines")).state is State.APPROVED

    def test_one_person_does_not_sign_for_two(self) -> None:
        assert state(signed("maria"), signed("maria")).state is State.WAITING

    def test_the_signature_of_the_one_who_asked_does_not_count(self) -> None:
        assert state(signed("maria"), signed("jonas")).state is State.WAITING

    @pytest.mark.parametrize(
        "signature",
        [
            pytest.param(signed(evidence_id="77aa"), id="for other evidence"),
            pytest.param(signed(at=NOW - timedelta(seconds=1)), id="before the evidence was taken"),
            pytest.param(signed(at=LATER + timedelta(seconds=1)), id="in the future"),
        ],
    )
    def test_a_signature_is_for_this_evidence_and_comes_after_it(self, signature: Signature) -> None:
        assert state(signature, signed("ines")).missing == {Capacity.OWNER}

    def test_evidence_ages(self) -> None:
        both = (signed("maria"), signed("ines"))
        end = NOW + timedelta(days=2)

        assert state(*both, now=end - timedelta(seconds=1)).state is State.APPROVED
        assert state(*both, now=end).state is State.AGED

    def test_is_used_once(self) -> None:
        used = replace(request(), used_at=LATER)

        assert state(signed("maria"), signed("ines"), of=used).state is State.USED

    def test_a_refusal_is_a_state_with_a_reason(self) -> None:
        found = state(signed("maria"), refused("ines"))

        assert found.state is State.REFUSED
        assert found.words == "Refused by ines: The figures of October are missing."

    def test_a_refusal_of_somebody_who_may_not_sign_is_nothing(self) -> None:
        assert state(refused("jonas"), signed("maria"), signed("ines")).state is State.APPROVED

    def test_a_refusal_without_a_reason_is_not_taken(self) -> None:
        with pytest.raises(ReasonMissing):
            refused(reason=" ")


class TestChange:
    def changed(self, **more: object) -> State:
        of = request()
        present = replace(of.evidence, id="9d52", taken_at=LATER, **more)  # type: ignore[arg-type]
        return state(signed("maria"), signed("ines"), of=of, present=present).state

    def test_newer_evidence_that_says_the_same_changes_nothing(self) -> None:
        assert self.changed() is State.APPROVED

    @pytest.mark.parametrize(
        "more",
        [
            pytest.param({"version": "v2"}, id="another version"),
            pytest.param({"epoch": 2}, id="the phase was entered again"),
            pytest.param({"phase": Phase.SHADOW}, id="another phase"),
            pytest.param({"target": Step(Phase.CONFIDENCE, 0, 0.1)}, id="another share"),
            pytest.param({"plan_digest": "other"}, id="another plan"),
            pytest.param({"advances": False}, id="a gate that no longer passes"),
        ],
    )
    def test_whatever_else_is_said_now_was_not_signed_for(self, more: dict[str, object]) -> None:
        assert self.changed(**more) is State.CHANGED

    def test_without_present_evidence_nothing_is_approved(self) -> None:
        of = request()

        assert approval_state(of, [signed("maria"), signed("ines")], None, LATER).state is State.CHANGED

    def test_a_late_override_after_the_signature_makes_it_fall(self) -> None:
        of = request()
        worse = judge(TWO, situation(now=LATER, totals=totals(cases=300, overridden=20)))

        found = state(signed("maria"), signed("ines"), of=of, present=Evidence.of("9d52", worse))

        assert found.state is State.CHANGED

    def test_more_good_cases_do_not_ask_for_new_signatures(self) -> None:
        of = request()
        better = judge(TWO, situation(now=LATER, totals=totals(cases=900)))
        both: Iterable[Signature] = (signed("maria"), signed("ines"))

        assert approval_state(of, both, Evidence.of("9d52", better), LATER).state is State.APPROVED
