"""What goes over the wire about one reviewer. A share of nothing is null."""

from collections.abc import Callable
from datetime import date, datetime

from evidence.agreement.reviewers import GoldAnswers
from kit.wire import Out
from rollout.reviewers.schemas import ShareOut
from rollout.reviewers.tables import GoldAnswer
from routing.gold.schemas import ResultOut
from routing.people.schemas import ArmsOut, arms_out
from routing.reviewer.service import OwnReport


class DayOut(Out):
    """The middle time from taking a case to ruling on it, of the rulings of a day (UTC) that were timed."""

    day: date
    rulings: int
    median_seconds: float


class GoldOut(Out):
    """`sensitivity`: wrong outputs objected to; `specificity`: right ones confirmed. `agent` is null for all."""

    agent: str | None
    sensitivity: ShareOut
    specificity: ShareOut


class GoldMissedOut(Out):
    """A case whose answer was known, answered otherwise; `output_is` and `said` are right or wrong."""

    agent: str
    case_id: str
    output_is: str
    said: str
    at: datetime


class SameOut(Out):
    """Of the outputs that somebody else gave a verdict on too, those with the same one; `agent` is null for all."""

    agent: str | None
    same: ShareOut


class OverturnedOut(Out):
    """A ruling of which somebody said the opposite later: by which `source`, and why."""

    agent: str
    case_id: str
    ruling: str
    at: datetime
    source: str
    severity: str | None
    reason_code: str | None
    note: str
    overturned_at: datetime


class ArmsOfAgentOut(ArmsOut):
    agent: str


class ReviewerFiguresOut(Out):
    """
    One person's reviewing. `unread`: rulings that came sooner than anybody can have read the case. `pace` is null for
    everybody but the person; gold answers are those of all time.

    `overturned` lists the newest of `overturned_count`. `cut`: there was more than is looked at, the newest 20,000
    rulings and as many verdicts of others on them; then `since` is when the first of these was.
    """

    login: str
    since: datetime
    until: datetime
    rulings: dict[str, int]
    unread: int
    pace: list[DayOut] | None
    gold: list[GoldOut]
    gold_missed: list[GoldMissedOut]
    agreement: list[SameOut]
    overturned: list[OverturnedOut]
    overturned_count: int
    arms: list[ArmsOfAgentOut]
    cut: bool


def figures_out(report: OwnReport) -> ReviewerFiguresOut:
    share: Callable[..., ShareOut] = ShareOut.of
    same = [SameOut(agent=row.agent, same=share(row.share)) for row in report.same_by_agent]
    gold = [_gold_out(row.agent, row.found) for row in report.gold_by_agent]
    return ReviewerFiguresOut(
        login=report.scope.login,
        since=report.scope.since,
        until=report.scope.until,
        rulings=report.ruled,
        unread=report.unread,
        pace=None if report.pace is None else [DayOut.model_validate(day) for day in report.pace],
        gold=[_gold_out(None, report.gold), *gold],
        gold_missed=[_missed_out(row, report.gold_dealt.get(row.case_id)) for row in report.gold_missed],
        agreement=[SameOut(agent=None, same=share(report.same)), *same],
        overturned=[
            OverturnedOut(
                agent=row.agent, case_id=row.case_id, ruling=row.ruling, at=row.at, source=row.source,
                severity=row.severity, reason_code=row.other_reason, note=row.note, overturned_at=row.other_at,
            )
            for row in report.overturned
        ],
        overturned_count=report.overturned_count,
        arms=[ArmsOfAgentOut(agent=row.agent, **arms_out(row.arms).model_dump()) for row in report.arms],
        cut=report.cut,
    )  # fmt: skip


def _missed_out(row: GoldAnswer, dealt: ResultOut | None) -> GoldMissedOut:
    """By the id under which it was shown."""
    found = GoldMissedOut.model_validate(row)
    return found if dealt is None else found.model_copy(update={"case_id": dealt.case_id})


def _gold_out(agent: str | None, found: GoldAnswers) -> GoldOut:
    return GoldOut(agent=agent, sensitivity=ShareOut.of(found.sensitivity), specificity=ShareOut.of(found.specificity))
