"""A stream over a real socket: in both directions at once, read late, and cut by a kill; bodies that never end."""

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select as readable
from typing import Any

import httpx2
import psutil
import pytest
from sqlalchemy import func, select

from cli.processes import Child, stop_all
from cli.stack import free_port
from kit.context import Context, make_context
from kit.settings import Settings
from routing.cases.tables import Decision
from tests import factories
from tests.conftest import SECRET
from tests.system.house import WITHIN, soon

pytestmark = pytest.mark.system
SINGLE = "/v1/agents/claims/decisions"
STREAM = f"{SINGLE}:stream"
MANY = int(os.environ.get("PHASEGATE_TEST_STREAM_LINES", "8000"))  # 32 MB


@dataclass
class Web:
    """One web process on SQLite, which can be killed and started again."""

    ctx: Context
    child: Child
    port: int
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        def ready() -> bool:
            try:
                return httpx2.get(f"{self.url}/readyz", timeout=2).is_success
            except httpx2.HTTPError:
                return False

        soon(ready, "the web process answers")

    def kill(self) -> None:
        assert self.child.process is not None
        self.child.process.send_signal(signal.SIGKILL)
        self.child.process.wait()

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=WITHIN)

    def stored(self, prefix: str) -> int:
        with self.ctx.db.read() as session:
            there = select(func.count()).where(Decision.case_id.startswith(f"{prefix}-"))
            return session.scalar(there) or 0


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Web]:
    tmp_path = tmp_path_factory.mktemp("streams")
    shutil.copyfile(migrated_sqlite, tmp_path / "phasegate.db")
    ctx = make_context(Settings(data_dir=tmp_path, secret=SECRET))
    factories.agent(ctx)
    factories.rollout(ctx)
    port = free_port("127.0.0.1")
    argv = [sys.executable, "-m", "uvicorn", "--factory", "web_app:from_environment", "--port", str(port)]
    environment = {"PHASEGATE_DATA_DIR": str(tmp_path), "PHASEGATE_SECRET": SECRET, "PYTHONPATH": str(Path.cwd()),
                   "PHASEGATE_MAX_BODIES_BYTES": "5500000"}  # fmt: skip
    child = Child("web", [*argv, "--log-level", "warning"], environment, Path.cwd(), tmp_path / "web.log")
    made = Web(ctx, child, port, factories.key(ctx, agent="claims")[1])
    child.start()
    try:
        made.wait()
        yield made
    finally:
        stop_all([child], within=10)
        ctx.db.close()


def line(prefix: str, number: int, **fields: Any) -> bytes:
    case = {"case_id": f"{prefix}-{number}", "version": "v1", "output": "yes", "confidence": 0.9} | fields
    return json.dumps(case).encode() + b"\n"


class Talk:
    """A stream by hand: chunks go out when they are sent, lines come in when they are read."""

    def __init__(self, connection: socket.socket, key: str) -> None:
        self._out = connection
        head = (
            f"POST {STREAM} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._out.sendall(head.encode())
        self._in = connection.makefile("rb")
        self._lines: list[bytes] = []
        self._rest = b""

    def send(self, data: bytes) -> None:
        self._out.sendall(b"%x\r\n" % len(data) + data + b"\r\n")

    def end(self) -> None:
        self._out.sendall(b"0\r\n\r\n")

    def answers(self) -> Iterator[dict[str, Any]]:
        """Until the answer ends or is cut."""
        if not self._in.readline().startswith(b"HTTP/1.1 200"):
            return
        while self._in.readline().strip():
            pass
        rest = b""
        while size := int(self._in.readline().strip() or b"0", 16):
            *whole, rest = (rest + self._in.read(size)).split(b"\n")
            self._in.readline()
            yield from map(json.loads, whole)


@contextmanager
def talking(web: Web) -> Iterator[Talk]:
    with socket.create_connection(("127.0.0.1", web.port), timeout=WITHIN) as connection:
        yield Talk(connection, web.key)


def test_a_line_is_answered_while_the_next_is_not_even_sent(web: Web) -> None:
    with talking(web) as talk:
        talk.send(line("talk", 1))
        answers = talk.answers()
        first = next(answers)
        talk.send(line("talk", 2)[:10])
        talk.send(line("talk", 2)[10:] + line("talk", 1))
        second, third = next(answers), next(answers)
        talk.end()
        summary = next(answers)

    assert [(one["line"], one["status"]) for one in (first, second, third)] == [(1, 201), (2, 201), (3, 200)]
    assert summary == {"done": True, "lines": 3, "stored": 2, "repeated": 1, "refused": 0}


def test_a_client_that_reads_only_after_sending_everything_is_answered(web: Web) -> None:
    """More is answered than all buffers between us hold; a server that waited for its reader would never end."""
    bad = b'{"case_id": "' + b"x" * 500 + b'"}\n'  # refused with many words, and without work for the database
    count = 30_000

    with web.client() as client:
        answer = client.post(STREAM, content=(bad * 100 for _ in range(count // 100)))

    *_, last = answer.text.splitlines()
    assert len(answer.content) > 6_000_000
    assert json.loads(last) == {"done": True, "lines": count, "stored": 0, "repeated": 0, "refused": count}


def test_what_was_answered_before_a_kill_is_there_and_the_whole_may_be_sent_again(web: Web) -> None:
    lines = [line("kill", n) for n in range(3000)]
    acknowledged: dict[str, str] = {}
    try:
        with talking(web) as talk:
            talk.send(b"".join(lines[:1500]))
            for told in talk.answers():
                acknowledged[told["case_id"]] = told["decision_id"]
                if len(acknowledged) == 500:
                    web.kill()
    except (OSError, ValueError):
        pass  # the connection died with the process
    web.child.start()
    web.wait()
    before = web.stored("kill")

    with web.client() as client:
        *again, summary = map(json.loads, client.post(STREAM, content=b"".join(lines)).text.splitlines())

    ids = {told["case_id"]: told["decision_id"] for told in again}
    assert 500 <= len(acknowledged) <= before < 3000
    assert {case: ids[case] for case in acknowledged} == acknowledged
    assert (summary["repeated"], summary["stored"]) == (before, 3000 - before)
    assert (web.stored("kill"), len(set(ids.values()))) == (3000, 3000)


def test_a_client_that_leaves_takes_nothing_with_it(web: Web) -> None:
    for _ in range(web.ctx.settings.streams_at_once + 1):  # each gives its place back
        with talking(web) as talk:
            talk.send(line("gone", 1))
            next(talk.answers())
    with web.client() as client:
        soon(lambda: client.post(STREAM, content=line("gone", 2)).is_success, "a stream is taken again")
    assert web.stored("gone") == 2


def test_memory_does_not_grow_with_the_length_of_a_stream(web: Web) -> None:
    assert web.child.process is not None
    process = psutil.Process(web.child.process.pid)

    def sent(client: httpx2.Client, count: int) -> int:
        """How many of so many new cases were stored."""
        lines = (line(f"large-{count}", n, input="x" * 4000) for n in range(count))
        return int(json.loads(client.post(STREAM, content=lines).text.splitlines()[-1])["stored"])

    with web.client() as client:
        assert sent(client, 2000) == 2000
        before = process.memory_info().rss
        assert sent(client, MANY) == MANY
        after = process.memory_info().rss

    print(f"{before / 1e6:.0f} MB after 2,000 lines of 4 kB, {after / 1e6:.0f} MB after {MANY:,} more")
    assert after - before < 20_000_000


def begin(stack: ExitStack, web: Web, key: str, body: bytes, sent: int, path: str = SINGLE) -> socket.socket:
    """A caller who has sent so many bytes of a body and is in no hurry."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=WITHIN))
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body[:sent])
    return connection


def test_bodies_that_never_end_are_refused_beyond_a_sum_and_the_others_go_on(web: Web) -> None:
    cases = [line("slow", n, input="x" * 3_000_000) for n in range(3)]
    with ExitStack() as stack:
        callers = [begin(stack, web, web.key, case, sent=2_000_000) for case in cases]
        (refused,), *_ = readable(callers, [], [], WITHIN)
        told = refused.recv(4096)
        with web.client() as client:
            meanwhile = client.post(SINGLE, json={"case_id": "slow-small", "version": "v1", "output": "yes"})
        answers = []
        for caller, case in zip(callers, cases, strict=True):
            if caller is not refused:
                caller.sendall(case[2_000_000:])
                answers.append(caller.recv(12))
        again = begin(stack, web, web.key, cases[callers.index(refused)], sent=len(cases[0])).recv(12)

    assert told.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 1\r\n" in told
    assert (meanwhile.status_code, answers, again) == (201, [b"HTTP/1.1 201"] * 2, b"HTTP/1.1 201")


@pytest.mark.parametrize("path", [SINGLE, "/v1/agents/claims/human-outputs", "/v1/agents/claims/suites/known"])
def test_a_caller_without_a_good_key_is_told_so_before_the_body_is_there(web: Web, path: str) -> None:
    with ExitStack() as stack:
        assert begin(stack, web, "pgk_wrong", b"{" * 1000, sent=1, path=path).recv(12) == b"HTTP/1.1 401"
