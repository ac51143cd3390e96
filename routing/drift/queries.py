"""Statements on what kinds of cases came in, and on how the router split them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, column, func, select, tuple_, values
from sqlalchemy.orm import Session

from kit.dialects import insert_or_add
from kit.tables import described
from rollout.gates.tables import Total
from routing.drift.tables import AttributeTotal
from routing.tallies.tables import DrawTotal

_KEYS = ["rollout_id", "attribute", "value", "day"]
_CHUNK = 400
_WHOLE = [column(key.name, key.type) for key in described(AttributeTotal).primary_key]


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add to the counts, whose rows need not be there yet."""
    statement = insert_or_add(session.get_bind().dialect.name, AttributeTotal.__table__, _KEYS, ["cases"])
    session.execute(statement, list(rows))


def attributes_of(session: Session, rollout_id: UUID) -> set[str]:
    """From one name to the next in the key, so that it costs the same after years of days."""

    def least(*beyond: ColumnElement[bool]) -> ColumnElement[str | None]:
        mine = select(func.min(AttributeTotal.attribute)).where(AttributeTotal.rollout_id == rollout_id, *beyond)
        return mine.scalar_subquery()

    names = select(least().label("attribute")).cte("names", recursive=True)
    beyond = least(AttributeTotal.attribute > names.c.attribute)
    names = names.union_all(select(beyond).where(names.c.attribute.is_not(None)))
    return set(session.scalars(select(names.c.attribute).where(names.c.attribute.is_not(None))))


def known(session: Session, keys: Collection[tuple[UUID, str, str, date]]) -> dict[UUID, set[tuple[str, str]]]:
    """
    The (attribute, value) pairs of each version that were counted on that day: one look by the whole key for all
    versions, since a round may bring cases of hundreds.
    """
    wanted, found = list(keys), defaultdict[UUID, set[tuple[str, str]]](set)
    for start in range(0, len(wanted), _CHUNK):
        given = values(*_WHOLE, name="given").data(wanted[start : start + _CHUNK]).cte()
        # Joined and not `IN`, for which one of the databases reads the whole table.
        same = (getattr(AttributeTotal, column.name) == given.c[column.name] for column in _WHOLE)
        pair = AttributeTotal.rollout_id, AttributeTotal.attribute, AttributeTotal.value
        for rollout_id, attribute, value in session.execute(
            select(*pair).join_from(given, AttributeTotal, and_(*same))
        ):
            found[rollout_id].add((attribute, value))
    return found


def known_on_any_day(session: Session, rollout_id: UUID, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these (attribute, value) pairs of a version that were counted before."""
    wanted, found = list(pairs), set[tuple[str, str]]()
    for start in range(0, len(wanted), _CHUNK):
        pair = tuple_(AttributeTotal.attribute, AttributeTotal.value)
        of_these = AttributeTotal.rollout_id == rollout_id, pair.in_(wanted[start : start + _CHUNK])
        rows = session.execute(select(AttributeTotal.attribute, AttributeTotal.value).where(*of_these).distinct())
        found |= {(attribute, value) for attribute, value in rows}
    return found


def values_of(session: Session, rollout_id: UUID, attributes: Collection[str]) -> dict[str, int]:
    """How many values each of these attributes has by now."""
    rows = session.execute(
        select(AttributeTotal.attribute, func.count(AttributeTotal.value.distinct()))
        .where(AttributeTotal.rollout_id == rollout_id, AttributeTotal.attribute.in_(list(attributes)))
        .group_by(AttributeTotal.attribute)
    )
    return {attribute: int(count) for attribute, count in rows}


def counted(session: Session, rollout_id: UUID, first: date, end: date) -> dict[str, dict[str, int]]:
    """Cases by attribute and value, of the days from `first` up to but not including `end`."""
    rows = session.execute(
        select(AttributeTotal.attribute, AttributeTotal.value, func.sum(AttributeTotal.cases))
        .where(AttributeTotal.rollout_id == rollout_id, AttributeTotal.day >= first, AttributeTotal.day < end)
        .group_by(AttributeTotal.attribute, AttributeTotal.value)
        .order_by(AttributeTotal.attribute, AttributeTotal.value)
    )
    found: dict[str, dict[str, int]] = {}
    for attribute, value, cases in rows:
        found.setdefault(attribute, {})[value] = int(cases)
    return found


def first_day(session: Session, rollout_id: UUID) -> date | None:
    return session.scalar(select(func.min(AttributeTotal.day)).where(AttributeTotal.rollout_id == rollout_id))


def totals(session: Session, rollout_id: UUID, first: date, end: date) -> Sequence[Total]:
    """The cohorts of these days, in whatever epoch."""
    mine = select(Total).where(Total.rollout_id == rollout_id, Total.day >= first, Total.day < end)
    return session.scalars(mine.execution_options(populate_existing=True)).all()


def draws(session: Session, rollout_id: UUID, draw: str, first: date) -> Sequence[tuple[float, str, int]]:
    """Cases from this day on by the probability of a draw and by the lane they came to, in whatever epoch."""
    cases = func.sum(DrawTotal.cases)
    key = DrawTotal.probability, DrawTotal.lane
    wanted = select(*key, cases).where(
        DrawTotal.rollout_id == rollout_id, DrawTotal.draw == draw, DrawTotal.day >= first
    )
    rows = session.execute(wanted.group_by(*key).having(cases > 0).order_by(*key))
    return [(probability, lane, int(count)) for probability, lane, count in rows]
