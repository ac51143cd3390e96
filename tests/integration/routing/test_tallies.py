"""Draws, work and verdicts by day are what the decisions and their labels add up to, whatever became of them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from migrations import chain
from rollout.domain.phase import Phase
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.archives import tasks as archives
from routing.cases import service as cases
from routing.cases.schemas import FailureIn
from routing.cases.tables import Decision, Label
from routing.doctor import recounting
from routing.doctor import service as doctor
from routing.reviews import service as desk
from routing.reviews.tables import ReviewItem
from routing.tallies import queries
from routing.tallies.queries import DRAWS, KEPT, VERDICT, WORK, Kept, Sums
from routing.tallies.tables import DrawTotal, VerdictTotal, WorkTotal
from tests import factories
from tests.integration.routing.test_blind_arm import reviewed

CASES = 40
HELD = 1.5


def settle(ctx: Context) -> None:
    REGISTRY["routing.settle"].run(ctx)


def stored(ctx: Context, kept: Kept) -> Sums:
    with ctx.db.read() as session:
        return {key: figures for key, figures in queries.stored(session, kept).items() if any(figures)}


def summed(ctx: Context, kept: Kept, **where: Any) -> tuple[int, ...]:
    """All rows with these keys, added up."""
    mine = [
        figures
        for key, figures in stored(ctx, kept).items()
        if all(key[kept.keys.index(name)] == value for name, value in where.items())
    ]
    return tuple(map(sum, zip(*mine, strict=True))) if mine else (0,) * len(kept.counters)


def wrong(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        return [found.words for found in doctor.examine(session, now=ctx.clock.now()) if not found.ok]


def decisions(ctx: Context, **where: Any) -> list[Decision]:
    with ctx.db.read() as session:
        return list(session.scalars(select(Decision).filter_by(**where).order_by(Decision.case_id)))


@pytest.fixture
def house(ctx: Context, clock: FixedClock) -> Context:
    """Forty cases over two hours and days: alone, audited, reviewed in both arms, some of them ruled on."""
    factories.agent(ctx, supervision={"blind_share": 0.5}, retention_months=3)
    rules = {"threshold": 0.8, "audit_rate": 0.5}
    row = factories.rollout(ctx, phase=Phase.CONFIDENCE, **rules)
    factories.change_rollout(ctx, row, ramp_share=0.7, rules=rules)
    rita = factories.actor(ctx, "rita", roles=("reviewer",))
    for half in range(2):
        factories.store(ctx, *(_case(number) for number in range(half, CASES, 2)))
        factories.store(ctx, factories.case(f"u-{half}", version="unknown"))
        settle(ctx)
        with ctx.db.read() as session:
            items = session.scalars(select(ReviewItem).where(ReviewItem.state == "waiting")).all()
        audits, reviews = ([one for one in items if one.kind == kind] for kind in ("audit", "review"))
        for place, item in enumerate(audits + sorted(reviews, key=lambda one: one.case_id)):
            if item.kind == "audit" or place % 3:
                with ctx.db.begin() as session:
                    desk.claim(session, item.id, actor=rita, now=clock.now(), lease=timedelta(minutes=10))
                clock.move(timedelta(seconds=HELD))
                reviewed(ctx, item, rita, right=item.kind == "audit" or place % 2 == 0)
        settle(ctx)
        clock.move(timedelta(hours=25))
    return ctx


def _case(number: int) -> Any:
    return factories.case(
        f"c-{number:02d}", confidence=0.5 if number % 4 == 0 else 0.9, risk="high" if number % 10 == 0 else None
    )


def test_they_are_what_was_decided_drawn_and_said(house: Context) -> None:
    rows = decisions(house, version="v1")
    dealt = [row for row in rows if row.lane in {"review", "auto", "audit"}]
    ramp = [row for row in rows if row.confidence == 0.9 and row.risk is None]
    with house.db.read() as session:
        labels = session.scalars(select(Label)).all()

    assert summed(house, WORK)[0] == len(dealt) == CASES
    assert summed(house, DRAWS, draw="ramp")[0] == len(ramp)
    assert summed(house, DRAWS, draw="audit", lane="audit")[:2] == (sum(row.lane == "audit" for row in rows), 0)
    assert summed(house, VERDICT, person="rita") == (len(labels),)
    assert {key[5] for key in stored(house, VERDICT)} == {"assisted", "blind"}
    assert summed(house, WORK)[1:] == (len(labels), len(labels) * HELD * 1000)
    assert wrong(house) == []


def test_nothing_is_counted_twice_by_settling_again(house: Context) -> None:
    before = [stored(house, kept) for kept in KEPT]
    with house.db.begin() as session:
        session.execute(update(Decision).values(unsettled=True))
    settle(house)

    assert [stored(house, kept) for kept in KEPT] == before


def test_late_verdicts_new_attempts_and_withdrawals_move_them(house: Context, clock: FixedClock) -> None:
    audited = decisions(house, lane="audit", label="agree")[0]
    waiting = decisions(house, lane="review", label=None, superseded_by=None)
    alone = decisions(house, lane="auto")[0]
    clock.move(timedelta(days=3))
    mara = factories.actor(house, "mara")
    with house.db.begin() as session:
        failure, row = FailureIn(severity="severe", description="paid twice"), session.get_one(Decision, audited.id)
        cases.report_failure(session, row, failure, key=None, actor=mara, now=clock.now())
    factories.store(house, factories.case(waiting[0].case_id, attempt=2, confidence=0.5))
    factories.human_output(house, waiting[1].case_id, "no", person="paul")
    factories.human_output(house, alone.case_id, "no")
    before = summed(house, DRAWS, draw="audit")
    settle(house)

    assert summed(house, DRAWS, draw="audit")[2:] == (before[2] + 1, before[3] + 2)
    assert summed(house, VERDICT, source="failure") == (1,)
    assert summed(house, VERDICT, source="human_output", person="") == (1,)
    assert decisions(house, several_verdicts=True)[0].id == audited.id
    assert wrong(house) == []


def test_they_are_recounted_in_chunks_and_what_is_wrong_is_told_and_rebuilt(house: Context) -> None:
    assert all(found.ok for found in recounting.recount(house, rows=5))
    with house.db.begin() as session:
        session.execute(update(WorkTotal).values(cases=WorkTotal.cases + 1))
        session.execute(update(VerdictTotal).values(person="mallory"))
        session.execute(update(DrawTotal).where(DrawTotal.draw == "ramp").values(probability=0.9))

    told = [found for found in recounting.recount(house, rows=5) if not found.ok]
    assert [found.check for found in told] == ["tallies"]
    assert told[0].count > 3
    with house.db.begin() as session:
        assert "tallies" in doctor.repair(session, now=house.clock.now())
    assert wrong(house) == []


def test_what_is_archived_is_taken_away(house: Context, clock: FixedClock) -> None:
    for item in decisions(house, lane="review", label=None):
        factories.human_output(house, item.case_id, "yes", person="paul")
    clock.move(timedelta(days=200))
    REGISTRY["routing.expire"].run(house)
    clock.move(timedelta(days=30))
    REGISTRY["routing.expire"].run(house)
    factories.decision(house, "young")
    settle(house)
    with house.db.begin() as session:
        session.execute(update(ReviewItem).values(state="cancelled", ended_at=clock.now()))
    archives.archive(house)

    left = decisions(house)
    assert [row.case_id for row in left] == ["young"]
    assert summed(house, WORK) == (1, 0, 0)
    assert stored(house, VERDICT) == {}
    assert all(found.ok for found in recounting.recount(house))


def test_the_upgrade_counts_what_is_there_as_settling_would_have(house: Context) -> None:
    late = decisions(house, lane="audit", label="agree")[0]
    factories.human_output(house, late.case_id, "yes", person="paul")
    settle(house)
    before = [stored(house, kept) for kept in KEPT]
    url = house.settings.resolved_database_url
    house.db.engine.dispose()
    chain.downgrade(url, "0015")
    chain.upgrade(url)

    assert [stored(house, kept) for kept in KEPT] == before
    assert [row.id for row in decisions(house, several_verdicts=True)] == [late.id]
    assert wrong(house) == []
