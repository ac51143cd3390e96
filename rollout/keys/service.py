"""Keys are made here and not on the floor of people, which knows no agents."""

from datetime import datetime

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people import service as people
from governance.people.tables import Key
from kit.errors import Invalid, Place
from rollout.agents import queries as agents


def create(
    session: Session, name: str, *, agent: str | None = None, login: str | None = None, by: Actor, now: datetime
) -> tuple[Key, str]:
    """A key of an agent that is registered, or of a person, and its secret, which nobody can read again."""
    if agent is not None and agents.find_agent(session, agent) is None:
        place = Place("agent", f"there is no agent “{agent}”", "register it first, or mend the name")
        raise Invalid(f"there is no agent “{agent}”; a key for it would be worth nothing", places=[place])
    return people.create_key(session, name, agent=agent, login=login, by=by, now=now)
