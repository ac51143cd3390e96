"""Those who wait for a ruling: none is overlooked, none holds anything, and there are never too many."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from governance.actors import SYSTEM, Actor
from kit.context import Context
from kit.errors import NotFound, Unavailable
from kit.ids import new_id
from rollout.agents.tables import Agent
from routing import waiting
from routing.cases.tables import Decision
from routing.waiting import Seen, Waiters
from tests import factories
from web_app import create_app

FOR_EVER = 3600.0


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)


@pytest.fixture
def rings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a ring makes the watcher look."""
    monkeypatch.setattr(waiting, "_LOOK_EVERY", FOR_EVER)


def end(ctx: Context, *decisions: Decision) -> None:
    """As a ruling does, but for its message."""
    with ctx.db.begin() as session:
        ended = update(Decision).where(Decision.id.in_([one.id for one in decisions]))
        session.execute(ended.values(outcome="approved", outcome_at=ctx.clock.now(), outcome_detail={"by": "alice"}))


def patient(disconnected: asyncio.Event | None = None) -> Request:
    """A request whose caller stays, or goes when told."""

    async def receive() -> dict[str, str]:
        await (disconnected or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


def inside(waiters: Waiters, work: Callable[[], Awaitable[Any]]) -> Any:
    """On a loop on which the waiters are at home."""

    async def run() -> Any:
        waiters.attach()
        try:
            return await asyncio.wait_for(work(), 60)
        finally:
            waiters.detach()

    return asyncio.run(run())


def seen_as(found: Seen | None) -> bool | None:
    return found.final if found is not None else None


@pytest.mark.usefixtures("rings_alone")
class TestRings:
    def test_wake_those_who_wait_for_it_and_leave_the_others(self, ctx: Context) -> None:
        one, other = factories.decision(ctx, "c-1"), factories.decision(ctx, "c-2")
        waiters = Waiters(ctx)

        async def work() -> tuple[list[bool | None], bool]:
            mine = [asyncio.ensure_future(waiters.wait(one.id, SYSTEM, 50, patient())) for _ in range(3)]
            theirs = asyncio.ensure_future(waiters.wait(other.id, SYSTEM, 50, patient()))
            await until(lambda: waiters._taken == 4)
            await asyncio.to_thread(end, ctx, one)
            waiters.ring(str(one.id))
            found = [seen_as(seen) for seen in await asyncio.gather(*mine)]
            waiting = not theirs.done()
            theirs.cancel()
            return found, waiting

        assert inside(waiters, work) == ([True] * 3, True)

    def test_that_come_while_the_first_look_is_on_its_way_are_not_lost(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decision = factories.decision(ctx)
        waiters = Waiters(ctx)
        really, looks = waiters._read, []

        def read(*wanted: Any) -> Any:
            found = really(*wanted)  # waiting, as it was a moment ago
            looks.append(len(found))
            if len(looks) == 1:
                end(ctx, decision)
                waiters.ring(str(decision.id))
            return found

        monkeypatch.setattr(waiters, "_read", read)

        assert inside(waiters, lambda: waiters.wait(decision.id, SYSTEM, 50, patient())).final
        assert looks == [1, 1]

    @pytest.mark.parametrize("ids", [(), ("1",), ("not", "ids")])
    def test_that_do_not_say_what_ended_make_it_look_for_all(self, ctx: Context, ids: tuple[str, ...]) -> None:
        decision = factories.decision(ctx)
        waiters = Waiters(ctx)

        async def work() -> Seen | None:
            call = asyncio.ensure_future(waiters.wait(decision.id, SYSTEM, 50, patient()))
            await until(lambda: waiters._taken == 1)
            await asyncio.to_thread(end, ctx, decision)
            waiters.ring(*ids)
            return await call

        assert inside(waiters, work).final

    def test_of_many_at_once_are_one_statement(self, ctx: Context) -> None:
        decisions = [factories.decision(ctx, f"c-{number}") for number in range(40)]
        waiters = Waiters(ctx)

        async def work() -> int:
            calls = [asyncio.ensure_future(waiters.wait(one.id, SYSTEM, 50, patient())) for one in decisions * 3]
            await until(lambda: looked(waiters))
            await asyncio.to_thread(end, ctx, *decisions)
            with counted(ctx, "FROM decisions") as statements:
                waiters.ring(*(str(one.id) for one in decisions))
                assert all(seen.final for seen in await asyncio.gather(*calls) if seen is not None)
            return len(statements)

        assert inside(waiters, work) == 1


def test_a_lost_message_delays_an_answer_and_loses_none(ctx: Context) -> None:
    decision = factories.decision(ctx)
    waiters = Waiters(ctx)

    async def work() -> Seen | None:
        call = asyncio.ensure_future(waiters.wait(decision.id, SYSTEM, 50, patient()))
        await until(lambda: waiters._taken == 1)
        await asyncio.to_thread(end, ctx, decision)
        return await call

    assert inside(waiters, work).final


def test_who_hangs_up_leaves_room(ctx: Context) -> None:
    decision = factories.decision(ctx)
    waiters = Waiters(ctx)

    async def work() -> None:
        gone = asyncio.Event()
        call = asyncio.ensure_future(waiters.wait(decision.id, SYSTEM, 50, patient(gone)))
        await until(lambda: looked(waiters))
        gone.set()
        await call

    inside(waiters, work)

    assert (waiters._taken, waiters._places) == (0, {})


class TestDatabaseAway:
    @pytest.fixture
    def away(self, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """While it is set, no look succeeds; looks come often."""
        is_away = threading.Event()
        really = Waiters._read

        def read(*wanted: Any) -> Any:
            if is_away.is_set():
                raise OperationalError("SELECT", {}, Exception("gone"))
            return really(*wanted)

        monkeypatch.setattr(Waiters, "_read", read)
        monkeypatch.setattr(waiting, "_LOOK_EVERY", 0.05)
        return is_away

    def test_is_waited_out(self, ctx: Context, away: threading.Event) -> None:
        decision = factories.decision(ctx)
        waiters = Waiters(ctx)

        async def work() -> Seen | None:
            away.set()
            call = asyncio.ensure_future(waiters.wait(decision.id, SYSTEM, 50, patient()))
            await until(lambda: waiters._away)
            await asyncio.to_thread(end, ctx, decision)
            away.clear()
            return await call

        assert inside(waiters, work).final

    @pytest.mark.parametrize("from_the_start", [True, False])
    def test_to_the_end_is_said_and_not_taken_for_no_ruling(
        self, ctx: Context, away: threading.Event, from_the_start: bool
    ) -> None:
        decision = factories.decision(ctx)
        brief = ctx.settings.model_copy(update={"answer_seconds": 1.0})  # which the first look may take
        waiters = Waiters(Context(brief, ctx.db, ctx.clock, ctx.secret))

        async def work() -> None:
            if from_the_start:
                away.set()
            call = asyncio.ensure_future(waiters.wait(decision.id, SYSTEM, 1, patient()))
            await until(lambda: from_the_start or looked(waiters))
            away.set()
            await call

        with pytest.raises(Unavailable):
            inside(waiters, work)
        assert waiters._taken == 0


class TestWhoMayKnow:
    def test_is_asked_before_anybody_waits(self, ctx: Context) -> None:
        decision = factories.decision(ctx)
        stranger = Actor("agent:refunds", "agent", frozenset(), "refunds")
        waiters = Waiters(ctx)

        with pytest.raises(NotFound):
            inside(waiters, lambda: waiters.wait(decision.id, stranger, 50, patient()))
        assert waiters._taken == 0

    def test_of_what_is_not_there_nobody_waits(self, ctx: Context) -> None:
        waiters = Waiters(ctx)

        assert inside(waiters, lambda: waiters.wait(new_id(), SYSTEM, 50, patient())) is None


class TestOverHttp:
    @pytest.fixture
    def client(self, ctx: Context) -> Iterator[TestClient]:
        small = Context(ctx.settings.model_copy(update={"waiters": 1}), ctx.db, ctx.clock, ctx.secret)
        with TestClient(create_app(small), raise_server_exceptions=False) as client:
            client.headers = factories.bearer(ctx)  # type: ignore[assignment]
            yield client

    def test_one_too_many_is_told_to_come_back(self, ctx: Context, client: TestClient) -> None:
        decision = factories.decision(ctx)
        at = f"/v1/decisions/{decision.id}"
        first: list[Any] = []
        parked = threading.Thread(target=lambda: first.append(client.get(at, params={"wait": 50})))
        parked.start()
        try:
            while not cast("FastAPI", client.app).state.waiters._taken:
                time.sleep(0.01)  # until the first one is there
            refused = client.get(at, params={"wait": 0.01})
            unhindered = client.get(at)
        finally:
            end(ctx, decision)
            parked.join()

        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "1 callers wait here already" in refused.json()["detail"]
        assert unhindered.json()["status"] == "waiting"
        assert first[0].json()["outcome"]["state"] == "approved"

    @pytest.mark.parametrize("wait", [0, 30])
    def test_another_agents_decision_is_not_there(self, ctx: Context, client: TestClient, wait: int) -> None:
        with ctx.db.read() as session:
            owner = session.scalars(select(Agent.owner)).first()
        factories.agent(ctx, "refunds", owner=owner)
        headers = factories.bearer(ctx, agent="refunds")
        decision = factories.decision(ctx)
        answers = [
            client.get(f"/v1/decisions/{found}", params={"wait": wait}, headers=headers)
            for found in (decision.id, UUID(int=7))
        ]

        assert [(answer.status_code, answer.json()["title"]) for answer in answers] == [
            (404, "There is no such thing")
        ] * 2


def looked(waiters: Waiters) -> bool:
    """Everybody who waits has been told how it stands."""
    places = [place for here in waiters._places.values() for place in here]
    return bool(places) and all(place.looked.done() for place in places)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it asks has no event
        await asyncio.sleep(0.005)


@contextmanager
def counted(ctx: Context, words: str) -> Iterator[list[str]]:
    """The statements that hold these words, while it lasts."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if words in " ".join(statement.split()):
            found.append(statement)

    event.listen(ctx.db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(ctx.db.engine, "before_cursor_execute", note)
