"""The rate does not fall with the number of agents and of stored decisions."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg

from bench.decisions import cases, cell, services, stored
from bench.decisions.effort import Effort
from bench.decisions.figures import Rounds
from bench.decisions.load import Request
from bench.decisions.services import Service
from bench.evidence.report import Section, Table
from bench.growth import filling
from kit.context import make_context
from kit.settings import Settings
from migrations import chain
from rollout.domain.phase import Phase
from tests import factories

KEPT = 0.9
"""Of the ratio of a new house; what is above it is noise of the machine."""
_CONNECTIONS = 64
_OLD_AGENT = "history"
_PLACES = 1_000_000_000  # in the audit log, above all that are sealed while it is measured

_ABOUT = (
    "Two services side by side, measured in turns, each against the no-op: a new one with two agents, and one that "
    "has more. Each of the many agents has a version and a policy of its own, half of them in supervised production, "
    "half in the confidence phase, each was judged once, and the cases go to all of them in turn. None of them has a "
    "plan, so none is judged again meanwhile, as versions with a plan are, in turn, in a quarter of a worker's time at "
    "most: what that takes from decisions is not shown here. The stored decisions, on PostgreSQL alone, lie over half "
    "a year in partitions, with their keys, audit events, review items, rulings and labels, made by the database "
    "itself."
)


def run(effort: Effort) -> Section:
    section = Section("Flat", _ABOUT)
    table = section.table("database", "with", "new house /s", "this one /s", "ratio new", "ratio this", "of it")
    for database in services.DATABASES:
        with _side_by_side(database, agents=effort.agents) as (new, full, noop):
            words = f"{effort.agents:,} agents with their own policies"
            _compare(section, table, (database, words), new, full, noop, effort)
    with _side_by_side("postgresql", decisions=effort.stored) as (new, full, noop):
        words = f"{effort.stored:,} stored decisions"
        _compare(section, table, ("postgresql", words), new, full, noop, effort)
    return section


def _compare(
    section: Section,
    table: Table,
    where: tuple[str, str],
    new: Service,
    full: Service,
    noop: list[int],
    effort: Effort,
) -> None:
    before = stored.Rows.of(full)
    empty, filled = Rounds(), Rounds()
    requests = _in_turn(full) if full.agents else cases.mixture(full.keys)
    for _ in range(effort.rounds):
        full.wait_until_settled()
        empty.append(cell.pair(new, noop, _CONNECTIONS, effort.seconds))
        filled.append(cell.pair(full, noop, _CONNECTIONS, effort.seconds, requests))
    kept = filled.ratio / empty.ratio
    table.add(
        *where, f"{empty.decisions:,.0f}", f"{filled.decisions:,.0f}", f"{empty.ratio:.3f} ± {empty.spread:.3f}",
        f"{filled.ratio:.3f} ± {filled.spread:.3f}", f"{kept:.2f}", claim=f"at least {KEPT} of it", met=kept >= KEPT,
    )  # fmt: skip
    stored.check(section, full, f"{where[0]}, {where[1]}", filled, before=before)


@contextlib.contextmanager
def _side_by_side(
    database: str, *, agents: int = 0, decisions: int = 0
) -> Iterator[tuple[Service, Service, list[int]]]:
    with services.folder_for_servers() as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(services.postgres(folder)) if database == "postgresql" else None
        found = []
        for name in ("new", "full"):
            (folder / name).mkdir()
            url = stack.enter_context(services.database(database, folder / name, server))
            if name == "full" and decisions:
                _fill(url, folder / name, decisions)
            found.append(stack.enter_context(services.service(url, folder / name)))
        if agents:
            _register(found[1], agents)
            found[1].wait_until_looked_at()
        yield found[0], found[1], stack.enter_context(services.noop(folder))


def _register(service: Service, count: int) -> None:
    """So many agents besides; the engineer may decide for each of them."""
    service.agents = count
    for number in range(count):
        phase = Phase.SUPERVISED if number % 2 else Phase.CONFIDENCE
        rules = {"threshold": 0.7 + 0.25 * number / count, "audit_rate": cases.AUDIT_RATE}
        factories.agent(service.ctx, _name(number), owner="emil", output_schema=cases.SCHEMA)
        factories.rollout(service.ctx, _name(number), cases.VERSION, phase=phase, **rules)


def _name(number: int) -> str:
    return f"agent-{number:04d}"


def _in_turn(service: Service) -> list[Request]:
    """One case of every agent."""
    sure = cases.confidences(cases.TRUSTED)
    return [
        Request(f"/v1/agents/{_name(n)}/decisions", cases.body(sure[n % len(sure)]), service.keys["emil"])
        for n in range(service.agents)
    ]


def _fill(url: str, folder: Path, count: int) -> None:
    """A migrated house in which an agent decided so often."""
    chain.upgrade(url)
    ctx = make_context(Settings(data_dir=folder / "var", database_url=url, secret=services.SECRET))
    factories.agent(ctx, _OLD_AGENT)
    row = factories.rollout(ctx, _OLD_AGENT, cases.VERSION, phase=Phase.CONFIDENCE)
    with psycopg.connect(url, autocommit=True) as connection:
        filling.fill(
            connection, agent=_OLD_AGENT, version=cases.VERSION, rollout_id=row.id, count=count,
            end=ctx.clock.now() - timedelta(seconds=1), already=_PLACES,
        )  # fmt: skip
        filling.finish(connection)
    ctx.db.close()
