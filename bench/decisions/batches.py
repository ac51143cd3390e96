"""Many cases in one call, against the same cases one by one."""

import json
import statistics
from collections import defaultdict

from bench.decisions import cases, cell, services, stored
from bench.decisions.cell import Measured
from bench.decisions.effort import Effort
from bench.decisions.load import Request
from bench.decisions.services import Service
from bench.evidence.report import Section

TIMES = 10.0

_ABOUT = (
    "`POST /v1/agents/{agent}/decisions:batch` with {batch} cases of 1 KB in a call, stored as single ones are; only "
    "items that answer 201 count. One sender each, who sends the next call when the last one was answered: that is "
    "what the batch is for, and what the claim is about. The second row of each database compares with many senders "
    "of single cases, whose commits the writer already groups; there the gain is smaller by nature."
)

_SENDERS = ((1, 1), (64, 3))  # what three hand over fits into the backlog; a fourth would be told to wait


def run(effort: Effort) -> Section:
    section = Section(f"Batches of {effort.batch}", _ABOUT.replace("{batch}", str(effort.batch)))
    table = section.table(
        "database", "senders of single cases", "senders of batches", "singly /s", "in batches /s", "times",
        "p50 / p99 of a batch ms",
    )  # fmt: skip
    for database in services.DATABASES:
        with services.folder_for_servers() as folder, cell.one(database, folder) as (service, _):
            found: dict[tuple[int, int], list[tuple[Measured, Measured]]] = defaultdict(list)
            for _ in range(effort.rounds):
                for single, many in _SENDERS:
                    service.wait_until_settled()
                    one = cell.ours(service, single, effort.seconds)
                    service.wait_until_settled()
                    batch = cell.ours(service, many, 1.5 * effort.seconds, batches(service, effort.batch))
                    found[single, many].append((one, batch))
            for (single, many), pairs in found.items():
                times = statistics.median(batch.load.decisions / one.load.decisions for one, batch in pairs)
                rates = [statistics.median(pair[n].load.decisions for pair in pairs) for n in (0, 1)]
                p50, p99 = (
                    statistics.median(getattr(batch.load, name) for _, batch in pairs) for name in ("p50", "p99")
                )
                cells = (database, single, many, *(f"{rate:,.0f}" for rate in rates), f"{times:.1f}",
                         f"{1000 * p50:.0f} / {1000 * p99:.0f}")  # fmt: skip
                if single == 1:
                    table.add(*cells, claim=f"at least {TIMES:g} times", met=times >= TIMES)
                else:
                    table.add(*cells)
            every = [one for pairs in found.values() for pair in pairs for one in pair]
            stored.check(section, service, database, every)
    return section


def batches(service: Service, size: int) -> list[Request]:
    """A call of each agent, with the confidences of the mixture in turn."""
    return [
        Request(
            f"/v1/agents/{agent}/decisions:batch",
            json.dumps({"items": [cases.case(sure) for sure in _cycled(agent, size)]}, separators=(",", ":")),
            service.keys[agent],
            expected=200,
            marker='{"status":201,',
        )
        for agent in (cases.SUPERVISED, cases.TRUSTED)
    ]


def _cycled(agent: str, size: int) -> list[float]:
    confidences = cases.confidences(agent)
    return [confidences[n % len(confidences)] for n in range(size)]
