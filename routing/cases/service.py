"""
Stores decisions and human outputs: each exactly once, retries told apart from other cases.

A batch is stored in a few statements. What was stored before is found by its key (agent, case, version,
attempt): the same body gets the same decision, another body is a conflict that names what differs.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import instance_dict, manager_of_class

from governance.actors import Actor
from governance.audit import service as audit
from governance.audit.tables import AuditEvent
from kit.bulk import NotAllNew
from kit.db import Database, send_after_commit
from kit.errors import Conflict, Place, Problem, Unavailable
from kit.ids import new_id
from rollout.failures import service as failures
from rollout.failures.tables import Failure
from routing.archives.queries import CaseArchived, archived
from routing.cases import handing_over, queries
from routing.cases.closing import close_reviews
from routing.cases.prepare import Entry, Key, same
from routing.cases.reported import label_of
from routing.cases.schemas import GIVEN_LENGTH, FailureIn, HumanOutputIn, HumanOutputStored
from routing.cases.tables import Decision, DecisionKey, HumanOutput, Label
from routing.supervision import veil

_COMPARED = ("output", "input", "confidence", "segment", "action", "amount", "risk", "attributes", "signals")
_BEATEN_AT_MOST = 20  # rounds in which somebody else was faster


class CaseDiffers(Conflict):
    code = "case-differs"
    title = "This case was decided with another body"


class AttemptOutOfOrder(Conflict):
    code = "attempt-out-of-order"
    title = "This is not the next attempt of the case"


@dataclass(frozen=True, slots=True)
class Stored:
    """The decision as it stands in the database; `new` is False for a retry."""

    decision: Decision
    new: bool


def store(session: Session, entries: Sequence[Entry], actor: str | Sequence[str]) -> list[Stored | Problem]:
    """
    Store a batch; one result for each entry, in order. A conflict harms nobody else.

    `actor`: who sent them all, or for each of them who sent it.
    """
    actors = [actor] * len(entries) if isinstance(actor, str) else actor
    keys = [entry.key for entry in entries]
    firsts: dict[Key, tuple[Entry, str]] = {}
    for key, entry, name in zip(keys, entries, actors, strict=True):
        firsts.setdefault(key, (entry, name))
    in_order = [firsts[key] for key in sorted(firsts)]  # two processes must not wait for each other
    plain = [(entry, name) for entry, name in in_order if entry.row["attempt"] == 1]
    inserted = _insert(session, plain)
    results: dict[Key, Decision | Problem] = {
        entry.key: _row(entry) for entry, _ in plain if entry.row["id"] in inserted
    }
    _lock_changed(session, [entry for entry, _ in in_order if entry.key not in results])
    for entry, name in in_order:
        if entry.row["attempt"] > 1:
            results[entry.key] = _store_attempt(session, entry, name)
    if missing := [key for key in firsts if key not in results]:
        results |= _stored_before(session, missing)
    answers = [_result(entry, results[key]) for key, entry in zip(keys, entries, strict=True)]
    for n, (entry, answer) in enumerate(zip(entries, answers, strict=True)):
        if entry.case.handed_over and isinstance(answer, Stored) and not answer.new:
            now = entry.row["decided_at"]
            taken = handing_over.take_back(session, answer.decision, actor=actors[n], now=now)
            answers[n] = Stored(taken, new=False)
    return answers


def store_at_once(
    db: Database, entries: Sequence[Entry], actors: Sequence[str], sequence: int
) -> list[Stored | Problem] | None:
    """
    Store a batch of cases that were never seen before on one way to the database; the results, all of them new.

    None where they are anything else, or a policy is newer than `sequence`: `store` them then. It finds what of them
    is stored already.
    """
    firsts = {entry.key: (entry, name) for entry, name in zip(entries, actors, strict=True)}
    if len(firsts) < len(entries) or any(entry.row["attempt"] > 1 for entry in entries):
        return None
    in_order = [firsts[key] for key in sorted(firsts)]  # two processes must not wait for each other
    rows = [entry.row for entry, _ in in_order]
    items = [entry.item for entry, _ in in_order if entry.item is not None]
    events = [_event(entry.row, actor) for entry, actor in in_order]
    try:
        with db.at_once() as connection:
            new = queries.insert_decisions_at_once(connection, sequence, rows, items, events)
    except NotAllNew:
        return None
    if new:
        db.announce("routing.settle")
    if new and items:
        db.announce("reviews:changed")
    return [Stored(_row(entry), new=True) for entry in entries] if new == len(entries) else None


def _insert(session: Session, given: Sequence[tuple[Entry, str]]) -> set[UUID]:
    """The ids of those that are new: with each its audit event, and its review item where a person must look."""
    if not given:
        return set()
    rows = [entry.row for entry, _ in given]
    items = [entry.item for entry, _ in given if entry.item is not None]
    inserted = queries.insert_decisions(session, rows, items, [_event(entry.row, actor) for entry, actor in given])
    if inserted:
        send_after_commit(session, "routing.settle")
    if any(item["decision_id"] in inserted for item in items):
        send_after_commit(session, "reviews:changed")
    return inserted


def _stored_before(session: Session, keys: Sequence[Key]) -> dict[Key, Decision | Problem]:
    found = queries.decisions_by_key(session, keys)
    there: dict[Key, Decision | Problem] = {(row.agent, row.case_id, row.version, row.attempt): row for row in found}
    return there | {key: _archived(session, key) for key in keys if key not in there}


def _archived(session: Session, key: Key) -> CaseArchived:
    """Its key stays when a decision is archived, so that it is never decided again as a new case."""
    found = session.get_one(DecisionKey, key)
    return archived(session, found.agent, found.decision_id)


def _row(entry: Entry) -> Decision:
    """The row as if it had been read back, without the bookkeeping of a row that is still to be written."""
    decision: Decision = manager_of_class(Decision).new_instance()
    instance_dict(decision).update(entry.row)
    return decision


def _result(entry: Entry, found: Decision | Problem) -> Stored | Problem:
    if isinstance(found, Problem):
        return found
    if found.id == entry.row["id"]:
        return Stored(found, new=True)
    if found.body_digest != entry.row["body_digest"]:
        return _differs(found, entry)
    return Stored(found, new=False)


def _differs(stored: Decision, entry: Entry) -> CaseDiffers:
    instead = stored.confidence_given != entry.row["confidence_given"]
    names = [
        name
        for name in _COMPARED
        if not same(getattr(stored, name), entry.row[name]) or (name == "confidence" and instead)
    ]
    names = names or [_differs_unseen(stored, entry)]
    places = [
        Place(name, "it differs from what was decided", "send the first body again, or say attempt + 1")
        for name in names
    ]
    detail = f"case {stored.case_id} was decided with another {', '.join(names)}"
    return CaseDiffers(detail, places=places, decision_id=str(stored.id))


def _differs_unseen(stored: Decision, entry: Entry) -> str:
    """An amount that is no number stands in no column, and of a long text given as a confidence only its beginning."""
    cut = len(stored.confidence_given or "") == GIVEN_LENGTH
    amount = entry.case.amount
    return "confidence" if cut and (amount is None or math.isfinite(amount)) else "amount"


def _lock_changed(session: Session, entries: Sequence[Entry]) -> None:
    """What some of these replace or take back. One alone locks what is its own as it comes to it."""
    replaced = [(*entry.key[:3], entry.row["attempt"] - 1) for entry in entries if entry.row["attempt"] > 1]
    changed = {*replaced, *(entry.key for entry in entries if entry.case.handed_over)}
    if len(changed) > 1:
        queries.lock_with_reviews(session, sorted(changed))


def _store_attempt(session: Session, entry: Entry, actor: str) -> Decision | Problem:
    """A further attempt: replaces the one before it, voids what hung on that, on record."""
    agent, case_id, version, attempt = entry.key
    latest = queries.latest_attempt(session, agent, case_id, version)
    expected = latest.attempt + 1 if latest is not None else 1
    # Asked for after the latest one: in the other order a twin of this call could be stored in between.
    if attempt < expected:
        there = queries.decisions_by_key(session, [entry.key])
        return there[0] if there else _archived(session, entry.key)
    if latest is None or attempt != expected:
        place = Place("attempt", f"{attempt} does not follow", f"send attempt {expected}")
        return AttemptOutOfOrder(f"the next attempt of case {case_id} is {expected}", places=[place])
    before = queries.get_locked(session, latest.decision_id)  # a ruling that came first stands
    if before is None:
        return _archived(session, (agent, case_id, version, latest.attempt))
    if not _insert(session, [(entry, actor)]):
        return queries.decisions_by_key(session, [entry.key])[0]
    _supersede(session, before, entry, actor)
    return _row(entry)


def _supersede(session: Session, before: Decision, entry: Entry, actor: str) -> None:
    now = entry.row["decided_at"]
    close_reviews(session, before.id, state="superseded", actor=actor, now=now)
    before.superseded_by = entry.row["id"]
    before.outcome = before.outcome or "superseded"
    before.outcome_at = before.outcome_at or now
    before.mark_unsettled()
    session.add(
        Label(
            decision_id=before.id,
            verdict="void",
            severity=None,
            source="superseded",
            source_id=entry.row["id"],
            person=None,
            note=f"replaced by attempt {entry.row['attempt']}",
            at=now,
        )
    )
    audit.record(session, actor, "decision.superseded", before.id, now=now, agent=before.agent, by=str(entry.row["id"]))
    send_after_commit(session, "decisions:ruled", about=before.id)  # nobody will rule on it any more


def _event(row: dict[str, Any], actor: str) -> dict[str, Any]:
    return audit.event_row(
        actor,
        "decision.stored",
        row["id"],
        now=row["decided_at"],
        agent=row["agent"],
        case_id=row["case_id"],
        version=row["version"],
        route=row["route"],
        policy_revision=row["policy_revision"],
        body_digest=row["body_digest"],
    )


def add_human_outputs(
    session: Session, agent: str, items: Sequence[HumanOutputIn], *, actor: Actor, now: datetime
) -> list[HumanOutputStored]:
    """
    Store what people did. The same output again changes nothing; another one is a correction: a new
    revision, the earlier ones kept.
    """
    veil.require_no_part(session, agent, {item.case_id for item in items}, actor)
    return add_looked_up(session, agent, items, actor=actor, now=now)


def add_open_human_outputs(
    session: Session, agent: str, items: Sequence[HumanOutputIn], *, actor: Actor, now: datetime
) -> list[HumanOutputStored | Conflict]:
    """The same, but for those of cases that are closed to this person, which are refused one by one."""
    closed = veil.no_part_in(session, agent, {item.case_id for item in items}, actor)
    wanted = [item for item in items if item.case_id not in closed]
    stored = iter(add_looked_up(session, agent, wanted, actor=actor, now=now))
    return [closed[item.case_id] if item.case_id in closed else next(stored) for item in items]


def add_looked_up(
    session: Session, agent: str, items: Sequence[HumanOutputIn], *, actor: Actor, now: datetime
) -> list[HumanOutputStored]:
    """
    The same of cases that were looked up already: none of them is closed to this person.

    In rounds of at most one revision a case. Where somebody else stored that revision first, the next round
    looks again, and finds the same output or one to correct.
    """
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for n, item in enumerate(items):
        waiting[item.case_id].append(n)
    results: dict[int, HumanOutputStored] = {}
    beaten = 0
    while waiting:
        current = queries.current_of_agent(session, agent, waiting)
        rows = {}
        for case_id in sorted(waiting):  # in one order, so that two batches do not wait for each other
            turn, before = waiting[case_id], current.get(case_id)
            while turn and before is not None and same(before.output, items[turn[0]].output):
                results[turn.popleft()] = _stored(before.id, case_id, before.revision, "unchanged")
            if turn:
                rows[case_id] = _human_output(agent, items[turn[0]], before, actor, now)
        inserted = queries.insert_human_outputs(session, list(rows.values())) if rows else set()
        stored = {case_id: row for case_id, row in rows.items() if row["id"] in inserted}
        _follow_human_outputs(session, current, stored, actor)
        for case_id, row in stored.items():
            status = "corrected" if row["revision"] > 1 else "created"
            results[waiting[case_id].popleft()] = _stored(row["id"], case_id, row["revision"], status)
        waiting = {case_id: turn for case_id, turn in waiting.items() if turn}
        beaten += len(stored) < len(rows)
        if beaten > _BEATEN_AT_MOST:
            raise Unavailable("others are storing human outputs for the same cases; try again")
    send_after_commit(session, "routing.settle")
    return [results[n] for n in range(len(items))]


def _human_output(
    agent: str, item: HumanOutputIn, before: HumanOutput | None, actor: Actor, now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "agent": agent,
        "case_id": item.case_id,
        "revision": before.revision + 1 if before else 1,
        "output": item.output,
        "person": item.person,
        "posted_by": actor.name,
        "occurred_at": item.occurred_at,
        "stored_at": now,
        "superseded": False,
        "unsettled": True,
    }


def _follow_human_outputs(
    session: Session, current: Mapping[str, HumanOutput], stored: Mapping[str, dict[str, Any]], actor: Actor
) -> None:
    """The revisions before are superseded, and every new one is on record."""
    queries.supersede_human_outputs(session, [current[case_id].id for case_id in stored if case_id in current])
    events = [
        audit.event_row(
            actor,
            "human_output.corrected" if row["revision"] > 1 else "human_output.stored",
            row["id"],
            now=row["stored_at"],
            agent=row["agent"],
            case_id=case_id,
            revision=row["revision"],
        )
        for case_id, row in stored.items()
    ]
    queries.insert_rows(session, AuditEvent, events)


def _stored(row_id: UUID, case_id: str, revision: int, status: Any) -> HumanOutputStored:
    return HumanOutputStored(id=row_id, case_id=case_id, revision=revision, status=status)


class ReportDiffers(Conflict):
    code = "report-differs"
    title = "This Idempotency-Key was used for another report"


def report_failure(
    session: Session, row: Decision, body: FailureIn, *, key: str | None, actor: Actor, now: datetime
) -> tuple[Failure, bool]:
    """
    A reported error becomes a failure and a verdict on the decision. The id follows from decision and key,
    so a repeat finds the first report; True when it is new.
    """
    queries.lock_decision(session, row.id)  # a twin of this call with the same key waits here, and then finds it
    failure_id = uuid5(row.id, key) if key is not None else new_id()
    before = session.get(Failure, failure_id)
    if before is not None:
        if (before.severity, before.description) != (body.severity, body.description):
            raise ReportDiffers(f"this key reported “{before.description[:80]}” before; use a new key")
        return before, False
    failure = failures.report(
        session,
        failure_id=failure_id,
        agent=row.agent,
        version=row.version,
        rollout_id=row.rollout_id,
        decision_id=row.id,
        case_id=row.case_id,
        shown_input=row.input,
        severity=body.severity,
        description=body.description,
        correct_output=body.correct_output,
        actor=actor,
        now=now,
    )
    session.add(label_of(failure, row.id))
    row.mark_unsettled()
    send_after_commit(session, "routing.settle")
    return failure, True
