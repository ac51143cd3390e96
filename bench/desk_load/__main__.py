"""
Measures 64 reviewers at one queue on PostgreSQL with a million cases waiting, and writes it to bench/desk-load.md:
`make bench-desk-load`.

Real processes on this machine: two web processes, worker, beat, Valkey, PostgreSQL with fsync, and the reviewers, who
take the next case with three held ahead and approve it. Ends with 1 when a claim is not met.

    python -m bench.desk_load            everything: 100,000 rulings
    python -m bench.desk_load --quick    5,000 waiting and 600 rulings, to the screen
"""

import argparse
import importlib.util
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.decisions import cases
from bench.decisions.disk import fsync_milliseconds
from bench.decisions.services import Service, database, folder_for_servers, noop, postgres, service
from bench.desk_load.filling import fill
from bench.desk_load.reviewers import Job, Worked, work_apart
from bench.evidence.report import Section, Table, conclude, judged
from kit.clock import SystemClock
from tests import factories

REPORT = Path(__file__).resolve().parents[1] / "desk-load.md"
_NEXT_CASE, _RULINGS = 20.0, 200.0  # milliseconds at the 95th percentile; a second
_PEERS = {"label_studio": "Label Studio", "awaithumans": "awaithumans"}


@dataclass(frozen=True)
class Effort:
    reviewers: int = 64
    waiting: int = 1_000_000
    rulings: int = 100_000
    paced: int = 3_840  # of them one after the other, one a second from each reviewer: a minute
    every: float = 1.0
    web_processes: int = 2


QUICK = Effort(waiting=5_000, rulings=600, paced=128)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small queue and few rulings, to the screen")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and folders are cleared away, then too
    section = measured(QUICK if asked.quick else Effort())
    return conclude(written(section), [section], None if asked.quick else REPORT)


def measured(effort: Effort) -> Section:
    began = time.monotonic()
    section = Section(
        f"{effort.reviewers} reviewers at one queue",
        f"{effort.waiting:,} cases wait. Of every ruling the worker tells nobody before its undo window is over; that "
        "happens beside it. The no-op is a FastAPI application that stores nothing, asked as often by as many.",
    )
    section.left_out += [
        f"{name}: not installed" if importlib.util.find_spec(module) is None else f"{name}: no measurement of it here"
        for module, name in _PEERS.items()
    ]
    with folder_for_servers() as folder, postgres(folder) as server, database("postgresql", folder, server) as url:
        with noop(folder, web_processes=effort.web_processes) as ports:
            nothing = Job(ports, [""] * effort.reviewers, min(effort.rulings, 10_000), path="/noop")
            bare = work_apart(nothing)
        with service(url, folder, web_processes=effort.web_processes) as found:
            measure(section, found, effort, bare)
    section.seconds = time.monotonic() - began
    return section


def measure(section: Section, found: Service, effort: Effort, bare: Worked) -> None:
    """Fill the queue and work it: one case each in their own time, then as fast as they can."""
    rollout = found.scalar("SELECT id FROM rollouts WHERE agent = :agent", agent=cases.SUPERVISED)
    fill(_plain(found.ctx.settings.resolved_database_url), rollout, effort.waiting, found.ctx.clock.now())
    keys = [_key(found, number) for number in range(effort.reviewers)]
    work_apart(
        Job(found.ports, keys, 2 * effort.reviewers)
    )  # connections, statements and caches as they are an hour later
    paced = work_apart(Job(found.ports, keys, effort.paced, every=effort.every))
    fast = work_apart(Job(found.ports, keys, effort.rulings))
    table = section.table(
        "what", "claims p50 / p95 / p99, ms", "rulings p50 / p95, ms", "rulings a second", "of the no-op"
    )
    _line(table, f"each rules once in {effort.every:g} s", paced, bare, at_most=_NEXT_CASE)
    _line(table, "as fast as they can", fast, bare, at_least=_RULINGS)
    _line(table, "the no-op", bare, bare)
    done = 2 * effort.reviewers + len(paced.rulings) + len(fast.rulings)
    doubles = section.table("rulings", "handed to two", "items with two rulings", "refused")
    twice = found.scalar(
        "SELECT count(*) FROM (SELECT item_id FROM rulings GROUP BY item_id HAVING count(*) > 1) AS doubled"
    )
    stored = found.scalar("SELECT count(*) FROM rulings WHERE login LIKE 'reviewer-%'")
    handed, refused = paced.handed_twice + fast.handed_twice, paced.refused | fast.refused
    met = handed == twice == 0 and not refused and stored == done
    doubles.add(
        f"{stored:,}",
        handed,
        twice,
        refused or "none",
        claim="each case is one reviewer's, each ruling stored",
        met=met,
    )


def _line(
    table: Table,
    what: str,
    worked: Worked,
    bare: Worked,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    claims, rulings = (_milliseconds(times) for times in (worked.claims, worked.rulings))
    cells = (what, _told(claims, (0.5, 0.95, 0.99)), _told(rulings, (0.5, 0.95)), f"{worked.rate:,.0f}")
    ratio = f"{worked.rate / bare.rate:.3f}" if bare.rate else "?"
    if at_most is not None:
        met = _at(claims, 0.95) <= at_most
        table.add(*cells, ratio, claim=f"next case within {at_most:g} ms at the 95th percentile", met=met)
    elif at_least is not None:
        table.add(*cells, ratio, claim=f"at least {at_least:g} rulings a second", met=worked.rate >= at_least)
    else:
        table.add(*cells, ratio)


def _milliseconds(times: Sequence[float]) -> list[float]:
    return sorted(1000 * one for one in times)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")


def _told(ordered: Sequence[float], shares: Sequence[float]) -> str:
    return " / ".join(f"{_at(ordered, share):.1f}" for share in shares)


def _key(found: Service, number: int) -> str:
    login = f"reviewer-{number}"
    factories.person(found.ctx, login, roles=("reviewer",))
    return factories.bearer(found.ctx, login=login)["Authorization"]


def _plain(url: str) -> str:
    """As the driver itself takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def written(section: Section) -> str:
    at = SystemClock().now()
    head = [
        "# The review desk under load, measured",
        "",
        (
            f"Repeat with `make bench-desk-load`. Made on {at:%Y-%m-%d %H:%M} UTC in {section.seconds:.0f} s on "
            f"{platform.machine()}, {os.cpu_count()} cores, which the reviewers, the web processes, the workers and "
            f"the database share; one fdatasync of 4 KB takes {fsync_milliseconds():.2f} ms here. Load averages at the "
            f"end: {', '.join(f'{load:.1f}' for load in os.getloadavg())}. Written by the program; not to be edited."
        ),
        "",
        *judged([section]),
    ]
    return "\n".join([*head, section.written()])


if __name__ == "__main__":
    sys.exit(main())
