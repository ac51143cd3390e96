"""Decisions as the server tells them, clients on function transports, and a small real server that misbehaves."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from phasegate_client import AsyncPhasegate, Phasegate

Handler = Callable[[httpx2.Request], httpx2.Response]


def _stored(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0190a1b2-0000-7000-8000-000000000001",
        "agent": "reader",
        "case_id": "form-1",
        "version": "v1",
        "attempt": 1,
        "route": "auto",
        "reasons": [{"code": "above_threshold", "words": "0.97 is above the threshold of 0.9"}],
        "policy_revision": 3,
        "phase": "confidence",
        "threshold": 0.9,
        "audit": None,
        "ramp_share": 0.25,
        "status": "final",
        "outcome": None,
        "decided_at": "2026-03-02T08:00:00.250000Z",
        **changes,
    }


@pytest.fixture
def stored() -> Callable[..., dict[str, Any]]:
    return _stored


@pytest.fixture
def waiting() -> dict[str, Any]:
    return _stored(route="review", status="waiting", phase="supervised")


@pytest.fixture
def approved() -> dict[str, Any]:
    outcome = {
        "state": "approved",
        "output": "7",
        "reason_code": None,
        "note": "",
        "decided_by": "rita",
        "at": "2026-03-02T09:00:00Z",
        "edited": False,
    }
    return _stored(route="review", phase="supervised", outcome=outcome)


class Asking:
    """The same call through the sync or the async client."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, call: str, *args: Any, base_url: str = "http://phasegate.test", **kwargs: Any) -> Any:
        handler: Handler | None = kwargs.pop("handler", None)
        options = {"agent": "reader", "version": "v1", "timeout": 5.0} | kwargs.pop("options", {})
        transport = httpx2.MockTransport(handler) if handler else None
        if self.kind == "sync":
            with Phasegate(base_url, "secret", transport=transport, **options) as client:
                return getattr(client, call)(*args, **kwargs)

        async def ask() -> Any:
            async with AsyncPhasegate(base_url, "secret", transport=transport, **options) as client:
                return await getattr(client, call)(*args, **kwargs)

        return asyncio.run(ask())


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Asking:
    return Asking(request.param)


class Loopback(ThreadingHTTPServer):
    """A real server on a real port. `behave` gets the request and writes whatever it likes to the socket."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 200  # callers at once; the next ones come again after a second

    def __init__(self, behave: Callable[["Exchange"], None]) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behave = behave
        self.seen: list[bytes] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what these tests are about."""


class Exchange(BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(body)
        self.server.behave(self)

    do_GET = _serve  # noqa: N815 - the names http.server looks for
    do_POST = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, status: int, body: bytes | dict[str, Any], **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def drip(self, piece: bytes, *, every: float, at_most: float) -> None:
        """Write a piece again and again, until released or the time is over."""
        for _ in range(int(at_most / every)):
            if self.server.released.wait(every):
                return
            self.wfile.write(piece)
            self.wfile.flush()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Exchange], None]], Loopback]]:
    servers: list[tuple[Loopback, threading.Thread]] = []

    def start(behave: Callable[[Exchange], None]) -> Loopback:
        server = Loopback(behave)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    with _no_proxy():
        yield start
    for server, thread in servers:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _no_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield
