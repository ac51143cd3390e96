"""What is sent and said of many cases; the answers are written without these models, which describe them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kit.wire import Out, Strict
from routing.cases.schemas import DecisionOut

MOST = 1000


class BatchIn(Strict):
    """Cases of one agent; each is read and judged by itself."""

    items: Annotated[list[Any], Field(min_length=1, max_length=MOST)]


class BatchItemOut(Out):
    """As the single call would answer: the decision (201 new, 200 stored before), or the problem."""

    status: int
    decision: DecisionOut | None = None
    problem: dict[str, Any] | None = None


class BatchOut(Out):
    items: list[BatchItemOut]


class LineOut(Out):
    """Of one line of a stream, by its number from 1."""

    line: int
    status: int
    case_id: str | None = None
    decision_id: str | None = None
    route: Literal["shadow", "review", "auto", "human", "block"] | None = None
    problem: dict[str, Any] | None = None


class HumanOutputLineOut(Out):
    """
    The same of a line that says what a person did; `became`: a correction of an earlier output is a new revision,
    the same output again changes nothing.
    """

    line: int
    status: int
    case_id: str | None = None
    human_output_id: str | None = None
    revision: int | None = None
    became: Literal["created", "unchanged", "corrected"] | None = None
    problem: dict[str, Any] | None = None


class EndOut(Out):
    """The last line. Without it the stream was cut; with `done` false, `problem` says why it ended early."""

    done: bool
    lines: int
    stored: int
    repeated: int
    refused: int
    problem: dict[str, Any] | None = None
