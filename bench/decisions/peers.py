"""Other ways to park a case for a person, in an environment of their own: optional, and compared by the no-op."""

import contextlib
import os
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import psycopg

from bench.decisions import cases, cell, services
from bench.decisions.effort import Effort
from bench.decisions.load import Load, fire_apart
from bench.decisions.peer_apps import PATH
from bench.evidence.report import Section, Table
from cli.processes import Child, stop_all
from cli.stack import free_port, web_command

_ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = _ROOT / ".venv-bench-decisions" / "bin" / "python"
_CONNECTIONS = 64

_ABOUT = (
    "One call: a case of 1 KB is parked durably until a person is heard, on the same PostgreSQL, behind the same "
    "FastAPI and uvicorn, with 64 connections and one web process. They park and route nothing; ours decides, stores, "
    "queues for review and writes its audit log. Ratios are of the no-op in the same round. None is claimed."
)


class Peer(NamedTuple):
    app: str
    words: str
    packages: tuple[str, ...]
    stored: str
    """How many cases are parked, in the tables of the peer."""


PEERS = (
    Peer(
        "langgraph",
        "LangGraph `interrupt`, PostgreSQL checkpointer",
        ("langgraph", "langgraph-checkpoint-postgres"),
        "SELECT count(DISTINCT thread_id) FROM checkpoints",
    ),
    Peer(
        "langgraph_exit",
        'the same, `durability="exit"`',
        ("langgraph", "langgraph-checkpoint-postgres"),
        "SELECT count(DISTINCT thread_id) FROM checkpoints",
    ),
    Peer(
        "dbos",
        "DBOS workflow that waits for a message",
        ("dbos",),
        "SELECT count(*) FROM dbos.workflow_status",
    ),
)


def run(effort: Effort) -> Section:
    section = Section("Other ways to park a case for a person", _ABOUT)
    if not INTERPRETER.exists():
        section.left_out.append(
            "LangGraph and DBOS, which are not installed; `make bench` sets them up from "
            "`bench/decisions/requirements-peers.txt`"
        )
        return section
    table = section.table(
        "what", "no-op /s", "parked /s", "ratio", "p50 / p99 ms", "other answers", "answered / parked"
    )
    with services.folder_for_servers() as folder, services.postgres(folder) as server:
        for peer in PEERS:
            with services.database("postgresql", folder, server) as url, services.noop(folder) as noop:
                pairs, stored = _measured(peer, url, noop, folder, effort)
                _row(table, f"{peer.words} ({_versions(peer.packages)})", pairs, stored)
        with (
            services.database("postgresql", folder, server) as url,
            services.noop(folder) as noop,
            services.service(url, folder / "ours") as service,
        ):
            found = [cell.pair(service, noop, _CONNECTIONS, effort.seconds) for _ in range(effort.rounds)]
            count = service.scalar("SELECT count(*) FROM decisions")
            _row(table, "Phasegate, one decision", [(one.no_op, one.load) for one in found if one.no_op], count)
    return section


def _measured(
    peer: Peer, url: str, noop: list[int], folder: Path, effort: Effort
) -> tuple[list[tuple[Load, Load]], int]:
    pairs = []
    with _serving(peer, url, folder) as port:
        for _ in range(effort.rounds):
            base = cell.no_op(noop, _CONNECTIONS, effort.seconds)
            load = fire_apart(cell.job([port], _CONNECTIONS, effort.seconds, cases.same_bodies(PATH)))
            pairs.append((base, load))
        with psycopg.connect(url) as connection:
            row = connection.execute(peer.stored.encode()).fetchone()
    return pairs, int(row[0]) if row else 0


def _row(table: Table, words: str, pairs: list[tuple[Load, Load]], stored: int) -> None:
    ratio = statistics.median(load.decisions / base.decisions for base, load in pairs)
    base, rate, p50, p99 = (
        statistics.median(values)
        for values in (
            [base.decisions for base, _ in pairs],
            [load.decisions for _, load in pairs],
            [1000 * load.p50 for _, load in pairs],
            [1000 * load.p99 for _, load in pairs],
        )
    )
    other = [load.unexpected for _, load in pairs if load.unexpected]
    answered = sum(load.acknowledged for _, load in pairs)
    table.add(
        words, f"{base:,.0f}", f"{rate:,.0f}", f"{ratio:.3f}", f"{p50:.1f} / {p99:.1f}",
        ", ".join(map(str, other)) or "none", f"{answered:,} / {stored:,}",
    )  # fmt: skip


@contextlib.contextmanager
def _serving(peer: Peer, url: str, folder: Path) -> Iterator[int]:
    port = free_port("127.0.0.1")
    command = web_command("127.0.0.1", port, f"bench.decisions.peer_apps:{peer.app}")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(_ROOT), "BENCH_DATABASE_URL": url}
    log = folder / f"{peer.app}.log"
    child = Child(peer.app, [str(INTERPRETER), "-m", *command], environment, _ROOT, log)
    child.start()
    try:
        with httpx2.Client(timeout=5) as client:
            services.wait_for(
                lambda: client.get(f"http://127.0.0.1:{port}/openapi.json").is_success, f"{peer.app}: {log}"
            )
        yield port
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{child.last_words()}") from None
    finally:
        stop_all([child], within=5)


def _versions(packages: tuple[str, ...]) -> str:
    asked = f"import importlib.metadata as m; print(', '.join(f'{{p}} {{m.version(p)}}' for p in {packages!r}))"
    said = subprocess.run(  # noqa: S603
        [str(INTERPRETER), "-c", asked], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()
