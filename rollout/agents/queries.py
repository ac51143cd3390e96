"""Statements about agents."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from kit.errors import NotFound
from rollout.agents.tables import Agent


def find_agent(session: Session, name: str) -> Agent | None:
    return session.get(Agent, name)


def get_agent(session: Session, name: str) -> Agent:
    agent = session.get(Agent, name)
    if agent is None:
        raise NotFound(f"there is no agent {name}")
    return agent


def lock_agent(session: Session, name: str) -> Agent:
    """
    The agent's row, held until the transaction ends: whoever changes where its versions stand takes turns here.

    Everybody takes this lock before any other, so two of them can wait for each other but never in a circle. Rows
    that merely refer to the agent may still be inserted meanwhile.
    """
    agent = session.scalar(select(Agent).where(Agent.name == name).with_for_update(key_share=True))
    if agent is None:
        raise NotFound(f"there is no agent {name}")
    return agent


def agents(session: Session, *, after: str | None = None, limit: int | None = None) -> Sequence[Agent]:
    wanted = select(Agent).order_by(Agent.name).limit(limit)
    return session.scalars(wanted.where(Agent.name > after) if after is not None else wanted).all()
