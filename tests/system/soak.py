"""
A long run under a mixed load: does any process grow, or keep connections or files that it should give back?

    make soak MINUTES=30

Decisions in every lane, batches and streams, human outputs, rulings over the API and at the desk, failures, waiters,
pages, one that is left open, changes of policy and freezes, on a PostgreSQL of its own. In the end everything must be
there as it was answered, as after a fault.
"""

import argparse
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2
import orjson
import psutil
import psycopg

from governance.people import service as people
from review_ui.pages import BACKGROUND, COOKIE
from tests import factories, servers
from tests.system.load import a_case
from tests.system.postgresql import own_server
from tests.system.scene import Scene, scene, settings_for

CHILDREN = ("valkey", "web", "worker", "delivery", "beat")
PAGES = (
    "/agents", "/agents/claims", "/agents/claims/people", "/agents/refunds", "/agents/claims/watch",
    "/review", "/review/queue?agent=refunds", "/review/past", "/review/me", "/team",
)  # fmt: skip
_HELD = re.compile(r'data-item="([^"]+)"\s+data-fingerprint="([^"]+)"')
MOST_GROWTH = 80  # megabytes, of any process with all it started; pages and first uses warm up for a while
MOST_AN_HOUR = 100  # megabytes, by the slope after warming up,
LONG_ENOUGH = 600  # where it was watched for these seconds: over a shorter time a slope says nothing
A_FEW = 12  # files and connections that come and go
_MEGABYTE = 1024 * 1024


@dataclass
class Series:
    """What was seen of one process and all it started, at each look."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def later(self, values: list[float] | list[int]) -> list[float]:
        """After warming up, which is the first third."""
        return [float(value) for value in values[len(values) // 3 :]]

    @property
    def megabytes_an_hour(self) -> float:
        seconds = self.later(self.seconds)
        if len(seconds) < 3:
            return 0.0
        return statistics.linear_regression(seconds, self.later(self.megabytes)).slope * 3600

    @property
    def has_a_slope(self) -> bool:
        seconds = self.later(self.seconds)
        return seconds[-1] - seconds[0] >= LONG_ENOUGH

    @property
    def growth(self) -> float:
        """Megabytes by which the last quarter lies above the second; a median, so that a moment counts for nothing."""
        quarter = max(len(self.megabytes) // 4, 1)
        return statistics.median(self.megabytes[-quarter:]) - statistics.median(self.megabytes[quarter : 2 * quarter])


@dataclass
class Report:
    minutes: float
    done: Counter[str]
    processes: dict[str, Series]
    connections: list[int]

    def words(self) -> str:
        lines = [f"{self.minutes:.1f} minutes: " + ", ".join(f"{times:,} {what}" for what, times in self.done.items())]
        lines += ["| process | MB after warming up | MB at the end | MB/h since | files, at most early | late |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        for name, seen in self.processes.items():
            early, late = halves(seen.files)
            lines.append(
                f"| {name} | {seen.later(seen.megabytes)[0]:.0f} | {seen.megabytes[-1]:.0f} | "
                f"{seen.megabytes_an_hour:+.1f} | {early} | {late} |"
            )
        early, late = halves(self.connections)
        return "\n".join([*lines, f"connections of PostgreSQL: at most {early} early, {late} late"])

    def troubles(self) -> list[str]:
        """What grew, and what was kept that should have been given back."""
        found = []
        for name, seen in self.processes.items():
            if is_kept(seen.files):
                found.append(f"{name} keeps files open: {seen.files}")
            if seen.growth >= MOST_GROWTH or (seen.has_a_slope and seen.megabytes_an_hour >= MOST_AN_HOUR):
                found.append(f"{name} grows: {[round(one) for one in seen.megabytes]} MB")
        if is_kept(self.connections):
            found.append(f"connections of PostgreSQL are kept: {self.connections}")
        return found


def halves(values: list[int]) -> tuple[int, int]:
    """The most in the first half and in the second."""
    middle = max(len(values) // 2, 1)
    return max(values[:middle]), max(values[middle:] or values)


def is_kept(values: list[int]) -> bool:
    early, late = halves(values)
    return late > early + A_FEW


class Mixed:
    """What is done beside the decisions and rulings of the common load."""

    def __init__(self, it: Scene) -> None:
        self.it = it
        self.done: Counter[str] = Counter()
        self._over = threading.Event()
        token, self._form_token = self._sign_in()
        self._signed_in = {"cookie": f"{COOKIE}={token}"}
        self._desk = ""  # what it shows

    @contextmanager
    def running(self) -> Iterator[None]:
        jobs = [(self.batch, 1.0), (self.stream, 2.0), (self.page, 0.5), (self.desk, 0.3), (self.open_page, 0.1)]
        jobs += [(self.freeze, 5.0), (self.change_policy, 3.0)] + [(self.wait, 0.2)] * 6
        with self.it.load.running(), ThreadPoolExecutor(len(jobs)) as pool:
            work = [pool.submit(self._repeat, job, pause) for job, pause in jobs]
            try:
                yield
            finally:
                self._over.set()
        for one in work:
            one.result()

    def _repeat(self, job: Callable[[httpx2.Client, int], None], pause: float) -> None:
        with httpx2.Client(base_url=self.it.stack.url, timeout=60) as client:
            for number in count():
                if self._over.wait(pause):
                    return
                job(client, number)
                self.done[job.__name__] += 1

    def batch(self, client: httpx2.Client, number: int) -> None:
        cases = [a_case(f"b{number}-{n}", version="v2") for n in range(50)]
        at = "/v1/agents/claims/decisions:batch"
        answer = client.post(at, json={"items": cases}, headers=self.it.load.agents["claims"])
        assert answer.status_code == 200, answer.text
        for case, item in zip(cases, answer.json()["items"], strict=True):
            assert item["status"] == 201, item
            self.it.load.decided["claims", case["case_id"]] = {item["decision"]["id"]}

    def stream(self, client: httpx2.Client, number: int) -> None:
        cases = [a_case(f"s{number}-{n}", version="v2") for n in range(50)]
        lines, at = b"\n".join(map(orjson.dumps, cases)), "/v1/agents/claims/decisions:stream"
        answer = client.post(at, content=lines, headers=self.it.load.agents["claims"])
        *told, summary = map(orjson.loads, answer.text.splitlines())
        assert summary["done"], answer.text
        for one in told:
            assert one["status"] == 201, one
            self.it.load.decided["claims", one["case_id"]] = {one["decision_id"]}

    def page(self, client: httpx2.Client, number: int) -> None:
        answer = client.get(PAGES[number % len(PAGES)], headers=self._signed_in)
        assert answer.status_code == 200, answer.text

    def desk(self, client: httpx2.Client, _number: int) -> None:
        """What a browser sends for one ruling; with the answer come the next case and three ahead of it."""
        form = {"form_token": self._form_token}
        shown = self._desk or self._said(client, "/review/next", form)
        held = _HELD.search(shown)
        self._desk = ""
        if held is not None:
            form |= {"fingerprint": held[2], "ruling": "approve"}
            self._desk = self._said(client, f"/review/{held[1]}/rule", form)
            self.done["ruling at the desk"] += 1

    def _said(self, client: httpx2.Client, path: str, form: dict[str, str]) -> str:
        answer = client.post(path, data=form, headers=self._signed_in | {BACKGROUND: "1"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def open_page(self, client: httpx2.Client, _number: int) -> None:
        """A page of the queue that somebody leaves open: it hears what changes, as it changes."""
        with client.stream("GET", "/review/events", headers=self._signed_in) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                self.done["event"] += line.startswith("event:")
                if self._over.is_set():
                    return

    def freeze(self, client: httpx2.Client, number: int) -> None:
        at = "/v1/agents/claims/versions/v1/rollout/"
        answer = (
            client.post(f"{at}unfreeze", json={"reason": "soak"}, headers=self.it.owner)
            if number % 2
            else client.post(f"{at}freeze", json={"reason": "soak", "mode": "routing"}, headers=self.it.owner)
        )
        assert answer.is_success, answer.text

    def change_policy(self, client: httpx2.Client, number: int) -> None:
        rules = {"threshold": 0.8, "audit_rate": 0.4 + 0.1 * (number % 2), "blocked_actions": ["pay twice"]}
        answer = client.put("/v1/agents/refunds/versions/v1/policy", json=rules, headers=self.it.owner)
        assert answer.is_success, answer.text

    def wait(self, client: httpx2.Client, number: int) -> None:
        """For somebody to rule on one of the newest cases; most waits end with the ruling."""
        newest = list(self.it.load.decided.copy().items())[-40:]  # in one step: others add to it
        agent, ids = next(((case[0], ids) for case, ids in newest[number % 7 :: 7] if ids), (None, None))
        if agent is not None and ids is not None:
            at = f"/v1/decisions/{min(ids)}"
            answer = client.get(at, params={"wait": 5}, headers=self.it.load.agents[agent])
            assert answer.status_code == 200, answer.text

    def _sign_in(self) -> tuple[str, str]:
        """The token of the sign-in, and that of its forms."""
        factories.person(self.it.ctx, "reader", roles=("owner", "reviewer"), password=factories.PASSWORD)
        with self.it.ctx.db.read() as session:
            caller = people.look_up(session, "reader", now=self.it.ctx.clock.now())
        with self.it.ctx.db.begin() as session:
            token, row = people.sign_in(session, caller, now=self.it.ctx.clock.now(), hours=24)
            return token, row.form_token


def soak(folder: Path, seconds: float) -> Report:
    """Raises where anything is lost or done twice; whether anything grew is for `Report.troubles`."""
    with (
        own_server() as server,
        servers.database(server.url, "phasegate") as url,
        scene(settings_for(folder, url)) as it,
    ):
        it.load.pause = 0.05
        mixed, seen, connections = Mixed(it), defaultdict[str, Series](Series), list[int]()
        with mixed.running(), psycopg.connect(url, autocommit=True) as watching:
            began = time.monotonic()
            while (now := time.monotonic() - began) < seconds:
                time.sleep(max(seconds / 120, 0.5))
                it.stack.tend()
                look(it, seen, now)
                found = watching.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'phasegate'").fetchone()
                assert found is not None
                connections.append(found[0])
        done = Counter({"cases": it.decided(), "rulings": len(it.load.ruled), "human outputs": len(it.load.human),
                        "failures": len(it.load.failed), "messages": len(it.receiver.seen)})  # fmt: skip
        done.update({f"times {name}": times for name, times in sorted(mixed.done.items())})
        report = Report(seconds / 60, done, dict(seen), connections)
        print(report.words(), flush=True)
        it.nothing_lost_nothing_twice()
        assert not it.load.heard, it.told()
        return report


def look(it: Scene, seen: dict[str, Series], now: float) -> None:
    for name in CHILDREN:
        first = psutil.Process(it.stack.child(name).process.pid)  # type: ignore[union-attr]
        family = [first, *first.children(recursive=True)]
        seen[name].seconds.append(now)
        seen[name].megabytes.append(sum(process.memory_info().rss for process in family) / _MEGABYTE)
        seen[name].files.append(sum(process.num_fds() for process in family))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="phasegate-soak-") as folder:
        report = soak(Path(folder), minutes * 60)
    print("Nothing was lost and nothing done twice.")
    return verdict(report)


def verdict(report: Report) -> int:
    """The exit code; what went wrong is told."""
    troubles = report.troubles()
    for one in troubles:
        print(one, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
