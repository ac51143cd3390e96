"""
Measures 64 reviewers at one queue on PostgreSQL with a million cases waiting, and writes it to bench/desk-load.md:
`make bench-desk-load`.

Real processes on this machine: two web processes, worker, beat, Valkey, PostgreSQL with fsync, and the reviewers, who
take the next case with three held ahead and approve it. Ends with 1 when a claim is not met.

    python -m bench.desk_load            everything: 100,000 rulings, or as many as eleven minutes hold
    python -m bench.desk_load --quick    20,000 waiting and 3,000 rulings, to the screen
    python -m bench.desk_load --beside   one case at a time alone, here and with awaithumans, to the screen
"""

import argparse
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
from bench.decisions.meter import Meter
from bench.decisions.services import Service, database, folder_for_servers, noop, postgres, service
from bench.desk_load import beside
from bench.desk_load.filling import fill
from bench.desk_load.reviewers import Job, Worked, work_apart
from bench.evidence.report import Section, Table, conclude, judged
from kit.clock import SystemClock
from tests import factories

REPORT = Path(__file__).resolve().parents[1] / "desk-load.md"
_NEXT_CASE, _RULINGS = 20.0, 200.0  # milliseconds at the 95th percentile; a second
_UNDO = 10  # seconds, as an agent has it that says nothing of it


@dataclass(frozen=True)
class Effort:
    reviewers: int = 64
    waiting: int = 1_000_000
    rulings: int = 100_000
    paced: int = 3_840  # of them one after the other, one a second from each reviewer: a minute
    every: float = 1.0
    web_processes: int = 2
    within: float = 660.0  # seconds for all of it, filling included; the last part ends then


QUICK = Effort(waiting=20_000, rulings=3_000, paced=640)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small queue and few rulings, to the screen")
    parser.add_argument("--beside", action="store_true", help="one case at a time, beside awaithumans, to the screen")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and folders are cleared away, then too
    if asked.beside:
        with (
            folder_for_servers() as folder,
            postgres(folder) as server,
            database("postgresql", folder, server) as url,
            service(url, folder, web_processes=Effort.web_processes) as found,
        ):
            return conclude(beside.run(found, server, folder).written(), [], None)
    sections = measured(QUICK if asked.quick else Effort())
    return conclude(written(sections), sections, None if asked.quick else REPORT)


def measured(effort: Effort) -> list[Section]:
    began = time.monotonic()
    section = Section(
        f"{effort.reviewers} reviewers at one queue",
        f"{effort.waiting:,} cases of one agent wait in one line, one in fifty of them urgent. A cycle is two calls: "
        "the next case with three held ahead, and its approval, stored with its audit event. What follows from a "
        f"ruling comes when it can no longer be undone, after {_UNDO} s: the worker concludes, settles and seals "
        "beside it. No agent has a webhook, so no ruling writes a message. The no-op is a FastAPI application that "
        "stores nothing, "
        f"asked twice a cycle, in {effort.web_processes} processes as well. A case counts as handed to two where a "
        "reviewer gets it, to look at or as one of their next, after another one had it.",
    )
    with folder_for_servers() as folder, postgres(folder) as server, database("postgresql", folder, server) as url:
        with noop(folder, web_processes=effort.web_processes) as ports:
            nothing = Job(ports, [""] * effort.reviewers, min(effort.rulings, 10_000), path="/noop")
            bare = work_apart(nothing)
        with service(url, folder, web_processes=effort.web_processes) as found:
            measure(section, found, effort, bare, began)
            section.seconds = time.monotonic() - began
            others = beside.run(found, server, folder)
    return [section, others]


def measure(section: Section, found: Service, effort: Effort, bare: Worked, began: float) -> None:
    """Fill the queue and work it: one case each in their own time, then as fast as they can."""
    rollout = found.scalar("SELECT id FROM rollouts WHERE agent = :agent", agent=cases.SUPERVISED)
    url = _plain(found.ctx.settings.resolved_database_url)
    fill(url, rollout, effort.waiting, _UNDO, found.ctx.clock.now())
    keys = [_key(found, number) for number in range(effort.reviewers)]
    first = work_apart(Job(found.ports, keys, 10 * effort.reviewers))  # connections, statements and caches as they stay
    meter = Meter(found.processes())
    paced = work_apart(Job(found.ports, keys, effort.paced, every=effort.every))
    paced_took = meter.shares()
    meter = Meter(found.processes())
    left = max(60.0, effort.within - (time.monotonic() - began))
    fast = work_apart(Job(found.ports, keys, effort.rulings - len(paced.rulings), within=left))
    fast_took = meter.shares()
    concluded = _seconds_to_conclude(found)
    table = section.table(
        "what", "claims p50 / p95 / p99, ms", "rulings p50 / p95, ms", "rulings a second", "of the no-op"
    )
    _line(table, f"each rules once in {effort.every:g} s", paced, bare, at_most=_NEXT_CASE)
    _line(table, "as fast as they can", fast, bare, at_least=_RULINGS)
    _line(table, "the no-op", bare, bare)
    took = section.table("µs of a core in a cycle", "web", "database", "workers", "reviewers", "cores of the machine")
    for what, worked, shares in (("one a second", paced, paced_took), ("as fast as they can", fast, fast_took)):
        took.add(what, *_in_a_cycle(worked, shares))
    done = len(first.rulings) + len(paced.rulings) + len(fast.rulings)
    doubles = section.table(
        "rulings", "handed to two", "items with two rulings", "refused", "all concluded after the last one, s"
    )
    twice = found.scalar(
        "SELECT count(*) FROM (SELECT item_id FROM rulings GROUP BY item_id HAVING count(*) > 1) AS doubled"
    )
    stored = found.scalar("SELECT count(*) FROM rulings WHERE login LIKE 'reviewer-%'")
    handed = first.handed_twice + paced.handed_twice + fast.handed_twice
    refused = first.refused | paced.refused | fast.refused
    met = handed == twice == 0 and not refused and stored == done >= effort.rulings
    doubles.add(
        f"{stored:,}",
        handed,
        twice,
        refused or "none",
        concluded,
        claim=f"each case is one reviewer's, each ruling stored, in {effort.rulings:,} rulings",
        met=met,
    )


def _in_a_cycle(worked: Worked, shares: dict[str, float]) -> list[str]:
    cycles = max(len(worked.rulings), 1)
    parts = [1e6 * shares[name] * worked.seconds / cycles for name in ("web", "database", "workers")]
    parts.append(1e6 * worked.busy / cycles)
    return [*(f"{part:,.0f}" for part in parts), f"{shares['machine']:.2f}"]


def _seconds_to_conclude(found: Service) -> str:
    """Until every ruling is concluded and counted; beside it the undo window, which has to pass."""
    began = time.monotonic()
    while found.scalar("SELECT count(*) FROM review_items WHERE concludes_at IS NOT NULL"):
        if time.monotonic() > began + 120:
            return "not within 120"
        time.sleep(0.5)
    return f"{time.monotonic() - began:.0f}"


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


def written(sections: Sequence[Section]) -> str:
    at = SystemClock().now()
    head = [
        "# The review desk under load, measured",
        "",
        (
            f"Repeat with `make bench-desk-load`. Made on {at:%Y-%m-%d %H:%M} UTC in {sections[0].seconds:.0f} s on "
            f"{platform.machine()}, {os.cpu_count()} cores, which the reviewers, the web processes, the workers and "
            f"the database share; one fdatasync of 4 KB takes {fsync_milliseconds():.2f} ms here. Load averages at the "
            f"end: {', '.join(f'{load:.1f}' for load in os.getloadavg())}. Written by the program; not to be edited."
        ),
        "",
        *judged(sections),
    ]
    return "\n".join([*head, *(section.written() for section in sections)])


if __name__ == "__main__":
    sys.exit(main())
