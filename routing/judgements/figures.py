"""
Who was right, in figures. Pure: counts in, figures out.

Where the shares were changed, cases of different weeks were drawn with different probabilities and are not pooled:
those drawn with the shares that most cases were drawn with are told.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evidence.judgements import Rate, Stratum, error_rate
from routing.domain.judging import Shares
from routing.judgements.queries import Asked

_MOST_PEOPLE = 200


class Person(NamedTuple):
    """One person who did cases. `name` is None for all of whom nobody said who it was."""

    name: str | None
    judged: int
    wrong: Rate


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Of the comparisons drawn with `shares`: `differed` by who was right, `same` by whether it was. `agent` and `people`:
    how often either is wrong, of all cases that both did, drawn or not. `left_out`: drawn with other shares.
    """

    shares: Shares
    asked: int
    judged: int
    open: int
    unjudged: int
    agent_alone: int
    person_alone: int
    both: int
    neither: int
    same_right: int
    same_wrong: int
    agent: Rate
    people: Rate
    persons: tuple[Person, ...]
    left_out: int


def figures(rows: Sequence[Asked]) -> Figures | None:
    """None where nobody was ever asked."""
    drawn: Counter[Shares] = Counter()
    for row in rows:
        drawn[Shares(row.differing_share, row.same_share)] += row.times
    if not drawn:
        return None
    shares = max(drawn, key=lambda one: (drawn[one], one))
    own = [row for row in rows if (row.differing_share, row.same_share) == shares]
    states: Counter[str] = Counter()
    for row in own:
        states[row.state] += row.times

    def said(*, differed: bool, agent: bool, person: bool) -> int:
        return _times(
            own,
            lambda row: (
                row.state == "judged" and (row.differed, row.agent_right, row.person_right) == (differed, agent, person)
            ),
        )

    return Figures(
        shares=shares,
        asked=drawn[shares],
        judged=states["judged"],
        open=states["open"],
        unjudged=states["unjudged"],
        agent_alone=said(differed=True, agent=True, person=False),
        person_alone=said(differed=True, agent=False, person=True),
        both=said(differed=True, agent=True, person=True),
        neither=said(differed=True, agent=False, person=False),
        same_right=said(differed=False, agent=True, person=True),
        same_wrong=said(differed=False, agent=False, person=False),
        agent=_rate(own, shares, lambda row: row.agent_right is False),
        people=_rate(own, shares, lambda row: row.person_right is False),
        persons=_persons(own, shares),
        left_out=sum(drawn.values()) - drawn[shares],
    )


def _times(rows: Sequence[Asked], wanted: Callable[[Asked], bool]) -> int:
    return sum(row.times for row in rows if wanted(row))


def _persons(rows: Sequence[Asked], shares: Shares) -> tuple[Person, ...]:
    found = []
    for name in {row.person for row in rows}:
        theirs = [row for row in rows if row.person == name]
        judged = _times(theirs, lambda row: row.state == "judged")
        if judged:
            found.append(Person(name, judged, _rate(theirs, shares, lambda row: row.person_right is False)))
    return tuple(sorted(found, key=lambda one: (one.name is None, one.name or ""))[:_MOST_PEOPLE])


def _rate(rows: Sequence[Asked], shares: Shares, wrong: Callable[[Asked], bool]) -> Rate:
    def stratum(*, differed: bool) -> Stratum:
        own = [row for row in rows if row.differed is differed]
        return Stratum(
            probability=shares.of(differed=differed),
            drawn=_times(own, lambda _: True),
            judged=_times(own, lambda row: row.state == "judged"),
            wrong=_times(own, lambda row: row.state == "judged" and wrong(row)),
            unknown=_times(own, lambda row: row.state == "unjudged"),
        )

    return error_rate(stratum(differed=True), stratum(differed=False))
