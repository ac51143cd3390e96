"""
One ruling on several cases of one signature: for work that repeats, and no evidence of anything.

Two cases have one signature when the same version of the same agent said the same of both: output, action, and the
reasons why they are reviewed. Whoever rules on them together must have had each before them within a day and given it
back. What asks for a look of its own is left out: audits, the blind arm, the second line, high risks. So are cases that
somebody holds, also who rules, since what is on the desk is ruled on there.

They can only be approved: what is wrong is rejected case by case, so that nobody takes twenty errors out of the
evidence at once. The ruling ends each case like any other and can be undone like any other. Its label is void: it says
nothing of the agent, since nobody judged this one case, and nothing of the person.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Conflict, Invalid, NotFound, Place
from routing.alike import queries
from routing.cases import queries as cases
from routing.cases.prepare import canonical
from routing.cases.tables import Decision
from routing.domain.sampling import BLIND
from routing.interrupts.asked import asked_of, takes
from routing.reviews import queries as reviews
from routing.reviews import service as desk
from routing.reviews.concluding import undoable_until
from routing.reviews.dealing import queries as dealing
from routing.reviews.service import Given, Said
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry

OPENED_FOR = timedelta(days=1)
"""How long having opened a case counts: what was seen before that is not remembered case by case."""


class NotOpened(Conflict):
    code = "not-opened"
    title = "You have not opened this case"


class RuledAlone(Conflict):
    code = "ruled-alone"
    title = "This case asks for a look of its own"


class AnotherSignature(Conflict):
    code = "another-signature"
    title = "This case is not like the others"


class OnTheDesk(Conflict):
    code = "on-the-desk"
    title = "Somebody looks at this case"


@dataclass(frozen=True, slots=True)
class Group:
    """Cases of one signature that one person may rule on at once, the one given back last first."""

    signature: str
    agent: str
    version: str
    decision: Decision
    items: tuple[ReviewItem, ...]


def signature_of(item: ReviewItem, decision: Decision) -> str:
    codes = sorted(str(reason["code"]) for reason in decision.reasons)
    said = [item.agent, item.version, decision.output, decision.action, codes]
    return hashlib.sha256(canonical(said)).hexdigest()


def groups(
    session: Session, actor: Actor, agents: dict[str, AgentEntry], now: datetime, *, agent: str | None = None
) -> list[Group]:
    """What this person may rule on together, by signature; those with the most cases first."""
    found: dict[str, list[tuple[ReviewItem, Decision]]] = {}
    for item, decision in queries.opened(session, actor.name, now - OPENED_FOR, now, agent=agent):
        entry = agents.get(item.agent)
        if (
            entry is not None
            and entry.settings.supervision.bulk_most
            and not asks_for_its_own_look(item, decision, entry)
        ):
            found.setdefault(signature_of(item, decision), []).append((item, decision))
    made = [
        Group(signature, rows[0][0].agent, rows[0][0].version, rows[0][1], tuple(item for item, _ in rows))
        for signature, rows in found.items()
    ]
    return sorted(made, key=lambda group: -len(group.items))


def asks_for_its_own_look(item: ReviewItem, decision: Decision, agent: AgentEntry) -> bool:
    """
    One answer for all of these, by how the case looks to who rules: gold cases and second looks are let through like
    what they look like. They are spent by it and say nothing, which is less than telling which they are.
    """
    risky = (decision.risk or "") in agent.settings.desk.see_all_for_risks
    asked = asked_of(decision)
    untold = asked is not None and not takes(asked, "approve")
    return item.shown_kind != "review" or item.level > 1 or item.arm == BLIND or risky or untold


def check(ids: Sequence[UUID], agent: AgentEntry) -> None:
    """What concerns the whole of it; nothing is ruled where this is amiss."""
    most = agent.settings.supervision.bulk_most
    if len(ids) > most:
        mend = f"send at most {most}" if most else "rule on each case by itself"
        place = Place("items", f"there are {len(ids)}, and {agent.name} allows {most} at once", mend)
        raise Invalid("these are too many cases for one ruling", places=[place])


def rule_one(
    session: Session,
    item_id: UUID,
    said: Said,
    *,
    signature: str,
    agent: AgentEntry,
    actor: Actor,
    now: datetime,
    lease: timedelta,
) -> Given:
    """One of several; a conflict says why this one is left out. Said twice it is one ruling."""
    item = reviews.get_item(session, item_id)
    if not known(session, [item_id], actor):
        raise NotFound(f"there is no review item {item_id}")
    if item.state != "waiting":
        return desk.give(session, item, said, agent=agent, actor=actor, now=now)  # what was said before, or why not
    if item.claimed_by is not None and item.claimed_until is not None and item.claimed_until >= now:
        raise OnTheDesk(f"case {item.case_id} is on a desk, where it is ruled on", held_by=item.claimed_by)
    if not queries.was_opened(session, item_id, actor.name, now - OPENED_FOR):
        raise NotOpened(f"case {item.case_id} was not before you within a day; open it first, and give it back")
    decision = reviews.decision_of(session, item)
    if asks_for_its_own_look(item, decision, agent):
        raise RuledAlone(f"case {item.case_id} is ruled on by itself")
    if item.agent != agent.name or signature_of(item, decision) != signature:
        raise AnotherSignature(f"the agent said something else of case {item.case_id}, or for other reasons")
    if undoable_until(agent, now) is None:  # concluded here, and the decision is locked before its item
        cases.lock_decision(session, item.decision_id)
    item = desk.claim(session, item_id, actor=actor, now=now, lease=lease)
    return desk.give(session, item, said, agent=agent, actor=actor, now=now)


def known(session: Session, ids: Collection[UUID], actor: Actor) -> dict[UUID, str]:
    """The case ids of those of these items that this person may know of; the others are as good as not there."""
    return dealing.known_to(session, ids, actor.name, desk.reach_of(session, actor))


def forget_opened(session: Session, now: datetime) -> int:
    """Clear what nobody can rule by any more; returns how many."""
    return queries.forget(session, now - OPENED_FOR)
