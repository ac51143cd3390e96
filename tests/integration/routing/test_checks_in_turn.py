"""
Checks wait among real work: second opinions and gold cases. Nothing that the queue says of a case may tell which it is,
and none goes before real work because it is late: no work depends on it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.partitions import made_at
from kit.tasks import REGISTRY
from routing import snapshot
from routing.gold.dealing import Dealer
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.desk import claim, claim_next, release, rows, rule
from web_app import create_app

HOURS = timedelta(hours=24)
FIRST_LINE = HOURS / 2
"""How long a real case waits in the first line."""
Web = tuple[TestClient, dict[str, dict[str, str]]]


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(
        ctx, supervision={"blind_share": 0.0, "second_opinion_share": 1.0, "gold_share": 0.5}, undo_seconds=0
    )
    factories.rollout(ctx)


@pytest.fixture
def rita(ctx: Context) -> Actor:
    return factories.actor(ctx, "rita", roles=("reviewer",))


@pytest.fixture
def lena(ctx: Context) -> Actor:
    return factories.actor(ctx, "lena", roles=("lead",))


@pytest.fixture
def web(ctx: Context) -> Iterator[Web]:
    for login, role in (("ravi", "reviewer"), ("omar", "owner")):
        factories.person(ctx, login, roles=(role,))
    keys = {login: factories.bearer(ctx, login=login) for login in ("ravi", "omar")}
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        yield client, keys


def the(ctx: Context, kind: str, case_id: str | None = None) -> ReviewItem:
    [found] = [row for row in rows(ctx, ReviewItem) if row.kind == kind and case_id in {None, row.case_id}]
    item: ReviewItem = found
    return item


def sweep(ctx: Context) -> None:
    for task in ("routing.expire", "routing.release_expired"):
        REGISTRY[task].run(ctx)


def ruled(ctx: Context, clock: FixedClock, who: Actor, case_id: str, after: timedelta) -> datetime:
    """A case that this person rules on when it is so old; returns when it was decided."""
    decision = factories.decision(ctx, case_id)
    clock.move(after)
    sweep(ctx)
    [item] = [row for row in rows(ctx, ReviewItem) if row.case_id == case_id and row.state == "waiting"]
    rule(ctx, who, claim(ctx, who, item.id))
    return decision.decided_at


def verbs(ctx: Context) -> list[str]:
    return [event.verb for event in rows(ctx, AuditEvent)]


class TestASecondOpinion:
    def test_waits_since_its_case_came_where_that_is_not_long_ago(
        self, ctx: Context, clock: FixedClock, rita: Actor
    ) -> None:
        decided = ruled(ctx, clock, rita, "c-1", timedelta(hours=5))

        look = the(ctx, "second")
        assert (look.created_at, look.due_at) == (decided, decided + HOURS)
        assert made_at(look.id) <= decided, "nor does its id tell when it was made"

    def test_is_as_urgent_as_its_case_was_or_a_risk_without_urgency_would_tell(
        self, ctx: Context, clock: FixedClock, rita: Actor, lena: Actor
    ) -> None:
        factories.rollout(ctx, version="v2", review_risks=["high"])
        factories.store(ctx, factories.case("risky", version="v2", risk="high"))
        clock.move(timedelta(minutes=1))
        rule(ctx, rita, claim(ctx, rita, the(ctx, "review").id))
        factories.decision(ctx, "real")

        look = the(ctx, "second")
        assert (look.level, look.priority) == (1, 1)
        first = claim_next(ctx, lena)
        assert (first is not None, first and first.case_id) == (True, "risky")

    def test_waits_since_now_where_any_other_case_would_soon_be_or_is_in_the_second_line(
        self, ctx: Context, clock: FixedClock, lena: Actor, web: Web
    ) -> None:
        client, keys = web
        ruled(ctx, clock, lena, "c-1", timedelta(hours=7))
        ruled(ctx, clock, lena, "c-2", timedelta(hours=13))
        ruled(ctx, clock, lena, "c-3", timedelta(hours=23))
        factories.decision(ctx, "real")
        [last] = [row for row in rows(ctx, ReviewItem) if row.case_id == "c-3" and row.kind == "second"]
        clock.move(timedelta(minutes=1))

        assert (last.level, last.priority, last.created_at + HOURS) == (1, 0, last.due_at)
        listed = client.get("/v1/queue", headers=keys["ravi"]).json()["items"]
        assert [item["case_id"] for item in listed][-2:] == ["c-3", "real"], "in the turn in which they came"
        late = client.get("/v1/queue", params={"due_within": 0}, headers=keys["ravi"]).json()["items"]
        assert late == []

    def test_that_waits_for_long_waits_anew_behind_real_work_until_its_own_time_is_over(
        self, ctx: Context, clock: FixedClock, rita: Actor, lena: Actor
    ) -> None:
        ruled(ctx, clock, rita, "c-1", timedelta(hours=1))
        asked = clock.now()
        clock.move(timedelta(hours=7))
        factories.decision(ctx, "real")
        clock.move(timedelta(hours=1, seconds=1))
        sweep(ctx)

        look = the(ctx, "second")
        assert (look.state, look.level, look.created_at, look.due_at) == (
            "waiting",
            1,
            clock.now(),
            clock.now() + HOURS,
        )
        assert (look.expires_at, "review.overdue" in verbs(ctx)) == (asked + HOURS, False)
        first = claim_next(ctx, lena)
        assert first is not None
        assert first.case_id == "real"
        release(ctx, lena, first)
        clock.set(asked + HOURS + timedelta(seconds=1))
        sweep(ctx)
        assert the(ctx, "second").state == "expired"


class TestTheFirstLine:
    def test_never_shows_anything_that_would_be_in_the_second_if_it_were_real(
        self, ctx: Context, clock: FixedClock, rita: Actor, lena: Actor, web: Web
    ) -> None:
        client, keys = web
        for number, known in enumerate(("right", "wrong")):
            body = {"case_id": f"g-{number}000", "output": known, "output_is": known, "why": "It is known."}
            assert client.post("/v1/agents/claims/gold-cases", json=body, headers=keys["omar"]).status_code == 201
        seen: set[str] = set()
        for hour in range(60):
            if hour < 20:
                factories.decision(ctx, f"w-{hour:03}00")
            if hour in {2, 9, 15, 16}:
                self.rules_the_first(ctx, lena if hour > 12 else rita)
            if hour == 3:
                self.gives_back(ctx, rita)
            clock.move(timedelta(minutes=59))
            sweep(ctx)
            seen |= self.look(ctx, client, keys["ravi"])
            clock.move(timedelta(minutes=1))

        assert seen == {"review", "second", "gold"}
        assert {row.state for row in rows(ctx, ReviewItem) if row.kind == "gold"} == {"cancelled"}
        assert "expired" in {row.state for row in rows(ctx, ReviewItem) if row.kind == "second"}

    def rules_the_first(self, ctx: Context, who: Actor) -> None:
        with ctx.db.read() as session:
            real = session.scalars(
                select(ReviewItem)
                .where(ReviewItem.state == "waiting", ReviewItem.kind == "review", ReviewItem.claimed_by.is_(None))
                .order_by(ReviewItem.level.desc(), ReviewItem.due_at)
            ).first()
        assert real is not None
        rule(ctx, who, claim(ctx, who, real.id))

    def gives_back(self, ctx: Context, who: Actor) -> None:
        with ctx.db.read() as session:
            dealer = Dealer(snapshot.load(session), b"secret")
        gold = claim_next(ctx, who, dealer=dealer)
        assert gold is not None
        assert gold.kind == "gold"
        release(ctx, who, gold)

    def look(self, ctx: Context, client: TestClient, key: dict[str, str]) -> set[str]:
        """Of which kinds are those that are shown."""
        shown: list[dict[str, Any]] = client.get("/v1/queue", params={"limit": 100}, headers=key).json()["items"]
        kinds = {row.id: row.kind for row in rows(ctx, ReviewItem)}
        for item in shown:
            age = ctx.clock.now() - datetime.fromisoformat(item["created_at"])
            assert age <= FIRST_LINE, (item, kinds[UUID(item["id"])])
            assert datetime.fromisoformat(item["due_at"]) > ctx.clock.now()
        return {kinds[UUID(item["id"])] for item in shown}
