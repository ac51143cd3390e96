"""
Measures what the decision path promises, and writes it to bench/decisions.md: `make bench`.

Real processes on this machine: web processes, workers, Valkey, PostgreSQL with fsync, and a load generator. Every
rate is compared with a bare FastAPI no-op in the same run. Ends with 1 when a claim is not met.

    python -m bench.decisions                    everything, about fifteen minutes on a quiet machine
    python -m bench.decisions --quick            one short round of each, about two minutes, to the screen
    python -m bench.decisions --only waiting     one part, to the screen
    python -m bench.decisions --large            with 10 million stored decisions instead of 1 million
"""

import argparse
import importlib
import os
import platform
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.decisions.disk import fsync_milliseconds
from bench.decisions.effort import LARGE, QUICK, Effort
from bench.evidence.report import Section, conclude, judged
from kit.clock import SystemClock

PARTS = ("pure", "matrix", "batches", "flat", "waiting", "peers")
"""Every part is a module of this package with a `run`."""

REPORT = Path(__file__).resolve().parents[1] / "decisions.md"
_PACKAGES = ("fastapi", "uvicorn", "uvloop", "pydantic", "sqlalchemy", "psycopg")


def main(arguments: list[str] | None = None) -> int:
    asked = _asked(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and folders are cleared away, then too
    effort = QUICK if asked.quick else Effort()
    effort = replace(effort, rounds=asked.rounds or effort.rounds, stored=LARGE if asked.large else effort.stored)
    parts = asked.only or list(PARTS)
    modules: list[Any] = [importlib.import_module(f"bench.decisions.{part}") for part in parts]  # all, before any runs
    sections = []
    for part, module in zip(parts, modules, strict=True):
        began = time.monotonic()
        sections.append(module.run(effort))
        sections[-1].seconds = time.monotonic() - began
        print(f"{part}: {sections[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    report = written(sections, effort, SystemClock().now(), "make bench" + (" ARGS=--large" if asked.large else ""))
    return conclude(report, sections, None if asked.quick or asked.only else REPORT)


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each, to the screen")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part, to the screen; may be repeated")
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} stored decisions")
    parser.add_argument("--rounds", type=int, help="of each cell")
    return parser.parse_args(arguments)


def written(sections: list[Section], effort: Effort, at: datetime, command: str) -> str:
    """The report: how it was made, what was left out, what is not met, then every part."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    head = [
        "# The decision path, measured",
        "",
        (
            f"Repeat with `{command}`. Made on {at:%Y-%m-%d %H:%M} UTC in {sum(one.seconds for one in sections):.0f} s "
            f"on {platform.machine()}, {os.cpu_count()} cores, which the load generator, the web processes, the "
            f"workers and the database share; one fdatasync of 4 KB takes {fsync_milliseconds():.2f} ms here. Python "
            f"{platform.python_version()}, {packages}. {effort.rounds} rounds of {effort.seconds:g} s each after a "
            "warm-up of a quarter of that; figures are medians of the rounds. Load averages at the end: "
            f"{', '.join(f'{load:.1f}' for load in os.getloadavg())}."
        ),
        "",
        (
            "Written by the program; not to be edited. `make bench ARGS=--quick` takes about two minutes, "
            "`ARGS='--only matrix'` runs one part; both print and leave this file alone. PostgreSQL runs with the "
            "settings of its distribution, fsync and synchronous commits included, SQLite as the service opens it "
            "(WAL, synchronous=FULL)."
        ),
        "",
        *judged(sections),
    ]
    return "\n".join([*head, *(section.written() for section in sections)]).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
