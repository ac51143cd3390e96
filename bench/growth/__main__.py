"""
Times the pages, judging and claiming at ten thousand, a million and ten million decisions on PostgreSQL, and
writes bench/growth.md: `make bench-growth`. Ratios are to the smallest size of the same run.

    python -m bench.growth                      up to a million, some minutes
    python -m bench.growth --large              up to ten million: half an hour and 25 GB below TMPDIR
    python -m bench.growth --sizes 1000 20000   to the screen
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.decisions.services import database, folder_for_servers, postgres
from bench.growth import blocks, filling, house
from bench.growth.house import AGENT, COLLEAGUE, LOGIN, VERSION, House
from kit.clock import SystemClock
from routing.tasks import settle

REPORT = Path(__file__).resolve().parents[1] / "growth.md"
_SMALL, _LARGE = (10_000, 1_000_000), (10_000, 1_000_000, 10_000_000)
_ROUNDS = 9
_FLAT = 3.0
_OURS = f"/v1/agents/{AGENT}"

YARDSTICK = "/livez"
PAGES = {
    "yardstick: a page that reads no row of it": YARDSTICK,
    "page: desk": "/review",
    "page: queue": "/review/queue",
    "page: queue of the agent": f"/review/queue?agent={AGENT}",
    "page: your reviewing": "/review/me",
    "page: team": "/team",
    "page: agents": "/agents",
    "page: agent": f"/agents/{AGENT}",
    "page: watch": f"/agents/{AGENT}/watch",
    "page: people": f"/agents/{AGENT}/people",
    "page: threshold": f"/agents/{AGENT}/threshold",
    "page: plan": f"/agents/{AGENT}/plan",
    "page: gold": f"/agents/{AGENT}/gold",
    "page: a question of readiness": f"/agents/{AGENT}/readiness/owner-named",
    "page: freezing": f"/agents/{AGENT}/do/freeze",
    "page: past cases": "/review/past",
    "page: a colleague": f"/team/{COLLEAGUE}",
    "page: teams": "/teams",
    "page: teams of a person": f"/teams/people/{COLLEAGUE}",
    "page: what one is told": "/notifications",
}
CALLS = {
    "list of decisions": f"{_OURS}/decisions",
    "decisions of a case": f"{_OURS}/decisions?case_id=case-500",
    "a case": f"{_OURS}/cases/case-500",
    "queue": "/v1/queue",
    "drift": f"{_OURS}/versions/{VERSION}/drift",
    "audits of the epoch": f"{_OURS}/versions/{VERSION}/audits",
    "people": f"{_OURS}/people",
    "staffing": "/v1/staffing",
    "rollout": f"{_OURS}/versions/{VERSION}/rollout",
}


class Timed(NamedTuple):
    """Seconds, the median and the slowest of the rounds."""

    median: float
    slowest: float


def main(arguments: list[str] | None = None) -> int:
    asked = _asked(arguments)
    sizes = tuple(asked.sizes) if asked.sizes else _LARGE if asked.large else _SMALL
    found: dict[int, dict[str, Timed]] = {}
    touched: dict[int, dict[str, int]] = {}
    bytes_of: dict[str, int] = {}
    with folder_for_servers() as folder, postgres(folder) as server, database("postgresql", folder, server) as url:
        made = house.furnish(url, folder)
        house.age(made, filling.DAYS + 10)
        there = 0
        with made.connection() as connection:
            for size in sizes:
                _grow(made, size, there)
                there = size
                with house.served(made, folder):
                    found[size] = _measure(made)
                    touched[size] = _touched(made)
                print(
                    f"{size:,} decisions: {json.dumps({k: round(v.median * 1000, 1) for k, v in found[size].items()})}"
                )
            rows = connection.execute(_SIZES).fetchall()
        bytes_of = {str(name): int(size) for name, size in rows}
        made.ctx.db.close()
    report = _report(found, touched, bytes_of)
    print(report)
    if not asked.sizes:
        REPORT.write_text(report, encoding="utf-8")
    return 0


_SIZES = """
    SELECT regexp_replace(relname, '_(\\d{4}_\\d\\d|rest)$', ''), sum(pg_total_relation_size(oid))
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 2 DESC LIMIT 9
"""


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth")
    parser.add_argument("--large", action="store_true", help="up to ten million decisions")
    parser.add_argument("--sizes", type=int, nargs="+", help="these sizes, to the screen")
    return parser.parse_args(arguments)


def _grow(made: House, size: int, there: int) -> None:
    began = time.monotonic()
    with made.connection() as connection:
        filling.fill(
            connection, agent=AGENT, version=VERSION, rollout_id=made.rollout.id, count=size - there,
            end=SystemClock().now(), already=there,
        )  # fmt: skip
        filling.finish(connection)
    print(f"filled up to {size:,} in {time.monotonic() - began:,.0f} s", flush=True)


def _measure(made: House) -> dict[str, Timed]:
    made.look()
    pages = PAGES | _of_this_house(made)
    found = {name: _timed(_page(made, path, page=True)) for name, path in pages.items()}
    found |= {f"GET {name}": _timed(_page(made, path, page=False)) for name, path in CALLS.items()}
    found["judging all gates"] = _timed(made.look)
    found["claim the next case"] = _timed(lambda: _claim(made))
    return found


def _touched(made: House) -> dict[str, int]:
    """Of pages, calls and the two that workers run all the time."""
    pages = PAGES | _of_this_house(made)
    with blocks.asked(made) as ask:
        found = {name: ask(path) for name, path in pages.items() if path != YARDSTICK}
        found |= {f"GET {name}": ask(path) for name, path in CALLS.items()}
    found["judging all gates"] = blocks.of(made, made.look)
    found["settling when nothing is unsettled"] = blocks.of(made, lambda: settle(made.ctx))
    return found


def _of_this_house(made: House) -> dict[str, str]:
    """Pages of one thing that is there: what was last judged, and a case that was ruled on."""
    evidence = made.scalar("SELECT id FROM evidence ORDER BY at DESC LIMIT 1")
    mine = f"SELECT item_id FROM rulings WHERE login = '{LOGIN}' ORDER BY at DESC LIMIT 1"  # noqa: S608 - our own name
    return {
        "page: evidence of a look": f"/agents/{AGENT}/evidence/{evidence}",
        "page: a past case": f"/review/past/{made.scalar(mine)}",
    }


def _page(made: House, path: str, *, page: bool) -> Callable[[], float]:
    def ask() -> float:
        seconds, status, body = made.first_byte("GET", path, page=page)
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return seconds

    return ask


def _claim(made: House) -> float:
    seconds, status, body = made.first_byte("POST", "/v1/queue/claim", "{}", page=False)
    assert status == 200, f"claim: {status} {body[:300]!r}"
    item = json.loads(body)["id"]
    released = made.first_byte("POST", f"/v1/reviews/{item}/release", "{}", page=False)
    assert released[1] in {200, 204}, released
    return seconds


def _timed(run: Callable[[], float]) -> Timed:
    """After one round that nobody counts."""
    run()
    seconds = [run() for _ in range(_ROUNDS)]
    return Timed(statistics.median(seconds), max(seconds))


def _report(found: dict[int, dict[str, Timed]], touched: dict[int, dict[str, int]], bytes_of: dict[str, int]) -> str:
    sizes = sorted(found)
    first, last = sizes[0], sizes[-1]
    head = " | ".join(f"{size:,}" for size in sizes)
    words = (
        f"`make bench-growth{' ARGS=--large' if last > _SMALL[-1] else ''}`, {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL with fsync in its shipped settings. "
        f"Milliseconds to the first byte over HTTP, the median of {_ROUNDS} and the slowest in brackets; of judging, "
        "the whole transaction. Of the decisions, one in ten waits for a person. Made by the server itself, as "
        "`bench/growth/filling.py` says. The yardstick tells how busy the machine was with other work at each size; a "
        "ratio no larger than its is flat."
    )
    lines = [
        "# As decisions pile up",
        "",
        words,
        "",
        f"| what | {head} | ratio |",
        f"|---|{'---:|' * (len(sizes) + 1)}",
    ]
    for name in found[first]:
        cells = " | ".join(_milliseconds(found[size][name]) for size in sizes)
        ratio = found[last][name].median / found[first][name].median
        lines.append(f"| {name} | {cells} | {ratio:.1f}{' **' if ratio > _FLAT else ''} |")
    lines += ["", f"`**`: more than {_FLAT:g} times the time at {first:,} decisions.", *_blocks(touched)]
    lines += ["", "## Bytes", ""]
    lines += [
        f"Of {last:,} decisions with all that hangs on them, indexes included:",
        "",
        "| table | bytes a decision |",
    ]
    lines += ["|---|---:|", *(f"| {name} | {size / last:,.0f} |" for name, size in bytes_of.items()), ""]
    return "\n".join(lines)


_OF_BLOCKS = (
    "Blocks of 8 KiB that the statements of each touch, in memory or on the disk: the work it is, however busy the "
    "machine. A deeper index and more months cost a few."
)


def _blocks(touched: dict[int, dict[str, int]]) -> list[str]:
    sizes = sorted(touched)
    lines = [
        "",
        "## Blocks",
        "",
        _OF_BLOCKS,
        "",
        f"| what | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|---|{'---:|' * len(sizes)}",
    ]
    return lines + [
        f"| {name} | {' | '.join(f'{touched[size][name]:,}' for size in sizes)} |" for name in touched[sizes[0]]
    ]


def _milliseconds(one: Timed) -> str:
    return f"{one.median * 1000:,.1f} ({one.slowest * 1000:,.0f})"


if __name__ == "__main__":
    sys.exit(main())
