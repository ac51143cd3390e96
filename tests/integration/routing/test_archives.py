"""What leaves the database for a file is in the file, is dropped once, and nobody's evidence changes by it."""

import errno
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sqlalchemy import delete, func, select, update

from governance.audit.tables import AuditEvent
from kit import partitions
from kit.clock import FixedClock, SystemClock
from kit.context import Context
from kit.settings import Settings
from rollout.agents.schemas import AgentSettings
from rollout.domain.phase import Phase
from rollout.gates import service as gates
from rollout.versions.tables import Rollout
from routing import tasks as routing_tasks
from routing.archives import files, queries, service, tasks
from routing.archives.tables import Archive
from routing.cases.tables import ComparisonRow, Decision, DecisionKey, HumanOutput, Label
from routing.delivery.tables import OutboxMessage
from routing.doctor import recounting
from routing.doctor import service as doctor
from routing.reviews.tables import ReviewItem
from tests import factories
from web_app import create_app

MUCH_LATER = datetime(2026, 9, 15, tzinfo=UTC)


@pytest.fixture
def worked(ctx: Context) -> Context:
    return work(ctx)


def work(ctx: Context) -> Context:
    """Ten cases of January that people did too, one still in a queue, one of September; nine may leave."""
    factories.agent(ctx, retention_months=3)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for number in range(10):
        factories.decision(ctx, f"c-{number}")
        factories.human_output(ctx, f"c-{number}", "yes" if number % 3 else "no")
    routing_tasks.settle(ctx)
    put_in_queue(ctx, "c-9")
    cast("FixedClock", ctx.clock).set(MUCH_LATER)
    factories.decision(ctx, "young")
    routing_tasks.settle(ctx)
    return ctx


def put_in_queue(ctx: Context, case_id: str) -> None:
    with ctx.db.begin() as session:
        row = session.scalars(select(Decision).where(Decision.case_id == case_id)).one()
        now = ctx.clock.now()
        session.add(
            ReviewItem(
                decision_id=row.id, agent=row.agent, version=row.version, rollout_id=row.rollout_id, case_id=case_id,
                kind="review", fingerprint="f", created_at=now, due_at=now + timedelta(days=999),
            )
        )  # fmt: skip


def here(ctx: Context, table: Any = Decision) -> set[str]:
    with ctx.db.read() as session:
        if hasattr(table, "case_id"):
            return set(session.scalars(select(table.case_id)))
        wanted = select(Decision.case_id).join(table, table.decision_id == Decision.id)
        return set(session.scalars(wanted))


def count(ctx: Context, table: Any) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def in_files(ctx: Context) -> list[str]:
    """The cases of all registered files."""
    with ctx.db.read() as session:
        names = [one.name for one in queries.archives_of(session)]
    found = []
    for name in names:
        with gzip.open(service.folder_of(ctx) / name, "rt", encoding="utf-8") as packed:
            found += [json.loads(line)["decision"]["case_id"] for line in list(packed)[1:]]
    return sorted(found)


PUT_THERE = "1 review items belong to no decision of their kind"


def told(ctx: Context) -> set[str]:
    with ctx.db.read() as session:
        return {one.words for one in doctor.examine(session, now=ctx.clock.now()) if not one.ok}


def wrong(ctx: Context) -> set[str]:
    """But for the item that was put there by hand."""
    return told(ctx) - {PUT_THERE}


OLD = sorted(f"c-{number}" for number in range(9))


def test_old_settled_decisions_leave_with_all_that_hangs_on_them(worked: Context) -> None:
    done = tasks.archive(worked)

    assert [one.decisions for one in done.written] == [9]
    assert (done.dropped, done.kept) == (9, 0)
    assert here(worked) == {"c-9", "young"}
    assert in_files(worked) == OLD
    assert (count(worked, Label), count(worked, ComparisonRow)) == (1, 1)
    assert here(worked, HumanOutput) == {"c-9"}
    assert here(worked, DecisionKey) == {*OLD, "c-9", "young"}
    assert wrong(worked) == set()
    assert all(found.ok for found in recounting.recount(worked, rows=3))


def test_the_same_evidence_is_found_before_and_after(worked: Context) -> None:
    def judged() -> Any:
        with worked.db.begin() as session:
            row = session.scalars(select(Rollout)).one()
            return gates.look(session, row, now=worked.clock.now()).digest

    before = judged()
    tasks.archive(worked)

    assert judged() == before


def test_an_archived_case_is_never_decided_again(worked: Context) -> None:
    with worked.db.read() as session:
        row = session.scalars(select(Decision).where(Decision.case_id == "c-1")).one()
    tasks.archive(worked)
    factories.agent(worked, "refunds")
    mine, others = factories.bearer(worked, agent="claims"), factories.bearer(worked, agent="refunds")

    with TestClient(create_app(worked), headers=mine) as client:
        path = "/v1/agents/claims/decisions"
        body = {"case_id": "c-1", "version": "v1", "output": "yes", "confidence": 0.9}
        answers = [
            client.post(path, json=body),
            client.post(path, json=body | {"output": "another"}),
            client.post(path, json=body | {"attempt": 2}),
            client.get(f"/v1/decisions/{row.id}"),
            client.get("/v1/agents/claims/cases/c-1"),
        ]
        elsewhere = client.get(f"/v1/decisions/{row.id}", headers=others)
        listed = client.get(path, params={"case_id": "c-1"})

    assert [(one.status_code, one.json()["type"]) for one in answers] == [(410, "/problems/case-archived")] * 5
    assert all(name.startswith("claims-") for name in answers[0].json()["archives"])
    assert elsewhere.status_code == 404
    assert listed.json()["items"] == []
    assert count(worked, Decision) == 2


def test_it_is_found_again_in_its_file(worked: Context) -> None:
    with worked.db.read() as session:
        row = session.scalars(select(Decision).where(Decision.case_id == "c-3")).one()
    tasks.archive(worked)

    with worked.db.read() as session:
        found = list(service.find(session, service.folder_of(worked), row.id))

    assert [one["decision"]["case_id"] for one in found] == ["c-3"]
    assert found[0]["labels"][0]["verdict"] == "override"
    assert found[0]["human_outputs"][0]["output"] == "no"
    assert found[0]["comparisons"][0]["kind"] == "different"


class Died(BaseException):
    """As a kill: no handler may tidy up."""


def dying(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool = False, times: int = 1) -> None:
    real, calls = getattr(owner, name), iter(range(1000))

    def dies(*arguments: Any, **named: Any) -> Any:
        if next(calls) < times - 1:
            return real(*arguments, **named)
        if after:
            real(*arguments, **named)
        raise Died

    monkeypatch.setattr(owner, name, dies)


STEPS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before the file has its name": lambda patch: dying(patch, Path, "replace"),
    "before the file is registered": lambda patch: dying(patch, service, "register"),
    "before the month is emptied": lambda patch: dying(patch, service, "prove_month"),
    "while the month is emptied": lambda patch: dying(patch, service, "drop_month", after=True),
    "in the middle of a chunk": lambda patch: dying(patch, queries, "delete_what_hung_on"),
    "at the end of a chunk": lambda patch: dying(patch, service, "drop_chunk", after=True),
    "at the second chunk": lambda patch: dying(patch, service, "drop_chunk", times=2),
    "while it is closed": lambda patch: dying(patch, service, "close", after=True),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_process_may_die_at_any_step(worked: Context, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL all decisions of the month may leave at once, on SQLite some stay."""
    whole = worked.db.dialect == "postgresql"
    if not whole and step == "while the month is emptied":
        pytest.skip("SQLite has no partitions")
    gone = [*OLD, "c-9", "young"] if whole else OLD
    if whole:
        leave_whole_months(worked)
    monkeypatch.setattr(queries, "CHUNK", 4)
    with monkeypatch.context() as patch:
        STEPS[step](patch)
        with pytest.raises(Died):
            tasks.archive(worked)
    assert set(in_files(worked)) | here(worked) >= set(gone)  # nothing is lost at any moment

    tasks.archive(worked)

    assert in_files(worked) == gone
    assert here(worked) == ({*OLD, "c-9", "young"} - set(gone))
    with worked.db.read() as session:
        assert [one.dropped_at for one in queries.archives_of(session)] == [worked.clock.now()]
    if not whole:
        assert wrong(worked) == set()
    assert all(found.ok for found in recounting.recount(worked))
    assert tasks.archive(worked).written == ()


def test_what_changes_between_writing_and_dropping_stays(worked: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    real = service.register

    def register_and_then(session: Any, archive: Archive, *, now: datetime) -> None:
        real(session, archive, now=now)
        row = session.scalars(select(Decision).where(Decision.case_id == "c-2")).one()
        row.label, row.counted_as = "override", "override"

    with monkeypatch.context() as patch:
        patch.setattr(service, "register", register_and_then)
        done = tasks.archive(worked)

    assert (done.dropped, done.kept) == (8, 1)
    assert here(worked) == {"c-2", "c-9", "young"}
    assert "c-2" in here(worked, Label)

    again = tasks.archive(worked)

    assert [(one.part, one.decisions) for one in again.written] == [(2, 1)]
    with worked.db.read() as session:
        held = [one.id for one in queries.archives_of(session)]
        row_id = session.scalars(select(DecisionKey.decision_id).where(DecisionKey.case_id == "c-2")).one()
        (found,) = service.find(session, service.folder_of(worked), row_id)
    assert len(held) == 2
    assert found["decision"]["label"] == "override"


def test_without_its_file_nothing_is_dropped(worked: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        STEPS["before the month is emptied"](patch)
        dying(patch, service, "drop_chunk")
        with pytest.raises(Died):
            tasks.archive(worked)
    (path,) = service.folder_of(worked).glob("*.jsonl.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")

    assert tasks.archive(worked).dropped == 0
    assert set(OLD) <= here(worked)

    path.write_bytes(whole)

    tasks.archive(worked)
    assert here(worked) == {"c-9", "young"}


@pytest.mark.parametrize("reason", ["unsettled", "a message is waiting", "its next attempt is young", "no retention"])
def test_some_stay(worked: Context, reason: str) -> None:
    with worked.db.begin() as session:
        row = session.scalars(select(Decision).where(Decision.case_id == "c-1")).one()
        if reason == "unsettled":
            row.unsettled = True
        elif reason == "a message is waiting":
            session.add(
                OutboxMessage(agent="claims", kind="decision.ruled", subject="w", body={"data": {"id": str(row.id)}},
                              due_at=MUCH_LATER, created_at=MUCH_LATER)
            )  # fmt: skip
        elif reason == "no retention":
            agent = queries.all_agents(session)[0]
            agent.settings = {**agent.settings, "retention_months": None}
    if reason == "its next attempt is young":
        factories.decision(worked, "c-1", attempt=2)
        routing_tasks.settle(worked)

    tasks.archive(worked)

    assert "c-1" in here(worked)
    assert ("c-2" in here(worked)) == (reason == "no retention")


def test_all_attempts_of_a_case_leave_together_and_later_news_changes_no_count(ctx: Context) -> None:
    factories.agent(ctx, retention_months=3)
    factories.rollout(ctx, phase=Phase.SHADOW)
    factories.decision(ctx)
    factories.human_output(ctx)
    routing_tasks.settle(ctx)
    factories.decision(ctx, attempt=2)
    routing_tasks.settle(ctx)
    cast("FixedClock", ctx.clock).set(MUCH_LATER)

    assert tasks.archive(ctx).dropped == 2
    assert here(ctx) == set()
    assert wrong(ctx) == set()


def test_a_full_disk_leaves_no_file_behind(worked: Context) -> None:
    def lines() -> Iterator[bytes]:
        yield b"{}"
        raise OSError(errno.ENOSPC, "no space left")

    folder = service.folder_of(worked)
    with pytest.raises(OSError, match="no space"):
        files.write(folder / "a.jsonl.gz", {}, lines())

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("at", [0, 2**48 - 1])
def test_an_id_that_a_wrong_clock_made_hinders_nothing(worked: Context, at: int) -> None:
    with worked.db.begin() as session:
        session.execute(update(Decision).where(Decision.case_id == "young").values(id=UUID(int=at << 80)))

    assert tasks.archive(worked).dropped == 9


def leave_whole_months(ctx: Context) -> None:
    """Until nothing is young any more and nothing waits."""
    with ctx.db.begin() as session:
        session.execute(delete(ReviewItem))
    cast("FixedClock", ctx.clock).move(timedelta(days=200))


def test_what_was_done_stands_in_the_audit_log_with_the_digest(worked: Context) -> None:
    (archive,) = tasks.archive(worked).written

    with worked.db.read() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.subject == archive.name)).all()
    assert {event.verb for event in events} == {"archive.written", "archive.dropped"}
    assert {event.detail["sha256"] for event in events} == {files.sha256_of(service.folder_of(worked) / archive.name)}


@pytest.mark.parametrize("months", [0, 2, 241])
def test_a_time_that_is_too_short_or_too_long_is_refused(months: int) -> None:
    with pytest.raises(ValidationError, match="retention_months"):
        AgentSettings(retention_months=months)


def test_the_folder_can_be_named() -> None:
    assert Settings(archive_dir=Path("/mnt/cold")).archive_dir == Path("/mnt/cold")


def test_an_id_lies_within_the_bounds_of_its_month(ctx: Context) -> None:
    factories.agent(ctx)
    row = factories.decision(ctx)

    first, end = partitions.bounds(partitions.month_of(SystemClock().now()))

    assert first <= row.id < end
    assert partitions.made_at(UUID(int=first.int)).day == 1
