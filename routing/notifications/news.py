"""
What there is to tell, and one message of it for each person whose time has come.

`note` numbers what is worth telling, once for everybody. `tell` gives a person all that has a higher number than what
they heard of, as one message, if it still waits at that moment. So a thousand cases at once make one message for each
person, and whatever waited for quiet hours to end is told as it is then and not as it was. They have heard of what was
delivered: what a message that died would have told is told by the next.
"""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people import service as people
from governance.people.tables import Person
from kit.db import send_after_commit
from kit.ids import new_id
from routing.domain.reach import Reach
from routing.domain.telling import is_quiet, next_time
from routing.notifications import queries
from routing.notifications.hours import hours_of
from routing.notifications.schemas import KINDS
from routing.notifications.service import SEND, add_links
from routing.notifications.tables import Notification, NotificationSettings
from routing.reviews.dealing import queries as dealing
from routing.reviews.service import reach_of

_AT_ONCE = 2000  # noted in one transaction; what is more comes with the next
COUNTED_UP_TO = dealing.COUNTED_UP_TO
_NAMED = 3  # cases of each kind that a message names; the queue has them all
_TAKE_WITHIN = timedelta(days=1)
_KEPT = timedelta(days=30)


def note(session: Session, *, before: timedelta, now: datetime) -> int:
    """Number what is new: urgent, escalated, or over within `before`. Nothing where nobody listens."""
    if not queries.anybody_listens(session):
        return 0
    first = last = queries.newest_in_turn(session)
    for kind in KINDS:
        due = kind == "due"
        items = queries.nearly_late(session, now, now + before, _AT_ONCE) if due else _new(session, kind, now)
        last = queries.add_notices(session, kind, items, after=last)
    queries.forget(session, now - _KEPT, now)
    return last - first


def _new(session: Session, kind: str, now: datetime) -> list[tuple[UUID, datetime]]:
    """What came and is free, and what was held when it came and is free by now."""
    found = queries.fresh(session, kind, now, _AT_ONCE)
    given_back = queries.given_back(session, kind, now, _AT_ONCE)
    queries.hold(session, kind, [(one.id, one.created_at) for one in found if not one.free])
    return [(one.id, one.created_at) for one in found if one.free] + given_back


def tell(session: Session, login: str, *, now: datetime) -> Notification | None:
    """
    Write one message to this person of all that is new to them; None where nothing is, or it is not the time.

    Who holds a case at this moment is at the desk, where what is urgent comes next by itself. They are told when they
    have left, if it waits then.
    """
    found = queries.try_listener(session, login)
    if found is None:
        return None
    settings, person = found
    hours = hours_of(settings)
    if settings.next_at > now or is_quiet(hours, now) or queries.is_on_the_way(session, login):
        return None
    if dealing.held_by(session, login, now) is not None:
        return None
    through = queries.newest_notice(session)
    actor = people.actor_of(person)
    cases = _news(session, settings, reach_of(session, actor), through, now) if _may_hear(person, actor) else []
    if not cases:
        settings.told_through = through
        settings.next_at = max(settings.next_at, next_time(hours, None, now))  # a daily one comes at its hour
        return None
    message = Notification(
        id=new_id(), login=login, kind="news", facts=_facts(cases), through=through, state="waiting", attempts=0,
        due_at=now, created_at=now,
    )  # fmt: skip
    session.add(message)
    add_links(session, message, take=cases[0].id, until=now + _TAKE_WITHIN, now=now)
    settings.next_at = next_time(hours, now, now)
    send_after_commit(session, SEND)
    return message


def _may_hear(person: Person, actor: Actor) -> bool:
    return person.disabled_at is None and actor.allows("review")


def _news(session: Session, settings: NotificationSettings, reach: Reach, through: int, now: datetime) -> list[Any]:
    """Each case once, under what is most pressing about it."""
    rows = queries.news(session, settings, reach=reach, through=through, now=now, limit=COUNTED_UP_TO)
    once: dict[UUID, Any] = {}
    for row in rows:
        once.setdefault(row.id, row)
    return list(once.values())


def _facts(cases: list[Any]) -> list[dict[str, Any]]:
    """What the message says: of each kind how many, and the first of them. Neither inputs nor outputs."""
    facts = []
    for kind, rows in groupby(cases, key=lambda row: row.kind):
        same = list(rows)
        named = [
            {
                "review": str(row.id),
                "case_id": row.case_id,
                "agent": row.agent,
                "segment": row.segment,
                "ends_at": row.ends_at.isoformat(),
            }
            for row in same[:_NAMED]
        ]
        facts.append({"kind": kind, "cases": len(same), "first": named})
    return facts
