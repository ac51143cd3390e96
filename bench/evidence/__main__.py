"""
Measures what the evidence engine promises, and writes it to bench/evidence.md: `make bench-evidence`.

All runs are seeded, so the same versions give the same figures (but for the times). The real data are those in
../shared/data, beside the repository; without them the parts that need them are left out by name. Ends with 1 when a
claim is not met.

    python -m bench.evidence                    everything, about eight minutes on two quiet cores
    python -m bench.evidence --quick            a hundredth of the runs, to the screen
    python -m bench.evidence --only gates       one part, to the screen
    python -m bench.evidence --share 0.2        a fifth of the runs, written
"""

import argparse
import importlib
import os
import platform
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.evidence import library
from bench.evidence.effort import SEED, Effort
from bench.evidence.report import Section, conclude, judged
from bench.evidence.scenarios import DATA
from kit.clock import SystemClock

PARTS = {
    "gates": "gates",
    "thresholds": "thresholds",
    "schedule": "schedule",
    "alarms": "alarms",
    "audits": "audit_bounds",
    "speed": "speed",
}
"""Every part and the module that measures it."""

REPORT = Path(__file__).resolve().parents[1] / "evidence.md"
QUICK = 0.01


def measure(part: str, effort: Effort) -> Section:
    """Run one part, and say how long it took."""
    began = time.monotonic()
    section: Section = _module(part).run(effort)
    section.seconds = time.monotonic() - began
    return section


def _module(part: str) -> Any:
    return importlib.import_module(f"bench.evidence.{PARTS[part]}")


def written(sections: list[Section], effort: Effort, at: datetime, command: str) -> str:
    """The report: how it was made, what was left out, what is not met, then every part."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    peer = library.version()
    head = [
        "# The evidence engine, measured",
        "",
        (
            f"Repeat with `{command}`. Made on {at:%Y-%m-%d %H:%M} UTC in {sum(one.seconds for one in sections):.0f} s "
            f"with {effort.workers} processes on {platform.machine()}, {os.cpu_count()} cores; Python "
            f"{platform.python_version()}, {packages}, MAPIE {peer or 'not installed'}; seed {SEED}. Runs: "
            f"{effort.gates:,} of gates, {effort.thresholds:,} calibrations a scenario, {effort.schedule:,} schedules, "
            f"{effort.alarms:,} streams of alarms, {effort.audits:,} audited periods."
        ),
        "",
        (
            "Written by the program; not to be edited. Figures stand with ± one standard error. A claim about a chance "
            "is met when the measured share is within three standard errors of its limit; a row without a claim is "
            "there to be compared with. The data are in `../shared/data`, beside the repository, "
            f"{'as they were found there' if DATA.is_dir() else 'WHICH WAS NOT THERE'}. "
            "`make bench-evidence ARGS=--quick` takes half a minute, `ARGS='--only gates'` runs one part; both print "
            "and leave this file alone. MAPIE runs in an environment of its own, `.venv-bench`, which the make target "
            "sets up from `bench/evidence/requirements-peers.txt`."
        ),
        "",
        *judged(sections),
    ]
    return "\n".join([*head, *(section.written() for section in sections)]).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} of the runs, to the screen")
    parser.add_argument("--only", choices=tuple(PARTS), help="one part, to the screen")
    parser.add_argument("--share", type=float, default=1.0, help="share of the runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    effort = Effort().scaled(QUICK if asked.quick else asked.share, workers=asked.workers)
    parts, sections = [asked.only] if asked.only else list(PARTS), []
    for part in parts:
        _module(part)  # what cannot even be imported is not found out after minutes
    for part in parts:
        sections.append(measure(part, effort))
        print(f"{part}: {sections[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    command = "make bench-evidence" + (f" ARGS='--share {asked.share:g}'" if asked.share != 1 else "")
    report = written(sections, effort, SystemClock().now(), command)
    return conclude(report, sections, None if asked.quick or asked.only else REPORT)


if __name__ == "__main__":
    sys.exit(main())
