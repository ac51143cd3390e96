"""What a reported failure says of its decision, as a label."""

from uuid import UUID

from rollout.failures.tables import Failure
from routing.cases.tables import FAILURE, Label
from routing.gold.tables import GoldReport

_LONGEST_NOTE = 500


def label_of(report: Failure | GoldReport, decision_id: UUID) -> Label:
    """In no session. That something was wrong is a verdict on the decision, with its source on record."""
    return Label(
        decision_id=decision_id,
        verdict="override",
        severity="severe" if report.severity in {"severe", "critical"} else report.severity,
        source=FAILURE,
        source_id=report.id,
        person=report.reported_by,
        note=report.description[:_LONGEST_NOTE],
        at=report.reported_at,
    )
