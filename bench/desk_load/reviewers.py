"""
The reviewers: each takes the next case with three ahead, approves it and takes the next, over their own connection.

A process of its own that reads a job as JSON and prints what happened as JSON. `every`: seconds from one case to the
next of each reviewer; 0: as fast as they can. It ends with the last case of the job, or when `within` seconds are over.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_AHEAD = 3


@dataclass(frozen=True)
class Job:
    """`keys`: one for each reviewer. An empty `path` is the desk; else what is posted to twice a cycle instead."""

    ports: list[int]
    keys: list[str]
    cycles: int
    every: float = 0.0
    within: float = 600.0
    path: str = ""


@dataclass
class Worked:
    """
    What came back: seconds of each claim and ruling, how many cases two people had on their desk or next, and what was
    refused. `busy`: seconds of a core that the reviewers took themselves.
    """

    seconds: float = 0.0
    busy: float = 0.0
    claims: list[float] = field(default_factory=list)
    rulings: list[float] = field(default_factory=list)
    handed_twice: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return len(self.rulings) / self.seconds if self.seconds else 0.0


class _Desk:
    """All reviewers of a job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.worked = Worked()
        self.left = job.cycles
        self.lock = threading.Lock()
        self.until = time.monotonic() + job.within
        self.handed: dict[str, int] = {}
        self.twice: set[str] = set()
        self.refused: Counter[str] = Counter()

    def next_one(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0 and time.monotonic() < self.until

    def review(self, number: int) -> None:
        port, key = self.job.ports[number % len(self.job.ports)], self.job.keys[number]
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        due = time.monotonic() + self.job.every * number / len(self.job.keys)
        while self.next_one():
            if self.job.every:
                time.sleep(max(due - time.monotonic(), 0.0))
                due = max(due + self.job.every, time.monotonic())
            self.one(line, key, number)
        line.close()

    def one(self, line: http.client.HTTPConnection, key: str, number: int) -> None:
        path = self.job.path
        claimed, took = _post(line, path or "/v1/queue/claim", key, {"ahead": _AHEAD})
        item = claimed[1]
        if claimed[0] != (201 if path else 200):
            return self.note(f"claim {claimed[0]}")
        if not path:
            self.hand(number, [item["id"], *(one["id"] for one in item["next"])])
        said = {"ruling": "approve", "fingerprint": item.get("fingerprint")}
        ruled, then = _post(line, path or f"/v1/reviews/{item['id']}/ruling", key, said)
        if ruled[0] != 201:
            return self.note(f"ruling {ruled[0]}: {ruled[1].get('type')}")
        with self.lock:
            self.worked.claims.append(took)
            self.worked.rulings.append(then)
        return None

    def hand(self, number: int, ids: list[str]) -> None:
        """A case that this reviewer has while it was, at any time, another one's."""
        with self.lock:
            self.twice.update(one for one in ids if self.handed.setdefault(one, number) != number)

    def note(self, words: str) -> None:
        with self.lock:
            self.refused[words] += 1


def _post(line: http.client.HTTPConnection, path: str, key: str, body: Any) -> tuple[tuple[int, dict[str, Any]], float]:
    began = time.perf_counter()
    headers = {"Authorization": key, "Content-Type": "application/json"}
    line.request("POST", path, json.dumps(body), headers)
    answer = line.getresponse()
    read = answer.read()
    return (answer.status, json.loads(read) if read else {}), time.perf_counter() - began


def work(job: Job) -> Worked:
    desk = _Desk(job)
    threads = [threading.Thread(target=desk.review, args=(number,)) for number in range(len(job.keys))]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.worked.seconds = time.monotonic() - began
    desk.worked.busy = time.process_time()
    desk.worked.handed_twice = len(desk.twice)
    desk.worked.refused = dict(desk.refused)
    return desk.worked


def work_apart(job: Job) -> Worked:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "bench.desk_load.reviewers"]
    done = subprocess.run(  # noqa: S603
        command, input=json.dumps(asdict(job)), capture_output=True, text=True, check=True, cwd=_ROOT
    )
    return Worked(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(work(Job(**json.load(sys.stdin))))))
