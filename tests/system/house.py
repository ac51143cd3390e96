"""A whole service of real processes over one database, and what a test does to it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from cli.processes import Child, stop_all
from cli.stack import Stack, free_port
from kit.context import Context, make_context
from kit.settings import Settings
from rollout.domain.phase import Phase
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
    """The stack, a context on its database, and keys by who has them."""

    stack: Stack
    ctx: Context
    keys: dict[str, dict[str, str]]

    def client(self, who: str = "claims", *, url: str | None = None, timeout: float = 20.0) -> httpx2.Client:
        return httpx2.Client(base_url=url or self.stack.url, headers=self.keys[who], timeout=timeout)

    def wait_for_web(self, url: str) -> None:
        def ready() -> bool:
            try:
                return httpx2.get(f"{url}/readyz", timeout=2).is_success
            except httpx2.HTTPError:
                return False

        soon(ready, f"{url} answers")

    @contextmanager
    def another_web(self, *, redis: bool = True, looks_every: float | None = None) -> Iterator[str]:
        """The address of one more web process on the same database; without Redis, nobody tells it anything."""
        port = free_port("127.0.0.1")
        environment = dict(self.stack.environment)
        if looks_every is not None:
            environment["PHASEGATE_SNAPSHOT_SECONDS"] = str(looks_every)
        if not redis:
            del environment["PHASEGATE_REDIS_URL"]
        argv = [sys.executable, "-m", "uvicorn", "--factory", "web_app:from_environment", "--port", str(port)]
        argv += ["--log-level", "warning", "--no-access-log"]
        name = f"web-{port}"
        child = Child(name, argv, environment, Path.cwd(), self.stack.logs / f"{name}.log")
        child.start()
        try:
            url = f"http://127.0.0.1:{port}"
            self.wait_for_web(url)
            yield url
        finally:
            stop_all([child], within=10)


@contextmanager
def house_on(database_url: str, folder: Path) -> Iterator[House]:
    """Agent `claims` with version v1 in supervised production, and a reviewer."""
    settings = Settings(
        data_dir=folder / "var", database_url=database_url, secret=SECRET, port=0, beat_seconds=0.5,
        log_level="ERROR",
    )  # fmt: skip
    with Stack(settings) as stack:
        ctx = make_context(stack.settings)
        factories.agent(ctx)
        factories.rollout(ctx, version="v1", phase=Phase.SUPERVISED)
        factories.person(ctx, "alice", roles=("reviewer",))
        keys = {"alice": factories.bearer(ctx, login="alice"), "claims": factories.bearer(ctx, agent="claims")}
        try:
            yield House(stack, ctx, keys)
        finally:
            ctx.db.close()


def body(case_id: str, **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "version": "v1", "output": "yes", "confidence": 0.9} | fields
