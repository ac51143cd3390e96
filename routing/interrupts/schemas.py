"""Interrupts of agent graphs over the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from kit.wire import Out, Strict
from routing.cases.schemas import DecisionOut, ShortName
from routing.interrupts.dialects import Dialect, Word

InterruptId = Annotated[str, Field(min_length=1, max_length=180)]


class InterruptIn(Strict):
    """
    An interrupt as the graph gave it: its id, its value in any of the dialects, and `response_schema` where there is
    one. The rest is about its actions, as in a decision.
    """

    id: InterruptId
    value: dict[str, Any] | Annotated[list[Any], Field(min_length=1, max_length=1)]
    response_schema: dict[str, Any] | None = None
    version: ShortName
    confidence: Any = None
    segment: Annotated[str, Field(max_length=128)] = ""
    amount: Any = None
    risk: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    attributes: dict[str, Any] | None = None
    trace: list[Any] | None = None


class Asked(Strict):
    """
    What a case keeps of the interrupt it came with, in its input: all that the answer needs. `args_schema`: what the
    tool's arguments must fit when somebody edits them, where the graph says so.
    """

    id: InterruptId
    dialect: Dialect
    place: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=1, le=1000)]
    allowed: tuple[Word, ...]
    args_schema: dict[str, Any] | None = None


class InterruptOut(Out):
    """
    `resume`: what to resume this interrupt of the graph with, in its dialect, once `status` is `answered`.
    `unanswerable`: the graph takes no answer that would be true, such as a rejection; what was decided stands beside.
    """

    id: UUID
    interrupt: str
    agent: str
    dialect: Dialect
    status: Literal["waiting", "answered", "unanswerable"]
    resume: Any
    decisions: list[DecisionOut]
