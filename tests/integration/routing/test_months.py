"""On PostgreSQL every month has its partition, made before the first decision of it."""

from datetime import date

from sqlalchemy import text

from kit import partitions
from kit.clock import SystemClock
from kit.context import Context
from routing.archives import tasks
from routing.doctor import queries as doctor
from tests import factories


def partition_of(ctx: Context, case_id: str) -> str:
    with ctx.db.read() as session:
        found = text("SELECT tableoid::regclass::text FROM decisions WHERE case_id = :case_id")
        return str(session.scalar(found, {"case_id": case_id}))


def drop(ctx: Context, name: str) -> None:
    with ctx.db.begin() as session:
        session.execute(text(f"DROP TABLE {name}"))


def test_this_month_and_the_next_two_are_there_and_made_again(ctx: Context) -> None:
    coming = [partitions.name_of("decisions", month) for month in partitions.coming(SystemClock().now())]
    if ctx.db.dialect != "postgresql":
        assert tasks.make_months(ctx) == []
        return
    assert tasks.make_months(ctx) == []
    drop(ctx, coming[2])

    assert tasks.make_months(ctx) == [coming[2]]


def test_a_decision_whose_month_has_no_partition_is_stored_told_of_and_moved(ctx: Context) -> None:
    if ctx.db.dialect != "postgresql":
        return
    factories.agent(ctx)
    name = partitions.name_of("decisions", partitions.month_of(SystemClock().now()))
    drop(ctx, name)

    factories.decision(ctx, "lost")

    assert partition_of(ctx, "lost") == "decisions_rest"
    with ctx.db.read() as session:
        assert doctor.beyond_all_months(session)[0] == 1
    assert tasks.make_months(ctx) == [name]
    assert partition_of(ctx, "lost") == name
    with ctx.db.read() as session:
        assert doctor.beyond_all_months(session) == (0, ())


def test_months_are_counted_over_the_years() -> None:
    assert partitions.after(date(2026, 11, 1), 3) == date(2027, 2, 1)
    assert partitions.after(date(2026, 3, 1), -3) == date(2025, 12, 1)
    assert partitions.month_named("decisions", "decisions_2026_02") == date(2026, 2, 1)
    assert partitions.month_named("decisions", "decisions_rest") is None
