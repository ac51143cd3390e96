"""What goes over the wire about readiness and periodic reviews."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints

from kit.wire import Out, Strict
from rollout.domain.situation import Answer


class AnswerIn(Strict):
    """The answer to one item of the checklist. A yes counts with a link to its evidence."""

    answer: Answer
    link: Annotated[str, StringConstraints(max_length=2000)] = ""
    owner: Annotated[str, StringConstraints(max_length=128)] = ""
    due: date | None = None


class AnswerOut(Out):
    item: str
    answer: Answer
    link: str
    owner: str
    due: date | None
    answered_at: datetime
    answered_by: str


class AnswersOut(Out):
    items: list[AnswerOut]


class ReviewIn(Strict):
    """A periodic review as it was held."""

    decision: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    note: Annotated[str, StringConstraints(max_length=10_000)] = ""


class ReviewOut(Out):
    id: UUID
    agent: str
    held_at: datetime
    by: str
    decision: str
    note: str
    figures: dict[str, Any]


class ReviewsOut(Out):
    items: list[ReviewOut]
    next_cursor: str | None
