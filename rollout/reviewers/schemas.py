"""What goes over the wire about gold answers."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from evidence.agreement.kappa import Share
from kit.wire import Moment, Out, Strict


class Said(StrEnum):
    """Of an output: what is known of it, or what a reviewer answered."""

    RIGHT = "right"
    WRONG = "wrong"


class GoldAnswerIn(Strict):
    """One answer of a reviewer to a case whose right answer was known; `at` is when it was given, now if left out."""

    reviewer: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    case_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    output_is: Said
    said: Said
    at: Moment | None = None


class GoldAnswersIn(Strict):
    items: Annotated[list[GoldAnswerIn], Field(min_length=1, max_length=1000)]


class GoldAnswerStored(Out):
    reviewer: str
    case_id: str
    status: str  # created | unchanged


class GoldAnswersStored(Out):
    items: list[GoldAnswerStored]


class ShareOut(Out):
    """`part` of `whole`; the bounds are exact, 95 % two-sided."""

    part: int
    whole: int
    share: float | None
    lower: float
    upper: float

    @classmethod
    def of(cls, share: Share) -> Self:
        return cls(**share._asdict())


class ReviewerOut(Out):
    """
    What reviewers find: `sensitivity` is the share of wrong outputs they objected to, `specificity` that of right ones
    they confirmed. `warning` says when there are too few to go by.
    """

    reviewer: str | None  # None: all of the agent's together
    sensitivity: ShareOut
    specificity: ShareOut
    warning: str | None


class ReviewersOut(Out):
    together: ReviewerOut
    items: list[ReviewerOut]
