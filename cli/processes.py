"""
Child processes that never outlive their parent, and come back when they die.

Each child leads a process group of its own: Ctrl-C in a terminal reaches the parent alone, and what a child
starts is stopped with it. On Linux the kernel ends a child when its parent is killed outright.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None  # loaded before any fork
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_STEADY = 60.0  # a child that lived so many seconds starts again at the shortest wait
_TAIL = 3000  # characters of a log that are worth showing


@dataclass(slots=True)
class Child:
    """One program to keep running. Its output goes to a file, since a full pipe would stop it."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = _FIRST_WAIT
    again_at: float | None = field(default=None)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                list(self.argv),
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, nothing that could lock
            )
        self.started, self.again_at = time.monotonic(), None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tend(self, say: Callable[[str], None]) -> None:
        """Start it again if it died: at once the first time, later and later when it keeps dying."""
        if self.alive or self.process is None:
            return
        now = time.monotonic()
        if self.again_at is None:
            if now - self.started > _STEADY:
                self.wait = _FIRST_WAIT
            self.again_at = now + self.wait
            self._end_group(signal.SIGKILL)  # what it started must not go on beside its successor
            say(f"{self.name} ended ({self.how_it_ended}); starting it again in {self.wait:g} s, log: {self.log}")
            self.wait = min(self.wait * 2, _LONGEST_WAIT)
        elif now >= self.again_at:
            self.start()

    @property
    def how_it_ended(self) -> str:
        code = self.process.returncode if self.process is not None else None
        return signal.Signals(-code).name if code is not None and code < 0 else f"status {code}"

    def ask_to_end(self) -> None:
        if self.alive:
            self._end_group(signal.SIGTERM, leader_only=True)

    def end(self, deadline: float) -> None:
        """Wait for it until the deadline (monotonic seconds), then end it and all it started."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=max(deadline - time.monotonic(), 0.01))
        self._end_group(signal.SIGKILL)
        self.process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
        except OSError:
            return ""

    def _end_group(self, number: signal.Signals, *, leader_only: bool = False) -> None:
        if self.process is None:
            return
        try:
            if leader_only:
                self.process.send_signal(number)
            else:
                os.killpg(self.process.pid, number)  # the leader's id stays the group's, also when it is gone
        except (ProcessLookupError, PermissionError):
            pass


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def stop_all(children: Sequence[Child], *, within: float) -> None:
    """Ask all of them, then end each; the last ones first."""
    for child in reversed(children):
        child.ask_to_end()
    deadline = time.monotonic() + within
    for child in reversed(children):
        child.end(deadline)
