"""
The load generator: a process of its own that keeps so many connections busy and counts what comes back.

Lean on purpose, since it shares the machine with what it measures: sockets and a selector, requests cut ready
beforehand, of an answer only its status and its length are read. Every connection sends its next request when
the last one was answered. Run as a program it reads a job as JSON and prints its result as JSON.
"""

import gc
import json
import math
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path

from bench.decisions.wire import Wire
from bench.decisions.wire import request as request_head

PLACE_OF_ID = "%CASE%"
"""Stands in a body where every request gets a case id of its own, all of one length."""

_ROOT = Path(__file__).resolve().parents[2]
_WIND_DOWN = 30.0  # seconds that outstanding answers may take


@dataclass(frozen=True)
class Request:
    """One kind of request. `marker` is what an answer holds once for every decision it acknowledges; empty: one."""

    path: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    expected: int = 201
    marker: str = ""


@dataclass(frozen=True)
class Job:
    """`requests` are sent in turn on every connection; the connections are dealt out to the `ports` in turn."""

    ports: Sequence[int]
    connections: int
    seconds: float
    requests: Sequence[Request]
    run: str
    """Distinguishes the case ids of this job from those of all others; letters and digits."""
    warm_up: float = 0.5


@dataclass(frozen=True)
class Load:
    """What came back. Rates and latencies are of the measured window, the counts of all that was ever sent."""

    decisions: float
    """Acknowledged a second."""
    answers: int
    p50: float
    p99: float
    longest: float
    acknowledged: int
    """Decisions, warm-up and winding down included: so many rows must be there."""
    requests_by_kind: tuple[int, ...]
    """Of `acknowledged`, by the requests of the job in their order."""
    unexpected: dict[str, int]
    """Answers with another status, by status; and connections that broke."""
    busy: float
    """Share of a core that this process took."""


class _Kind:
    """A request cut at the places of its ids, and what its answer must look like."""

    def __init__(self, request: Request, number: int) -> None:
        before, *after = (part.encode() for part in request.body.split(PLACE_OF_ID))
        length = len(before) + sum(len(part) + _ID_LENGTH for part in after)
        head = request_head("POST", request.path, request.headers, length=length)
        self.first = head + before
        self.rest = after
        self.number = number
        self.expected = f"HTTP/1.1 {request.expected} ".encode()
        self.marker = request.marker.encode()

    def filled(self, names: "_Names") -> bytes:
        parts = [self.first]
        for part in self.rest:
            parts += (names.next(), part)
        return b"".join(parts)

    def acknowledged(self, answer: bytes) -> int:
        """How many decisions this answer acknowledges; 0 where the status is another."""
        if not answer.startswith(self.expected):
            return 0
        return answer.count(self.marker) if self.marker else 1


_ID_LENGTH = 24


class _Names:
    """Case ids of one length."""

    def __init__(self, run: str) -> None:
        self._first, self._digits = run.encode(), _ID_LENGTH - len(run)
        self._count = 0

    def next(self) -> bytes:
        self._count += 1
        return self._first + b"%0*d" % (self._digits, self._count)


class _Connection(Wire):
    __slots__ = ("kind", "kinds")

    def __init__(self, port: int, kinds: Sequence[_Kind], start: int) -> None:
        super().__init__(port)
        self.kinds = cycle([*kinds[start:], *kinds[:start]])
        self.kind = kinds[start]

    def send_next(self, names: _Names) -> None:
        self.kind = next(self.kinds)
        self.send(self.kind.filled(names))


class _Tally:
    """What is counted while it runs."""

    def __init__(self, kinds: int) -> None:
        self.by_kind = [0] * kinds
        self.unexpected: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.in_window = 0
        self._measuring = False

    def begin(self) -> None:
        self._measuring = True

    def end(self) -> None:
        self._measuring = False

    def add(self, connection: _Connection, now: float) -> None:
        count = connection.kind.acknowledged(connection.answer)
        if count:
            self.by_kind[connection.kind.number] += count
        else:
            self.unexpected[connection.status] += 1
        if self._measuring:
            self.latencies.append(now - connection.sent_at)
            self.in_window += count


def fire(job: Job) -> Load:
    """Run the job in this process."""
    kinds = [_Kind(request, number) for number, request in enumerate(job.requests)]
    names, tally = _Names(job.run), _Tally(len(kinds))
    connections = [_Connection(job.ports[n % len(job.ports)], kinds, n % len(kinds)) for n in range(job.connections)]
    began = time.perf_counter() + job.warm_up
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.send_next(names)
        gc.disable()  # for a few seconds; nothing here makes cycles
        _serve(selector, names, tally, until=began)
        tally.begin()
        used = time.process_time()
        _serve(selector, names, tally, until=began + job.seconds)
        used = time.process_time() - used
        tally.end()
        _serve(selector, None, tally, until=began + job.seconds + _WIND_DOWN)
        gc.enable()
        if unanswered := len(selector.get_map()):
            tally.unexpected["no answer"] += unanswered
    for connection in connections:
        connection.close()
    return _load(tally, job, used / job.seconds)


def _serve(selector: selectors.BaseSelector, names: _Names | None, tally: _Tally, *, until: float) -> None:
    """Read answers and send the next requests until then; without `names` nothing more is sent."""
    now = time.perf_counter()
    while selector.get_map() and now < until:
        for key, _ in selector.select(until - now):
            connection: _Connection = key.data
            try:
                if not connection.receive():
                    continue
                tally.add(connection, time.perf_counter())
                if names is not None:
                    connection.send_next(names)
                    continue
            except OSError as error:
                tally.unexpected[type(error).__name__] += 1
            selector.unregister(connection)
        now = time.perf_counter()


def _load(tally: _Tally, job: Job, busy: float) -> Load:
    ordered = sorted(tally.latencies)
    return Load(
        decisions=tally.in_window / job.seconds,
        answers=len(ordered),
        p50=percentile(ordered, 0.5),
        p99=percentile(ordered, 0.99),
        longest=ordered[-1] if ordered else math.nan,
        acknowledged=sum(tally.by_kind),
        requests_by_kind=tuple(tally.by_kind),
        unexpected=dict(tally.unexpected),
        busy=busy,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the sorted values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def fire_apart(job: Job) -> Load:
    """Run the job in a process of its own."""
    said = subprocess.run(
        [sys.executable, "-m", "bench.decisions.load"],
        input=json.dumps(asdict(job)).encode(),
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        check=True,
    )
    return Load(**json.loads(said.stdout))


def main() -> None:
    asked = json.load(sys.stdin)
    asked["requests"] = [Request(**one) for one in asked["requests"]]
    json.dump(asdict(fire(Job(**asked))), sys.stdout)


if __name__ == "__main__":
    main()
