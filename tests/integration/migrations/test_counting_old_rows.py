"""Rows of an earlier release, upgraded: what is counted anew must be what the program would have counted."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from kit.db import Database
from kit.ids import new_id
from migrations import chain
from rollout.domain.totals import Counts
from routing.doctor import queries, service

ROLLOUT = UUID("01990000-0000-7000-8000-000000000001")
LATE = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
NEXT = datetime(2026, 1, 6, 0, 30, tzinfo=UTC)


class Old(NamedTuple):
    """A decision as revision 0001 had it; `severity` None: nobody has ruled."""

    lane: str = "auto"
    segment: str = "small"
    phase: str = "confidence"
    confidence: float | None = 0.9
    threshold: float | None = 0.8
    counted_as: str | None = "pending"
    severity: str | None = None
    at: datetime = LATE
    epoch: int = 1


OLD = (
    *[Old()] * 3,  # sure: at or above the threshold
    Old(confidence=0.8),
    Old(lane="review", confidence=0.79, counted_as="agree"),
    Old(lane="review", confidence=None, counted_as="override", severity="minor"),
    Old(lane="review", confidence=0.1, counted_as="override", severity="major"),
    Old(lane="review", confidence=0.1, counted_as="severe", severity="severe"),
    Old(lane="review", confidence=0.1, counted_as="void"),
    Old(lane="review", threshold=None, phase="full", segment="large"),
    Old(lane="audit", counted_as="override", severity="minor", at=NEXT),
    Old(lane="audit", counted_as="override", severity="minor", at=NEXT, epoch=2),
    Old(lane="human", confidence=0.1),  # went elsewhere before any threshold
    Old(lane="shadow", phase="shadow", threshold=None, counted_as="override", severity="minor"),
    Old(lane="review", phase="supervised", confidence=0.1, threshold=None, counted_as="agree"),
    Old(lane="review", confidence=0.1, counted_as="nothing"),
    Old(lane="review", confidence=0.1, counted_as=None),  # the settling has not seen it yet
)


@pytest.fixture
def upgraded(empty_url: str) -> Iterator[Database]:
    chain.upgrade(empty_url, "0001")
    db = Database(empty_url)
    with db.engine.begin() as connection:
        _furnish(connection)
    db.close()
    chain.upgrade(empty_url)
    db = Database(empty_url)
    yield db
    db.close()


def test_totals_of_before_are_what_a_recount_finds(upgraded: Database) -> None:
    with upgraded.read() as session:
        counted, stored = queries.counted_and_stored(session)

    assert stored == counted
    assert len(stored) == len({(old.epoch, old.lane, old.segment, old.at) for old in OLD if old.counted_as})


def test_the_new_counts_are_those_that_were_meant(upgraded: Database) -> None:
    with upgraded.read() as session:
        _, stored = queries.counted_and_stored(session)

    def of(lane: str, segment: str = "small", at: datetime = LATE, epoch: int = 1) -> Counts:
        return stored[ROLLOUT, epoch, lane, segment, at.date()]

    assert (of("auto").low_confidence, of("auto").high_confidence) == (0, 4)
    assert (of("review").minor, of("review").low_confidence, of("review").overridden) == (1, 5, 3)
    assert (of("review", "large").low_confidence, of("human").low_confidence, of("shadow").minor) == (1, 0, 1)
    assert [of("audit", at=NEXT, epoch=epoch).minor for epoch in (1, 2)] == [1, 1]


def test_the_doctor_finds_nothing_after_upgrading(upgraded: Database) -> None:
    with upgraded.read() as session:
        found = service.examine(session, now=LATE)

    assert [one.words for one in found if not one.ok and one.check != "reviews_queued"] == []  # no queue was furnished


def test_going_down_leaves_what_the_earlier_release_counted(upgraded: Database, empty_url: str) -> None:
    chain.downgrade(empty_url, "0001")

    with upgraded.engine.connect() as connection:
        kept = connection.execute(text("SELECT counted_as FROM decisions WHERE counted_as IS NOT NULL"))

    assert sorted(row.counted_as for row in kept) == sorted(old.counted_as for old in OLD if old.counted_as)


def _furnish(connection: Connection) -> None:
    _insert(connection, "people", login="maria", name="Maria", roles="[]", created_at=LATE)
    _insert(
        connection, "agents", name="claims", title="Claims", about="", owner="maria", settings="{}", created_at=LATE,
        revision=1,
    )  # fmt: skip
    _insert(
        connection, "versions", id=ROLLOUT, agent="claims", label="v1", about="", created_at=LATE, created_by="maria"
    )
    _insert(
        connection, "rollouts", id=ROLLOUT, agent="claims", version="v1", standing="stable", phase="confidence",
        phase_since=LATE, epoch=2, ramp_step=0, ramp_since=LATE, policy_revision=1, started_at=LATE, lock=1,
    )  # fmt: skip
    totals: dict[tuple[Any, ...], dict[str, int]] = {}
    for number, old in enumerate(OLD):
        _decision(connection, number, old)
        if old.counted_as not in {None, "nothing"}:
            counts = totals.setdefault((old.epoch, old.lane, old.segment, old.at.date()), dict.fromkeys(_COUNTS, 0))
            for name in ("cases", *_ADDS.get(str(old.counted_as), ())):
                counts[name] += 1
    for (epoch, lane, segment, day), counts in totals.items():
        _insert(connection, "totals", rollout_id=ROLLOUT, epoch=epoch, lane=lane, segment=segment, day=day, **counts)


_COUNTS = ("cases", "agreed", "overridden", "severe", "void", "invalid_output", "invalid_confidence")
_ADDS = {"agree": ("agreed",), "override": ("overridden",), "severe": ("overridden", "severe"), "void": ("void",)}


def _decision(connection: Connection, number: int, old: Old) -> None:
    verdict = {"agree": "agree", "void": "void"}.get(str(old.counted_as), "override" if old.severity else None)
    source = "human_output" if verdict is not None else None
    decision = new_id()
    _insert(
        connection, "decisions", id=decision, agent="claims", case_id=f"case {number}", version="v1", attempt=1,
        body_digest="", confidence=old.confidence, segment=old.segment, route=old.lane, lane=old.lane, reasons="[]",
        rollout_id=ROLLOUT if old.counted_as != "nothing" else None, phase=old.phase, epoch=old.epoch,
        threshold=old.threshold, decided_at=old.at, label=verdict, label_severity=old.severity, label_source=source,
        unsettled=old.counted_as is None, counted_as=old.counted_as,
    )  # fmt: skip
    if verdict is not None:
        _insert(
            connection, "labels", id=new_id(), decision_id=decision, verdict=verdict, severity=old.severity,
            source=source, source_id=new_id(), note="", at=old.at,
        )  # fmt: skip


def _insert(connection: Connection, table: str, **values: Any) -> None:
    """Raw, for the tables of the program are those of today."""
    if connection.dialect.name == "sqlite":
        values = {name: _as_sqlite_has_it(value) for name, value in values.items()}
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)  # noqa: S608


def _as_sqlite_has_it(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value
