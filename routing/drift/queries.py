"""Statements on what kinds of cases came in, and on how the router split them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, column, func, select
from sqlalchemy.orm import Session

from kit.dialects import given, insert_or_add
from kit.tables import described
from rollout.gates.tables import Total
from routing.drift.tables import AttributeTotal
from routing.tallies.tables import DrawTotal

_KEYS = ["rollout_id", "attribute", "value", "day"]
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
    """The (attribute, value) pairs of each version that were counted on that day: one look for all versions."""
    return _pairs(session, _WHOLE, list(keys))


def known_on_any_day(session: Session, keys: Collection[tuple[UUID, str, str]]) -> dict[UUID, set[tuple[str, str]]]:
    """Those of these (attribute, value) pairs of versions that were counted before."""
    return _pairs(session, _WHOLE[:3], list(keys))


def _pairs(session: Session, key: Sequence[Any], wanted: list[Any]) -> dict[UUID, set[tuple[str, str]]]:
    found = defaultdict[UUID, set[tuple[str, str]]](set)
    if not wanted:
        return found
    asked = given(key, wanted, session.get_bind().dialect.name)
    pair = AttributeTotal.rollout_id, AttributeTotal.attribute, AttributeTotal.value
    for rollout_id, attribute, value in session.execute(
        select(*pair).join_from(asked, AttributeTotal, _same(asked, key)).distinct()
    ):
        found[rollout_id].add((attribute, value))
    return found


def _same(asked: FromClause, key: Sequence[Any]) -> ColumnElement[bool]:
    return and_(*(getattr(AttributeTotal, column.name) == asked.c[column.name] for column in key))


def values_of(session: Session, wanted: Collection[tuple[UUID, str]]) -> dict[UUID, dict[str, int]]:
    """How many values each of these attributes of versions has by now."""
    found = defaultdict[UUID, dict[str, int]](dict)
    if not wanted:
        return found
    key = _WHOLE[:2]
    asked = given(key, list(wanted), session.get_bind().dialect.name)
    attribute = AttributeTotal.rollout_id, AttributeTotal.attribute
    for rollout_id, name, count in session.execute(
        select(*attribute, func.count(AttributeTotal.value.distinct()))
        .join_from(asked, AttributeTotal, _same(asked, key))
        .group_by(*attribute)
    ):
        found[rollout_id][name] = int(count)
    return found


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
