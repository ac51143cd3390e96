"""The single decision against the no-op: both databases, so many connections, one and two web processes."""

import os
from collections import defaultdict
from itertools import product

from bench.decisions import cases, cell, services, stored
from bench.decisions.baselines import PATH
from bench.decisions.effort import Effort
from bench.decisions.figures import Rounds
from bench.decisions.load import fire_apart
from bench.evidence.report import Section, Table

RATIO, P99 = 0.65, 3.0
"""Of the no-op's rate at least, of its p99 at most: claimed at `CLAIMED` connections on one web process."""
CLAIMED = 64

_ABOUT = (
    "Every decision is stored before it is answered, with its review item where a person must look and its audit "
    "event, while the workers settle and seal. One body of about 1 KB with a key; of ten cases six go to a person "
    "(four of an agent in supervised production, two below the threshold), four go alone, one in ten of those with an "
    "audit. Nothing has to be told to anybody outside at that moment, so there is no outbox row; rulings write those. "
    "The no-op is `async def noop(body: dict[str, Any]) -> dict[str, str]` in a bare FastAPI application under the "
    "same uvicorn command, with the same bodies, right before ours in every round, when our workers have nothing left "
    "to do. ± is half the distance between the lowest and the highest ratio. With two web processes the no-op has two "
    "as well, and the connections are shared between them."
)


def run(effort: Effort) -> Section:
    section = Section("One decision, stored durably", _ABOUT)
    rates = section.table(
        "database", "web processes", "connections", "no-op /s", "ours /s", "ratio", "no-op p50 / p99 ms",
        "ours p50 / p99 ms", "p99 ratio",
    )  # fmt: skip
    cores = section.table(
        "database", "web processes", "connections", "web", "database", "workers", "generator", "others",
        "µs of a core a decision", "so the machine allows /s", "bounded by",
        note="Cores that each part took while ours was measured; `others` is what did not belong to it: the system, and"
        " on a machine that was not quiet other people's work, which then is what the figures show. What the parts of"
        " ours took together for one decision says how many the cores of this machine could make if nothing waited.",
    )  # fmt: skip
    for database in services.DATABASES:
        with services.folder_for_servers() as folder, cell.one(database, folder, web_processes=2) as (service, noop):
            found: dict[tuple[int, int], Rounds] = defaultdict(Rounds)
            for _ in range(effort.rounds):
                for web, connections in product((1, 2), effort.connections):
                    one = cell.pair(service, noop, connections, effort.seconds, web_processes=web)
                    found[web, connections].append(one)
            for (web, connections), rounds in found.items():
                _add(rates, cores, (database, web, connections), rounds)
            stored.check(section, service, database, [one for rounds in found.values() for one in rounds])
    _variants(section, effort)
    return section


def _add(rates: Table, cores: Table, where: tuple[str, int, int], rounds: Rounds) -> None:
    _, web, connections = where
    cells = (*where, *rounds.rate_cells(), *rounds.time_cells())
    if (web, connections) == (1, CLAIMED):
        claim = f"ratio at least {RATIO}, p99 at most {P99:g} times"
        rates.add(*cells, claim=claim, met=rounds.ratio >= RATIO and rounds.slower <= P99)
    else:
        rates.add(*cells)
    machine = os.cpu_count() or 1
    cores.add(*where, *rounds.core_cells(machine), rounds.bound(web, machine))


def _variants(section: Section, effort: Effort) -> None:
    """What the choice of the no-op is worth."""
    table = section.table(
        "no-op", "answers /s", "p50 / p99 ms",
        note=f"The same application with other parameters, {CLAIMED} connections, one process.",
    )  # fmt: skip
    words = {"dict_body": "body parsed to a dict (claims are against this one)",
             "raw_body": "raw request, body read and not parsed",
             "model_body": "body validated by the Pydantic model of a case"}  # fmt: skip
    with services.folder_for_servers() as folder:
        for app, said in words.items():
            with services.noop(folder, app) as ports:
                requests = cases.same_bodies(PATH)
                load = fire_apart(cell.job(ports, CLAIMED, effort.seconds, requests))
            table.add(said, f"{load.decisions:,.0f}", f"{1000 * load.p50:.2f} / {1000 * load.p99:.2f}")
