"""How much of a core each part takes while something is measured: says what bounds it."""

import contextlib
import time
from collections.abc import Iterable, Mapping

import psutil


class Meter:
    """Made when the measuring begins; `shares` says what the processes and all they started took since, in cores."""

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = {name: [_Tree(pid) for pid in pids] for name, pids in parts.items()}
        self._began = time.monotonic()

    def shares(self) -> dict[str, float]:
        seconds = time.monotonic() - self._began
        return {name: sum(tree.used() for tree in trees) / seconds for name, trees in self._parts.items()}


class _Tree:
    """A process with its children. A child that was not there before counts from its start."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = _seconds(pid)

    def used(self) -> float:
        return sum(seconds - self._before.get(pid, 0.0) for pid, seconds in _seconds(self._pid).items())


def _seconds(pid: int) -> dict[int, float]:
    found: dict[int, float] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
    return found
