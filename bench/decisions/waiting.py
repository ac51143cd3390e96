"""Waiting for a person: how soon the agent knows, and what two thousand who wait cost everybody else."""

import os
import statistics
from collections.abc import Sequence
from uuid import UUID

from bench.decisions import cell, services, stored
from bench.decisions.cell import Measured
from bench.decisions.effort import Effort
from bench.decisions.load import percentile
from bench.decisions.parked import parked, tell_of_rulings, waiting_decisions, wake
from bench.decisions.services import Service
from bench.evidence.report import Section, Table

WITHIN = 50.0
"""Milliseconds from the ruling to the waiter's answer, the 99th of a hundred included."""
KEPT = 0.95
"""Of the rate without waiters."""
_CONNECTIONS = 64

_ABOUT = (
    "An agent waits with `GET /v1/decisions/{id}?wait=60`; a reviewer claims the case and approves it through the "
    "API. Measured from the answer that the reviewer gets, which is after the commit, to the answer that the agent "
    "gets; the whole time from the sending of the ruling stands beside it."
)
_BACKENDS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
)
_IN_USE = _BACKENDS + " AND state <> 'idle' AND pid <> pg_backend_pid()"


def run(effort: Effort) -> Section:
    section = Section("Waiting for a person", _ABOUT)
    wakes = section.table(
        "database", "waits in", "others waiting", "rulings", "p50 ms", "p99 ms", "longest ms",
        "from the sending p50 / p99 ms",
    )  # fmt: skip
    waiters = section.table(
        "database", "waiters", "decisions /s without", "with", "ratio", "p99 ms without", "with", "connections without",
        "with", "in use with", "cores of web without", "with",
    )  # fmt: skip
    for database in services.DATABASES:
        with services.folder_for_servers() as folder, cell.one(database, folder, web_processes=2) as (service, noop):
            tell_of_rulings(service, noop[0])
            more = 0
            for number, words in enumerate(("the process of the ruling", "another web process")):
                decisions = waiting_decisions(service, effort.wakes)
                _wakes(wakes, service, decisions, (database, words, 0), service.ports[number])
                more += len(decisions)
            others = waiting_decisions(service, effort.waiters)
            decisions = waiting_decisions(service, effort.wakes)
            service.wait_until_settled()
            with parked(service, others, port=service.ports[1]):
                where = (database, "another web process", len(others))
                _wakes(wakes, service, decisions, where, service.ports[1])
            loads = _slowed(waiters, service, database, others, rounds=max(2, effort.rounds + 1), effort=effort)
            more += len(others) + len(decisions)
            stored.check(section, service, database, loads, more=more)
    return section


def _wakes(table: Table, service: Service, decisions: Sequence[UUID], where: tuple[str, str, int], port: int) -> None:
    service.wait_until_settled()
    took = [wake(service, decision, waiter_port=port) for decision in decisions]
    told, sent = ([1000 * one for one in sorted(pair[n] for pair in took)] for n in (0, 1))
    p99 = percentile(told, 0.99)
    table.add(
        *where, len(told), f"{percentile(told, 0.5):.1f}", f"{p99:.1f}", f"{told[-1]:.1f}",
        f"{percentile(sent, 0.5):.1f} / {percentile(sent, 0.99):.1f}",
        claim=f"p99 at most {WITHIN:g} ms", met=p99 <= WITHIN,
    )  # fmt: skip


def _slowed(
    table: Table, service: Service, database: str, others: Sequence[UUID], *, rounds: int, effort: Effort
) -> list[Measured]:
    """The same load on the first web process, in turns without and with the waiters in it."""
    without, beside, in_pool, held, in_use = list[Measured](), list[Measured](), list[int](), list[int](), list[int]()
    postgresql = database == "postgresql"
    for _ in range(rounds):
        service.wait_until_settled()
        without.append(cell.ours(service, _CONNECTIONS, effort.seconds, web_processes=1))
        service.wait_until_settled()
        in_pool.append(service.scalar(_BACKENDS) if postgresql else 0)
        with parked(service, others, port=service.ports[0]):
            service.wait_until_settled()
            held.append(service.scalar(_BACKENDS) if postgresql else 0)
            in_use.append(service.scalar(_IN_USE) if postgresql else 0)
            beside.append(cell.ours(service, _CONNECTIONS, effort.seconds, web_processes=1))
    rates = [statistics.median(one.load.decisions for one in found) for found in (without, beside)]
    ratio = statistics.median(b.load.decisions / a.load.decisions for a, b in zip(without, beside, strict=True))
    slow = [f"{1000 * statistics.median(one.load.p99 for one in found):.0f}" for found in (without, beside)]
    cores = [f"{statistics.median(one.cores['web'] for one in found):.2f}" for found in (without, beside)]
    connections = [str(statistics.median(found)) for found in (in_pool, held, in_use)] if postgresql else ["-"] * 3
    # Between two looks the sweeps of the workers may hold one each; 2,000 waiters that held any would show.
    few = not postgresql or statistics.median(in_use) <= (os.cpu_count() or 1) + 2
    table.add(
        database, len(others), *(f"{rate:,.0f}" for rate in rates), f"{ratio:.3f}", *slow, *connections, *cores,
        claim=f"ratio at least {KEPT}, no connection held", met=ratio >= KEPT and few,
    )  # fmt: skip
    return [*without, *beside]
