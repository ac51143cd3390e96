"""What is done in one web process is heard by agents and pages at another; and two thousand may wait in one."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import orjson
import psutil
import pytest
from sqlalchemy import text

from tests import factories
from tests.system.house import House, body, soon

pytestmark = pytest.mark.system


def test_a_long_poll_and_a_page_in_one_process_hear_what_is_done_in_another(house: House) -> None:
    factories.person(house.ctx, "rita", roles=("reviewer",), password=factories.PASSWORD)
    with (
        house.another_web() as other, house.client() as agent, house.client("alice") as desk,
        httpx2.Client(base_url=other, timeout=20) as page,
    ):  # fmt: skip
        page.post("/sign-in", data={"login": "rita", "password": factories.PASSWORD})
        decision = agent.post("/v1/agents/claims/decisions", json=body("polled")).json()
        at = f"{other}/v1/decisions/{decision['id']}"
        with ThreadPoolExecutor(1) as pool:
            poll = pool.submit(agent.get, at, params={"wait": 50}, timeout=60)
            soon(poll.running, "somebody waits")
            queue = desk.get("/v1/queue", params={"limit": 200}).json()["items"]
            mine = next(one for one in queue if one["decision_id"] == decision["id"])
            began = time.monotonic()
            with page.stream("GET", "/review/events") as events:
                told = (orjson.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: "))
                assert mine["id"] not in next(told)["held"]
                item = desk.post(f"/v1/reviews/{mine['id']}/claim").json()
                assert next(now["held"][item["id"]]["by"] for now in told if item["id"] in now["held"]) == "alice"
            said = {"ruling": "edit", "fingerprint": item["fingerprint"], "output": "no"}

            assert desk.post(f"/v1/reviews/{item['id']}/ruling", json=said).status_code == 201

            answer = poll.result().json()
        assert (answer["status"], answer["outcome"]["state"], answer["outcome"]["output"]) == ("final", "edited", "no")
        assert time.monotonic() - began < 20, "it was told by the end of a wait and not by the message"


_CASES, _EACH = 20, 100  # two thousand


def test_two_thousand_wait_in_one_process_hold_no_connection_and_are_all_told(house: House) -> None:
    with house.another_web() as other, house.client() as agent, house.client("alice", url=other) as desk:
        cases = [agent.post("/v1/agents/claims/decisions", json=body(f"many-{n}")).json()["id"] for n in range(_CASES)]
        parked, before = Parked(house, cases * _EACH), database_connections(house)
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(lambda: asyncio.run(parked.all_wait()))
            soon(lambda: parked.count == _CASES * _EACH or answers.done(), "two thousand wait")
            connections = database_connections(house)
            agent.post("/v1/agents/claims/decisions", json=body("meanwhile")).raise_for_status()
            ruled = {one: rule(desk, one) for one in cases}
            found = answers.result(timeout=120)

    assert [one["status"] for one, _ in found] == ["final"] * _CASES * _EACH
    assert {one["outcome"]["state"] for one, _ in found} == {"approved"}
    assert connections <= before + house.stack.settings.pool_size  # what others keep comes and goes
    late = sorted(max(at - ruled[one["id"]], 0.0) for one, at in found)
    middle, last = late[len(late) // 2] * 1000, late[-1] * 1000
    print(
        f"{len(found)} waited with {connections} connections; told {middle:.0f} ms after the ruling, at most {last:.0f}"
    )


class Parked:
    """Callers with a socket each, in the first web process."""

    def __init__(self, house: House, decisions: list[str]) -> None:
        self._decisions = decisions
        self._host, self._port = "127.0.0.1", house.stack.port
        self._key = house.keys["claims"]["Authorization"]
        self._few = asyncio.Semaphore(50)  # who come at the same moment
        self._lock = threading.Lock()
        self.count = 0

    async def all_wait(self) -> list[tuple[dict[str, Any], float]]:
        return await asyncio.gather(*(self._wait(one) for one in self._decisions))

    async def _wait(self, decision: str) -> tuple[dict[str, Any], float]:
        """The answer, and when it came."""
        async with self._few:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            asked = f"GET /v1/decisions/{decision}?wait=60 HTTP/1.1\r\nHost: here\r\nAuthorization: {self._key}\r\n\r\n"
            writer.write(asked.encode())
            await writer.drain()
            self.count += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            at = time.monotonic()
            assert " 200 " in head, head
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            return orjson.loads(await reader.readexactly(length)), at
        finally:
            writer.close()


def rule(desk: httpx2.Client, decision: str) -> float:
    """Approve it; when that was acknowledged."""
    queue = desk.get("/v1/queue", params={"limit": 200}).json()["items"]
    item = desk.post(f"/v1/reviews/{next(one['id'] for one in queue if one['decision_id'] == decision)}/claim").json()
    said = {"ruling": "approve", "fingerprint": item["fingerprint"]}
    assert desk.post(f"/v1/reviews/{item['id']}/ruling", json=said).status_code == 201
    return time.monotonic()


def database_connections(house: House) -> int:
    """Those that everybody has open to PostgreSQL; or how often the first web process has the file open."""
    if house.ctx.db.dialect == "postgresql":
        with house.ctx.db.read() as session:
            count = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(session.scalar(count) or 0)
    web = house.stack.child("web").process
    assert web is not None
    return sum(one.path.endswith("phasegate.db") for one in psutil.Process(web.pid).open_files())
