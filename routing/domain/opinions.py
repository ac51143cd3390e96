"""
What two people said of one output independently of each other, and what a third made of it where they differed.

Pure. A verdict says whether the agent's output was right ("agree") or not ("override").
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

SECOND, ADJUDICATION = "second", "adjudication"
"""Kinds of review items that no agent waits for, and the sources of the labels that come of them."""

Name = Literal["A", "B"]

_KEEPS, _STAYS = 0.5, 0.75
"""Of the first line's time: before how much is over a second look has its case's own, and for how long it shows one."""


class Opinion(NamedTuple):
    """A ruling as what it says of the output; `output` is their own, where they edited it."""

    ruling: str
    verdict: str | None
    output: Any = None


class Times(NamedTuple):
    """Since when a second look waits and when it is due, as its reviewer is told, and when both begin anew."""

    created_at: datetime
    due_at: datetime
    anew_at: datetime


def times_of(decided_at: datetime, *, within: timedelta, line: timedelta, now: datetime) -> Times:
    """
    Those of its case, so that it stands where a case of that age stands. A case that waits longer than `line` is passed
    on to the second line: what is older in the first would be known for a check, and would go before all real work. So
    where much of that time is over, it is as if the case had come now; and again when it has waited for long.
    """
    since = decided_at if now - decided_at < line * _KEEPS else now
    return Times(since, since + within, since + line * _STAYS)


def agree(one: Opinion, other: Opinion, equal: Callable[[Any, Any], bool]) -> bool:
    """
    Whether two people said the same: that the output was right, or that it was wrong; and where both wrote down what is
    right instead, that this is the same too. `equal` is the agent's own comparison.
    """
    if one.verdict != other.verdict:
        return False
    both_wrote = one.verdict == "override" and one.ruling == other.ruling == "edit"
    return equal(one.output, other.output) if both_wrote else True


def name_of_first(first_ruling: UUID, second_ruling: UUID) -> Name:
    """
    Under which name the first of two rulings is shown to who rules between them: by a hash of both, so that the order
    in which they were given does not tell, and stays the same however often it is looked at.
    """
    digest = hashlib.blake2b(second_ruling.bytes, key=first_ruling.bytes, digest_size=1).digest()
    return "A" if digest[0] % 2 == 0 else "B"
