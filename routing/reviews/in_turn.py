"""Hands out what comes next in a person's part of the queue, gold cases in between."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people import service as people
from kit.db import send_after_commit
from routing.domain.reach import Need, Reach
from routing.gold.dealing import Claim, Dealer, deal_before
from routing.reviews import queries
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import WHOLE, Line, Narrow
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Whose it is to be, from when until when, of which part of the queue.

    `but`: cases they do not want now, because they just gave them back. `dealer`: puts gold cases in between. `needs`:
    what queues take, where that is known; else it is read.
    """

    actor: Actor
    now: datetime
    until: datetime
    narrow: Narrow = WHOLE
    but: Collection[UUID] = ()
    unseen: bool = False
    dealer: Dealer | None = None
    needs: Sequence[Need] | None = None


def levels_of(actor: Actor) -> tuple[int, ...]:
    """The lines of the queue this person works: everyone the first, those who may the second."""
    return (1, 2) if actor.allows("escalated") else (1,)


def reach_of(session: Session, actor: Actor, needs: Sequence[Need] | None = None) -> Reach:
    """The part of the queue this person works, by lines, teams and skills."""
    return skills.reach_of(session, actor, levels_of(actor), needs)


def take(session: Session, wish: Wish, count: int) -> list[ReviewItem]:
    """The next `count` cases, claimed for this person; fewer where there are no more."""
    found: list[ReviewItem] = []
    reach = reach_of(session, wish.actor, wish.needs)
    wanted = dealing.lines_of(session, wish.narrow, reach)
    for alone in (False, True):
        if len(found) == count or (alone and not is_alone(session, wish.actor)):
            break
        while len(found) < count and (some := _first(session, wish, wanted, count - len(found), alone=alone)):
            found += _with_gold(session, wish, reach, some, count - len(found))
    if found:
        send_after_commit(session, "reviews:changed")
    return found


def _first(session: Session, wish: Wish, wanted: Sequence[Line], count: int, *, alone: bool) -> list[ReviewItem]:
    """Several at once where there is one line; of several lines each may hold what comes next."""
    login, now = wish.actor.name, wish.now
    for line in dealing.lines_in_turn(session, login, wanted, now=now, but=wish.but, alone=alone):
        items = dealing.claim_in_turn(
            session,
            login,
            line,
            count=count if len(wanted) == 1 else 1,
            now=now,
            until=wish.until,
            but=wish.but,
            ahead=wish.unseen,
            alone=alone,
        )
        if items:
            return items
    return []


def _with_gold(session: Session, wish: Wish, reach: Reach, items: Sequence[ReviewItem], count: int) -> list[ReviewItem]:
    """These with the gold cases that go before some of them; what is more than `count` by them waits on."""
    found: list[ReviewItem] = []
    claim = Claim(wish.actor, wish.now, wish.until, reach, wish.narrow.segment, wish.unseen, wish.narrow.kind)
    for item in items:
        dealt = deal_before(session, item, claim, wish.dealer) if wish.dealer and len(found) < count else None
        if dealt is not None:
            found.append(dealt)
        if len(found) < count:
            found.append(item)
        else:
            queries.try_release(session, item.id, wish.actor.name)
    return found


def is_alone(session: Session, actor: Actor) -> bool:
    """Whether nobody else works the second line, so that what this person passed on would wait for nobody."""
    return actor.allows("escalated") and not people.others_who_may(session, "escalated", actor.name)
