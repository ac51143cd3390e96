"""
One bad row harms no other: what a sweep does with many items at once it does with each alone when that fails.

An item with which it cannot be done is written down with the reason and tried again after a while, longer each time;
the log, `phasegate doctor` and `/v1/backlog` tell of it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from kit.db import is_away
from routing.reviews import queries
from routing.reviews.tables import ReviewItem, ReviewTrouble

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)

Act = Callable[[Sequence[ReviewItem]], None]


def each(session: Session, items: Sequence[ReviewItem], act: Act, *, step: str, now: datetime) -> int:
    """Do this with all of them, or with those with which it can be done; returns how many were taken on."""
    if not items:
        return 0
    ids = [item.id for item in items]
    if (error := _try(session, items, act)) is None:
        queries.forget_troubles(session, ids)
    elif len(items) == 1:
        _note(session, ids[0], error, step, now)
    else:
        for item in items:
            each(session, [item], act, step=step, now=now)
    return len(items)


def _try(session: Session, items: Sequence[ReviewItem], act: Act) -> Exception | None:
    """What went wrong; nothing of it is stored then."""
    # Broad on purpose: whatever a row brings up, the rulings on others must reach their agents.
    try:
        with session.begin_nested():
            act(items)
    except Exception as error:
        if is_away(error):
            raise
        return error
    return None


def _note(session: Session, item_id: UUID, error: Exception, step: str, now: datetime) -> None:
    said = repr(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
    queries.forget_troubles_of_the_past(session)
    trouble = queries.troubles_with(session, [item_id]).get(item_id)
    if trouble is None:
        trouble = ReviewTrouble(item_id=item_id, attempts=0, since=now)
        session.add(trouble)
    elif trouble.step != step:
        trouble.attempts, trouble.since = 0, now  # what failed before is over: this is tried again soon
    trouble.step, trouble.problem = step, said[:500]
    trouble.next_at = now + min(_FIRST_PAUSE * 2 ** min(trouble.attempts, 10), _LONGEST_PAUSE)
    trouble.attempts += 1
    session.flush()  # asked for below by those who come after it
    log.error("a review could not go its way", step=step, item=str(item_id), attempts=trouble.attempts, exc_info=error)
