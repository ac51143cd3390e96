"""Everything known of one case, for engineers and auditors."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from kit.errors import NotFound
from kit.wire import Out
from routing.archives import queries as archives
from routing.cases import queries
from routing.cases.outcomes import outcome_of
from routing.cases.reported import label_of
from routing.cases.schemas import DecisionOut, decision_out
from routing.gold import queries as gold


class HumanOutputOut(Out):
    id: UUID
    revision: int
    output: Any
    person: str | None
    posted_by: str
    occurred_at: datetime | None
    stored_at: datetime
    superseded: bool


class ComparisonOut(Out):
    decision_id: UUID
    human_output_id: UUID
    kind: str
    severity: str | None
    score: float
    differences: list[Any]
    compared_at: datetime


class LabelOut(Out):
    decision_id: UUID
    verdict: str
    severity: str | None
    source: str
    source_id: UUID
    person: str | None
    note: str
    at: datetime


class CaseOut(Out):
    case_id: str
    agent: str
    input: Any
    decisions: list[DecisionOut]
    human_outputs: list[HumanOutputOut]
    comparisons: list[ComparisonOut]
    labels: list[LabelOut]


def case_out(session: Session, agent: str, case_id: str, *, to_person: bool = False) -> CaseOut:
    """
    The case with its history; NotFound when neither an agent nor a person touched it, CaseArchived after that. To a
    person a gold case is a case.
    """
    decisions = queries.decisions_of_case(session, agent, case_id)
    seeming = not decisions and to_person
    if seeming:
        decisions = gold.decisions_of_seeming_case(session, agent, case_id)
    outputs = queries.human_outputs_of_case(session, agent, case_id)
    if not decisions and (stored := archives.ids_of_case(session, agent, case_id)):
        raise archives.archived(session, agent, stored[-1])
    if not decisions and not outputs:
        raise NotFound(f"agent {agent} has no case “{case_id}”")
    ids = [row.id for row in decisions]
    if seeming:  # what was reported is shown as of any other case; there is no label of it
        labels = [label_of(row, row.decision_id) for row in gold.reports(session, agent, decisions=ids)]
    else:
        labels = queries.labels_of(session, ids)
    return CaseOut(
        case_id=case_id,
        agent=agent,
        input=next((row.input for row in reversed(decisions) if row.input is not None), None),
        decisions=[decision_out(row, outcome_of(row)) for row in decisions],
        human_outputs=[HumanOutputOut.model_validate(row) for row in outputs],
        comparisons=[ComparisonOut.model_validate(row) for row in queries.comparisons_of(session, ids)],
        labels=[LabelOut.model_validate(row) for row in labels],
    )


def without_rulings(case: CaseOut, untold: Collection[UUID]) -> CaseOut:
    """The case as it was before anybody ruled on these decisions."""
    decisions = [
        row.model_copy(update={"outcome": None, "status": "waiting" if row.route == "review" else row.status})
        if row.id in untold
        else row
        for row in case.decisions
    ]
    labels = [label for label in case.labels if label.decision_id not in untold]
    return case.model_copy(update={"decisions": decisions, "labels": labels})
