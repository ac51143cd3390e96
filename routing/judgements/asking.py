"""
Which comparisons a third person judges. Settling tells of those it made; in the same transaction the item is there.

The draw is the case's own, so settling again, or a correction, throws no other die. A corrected human output takes the
place of the one before, as long as nobody has judged that: the case is shown anew, or withdrawn where what it is now
was not drawn. What was judged stays what it was.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import SYSTEM
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.ids import new_id
from rollout.domain.policy import Policy
from routing.cases.tables import Counted, HumanOutput
from routing.domain.judging import ASKED_LANES, JUDGEMENT, Shares, which_is_agent
from routing.domain.sampling import judged_position, order_position
from routing.judgements import queries
from routing.judgements.tables import Judgement
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry

LONGEST_AGO = timedelta(days=30)
"""Of older work nobody is asked: recorded work that is read in, and what is sent far too late."""
_WITHIN = timedelta(hours=24)  # where the version's policy says nothing
_OPEN_KINDS = {"equal": False, "different": True}


class Compared(NamedTuple):
    """A comparison that was just made, and whether it is `equal` or `different`, or neither."""

    decision: Counted
    human: HumanOutput
    comparison_id: UUID
    kind: str
    severity: str | None


@dataclass(frozen=True, slots=True)
class Draw:
    """What it takes to draw: the secret of the house, and by when versions want people to rule."""

    secret: bytes
    policies: Mapping[tuple[str, str], Policy]

    def within(self, row: Counted) -> timedelta:
        policy = self.policies.get((row.agent, row.version))
        return policy.rules.review_within(row.segment) if policy is not None else _WITHIN


def follow(
    session: Session, made: Sequence[Compared], agents: Mapping[str, AgentEntry], draw: Draw, now: datetime
) -> None:
    """Ask for judgements of these comparisons, and let those that wait follow a correction."""
    apart = [one for one in made if one.decision.lane in ASKED_LANES]
    there = queries.of_decisions(session, [one.decision.id for one in apart])
    left: dict[str, int] = {}
    changed = False
    for one in apart:
        agent, row = one.decision.agent, there.get(one.decision.id)
        wanted = _drawn(one, agents[agent], draw) if _may_be_asked(one, now) else None
        if row is not None:
            changed |= _corrected(session, row, one, wanted, _times(one, agents[agent], draw, now))
        elif wanted is not None:
            if agent not in left:
                left[agent] = queries.MOST_WAITING - queries.waiting(session, agent)
            if left[agent] > 0:
                left[agent] -= 1
                _ask(session, one, wanted, _times(one, agents[agent], draw, now))
                changed = True
    if changed:
        send_after_commit(session, "reviews:changed")


def _may_be_asked(one: Compared, now: datetime) -> bool:
    row = one.decision
    if row.superseded_by is not None or one.kind not in _OPEN_KINDS:
        return False
    return now - min(row.occurred_at or row.decided_at, one.human.occurred_at or now) <= LONGEST_AGO


def _shares_of(agent: AgentEntry) -> Shares:
    supervision = agent.settings.supervision
    return Shares(supervision.judged_differing_share, supervision.judged_same_share)


def _drawn(one: Compared, agent: AgentEntry, draw: Draw) -> dict[str, Any] | None:
    """What is kept of the draw; None where the case is not drawn, or is of a version that nobody registered."""
    row, shares, differed = one.decision, _shares_of(agent), _OPEN_KINDS[one.kind]
    if row.rollout_id is None:
        return None
    position = judged_position(draw.secret, row.rollout_id, row.case_id)
    if not position < shares.of(differed=differed):
        return None
    return {
        "human_output_id": one.human.id,
        "comparison_id": one.comparison_id,
        "person": one.human.person,
        "differed": differed,
        "severity": one.severity,
        "position": position,
        "differing_share": shares.differing,
        "same_share": shares.same,
        "agent_is": which_is_agent(order_position(draw.secret, row.rollout_id, row.case_id)),
    }


class _Times(NamedTuple):
    now: datetime
    escalates_at: datetime
    due_at: datetime


def _times(one: Compared, agent: AgentEntry, draw: Draw, now: datetime) -> _Times:
    """As a review has them."""
    within = draw.within(one.decision)
    return _Times(now, now + within * agent.settings.second_line_at, now + within)


def _ask(session: Session, one: Compared, wanted: dict[str, Any], times: _Times) -> None:
    decision, item_id = one.decision, new_id()
    session.add(
        Judgement(
            item_id=item_id,
            decision_id=decision.id,
            agent=decision.agent,
            version=decision.version,
            decided_at=decision.decided_at,
            asked_at=times.now,
            **wanted,
        )
    )
    session.add(
        ReviewItem(
            id=item_id,
            decision_id=decision.id,
            agent=decision.agent,
            version=decision.version,
            rollout_id=decision.rollout_id,
            case_id=decision.case_id,
            kind=JUDGEMENT,
            segment=decision.segment,
            priority=0,
            not_for=one.human.person,
            **_shown_now(one, times),
        )
    )
    _note(session, "judgement.asked", one, item_id, times.now)


def _shown_now(one: Compared, times: _Times) -> dict[str, Any]:
    """Its times and its fingerprint, which is of which two are compared: one of what they say would confirm a guess."""
    shown = {"fingerprint": _fingerprint(one.comparison_id, one.decision.id), "state": "waiting", "level": 1}
    until = {"due_at": times.due_at, "escalates_at": times.escalates_at, "expires_at": None}
    return {**shown, **until, "created_at": times.now}


def _fingerprint(comparison_id: UUID, decision_id: UUID) -> str:
    return hashlib.sha256(comparison_id.bytes + decision_id.bytes).hexdigest()


def undone(session: Session, item: ReviewItem, now: datetime) -> None:
    """
    A judgement was taken back: what was corrected while it stood is shown anew, in its old time, or withdrawn. The
    decision is locked by the caller.
    """
    row = queries.of_item(session, item.id)
    found = queries.comparison_now(session, row.decision_id)
    if found is None or found[0].id == row.comparison_id:
        return
    comparison, human = found
    differed = _OPEN_KINDS.get(comparison.kind)
    shares = Shares(row.differing_share, row.same_share)
    if differed is None or not row.position < shares.of(differed=differed):
        item.state, item.ended_at, row.withdrawn_at = "superseded", now, now
        item.claimed_by = item.claimed_at = item.claimed_until = None
    else:
        item.fingerprint, item.not_for = _fingerprint(comparison.id, row.decision_id), human.person
        row.comparison_id, row.human_output_id, row.person = comparison.id, human.id, human.person
        row.differed, row.severity = differed, comparison.severity
    audit.record(
        session, SYSTEM, "judgement.asked" if item.state == "waiting" else "judgement.withdrawn", item.id, now=now,
        agent=item.agent, case_id=item.case_id, decision_id=row.decision_id,
    )  # fmt: skip


def _corrected(session: Session, row: Judgement, one: Compared, wanted: dict[str, Any] | None, times: _Times) -> bool:
    now = times.now
    if row.comparison_id == one.comparison_id or row.counted_at is not None:
        return False
    if wanted is None:
        values: dict[str, Any] = {"state": "superseded", "ended_at": now}
    else:
        values = {**_shown_now(one, times), "ended_at": None, "not_for": one.human.person}
    if not queries.try_change(session, row.item_id, values):
        return False
    for name, value in (wanted or {}).items():
        setattr(row, name, value)
    row.withdrawn_at = now if wanted is None else None
    _note(session, "judgement.withdrawn" if wanted is None else "judgement.asked", one, row.item_id, now)
    return True


def _note(session: Session, verb: str, one: Compared, item_id: UUID, now: datetime) -> None:
    row = one.decision
    audit.record(
        session, SYSTEM, verb, item_id, now=now, agent=row.agent, case_id=row.case_id, decision_id=row.id
    )  # fmt: skip
