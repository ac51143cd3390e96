"""
What two hundred open pages of the desk cost: `python -m bench.pages [--pages 200] [--seconds 30]`.

The whole service on PostgreSQL as `phasegate up` starts it, with one web process, and as many connections to
`/review/events` as there are pages, each with a socket of its own. The core and the memory of the web process are taken
without a page and with all of them; each time while nothing happens, and while a case arrives twice a second.
"""

import argparse
import asyncio
import json
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from bench.decisions.services import database, folder_for_servers, postgres
from tests import factories
from tests.system.house import House, body, house_on

_OUT = Path(__file__).resolve().parents[1] / "pages.md"
_EVERY = 0.5  # seconds from one case to the next
_SETTLES = 3.0  # seconds until nothing of what was done before is still under way


@dataclass
class Pages:
    """Open pages, and when each of them heard how many cases wait."""

    heard: dict[int, list[float]] = field(default_factory=dict)
    events: int = 0
    open: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def read(self, port: int, cookie: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /review/events HTTP/1.1\r\nHost: here\r\nCookie: {cookie}\r\n\r\n".encode())
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if " 200 " not in head.splitlines()[0]:
            raise RuntimeError(head)
        self.open.release()
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    self.events += 1
                    self.heard.setdefault(json.loads(line[6:])["left"], []).append(time.monotonic())
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the web process: the share of a core, and its memory in MiB."""

    core: float
    memory: float


def _signed_in(house: House) -> str:
    factories.person(house.ctx, "rita", roles=("reviewer",), password=factories.PASSWORD)
    with httpx2.Client(base_url=house.stack.url) as page:
        page.post("/sign-in", data={"login": "rita", "password": factories.PASSWORD})
        return "; ".join(f"{name}={value}" for name, value in page.cookies.items())


async def _arrivals(house: House, seconds: float, sent: list[float]) -> None:
    async with httpx2.AsyncClient(base_url=house.stack.url, headers=house.keys["claims"]) as agent:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            answer = await agent.post("/v1/agents/claims/decisions", json=body(f"c-{len(sent)}"))
            answer.raise_for_status()
            sent.append(time.monotonic())
            await asyncio.sleep(max(0.0, began + _EVERY - time.monotonic()))


async def _measure(web: psutil.Process, seconds: float, house: House, sent: list[float] | None = None) -> Measured:
    """Over so many seconds; with the times at which cases were stored, cases arrive meanwhile."""
    await asyncio.sleep(_SETTLES)
    began, before = time.monotonic(), sum(web.cpu_times()[:2])
    await (asyncio.sleep(seconds) if sent is None else _arrivals(house, seconds, sent))
    core = (sum(web.cpu_times()[:2]) - before) / (time.monotonic() - began)
    return Measured(core, web.memory_info().rss / 2**20)


async def _all(house: House, pages: int, seconds: float) -> str:
    process = house.stack.child("web").process
    if process is None:
        raise RuntimeError("the web process is not there")
    web, cookie, sent, found = psutil.Process(process.pid), _signed_in(house), list[float](), dict[str, Measured]()
    found["no page, nothing happens"] = await _measure(web, seconds, house)
    found["no page, a case twice a second"] = await _measure(web, seconds, house, sent)
    opened = Pages()
    reading = [asyncio.create_task(opened.read(house.stack.port, cookie)) for _ in range(pages)]
    for _ in reading:
        await opened.open.acquire()
    await asyncio.sleep(_SETTLES)
    heard = opened.events
    found[f"{pages} pages, nothing happens"] = await _measure(web, seconds, house)
    silent, before = opened.events - heard, len(sent)
    found[f"{pages} pages, a case twice a second"] = await _measure(web, seconds, house, sent)
    await asyncio.sleep(_SETTLES)
    # All are told the same, so a page knows of a case when it hears of as many as there were then, or more.
    knew = [(left, max(at)) for left, at in opened.heard.items() if len(at) >= pages]
    late = sorted(
        min(at for left, at in knew if left > number) - stored for number, stored in enumerate(sent) if number >= before
    )
    for one in reading:
        one.cancel()
    return _report(pages, seconds, found, silent, late)


def _report(pages: int, seconds: float, found: dict[str, Measured], silent: int, late: list[float]) -> str:
    rows = "\n".join(f"| {name} | {one.core:.1%} | {one.memory:.0f} MiB |" for name, one in found.items())
    middle, last = late[len(late) // 2], late[-1]
    command = f"python -m bench.pages --pages {pages} --seconds {seconds:g}"
    where = f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}"
    return f"""# Open pages, measured

`{command}`: one web process, PostgreSQL, Valkey and the workers on one machine
({where}); each page is a connection to `/review/events`. Of the web process alone:

| | of a core | memory |
|---|--:|--:|
{rows}

While nothing happened the {pages} pages were told {silent} times. Of a new case all of them knew {middle:.1f} s after
it was stored in the median, and {last:.1f} s at most: a process looks at most twice a second.
"""


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--pages", type=int, default=200)
    reader.add_argument("--seconds", type=float, default=30.0)
    wanted = reader.parse_args()
    with (
        folder_for_servers() as folder,
        postgres(folder) as server,
        database("postgresql", folder, server) as url,
        house_on(url, folder) as house,
    ):
        report = asyncio.run(_all(house, wanted.pages, wanted.seconds))
    _OUT.write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
