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
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path

PLACE_OF_ID = "%CASE%"
"""Stands in a body where every request gets a case id of its own, all of one length."""

_ROOT = Path(__file__).resolve().parents[2]
_WIND_DOWN = 30.0  # seconds that outstanding answers may take
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "


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
        lines = {
            "Host": "127.0.0.1",
            "Content-Type": "application/json",
            "Content-Length": str(length),
            **request.headers,
        }
        head = f"POST {request.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.first = head.encode() + b"\r\n" + before
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


class _Connection:
    __slots__ = ("got", "kind", "kinds", "missing", "sent_at", "socket")

    def __init__(self, port: int, kinds: Sequence[_Kind], start: int) -> None:
        # Blocking: it is read when something is there, and a request that fills the buffers may wait.
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kinds = cycle([*kinds[start:], *kinds[:start]])
        self.kind = kinds[start]
        self.sent_at = 0.0
        self.got = b""
        self.missing = 0

    def send(self, names: _Names) -> None:
        self.kind = next(self.kinds)
        request = self.kind.filled(names)
        self.got, self.missing = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def complete(self, data: bytes) -> bool:
        """Whether the answer is whole with this piece."""
        if self.missing:
            self.got += data
            self.missing -= len(data)
            return self.missing <= 0
        self.got = self.got + data if self.got else data
        end = self.got.find(_END_OF_HEAD)
        if end < 0:
            return False
        at = self.got.find(_LENGTH, 0, end)
        if at < 0:
            raise ConnectionError("an answer without a length")
        length = int(self.got[at + len(_LENGTH) : self.got.index(b"\r\n", at)])
        self.missing = end + len(_END_OF_HEAD) + length - len(self.got)
        return self.missing <= 0


class _Tally:
    """What is counted while it runs."""

    def __init__(self, kinds: int) -> None:
        self.latencies: list[float] = []
        self.in_window = 0
        self.by_kind = [0] * kinds
        self.unexpected: Counter[str] = Counter()

    def add(self, connection: _Connection, now: float, *, measured: bool) -> None:
        count = connection.kind.acknowledged(connection.got)
        if count:
            self.by_kind[connection.kind.number] += count
        else:
            self.unexpected[connection.got[9:12].decode()] += 1
        if measured:
            self.latencies.append(now - connection.sent_at)
            self.in_window += count


def fire(job: Job) -> Load:
    """Run the job in this process."""
    gc.disable()  # for a few seconds; nothing here makes cycles
    kinds = [_Kind(request, number) for number, request in enumerate(job.requests)]
    names, tally = _Names(job.run), _Tally(len(kinds))
    selector = selectors.DefaultSelector()
    connections = [_Connection(job.ports[n % len(job.ports)], kinds, n % len(kinds)) for n in range(job.connections)]
    began = time.perf_counter() + job.warm_up
    ends, gives_up = began + job.seconds, began + job.seconds + _WIND_DOWN
    used = math.nan
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(names)
    outstanding = len(connections)
    now = time.perf_counter()
    while outstanding and now < gives_up:
        if now >= began and math.isnan(used):
            used = time.process_time()
        for key, _ in selector.select(1.0):
            connection = key.data
            try:
                whole = _received(connection)
            except OSError as error:
                tally.unexpected[type(error).__name__] += 1
                selector.unregister(connection.socket)
                outstanding -= 1
                continue
            if not whole:
                continue
            now = time.perf_counter()
            tally.add(connection, now, measured=began <= now < ends)
            if now < ends:
                connection.send(names)
            else:
                selector.unregister(connection.socket)
                outstanding -= 1
        now = time.perf_counter()
    if outstanding:
        tally.unexpected["no answer"] += outstanding
    busy = (time.process_time() - used) / (now - began)
    for connection in connections:
        connection.socket.close()
    gc.enable()
    return _load(tally, job, busy)


def _received(connection: _Connection) -> bool:
    data = connection.socket.recv(262144)
    if not data:
        raise ConnectionError("closed by the service")
    return connection.complete(data)


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
    return Firing(job).result()


class Firing:
    """A job under way in a process of its own."""

    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.decisions.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(job)).encode())
        self._process.stdin.close()

    def result(self) -> Load:
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        if self._process.wait():
            raise RuntimeError("the load generator failed; what it said stands above")
        return Load(**json.loads(said))


def main() -> None:
    asked = json.load(sys.stdin)
    asked["requests"] = [Request(**one) for one in asked["requests"]]
    json.dump(asdict(fire(Job(**asked))), sys.stdout)


if __name__ == "__main__":
    main()
