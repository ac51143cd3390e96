"""Readiness answers, and the periodic reviews that people held."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Forbidden, NotFound
from kit.ids import new_id
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain.situation import Answer
from rollout.oversight import queries
from rollout.oversight.tables import PeriodicReview, ReadinessAnswer
from rollout.versions import steps
from rollout.versions.tables import Rollout

LOOK = "rollout.look"


def answer_readiness(
    session: Session,
    rollout: Rollout,
    item: str,
    *,
    answer: Answer,
    link: str = "",
    owner: str = "",
    due: date | None = None,
    actor: Actor,
    now: datetime,
) -> ReadinessAnswer:
    """The present answer to one item. Earlier answers stay in the audit log."""
    actor.require("configure", rollout.agent)
    lock_agent(session, rollout.agent)  # two first answers to one item take turns
    steps.refuse_retired(rollout)
    plan = steps.plan_of(session, rollout)
    known = [asked.key for _, asked in plan.readiness()] if plan is not None else []
    if item not in known:
        raise NotFound(f'the plan of version {rollout.version} asks nothing called "{item}"')
    row = queries.find_answer(session, rollout.id, item)
    if row is None:
        row = ReadinessAnswer(rollout_id=rollout.id, item=item)
        session.add(row)
    row.answer, row.link, row.owner, row.due = answer.value, link, owner, due
    row.answered_at, row.answered_by = now, actor.name
    audit.record(
        session, actor, "readiness.answered", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, item=item, answer=answer, link=link, owner=owner, due=due,
    )  # fmt: skip
    send_after_commit(session, LOOK)
    return row


def hold_review(
    session: Session,
    agent: Agent,
    *,
    decision: str,
    note: str = "",
    figures: dict[str, Any] | None = None,
    actor: Actor,
    now: datetime,
) -> PeriodicReview:
    """Sign that the periodic review was held now, on these figures. A person signs, never a key of an agent."""
    actor.require("advance", agent.name)
    if actor.kind != "person":
        raise Forbidden("a review is held and signed by a person")
    review = PeriodicReview(
        id=new_id(), agent=agent.name, held_at=now, by=actor.name, decision=decision, note=note, figures=figures or {}
    )
    session.add(review)
    audit.record(
        session, actor, "review.held", review.id, now=now, agent=agent.name, decision=decision, note=note
    )  # fmt: skip
    send_after_commit(session, LOOK)
    return review
