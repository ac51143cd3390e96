"""What goes over the wire about saved views."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from kit.wire import Out, Strict
from routing.reviews.schemas import KINDS, ShownKind
from routing.skills.schemas import Tag

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True, pattern=r"^[^\x00-\x1f/]+$")
]
Kind = Literal["", ShownKind, "escalated"]


class ViewOfQueue(Strict):
    """Which part of the queue; everything, where nothing is said. A segment is one of an agent, of any kind."""

    agent: Annotated[str, Field(max_length=128)] = ""
    segment: Annotated[str, Field(max_length=128)] = ""
    kind: Kind = ""
    urgent: bool = False
    late: bool = False

    @model_validator(mode="after")
    def _is_kept(self) -> "ViewOfQueue":
        if self.segment and not self.agent:
            raise ValueError("a segment is one of an agent; name the agent too")
        if self.segment and self.kind in KINDS:
            raise ValueError("the queue is not kept by segment and kind at once; leave out one of them")
        return self


class ViewIn(ViewOfQueue):
    """`team`: who else sees it, `*` for everybody; only a lead shows a view. `opens`: you see it first."""

    team: Tag | Literal["*"] | None = None
    opens: bool = False


class ViewOut(Out):
    name: str
    owner: str
    team: str | None
    opens: bool
    wanted: ViewOfQueue


class ViewsOut(Out):
    items: list[ViewOut]
