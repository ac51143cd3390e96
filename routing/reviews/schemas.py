"""What the desk sends and gets."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import AliasChoices, Field, model_validator

from kit.wire import Out, Strict

ShownKind = Literal["review", "audit", "judgement", "adjudication"]
"""What kinds there are, as reviewers are told them."""
KINDS: tuple[ShownKind, ...] = get_args(ShownKind)


class ClaimIn(Strict):
    """
    From which part of the queue, and how many more to hold ahead; a segment is one of an agent. `given_back`: the ids
    of cases that you gave back a while ago; they come when nothing else is there.
    """

    agent: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    segment: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    ahead: Annotated[int, Field(ge=0, le=3)] = 0
    given_back: Annotated[tuple[UUID, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _of_an_agent(self) -> "ClaimIn":
        if self.segment is not None and self.agent is None:
            raise ValueError("a segment is one of an agent; name the agent too")
        return self


class RulingIn(Strict):
    """A ruling names the fingerprint of what was shown; an edit brings the output, a reject its reason."""

    ruling: Literal["approve", "edit", "reject", "escalate"]
    fingerprint: Annotated[str, Field(min_length=64, max_length=64)]
    output: Any = None
    reason_code: Annotated[str, Field(max_length=64)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""


class ItemOut(Out):
    """One line of the queue."""

    id: UUID
    decision_id: UUID
    agent: str
    version: str
    case_id: str
    kind: Annotated[str, Field(validation_alias=AliasChoices("shown_kind", "kind"))]
    level: int
    segment: str
    priority: int
    state: str
    created_at: datetime
    due_at: datetime
    claimed_by: str | None
    claimed_until: datetime | None
    ahead: bool


class QueueOut(Out):
    items: list[ItemOut]
    waiting: dict[str, int]
    next_cursor: str | None


class OpinionOut(Out):
    """What one of two people said, for who rules between them: `A` or `B`, in an order that tells nothing."""

    name: Literal["A", "B"]
    ruling: Literal["approve", "edit", "reject"]
    output: Any
    reason_code: str | None
    note: str


class JudgementIn(Strict):
    """
    Which output is right, as they were shown: `A`, `B`, `both` or `neither`; of one output alone `both` or `neither`.
    `output`: what would have been right, where neither is.
    """

    right: Literal["A", "B", "both", "neither"]
    fingerprint: Annotated[str, Field(min_length=64, max_length=64)]
    output: Any = None
    note: Annotated[str, Field(max_length=4000)] = ""


class OneOutputOut(Out):
    """One of two outputs, in an order that tells nothing."""

    name: Literal["A", "B"]
    output: Any


class PairOut(Out):
    """
    What an agent and a person made of the same case apart from each other; one output where they said the same.
    `differing`: the fields in which they differ, as JSON pointers.
    """

    outputs: Annotated[list[OneOutputOut], Field(max_length=2)]
    differing: list[str]


class HeldOut(ItemOut):
    """
    A claimed item with what there is to look at. `opinions`: of kind `adjudication`, what two people said who differed.
    `pair`: of kind `judgement`, what is to be judged (`…/judgement`); everything that tells whose output is whose, or
    what the agent knew of it, is withheld.

    `answer_first`: say what the output should be first (`…/answer`). Until then everything that would tell what the
    agent said is withheld: the fingerprint too, since it would confirm a guess. Afterwards `own_answer` is what you
    said, and `own_answer_equal` whether the agent's comparison calls the two equal.
    """

    fingerprint: str | None
    input: Any
    output: Any
    action: str | None
    amount: float | None
    confidence: float | None
    reasons: list[dict[str, str]]
    trace: list[Any] | None
    answer_first: bool = False
    own_answer: Any = None
    own_answer_equal: bool | None = None
    opinions: Annotated[list[OpinionOut], Field(default_factory=list, max_length=2)]
    pair: PairOut | None = None


class ClaimedOut(HeldOut):
    """The case to look at, and those that are held ahead for the same person, in turn."""

    next: list[HeldOut]


class UndoneOut(HeldOut):
    """The case is back, with what was said of it, to go on from."""

    undone: "SaidOut | None"


class SaidOut(Out):
    """What a ruling said."""

    ruling: str
    output: Any
    reason_code: str | None
    note: str


class JudgementOut(Out):
    """A judgement that is stored. Whose output was right is told to nobody before `undo_until`."""

    id: UUID
    item_id: UUID
    decision_id: UUID
    login: str
    right: str
    note: str
    at: datetime
    undo_until: datetime | None


class LeftOut(Out):
    """How many cases were given back."""

    released: int


class RulingOut(Out):
    id: UUID
    item_id: UUID
    decision_id: UUID
    login: str
    ruling: str
    reason_code: str | None
    note: str
    at: datetime
    undo_until: datetime | None
    """The agent is told then and not before; None: it was told already."""
