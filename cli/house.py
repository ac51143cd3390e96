"""Opens the house for a command that works on the database itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from governance.actors import SYSTEM, Actor
from governance.people import queries as people_queries
from governance.people import service as people
from kit import logging as kit_logging
from kit.context import Context, make_context
from kit.errors import Forbidden, Unavailable
from kit.messages import publisher
from kit.settings import Settings
from migrations import chain


@contextmanager
def opened(*, migrated: bool = True) -> Iterator[Context]:
    """
    The context of this command, from the settings. A database that is not migrated is refused in words.

    Other processes hear of a change over Redis where one is named; else they see it at their next look.
    """
    settings = Settings()
    kit_logging.set_up("WARNING")
    ctx = make_context(settings)
    try:
        if migrated:
            check_migrated(ctx)
        ctx.send_through(publisher(settings.redis_url, _no_tasks))
        yield ctx
    except OperationalError as error:
        raise Unavailable(f"the database did not answer: {error.orig}") from None
    finally:
        ctx.drain()
        ctx.db.close()


def check_migrated(ctx: Context) -> None:
    found = chain.current(ctx.db)
    if found != chain.head():
        state = f"is at {found}, this program needs {chain.head()}" if found else "has no tables yet"
        raise Unavailable(f"the database {state}; `phasegate migrate` mends that")


def acting(ctx: Context, login: str | None) -> Actor:
    """Who does it. Whoever may read the database is let in as the system; a signature needs a person's name."""
    if login is None:
        return SYSTEM
    with ctx.db.read() as session:
        person = people_queries.get_person(session, login)
    if person.disabled_at is not None:
        raise Forbidden(f"{login} is disabled")
    return people.actor_of(person)


def _no_tasks(_name: str, **_options: object) -> None:
    """Whatever a message would start, the sweep of the running workers finds."""
