"""What the team page shows: what waits, what was late, who has how much, who may need help, who agrees with whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from review_ui.people_views import Figure, figure
from rollout.domain import words
from routing.people.verdicts import Agreement, Pair
from routing.team.service import Compared, Concern, Standing

AGES = ("under 1 h", "1 to 8 h", "8 to 24 h", "over a day")
_FEW = 30
_CHECKS = {"second": "second opinions", "judgement": "judgements", "adjudication": "adjudications"}
"""Kinds on which no work depends, in the words of the page."""
_MOST_IN_MATRIX = 12
_HELP = {
    "missed": "finds fewer known errors than the others: {own}, beside {others}. "
    "Go through the missed ones together; what they have in common says what to show.",
    "fewer": "overrides less often than the others: {own}, beside {others}. "
    "That may be easier cases or less looking; gold cases would tell. Ask before you conclude.",
    "more": "overrides more often than the others: {own}, beside {others}. "
    "That may be harder cases or another idea of what is right; look at a few together.",
}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """`kind`: as the page of the queue has it, empty where that has none. `check`: no work depends on it."""

    agent: str
    line: str
    kind: str
    check: bool
    waiting: int
    more: bool  # than was counted
    held: int
    ages: tuple[int, ...]
    soon: int
    late: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class EndedRow:
    agent: str
    share: str
    in_time: int
    late: int
    expired: int


@dataclass(frozen=True, slots=True)
class ConcernRow:
    login: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two people in the matrix; `few` where nothing can be read from it."""

    same: Figure
    few: bool
    level: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who said the same as whom: the upper half, by name. A cell is None where two never met."""

    names: list[str]
    rows: list[tuple[str, list[Meeting | None]]]
    left_out: int


@dataclass(frozen=True, slots=True)
class PersonRow:
    login: str
    name: str
    reviews: Figure
    audits: Figure
    stands_out: str
    gold: Figure
    unread: int


def headline(found: Standing) -> str:
    """What the lead has to know first; what no work depends on is told after it."""
    work = [queue for queue in found.queues if queue.kind not in _CHECKS]
    waiting, late, soon = (sum(getattr(queue, name) for queue in work) for name in ("waiting", "late", "soon"))
    checks = sum(queue.waiting for queue in found.queues) - waiting
    beside = f" Beside them {words.plural(checks, 'check')}, on which no work depends." if checks else ""
    if not waiting:
        return f"No work waits.{beside}" if checks else "Nothing waits."
    more = "" if found.counted_all else "More than "
    told = f"{more}{words.plural(waiting, 'case')} {'waits' if waiting == 1 else 'wait'}"
    if not late and not soon:
        return f"{told}, none of them late or due within the hour.{beside}"
    return f"{told}: {late:,} late, {soon:,} more due within the hour.{beside}"


def queue_rows(found: Standing) -> list[QueueRow]:
    rows = []
    for queue in found.queues:
        old = (queue.waiting, *queue.ages, 0)
        ages = tuple(before - after for before, after in pairwise(old))
        check = _CHECKS.get(queue.kind)
        passed_on = queue.level > 1 and check is None
        line = check or (f"second line, {queue.kind}s" if passed_on else f"{queue.kind}s")
        kind = "" if queue.kind == "second" else "escalated" if passed_on else queue.kind
        more = queue in found.cut
        rows.append(
            QueueRow(
                queue.agent, line, kind, check is not None, queue.waiting, more, queue.held, ages, queue.soon,
                queue.late, queue.oldest,
            )
        )  # fmt: skip
    return rows


def ended_rows(found: Standing) -> list[EndedRow]:
    return [
        EndedRow(
            row.agent, words.seen(row.in_time / (row.in_time + row.late + row.expired)), row.in_time, row.late,
            row.expired,
        )
        for row in found.ended
    ]  # fmt: skip


def concern_rows(found: Compared, names: Mapping[str, str]) -> list[ConcernRow]:
    """In the order of names; who is in none of them is simply not mentioned."""
    rows = [ConcernRow(one.person, names.get(one.person, one.person), _concern(one)) for one in found.concerns]
    return sorted(rows, key=lambda row: row.name.lower())


def _concern(found: Concern) -> str:
    own, others = (f"{share.part:,} of {share.whole:,}" for share in (found.own, found.others))
    return _HELP[found.kind].format(own=own, others=others)


def person_rows(found: Compared, names: Mapping[str, str]) -> list[PersonRow]:
    """Everybody who ruled or answered a gold case, by name."""
    nothing = figure_of_nothing()
    ruled = {row.person: row for row in found.reviewers}
    rows = []
    for login in {*ruled, *found.gold, *found.unread}:
        row, gold = ruled.get(login), found.gold.get(login)
        rows.append(
            PersonRow(
                login, names.get(login, login), figure(row.reviews) if row else nothing,
                figure(row.audits) if row else nothing, (row.stands_out or "") if row else "",
                figure(gold) if gold else nothing, found.unread.get(login, 0),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.name.lower(), row.login))


def figure_of_nothing() -> Figure:
    return Figure("–", "", "none yet")


def matrix(found: Agreement, names: Mapping[str, str]) -> Matrix | None:
    """Of at most twelve people, those who met most often; None where nobody met."""
    met: dict[str, int] = {}
    for pair in found.pairs:
        for login in (pair.first, pair.second):
            met[login] = met.get(login, 0) + pair.agreed.whole
    often = sorted(met, key=lambda login: (-met[login], login))[:_MOST_IN_MATRIX]
    if not often:
        return None
    shown = sorted(often, key=lambda login: (names.get(login, login).lower(), login))
    by_two = {frozenset((pair.first, pair.second)): pair for pair in found.pairs}
    rows = [
        (names.get(one, one), [_meeting(by_two.get(frozenset((one, other)))) for other in shown[place + 1 :]])
        for place, one in enumerate(shown[:-1])
    ]
    return Matrix([names.get(login, login) for login in shown[1:]], rows, len(met) - len(shown))


def _meeting(pair: Pair | None) -> Meeting | None:
    if pair is None or pair.agreed.share is None:
        return None
    few = pair.agreed.whole < _FEW
    return Meeting(figure(pair.agreed), few, 0 if few else round(pair.agreed.lower * 5))
