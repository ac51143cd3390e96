"""
The audit log: what was done stands in the same transaction as the doing, and is sealed a moment later.

Sealing gives events their places in a Merkle tree and signs the root. From then on an event that is altered,
taken away or slipped in does not fit the signed roots, and `verify` names the first one.
"""

import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor, name_of
from governance.audit import queries, signing
from governance.audit.merkle import Frontier, leaf_hash
from governance.audit.tables import AuditCheckpoint, AuditEvent
from kit.ids import new_id

BATCH = 1000
SUBJECT_LENGTH = 200


def record(
    session: Session,
    actor: Actor | str,
    verb: str,
    subject: object,
    *,
    now: datetime,
    agent: str | None = None,
    **detail: Any,
) -> None:
    """Write down that it was done, in the transaction that does it."""
    queries.add(session, [event_row(actor, verb, subject, now=now, agent=agent, **detail)])


def event_row(
    actor: Actor | str, verb: str, subject: object, *, now: datetime, agent: str | None = None, **detail: Any
) -> dict[str, Any]:
    """One event as a row, for those who insert many at once (`queries.add`)."""
    return {
        "id": new_id(),
        "at": now,
        "actor": name_of(actor),
        "verb": verb,
        "subject": _clean(str(subject))[:SUBJECT_LENGTH],
        "agent": agent,
        "detail": {key: _plain(value) for key, value in detail.items()},
        "place": None,
        "leaf": None,
    }


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line per kind
    """A JSON value that both databases give back as it was."""
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return _plain(value.value)
        case str():
            return _clean(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return wire_time(value)
        case date() | UUID():
            return str(value)
        case Mapping():
            return {_clean(str(key)): _plain(item) for key, item in value.items()}
        case AbstractSet():
            return sorted((_plain(item) for item in value), key=str)
        case Sequence():
            return [_plain(item) for item in value]
    return _clean(str(value))


def _clean(text: str) -> str:
    if text.isascii() and "\x00" not in text:  # which is nearly always, and told at a glance
        return text
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def wire_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def canonical(event: AuditEvent | queries.Unsealed) -> bytes:
    """The bytes an event's leaf is made of: everything but its place, keys sorted, no spaces."""
    body = {
        "actor": event.actor,
        "agent": event.agent,
        "at": wire_time(event.at),
        "detail": event.detail,
        "id": str(event.id),
        "subject": event.subject,
        "verb": event.verb,
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events with the places they will get, and the checkpoint over them."""

    places: Sequence[tuple[UUID, int, str]]
    checkpoint: AuditCheckpoint


def next_batch(session: Session, secret: bytes, *, now: datetime) -> Batch | None:
    """
    Work out the places of the events that have none. Writes nothing, so it needs no writer's lock.

    Their order is the order in which they are found: an id is made before its transaction commits, so a
    late commit may come with an earlier id and still stands behind what was sealed before it.
    """
    # Checkpoint first: were it read after the events, another sealer's could already cover them.
    last = queries.last_checkpoint(session)
    events = queries.unsealed(session, BATCH)
    if not events:
        return None
    tree = Frontier.from_stored(last.size, last.frontier) if last is not None else Frontier()
    start, places = tree.size, []
    for event in events:
        leaf = leaf_hash(canonical(event))
        places.append((event.id, tree.size, leaf.hex()))
        tree.append(leaf)
    root = tree.root().hex()
    checkpoint = AuditCheckpoint(
        size=tree.size,
        start=start,
        root=root,
        frontier=tree.stored(),
        signature=signing.sign(secret, tree.size, root, now),
        at=now,
    )
    return Batch(places, checkpoint)


def store(session: Session, batch: Batch) -> int:
    """
    Write a batch down. Of two sealers that start at the same size the second fails with IntegrityError.

    The checkpoint goes first: its unique `start` is what the second sealer waits for and stumbles over.
    """
    session.add(batch.checkpoint)
    session.flush()  # the other sealer, if there is one, surfaces here, before any event is touched
    queries.give_places(session, batch.places)
    return len(batch.places)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that does not fit. `place` is where in the log; `event` its id where there is one."""

    kind: Literal["altered", "missing", "inserted", "checkpoint"]
    place: int
    event: UUID | None
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    events: int
    checkpoints: int
    unsealed: int
    fault: Fault | None


def verify(session: Session, secret: bytes, *, chunk: int = BATCH) -> Verification:
    """Recompute every leaf and every root from the stored events, and name the first that does not fit."""
    size, places = queries.extent(session)
    unsealed = queries.count_unsealed(session)
    tree, checked, fault = Frontier(), 0, None
    while tree.size < size and fault is None:
        stop = min(size, tree.size + chunk)
        points = queries.checkpoints_between(session, tree.size, stop)
        checked += len(points)
        fault = _check_chunk(tree, stop, queries.sealed(session, tree.size, stop - tree.size), points, secret)
        session.expunge_all()  # a log of millions must not pile up in memory
    if fault is None and places > size:
        extra = queries.sealed(session, size, 1)[0]
        words = f"event {extra.id} has place {extra.place}, which no checkpoint covers"
        fault = Fault("inserted", size, extra.id, words)
    return Verification(tree.size, checked, unsealed, fault)


def _check_chunk(
    tree: Frontier, stop: int, events: Sequence[AuditEvent], points: Sequence[AuditCheckpoint], secret: bytes
) -> Fault | None:
    """Walk the tree on to `stop`; each checkpoint passed must have the root we come to, signed by us."""
    waiting, found = list(points), iter(events)
    while tree.size < stop:
        place, event = tree.size, next(found, None)
        if event is None or event.place != place:
            return Fault("missing", place, None, f"the event at place {place} is missing")
        leaf = leaf_hash(canonical(event))
        if leaf.hex() != event.leaf:
            return Fault("altered", place, event.id, f"event {event.id} at place {place} is not what was sealed")
        tree.append(leaf)
        if waiting and waiting[0].size == tree.size and (fault := _check_point(tree, waiting.pop(0), secret)):
            return fault
    return None


def _check_point(tree: Frontier, point: AuditCheckpoint, secret: bytes) -> Fault | None:
    if not signing.is_signed(secret, point.size, point.root, point.at, point.signature):
        return Fault("checkpoint", point.size, None, f"the checkpoint over {point.size} events is not signed by us")
    if tree.root().hex() != point.root:
        words = f"an event from place {point.start} to {point.size - 1} was altered, and its hash with it"
        return Fault("altered", point.start, None, words)
    return None
