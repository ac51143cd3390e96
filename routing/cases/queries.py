"""Statements on decisions, human outputs, comparisons and labels."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from governance.audit.tables import AuditEvent
from kit.bulk import Follower, NewRows, Row
from kit.dialects import among, given, insert_new, marked, past_index, skip_locked
from kit.errors import NotFound, Unavailable
from kit.tables import described
from rollout.versions.tables import PolicyRevision
from routing.archives import queries as archives
from routing.cases.tables import (
    AnsweredKey,
    ComparisonRow,
    Counted,
    Decision,
    DecisionKey,
    HumanOutput,
    Label,
    Unsettled,
)
from routing.reviews.tables import ReviewItem, Ruling


class Attempt(NamedTuple):
    """What counting the others of its case needs to know of one."""

    agent: str
    case_id: str
    version: str
    attempt: int
    rollout_id: UUID | None
    epoch: int | None
    counted_as: str | None


_DECISIONS = described(Decision)
_KEY = ("agent", "case_id", "version", "attempt")
_CASE = tuple_(DecisionKey.agent, DecisionKey.case_id, DecisionKey.version)
SETTLED_AS = ("label", "label_severity", "label_source", "counted_as", "several_verdicts")
CHUNK = 400  # keys in one IN list; SQLite takes 32,766 variables, four a key


_NEW = NewRows(
    described(DecisionKey),
    Follower(described(Decision), "id"),
    Follower(described(ReviewItem), "decision_id"),
    Follower(described(AuditEvent), "subject"),
    mark=PolicyRevision.__table__.c.sequence,  # type: ignore[arg-type]
)


def insert_decisions(session: Session, rows: Sequence[Row], items: Sequence[Row], events: Sequence[Row]) -> set[UUID]:
    """
    Insert what is not there yet, by case, version and attempt, and of the review items and audit events those that
    belong to it; the ids of the decisions that were inserted.
    """
    return _NEW.insert(session, _keys(rows), rows, items, events)


def insert_decisions_at_once(
    connection: Connection, sequence: int, rows: Sequence[Row], items: Sequence[Row], events: Sequence[Row]
) -> int:
    """
    The same without a session, and only while no policy is newer than `sequence`: how many were inserted.

    Where it is not all of them, `insert_decisions` finds out the rest.
    """
    return _NEW.insert_all(connection, sequence, _keys(rows), rows, items, events)


def _keys(rows: Sequence[Row]) -> list[Row]:
    return [
        {
            "agent": row["agent"],
            "case_id": row["case_id"],
            "version": row["version"],
            "attempt": row["attempt"],
            "decision_id": row["id"],
        }
        for row in rows
    ]


def insert_rows(session: Session, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), list(rows))


def decisions_by_key(session: Session, keys: Sequence[tuple[str, str, str, int]]) -> list[Decision]:
    """The stored decisions of (agent, case_id, version, attempt) keys, but those that were archived."""
    wanted = tuple_(*(getattr(DecisionKey, name) for name in _KEY))
    found: list[Decision] = []
    for start in range(0, len(keys), CHUNK):
        found += _decisions_of_keys(session, wanted.in_(keys[start : start + CHUNK]))
    return found


def _decisions_of_keys(session: Session, wanted: ColumnElement[bool]) -> Sequence[Decision]:
    """In two statements: with the ids at hand, the database looks only where their months are."""
    ids = session.scalars(select(DecisionKey.decision_id).where(wanted)).all()
    return session.scalars(select(Decision).where(Decision.id.in_(ids)).order_by(Decision.id)).all() if ids else ()


def get_decision(session: Session, decision_id: UUID, agent: str | None = None) -> Decision:
    """The decision; one of another agent is as good as none to an agent's key. CaseArchived where it was."""
    row = session.get(Decision, decision_id)
    if row is None:
        archives.refuse_archived(session, decision_id, agent)
    if row is None or (agent is not None and row.agent != agent):
        raise NotFound(f"there is no decision {decision_id}")
    return row


def lock_decision(session: Session, decision_id: UUID) -> None:
    """
    Until the end of the transaction nobody else passes here with the same decision, nor settles it.

    Whoever changes a decision and its reviews takes the decision first, and of several those with the smaller ids; so
    nobody waits in a circle. Sweeps, which come from the reviews, wait for neither (`reviews.queries.with_free_cases`).
    """
    lock_decisions(session, [decision_id])


def lock_decisions(session: Session, ids: Collection[UUID]) -> None:
    if ids and session.get_bind().dialect.name == "postgresql":
        wanted = select(Decision.id).where(among(Decision.id, ids, "postgresql")).order_by(Decision.id)
        session.execute(wanted.with_for_update(key_share=True))


def get_locked(session: Session, decision_id: UUID) -> Decision | None:
    """The decision as it is now, locked; None where it was archived."""
    return session.get(Decision, decision_id, with_for_update={"key_share": True}, populate_existing=True)


def lock_with_reviews(session: Session, keys: Sequence[tuple[str, str, str, int]]) -> None:
    """The decisions of these keys and then their review items, for who changes several cases in one transaction."""
    if session.get_bind().dialect.name != "postgresql":
        return
    wanted, ids = tuple_(*(getattr(DecisionKey, name) for name in _KEY)), list[UUID]()
    for start in range(0, len(keys), CHUNK):
        ids += session.scalars(select(DecisionKey.decision_id).where(wanted.in_(keys[start : start + CHUNK])))
    lock_decisions(session, ids)
    items = select(ReviewItem.id).where(among(ReviewItem.decision_id, ids, "postgresql")).order_by(ReviewItem.id)
    session.execute(items.with_for_update())


def insert_human_outputs(session: Session, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Insert what is not there yet, by case and revision; the ids that were inserted."""
    statement = insert_new(session.get_bind().dialect.name, HumanOutput.__table__)
    return set(session.scalars(statement.returning(HumanOutput.__table__.c.id), list(rows)))


def take_key(session: Session, row: dict[str, Any]) -> AnsweredKey | None:
    """Store that this key is being answered; None where it is new. A twin waits here until the first one has ended."""
    table = described(AnsweredKey)
    statement = insert_new(session.get_bind().dialect.name, table).values(row).returning(table.c.key)
    if session.execute(statement).first() is not None:
        return None
    before = session.get(AnsweredKey, (row["agent"], row["key"]))
    if before is None:
        raise Unavailable("this key was forgotten just now, a month after its request; send it again")
    return before


def answer_key(session: Session, agent: str, key: str, answer: list[Any]) -> None:
    of_this = AnsweredKey.agent == agent, AnsweredKey.key == key
    answered = update(AnsweredKey).where(*of_this).values(answer=answer)
    session.execute(answered.execution_options(synchronize_session=False))


def forget_keys(session: Session, before: datetime, limit: int) -> int:
    """Of what was answered before then, as many as this; how many there were."""
    old = select(AnsweredKey.agent, AnsweredKey.key).where(AnsweredKey.answered_at < before).limit(limit)
    gone = delete(AnsweredKey).where(tuple_(AnsweredKey.agent, AnsweredKey.key).in_(old)).returning(AnsweredKey.key)
    return len(session.scalars(gone.execution_options(synchronize_session=False)).all())


def supersede_human_outputs(session: Session, ids: Sequence[UUID]) -> None:
    """Bulk update by primary key."""
    if ids:
        session.execute(update(HumanOutput), [{"id": one, "superseded": True} for one in ids])


def latest_attempt(session: Session, agent: str, case_id: str, version: str) -> DecisionKey | None:
    return session.scalar(
        select(DecisionKey)
        .where(DecisionKey.agent == agent, DecisionKey.case_id == case_id, DecisionKey.version == version)
        .order_by(DecisionKey.attempt.desc())
        .limit(1)
    )


def decisions_of_case(session: Session, agent: str, case_id: str) -> Sequence[Decision]:
    return _decisions_of_keys(session, and_(DecisionKey.agent == agent, DecisionKey.case_id == case_id))


class PagePlace(NamedTuple):
    """Where a page of decisions ended."""

    decided_at: datetime
    id: UUID


def decision_page(
    session: Session, agent: str, *, case_id: str | None, after: PagePlace | None, limit: int
) -> Sequence[Decision]:
    """Newest first; one more than asked for tells that there is a next page."""
    place = tuple_(Decision.decided_at, Decision.id)
    statement = select(Decision).where(Decision.agent == agent)
    statement = statement.order_by(Decision.decided_at.desc(), Decision.id.desc()).limit(limit + 1)
    if case_id is not None:
        of_case = DecisionKey.agent == agent, DecisionKey.case_id == case_id
        statement = statement.where(Decision.id.in_(session.scalars(select(DecisionKey.decision_id).where(*of_case))))
    if after is not None:
        statement = statement.where(place < after)
    return session.scalars(statement).all()


def unsettled(session: Session, agents: Collection[str], limit: int) -> list[Unsettled]:
    """Decisions of these agents whose label or count may have to move, oldest first, none that another one holds."""
    wanted = marked(Decision.unsettled), past_index(Decision.agent).in_(agents)
    columns = [getattr(Decision, name) for name in Unsettled._fields]
    statement = select(*columns).where(*wanted).order_by(Decision.id).limit(limit)
    return [Unsettled(*row) for row in session.execute(skip_locked(statement, session.get_bind().dialect.name))]


def unsettle_for(session: Session, outputs: Sequence[HumanOutput]) -> None:
    """Mark the decisions of these cases, so that the next settling compares them."""
    by_agent: dict[str, list[str]] = {}
    ids: list[UUID] = []
    for output in outputs:
        by_agent.setdefault(output.agent, []).append(output.case_id)
        output.unsettled = False
    for agent, cases in by_agent.items():
        for start in range(0, len(cases), CHUNK):
            of_cases = DecisionKey.agent == agent, DecisionKey.case_id.in_(cases[start : start + CHUNK])
            ids += session.scalars(select(DecisionKey.decision_id).where(*of_cases))
    lock_decisions(session, ids)
    if ids:
        these = among(Decision.id, ids, session.get_bind().dialect.name)
        marked = update(Decision).where(these).values(unsettled=True)
        session.execute(marked.execution_options(synchronize_session=False))


def unsettled_human_outputs(session: Session, limit: int) -> list[HumanOutput]:
    statement = select(HumanOutput).where(marked(HumanOutput.unsettled)).order_by(HumanOutput.id).limit(limit)
    return list(session.scalars(skip_locked(statement, session.get_bind().dialect.name)))


def current_human_outputs(session: Session, cases: Collection[tuple[str, str]]) -> dict[tuple[str, str], HumanOutput]:
    """The newest human output of each of these cases, by (agent, case id)."""
    found: dict[tuple[str, str], HumanOutput] = {}
    if not cases:
        return found
    of_case = HumanOutput.agent, HumanOutput.case_id
    asked = given(of_case, list(cases), session.get_bind().dialect.name)
    same = (one == asked.c[one.key] for one in of_case)
    statement = select(HumanOutput).join(asked, and_(*same)).where(HumanOutput.superseded.is_(False))
    for row in session.scalars(statement):
        case = row.agent, row.case_id
        if case not in found or row.revision > found[case].revision:
            found[case] = row
    return found


def current_of_agent(session: Session, agent: str, case_ids: Iterable[str]) -> dict[str, HumanOutput]:
    """The same for one agent, by case id."""
    found = current_human_outputs(session, {(agent, case_id) for case_id in case_ids})
    return {case_id: row for (_, case_id), row in found.items()}


def human_outputs_of_case(session: Session, agent: str, case_id: str) -> Sequence[HumanOutput]:
    return session.scalars(
        select(HumanOutput)
        .where(HumanOutput.agent == agent, HumanOutput.case_id == case_id)
        .order_by(HumanOutput.revision)
    ).all()


def compared_pairs(session: Session, decision_ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], str]:
    """(decision, human output) pairs that were compared already, with the kind of what was found."""
    found: dict[tuple[UUID, UUID], str] = {}
    for start in range(0, len(decision_ids), CHUNK):
        statement = select(ComparisonRow.decision_id, ComparisonRow.human_output_id, ComparisonRow.kind).where(
            ComparisonRow.decision_id.in_(decision_ids[start : start + CHUNK])
        )
        found |= {(decision, output): kind for decision, output, kind in session.execute(statement)}
    return found


def superseded_after_people(session: Session, decision_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these superseded decisions that had a human output to be held against when they were replaced."""
    later = aliased(Decision)
    found: set[UUID] = set()
    for start in range(0, len(decision_ids), CHUNK):
        statement = (
            select(Decision.id)
            .join(later, later.id == Decision.superseded_by)
            .join(HumanOutput, and_(HumanOutput.agent == Decision.agent, HumanOutput.case_id == Decision.case_id))
            .where(Decision.id.in_(decision_ids[start : start + CHUNK]))
            .where(HumanOutput.revision == 1, HumanOutput.stored_at <= later.decided_at)
        )
        found |= set(session.scalars(statement))
    return found


def attempts_with(session: Session, rows: Sequence[Counted]) -> tuple[list[Attempt], set[tuple[str, str, str]]]:
    """
    All attempts of the cases of these decisions as they are counted now, and the cases (agent, case_id, version) of
    which another worker is settling an attempt, whose count is therefore about to change.

    Those that nobody holds are kept from being settled until the transaction ends, by a lock that stops only that:
    an update of another column, such as the mark that asks for settling, goes through.
    """
    keys = list({(row.agent, row.case_id, row.version) for row in rows})
    found: list[Attempt] = []
    stored: Counter[tuple[str, str, str]] = Counter()
    for start in range(0, len(keys), CHUNK):
        ids = session.scalars(select(DecisionKey.decision_id).where(_CASE.in_(keys[start : start + CHUNK]))).all()
        free = select(*(getattr(Decision, name) for name in Attempt._fields)).where(Decision.id.in_(ids))
        if session.get_bind().dialect.name == "postgresql":
            free = free.with_for_update(read=True, key_share=True, skip_locked=True)
        found += [Attempt(*row) for row in session.execute(free)]
        there = select(Decision.agent, Decision.case_id, Decision.version).where(Decision.id.in_(ids))
        stored.update((agent, case_id, version) for agent, case_id, version in session.execute(there))
    free_ones = Counter(row[:3] for row in found)
    return found, {case for case, count in stored.items() if free_ones[case] < count}


def unsettle_attempts(session: Session, rows: Sequence[Counted]) -> None:
    """
    Mark the later attempts of these decisions, whose verdict came or went.

    What another worker settles just now is left out: `attempts_with` tells it that we hold one, so it leaves the mark.
    """
    keys = list({(row.agent, row.case_id, row.version) for row in rows})
    for start in range(0, len(keys), CHUNK):
        of_cases = _CASE.in_(keys[start : start + CHUNK]), DecisionKey.attempt > 1
        there = session.scalars(select(DecisionKey.decision_id).where(*of_cases)).all()
        later = select(Decision.id).where(Decision.id.in_(there))
        if session.get_bind().dialect.name == "postgresql":
            later = later.with_for_update(key_share=True, skip_locked=True)
        ids = session.scalars(later).all()
        marked = update(Decision).where(Decision.id.in_(ids)).values(unsettled=True)
        session.execute(marked.execution_options(synchronize_session=False))


def labels_of(session: Session, decision_ids: Sequence[UUID]) -> list[Label]:
    of_these = among(Label.decision_id, decision_ids, session.get_bind().dialect.name)
    return list(session.scalars(select(Label).where(of_these).order_by(Label.at, Label.id)))


def comparisons_of(session: Session, decision_ids: Sequence[UUID]) -> Sequence[ComparisonRow]:
    return session.scalars(
        select(ComparisonRow).where(ComparisonRow.decision_id.in_(decision_ids)).order_by(ComparisonRow.id)
    ).all()


def update_settled(session: Session, found: Mapping[tuple[Any, ...], Sequence[UUID]]) -> None:
    """Write what settling found, the values of `SETTLED_AS`, on the decisions that have them in common."""
    connection = session.connection()
    for values, ids in found.items():
        of_these = update(_DECISIONS).where(among(_DECISIONS.c.id, ids, connection.dialect.name))
        connection.execute(of_these.values(unsettled=False, **dict(zip(SETTLED_AS, values, strict=True))))


class Voided(NamedTuple):
    """A ruling that came to nothing while it could still be undone."""

    item_id: UUID
    agent: str
    case_id: str
    ruling_id: UUID
    ruling: str
    login: str


def end_open_items(
    session: Session, decision_id: UUID, now: datetime, *, state: str, kind: str | None = None
) -> list[Voided]:
    """
    End the open review items of a decision, or those of one kind, that nobody has to rule on any more. One whose ruling
    can still be undone is open: nothing came of that ruling yet, and nothing will. Returns those rulings.

    The decision is locked by the caller. They are, too, in a statement of its own: one that somebody is just ruling on
    or passing on is then seen.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(ReviewItem.id).where(ReviewItem.decision_id == decision_id).with_for_update())
    pending = ReviewItem.concludes_at.is_not(None)
    ours = [ReviewItem.decision_id == decision_id, or_(ReviewItem.state == "waiting", pending)]
    if kind is not None:
        ours.append(ReviewItem.kind == kind)
    stands = and_(Ruling.item_id == ReviewItem.id, Ruling.undone_at.is_(None))
    voided = select(ReviewItem.id, ReviewItem.agent, ReviewItem.case_id, Ruling.id, Ruling.ruling, Ruling.login)
    found = [Voided(*row) for row in session.execute(voided.join(Ruling, stands).where(*ours, pending))]
    ended = update(ReviewItem).where(*ours)
    ended = ended.values(state=state, ended_at=now, concludes_at=None)
    session.execute(ended.execution_options(synchronize_session=False))
    return found
