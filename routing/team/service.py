"""
How the team stands: what waits and how long, what was late, who has how much, and who may need help.

Who may need help is found in what was right and wrong beyond chance, within one agent; never in how fast somebody is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from evidence.agreement.kappa import Share, percent_agreement
from governance.actors import PERMITTED
from governance.people.queries import people as everybody
from rollout.reviewers import queries as gold_queries
from routing.domain.opinions import SECOND
from routing.domain.scope import Scope
from routing.people import queries as people_queries
from routing.people import service as people
from routing.people import verdicts
from routing.people.service import Reviewer
from routing.people.verdicts import Agreement
from routing.reviews.dealing.queries import COUNTED_UP_TO
from routing.tallies.queries import RULED, ruled
from routing.team import queries
from routing.team.queries import Ended, Queue

SOON = timedelta(hours=1)
AGES = (timedelta(hours=1), timedelta(hours=8), timedelta(days=1))
"""Bounds of the groups of age in which waiting cases are counted."""
_MOST_PEOPLE = 1000


class Load(NamedTuple):
    """What one person holds now, and how many verdicts they gave in reviews and audits of cases of the period."""

    login: str
    name: str
    holds: int
    ruled: int


class Concern(NamedTuple):
    """
    What sets a person apart beyond chance, with 5 % of doubt over all of them: `missed`, they object to fewer known
    errors; `fewer` or `more`, they override less or more often. The others' share is that of all others together.
    """

    person: str
    kind: str
    own: Share
    others: Share


@dataclass(frozen=True, slots=True)
class Standing:
    """`agent` None: of all agents together. `counted_all`: what waits was counted to its end."""

    agent: str | None
    since: datetime
    now: datetime
    queues: tuple[Queue, ...]
    ended: tuple[Ended, ...]
    load: tuple[Load, ...]

    @property
    def cut(self) -> frozenset[Queue]:
        """Those in which more waits than was counted; second opinions are counted with what they look like."""
        seconds = Counter({(one.agent, one.level): one.waiting for one in self.queues if one.kind == SECOND})
        return frozenset(
            one
            for one in self.queues
            if one.waiting + (seconds[one.agent, one.level] if one.kind in RULED else 0) >= COUNTED_UP_TO
        )

    @property
    def counted_all(self) -> bool:
        return not self.cut


@dataclass(frozen=True, slots=True)
class Compared:
    """
    The reviewers of one agent beside each other. `gold`: errors found of those that were known, by login. `unread`: how
    many rulings came sooner than anybody can have read the case; who gave none is left out.
    """

    agreement: Agreement
    reviewers: tuple[Reviewer, ...]
    gold: dict[str, Share]
    unread: dict[str, int]
    concerns: tuple[Concern, ...]
    cut: bool


def standing(session: Session, agent: str | None, *, since: datetime, now: datetime) -> Standing:
    """
    Six statements, however much waits; one more for every two hundred agents of which something does. Two more where
    lines are long, for all of them together; one more for every four hundred lines and versions by which they are kept.
    """
    before = [now - age for age in AGES]
    return Standing(
        agent=agent,
        since=since,
        now=now,
        queues=tuple(queries.waiting(session, agent, now, soon=now + SOON, before=before)),
        ended=tuple(queries.ended(session, agent, since)),
        load=_load(session, since, now),
    )


def compared(session: Session, scope: Scope) -> Compared:
    """The reviewers of one agent: comparing people over several would compare the agents."""
    given, cut = people_queries.several_verdicts(session, scope)
    reviewers = people.reviewers_of(ruled(session, scope.first, scope.end, agent=scope.agent, version=scope.version))
    found = _found(gold_queries.answered(session, scope.agent))
    return Compared(
        agreement=verdicts.agreement(given),
        reviewers=reviewers,
        gold={login: percent_agreement(*counts) for login, counts in found.items()},
        unread=people_queries.unread(session, scope.since, scope.until, agent=scope.agent),
        concerns=tuple(sorted([*_missed(found), *_apart(reviewers)])),
        cut=cut,
    )


def _load(session: Session, since: datetime, now: datetime) -> tuple[Load, ...]:
    """Everybody who may review, by name."""
    may = PERMITTED["review"]
    team = [
        person for person in everybody(session, limit=_MOST_PEOPLE)
        if person.disabled_at is None and may.intersection(person.roles)
    ]  # fmt: skip
    logins = [person.login for person in team]
    holds = dict(queries.held(session, logins, now))
    given = Counter[str]()
    for row in ruled(session, since.date(), (now + timedelta(days=1)).date()):
        given[row.person] += row.times
    rows = [Load(one.login, one.name, holds.get(one.login, 0), given[one.login]) for one in team]
    return tuple(sorted(rows, key=lambda row: (row.name.lower(), row.login)))


def _found(rows: Sequence[gold_queries.Answered]) -> dict[str, tuple[int, int]]:
    """Errors found and errors there were, by reviewer."""
    found, errors = Counter[str](), Counter[str]()
    for row in rows:
        if row.output_is == "wrong":
            errors[row.reviewer] += row.cases
            found[row.reviewer] += row.cases if row.said == "wrong" else 0
    return {login: (found[login], errors[login]) for login in errors}


def _missed(found: dict[str, tuple[int, int]]) -> list[Concern]:
    together = sum(caught for caught, _ in found.values()), sum(errors for _, errors in found.values())
    return [
        Concern(login, "missed", percent_agreement(*own), percent_agreement(*_but(own, together)))
        for login, own in found.items()
        if people.stands_out(own, together, len(found)) == "fewer"
    ]


def _apart(reviewers: Sequence[Reviewer]) -> list[Concern]:
    together = sum(one.reviews.part for one in reviewers), sum(one.reviews.whole for one in reviewers)
    return [
        Concern(one.person, one.stands_out, one.reviews, percent_agreement(*_but(one.reviews[:2], together)))
        for one in reviewers
        if one.stands_out is not None
    ]


def _but(own: tuple[int, int], together: tuple[int, int]) -> tuple[int, int]:
    """All but these."""
    return together[0] - own[0], together[1] - own[1]
