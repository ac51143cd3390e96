"""A whole month leaves at once, and only if nothing in it was written since its files were read."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from kit.context import Context
from rollout.domain.phase import Phase
from routing import tasks as routing_tasks
from routing.archives import files, queries, service, tasks
from routing.archives.tables import Archive, ArchivedTotal
from routing.cases.tables import Decision, DecisionKey
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.test_archives import (
    OLD,
    PUT_THERE,
    STEPS,
    Died,
    count,
    here,
    leave_whole_months,
    told,
    work,
)


@pytest.fixture
def worked(ctx: Context) -> Context:
    return work(ctx)


def test_what_has_changed_in_one_agents_file_makes_no_other_count_twice(
    worked: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month is given up in the second file, after the first was added up; then row by row."""
    factories.agent(worked, "refunds", retention_months=3)
    factories.rollout(worked, agent="refunds", phase=Phase.SHADOW)
    for number in range(3):
        factories.decision(worked, f"r-{number}", agent="refunds")
        factories.human_output(worked, f"r-{number}", "yes", agent="refunds")
    routing_tasks.settle(worked)
    leave_whole_months(worked)
    real = service.register

    def register_and_then(session: Any, archive: Archive, *, now: datetime) -> None:
        real(session, archive, now=now)
        if archive.agent == "refunds":
            row = session.scalars(select(Decision).where(Decision.case_id == "r-2")).one()
            row.label, row.counted_as = "override", "override"

    with monkeypatch.context() as patch:
        patch.setattr(service, "register", register_and_then)
        done = tasks.archive(worked)

    assert (done.dropped, done.kept) == (13, 1)
    assert here(worked) == {"r-2"}
    with worked.db.read() as session:
        assert session.scalar(select(func.sum(ArchivedTotal.first_attempts))) == 13


def test_nobody_waits_while_files_are_read_and_what_is_written_meanwhile_stays(
    worked: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_whole_months(worked)
    really, written = files.chunks, []

    def chunks(*given: Any) -> Iterator[list[bytes]]:
        if not written:
            with worked.db.begin() as session:  # would wait for a lock on the month, and give up
                if worked.db.dialect == "postgresql":
                    session.execute(text("SET LOCAL lock_timeout = '1s'"))
                row = session.scalars(select(Decision).where(Decision.case_id == "c-2")).one()
                row.outcome_detail = {"note": "written meanwhile"}
                written.append(row.id)
        yield from really(*given)

    with monkeypatch.context() as patch:
        patch.setattr(files, "chunks", chunks)
        done = tasks.archive(worked)

    assert (len(written), done.dropped, done.kept) == (1, 10, 1)
    assert here(worked) == {"c-2"}


def test_a_month_that_was_written_in_since_it_was_proven_is_not_emptied(worked: Context) -> None:
    if worked.db.dialect != "postgresql":
        pytest.skip("SQLite has no partitions")
    leave_whole_months(worked)
    with worked.db.read() as session:
        (due,) = service.due(session, worked.clock.now())
    found = service.write(worked, due)
    assert found is not None
    with worked.db.begin() as session:
        service.register(session, found, now=worked.clock.now())
    before, month = service.prove_month(worked, found.month), found.month
    with worked.db.begin() as session:
        session.execute(update(Decision).where(Decision.case_id == "c-2").values(label=Decision.label))
    again = service.prove_month(worked, month)

    assert before is not None
    assert again is not None
    with worked.db.begin() as session:
        assert not service.drop_month(session, before)
    assert count(worked, Decision) == 11
    with worked.db.begin() as session:
        assert service.drop_month(session, again)
    assert count(worked, Decision) == 0


def test_of_two_files_that_overlap_nothing_leaves_that_stands_in_neither(
    worked: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven rows are here, and both files together have eleven lines: of nine rows, two of them twice."""
    leave_whole_months(worked)
    real = queries.leaving
    for cases in (OLD[:6], OLD[4:9]):

        def some(*given: Any, cases: list[str] = cases, **named: Any) -> Any:
            return [row for row in real(*given, **named) if row.case_id in cases]

        with worked.db.read() as session:
            (due,) = service.due(session, worked.clock.now())
        with monkeypatch.context() as patch:
            patch.setattr(queries, "leaving", some)
            found = service.write(worked, due)
        assert found is not None
        with worked.db.begin() as session:
            service.register(session, found, now=worked.clock.now())

    tasks.drop(worked)

    assert here(worked) == {"c-9", "young"}
    with worked.db.read() as session:
        assert session.scalar(select(func.sum(ArchivedTotal.first_attempts))) == 9


def test_the_doctor_excuses_what_is_just_leaving_and_nothing_else(
    worked: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        STEPS["before the month is emptied"](patch)
        with pytest.raises(Died):
            tasks.archive(worked)
    with worked.db.begin() as session:
        session.execute(delete(Decision).where(Decision.case_id == "c-3"))  # what hung on it goes with its chunk
        session.execute(update(ReviewItem).values(decision_id=_id_of(session, "c-3")))
    excused = told(worked)
    with worked.db.begin() as session:
        session.execute(update(ReviewItem).values(decision_id=_id_of(session, "c-4")))  # it is here, and no review
    other_kind = told(worked)
    with worked.db.begin() as session:
        session.execute(update(ReviewItem).values(decision_id=_id_of(session, "c-3"), agent="refunds"))

    assert PUT_THERE not in excused
    assert "1 labels belong to no decision" not in excused
    assert PUT_THERE in other_kind
    assert PUT_THERE in told(worked)


def _id_of(session: Session, case_id: str) -> UUID:
    return session.scalars(select(DecisionKey.decision_id).where(DecisionKey.case_id == case_id)).one()
