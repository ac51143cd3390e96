"""Statements on archives: the months of decisions, and where one went that is not in the database any more."""

from datetime import date
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from kit import partitions
from kit.errors import Gone
from routing.archives.tables import Archive
from routing.cases.tables import Decision, DecisionKey


class CaseArchived(Gone):
    code = "case-archived"
    title = "This case was archived"


def make_month(session: Session, month: date) -> bool:
    """True where the partition was made now. Gives up after two seconds: nobody who stores a decision waits longer."""
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(text("SET LOCAL lock_timeout = '2s'"))
    return partitions.make(connection, Decision.__tablename__, month)


def archived(session: Session, agent: str, decision_id: UUID) -> CaseArchived:
    """The answer for a decision that is known to have been stored, with the files that may hold it."""
    wanted = select(Archive.name).where(
        Archive.agent == agent, Archive.first_id <= decision_id, Archive.last_id >= decision_id
    )
    names = list(session.scalars(wanted.order_by(Archive.part.desc())))
    words = f"decision {decision_id} was archived; `phasegate archive show {decision_id}` finds it"
    return CaseArchived(words, decision_id=str(decision_id), archives=names)


def refuse_archived(session: Session, decision_id: UUID, agent: str | None) -> None:
    """CaseArchived for a decision that was; of another agent it is as good as none to an agent's key."""
    covering = select(Archive.agent).where(Archive.first_id <= decision_id, Archive.last_id >= decision_id).distinct()
    agents = set(session.scalars(covering if agent is None else covering.where(Archive.agent == agent)))
    if not agents:
        return
    owner = session.scalar(select(DecisionKey.agent).where(DecisionKey.decision_id == decision_id).limit(1))
    if owner in agents:
        raise archived(session, str(owner), decision_id)
