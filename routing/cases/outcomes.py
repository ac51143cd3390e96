"""How a decision ended, as the agent is told it."""

from routing.cases.schemas import OutcomeOut
from routing.cases.tables import Decision


def outcome_of(row: Decision) -> OutcomeOut | None:
    """None while a person must still rule, and for routes on which nobody rules before the work is done."""
    if row.outcome is None or row.outcome_at is None:
        return None
    detail = row.outcome_detail or {}
    return OutcomeOut(
        state=row.outcome,
        output=row.outcome_output,
        edited=row.outcome == "edited",
        reason_code=detail.get("reason_code"),
        note=detail.get("note", ""),
        decided_by=detail.get("by"),
        at=row.outcome_at,
    )
