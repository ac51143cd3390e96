"""Many who wait for people at once, and the decisions of the same client meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from phasegate_client import AsyncPhasegate, Circuit, Phasegate, pools
from phasegate_client.adapters.asgi import Governed

Stored = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[Any], None]], Any]

MANY = 120  # more than one pool of connections has room for
PATIENCE = 20.0  # seconds, where nothing depends on them
SETTINGS: dict[str, Any] = {"agent": "reader", "version": "v1", "timeout": 5.0}


class Desk:
    """Where every poll is parked until somebody rules, and everything else is answered at once."""

    def __init__(self, serve: Serve, decided: dict[str, Any], ruled: dict[str, Any]) -> None:
        self.parked = threading.Semaphore(0)
        self.decided, self.ruled = decided, ruled
        self.server = serve(self._answer)

    def _answer(self, exchange: Any) -> None:
        if exchange.command == "POST":
            exchange.answer(201, self.decided)
            return
        self.parked.release()
        self.server.released.wait()
        exchange.answer(200, self.ruled)

    def wait_until_all_are_parked(self) -> bool:
        return all(self.parked.acquire(timeout=PATIENCE) for _ in range(MANY))

    def rule(self) -> None:
        self.server.released.set()


@pytest.fixture
def desk(serve: Serve, stored: Stored, approved: dict[str, Any]) -> Desk:
    return Desk(serve, stored(), approved)


def ask_with_threads(desk: Desk, decision_id: str) -> tuple[Any, Circuit, list[Any]]:
    with Phasegate(desk.server.url, "secret", **SETTINGS) as client, ThreadPoolExecutor(MANY) as threads:
        waits = [threads.submit(client.wait, decision_id, PATIENCE) for _ in range(MANY)]
        assert desk.wait_until_all_are_parked()
        decision, circuit = client.decide(case_id="form-1", output="7"), client.health.circuit
        desk.rule()
        return decision, circuit, [wait.result() for wait in waits]


def ask_with_tasks(desk: Desk, decision_id: str) -> tuple[Any, Circuit, list[Any]]:
    async def ask() -> tuple[Any, Circuit, list[Any]]:
        async with AsyncPhasegate(desk.server.url, "secret", **SETTINGS) as client:
            waits = [asyncio.create_task(client.wait(decision_id, PATIENCE)) for _ in range(MANY)]
            assert await asyncio.to_thread(desk.wait_until_all_are_parked)
            decision, circuit = await client.decide(case_id="form-1", output="7"), client.health.circuit
            desk.rule()
            return decision, circuit, await asyncio.gather(*waits)

    return asyncio.run(ask())


@pytest.mark.parametrize("ask_all", [ask_with_threads, ask_with_tasks])
def test_however_many_wait_for_people_a_decision_finds_a_connection(
    desk: Desk, waiting: dict[str, Any], ask_all: Callable[..., Any]
) -> None:
    decision, circuit, ruled = ask_all(desk, waiting["id"])

    assert (decision.may_proceed, circuit) == (True, Circuit.CLOSED)
    assert all(one.may_proceed for one in ruled)


async def classify(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'"7"'})


def test_callers_of_a_governed_service_who_wait_for_rulings_take_nothing_from_the_others(desk: Desk) -> None:
    async def ask() -> tuple[int, list[int]]:
        async with AsyncPhasegate(desk.server.url, "secret", **SETTINGS) as gate:
            service = httpx2.ASGITransport(Governed(classify, gate, paths=["/classify"]))
            async with httpx2.AsyncClient(transport=service, base_url="http://agent.test") as caller:
                where = f"/decisions/{desk.decided['id']}?wait=20"
                held = [asyncio.create_task(caller.get(where)) for _ in range(MANY)]
                assert await asyncio.to_thread(desk.wait_until_all_are_parked)
                answer = await caller.post("/classify", headers={"Case-Id": "form-1"})
                desk.rule()
                return answer.status_code, [one.status_code for one in await asyncio.gather(*held)]

    assert asyncio.run(ask()) == (200, [200] * MANY)


@pytest.mark.skipif(pools.resource is None, reason="there are no such limits here")
@pytest.mark.parametrize(("files", "parked"), [(1024, 512), (1_000_000, 5000), (-1, 5000)])
def test_those_who_wait_leave_half_of_the_files_to_others(
    monkeypatch: pytest.MonkeyPatch, files: int, parked: int
) -> None:
    monkeypatch.setattr(pools.resource, "getrlimit", lambda _of: (files, files))

    assert pools.most_at_once() == parked


def test_when_all_pools_are_full_the_emptiest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "most_at_once", lambda: 2 * pools.EACH)
    made: pools.Pools[object] = pools.Pools(object)
    with ExitStack() as taken:
        first = taken.enter_context(made.one())
        for _ in range(2 * pools.EACH - 2):
            taken.enter_context(made.one())
        with made.one() as last:
            assert taken.enter_context(made.one()) is first
        second = taken.enter_context(made.one())

    assert made.all() == [first, second]
    assert last is second
