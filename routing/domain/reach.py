"""
Which part of the queue a person works: by teams and skills, and by line.

A queue is an agent's, or that of one of its segments, and may name the team whose it is and the skills that its cases
take. The most exact one counts: what is said of a segment replaces what is said of its agent. Who is not in the team or
lacks a skill is not dealt its cases. The second line is the team's leads, whatever their skills; where a team has fewer
than two, it is all leads, since who passed a case on does not get it back. A queue that nobody can work does not wait
unseen: its leads get it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """What the cases of a queue take. `segment` is empty for all that no other queue of the agent names."""

    agent: str
    segment: str = ""
    team: str | None = None
    skills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who reviews."""

    login: str
    teams: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()
    lead: bool = False

    def fits(self, need: Need) -> bool:
        return (need.team is None or need.team in self.teams) and need.skills <= self.skills


@dataclass(frozen=True, slots=True)
class Limit:
    """What of an agent's cases in one line a person works: the named segments, or all but those."""

    level: int
    agent: str
    all_but: bool
    segments: frozenset[str]

    def allows(self, segment: str) -> bool:
        return (segment in self.segments) != self.all_but


@dataclass(frozen=True, slots=True)
class Reach:
    """What a person works: these lines, within the limits; of agents without a limit everything."""

    levels: tuple[int, ...]
    limits: tuple[Limit, ...] = ()

    def of(self, level: int) -> dict[str, Limit]:
        return {limit.agent: limit for limit in self.limits if limit.level == level}

    def allows(self, level: int, agent: str, segment: str) -> bool:
        limit = self.of(level).get(agent)
        return level in self.levels and (limit is None or limit.allows(segment))

    def only(self, levels: Iterable[int]) -> "Reach":
        return Reach(tuple(level for level in self.levels if level in set(levels)), self.limits)


def leads_of(need: Need, staff: Iterable[Reviewer]) -> list[Reviewer]:
    """Who works the second line of a queue."""
    leads = [one for one in staff if one.lead]
    own = [one for one in leads if need.team is None or need.team in one.teams]
    return own if len(own) > 1 else leads


def able(need: Need, staff: Iterable[Reviewer]) -> list[Reviewer]:
    """Who has what the queue takes."""
    return [one for one in staff if one.fits(need)]


def works(need: Need, who: Reviewer, level: int, staff: Sequence[Reviewer]) -> bool:
    """Whether this person is dealt this queue's cases in this line."""
    leads = who.login in {one.login for one in leads_of(need, staff)}
    if level > 1:
        return leads
    return who.fits(need) or (leads and not able(need, staff))


def reach(who: Reviewer, levels: Iterable[int], needs: Sequence[Need], staff: Sequence[Reviewer]) -> Reach:
    """`staff`: everybody who reviews, this person too."""
    found = tuple(levels)
    by_agent: dict[str, dict[str, Need]] = {}
    for need in needs:
        by_agent.setdefault(need.agent, {})[need.segment] = need
    limits = [
        limit
        for level in found
        for agent, queues in by_agent.items()
        if (limit := _limit(agent, level, {name: works(need, who, level, staff) for name, need in queues.items()}))
    ]
    return Reach(found, tuple(sorted(limits, key=lambda limit: (limit.level, limit.agent))))


def _limit(agent: str, level: int, worked: Mapping[str, bool]) -> Limit | None:
    """None where the person works all of it."""
    rest = worked.get("", True)
    others = frozenset(segment for segment, yes in worked.items() if segment and yes != rest)
    return None if rest and not others else Limit(level, agent, rest, others)
