"""
What a reviewer may know of their own work: what they find, what they missed and why, whether others agree.

It is theirs. Who answers for people sees it too, but never how long a ruling took them: people who are measured by
speed approve faster. Nothing here compares one person with another.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy.orm import Session

from evidence.agreement.kappa import Share, percent_agreement
from evidence.agreement.reviewers import GoldAnswers, gold_answers
from governance.actors import Actor
from rollout.reviewers import queries as gold_queries
from rollout.reviewers.tables import GoldAnswer
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.gold import service as gold_cases
from routing.gold.schemas import ResultOut
from routing.people import queries as people_queries
from routing.people import service as people
from routing.people.queries import ArmTotal
from routing.people.service import Arms
from routing.reviewer import queries
from routing.reviewer.queries import Day, Other, Scope
from routing.tallies.queries import RULED

SHOWN = 20
"""How many cases are listed, the newest; all of them are counted."""
_OWN_LOOK = frozenset({*RULED, SECOND, ADJUDICATION, "human_output"})
_OVERTURNS = frozenset({*RULED, ADJUDICATION, "failure"})
"""Whose word stands over a ruling given before. A person who did the case otherwise only differs."""


class AgentShare(NamedTuple):
    agent: str
    share: Share


class AgentGold(NamedTuple):
    agent: str
    found: GoldAnswers


class AgentArms(NamedTuple):
    agent: str
    arms: Arms


@dataclass(frozen=True, slots=True)
class OwnReport:
    """
    One person's rulings. `same`: of the outputs that somebody else gave a verdict on too, those with the same one.
    `overturned`: rulings of which somebody said the opposite later. Gold answers are those of all time.
    `unread`: rulings that came sooner than anybody can have read the case. `pace` is None for everybody but the person.
    `cut`: there was more than is looked at; `scope` says since when.
    """

    scope: Scope
    ruled: dict[str, int]
    unread: int
    pace: tuple[Day, ...] | None
    same: Share
    same_by_agent: tuple[AgentShare, ...]
    gold: GoldAnswers
    gold_by_agent: tuple[AgentGold, ...]
    gold_missed: tuple[GoldAnswer, ...]
    gold_dealt: Mapping[str, ResultOut]
    overturned: tuple[Other, ...]
    overturned_count: int
    arms: tuple[AgentArms, ...]
    cut: bool


def require_reader(actor: Actor, login: str) -> None:
    """The person themselves, and who may read what is known of people; colleagues may not."""
    if not is_own(actor, login):
        people.require_reader(actor)


def is_own(actor: Actor, login: str) -> bool:
    return actor.kind == "person" and actor.name == login


def scope_of(login: str, since: datetime | None, until: datetime | None, now: datetime) -> Scope:
    """The last 90 days when nothing else is said; a year at most."""
    found = people.scope_of("", None, since, until, now)
    return Scope(login, found.since, found.until)


def report(session: Session, scope: Scope, *, own: bool) -> OwnReport:
    """Nine statements, and at most `queries.MOST` rulings."""
    asked, scope = scope, queries.newest(session, scope)
    said, cut = queries.others(session, scope)
    same = _same(said)
    answered = gold_queries.answered_by(session, scope.login)
    overturned = _overturned(said)
    return OwnReport(
        scope=scope,
        ruled=queries.ruled(session, scope),
        unread=people_queries.unread(session, scope.since, scope.until, login=scope.login).get(scope.login, 0),
        pace=tuple(queries.pace(session, scope)) if own else None,
        same=_together([row.share for row in same]),
        same_by_agent=same,
        gold=_gold(answered),
        gold_by_agent=tuple(
            AgentGold(agent, _gold([row for row in answered if row.agent == agent]))
            for agent in dict.fromkeys(row.agent for row in answered)
        ),
        gold_missed=tuple(gold_queries.missed_by(session, scope.login, SHOWN)),
        gold_dealt={
            str(one.gold_case_id): one
            for one in gold_cases.results_of(session, scope.login, only_missed=True, limit=SHOWN)
        },
        overturned=tuple(overturned[:SHOWN]),
        overturned_count=len(overturned),
        arms=_arms(queries.arms(session, scope)),
        cut=cut or scope != asked,
    )


def _same(said: Sequence[Other]) -> tuple[AgentShare, ...]:
    """By agent. Of an output that several others looked at, the last of their verdicts counts."""
    met: dict[str, list[bool]] = {}
    for _, group in groupby(said, key=lambda row: (row.at, row.decision_id)):
        looked = [row for row in group if row.source in _OWN_LOOK]
        if looked:
            met.setdefault(looked[-1].agent, []).append(looked[-1].verdict == looked[-1].other_verdict)
    return tuple(AgentShare(agent, percent_agreement(sum(same), len(same))) for agent, same in sorted(met.items()))


def _together(shares: Sequence[Share]) -> Share:
    return percent_agreement(sum(share.part for share in shares), sum(share.whole for share in shares))


def _overturned(said: Sequence[Other]) -> list[Other]:
    """Where what was said last stands against the ruling, with who said so first: that is where the reason is."""
    found = []
    for _, group in groupby(said, key=lambda row: (row.at, row.decision_id)):
        later = [row for row in group if row.source in _OVERTURNS and row.other_at > row.at]
        if later and later[-1].other_verdict != later[-1].verdict:
            found.append(next(row for row in later if row.other_verdict != row.verdict))
    return found


def _gold(rows: Sequence[gold_queries.AnsweredBy]) -> GoldAnswers:
    cases: Counter[tuple[str, str]] = Counter()
    for row in rows:
        cases[row.output_is, row.said] += row.cases
    found, missed = cases["wrong", "wrong"], cases["wrong", "right"]
    passed, objected = cases["right", "right"], cases["right", "wrong"]
    return gold_answers(found, found + missed, passed, passed + objected)


def _arms(rows: Sequence[queries.OwnArm]) -> tuple[AgentArms, ...]:
    by_agent: dict[str, list[ArmTotal]] = {}
    for row in rows:
        by_agent.setdefault(row.agent, []).append(row.total)
    return tuple(AgentArms(agent, arms) for agent, totals in by_agent.items() for arms in people.arms_of(totals))
