"""The benchmark of decisions runs, and counts what it does: one short cell with the real parts, no times asserted."""

import time
from pathlib import Path

import pytest

from bench.decisions import batches, cases, cell, services, stored
from bench.decisions.load import Load
from bench.decisions.parked import parked, tell_of_rulings, waiting_decisions, wake
from bench.desk_load import __main__ as desk_load
from bench.desk_load import beside
from bench.evidence.report import Section

pytestmark = pytest.mark.system

SECONDS = 0.5


def test_a_cell_counts_every_decision_it_was_told_of() -> None:
    database = "postgresql"  # SQLite: `make bench-decisions`
    with services.folder_for_servers() as folder, cell.one(database, folder) as (service, noop):
        with beside.Ours(service) as ours:
            heard = beside.cycles(ours, 1, pause=0)
        before = stored.Rows.of(service)
        single = cell.pair(service, noop, 4, SECONDS)
        many = cell.ours(service, 1, SECONDS, batches.batches(service, 20))
        tell_of_rulings(service, noop[0])
        waited = waiting_decisions(service, 3)
        with parked(service, waited[1:], port=service.ports[0]):
            wake(service, waited[0], waiter_port=service.ports[0])
        section = Section("a cell", "")
        stored.check(section, service, database, [single, many], more=len(waited), before=before)
        effort = desk_load.Effort(reviewers=8, waiting=100, rulings=24, paced=8, every=0.1)
        desk_load.measure(desk := Section("a desk", ""), service, effort, desk_load.Worked(), time.monotonic())

    assert single.no_op is not None
    assert single.no_op.unexpected == {}
    assert single.no_op.acknowledged > 0
    assert single.load.acknowledged > 0
    assert many.load.acknowledged % 20 == 0
    assert len(heard.told) == 1
    assert desk.tables[2].lines[0].met, desk.tables
    assert [line.cells for line in section.unmet] == []


def test_answers_that_were_not_expected_are_counted_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    with services.noop(tmp_path) as ports:
        job = cell.job(ports, 2, SECONDS, cases.same_bodies("/elsewhere"))
        load: Load = cell.fire_apart(job)

    assert load.acknowledged == 0
    assert set(load.unexpected) == {"404"}
