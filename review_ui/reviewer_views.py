"""What the page about one reviewer shows: what they find, what was missed and why, and whether others agree."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from evidence.agreement.kappa import Share
from evidence.agreement.reviewers import GOLD_NEEDED, GoldAnswers
from review_ui.pace_chart import PaceDrawing, duration, pace_drawings
from review_ui.people_views import Figure, SwayRow, arms_rows, figure
from rollout.domain import words
from rollout.reviewers.tables import GoldAnswer
from routing.gold.schemas import ResultOut
from routing.reviewer.queries import Other
from routing.reviewer.service import SHOWN, OwnReport

_SURE = words.sure(0.95)
_RULED = {"approve": "approved", "edit": "edited", "reject": "rejected", "escalate": "escalated", "judge": "judged"}
_BAR = 160


@dataclass(frozen=True, slots=True)
class Bar:
    """A share and its bounds on a scale from 0 to 1 that is 160 units wide."""

    start: float
    end: float
    point: float


@dataclass(frozen=True, slots=True)
class GoldRow:
    name: str
    found: Figure
    found_bar: Bar | None
    confirmed: Figure
    confirmed_bar: Bar | None


@dataclass(frozen=True, slots=True)
class GoldView:
    words: str
    enough: bool
    rows: list[GoldRow]


@dataclass(frozen=True, slots=True)
class SameRow:
    agent: str
    same: Figure
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class SameView:
    words: str
    rows: list[SameRow]


@dataclass(frozen=True, slots=True)
class MissRow:
    """A ruling that did not hold: what it was, what came of it, and where that can be read."""

    case_id: str
    agent: str
    ruled: str
    at: datetime
    state: str  # of the badge
    by: str
    why: str
    then: datetime | None
    link: str


@dataclass(frozen=True, slots=True)
class PaceRow:
    day: date
    rulings: int
    median: str


@dataclass(frozen=True, slots=True)
class PaceView:
    drawings: list[PaceDrawing]
    rows: list[PaceRow]


def summary(report: OwnReport, days: int) -> str:
    """How often this person ruled, in which way, and how often before they can have read the case."""
    total = sum(report.ruled.values())
    if not total:
        return f"No ruling in the last {days} days."
    parts = [f"{report.ruled[kind]:,} {said}" for kind, said in _RULED.items() if report.ruled.get(kind)]
    told = f"{words.plural(total, 'ruling')} in the last {days} days: {', '.join(parts)}."
    if report.unread:
        told += f" {report.unread:,} came sooner than anybody can have read the case."
    return told


def gold_view(report: OwnReport) -> GoldView | None:
    """None where no gold case was answered."""
    errors, right = report.gold.sensitivity, report.gold.specificity
    if not errors.whole + right.whole:
        return None
    if errors.whole:
        found = f"{errors.part:,} {'was' if errors.part == 1 else 'were'} found: "
        found += f"between {words.at_least(errors.lower)} and {words.at_most(errors.upper)}"
        if not errors.part:
            found = f"none was found, so at most {words.at_most(errors.upper)}"
        told = f"Of {words.plural(errors.whole, 'gold case')} with an error, {found} of all such errors, {_SURE}."
    else:
        told = "No gold case with an error was among them yet, so nothing is known of the errors that are found."
    rows = [_gold_row(row.agent, row.found) for row in report.gold_by_agent]
    if len(rows) > 1:
        rows.insert(0, _gold_row("All agents", report.gold))
    return GoldView(told, errors.whole >= GOLD_NEEDED, rows)


def _gold_row(name: str, found: GoldAnswers) -> GoldRow:
    wrong, right = found.sensitivity, found.specificity
    return GoldRow(name, figure(wrong), _bar(wrong), figure(right), _bar(right))


def _bar(share: Share) -> Bar | None:
    if share.share is None:
        return None
    return Bar(*(round(2 + value * (_BAR - 4), 1) for value in (share.lower, share.upper, share.share)))


def same_view(report: OwnReport) -> SameView | None:
    """None where nobody else gave a verdict on any of the outputs."""
    if report.same.share is None:
        return None
    same = figure(report.same)
    told = f"Of {words.plural(report.same.whole, 'output')} that somebody else gave a verdict on too, both said the "
    told += f"same of {report.same.part:,} ({same.seen}; {same.between}, {_SURE})."
    return SameView(told, [SameRow(row.agent, figure(row.share), _bar(row.share)) for row in report.same_by_agent])


def misses(report: OwnReport, reasons: Mapping[str, Mapping[str, str]], *, own: bool) -> list[MissRow]:
    """
    Gold cases answered wrongly and rulings that were overturned, the newest first. `reasons`: agent, code, words.
    Of gold cases that were dealt the reason is known; to who ruled on them each has a page, as has
    every case.
    """
    dealt = report.gold_dealt
    rows = [
        _dealt_miss(dealt[row.case_id], own=own) if row.case_id in dealt else _gold_miss(row)
        for row in report.gold_missed
    ]
    rows += [_overturned(row, reasons.get(row.agent, {}), own=own) for row in report.overturned]
    return sorted(rows, key=lambda row: row.then or row.at, reverse=True)[:SHOWN]


def _gold_miss(row: GoldAnswer) -> MissRow:
    ruled = "objected" if row.said == "wrong" else "let pass"
    why = "The output was right." if row.output_is == "right" else "The output was wrong, and known to be."
    return MissRow(row.case_id, row.agent, ruled, row.at, "inconclusive", "Gold case", why, None, "")


def _dealt_miss(one: ResultOut, *, own: bool) -> MissRow:
    link = f"/review/gold/{one.item_id}" if own else ""
    ruled = _RULED.get(one.ruling, one.ruling)
    return MissRow(one.case_id, one.agent, ruled, one.at, "inconclusive", "Gold case", one.why, None, link)


def _overturned(row: Other, reasons: Mapping[str, str], *, own: bool) -> MissRow:
    failure = row.source == "failure"
    link = f"/agents/{row.agent}/failures/{row.source_id}" if failure else ""
    if own:
        link = f"/review/past/{row.item_id}"  # which names the failure
    said = reasons.get(row.other_reason or "", "")
    why = ": ".join(part for part in (said, row.note.strip()) if part)
    if not why:
        why = f"The output was {'right' if row.other_verdict == 'agree' else 'wrong'}; no reason was given."
    return MissRow(
        case_id=row.case_id,
        agent=row.agent,
        ruled=_RULED.get(row.ruling, row.ruling),
        at=row.at,
        state=row.severity or "minor" if failure else "audit",
        by="Failure reported" if failure else "Looked at again",
        why=why,
        then=row.other_at,
        link=link,
    )


def sway_rows(report: OwnReport) -> list[SwayRow]:
    return [
        replace(shown, version=f"{row.agent} {shown.version}") for row in report.arms for shown in arms_rows([row.arms])
    ]


def pace_view(report: OwnReport) -> PaceView | None:
    """None for everybody but the person; without rows where nothing was timed."""
    if report.pace is None:
        return None
    rows = [PaceRow(day.day, day.rulings, duration(day.median_seconds)) for day in reversed(report.pace)]
    return PaceView(pace_drawings(report.pace), rows)
