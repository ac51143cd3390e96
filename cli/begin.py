"""
`python -m cli.begin GATE MODULE PROGRAM …` is `python -m PROGRAM …` for a program that asks for MODULE; only sooner.

A program of ours takes seconds to read and hardly any to begin. So it is read while `phasegate up` still migrates the
database, and begins when nobody holds the lock of the file GATE any more.
"""

import fcntl
import gc
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from cli.reading import reading


@contextmanager
def closed(gate: Path) -> Iterator[Callable[[], None]]:
    """Nobody begins before the given function is called, or this ends; the kernel frees the locks of the dead."""
    with gate.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(lock, fcntl.LOCK_UN)


def main() -> None:
    gate, module, program, *arguments = sys.argv[1:]
    with reading():
        import_module(module)
        gc.freeze()  # and nobody looks through it later
    with Path(gate).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
