"""What goes out of one installation comes into another: exports and imports as somebody types them."""

import csv
import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from governance.audit.tables import AuditEvent
from kit.context import Context
from rollout.domain.phase import Phase
from routing import snapshot, tasks
from routing.cases.tables import HumanOutput
from routing.reviews import service as reviews
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_rollouts import serving

SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}, "code": {"type": "string"}}}
OUTPUT = {"total": 12.5, "code": "=007"}
EDITED = {"total": 12.75, "code": "=007"}


@pytest.fixture
def house(ctx: Context) -> Context:
    """An agent, an edit and an approval by alice, and mara, who owns it."""
    factories.person(ctx, "mara")
    factories.agent(ctx, owner="mara", undo_seconds=0, output_schema=SCHEMA)
    factories.rollout(ctx)
    alice = factories.actor(ctx, "alice", roles=("reviewer",))
    rulings = {"1": Said("approve", ""), "2": Said("edit", "", EDITED, note='- one cent, "more"\nand a quarter')}
    for case_id, said in rulings.items():
        decision = factories.decision(ctx, case_id, output=OUTPUT, input={"scan": case_id})
        with ctx.db.begin() as session:
            item = session.scalars(select(ReviewItem).where(ReviewItem.decision_id == decision.id)).one()
            reviews.claim(session, item.id, actor=alice, now=ctx.clock.now(), lease=timedelta(minutes=10))
            words = Said(said.ruling, item.fingerprint, said.output, note=said.note)
            agent = snapshot.load(session).agents["claims"]
            reviews.rule(session, item.id, words, agent=agent, actor=alice, now=ctx.clock.now())
    tasks.settle(ctx)
    return ctx


def human_outputs(ctx: Context, agent: str) -> dict[str, Any]:
    with ctx.db.read() as session:
        rows = session.scalars(select(HumanOutput).where(HumanOutput.agent == agent, ~HumanOutput.superseded))
        return {row.case_id: (row.output, row.person) for row in rows}


def test_rulings_go_to_the_screen_or_to_a_file_that_is_whole(house: Context, phasegate: Run, tmp_path: Path) -> None:
    path = tmp_path / "rulings.jsonl.gz"
    shown = phasegate("export", "claims", "--what", "rulings", "--as", "mara")
    told = phasegate("export", "claims", "--what", "rulings", "--as", "mara", "--file", path)

    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["patch"] for line in lines] == [None, [{"op": "replace", "path": "/total", "value": 12.75}]]
    assert gzip.decompress(path.read_bytes()).decode() == shown.out
    assert "2 lines" in told.err
    assert [one.name for one in tmp_path.iterdir() if "rulings" in one.name] == [path.name]


def test_over_http_comes_the_same(house: Context, phasegate: Run) -> None:
    _, secret = factories.key(house, login="mara")
    options = ("export", "claims", "--what", "training", "--format", "csv", "--version", "v1", "--from", "2026-01-01")
    with serving(house) as url:
        far = phasegate(*options, "--url", url, "--key", secret)
        _, hers = factories.key(house, login="alice")
        refused = phasegate(*options, "--url", url, "--key", hers)

    assert far.out == phasegate(*options, "--as", "mara").out
    assert far.out.count("approval") == 1
    assert (refused.status, refused.out) == (1, "")
    assert "may not audit" in refused.err


def test_who_may_not_is_refused_and_nothing_is_left(house: Context, phasegate: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    ran = phasegate("export", "claims", "--what", "labels", "--as", "alice", "--file", path)

    assert ran.status == 1
    assert not path.exists()
    with house.db.read() as session:
        assert session.scalars(select(AuditEvent).where(AuditEvent.verb == "labels.exported")).all() == []


def test_configuration_has_no_time(house: Context, phasegate: Run) -> None:
    assert phasegate("export", "claims", "--from", "2026-01-01").status == 1


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_was_right_comes_back_as_what_people_did(
    house: Context, phasegate: Run, tmp_path: Path, form: str
) -> None:
    """Training data of one agent, imported for another, is the same answers, to the digit and the sign."""
    factories.agent(house, "copies", owner="mara", output_schema=SCHEMA)
    factories.rollout(house, "copies", phase=Phase.SHADOW)
    for case_id in ("1", "2"):
        factories.decision(house, case_id, agent="copies", output=OUTPUT)
    path = tmp_path / f"training.{form}"
    assert phasegate("export", "claims", "--what", "training", "--format", form, "--file", path).status == 0
    columns: tuple[str, ...] = ("--column", "case_id=case_id", "--column", "output:json=correct_output:json")
    if form == "jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        kept = [{"case_id": line["case_id"], "output": line["correct_output"]} for line in lines]
        path.write_text("\n".join(map(json.dumps, kept)), encoding="utf-8")
        columns = ()

    ran = phasegate("import", path, "--agent", "copies", "--json", *columns)
    again = phasegate("import", path, "--agent", "copies", "--json", *columns)
    tasks.settle(house)

    assert (ran.status, ran.json[0]["created"], again.json[0]["unchanged"]) == (0, 2, 2)
    assert human_outputs(house, "copies") == {"1": (OUTPUT, None), "2": (EDITED, None)}
    verdicts = phasegate("export", "copies", "--what", "labels", "--format", "csv").out
    found = {row["case_id"]: row["verdict"] for row in csv.DictReader(verdicts.splitlines())}
    assert found == {"1": "agree", "2": "override"}


def test_csv_of_another_tool_is_imported_and_its_bad_lines_told(house: Context, phasegate: Run, tmp_path: Path) -> None:
    path = tmp_path / "paid.csv"
    path.write_text(
        "invoice,paid,code,by,when\n"
        "1,12.50,007,ann,2026-01-04T10:00:00Z\n"
        "2,twelve,7,ann,2026-01-04T10:00:00Z\n"
        "3,3,8,ann,yesterday\n",
        encoding="utf-8",
    )
    columns = ("case_id=invoice", "output.total=paid", "output.code=code", "person=by", "occurred_at=when")
    named = [word for column in columns for word in ("--column", column)]

    ran = phasegate("import", path, "--agent", "claims", *named)

    assert ran.status == 1
    assert "line 3: output.total (column paid): 'twelve' is no JSON" in ran.err
    assert "line 4: occurred_at (column when):" in ran.err
    assert human_outputs(house, "claims") == {"1": ({"total": 12.5, "code": "007"}, "ann")}
    kept = [json.loads(line) for line in (tmp_path / "paid.rejected.jsonl").read_text().splitlines()]
    assert kept[0]["paid"] == "twelve"
    assert kept[1]["output"] == {"total": 3, "code": "8"}


def test_cases_of_csv_go_through_the_router(house: Context, phasegate: Run, tmp_path: Path) -> None:
    _, secret = factories.key(house, agent="claims")
    path = tmp_path / "cases.csv"
    path.write_text(
        "case_id,version,output.total,confidence,segment\nn-1,v1,3,0.5,north\nn-2,v1,3,high,north\nn-3,v1,4,,\n",
        encoding="utf-8",
    )
    with serving(house) as url:
        ran = phasegate("import", path, "--agent", "claims", "--what", "cases", "--url", url, "--key", secret, "--json")

    assert (ran.status, ran.json[0]["stored"], ran.json[0]["review"]) == (1, 2, 2)
    assert [broken["line"] for broken in ran.json[0]["broken"]] == [3]


def test_annotations_of_label_studio_are_what_people_did(house: Context, phasegate: Run, tmp_path: Path) -> None:
    path = tmp_path / "project.json"

    def told(case_id: str, *words: str) -> dict[str, Any]:
        said = [{"from_name": "code", "type": "choices", "value": {"choices": [word]}} for word in words]
        return {"data": {"invoice": case_id}, "annotations": [{"completed_by": 7, "result": [one]} for one in said]}

    tasks_of = [told("1", "007"), told("2"), told("3", "a", "b")]
    path.write_text(json.dumps(tasks_of), encoding="utf-8")

    ran = phasegate("import", path, "--agent", "claims", "--column", "case_id=data.invoice", "--json")

    assert ran.status == 1
    assert (ran.json[0]["created"], ran.json[0]["not annotated"]) == (1, 1)
    assert ran.json[0]["broken"][0]["errors"][0]["problem"] == "2 annotations differ"
    assert human_outputs(house, "claims") == {"1": ({"code": "007"}, "annotator 7")}
    cases = phasegate("import", path, "--agent", "claims", "--what", "cases", "--url", "http://127.0.0.1:1")
    assert (cases.status, "import them as human-outputs" in cases.err) == (1, True)


def test_lines_of_json_need_no_columns(house: Context, phasegate: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"case_id": "1", "output": 1}\n', encoding="utf-8")

    assert phasegate("import", path, "--agent", "claims", "--column", "case_id=x").status == 1
