"""
Rows for tests: plain functions with sensible defaults, so that a test names only what it is about.

Each opens its own transaction, as an edge would, and goes through the service where there is one.
"""

from itertools import count

from governance.actors import SYSTEM, Actor
from governance.people import service as people
from governance.people.tables import Key, Person
from kit.context import Context

PASSWORD = "correct horse battery"

_numbers = count(1)


def person(
    ctx: Context, login: str | None = None, *, roles: tuple[str, ...] = ("owner",), password: str | None = None
) -> Person:
    """Without a password, since hashing one takes a while and few tests sign in."""
    login = login or f"person-{next(_numbers)}"
    with ctx.db.begin() as session:
        return people.add_person(
            session, login, login.title(), roles=roles, password=password, by=SYSTEM, now=ctx.clock.now()
        )


def actor(ctx: Context, login: str | None = None, *, roles: tuple[str, ...] = ("owner",)) -> Actor:
    """A person, ready to act."""
    return people.actor_of(person(ctx, login, roles=roles))


def key(ctx: Context, *, agent: str | None = None, login: str | None = None) -> tuple[Key, str]:
    """A key of an agent, or of a person that exists, and its secret."""
    if login is None and agent is None:
        agent = "claims"
    with ctx.db.begin() as session:
        return people.create_key(session, "tests", agent=agent, login=login, by=SYSTEM, now=ctx.clock.now())


def bearer(ctx: Context, *, agent: str | None = None, login: str | None = None) -> dict[str, str]:
    """The header that goes with a new key."""
    return {"Authorization": f"Bearer {key(ctx, agent=agent, login=login)[1]}"}
