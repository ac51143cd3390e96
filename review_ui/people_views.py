"""What the page about people shows: figures in words, and the week as a table whose tone follows the numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.agreement.kappa import Coefficient, Share
from evidence.staffing import HourOfWeek
from rollout.domain import words
from routing.people.schemas import arms_words, blind_words
from routing.people.service import Arms, Blind, PeopleReport, Reviewer
from routing.people.verdicts import Agreement
from routing.staffing.schemas import DAYS
from routing.staffing.service import Plan

_HOURS = 24
_LEVELS = 5
_COMMON = (0.8, 0.6, 0.4)
_ENOUGH = 30
_SURE = words.sure(0.95)
"""How sure the bounds of a share are, all of them."""
_STRENGTH = ("people see these cases nearly alike", "people see most of these cases alike",
             "people often see these cases differently", "people hardly agree more than by guessing")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A share in words: what was seen, and between which bounds it lies."""

    seen: str
    between: str
    counts: str


@dataclass(frozen=True, slots=True)
class PairRow:
    first: str
    second: str
    same: Figure
    beyond: str
    why_not: str


@dataclass(frozen=True, slots=True)
class AgreementView:
    words: str
    beyond: str
    beyond_name: str
    why_not: str
    pairs: list[PairRow]
    left_out: int


@dataclass(frozen=True, slots=True)
class BlindRow:
    version: str
    blind: Figure
    assisted: Figure
    words: str
    shown: bool


@dataclass(frozen=True, slots=True)
class ArmsRow:
    """Reviews or audits of a version: overridden in the blind arm and in the assisted one."""

    version: str
    kind: str
    corrected: Figure
    assisted: Figure
    equal: Figure
    gave_way: Figure
    words: str
    shown: bool


@dataclass(frozen=True, slots=True)
class ReviewerRow:
    name: str
    reviews: Figure
    audits: Figure
    stands_out: str


@dataclass(frozen=True, slots=True)
class RightView:
    agent: int
    person: int
    both_right: int
    both_wrong: int
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour: how many are needed, the tone from 0 to 5, and whether those who are there cannot keep up."""

    needed: int
    level: int
    unstable: bool
    words: str


@dataclass(frozen=True, slots=True)
class WeekView:
    """Hours down, days across; only the hours of the day from the first to the last in which anything comes."""

    days: tuple[str, ...]
    rows: list[tuple[str, list[Cell]]]
    quiet: str
    most: int
    unstable: int
    reviewers: int | None


def figure(share: Share) -> Figure:
    if share.share is None:
        return Figure("–", "", "none yet")
    between = f"{words.at_least(share.lower)} to {words.at_most(share.upper)}"
    seen = "none seen" if share.part == 0 else words.seen(share.share)
    return Figure(seen, between, f"{share.part:,} of {share.whole:,}")


def agreement_view(found: Agreement, names: Mapping[str, str]) -> AgreementView | None:
    """None where no output has the verdicts of two people."""
    if found.same.share is None:
        return None
    same = figure(found.same)
    read = found.ac1 if found.advised == "ac1" else found.alpha
    told = f"Of {words.plural(found.same.whole, 'output')} that two or more people gave a verdict on, "
    told += f"they said the same of {found.same.part:,} ({same.seen}; {same.between}, {_SURE})."
    return AgreementView(
        words=told,
        beyond=_beyond(read),
        beyond_name="Gwet's AC1" if found.advised == "ac1" else "Krippendorff's alpha",
        why_not=read.reason or "",
        pairs=[
            PairRow(
                names.get(pair.first, pair.first), names.get(pair.second, pair.second), figure(pair.agreed),
                _beyond(pair.kappa), pair.kappa.reason or "",
            )
            for pair in found.pairs
        ],
        left_out=found.pairs_left_out,
    )  # fmt: skip


def strength(found: Agreement) -> str:
    """What the coefficient means, in words; of a few outputs it means little."""
    if found.same.whole < _ENOUGH:
        return "too few outputs to call that much or little"
    read = found.ac1 if found.advised == "ac1" else found.alpha
    if read.value is None:
        return ""
    place = next((at for at, least in enumerate(_COMMON) if read.value >= least), len(_COMMON))
    return _STRENGTH[place]


def blind_rows(found: Sequence[Blind]) -> list[BlindRow]:
    return [
        BlindRow(
            row.version, figure(row.found.blind), figure(row.found.assisted), blind_words(row), row.found.shown
        )
        for row in found
    ]  # fmt: skip


def arms_rows(found: Sequence[Arms]) -> list[ArmsRow]:
    return [
        ArmsRow(
            row.version,
            "reviews" if row.kind == "review" else "audits",
            figure(row.corrected),
            figure(row.assisted),
            figure(row.equal),
            figure(row.gave_way),
            arms_words(row),
            row.found.shown,
        )
        for row in found
    ]


def reviewer_rows(found: Sequence[Reviewer], names: Mapping[str, str]) -> list[ReviewerRow]:
    rows = [
        ReviewerRow(names.get(row.person, row.person), figure(row.reviews), figure(row.audits), row.stands_out or "")
        for row in found
    ]
    return sorted(rows, key=lambda row: row.name.lower())


def right_view(report: PeopleReport) -> RightView | None:
    """None where no verdict was ever looked at by somebody else."""
    found = report.right
    share = found.differed.agent_share
    if not (share.whole or found.both_right or found.both_wrong):
        return None
    told = "Where the two differed, nobody else has said who was right yet."
    if share.share is not None:
        between = f"{words.at_least(share.lower)} and {words.at_most(share.upper)}"
        told = f"Where the two differed, the agent was right in {share.part:,} of {words.plural(share.whole, 'case')}: "
        told += f"between {between} of such cases, {_SURE}."
    return RightView(found.differed.agent_only, found.differed.person_only, found.both_right, found.both_wrong, told)


def week_view(plan: Plan) -> WeekView | None:
    """None where there is no figure; the plan says why."""
    if not plan.hours:
        return None
    busy = [hour.hour % _HOURS for hour in plan.hours if hour.arrivals > 0.0]
    first, last = min(busy, default=0), max(busy, default=_HOURS - 1)
    most = max(plan.most_needed, 1)
    rows = [
        (f"{hour:02d}:00", [_cell(plan.hours[day * _HOURS + hour], most) for day in range(len(DAYS))])
        for hour in range(first, last + 1)
    ]
    left_out = first > 0 or last < _HOURS - 1
    return WeekView(
        days=DAYS,
        rows=rows,
        quiet="Nothing comes in the hours that are left out." if left_out else "",
        most=plan.most_needed,
        unstable=plan.unstable,
        reviewers=plan.wish.reviewers,
    )


def _cell(hour: HourOfWeek, most: int) -> Cell:
    arrivals = f"{hour.arrivals:.1f} reviews come"
    told = f"{arrivals}; {words.plural(hour.queue.servers, 'reviewer')} cannot keep up" if not hour.stable else arrivals
    return Cell(hour.needed, -(-hour.needed * _LEVELS // most), not hour.stable, told)


def _beyond(found: Coefficient) -> str:
    return "–" if found.value is None else f"{found.value:.2f}"
