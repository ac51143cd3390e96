"""How much of a core each part takes while something is measured: says what bounds it."""

import contextlib
import time
from collections.abc import Iterable, Mapping

import psutil


class Meter:
    """Made when the measuring begins; `shares` says what the processes and all they
    started took since, in cores; `machine` is everything, other people's work included.
    """

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = {name: [_Tree(pid) for pid in pids] for name, pids in parts.items()}
        self._all = _busy()
        self._began = time.monotonic()

    def shares(self) -> dict[str, float]:
        seconds = time.monotonic() - self._began
        found = {name: sum(tree.used() for tree in trees) / seconds for name, trees in self._parts.items()}
        return found | {"machine": (_busy() - self._all) / seconds}


def _busy() -> float:
    """Seconds that the cores of the machine were busy, whoever with."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


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
