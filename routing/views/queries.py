"""Statements on saved views."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from routing.views.tables import QueueView


def seen_by(session: Session, login: str, teams: Collection[str]) -> Sequence[QueueView]:
    """A person's own, then what others show to their teams."""
    theirs = or_(QueueView.login == login, QueueView.team.in_(sorted(teams)))
    own_first = QueueView.login != login
    return session.scalars(select(QueueView).where(theirs).order_by(own_first, QueueView.name, QueueView.login)).all()


def find(session: Session, login: str, name: str) -> QueueView | None:
    return session.scalar(select(QueueView).where(QueueView.login == login, QueueView.name == name))


def how_many(session: Session, login: str) -> int:
    return session.scalar(select(func.count()).select_from(QueueView).where(QueueView.login == login)) or 0


def first_of(session: Session, login: str) -> QueueView | None:
    """What this person sees first."""
    return session.scalar(select(QueueView).where(QueueView.login == login, QueueView.opens.is_(True)).limit(1))


def open_no_other(session: Session, login: str, name: str) -> None:
    others = QueueView.login == login, QueueView.name != name, QueueView.opens.is_(True)
    session.execute(update(QueueView).where(*others).values(opens=False))


def remove(session: Session, login: str, name: str) -> bool:
    gone = delete(QueueView).where(QueueView.login == login, QueueView.name == name).returning(QueueView.id)
    return session.scalar(gone) is not None
