"""
Who has to sign a step, who may, and whether it is signed.

Approval comes last: it is for one version, one step and one evidence snapshot, is used once, and falls when the
evidence has aged or what it says has changed. The one who asks is not the second approver.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import Invalid
from rollout.domain.judge import Judgement, Step
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.verdict import Conclusion


class ReasonMissing(Invalid):
    code = "reason-missing"
    title = "A reason is needed"


class Capacity(StrEnum):
    OWNER = "owner"
    SECOND = "second"


class Ruling(StrEnum):
    SIGNED = "signed"
    REFUSED = "refused"


class State(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    AGED = "aged"
    CHANGED = "changed"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who wants to sign. Keys and services are not people, and sign nothing."""

    login: str
    is_person: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """A snapshot as far as a signature depends on it: what it is about, when it was taken, what it says."""

    id: str
    version: str
    epoch: int
    phase: Phase
    target: Step | None
    plan_digest: str
    taken_at: datetime
    advances: bool

    @classmethod
    def of(cls, evidence_id: str, judgement: Judgement) -> "Evidence":
        return cls(
            id=evidence_id,
            version=judgement.version,
            epoch=judgement.epoch,
            phase=judgement.phase,
            target=judgement.target,
            plan_digest=judgement.plan_digest,
            taken_at=judgement.at,
            advances=judgement.verdict is Conclusion.ADVANCE,
        )

    def still_says_so(self, present: "Evidence") -> bool:
        """
        Whether the newest evidence allows the same step of the same version under the same plan.

        Counts may have grown since; if they had changed what is concluded, `advances` would be false.
        """
        same = replace(present, id=self.id, taken_at=self.taken_at)
        return present.advances and same == self


@dataclass(frozen=True, slots=True)
class Request:
    """One step asked for on one snapshot. `second` names the only person who may be the second; None: anybody."""

    evidence: Evidence
    needs: frozenset[Capacity]
    valid_until: datetime
    asked_by: str
    owner: str
    second: str | None = None
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    evidence_id: str
    login: str
    ruling: Ruling
    at: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        if self.ruling is Ruling.REFUSED and not self.reason.strip():
            raise ReasonMissing("a refusal needs a reason; it is kept with the evidence")


@dataclass(frozen=True, slots=True)
class Permission:
    """In which capacity somebody may sign, or in words why not."""

    capacity: Capacity | None
    words: str


@dataclass(frozen=True, slots=True)
class Approval:
    state: State
    words: str
    missing: frozenset[Capacity] = frozenset()


def needed(plan: Plan, phase: Phase, target: Step, *, without_signature: bool) -> frozenset[Capacity]:
    """The owner always signs; a second person where the plan says so. A ramp step may need nobody."""
    if without_signature:
        return frozenset()
    if target.phase is not phase and target.phase in plan.approvals.second_person_for:
        return frozenset({Capacity.OWNER, Capacity.SECOND})
    return frozenset({Capacity.OWNER})


def ask(
    plan: Plan, evidence_id: str, judgement: Judgement, *, asked_by: str, owner: str, second: str | None = None
) -> Request:
    """Ask for the step that a judgement allows. The evidence holds for `evidence_valid_days` from when it was taken."""
    if judgement.verdict is not Conclusion.ADVANCE or judgement.target is None:
        raise ValueError("only a judgement that says advance can be asked for")
    return Request(
        evidence=Evidence.of(evidence_id, judgement),
        needs=needed(plan, judgement.phase, judgement.target, without_signature=judgement.without_signature),
        valid_until=judgement.at + timedelta(days=plan.evidence_valid_days),
        asked_by=asked_by,
        owner=owner,
        second=second,
    )


def may_sign(person: Person, request: Request) -> Permission:
    """In which capacity this person signs. The owner signs as owner, also when they asked."""
    if not person.is_person:
        return Permission(None, "A signature is a person's; a key cannot sign.")
    if person.login == request.owner:
        return Permission(Capacity.OWNER, "Signs as the owner.")
    if Capacity.SECOND not in request.needs:
        return Permission(None, f"Only the owner, {request.owner}, signs for this step.")
    if person.login == request.asked_by:
        return Permission(None, "Asked for it, so may not be the second person.")
    if request.second is not None and person.login != request.second:
        return Permission(None, f"The second person is {request.second}.")
    return Permission(Capacity.SECOND, "Signs as the second person.")


def approval_state(
    request: Request, signatures: Iterable[Signature], present: Evidence | None, now: datetime
) -> Approval:
    """
    Where a request stands now, with the newest evidence at hand.

    Asked again at the moment the step is taken: a signature that was good yesterday may have fallen since.
    """
    counting = [signature for signature in signatures if _counts(request, signature, now)]
    if request.used_at is not None:
        return Approval(State.USED, "These signatures have been used; a step is signed for once.")
    for signature in counting:
        if signature.ruling is Ruling.REFUSED:
            return Approval(State.REFUSED, f"Refused by {signature.login}: {signature.reason}")
    if now >= request.valid_until:
        return Approval(State.AGED, "The evidence has aged. A new look takes new evidence to sign for.")
    if present is None or not request.evidence.still_says_so(present):
        return Approval(State.CHANGED, "The evidence no longer says what was signed for.")
    missing = request.needs - {_capacity(request, signature) for signature in counting}
    if missing:
        waiting = " and ".join(_TITLES[capacity] for capacity in Capacity if capacity in missing)
        return Approval(State.WAITING, f"It waits for the signature of {waiting}.", frozenset(missing))
    return Approval(State.APPROVED, "It is signed for.")


_TITLES = {Capacity.OWNER: "the owner", Capacity.SECOND: "a second person"}


def _counts(request: Request, signature: Signature, now: datetime) -> bool:
    """Given for this very snapshot, after it was taken, by somebody who may."""
    about_this = signature.evidence_id == request.evidence.id
    in_time = request.evidence.taken_at <= signature.at <= min(now, request.valid_until)
    return about_this and in_time and _capacity(request, signature) is not None


def _capacity(request: Request, signature: Signature) -> Capacity | None:
    return may_sign(Person(signature.login), request).capacity
