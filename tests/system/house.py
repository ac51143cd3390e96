"""A whole service of real processes over one database, and what a test does to it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psutil

from cli.processes import Child, stop_all
from cli.stack import Stack, free_port
from kit.clock import SharedClock
from kit.context import Context, make_context
from kit.settings import Settings
from rollout.domain.phase import Phase
from routing.doctor import service as doctor
from tests import factories
from tests.conftest import SECRET

WITHIN = 60.0  # seconds that something may take on a machine that is busy with other things


def soon(condition: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in {within:g} s: {what}"
        time.sleep(0.05)


@dataclass
class House:
    """The stack, a context on its database, and keys; its clock runs with the machine's, ahead of it when moved."""

    stack: Stack
    ctx: Context
    clock: SharedClock
    keys: dict[str, dict[str, str]]
    ahead: timedelta = timedelta()

    def tick(self) -> None:
        """The clock of all processes is only as late as the last call of this."""
        self.clock.set(datetime.now(UTC) + self.ahead)  # noqa: TID251 - this is what moves it

    def client(self, who: str = "claims", *, url: str | None = None, timeout: float = 20.0) -> httpx2.Client:
        return httpx2.Client(base_url=url or self.stack.url, headers=self.keys[who], timeout=timeout)

    def kill(self, *names: str) -> None:
        """kill -9, with everything that the process started."""
        for name in names:
            process = self.stack.child(name).process
            assert process is not None
            family = [process.pid, *(one.pid for one in psutil.Process(process.pid).children(recursive=True))]
            for pid in family:
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def start(self, *names: str) -> None:
        for name in names:
            self.stack.child(name).start()
        if "web" in names:
            self.wait_for_web(self.stack.url)

    def wait_for_web(self, url: str) -> None:
        def ready() -> bool:
            try:
                return httpx2.get(f"{url}/readyz", timeout=2).is_success
            except httpx2.HTTPError:
                return False

        soon(ready, f"{url} answers")

    def settled(self) -> bool:
        """Whether the workers are through with everything but the messages."""
        with self.client() as client:
            backlog = client.get("/v1/backlog", headers=self.keys["owner"]).json()
        return backlog["unsettled_decisions"] == backlog["unsettled_human_outputs"] == 0

    def assert_nothing_contradicts(self) -> None:
        """Every invariant that the doctor knows, with totals equal to a recount."""
        with self.ctx.db.read() as session:
            findings = doctor.examine(session, now=self.ctx.clock.now())
        assert [(one.words, one.examples) for one in findings if not one.ok] == []

    @contextmanager
    def another_web(self) -> Iterator[str]:
        """The address of a second web process on the same database."""
        port = free_port("127.0.0.1")
        argv = [sys.executable, "-m", "uvicorn", "--factory", "web_app:from_environment", "--port", str(port)]
        argv += ["--log-level", "warning", "--no-access-log"]
        child = Child("web-2", argv, self.stack.environment, Path.cwd(), self.stack.logs / "web-2.log")
        child.start()
        try:
            url = f"http://127.0.0.1:{port}"
            self.wait_for_web(url)
            yield url
        finally:
            stop_all([child], within=10)


@contextmanager
def house_on(database_url: str, folder: Path) -> Iterator[House]:
    """
    Agent `claims` with version v1 in supervised and v2 in full production, audited in a third of its cases.
    """
    clock = SharedClock(folder / "clock")
    clock.set(datetime.now(UTC))  # noqa: TID251
    settings = Settings(
        data_dir=folder / "var", database_url=database_url, secret=SECRET, port=0, beat_seconds=0.5,
        clock_file=folder / "clock", webhooks_allow_private=True, log_level="ERROR",
    )  # fmt: skip
    with Stack(settings) as stack:
        ctx = make_context(stack.settings, clock=clock)
        factories.agent(ctx)
        factories.rollout(ctx, version="v1", phase=Phase.SUPERVISED)
        factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=0.3, threshold=0.5)
        for login, role in (("owner", "owner"), ("engineer", "engineer"), ("alice", "reviewer"), ("bob", "reviewer")):
            factories.person(ctx, login, roles=(role,))
        keys = {login: factories.bearer(ctx, login=login) for login in ("owner", "engineer", "alice", "bob")}
        keys["claims"] = factories.bearer(ctx, agent="claims")
        yield House(stack, ctx, clock, keys)
        ctx.db.close()
    clock.close()


def body(case_id: str, **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "version": "v1", "output": "yes", "confidence": 0.9} | fields
