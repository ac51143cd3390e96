"""Human loops over the wire, with the field names of Amazon A2I's runtime; what is ours beside them is said."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict
from rollout.domain.activation import Conditions
from routing.cases.schemas import CaseId, ShortName

LoopName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-*[a-z0-9])*$", max_length=63)]
Status = Literal["InProgress", "Completed", "Failed", "Stopped"]


class HumanLoopInput(Strict):
    InputContent: Annotated[str, Field(min_length=2, description="An object as JSON text, as in A2I.")]


class StartIn(Strict):
    """
    What a person shall rule on. That is `Output`, or else `selectedAiServiceResponse` or `initialValue` of the input
    content. `Version` and `Output` are ours.
    """

    HumanLoopName: LoopName
    HumanLoopInput: HumanLoopInput
    Version: ShortName
    Output: Any = None


class StopIn(Strict):
    HumanLoopName: CaseId


class OutputPlace(Out):
    OutputS3Uri: str


class HumanLoopOut(Out):
    """As `DescribeHumanLoop` answers; `OutputS3Uri` is the path of output.json here, and `DecisionId` is ours."""

    HumanLoopName: str
    HumanLoopArn: str
    FlowDefinitionArn: str
    HumanLoopStatus: Status
    FailureCode: str | None
    FailureReason: str | None
    HumanLoopOutput: OutputPlace | None
    CreationTime: datetime
    DecisionId: UUID


class EvaluateIn(Strict):
    """An answer to hold against conditions: those in force for a version, or others that are only tried."""

    output: Any
    input: Any = None
    case_id: CaseId = "tried"
    version: ShortName | None = None
    conditions: Conditions | None = None


class EvaluatedOut(Out):
    """
    `humanTaskActivationConditionResults`: the conditions with `EvaluationResult` on each. `unread`: what of the output
    could not be read and counts as met.
    """

    activated: bool
    humanTaskActivationConditionResults: dict[str, Any]  # noqa: N815 - A2I's name for it
    selectedAiServiceResponse: Any  # noqa: N815 - A2I's name for it
    unread: list[str]
