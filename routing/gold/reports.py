"""
Failures reported of gold cases. Whoever reports one is answered as for any other case, and finds it again where theirs
would be; nobody else is told, no label follows, no gate stops, and nobody looks into it: the agent never said it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.ids import new_id
from rollout.failures.tables import Failure
from routing.cases.schemas import FailureIn
from routing.cases.service import ReportDiffers
from routing.cases.tables import Decision
from routing.gold import queries
from routing.gold.tables import GoldReport


def seeming_decision(session: Session, decision_id: UUID, actor: Actor) -> Decision | None:
    """What a gold case seems to be a decision of, to a person; to an agent's key there is none."""
    found = queries.decisions_seeming(session, [decision_id]) if actor.kind == "person" else []
    return found[0] if found else None


def report(
    session: Session, decision: Decision, body: FailureIn, *, key: str | None, actor: Actor, now: datetime
) -> tuple[Failure, bool]:
    """As a real one is: the id follows from decision and key, so a repeat, or a twin of it, finds the first report."""
    given: dict[str, Any] = {
        "id": uuid5(decision.id, key) if key is not None else new_id(),
        "decision_id": decision.id,
        "agent": decision.agent,
        "severity": body.severity,
        "description": body.description,
        "correct_output": body.correct_output,
        "reported_by": actor.name,
        "reported_at": now,
    }
    new = queries.add_report(session, given)
    row = session.get_one(GoldReport, given["id"])
    if (row.severity, row.description) != (body.severity, body.description):
        raise ReportDiffers(f"this key reported “{row.description[:80]}” before; use a new key")
    return _as_failure(row, decision), new


def find(session: Session, failure_id: UUID, actor: Actor, *, of: str | None = None) -> Failure | None:
    """One that this person reported; `of` an agent, where it is looked for under that one."""
    row = session.get(GoldReport, failure_id)
    if row is None or row.reported_by != actor.name or of not in {None, row.agent}:
        return None
    [decision] = queries.decisions_seeming(session, [row.decision_id])
    return _as_failure(row, decision)


def among(
    session: Session, agent: str, rows: Sequence[Failure], actor: Actor, *, before: UUID | None = None, limit: int
) -> list[Failure]:
    """These failures with those that this person reported of gold cases between them, the newest first."""
    own = queries.reports(session, agent, by=actor.name, before=before, limit=limit)
    if not own:
        return list(rows)
    seeming = {one.id: one for one in queries.decisions_seeming(session, [row.decision_id for row in own])}
    merged = [*rows, *(_as_failure(row, seeming[row.decision_id]) for row in own)]
    return sorted(merged, key=lambda row: row.id, reverse=True)[:limit]


def _as_failure(row: GoldReport, decision: Decision) -> Failure:
    """In no session: nothing of it is ever stored."""
    return Failure(
        id=row.id,
        agent=row.agent,
        version=decision.version,
        rollout_id=decision.rollout_id,
        decision_id=decision.id,
        case_id=decision.case_id,
        severity=row.severity,
        description=row.description,
        input=decision.input,
        correct_output=row.correct_output,
        state="open",
        cause="",
        reported_at=row.reported_at,
        reported_by=row.reported_by,
    )
