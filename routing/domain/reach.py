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


def leads_of(need: Need, staff: Iterable[Reviewer]) -> list[Reviewer]:
    """Who works the second line of a queue."""
    leads = [one for one in staff if one.lead]
    own = [one for one in leads if need.team is None or need.team in one.teams]
    return own if len(own) > 1 else leads


def able(need: Need, staff: Iterable[Reviewer]) -> list[Reviewer]:
    """Who has what the queue takes."""
    return [one for one in staff if one.fits(need)]


@dataclass(frozen=True, slots=True)
class Staffed:
    """A queue with the logins of who has what it takes, and of who leads it."""

    need: Need
    able: frozenset[str]
    leads: frozenset[str]

    def works(self, who: Reviewer, level: int) -> bool:
        """Whether this person is dealt its cases in this line."""
        leads = who.login in self.leads
        return leads if level > 1 else who.fits(self.need) or (leads and not self.able)

    def dealt(self, level: int) -> frozenset[str]:
        """Everybody who is dealt its cases in this line."""
        return self.leads if level > 1 or not self.able else self.able


def staffed(need: Need, staff: Sequence[Reviewer]) -> Staffed:
    able_ones = frozenset(one.login for one in able(need, staff))
    return Staffed(need, able_ones, frozenset(one.login for one in leads_of(need, staff)))


def reach(who: Reviewer, levels: Iterable[int], needs: Sequence[Need], staff: Sequence[Reviewer]) -> Reach:
    """`staff`: everybody who reviews, this person too."""
    return reach_within(who, levels, [staffed(need, staff) for need in needs])


def reach_within(who: Reviewer, levels: Iterable[int], queues: Sequence[Staffed]) -> Reach:
    """The same where it is known already who works the queues."""
    found = tuple(levels)
    by_agent: dict[str, dict[str, Staffed]] = {}
    for queue in queues:
        by_agent.setdefault(queue.need.agent, {})[queue.need.segment] = queue
    limits = [
        limit
        for level in found
        for agent, parts in by_agent.items()
        if (limit := _limit(agent, level, {name: queue.works(who, level) for name, queue in parts.items()}))
    ]
    return Reach(found, tuple(sorted(limits, key=lambda limit: (limit.level, limit.agent))))


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does to one queue in one line: who is dealt its cases now, and who will be. `need`: afterwards."""

    need: Need
    level: int
    before: frozenset[str]
    after: frozenset[str]
    left: bool
    """Nobody is left who has what it takes: its leads get it, or nobody does."""


@dataclass(frozen=True, slots=True)
class House:
    """Everybody who reviews, and what all queues take."""

    staff: Sequence[Reviewer]
    needs: Sequence[Need]

    def at(self, agent: str, segment: str) -> Need:
        """What holds there: what is said of the segment, else of the agent, else nothing."""
        said = {need.segment: need for need in self.needs if need.agent == agent}
        found = said.get(segment) or said.get("") or Need(agent)
        return Need(agent, segment, found.team, found.skills)


def changes(before: House, after: House) -> list[Change]:
    """What becomes different for whom, queue by queue as they are named before or after."""
    named = sorted({(need.agent, need.segment) for need in (*before.needs, *after.needs)})
    found = []
    for agent, segment in named:
        was, will = (staffed(house.at(agent, segment), house.staff) for house in (before, after))
        for level in (1, 2):
            left = not will.dealt(level) or (level == 1 and bool(was.able) and not will.able)
            change = Change(will.need, level, was.dealt(level), will.dealt(level), left)
            if change.before != change.after or (level == 1 and bool(was.able) != bool(will.able)):
                found.append(change)
    return found


def _limit(agent: str, level: int, worked: Mapping[str, bool]) -> Limit | None:
    """None where the person works all of it."""
    rest = worked.get("", True)
    others = frozenset(segment for segment, yes in worked.items() if segment and yes != rest)
    return None if rest and not others else Limit(level, agent, rest, others)
