"""How the queue is read when very many wait: in the order of an index, never by sorting what waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from governance.actors import Actor
from kit.context import Context
from kit.errors import Invalid
from kit.ids import new_id
from rollout.versions.tables import Rollout
from routing.domain.reach import Need, Reach
from routing.reviews import concluding, overdue, queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow, Spot
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills
from tests import factories

BOTH = Reach((1, 2))
LEASE = timedelta(minutes=10)
WAITING = 4000


@pytest.fixture
def gone(ctx: Context) -> Rollout:
    """Four thousand waiting cases of two agents in both lines, half of them urgent; and a version that is gone."""
    factories.agent(ctx)
    factories.agent(ctx, "refunds")
    rollouts = [factories.rollout(ctx), factories.rollout(ctx, "refunds")]
    past = factories.rollout(ctx, "claims", "v0")
    with ctx.db.begin() as session:
        session.execute(insert(ReviewItem), [_row(ctx, n, rollouts[n % 2]) for n in range(WAITING)])
        session.execute(insert(ReviewItem), [_row(ctx, 0, past)])
    with ctx.db.begin() as session:
        session.execute(text("ANALYZE"))
    return past


def _row(ctx: Context, number: int, rollout: Rollout) -> dict[str, Any]:
    now, level = ctx.clock.now(), 1 + number % 5 // 4
    return {
        "id": new_id(), "decision_id": new_id(), "agent": rollout.agent, "version": "v1", "rollout_id": rollout.id,
        "case_id": f"c-{number}", "kind": ("review", "audit")[number % 7 // 6], "level": level,
        "segment": ("", "north")[number % 11 // 6], "priority": number % 3 // 2,
        "fingerprint": "0" * 64, "created_at": now, "due_at": now + timedelta(seconds=number * 7919 % WAITING),
        "escalates_at": now + timedelta(hours=12) if level == 1 else None,
        "expires_at": now + timedelta(days=1) if level > 1 else None, "state": "waiting",
    }  # fmt: skip


@contextmanager
def plans(ctx: Context) -> Iterator[list[str]]:
    """How every statement on the queue that is sent meanwhile reads it."""
    found: list[str] = []
    sqlite = ctx.db.dialect == "sqlite"

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if "review_items" in statement:
            cursor.execute(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN (FORMAT JSON) ") + statement, parameters)
            rows = cursor.fetchall()
            nodes = [str(row[-1]) for row in rows] if sqlite else _queue_itself(rows[0][0][0]["Plan"])
            found.append(f"{statement}\n" + "\n".join(nodes) + "\n")

    event.listen(ctx.db.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(ctx.db.engine, "before_cursor_execute", explain)


def _queue_itself(node: dict[str, Any]) -> list[str]:
    """
    A plan of PostgreSQL, but for what is asked of each item that is found: how that is looked up depends on what the
    planner knows of tables in which these tests have no rows.
    """
    of_the_queue = node.get("Relation Name") == "review_items"
    below = [one for one in node.get("Plans", ()) if not (of_the_queue and one["Parent Relationship"] == "SubPlan")]
    this = f"{node['Node Type']} on {node.get('Relation Name')} using {node.get('Index Name')}"
    return [this, *(line for one in below for line in _queue_itself(one))]


@pytest.mark.parametrize("agent", [None, "claims"])
@pytest.mark.parametrize("role", ["reviewer", "lead"])
@pytest.mark.usefixtures("gone")
def test_the_next_case_is_found_in_the_order_of_an_index(ctx: Context, role: str, agent: str | None) -> None:
    actor = factories.actor(ctx, "alice", roles=(role,))
    given_back = new_id()

    with plans(ctx) as found, ctx.db.begin() as session:
        item = service.claim_next(
            session, actor=actor, now=ctx.clock.now(), lease=LEASE, narrow=Narrow(agent), but=(given_back,)
        )

    assert item is not None
    looked = [plan for plan in found if " review_items.claimed_by = " not in plan.partition("WHERE")[2]]
    assert len(looked) == (1 if role == "reviewer" else 2)
    for plan in looked:
        _reads_an_index_in_order(plan)


@pytest.mark.usefixtures("gone")
def test_the_next_case_of_a_segment_is_found_in_an_index_of_what_has_one(ctx: Context) -> None:
    actor = factories.actor(ctx, "alice", roles=("reviewer",))
    part = Narrow("claims", "north")

    with plans(ctx) as found, ctx.db.begin() as session:
        service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE, narrow=part)
        service.ahead(session, actor=actor, now=ctx.clock.now(), count=2, narrow=part)

    looked = [plan for plan in found if " review_items.claimed_by = " not in plan.partition("WHERE")[2]]
    assert looked
    for plan in looked:
        assert "ix_review_items_waiting_in_segment" in plan, plan
        _reads_an_index_in_order(plan)


@pytest.mark.usefixtures("gone")
def test_the_next_case_of_who_works_a_part_of_the_queue_is_found_in_the_order_of_an_index(ctx: Context) -> None:
    actor = factories.actor(ctx, "alice", roles=("reviewer",))
    factories.actor(ctx, "pola", roles=("reviewer",))
    with ctx.db.begin() as session:
        skills.set_person(session, "pola", teams=["north"], skills=(), by="tests", now=ctx.clock.now())
        need = Need("claims", "north", team="north")
        skills.set_queues(session, "claims", [need], by="tests", now=ctx.clock.now())

    with plans(ctx) as found, ctx.db.begin() as session:
        item = service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE)

    assert item is not None
    assert (item.agent, item.segment) != ("claims", "north")
    looked = [plan for plan in found if " review_items.claimed_by = " not in plan.partition("WHERE")[2]]
    assert len(looked) == 4  # the agents, the segments of one of them, the first case of each line, the claim
    for plan in looked:
        _reads_an_index_in_order(plan)


NARROWED = [
    {}, {"agent": "claims"}, {"agent": "claims", "segment": "north"}, {"kind": "audit"},
    {"agent": "claims", "kind": "review"}, {"case_id": "c-3999"},
    {"case_id": "c-3999", "agent": "claims", "kind": "audit"},
]  # fmt: skip


@pytest.mark.usefixtures("gone")
def test_every_way_to_narrow_the_queue_reads_an_index(ctx: Context) -> None:
    soon = ctx.clock.now() + timedelta(seconds=WAITING // 10)
    with ctx.db.read() as session:
        everything = dealing.open_page(session, reach=BOTH, limit=WAITING)

    for narrowed, urgent, due in product(NARROWED, (False, True), (None, soon)):
        with plans(ctx) as found, ctx.db.read() as session:
            narrow = Narrow(**narrowed, urgent=urgent, due_before=due)  # type: ignore[arg-type]
            page = [item.id for item in dealing.open_page(session, narrow=narrow, reach=BOTH, limit=50)]

        assert page == [
            item.id for item in everything
            if all(getattr(item, name) == value for name, value in narrowed.items())
            and (not urgent or item.priority > 0) and (due is None or item.due_at < due)
        ][:50]  # fmt: skip
        assert any("ix_review_items_waiting" in plan for plan in found), found
        for plan in found:
            if "review_items.id IN" in plan:
                continue  # those fifty by their ids
            assert "Seq Scan on review_items" not in plan, plan
            assert "SCAN review_items\n" not in plan, plan


def test_the_queue_is_not_narrowed_by_segment_and_kind_at_once() -> None:
    with pytest.raises(Invalid, match="leave out the segment or the kind"):
        Narrow("claims", "north", "audit").check()


@pytest.mark.usefixtures("gone")
def test_people_of_both_lines_get_what_comes_first_in_either(ctx: Context) -> None:
    lead = factories.actor(ctx, "lena", roles=("lead",))
    with ctx.db.read() as session:
        expected = [item.id for item in dealing.open_page(session, reach=BOTH, limit=8)]

    taken = [_take_and_end(ctx, lead) for _ in range(8)]

    assert taken == expected


def _take_and_end(ctx: Context, actor: Actor) -> Any:
    with ctx.db.begin() as session:
        item = service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE)
        assert item is not None
        queries.try_end(session, item.id, actor.name, state="approved", now=ctx.clock.now())
        return item.id


@pytest.mark.usefixtures("gone")
def test_a_page_of_the_queue_is_in_turn_over_both_lines(ctx: Context) -> None:
    with ctx.db.read() as session:
        pages: list[ReviewItem] = []
        beyond = None
        for _ in range(3):
            page = dealing.open_page(session, narrow=Narrow("claims"), reach=BOTH, beyond=beyond, limit=50)
            beyond = Spot(page[-1].priority, page[-1].due_at, page[-1].id)
            pages += page
        front = Spot(pages[120].priority, pages[120].due_at, pages[120].id)
        back = dealing.open_page(session, narrow=Narrow("claims"), reach=BOTH, beyond=front, back=True, limit=30)

    assert [item.id for item in back] == [item.id for item in pages[90:120]]
    turn = [(-item.priority, item.due_at, item.id) for item in pages]
    assert turn == sorted(turn)
    assert len({item.id for item in pages}) == 150
    assert {item.level for item in pages} == {1, 2}


@pytest.mark.usefixtures("gone")
def test_waiting_cases_are_counted_no_further_than_a_thousand(ctx: Context) -> None:
    with ctx.db.read() as session:
        both, second_line = queries.waiting_counts(session, BOTH), queries.waiting_counts(session, Reach((2,)))

    assert both == {"claims": 1000, "refunds": 1000}
    assert second_line == {"claims": 400, "refunds": 400}


@pytest.mark.parametrize(
    "sweep",
    [
        pytest.param(lambda session, now: queries.items_nobody_may_rule(session, now, 200), id="taken back"),
        pytest.param(lambda session, now: overdue.pass_on(session, now, 100), id="overdue"),
        pytest.param(lambda session, now: overdue.expire(session, now, 100), id="expired"),
        pytest.param(lambda session, now: concluding.conclude_due(session, now, 100), id="conclude"),
        pytest.param(service.release_expired, id="leases"),
    ],
)
def test_a_sweep_with_nothing_to_do_does_not_read_all_that_waits(
    ctx: Context, gone: Rollout, sweep: Callable[[Any, Any], Any]
) -> None:
    factories.change_rollout(ctx, gone, phase="shadow")

    with plans(ctx) as found, ctx.db.begin() as session:
        sweep(session, ctx.clock.now())

    assert found
    for plan in found:
        _reads_an_index_in_order(plan)


def test_only_what_waits_for_a_version_that_is_gone_is_taken_back(ctx: Context, gone: Rollout) -> None:
    factories.change_rollout(ctx, gone, phase="shadow")

    with ctx.db.begin() as session:
        found = queries.items_nobody_may_rule(session, ctx.clock.now(), 200)

    assert [item.rollout_id for item in found] == [gone.id]


def _reads_an_index_in_order(plan: str) -> None:
    assert "ix_review_items" in plan, plan
    for word in ("Sort", "TEMP B-TREE", "SCAN review_items\n", "Seq Scan on review_items"):
        assert word not in plan, plan
