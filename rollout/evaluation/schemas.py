"""What goes over the wire about suites and runs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict

SuiteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
MOST_OUTPUTS = 100_000


class SuiteOut(Out):
    id: UUID
    agent: str
    name: str
    revision: int
    digest: str
    cases: int
    created_at: datetime
    created_by: str


class SuitesOut(Out):
    items: list[SuiteOut]
    next_cursor: str | None


class SuiteCaseOut(Out):
    key: str
    position: int
    input: Any
    expected: Any
    tags: list[str]


class SuiteCasesOut(Out):
    items: list[SuiteCaseOut]
    next_cursor: str | None


class CaseOutput(Strict):
    """What the version answered to one case of the suite."""

    case: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    output: Any


class NewRun(Strict):
    """A version's outputs on a suite. Cases without an output count as wrong."""

    suite: SuiteName
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    outputs: Annotated[list[CaseOutput], Field(max_length=MOST_OUTPUTS)]


class RunOut(Out):
    id: UUID
    agent: str
    version: str
    suite: str
    suite_revision: int
    cases: int
    equal: int
    missing: int
    invalid: int
    score: float
    baseline_run_id: UUID | None
    baseline_score: float | None
    failed_cases: list[Any]
    at: datetime
    by: str


class RunsOut(Out):
    items: list[RunOut]
    next_cursor: str | None


class LearnIn(Strict):
    """Which suite learns from the failure; the right answer, where it was not reported with the failure."""

    suite: SuiteName
    correct_output: Any = None
