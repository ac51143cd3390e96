"""`phasegate archive` and `phasegate doctor --recount`, as somebody types them."""

from datetime import UTC, datetime
from functools import partial
from typing import cast

import pytest
from sqlalchemy import select, update

from cli import house
from kit.clock import FixedClock
from kit.context import Context, make_context
from rollout.domain.phase import Phase
from rollout.gates.tables import Total
from routing import tasks
from routing.archives import service
from routing.cases.tables import Decision
from routing.doctor import queries, recounting
from tests import factories
from tests.integration.cli.conftest import Run

SEPTEMBER = datetime(2026, 9, 15, tzinfo=UTC)


@pytest.fixture
def old(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Context:
    """Five settled cases of January, looked at in September, by commands too."""
    factories.agent(ctx, retention_months=3)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for number in range(5):
        factories.decision(ctx, f"c-{number}")
        factories.human_output(ctx, f"c-{number}")
    tasks.settle(ctx)
    cast("FixedClock", ctx.clock).set(SEPTEMBER)
    monkeypatch.setattr(house, "make_context", partial(make_context, clock=ctx.clock))
    return ctx


def test_what_would_leave_is_said_and_stays(old: Context, phasegate: Run) -> None:
    assert phasegate("archive", "--dry-run", "--json").json["due"][0]["decisions"] == 5
    assert "5 decisions would leave" in phasegate("archive", "--dry-run").out

    with old.db.read() as session:
        assert len(session.scalars(select(Decision)).all()) == 5


def test_a_file_that_is_registered_nowhere_is_named(old: Context, phasegate: Run) -> None:
    phasegate("archive")
    for name in ("claims-2026-01-1-0000aaaa.jsonl.gz", "claims-2026-01-2-0000bbbb.jsonl.gz.partial", "notes.txt"):
        (service.folder_of(old) / name).write_bytes(b"")

    found = phasegate("archive", "verify", "--json")

    assert (found.status, found.json["ok"], found.json["files"]) == (0, True, 1)
    assert [name[-16:] for name in found.json["unregistered"]] == ["0000aaaa.jsonl.gz"[-16:], "jsonl.gz.partial"]
    assert "0000aaaa.jsonl.gz is registered nowhere" in phasegate("archive", "verify").out.replace("\n", " ")


def test_what_left_is_listed_verified_and_shown(old: Context, phasegate: Run) -> None:
    with old.db.read() as session:
        row = session.scalars(select(Decision).where(Decision.case_id == "c-2")).one()

    assert "5 decisions left the database" in phasegate("archive").out

    (listed,) = phasegate("archive", "list", "--json").json["items"]
    assert (listed["agent"], listed["decisions"], listed["kept"]) == ("claims", 5, 0)
    assert phasegate("archive", "verify").status == 0
    assert phasegate("archive", "show", row.id).json["decision"]["case_id"] == "c-2"
    of_case = phasegate("archive", "show", "--agent", "claims", "--case", "c-2").json["items"]
    assert [one["decision"]["id"] for one in of_case] == [str(row.id)]
    assert phasegate("archive", "show", "--agent", "claims", "--case", "none").status == 3
    assert "Nothing is due" in phasegate("archive", "--dry-run").out


def test_an_altered_file_is_told(old: Context, phasegate: Run) -> None:
    phasegate("archive")
    (path,) = service.folder_of(old).glob("*.jsonl.gz")
    path.write_bytes(path.read_bytes() + b"x")

    found = phasegate("archive", "verify", "--json")

    assert (found.status, list(found.json["wrong"])) == (1, [path.name])


def test_a_recount_finds_what_differs_and_only_that(old: Context, phasegate: Run) -> None:
    assert phasegate("doctor", "--recount").status == 0

    with old.db.begin() as session:
        session.execute(update(Total).values(agreed=Total.agreed - 1))

    found = phasegate("doctor", "--recount", "--json")
    assert found.status == 1
    assert [(one["check"], one["ok"]) for one in found.json["checks"]] == [
        ("migrations", True),
        ("totals", False),
        ("tallies", True),
    ]
    assert phasegate("doctor", "--recount", "--repair").status == 2


def test_a_recount_is_not_misled_by_what_is_counted_meanwhile(old: Context) -> None:
    cases = iter(["meanwhile-1", "meanwhile-2", "meanwhile-3"])

    def work(_done: int) -> None:
        if (case_id := next(cases, None)) is not None:
            factories.decision(old, case_id)
            tasks.settle(old)

    assert all(found.ok for found in recounting.recount(old, rows=2, told=work))


def test_a_recount_goes_on_where_it_was_broken_off(old: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recounting, "_SAVED_EVERY", 1)
    read: list[object] = []
    real = queries.recount_between

    def dies(done: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recounting.recount(old, rows=1, told=dies)
    monkeypatch.setattr(queries, "recount_between", lambda *given: read.append(given) or real(*given))

    assert all(found.ok for found in recounting.recount(old, rows=1))
    assert len(read) == 2
    assert not (old.settings.data_dir / "recount.json").exists()
