"""Statements on gold cases, and on to whom they were dealt."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from kit.dialects import insert_new
from kit.errors import NotFound
from rollout.failures.tables import Failure
from routing.cases.tables import Decision, DecisionKey, HumanOutput, Label
from routing.domain.decide import HUMAN_LOOP, INTERRUPT
from routing.gold.tables import GoldCase, GoldDeal, GoldReport
from routing.reviews.tables import Opened, ReviewItem, Ruling
from routing.supervision.tables import BlindAnswer

GOLD = "gold"
"""The kind of a review item that is one."""

ASKED_FOR = timedelta(days=1)
"""How long a gold case that was given back waits for the same person at most."""

_PEOPLE_DID_OR_REPORTED = ("human_output", "failure")
"""Sources of a label that are no rulings."""

RULINGS_LOOKED_AT = 5_000
"""Of the newest rulings of the house: how many tell what share was really dealt."""


class Pool(NamedTuple):
    """How many gold cases of an agent are dealt: outputs known to be right, and known to be wrong."""

    right: int
    wrong: int


class Answers(NamedTuple):
    """How many people said whether an output is right, how many of them knew, and how many passed it on instead."""

    answers: int = 0
    knew: int = 0
    passed_on: int = 0


class Dealt(NamedTuple):
    """Of the newest rulings in the house those on cases of an agent, and how many of them were on gold cases."""

    rulings: int
    gold: int


def add_case(session: Session, row: Mapping[str, Any]) -> bool:
    """False where the same case is there already."""
    statement = insert_new(session.get_bind().dialect.name, GoldCase.__table__).values(**row)
    return session.scalar(statement.returning(GoldCase.__table__.c.id)) is not None


def by_digest(session: Session, agent: str, digest: str) -> GoldCase:
    return session.scalars(select(GoldCase).where(GoldCase.agent == agent, GoldCase.digest == digest)).one()


def get_case(session: Session, gold_case_id: UUID) -> GoldCase:
    row = session.get(GoldCase, gold_case_id)
    if row is None:
        raise NotFound(f"there is no gold case {gold_case_id}")
    return row


def cases(session: Session, agent: str, *, active: bool | None, before: UUID | None, limit: int) -> Sequence[GoldCase]:
    """The newest first."""
    wanted = select(GoldCase).where(GoldCase.agent == agent).order_by(GoldCase.id.desc()).limit(limit)
    if active is not None:
        wanted = wanted.where(GoldCase.retired_at.is_(None) if active else GoldCase.retired_at.is_not(None))
    return session.scalars(wanted if before is None else wanted.where(GoldCase.id < before)).all()


def try_retire(session: Session, gold_case_id: UUID, by: str, now: datetime) -> bool:
    """False where it was retired before."""
    retired = update(GoldCase).where(GoldCase.id == gold_case_id, GoldCase.retired_at.is_(None))
    retired = retired.values(retired_by=by, retired_at=now).returning(GoldCase.id)
    return session.scalar(retired) is not None


def pool(session: Session, agent: str) -> Pool:
    right = func.coalesce(func.sum(case((GoldCase.output_is == "right", 1), else_=0)), 0)
    wanted = select(right, func.count()).where(GoldCase.agent == agent, GoldCase.retired_at.is_(None))
    good, every = session.execute(wanted).one()
    return Pool(int(good), int(every) - int(good))


_PASSED_ON: ColumnElement[bool] = GoldDeal.ruling == "escalate"


def answers_by_case(session: Session, ids: Sequence[UUID]) -> dict[UUID, Answers]:
    """What people said of the output of these gold cases."""
    knew = func.sum(case((GoldDeal.said == GoldCase.output_is, 1), else_=0))
    passed_on = func.sum(case((_PASSED_ON, 1), else_=0))
    wanted = select(GoldCase.id, func.count(GoldDeal.said), knew, passed_on)
    wanted = wanted.join(GoldDeal, GoldDeal.gold_case_id == GoldCase.id).where(GoldCase.id.in_(ids))
    rows = session.execute(wanted.group_by(GoldCase.id))
    return {row_id: Answers(*(int(times) for times in found)) for row_id, *found in rows}


def passed_on(session: Session, agent: str) -> dict[str, int]:
    """How many gold cases of an agent each reviewer passed on, by login."""
    wanted = select(GoldDeal.login, func.count()).where(GoldDeal.agent == agent, _PASSED_ON)
    return {
        login: int(times) for login, times in session.execute(wanted.group_by(GoldDeal.login).order_by(GoldDeal.login))
    }


def reports_by_case(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many failures were reported of these gold cases, where any was."""
    wanted = select(GoldDeal.gold_case_id, func.count(GoldReport.id))
    wanted = wanted.join(GoldReport, GoldReport.decision_id == GoldDeal.decision_id)
    rows = session.execute(wanted.where(GoldDeal.gold_case_id.in_(ids)).group_by(GoldDeal.gold_case_id))
    return {row_id: int(times) for row_id, times in rows}


def reported(
    session: Session, agent: str, *, before: UUID | None, limit: int
) -> Sequence[tuple[GoldReport, GoldDeal, GoldCase]]:
    """What reviewers reported of this agent's gold cases, each as it was shown and as it is; the newest first."""
    wanted = (
        select(GoldReport, GoldDeal, GoldCase)
        .join(GoldDeal, GoldDeal.decision_id == GoldReport.decision_id)
        .join(GoldCase, GoldCase.id == GoldDeal.gold_case_id)
        .where(GoldReport.agent == agent)
        .order_by(GoldReport.id.desc())
        .limit(limit)
    )
    rows = session.execute(wanted if before is None else wanted.where(GoldReport.id < before))
    return [(report, deal, gold) for report, deal, gold in rows]


def count_reports(session: Session, agent: str) -> int:
    return session.scalar(select(func.count()).select_from(GoldReport).where(GoldReport.agent == agent)) or 0


def said_to_be_right(session: Session, decision: Decision) -> Any:
    """
    What whoever found the output wrong gave instead: by the ruling or the failure that counts; where that says nothing,
    by a failure at all, or by who did the case.
    """
    behind = select(Label.source_id).where(Label.decision_id == decision.id, Label.source == decision.label_source)
    source = session.scalar(behind.order_by(Label.at.desc(), Label.id.desc()).limit(1))
    ruled = session.scalar(select(Ruling.output).where(Ruling.id == source)) if source is not None else None
    if ruled is not None:
        return ruled
    reported = select(Failure.correct_output).where(Failure.decision_id == decision.id)
    reported = reported.where(Failure.correct_output.is_not(None)).order_by(Failure.id.desc()).limit(1)
    done = select(HumanOutput.output).where(
        HumanOutput.agent == decision.agent,
        HumanOutput.case_id == decision.case_id,
        HumanOutput.superseded.is_(False),
    )
    found = session.scalar(reported)
    of_a_ruling = source is not None and decision.label_source not in _PEOPLE_DID_OR_REPORTED
    if found is not None or of_a_ruling:
        return found
    return session.scalar(done.limit(1))


def not_met_by(session: Session, agent: str, login: str) -> list[tuple[UUID, str]]:
    """
    The gold cases that this person may be dealt, each with its segment: none that they were dealt, made or know the
    original of, because they ruled on its case in whichever version, had it before them, said what it should be, did it
    themselves or reported it.
    """
    met = or_(
        GoldCase.made_by == login,
        exists().where(GoldDeal.gold_case_id == GoldCase.id, GoldDeal.login == login),
        *(_of_items(table, login) for table in (Ruling, BlindAnswer, Opened)),
        _of_case(Failure.decision_id == DecisionKey.decision_id, Failure.reported_by == login),
        exists().where(
            HumanOutput.agent == GoldCase.agent,
            HumanOutput.case_id == GoldCase.case_id,
            or_(HumanOutput.person == login, HumanOutput.posted_by == login),
        ),
    )
    wanted = select(GoldCase.id, GoldCase.segment)
    wanted = wanted.where(GoldCase.agent == agent, GoldCase.retired_at.is_(None), ~met)
    return [(row_id, segment) for row_id, segment in session.execute(wanted)]


def _of_case(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of a decision on the original's case: the same case in another version is known to them as well."""
    same = DecisionKey.agent == GoldCase.agent, DecisionKey.case_id == GoldCase.case_id
    return exists().where(*same, *conditions)


def _of_items(table: Any, login: str) -> ColumnElement[bool]:
    """By way of the items: rulings are not indexed by decision."""
    of_item = and_(table.item_id == ReviewItem.id, table.login == login)
    return _of_case(ReviewItem.decision_id == DecisionKey.decision_id, of_item)


def asked_for(session: Session, decision_ids: Collection[UUID]) -> set[UUID]:
    """
    Those of these decisions that no agent sent by itself: a graph asked, or somebody started a human loop. What is laid
    out by the router can look like neither.
    """
    wanted = select(Decision.id, Decision.case_id, Decision.reasons).where(Decision.id.in_(decision_ids))
    rows = session.execute(wanted) if decision_ids else ()
    return {row_id for row_id, case_id, reasons in rows if not by_itself(case_id, reasons)}


def by_itself(case_id: str, reasons: Sequence[Mapping[str, str]]) -> bool:
    return not case_id.startswith(INTERRUPT) and HUMAN_LOOP not in {reason["code"] for reason in reasons}


def was_drawn(session: Session, login: str, item_id: UUID) -> bool:
    """Whether a gold case was put before this item for this person already."""
    drawn = select(GoldDeal.item_id).where(GoldDeal.login == login, GoldDeal.before_item_id == item_id)
    return session.scalar(drawn) is not None


def taken(session: Session, agent: str, case_ids: Sequence[str]) -> set[str]:
    """Those of these ids that a case has, or seems to have."""
    real = select(DecisionKey.case_id).where(DecisionKey.agent == agent, DecisionKey.case_id.in_(case_ids))
    apparent = select(GoldDeal.case_id).where(GoldDeal.agent == agent, GoldDeal.case_id.in_(case_ids))
    return {*session.scalars(real), *session.scalars(apparent)}


def add_deal(session: Session, row: Mapping[str, Any]) -> bool:
    """False where another request of the same person was faster."""
    statement = insert_new(session.get_bind().dialect.name, GoldDeal.__table__).values(**row)
    return session.scalar(statement.returning(GoldDeal.__table__.c.item_id)) is not None


def get_deal(session: Session, item_id: UUID) -> GoldDeal:
    return session.get_one(GoldDeal, item_id)


def revision_of(session: Session, decision_id: UUID) -> int | None:
    """By which policy a real case was decided."""
    return session.scalar(select(Decision.policy_revision).where(Decision.id == decision_id))


def decision_of(session: Session, item_id: UUID) -> Decision:
    """What a gold item seems to be a decision of. In no session: nothing of it is ever stored."""
    return seeming(get_deal(session, item_id))


def decisions_seeming(session: Session, ids: Collection[UUID]) -> list[Decision]:
    """Those of these decisions that are only seeming ones."""
    return [seeming(deal) for deal in session.scalars(select(GoldDeal).where(GoldDeal.decision_id.in_(ids)))]


def decisions_of_seeming_case(session: Session, agent: str, case_id: str) -> list[Decision]:
    deals = select(GoldDeal).where(GoldDeal.agent == agent, GoldDeal.case_id == case_id)
    return [seeming(deal) for deal in session.scalars(deals)]


def add_report(session: Session, row: Mapping[str, Any]) -> bool:
    """False where the same report is there already; a twin that is being stored is waited for."""
    statement = insert_new(session.get_bind().dialect.name, GoldReport.__table__).values(**row)
    return session.scalar(statement.returning(GoldReport.__table__.c.id)) is not None


def reports(
    session: Session,
    agent: str,
    *,
    by: str | None = None,
    decisions: Collection[UUID] | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> Sequence[GoldReport]:
    """What was reported of gold cases, by one person or of these seeming decisions; the newest first."""
    wanted = select(GoldReport).where(GoldReport.agent == agent).order_by(GoldReport.id.desc()).limit(limit)
    if by is not None:
        wanted = wanted.where(GoldReport.reported_by == by)
    if decisions is not None:
        wanted = wanted.where(GoldReport.decision_id.in_(decisions))
    if before is not None:
        wanted = wanted.where(GoldReport.id < before)
    return session.scalars(wanted).all()


_TIMES, _IDS = ("decided_at", "occurred_at", "outcome_at"), ("id", "rollout_id", "superseded_by")


def seeming(deal: GoldDeal) -> Decision:
    row = dict(deal.decision)
    row |= {name: datetime.fromisoformat(row[name]) for name in _TIMES if row.get(name)}
    row |= {name: UUID(row[name]) for name in _IDS if row.get(name)}
    return Decision(**row)


def results(
    session: Session, login: str, *, only_missed: bool = False, limit: int = 50
) -> Sequence[tuple[GoldDeal, GoldCase]]:
    """What this person said of gold cases that nothing can be undone of, the newest first."""
    wanted = (
        _with_case(login)
        .where(GoldDeal.said.is_not(None))
        .order_by(GoldDeal.answered_at.desc(), GoldDeal.item_id.desc())
        .limit(limit)
    )
    if only_missed:
        wanted = wanted.where(GoldDeal.said != GoldCase.output_is)
    return [(deal, gold) for deal, gold in session.execute(wanted)]


def result(session: Session, login: str, item_id: UUID, now: datetime) -> tuple[GoldDeal, GoldCase] | None:
    """What was known of this item, as soon as this person may be told."""
    wanted = _with_case(login).where(told(now), GoldDeal.item_id == item_id)
    found = session.execute(wanted).one_or_none()
    return (found[0], found[1]) if found is not None else None


def newest_untold(session: Session, login: str, since: datetime, now: datetime) -> tuple[GoldDeal, GoldCase] | None:
    """The newest result that this person may be told since then, and has not put away."""
    wanted = _with_case(login).where(told(now, since), GoldDeal.told_at.is_(None))
    found = session.execute(wanted.order_by(GoldDeal.answered_at.desc()).limit(1)).one_or_none()
    return (found[0], found[1]) if found is not None else None


def _with_case(login: str) -> Select[GoldDeal, GoldCase]:
    wanted = select(GoldDeal, GoldCase).join(GoldCase, GoldCase.id == GoldDeal.gold_case_id)
    return wanted.where(GoldDeal.login == login)


def told(now: datetime, since: datetime | None = None) -> ColumnElement[bool]:
    """
    Answered; or passed on, and any other case would have ended in the second line by now. `since`: not longer ago than
    then.
    """
    ends = func.coalesce(ReviewItem.expires_at, ReviewItem.due_at)
    over = exists().where(ReviewItem.id == GoldDeal.item_id, ends <= now)
    answered: ColumnElement[bool] = GoldDeal.said.is_not(None)
    if since is not None:
        over, answered = over.where(ends >= since), and_(answered, GoldDeal.answered_at >= since)
    return or_(answered, and_(GoldDeal.ruling == "escalate", over.correlate(GoldDeal)))


def put_away(session: Session, login: str, until: datetime, now: datetime) -> None:
    """They have been told of every result up to then."""
    seen = update(GoldDeal).where(GoldDeal.login == login, GoldDeal.told_at.is_(None), GoldDeal.answered_at <= until)
    session.execute(seen.where(told(now)).values(told_at=now).execution_options(synchronize_session=False))


def dealt(session: Session, agent: str) -> Dealt:
    """Of the newest rulings of the house, so that it takes as long whatever lies behind them."""
    newest = select(Ruling.item_id).where(Ruling.undone_at.is_(None)).order_by(Ruling.id.desc())
    looked_at = newest.limit(RULINGS_LOOKED_AT).subquery()
    gold = func.coalesce(func.sum(case((ReviewItem.kind == GOLD, 1), else_=0)), 0)
    wanted = select(func.count(), gold).select_from(ReviewItem).join(looked_at, looked_at.c.item_id == ReviewItem.id)
    rulings, of_gold = session.execute(wanted.where(ReviewItem.agent == agent)).one()
    return Dealt(int(rulings), int(of_gold))


def held(session: Session) -> int:
    """How many gold cases somebody has, or may come back to."""
    return session.scalar(select(func.count()).select_from(ReviewItem).where(_OPEN)) or 0


def out_of_time(now: datetime) -> Select[UUID]:
    """Open ones that were dealt a day ago, or that would not be in the first line any more if they were real."""
    wanted = select(ReviewItem.id).join(GoldDeal, GoldDeal.item_id == ReviewItem.id)
    return wanted.where(_OPEN, or_(GoldDeal.dealt_at < now - ASKED_FOR, ReviewItem.expires_at < now))


# As its index has it, word for word.
_OPEN: ColumnElement[bool] = and_(
    ReviewItem.kind == literal_column("'gold'"), ReviewItem.state == literal_column("'waiting'")
)
