"""
Both clients behind a wire that misbehaves: whatever is done to it, a person gets the case within the budget, and once
the wire is well again the server knows of it, once.
"""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from phasegate_client import AsyncPhasegate, Phasegate, Route

Stored = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[Any], None]], Any]

BUDGET = 0.5  # seconds
PATIENCE = 10.0


class Wire:
    """A TCP proxy. `fault` says what it does to each connection."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).hostname, urlsplit(target).port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault = "none"
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near, self.fault), daemon=True).start()

    def _serve(self, near: socket.socket, fault: str) -> None:
        with suppress(OSError), near:
            if fault == "reset":
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault == "half open":
                self._over.wait(PATIENCE)  # whatever is sent goes nowhere
            elif fault == "closed at once":
                near.shutdown(socket.SHUT_RDWR)
            else:
                with socket.create_connection(self._target) as far:
                    threading.Thread(target=self._forward, args=(near, far, "none"), daemon=True).start()
                    self._forward(far, near, fault)

    def _forward(self, source: socket.socket, sink: socket.socket, fault: str) -> None:
        with suppress(OSError):
            passed = 0
            while data := source.recv(65536):
                if fault == "answer lost":
                    continue
                if fault == "cut in the answer":
                    sink.sendall(data[:60])
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                if fault == "bytes one by one":
                    for n in range(len(data)):
                        sink.sendall(data[n : n + 1])
                        if self._over.wait(0.03):
                            return
                elif fault == "silent in the answer":
                    sink.sendall(data[: max(0, 60 - passed)])
                    passed += len(data)
                else:
                    sink.sendall(data)

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Server:
    """Stores each case once, by its key, as Phasegate does."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.first: dict[str, bool] = {}  # of a case: whether it was new as handed over
        self.handed_over: list[str] = []

    def __call__(self, exchange: Any) -> None:
        body = json.loads(exchange.server.seen[-1])
        handed_over, case_id = body.get("handed_over", False), body["case_id"]
        self.first.setdefault(case_id, handed_over)
        self.handed_over += [case_id] if handed_over else []
        exchange.answer(201, self._stored(case_id=case_id, route="auto"))


@pytest.fixture
def server(stored: Stored) -> Server:
    return Server(stored)


@pytest.fixture
def wire(serve: Serve, server: Server) -> Iterator[Wire]:
    wire = Wire(serve(server).url)
    yield wire
    wire.close()


class Agent:
    """Decides twice with one client: under the fault, and when it is over."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        self.kind = kind
        self.settings: dict[str, Any] = {
            "base_url": url, "key": "secret", "agent": "reader", "version": "v1", "timeout": BUDGET, "spool": folder,
        }  # fmt: skip

    def under(self, wire: Wire, fault: str) -> tuple[Any, float, int, Any]:
        """The decision, its seconds, what is left in the spool afterwards, and a decision after that."""
        if self.kind == "async":
            return asyncio.run(self._async(wire, fault))
        with Phasegate(**self.settings) as client:
            wire.fault = fault
            started = time.monotonic()
            decision = client.decide(case_id="hurt", output="7")
            seconds = time.monotonic() - started
            wire.fault = "none"
            while not client.health.spool.delivered and time.monotonic() < started + PATIENCE:  # a disk may be busy
                client.flush(PATIENCE)
            return decision, seconds, client.flush(PATIENCE), client.decide(case_id="well", output="7")

    async def _async(self, wire: Wire, fault: str) -> tuple[Any, float, int, Any]:
        async with AsyncPhasegate(**self.settings) as client:
            wire.fault = fault
            started = time.monotonic()
            decision = await client.decide(case_id="hurt", output="7")
            seconds = time.monotonic() - started
            wire.fault = "none"
            while not client.health.spool.delivered and time.monotonic() < started + PATIENCE:
                await client.flush(PATIENCE)
            return decision, seconds, await client.flush(PATIENCE), await client.decide(case_id="well", output="7")


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ("reset", False),
        ("closed at once", False),
        ("half open", False),
        ("answer lost", True),
        ("cut in the answer", True),
        ("silent in the answer", True),
        ("bytes one by one", True),
    ],
)
def test_a_person_gets_the_case_and_the_server_is_told_once(
    wire: Wire, server: Server, tmp_path: Path, kind: str, fault: str, arrived: bool
) -> None:
    decision, seconds, left, later = Agent(kind, wire.url, tmp_path).under(wire, fault)

    assert (decision.route, decision.certain, decision.may_proceed) == (Route.HUMAN, False, False)
    assert decision.spooled or "the disk took longer" in decision.why
    assert seconds < PATIENCE / 2, "the wire would have gone on for longer"
    assert left == 0
    assert server.handed_over == ["hurt"]
    assert server.first["hurt"] is not arrived, "of a try whose answer was lost the server knew already"
    assert later.may_proceed
