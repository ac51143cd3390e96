"""What the page of teams and skills shows: queues, teams, people, and what a change would do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from review_ui import words
from routing.domain.reach import Change, House, Limit, Need, Reach, changes, reach_within, staffed
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow

_MOST_TOLD = 3
_LINES = {1: "First line", 2: "Second line"}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """`by_leads`: nobody has what it takes, so its leads get it."""

    agent: str
    segment: str
    team: str
    skills: list[str]
    first: list[str]
    by_leads: bool
    second: list[str]
    waiting: int
    address: str


@dataclass(frozen=True, slots=True)
class TeamRow:
    """`few`: fewer than two leads, so all leads of the house are its second line."""

    name: str
    members: list[str]
    leads: list[str]
    queues: list[str]
    few: bool


@dataclass(frozen=True, slots=True)
class PersonRow:
    login: str
    name: str
    lead: bool
    teams: list[str]
    skills: list[str]
    works: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Effect:
    """`left`: nobody who has what it takes is there any more, which is asked before it is stored."""

    words: str
    left: bool


def headline(house: House, queues: Sequence[QueueRow]) -> str:
    """What has to be known first."""
    if not house.needs:
        return "No queue asks for a team or a skill, so everybody who reviews is dealt every case."
    one = len(queues) == 1
    told = f"{words.plural(len(queues), 'queue')} {'says who works it' if one else 'say who works them'}; "
    told += "everything else is everybody's."
    alone = [row for row in queues if row.by_leads]
    if not alone:
        return told
    which = "it takes" if one else f"{'one' if len(alone) == 1 else f'{len(alone):,}'} of them takes"
    waiting = sum(row.waiting for row in alone)
    left = f": {_cases(waiting)} {'is' if waiting == 1 else 'are'} left to leads" if waiting else ""
    return f"{told} Nobody has what {which}{left}."


def queue_rows(session: Session, house: House, names: Mapping[str, str]) -> list[QueueRow]:
    rows = []
    for need in house.needs:
        queue = staffed(need, house.staff)
        rows.append(
            QueueRow(
                agent=need.agent,
                segment=need.segment,
                team=need.team or "",
                skills=sorted(need.skills),
                first=_names(queue.dealt(1), names),
                by_leads=not queue.able,
                second=_names(queue.dealt(2), names),
                waiting=waiting_at(session, house, need),
                address="/teams/queue?" + urlencode({"agent": need.agent, "segment": need.segment}),
            )
        )
    return rows


def waiting_at(session: Session, house: House, need: Need, levels: tuple[int, ...] = (1, 2)) -> int:
    """How many cases of a queue wait; of an agent's those that no other queue of it names."""
    others = {one.segment for one in house.needs if one.agent == need.agent and one.segment}
    mine = frozenset({need.segment}) if need.segment else frozenset(others)
    limits = tuple(Limit(level, need.agent, not need.segment, mine) for level in levels)
    return dealing.waiting_of(session, Narrow(need.agent), Reach(levels, limits))


def team_rows(house: House, names: Mapping[str, str]) -> list[TeamRow]:
    """Every team that somebody is in or that a queue names."""
    found = {team for one in house.staff for team in one.teams} | {need.team for need in house.needs if need.team}
    rows = []
    for team in sorted(found):
        members = [one for one in house.staff if team in one.teams]
        leads = {one.login for one in members if one.lead}
        queues = [queue_name(need) for need in house.needs if need.team == team]
        plain = {one.login for one in members} - leads
        rows.append(TeamRow(team, _names(plain, names), _names(leads, names), queues, len(leads) < 2))  # noqa: PLR2004
    return rows


def person_rows(house: House, names: Mapping[str, str]) -> list[PersonRow]:
    queues = [staffed(need, house.staff) for need in house.needs]
    rows = []
    for one in house.staff:
        levels = (1, 2) if one.lead else (1,)
        works = _works(reach_within(one, levels, queues))
        rows.append(
            PersonRow(
                one.login, names.get(one.login, one.login), one.lead, sorted(one.teams), sorted(one.skills), works
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.name.lower(), row.login))


def _works(reach: Reach) -> list[tuple[str, str]]:
    """By line, what a person is dealt."""
    return [(_LINES[level], _within(reach.of(level).values())) for level in reach.levels]


def _within(limits: Iterable[Limit]) -> str:
    found = sorted(limits, key=lambda limit: limit.agent)
    none = [limit.agent for limit in found if not limit.all_but and not limit.segments]
    part = [
        f"of {limit.agent} {'all but' if limit.all_but else 'only'} {', '.join(sorted(limit.segments))}"
        for limit in found
        if limit.segments
    ]
    told = [f"everything but {', '.join(none)}" if none else "everything", *part]
    return words.sentence("; ".join(told))


def queue_name(need: Need) -> str:
    return f"{need.agent} / {need.segment}" if need.segment else need.agent


def effects(session: Session, before: House, after: House, names: Mapping[str, str]) -> list[Effect]:
    """What a change does, queue by queue; what leaves one to nobody first."""
    found = [_effect(session, after, one, names) for one in changes(before, after)]
    return sorted(found, key=lambda one: not one.left)


def _effect(session: Session, after: House, change: Change, names: Mapping[str, str]) -> Effect:
    waiting = waiting_at(session, after, change.need, (change.level,))
    queue = queue_name(change.need) + (" in the second line" if change.level > 1 else "")
    cases = f"{_cases(waiting)} of {queue}" if waiting else f"cases of {queue}"
    if not change.after:
        return Effect(f"{cases} will be seen by nobody: there is no lead either.", left=True)
    if change.left:
        leads = _some(_names(change.after, names))
        told = f"{cases} will be seen by nobody but leads ({leads}): no one has what the queue takes."
        return Effect(told, left=True)
    gained, lost = (_names(part, names) for part in (change.after - change.before, change.before - change.after))
    parts = [f"now dealt to {_some(gained)}"] * bool(gained) + [f"no longer to {_some(lost)}"] * bool(lost)
    there = f"{_cases(waiting)} of {queue}" if waiting else f"{queue}, where nothing waits"
    return Effect(f"{there}: {' and '.join(parts)}.", left=False)


def told(found: Sequence[Effect]) -> str:
    """What is said when a change was stored."""
    if not found:
        return "Saved. Nobody is dealt anything else than before."
    more = len(found) - _MOST_TOLD
    rest = f" And {words.plural(more, 'queue')} more." if more > 0 else ""
    return f"Saved. {' '.join(words.initial(one.words) for one in found[:_MOST_TOLD])}{rest}"


def _cases(number: int) -> str:
    return f"{words.many(number)} waiting {'case' if number == 1 else 'cases'}"


def _some(names: list[str]) -> str:
    shown = names[:_MOST_TOLD]
    return ", ".join(shown) + (f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else "")


def _names(logins: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return sorted((names.get(login, login) for login in logins), key=str.lower)
