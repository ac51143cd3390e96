"""What goes over the wire about agents, and the settings of their work."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from kit.wire import Out, Strict

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=128)]
Login = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
About = Annotated[str, StringConstraints(max_length=4000)]
Show = Literal["text", "longtext", "image", "json", "table", "link", "number", "date"]


class FieldView(Strict):
    """
    How one field is shown to a reviewer. `path` is a JSON pointer (`/lines/0/amount`); empty: the whole value.
    `sensitive`: a picture that may disturb who sees it; it is blurred until they ask for it.
    """

    path: Annotated[str, StringConstraints(max_length=200, pattern=r"^(/.*)?$")]
    label: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    show: Show = "text"
    sensitive: bool = False


class FieldViews(Strict):
    input: Annotated[tuple[FieldView, ...], Field(max_length=100)] = ()
    output: Annotated[tuple[FieldView, ...], Field(max_length=100)] = ()


class RejectReason(Strict):
    """Why a reviewer did not approve, with the severity that the override then has."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
    words: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    severity: Literal["minor", "major", "severe"] = "major"


DEFAULT_REASONS = (
    RejectReason(code="wrong", words="The answer is wrong", severity="major"),
    RejectReason(code="incomplete", words="Something is missing", severity="major"),
    RejectReason(code="harmful", words="It would have done harm", severity="severe"),
    RejectReason(code="style", words="Right, but badly put", severity="minor"),
    RejectReason(code="out_of_scope", words="Not a case for this agent", severity="major"),
)


class Supervision(Strict):
    """
    How the people who review are kept honest. `blind_share`: of the cases that come to them, how many they answer
    before they see the output. `gold_share`: of the cases that a reviewer is shown, how many are gold, with an answer
    that is known; none is dealt before there are some. `second_opinion_share`: of what was ruled on, how much a second
    person rules on, too, without knowing of the first. `bulk_most`: how many cases of one signature a person may rule
    on at once; 0 for none. `judged_differing_share` and `judged_same_share`: where an agent and a person did the same
    case apart from each other, of how many a third person says who was right, who does not see whose output is whose.
    """

    blind_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.10
    gold_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    bulk_most: Annotated[int, Field(ge=0, le=100)] = 20
    second_opinion_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    judged_differing_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.20
    judged_same_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05


_SHORTEST, _LONGEST = 3, 240
"""Months: what is shown of the last weeks, and cases that settle late, must find their rows; twenty years at most."""


class DeskSettings(Strict):
    """
    When a case can be approved on the page: after `least_seconds`, or `seconds_per_1000_characters` of what there is
    to read, whichever is longer (20 seconds at most); and with a risk of `see_all_for_risks` only when all of its
    evidence was looked at.
    """

    least_seconds: Annotated[float, Field(ge=0.0, le=20.0)] = 0.8
    seconds_per_1000_characters: Annotated[float, Field(ge=0.0, le=60.0)] = 2.0
    see_all_for_risks: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=32)], ...], Field(max_length=20)
    ] = ("high", "critical")


class AgentSettings(Strict):
    """
    How an agent's work is checked, compared and shown.

    `comparison` is a comparator's name or the section that `evidence.comparing` reads; nothing: field by field,
    exactly. `output_schema` is JSON Schema, without references outside itself. `retention_months`: how many whole
    months decisions are kept before they are archived; nothing: for ever. `undo_seconds`: how long a ruling can be
    undone before the agent is told of it. `second_line_at`: the share of the time for a review after which the second
    line gets it. `review_fallback`: who answers when all of it is over; never the agent.
    """

    model_config = ConfigDict(extra="forbid")

    output_schema: dict[str, Any] | bool | None = None
    comparison: dict[str, Any] | str | None = None
    fields: FieldViews = FieldViews()
    reasons: Annotated[tuple[RejectReason, ...], Field(min_length=1, max_length=50)] = DEFAULT_REASONS
    undo_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    second_line_at: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    review_fallback: Literal["human"] = "human"
    retention_months: Annotated[int, Field(ge=_SHORTEST, le=_LONGEST)] | None = None
    supervision: Supervision = Supervision()
    desk: DeskSettings = DeskSettings()

    @model_validator(mode="after")
    def _reasons_differ(self) -> "AgentSettings":
        codes = [reason.code for reason in self.reasons]
        twice = next((code for code in codes if codes.count(code) > 1), None)
        if twice is not None:
            raise ValueError(f'two reasons have the code "{twice}"; give each its own')
        return self


class AgentIn(Strict):
    """An agent as people edit it. The owner is a person who may sign; the second signs beside the owner."""

    title: Title
    about: About = ""
    owner: Login
    second: Login | None = None
    settings: AgentSettings = AgentSettings()


class NewAgent(AgentIn):
    name: AgentName


class AgentOut(Out):
    name: str
    title: str
    about: str
    owner: str
    second: str | None
    settings: AgentSettings
    revision: int
    created_at: datetime


class AgentsOut(Out):
    items: list[AgentOut]
    next_cursor: str | None
