"""
Puts gold cases into a reviewer's stream: seldom, by a draw that nobody can predict, and looking like any other case.

Drawn is before which real case one goes, for each person apart; a draw is used once, so that giving a case back and
taking it again throws no other die. What is shown is laid out by the router itself as if the case had come just before
that one, in the version that this one came from: its reasons, its route and whether the reviewer answers first are what
they would be. It is dealt to nobody who may look at the list of gold cases, or knows the original.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.ids import id_at
from routing.cases.prepare import Entry, prepare
from routing.cases.schemas import CaseIn
from routing.domain.reach import Reach
from routing.domain.sampling import audit_position, gold_position, gold_rank
from routing.gold import queries
from routing.gold.disguise import a_moment_before, look_alikes, odds, renamed
from routing.gold.queries import GOLD
from routing.gold.tables import GoldCase
from routing.gold.unfit import left_out
from routing.reviews.tables import ReviewItem
from routing.snapshot import Snapshot

_SPARE, _SPARE_AT_LEAST = 0.25, timedelta(minutes=10)
"""What a real case must have left of its time for another to go before it: this part, and so long."""
_LEVEL = 1  # gold cases are dealt in the first line
_CASES_TRIED = 5


@dataclass(frozen=True, slots=True)
class Dealer:
    """What it takes to lay out a case: who decides by what, and the secret of the draws."""

    snapshot: Snapshot
    secret: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """
    For whom, from when until when, from which part of the queue and which segment or kind alone, and whether it is
    their next and not seen yet.
    """

    actor: Actor
    now: datetime
    until: datetime
    reach: Reach
    segment: str | None = None
    ahead: bool = False
    kind: str | None = None


def deal_before(session: Session, item: ReviewItem, claim: Claim, dealer: Dealer) -> ReviewItem | None:
    """A gold case to be shown before this one, held by who claims; None where none is drawn, and mostly so."""
    agent = dealer.snapshot.agents.get(item.agent)
    if agent is None or not _may_wait(item, claim.now) or not may_be_dealt(claim.actor):
        return None
    probability = odds(agent.settings.supervision.gold_share)
    if not gold_position(dealer.secret, claim.actor.name, item.id) < probability:
        return None
    if queries.was_drawn(session, claim.actor.name, item.id) or not all(queries.pool(session, item.agent)):
        return None
    if queries.asked_for(session, [item.decision_id]):
        return None
    for gold in _in_turn(session, item.agent, claim, dealer):
        laid_out = _laid_out(session, gold, item, claim, dealer)
        if laid_out is not None:
            return _dealt(session, gold, item, laid_out, claim, probability)
    return None


def may_be_dealt(actor: Actor) -> bool:
    """Whoever may look at the list, or at the record of what was made of which decision, knows the answers."""
    return actor.kind == "person" and not actor.allows("advance") and not actor.allows("audit")


def _may_wait(item: ReviewItem, now: datetime) -> bool:
    """Ordinary work with time left: nothing urgent, and nothing that was passed on, waits for a test."""
    if item.level > _LEVEL or item.priority > 0 or item.shown_kind not in {"review", "audit"} or item.kind == GOLD:
        return False
    end = _leaves_at(item)
    return end - now > max((end - item.created_at) * _SPARE, _SPARE_AT_LEAST)


def _leaves_at(item: ReviewItem) -> datetime:
    """When a case waits in the first line no more."""
    return item.escalates_at or item.due_at


def _in_turn(session: Session, agent: str, claim: Claim, dealer: Dealer) -> Iterator[GoldCase]:
    """
    Some of those that this person may be dealt, in their own order. One that would give itself away is not counted: it
    is never dealt, so it would stand in front for good.
    """
    login = claim.actor.name
    ids = [
        one
        for one, segment in queries.not_met_by(session, agent, login)
        if claim.segment in {None, segment} and claim.reach.allows(_LEVEL, agent, segment)
    ]
    ranked = sorted(ids, key=lambda one: gold_rank(dealer.secret, login, one))
    known = (queries.get_case(session, one) for one in ranked)
    return islice((gold for gold in known if not left_out(session, [gold])), _CASES_TRIED)


def _laid_out(
    session: Session, gold: GoldCase, item: ReviewItem, claim: Claim, dealer: Dealer
) -> tuple[Entry, dict[str, Any]] | None:
    """
    The rows that this case would have got; None where it would not have come to a person, where nothing near is a free
    id, or where it would give itself away by another policy than that of the cases around it.
    """
    at = a_moment_before(item.created_at, item.id)
    ids = look_alikes(item.case_id, dealer.secret, claim.actor.name)
    taken = queries.taken(session, gold.agent, ids)
    free = [one for one in ids if one not in taken]

    def lay_out(case_id: str) -> Entry:
        case = _case(gold, case_id, item.version)
        return prepare(dealer.snapshot, gold.agent, case, secret=dealer.secret, now=at)

    entry = lay_out(free[0]) if free else None
    if entry is not None and entry.item is None and entry.row["lane"] == "auto":
        entry = next((lay_out(one) for one in free if _is_audited(one, entry, dealer)), None)
    if entry is None or entry.item is None or entry.item["priority"] != item.priority:
        return None
    if claim.kind not in {None, entry.item["kind"]}:
        return None  # who works one kind would know it for what it is
    if entry.row["policy_revision"] != queries.revision_of(session, item.decision_id):
        return None
    return entry, entry.item


def _is_audited(case_id: str, entry: Entry, dealer: Dealer) -> bool:
    """Whether the draw of the audits takes a case with this id, where the agent would go alone."""
    rate, rollout = entry.row["audit_probability"] or 0.0, entry.row["rollout_id"]
    return audit_position(dealer.secret, rollout, case_id) < rate


def _case(gold: GoldCase, case_id: str, version: str) -> CaseIn:
    def shown(value: Any) -> Any:
        return renamed(value, gold.case_id, case_id)

    return CaseIn(
        case_id=case_id,
        version=version,
        output=shown(gold.output),
        input=shown(gold.input),
        confidence=gold.confidence,
        segment=gold.segment,
        action=gold.action,
        amount=gold.amount,
        risk=gold.risk,
        attributes=shown(gold.attributes),
        signals=shown(gold.signals),
        trace=shown(gold.trace),
    )


def _dealt(
    session: Session,
    gold: GoldCase,
    item: ReviewItem,
    laid_out: tuple[Entry, dict[str, Any]],
    claim: Claim,
    probability: float,
) -> ReviewItem | None:
    entry, row = laid_out
    at = row["created_at"]
    decision = entry.row | {"id": id_at(at)}
    row |= {
        "id": id_at(at),
        "decision_id": decision["id"],
        "kind": GOLD,
        "shown_as": row["kind"],
        "due_at": at + (item.due_at - item.created_at),
        "escalates_at": None,  # it is passed on to nobody, and ends when the other would be
        "expires_at": at + (_leaves_at(item) - item.created_at),
        "claimed_by": claim.actor.name,
        "claimed_at": claim.now,
        "claimed_until": claim.until,
        "ahead": claim.ahead,
    }
    deal = {
        "item_id": row["id"],
        "gold_case_id": gold.id,
        "agent": gold.agent,
        "login": claim.actor.name,
        "before_item_id": item.id,
        "probability": probability,
        "case_id": row["case_id"],
        "decision_id": row["decision_id"],
        "decision": {name: _plain(value) for name, value in decision.items()},
        "dealt_at": claim.now,
    }
    if not queries.add_deal(session, deal):
        return None
    dealt = ReviewItem(**row)
    session.add(dealt)
    session.flush()  # whoever asks next must find it held
    return dealt


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
