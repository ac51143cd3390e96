"""
What is known of reviewers: their answers to cases whose right answer was known, and what follows from them.

These figures open gates (`corrected_for_reviewers`), so whoever has an interest in them does not write them: not the
agent, whose key may report but not configure; not reviewers, who could make themselves sharper than they are; and
nobody about themselves. Nothing recorded is ever changed: a worse answer cannot be replaced by a better one.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from evidence.agreement.reviewers import GOLD_NEEDED, gold_answers
from evidence.reviewers import Seeded
from governance.actors import SYSTEM, Actor, Verb
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Forbidden, Invalid, Place
from kit.ids import new_id
from rollout.agents.queries import lock_agent
from rollout.domain import words
from rollout.reviewers import queries
from rollout.reviewers.schemas import GoldAnswerIn, GoldAnswerStored, ReviewerOut, ReviewersOut, Said, ShareOut
from rollout.reviewers.tables import GoldAnswer

LOOK = "rollout.look"
_MAY_READ: tuple[Verb, ...] = ("configure", "advance", "audit")


class GoldAnswerDiffers(Conflict):
    code = "gold-answer-differs"
    title = "Another answer is recorded"


class OwnGoldAnswer(Forbidden):
    code = "own-gold-answer"
    title = "Somebody else records your answers"


def record(
    session: Session, agent: str, items: Sequence[GoldAnswerIn], *, actor: Actor, now: datetime
) -> list[GoldAnswerStored]:
    """Write down answers to gold cases. The same one again is fine; a different one is refused, and with it all."""
    actor.require("configure", agent)
    lock_agent(session, agent)  # two who record the same answer take turns
    _refuse_own(items, actor)
    _refuse_future(items, now)
    known = {
        (row.reviewer, row.case_id): row for row in queries.of_cases(session, agent, {one.case_id for one in items})
    }
    stored, differing = [], []
    for index, item in enumerate(items):
        row = known.get((item.reviewer, item.case_id))
        if row is None:
            known[item.reviewer, item.case_id] = row = _new(agent, item, actor, now)
            session.add(row)
            stored.append(GoldAnswerStored(reviewer=item.reviewer, case_id=item.case_id, status="created"))
        else:
            differing += _differences(index, item, row)
            stored.append(GoldAnswerStored(reviewer=item.reviewer, case_id=item.case_id, status="unchanged"))
    if differing:
        raise GoldAnswerDiffers("an answer that is recorded is not changed", places=differing)
    created = sum(one.status == "created" for one in stored)
    if created:
        audit.record(session, actor, "gold.recorded", agent, now=now, agent=agent, answers=created)
        send_after_commit(session, LOOK)
    return stored


def add_answer(
    session: Session, agent: str, reviewer: str, *, case_id: str, output_is: Said, said: Said, at: datetime
) -> None:
    """An answer that the service itself judged; it deals each gold case to a reviewer once."""
    answer = GoldAnswer(
        agent=agent, reviewer=reviewer, case_id=case_id, output_is=output_is.value, said=said.value, at=at,
        recorded_by=SYSTEM.name,
    )  # fmt: skip
    session.add(answer)
    send_after_commit(session, LOOK)


def reviewers(session: Session, agent: str) -> ReviewersOut:
    """How much each reviewer finds, and all together."""
    rows = queries.answered(session, agent)
    names = list(dict.fromkeys(row.reviewer for row in rows))
    return ReviewersOut(
        together=_shown(None, _seeded(rows)),
        items=[_shown(name, _seeded([row for row in rows if row.reviewer == name])) for name in names],
    )


def seeded(session: Session, agent: str) -> Seeded:
    """What gates are corrected by: the answers of all reviewers of an agent."""
    return _seeded(queries.answered(session, agent))


def require_reader(actor: Actor, agent: str) -> None:
    """How good a reviewer is concerns who answers for the agent; not the agent, and not their colleagues."""
    if not any(actor.allows(verb) for verb in _MAY_READ):
        actor.require("audit", agent)


def _new(agent: str, item: GoldAnswerIn, actor: Actor, now: datetime) -> GoldAnswer:
    return GoldAnswer(
        id=new_id(),
        agent=agent,
        reviewer=item.reviewer,
        case_id=item.case_id,
        output_is=item.output_is.value,
        said=item.said.value,
        at=item.at or now,
        recorded_by=actor.name,
    )


def _refuse_own(items: Sequence[GoldAnswerIn], actor: Actor) -> None:
    own = [index for index, item in enumerate(items) if item.reviewer == actor.name]
    if own:
        places = [
            Place(f"items[{index}].reviewer", "it is you", "somebody else who may configure records it")
            for index in own
        ]
        raise OwnGoldAnswer("nobody records how good they are themselves", places=places)


def _refuse_future(items: Sequence[GoldAnswerIn], now: datetime) -> None:
    places = [
        Place(f"items[{index}].at", "it lies in the future", "send when the answer was given, or leave it out")
        for index, item in enumerate(items)
        if item.at is not None and item.at > now
    ]
    if places:
        raise Invalid("an answer cannot have been given in the future", places=places)


def _differences(index: int, item: GoldAnswerIn, row: GoldAnswer) -> list[Place]:
    mend = "leave it out; what is recorded stays"
    return [
        Place(f"items[{index}].{name}", f"{getattr(row, name)} is recorded, and here is {getattr(item, name)}", mend)
        for name in ("output_is", "said")
        if getattr(row, name) != getattr(item, name)
    ]


def _seeded(rows: Sequence[queries.Answered]) -> Seeded:
    cases = {(what, said): 0 for what in Said for said in Said}
    for row in rows:
        cases[Said(row.output_is), Said(row.said)] += row.cases
    caught, confirmed = cases[Said.WRONG, Said.WRONG], cases[Said.RIGHT, Said.RIGHT]
    return Seeded(
        caught=caught,
        errors=caught + cases[Said.WRONG, Said.RIGHT],
        confirmed=confirmed,
        right=confirmed + cases[Said.RIGHT, Said.WRONG],
    )


def _shown(reviewer: str | None, counts: Seeded) -> ReviewerOut:
    found = gold_answers(counts.caught, counts.errors, counts.confirmed, counts.right)
    return ReviewerOut(
        reviewer=reviewer,
        sensitivity=ShareOut.of(found.sensitivity),
        specificity=ShareOut.of(found.specificity),
        warning=None if found.enough else _too_few(counts.errors),
    )


def _too_few(errors: int) -> str:
    there = words.plural(errors, "gold case") if errors else "no gold case"
    return f"{there[:1].upper()}{there[1:]} with an error so far; with {GOLD_NEEDED} or more this can be relied on."
