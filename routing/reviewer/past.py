"""
A case as somebody ruled on it, for them to look at afterwards: what was shown, what they said, what came of it.

It tells nothing that they could not know yet. A gold case is a case like any other until its result is told. What
others said of the output stays closed while somebody is still asked about it who is to know nothing of the rest. And
where the same case waits for them blind in another version, all of it does. Whose of two outputs was whose is told when
what they said of them can be undone no more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import NotFound
from routing.archives import queries as archives
from routing.cases.tables import Decision
from routing.domain.judging import JUDGEMENT
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.gold.queries import GOLD
from routing.judgements import service as judgements
from routing.judgements.service import Pair
from routing.judgements.tables import Judgement
from routing.opinions import service as opinions
from routing.opinions.service import Shown
from routing.reviewer import queries
from routing.reviews import queries as reviews
from routing.reviews.tables import ReviewItem, Ruling
from routing.supervision import veil
from routing.supervision.tables import BlindAnswer

_ABOUT_ANOTHER = frozenset({SECOND, ADJUDICATION})


@dataclass(frozen=True, slots=True)
class Later:
    """What somebody else said of the output. Without who: it is about the case."""

    source: str
    source_id: UUID
    verdict: str
    severity: str | None
    reason_code: str | None
    note: str
    at: datetime


class Judged(NamedTuple):
    """Two outputs, or the one that both made, and which is right. `agent_is`: None while that is not told."""

    pair: Pair
    right: str
    agent_is: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """
    `answer`: what they said before they saw the output. `opinions`: what two people said between whom they ruled.
    `outcome`: how the case ended where they passed it on, if it has. `judged`: where they said who was right.
    """

    ruling: Ruling
    item: ReviewItem
    decision: Decision
    answer: BlindAnswer | None
    opinions: tuple[Shown, ...]
    outcome: str | None
    later: tuple[Later, ...]
    judged: Judged | None


@dataclass(frozen=True, slots=True)
class Line:
    """One ruling in the list; `gold`: its result has been told. `judged`: where they said who was right."""

    ruling: Ruling
    item: ReviewItem
    gold: bool
    judged: Judgement | None


def past(session: Session, actor: Actor, item_id: UUID) -> Past:
    """The case that this person ruled on; NotFound where they did not, or took it back."""
    found = queries.past(session, actor.name, item_id)
    if found is None:
        raise NotFound(f"you ruled on no case {item_id}")
    ruling, item = found
    veil.require_answer(session, item, actor.name)
    if item.kind != JUDGEMENT or item.concludes_at is None:  # else it is closed to them by this very one
        veil.require_answer_of_case(session, item.agent, item.case_id, actor)
    decision = _decision(session, item)
    passed_on = ruling.ruling == "escalate" and item.kind not in _ABOUT_ANOTHER
    return Past(
        ruling=ruling,
        item=item,
        decision=decision,
        answer=veil.answer_of(session, item, actor.name),
        opinions=tuple(opinions.both(session, item)),
        outcome=decision.outcome if passed_on else None,
        later=_later(session, item, ruling),
        judged=_judged(session, item, decision) if item.kind == JUDGEMENT else None,
    )


def _judged(session: Session, item: ReviewItem, decision: Decision) -> Judged:
    row = judgements.row_of(session, item.id)
    told = row.differed and row.counted_at is not None
    return Judged(judgements.pair_of(session, item, decision), row.said or "", row.agent_is if told else None)


def told_as_gold(session: Session, login: str, item_id: UUID, now: datetime) -> bool:
    """Whether it was a gold case whose result this person has been told; it has a page of its own."""
    return bool(queries.told_gold(session, login, [item_id], now))


def page(session: Session, login: str, before: UUID | None, limit: int, now: datetime) -> list[Line]:
    """What they ruled, the newest first; from before the one on this item on."""
    since = queries.past(session, login, before) if before is not None else None
    place = (since[0].at, since[0].id) if since is not None else None
    found = queries.past_page(session, login, before=place, limit=limit)
    gold = queries.told_gold(session, login, [item.id for _, item in found if item.kind == GOLD], now)
    said = queries.judged(session, [item.id for _, item in found if item.kind == JUDGEMENT])
    return [Line(ruling, item, item.id in gold, said.get(item.id)) for ruling, item in found]


def _decision(session: Session, item: ReviewItem) -> Decision:
    try:
        return reviews.decision_of(session, item)
    except NotFound:
        raise archives.archived(session, item.agent, item.decision_id) from None


def _later(session: Session, item: ReviewItem, ruling: Ruling) -> tuple[Later, ...]:
    """
    Of a gold case nothing is: no label names what it seems to be about. Nor of a judgement while it can be undone, and
    then not that a person did the case, which is what it is about.
    """
    if item.kind == JUDGEMENT and item.concludes_at is not None:
        return ()
    closed = queries.is_asked_still(session, item.decision_id)
    return tuple(
        Later(label.source, label.source_id, label.verdict, label.severity, reason, label.note, label.at)
        for label, reason in queries.labels_of(session, item.decision_id)
        if label.source_id != ruling.id
        and not (closed and label.source not in _FROM_ELSEWHERE)
        and not (item.kind == JUDGEMENT and label.source == "human_output")
    )


_FROM_ELSEWHERE = frozenset({"failure", "human_output", "cancelled", "superseded"})
"""Sources of a verdict that are no rulings."""
