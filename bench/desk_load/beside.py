"""
One case, one reviewer and an agent that waits, here and with awaithumans: each behind its own API, on PostgreSQL.

awaithumans runs as its own `serve` does, in an environment of its own (`requirements-peers.txt`); without it the report
says so. None of this is a claim of ours.
"""

import contextlib
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import uuid4

import httpx2

from bench.decisions import cases
from bench.decisions.load import percentile
from bench.decisions.services import Service, database, wait_for
from bench.evidence.report import Section, Table
from cli.processes import Child, stop_all
from cli.stack import free_port

_ROOT = Path(__file__).resolve().parents[2]
_INTERPRETER = _ROOT / ".venv-bench-desk" / "bin" / "python"
_CYCLES = 30
_ABOUT = (
    "An agent asks about a case of 1 KB and waits with a long poll; half a second to a second and a half later a "
    "reviewer looks for the next case, takes it and approves it, with as many calls as that takes. The agent knows "
    "when its poll is answered: counted from the answer that the reviewer got. One case at a time, both on the same "
    "PostgreSQL; in a whole run all cases of the part above are still in ours. Measured elsewhere and not here: 332 ms "
    "for a cycle with Label Studio."
)


class Product(Protocol):
    """What is done with each of them."""

    def ask(self) -> str:
        """An agent asks a person; the id of what it waits for."""

    def wait(self, asked: str) -> None:
        """The agent waits until it is told."""

    def review(self) -> None:
        """A reviewer looks for the next case, takes it and approves it."""


@dataclass
class Cycles:
    """Milliseconds, in order."""

    asked: list[float] = field(default_factory=list)
    ruled: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


def run(found: Service, server: str, folder: Path) -> Section:
    """Ours, whose agent of the confidence phase has nothing waiting, and awaithumans if it is installed."""
    section = Section("One case, one reviewer, and an agent that waits", _ABOUT)
    table = section.table(
        "what",
        "asked, p50 ms",
        "taken and approved, p50 / p95 ms",
        "the agent knows after p50 / p95 / longest, ms",
    )
    with Ours(found) as ours:
        _line(table, "Phasegate", cycles(ours, _CYCLES))
    if not _INTERPRETER.exists():
        section.left_out.append(
            "awaithumans, which is not installed; `make bench-desk-load` sets it up from "
            "`bench/desk_load/requirements-peers.txt`"
        )
    else:
        with database("postgresql", folder, server) as url, _awaithumans(url, folder) as peer:
            _line(table, f"awaithumans {_version()}", cycles(peer, _CYCLES))
    section.left_out.append("Label Studio, which this program does not set up: no agent waits for it")
    return section


def cycles(product: Product, count: int, *, pause: float = 0.5) -> Cycles:
    """The pauses are spread over a second, so that a poll that looks once in a second is met at all of its moments."""
    made = Cycles()
    for number in range(count + 1):
        began = time.perf_counter()
        asked = product.ask()
        posted = time.perf_counter()
        told: list[float] = []
        waiting = threading.Thread(target=_wait, args=(product, asked, told))
        waiting.start()
        time.sleep(pause + pause * 2 * number / max(count, 1))
        looked = time.perf_counter()
        product.review()
        ruled = time.perf_counter()
        waiting.join(timeout=60)
        if number:  # the first one opens connections and fills caches
            made.asked.append(1000 * (posted - began))
            made.ruled.append(1000 * (ruled - looked))
            made.told.append(1000 * max(told[0] - ruled, 0.0))
    for values in (made.asked, made.ruled, made.told):
        values.sort()
    return made


def _wait(product: Product, asked: str, told: list[float]) -> None:
    product.wait(asked)
    told.append(time.perf_counter())


def _line(table: Table, what: str, made: Cycles) -> None:
    table.add(
        what,
        f"{percentile(made.asked, 0.5):.1f}",
        f"{percentile(made.ruled, 0.5):.1f} / {percentile(made.ruled, 0.95):.1f}",
        f"{percentile(made.told, 0.5):.1f} / {percentile(made.told, 0.95):.1f} / {made.told[-1]:.1f}",
    )


class Ours(contextlib.AbstractContextManager["Ours"]):
    """The agent of the confidence phase, with a case that it is not sure of."""

    def __init__(self, found: Service) -> None:
        keys = found.keys
        self._agent = httpx2.Client(base_url=found.url(), headers=keys[cases.TRUSTED], timeout=60)
        self._rita = httpx2.Client(base_url=found.url(len(found.ports) - 1), headers=keys["rita"], timeout=60)

    def __exit__(self, *_: object) -> None:
        self._agent.close()
        self._rita.close()

    def ask(self) -> str:
        body = cases.case(0.5, f"beside-{uuid4()}")
        answer = self._agent.post(f"/v1/agents/{cases.TRUSTED}/decisions", json=body)
        return str(_json(answer)["id"])

    def wait(self, asked: str) -> None:
        while _json(self._agent.get(f"/v1/decisions/{asked}?wait=60"))["outcome"] is None:
            pass

    def review(self) -> None:
        item = _json(self._rita.post("/v1/queue/claim", json={"agent": cases.TRUSTED}))
        said = {"ruling": "approve", "fingerprint": item["fingerprint"]}
        _json(self._rita.post(f"/v1/reviews/{item['id']}/ruling", json=said))


class _Awaithumans:
    """Its API: a task is created by whoever has the admin token, looked for, claimed and completed by an operator."""

    def __init__(self, agent: httpx2.Client, operator: httpx2.Client) -> None:
        self._agent, self._operator = agent, operator

    def ask(self) -> str:
        case = cases.case(0.5, f"beside-{uuid4()}")
        body = {
            "task": "Approve this payment", "payload": case, "payload_schema": {"type": "object"},
            "response_schema": {"type": "object", "properties": {"approved": {"type": "boolean"}}},
            "timeout_seconds": 3600, "idempotency_key": case["case_id"],
        }  # fmt: skip
        return str(_json(self._agent.post("/api/tasks", json=body))["id"])

    def wait(self, asked: str) -> None:
        while _json(self._agent.get(f"/api/tasks/{asked}/poll?timeout=30"))["status"] != "completed":
            pass

    def review(self) -> None:
        task = _json(self._operator.get("/api/tasks?status=created&unassigned=true&limit=1"))[0]["id"]
        _json(self._operator.post(f"/api/tasks/{task}/claim"))
        _json(self._operator.post(f"/api/tasks/{task}/complete", json={"response": {"approved": True}}))


@contextlib.contextmanager
def _awaithumans(url: str, folder: Path) -> Iterator[_Awaithumans]:
    port, token, password = free_port("127.0.0.1"), secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        # Alembic takes a per cent sign for a variable.
        "AWAITHUMANS_DATABASE_URL": unquote(url.replace("postgresql+psycopg://", "postgresql://")),
        "AWAITHUMANS_PAYLOAD_KEY": secrets.token_urlsafe(32),
        "AWAITHUMANS_ADMIN_API_TOKEN": token,
        "AWAITHUMANS_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    program = [str(_INTERPRETER), "-m", "awaithumans.cli.main"]
    served = [*program, "serve", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    child = Child("awaithumans", served, environment, folder, folder / "awaithumans.log")
    child.start()
    address = f"http://127.0.0.1:{port}"
    try:
        with (
            httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as agent,
            httpx2.Client(base_url=address, timeout=60) as operator,
        ):
            wait_for(lambda: agent.get("/api/health").is_success, "awaithumans")
            first = [*program, "bootstrap-operator", "--email", "rita@example.org", "--password", password]
            subprocess.run(first, env=environment, cwd=folder, check=True, capture_output=True)  # noqa: S603
            signed_in = {"email": "rita@example.org", "password": password}
            operator.post("/api/auth/login", json=signed_in).raise_for_status()
            yield _Awaithumans(agent, operator)
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{child.last_words()}") from None
    finally:
        stop_all([child], within=5)


def _json(answer: httpx2.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


def _version() -> str:
    asked = "import importlib.metadata as m; print(m.version('awaithumans'))"
    said = subprocess.run([str(_INTERPRETER), "-c", asked], capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.strip()
