"""
Many rulings at once, by the same rules as one: for recorded work, in which the people have spoken already.

What a ruling means (which verdict, which severity, which outcome) comes from `concluding`; only the statements are
others, one for many rows. Nobody waits for these cases, so they are never claimed on the way; and nobody takes back
what was said long ago, so they are concluded at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import queries as audit_queries
from kit.db import send_after_commit
from kit.errors import Invalid
from kit.ids import new_id
from routing.cases.tables import Decision
from routing.delivery import queries as delivery_queries
from routing.delivery import service as delivery
from routing.reviews import concluding, queries, service
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import AgentEntry


@dataclass(frozen=True, slots=True)
class Recorded:
    """An open item that nobody holds, its decision, and what was said of it when."""

    item: ReviewItem
    decision: Decision
    said: Said
    at: datetime

    def look(self) -> Decision:
        return self.decision


def rule_all(session: Session, recorded: Sequence[Recorded], *, agent: AgentEntry, actor: Actor) -> list[Ruling]:
    """Record these rulings with everything that follows from each. Escalating needs a person and is refused."""
    rulings, rows = [], _Rows()
    for one in recorded:
        if one.said.ruling == "escalate":
            raise Invalid("recorded work cannot be escalated; somebody would have to take it")
        service.check(agent, one.item, one.said, one.look)
        ruling = _ruling(one, agent, actor)
        rulings.append(ruling)
        rows.add(one, ruling, actor)
    rows.write(session)
    if rulings and delivery_queries.active_webhooks(session, agent.name):
        _tell(session, recorded, rulings)
    if rulings:
        for name in ("reviews:changed", "routing.settle", "decisions:ruled"):
            send_after_commit(session, name)
    return rulings


def _ruling(one: Recorded, agent: AgentEntry, actor: Actor) -> Ruling:
    verdict, severity = concluding.judge(one.said, agent, one.look)
    return Ruling(
        id=new_id(),
        item_id=one.item.id,
        decision_id=one.item.decision_id,
        login=actor.name,
        ruling=one.said.ruling,
        output=one.said.output if one.said.ruling == "edit" else None,
        reason_code=one.said.reason_code,
        note=one.said.note,
        fingerprint=one.said.fingerprint,
        held_seconds=0.0,
        bulk=False,  # each was given by somebody who looked at that case
        verdict=verdict,
        severity=severity,
        at=one.at,
    )


class _Rows:
    """What many rulings write, collected by table."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.rulings: list[dict[str, Any]] = []
        self.labels: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def add(self, one: Recorded, ruling: Ruling, actor: Actor) -> None:
        state = service.ENDS[ruling.ruling]
        one.item.state, one.item.ended_at = state, one.at
        self.items.append({"id": one.item.id, "state": state, "claimed_by": actor.name, "ended_at": one.at})
        self.rulings.append(service.row_of(ruling))
        self.labels.append(concluding.label_row(one.item, ruling))
        if one.item.kind == "review":
            outcome = concluding.outcome_row(one.decision, ruling, state)
            for name, value in outcome.items():
                setattr(one.decision, name, value)
            self.outcomes.append({"id": one.decision.id, **outcome})
        self.events.append(service.event_row(one.item, ruling, actor))

    def write(self, session: Session) -> None:
        queries.end_items(session, self.items)
        queries.insert_rulings(session, self.rulings, self.labels)
        queries.set_outcomes(session, self.outcomes)
        if self.events:
            audit_queries.add(session, self.events)


def _tell(session: Session, recorded: Sequence[Recorded], rulings: Sequence[Ruling]) -> None:
    for one, ruling in zip(recorded, rulings, strict=True):
        said = concluding.told_ruling(one.item, ruling)
        delivery.tell(session, one.decision, kind=concluding.told_as(one.item), now=one.at, ruling=said)
