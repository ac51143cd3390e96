"""What goes over the wire about gold cases."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict
from rollout.reviewers.schemas import Said
from routing.cases.schemas import CaseId, ShortName


class GoldCaseIn(Strict):
    """
    A case whose right answer is known: made from a decision, or by hand.

    From a decision: `output` only where another one than the agent's is to be shown, say one with an error put in;
    what of it is right is taken from the verdict that counts where you do not say it. By hand: `case_id`, `output` and
    `output_is`. `correct_output` is what a reviewer is told afterwards; of a right output it is that output. `why` is
    told with it.
    """

    decision_id: UUID | None = None
    case_id: CaseId | None = None
    input: Any = None
    output: Any = None
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    segment: Annotated[str, Field(max_length=128)] = ""
    action: ShortName | None = None
    amount: Annotated[float, Field(allow_inf_nan=False)] | None = None
    risk: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    attributes: dict[str, Any] | None = None
    signals: dict[str, Any] | None = None
    trace: list[Any] | None = None
    output_is: Said | None = None
    correct_output: Any = None
    why: Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]


class GoldCaseOut(Out):
    """
    `answers`: how many reviewers said whether its output is right; `knew`: how many of them did; `passed_on`: how many
    passed it on instead, which is neither. `reports`: how many failures they reported of it. `left_out`: why it is
    dealt to nobody though it is not retired.
    """

    id: UUID
    agent: str
    decision_id: UUID | None
    case_id: str
    input: Any
    output: Any
    confidence: float | None
    segment: str
    action: str | None
    amount: float | None
    risk: str | None
    output_is: Said
    correct_output: Any
    why: str
    made_by: str
    made_at: datetime
    retired_by: str | None
    retired_at: datetime | None
    answers: int = 0
    knew: int = 0
    passed_on: int = 0
    reports: int = 0
    left_out: str | None = None


class PoolOut(Out):
    """
    What is dealt from. `share` is what the agent's settings ask for; of its newest `rulings` (of the last 5,000 in the
    house), `gold` were on gold cases. `passed_on`: how many each reviewer passed on; `reports`: how many failures they
    reported, all told. `warnings` say what is missing.
    """

    right: int
    wrong: int
    share: float
    rulings: int
    gold: int
    passed_on: dict[str, int]
    reports: int
    warnings: list[str]


class GoldCasesOut(Out):
    items: list[GoldCaseOut]
    pool: PoolOut
    next_cursor: str | None


class GoldReportOut(Out):
    """
    A failure that a reviewer reported of a gold case. `case_id` is the case's own, `shown_as` the one that they saw;
    `correct_output` is what they gave. It counts nowhere, and nobody looks into it.
    """

    id: UUID
    gold_case_id: UUID
    case_id: str
    shown_as: str
    output_is: Said
    severity: str
    description: str
    correct_output: Any
    reported_by: str
    reported_at: datetime


class GoldReportsOut(Out):
    items: list[GoldReportOut]
    next_cursor: str | None


class ResultOut(Out):
    """
    One gold case that you ruled on: what you said of its output, what is known, and why. `said` and `knew` are null
    where you passed it on.
    """

    item_id: UUID
    gold_case_id: UUID
    agent: str
    case_id: str
    input: Any
    output: Any
    output_is: Said
    ruling: str
    said: Said | None
    knew: bool | None
    correct_output: Any
    why: str
    at: datetime
