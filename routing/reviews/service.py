"""
The verbs of the review desk: claim, hold ahead, renew, release, leave, rule, undo.

A ruling counts only from the person who holds the case, and only for what that person was shown: it names
the fingerprint of the page. The item, the ruling and the audit event are stored together or not at all; what
follows from the ruling comes once it can no longer be undone (`concluding`), and as one as well.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place
from kit.ids import new_id
from kit.json_digest import sha256_of
from routing.cases import queries as cases
from routing.cases.prepare import same
from routing.cases.tables import Decision
from routing.domain.decide import INTERRUPT
from routing.domain.judging import JUDGE, JUDGED, JUDGEMENT
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.gold.dealing import Dealer
from routing.gold.queries import GOLD
from routing.interrupts import asked as interrupts
from routing.judgements import asking as judgements
from routing.judgements.service import JudgeInstead
from routing.opinions import service as opinions
from routing.reviews import concluding, in_turn, queries
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import WHOLE, Narrow
from routing.reviews.dwell import was_read
from routing.reviews.in_turn import Wish, is_alone, levels_of, reach_of
from routing.reviews.refusals import (
    AlreadyEnded,
    AlreadyHeld,
    LastLine,
    NotForYou,
    NotHeld,
    NothingToUndo,
    NotYours,
    ShownOtherwise,
    TooLateToUndo,
)
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import AgentEntry
from routing.supervision import veil

__all__ = [
    "AlreadyEnded",
    "AlreadyHeld",
    "LastLine",
    "NotForYou",
    "NotHeld",
    "NotYours",
    "NothingToUndo",
    "ShownOtherwise",
    "TooLateToUndo",
    "Wish",
    "levels_of",
    "reach_of",
]  # what the verbs are asked with and refuse with

RulingWord = Literal["approve", "edit", "reject", "escalate"]
_LAST_LEVEL = 2
AHEAD_FOR, AHEAD_AT_LEAST = timedelta(seconds=90), timedelta(seconds=60)
"""
How long a case is held that its holder has not seen; their page asks again while it is open. What is left of it when
they ask stays as it is where it is the latter at least: most are ruled on before, and to renew a row writes it anew.
"""
_RULED_ON = {SECOND: "second_opinion", ADJUDICATION: "adjudication", JUDGEMENT: "judgement"}
"""What the audit log calls a ruling on an item that is no review or audit."""
ENDS = {"approve": "approved", "edit": "edited", "reject": "rejected", "escalate": "escalated", JUDGE: JUDGED}


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer said of an item; `bulk`: of several at once (`routing.alike`)."""

    ruling: RulingWord
    fingerprint: str
    output: Any = None
    reason_code: str | None = None
    note: str = ""
    bulk: bool = False


def claim_next(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    lease: timedelta,
    narrow: Narrow = WHOLE,
    but: Collection[UUID] = (),
    dealer: Dealer | None = None,
) -> ReviewItem | None:
    """
    The next case for this person: the one they look at, if there is one, else the first they hold ahead, else the
    next in turn.
    """
    wish = Wish(actor, now, now + lease, narrow, but, dealer=dealer)
    return _next(session, wish, _held(session, wish))


def ahead(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    count: int,
    narrow: Narrow = WHOLE,
    but: Collection[UUID] = (),
    dealer: Dealer | None = None,
) -> list[ReviewItem]:
    """
    The next `count` cases, held for this person though they have not seen them, each for a minute at least. What
    they hold ahead already stays theirs.
    """
    wish = Wish(actor, now, now + AHEAD_FOR, narrow, but, dealer=dealer)
    return _ahead(session, wish, count, _held(session, wish)[1])


def claim_with_ahead(session: Session, wish: Wish, count: int) -> tuple[ReviewItem | None, list[ReviewItem]]:
    """Both in one look at what they hold."""
    held = _held(session, wish)
    item = _next(session, wish, held)
    if item is None:
        return None, []
    return item, _ahead(session, wish, count, held[1]) if count else []


def _held(session: Session, wish: Wish) -> tuple[ReviewItem | None, list[ReviewItem]]:
    return dealing.held_at_all(session, wish.actor.name, wish.now, narrow=wish.narrow)


def _next(session: Session, wish: Wish, held: tuple[ReviewItem | None, list[ReviewItem]]) -> ReviewItem | None:
    """What it tries of those held ahead it takes off the list: it is the next one, or theirs no more."""
    login, until = wish.actor.name, wish.until
    # It may have ended meanwhile, by another request of the same person.
    if held[0] is not None and (renewed := queries.try_renew(session, held[0].id, login, until=until)):
        return renewed
    while held[1]:
        item = dealing.try_claim(session, held[1].pop(0).id, login, now=wish.now, until=until)
        if item is not None:
            return item
    return next(iter(in_turn.take(session, wish, 1)), None)


def _ahead(session: Session, wish: Wish, count: int, held: Sequence[ReviewItem]) -> list[ReviewItem]:
    short = [one.id for one in held if one.claimed_until is None or one.claimed_until < wish.now + AHEAD_AT_LEAST]
    renewed = dealing.renew_ahead(session, short, wish.actor.name, until=wish.now + AHEAD_FOR)
    held = [*(one for one in held if one.id not in short), *renewed]
    more = replace(wish, until=wish.now + AHEAD_FOR, unseen=True)
    new = in_turn.take(session, more, count - len(held)) if len(held) < count else []
    return sorted([*held, *new], key=dealing.turn_of)


def leave(session: Session, *, actor: Actor, everything: bool = False) -> int:
    """Give back what this person holds ahead, or `everything` they hold; returns how many."""
    released = queries.release_all(session, actor.name, everything=everything)
    if released:
        send_after_commit(session, "reviews:changed")
    return released


def claim(session: Session, item_id: UUID, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """Hold this case; a conflict names who has it and until when, or says that it is for somebody else."""
    found = queries.get_item(session, item_id)
    if found.level not in levels_of(actor):
        actor.require("escalated")  # before anything is told of it
    _require_reach(session, found, actor)
    item = dealing.try_claim(session, item_id, actor.name, now=now, until=now + lease)
    if item is None and is_alone(session, actor):
        item = dealing.try_claim(session, item_id, actor.name, now=now, until=now + lease, alone=True)
    if item is None:
        found = queries.get_item(session, item_id)
        if found.state == "waiting" and not _is_held(found, now):
            raise NotForYou(f"case {found.case_id} is for somebody else")
        raise why_not(found, actor)
    send_after_commit(session, "reviews:changed")
    return item


def _require_reach(session: Session, item: ReviewItem, actor: Actor) -> None:
    """A conflict, where a case they do not hold is for people with other teams or skills."""
    if item.state != "waiting" or item.claimed_by == actor.name or item.level not in levels_of(actor):
        return
    if not reach_of(session, actor).allows(item.level, item.agent, item.segment):
        where = f"{item.agent}, segment {item.segment}" if item.segment else item.agent
        raise NotForYou(f"cases of {where} take a team or skills you have not; a lead can give them to you")


def _is_held(item: ReviewItem, now: datetime) -> bool:
    return item.claimed_by is not None and (item.claimed_until is None or item.claimed_until >= now)


def renew(session: Session, item_id: UUID, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """Hold on to a case while someone is really there."""
    item = queries.try_renew(session, item_id, actor.name, until=now + lease)
    if item is None:
        raise why_not(queries.get_item(session, item_id), actor)
    return item


def release(session: Session, item_id: UUID, *, agent: AgentEntry, actor: Actor, now: datetime) -> None:
    """Give a case back to the queue; whoever held it long enough to have read it has opened it."""
    item = queries.get_item(session, item_id)
    read = was_read(item, queries.decision_of(session, item), agent.settings.desk, now)
    opened = read and item.claimed_by == actor.name and not item.ahead
    if not queries.try_release(session, item_id, actor.name):
        raise why_not(queries.get_item(session, item_id), actor)
    if opened:
        queries.note_opened(session, item_id, actor.name, now)
    send_after_commit(session, "reviews:changed")


def require_held(item: ReviewItem, actor: Actor) -> None:
    """A conflict, unless this person looks at the case now: nobody sees what somebody else holds."""
    if item.state != "waiting" or item.claimed_by != actor.name or item.ahead:
        raise why_not(item, actor)


@dataclass(frozen=True, slots=True)
class Given:
    """A ruling, until when it can be undone (None: no more), and whether it was given just now."""

    ruling: Ruling
    undo_until: datetime | None
    new: bool


def rule(session: Session, item_id: UUID, said: Said, *, agent: AgentEntry, actor: Actor, now: datetime) -> Ruling:
    """Record a ruling and everything that follows from it."""
    return give(session, queries.get_item(session, item_id), said, agent=agent, actor=actor, now=now).ruling


def give(session: Session, item: ReviewItem, said: Said, *, agent: AgentEntry, actor: Actor, now: datetime) -> Given:
    """
    The same of an item as this transaction has read it, with what a caller is told. Said twice, to the letter, it is
    one ruling: its answer may get lost.
    """
    if (before := _given_before(session, item, said, actor)) is not None:
        return before
    veil.require_answer(session, item, actor.name)
    require_ruling(item)
    if said.fingerprint != item.fingerprint:
        raise ShownOtherwise("the case changed since it was shown to you; look at it again")

    def look() -> Decision:
        return queries.decision_of(session, item)

    check(agent, item, said, look)
    if said.ruling == "escalate" and item.level >= _LAST_LEVEL:
        raise LastLine("this case was escalated before and there is no third line; approve, edit or reject it")
    until = concluding.undoable_until(agent, now)
    if until is None:  # it is concluded here
        cases.lock_decision(session, item.decision_id)
    ended = queries.try_end(session, item.id, actor.name, state=ENDS[said.ruling], now=now, concludes_at=until)
    if ended is None:
        item = queries.get_item(session, item.id)
        if (before := _given_before(session, item, said, actor)) is not None:
            return before  # the same, by another request at the same moment
        raise why_not(item, actor)
    ruling = _ruling(ended, said, concluding.judge(said, agent, look), actor, now)
    if ended.kind == GOLD:  # the record tells of it when it is concluded
        queries.insert_ruling(session, row_of(ruling))
    else:
        queries.insert_ruling_with_event(session, row_of(ruling), event_row(ended, ruling, actor))
    opinions.weigh(session, ended, look, ruling, agent)
    if until is None:
        concluding.conclude(session, ended, look(), ruling, now, desk=agent.settings.desk)
    else:
        send_after_commit(session, "routing.conclude", about=agent.settings.undo_seconds)
    send_after_commit(session, "reviews:changed")
    return Given(ruling, until, new=True)


def require_ruling(item: ReviewItem) -> None:
    """A conflict, where the agent's output alone is not what is asked about."""
    if item.kind == JUDGEMENT:
        raise JudgeInstead(f"case {item.case_id} asks which of two outputs is right")


def _given_before(session: Session, item: ReviewItem, said: Said, actor: Actor) -> Given | None:
    """Their own ruling that says just that, if it stands; one that nothing will come of does not."""
    if item.state != ENDS[said.ruling]:
        return None
    ruling = queries.standing_rulings(session, [item.id]).get(item.id)
    if ruling is None or ruling.login != actor.name:
        return None
    stored = ruling.ruling, ruling.fingerprint, ruling.reason_code, ruling.note
    if stored != (said.ruling, said.fingerprint, said.reason_code, said.note):
        return None
    if said.ruling == "edit" and not same(said.output, ruling.output):
        return None
    return Given(ruling, item.concludes_at, new=False)


def undo(session: Session, item_id: UUID, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """
    Take one's own ruling back while nothing came of it; the case is held as before. The ruling stays on record,
    marked. Said twice it changes nothing.
    """
    found = queries.get_item(session, item_id)
    if found.kind == JUDGEMENT:  # a correction that is being settled is there, or finds it waiting
        cases.lock_decision(session, found.decision_id)
    item = queries.try_undo(session, item_id, actor.name, now=now, until=now + lease)
    if item is None:
        item = queries.get_item(session, item_id)
        if (
            item.state == "waiting"
            and item.claimed_by == actor.name
            and queries.undone_by(session, item_id, actor.name)
        ):
            return item
        raise _why_no_undo(item, actor)
    ruling = queries.mark_undone(session, item_id, now)
    detail = {"agent": item.agent, "case_id": item.case_id, "decision_id": str(item.decision_id)}
    detail |= {"ruling_id": str(ruling.id), "ruling": ruling.ruling}
    if item.kind != GOLD:
        audit.record(session, actor.name, "review.undone", item.id, now=now, **detail)
    if item.kind == JUDGEMENT:
        judgements.undone(session, item, now)
    send_after_commit(session, "reviews:changed")
    return item


def _why_no_undo(item: ReviewItem, actor: Actor) -> Conflict:
    if item.state == "waiting":
        return NothingToUndo(f"nobody ruled on case {item.case_id} since it was last undone or handed out")
    if item.state not in ENDS.values():
        return AlreadyEnded(f"the review of case {item.case_id} has ended: {item.state}", state=item.state)
    if item.claimed_by != actor.name:
        return NotYours(f"{item.claimed_by or 'nobody'} ruled on case {item.case_id}; only they can undo it")
    if concluding.nobody_waits(item):
        return TooLateToUndo(f"the ruling on case {item.case_id} can be undone no more; it stands")
    return TooLateToUndo(f"the ruling on case {item.case_id} was passed on to the agent already; it stands")


def event_row(item: ReviewItem, ruling: Ruling, actor: Actor) -> dict[str, Any]:
    """What the audit log keeps of a ruling; of an output that a person wrote, what tells that it was changed later."""
    return audit.event_row(
        actor,
        f"{_RULED_ON.get(item.kind, 'review')}.{ENDS[ruling.ruling]}",
        item.id,
        now=ruling.at,
        agent=item.agent,
        case_id=item.case_id,
        decision_id=str(item.decision_id),
        reason_code=ruling.reason_code,
        fingerprint=ruling.fingerprint,
        **({} if ruling.output is None else {"output_sha256": sha256_of(ruling.output)}),
        **({"bulk": True} if ruling.bulk else {}),
    )


def why_not(item: ReviewItem, actor: Actor) -> Conflict:
    if item.level not in levels_of(actor):
        actor.require("escalated")
    if item.state != "waiting":
        return AlreadyEnded(f"the review of case {item.case_id} has ended: {item.state}", state=item.state)
    if item.claimed_by is None or (item.ahead and item.claimed_by == actor.name):
        return NotHeld(f"you do not look at case {item.case_id} yet; claim it first")
    until = item.claimed_until.isoformat() if item.claimed_until else None
    return AlreadyHeld(f"{item.claimed_by} holds case {item.case_id}", held_by=item.claimed_by, held_until=until)


def check(agent: AgentEntry, item: ReviewItem, said: Said, look: Callable[[], Decision]) -> None:
    """
    What the page promises the server enforces: reasons, the schema of an edit, what a graph takes for an answer.
    `look`: gets the decision, which is wanted for edits and for what graphs ask alone.
    """
    if said.ruling == "reject":
        known = [reason.code for reason in agent.settings.reasons]
        if said.reason_code not in known:
            mend = f"send one of {', '.join(known)}"
            raise Invalid("a reject needs a reason", places=[Place("reason_code", "it is not a known reason", mend)])
    if said.ruling == "edit" and (said.output is None or same(said.output, look().output)):
        place = Place("output", "it does not differ from the agent's", "change it, or approve")
        raise Invalid("an edit needs an output that differs", places=[place])
    if item.case_id.startswith(INTERRUPT) and (asked := interrupts.asked_of(look())) is not None:
        interrupts.check(asked, look(), said.ruling, said.output)
        if interrupts.response_in(said.output) is not None:
            return  # a person's words, and no output of the agent
    if said.ruling == "edit" and agent.schema is not None and (problems := agent.schema.problems(said.output)):
        places = [Place(f"output{found.path}", found.words, "") for found in problems]
        raise Invalid("the edited output does not fit the agent's schema", places=places)


def _ruling(item: ReviewItem, said: Said, judged: tuple[str | None, str | None], actor: Actor, now: datetime) -> Ruling:
    return Ruling(
        id=new_id(),
        item_id=item.id,
        decision_id=item.decision_id,
        login=actor.name,
        ruling=said.ruling,
        output=said.output if said.ruling == "edit" else None,
        reason_code=said.reason_code,
        note=said.note,
        fingerprint=said.fingerprint,
        held_seconds=(now - item.claimed_at).total_seconds() if item.claimed_at and not said.bulk else 0.0,
        bulk=said.bulk,
        verdict=judged[0],
        severity=judged[1],
        at=now,
    )


def row_of(ruling: Ruling) -> dict[str, Any]:
    """The ruling as it is stored when it is given."""
    return {name: getattr(ruling, name) for name in _RULING}


_RULING = tuple(column.key for column in Ruling.__table__.columns if column.key != "undone_at")


def release_expired(session: Session, now: datetime) -> int:
    """Leases that ran out go back to the queue; what is asked no more ends."""
    released = queries.release_expired(session, now) + queries.end_gold(session, now)
    if released:
        send_after_commit(session, "reviews:changed")
    return released
