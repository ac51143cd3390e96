"""Rulings, labels and training data as they leave: whole, few rows at a time, for those who may, and on record."""

import csv
import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from governance.actors import SYSTEM, Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import Phase, Standing
from routing import snapshot, tasks
from routing.cases import service as cases
from routing.cases.schemas import FailureIn
from routing.cases.tables import Decision
from routing.exports import queries, service
from routing.exports.queries import Scope
from routing.exports.service import Export, Form, What
from routing.reviews import service as reviews
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from tests import factories
from web_app import create_app

OUTPUT = {"accept": True, "lines": [{"net": 1}, {"net": 2}]}
EDITED = {"accept": True, "lines": [{"net": 1}, {"net": 3}], "note": "=1+1"}


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx)) as client:
        yield client


@pytest.fixture
def owner(ctx: Context) -> dict[str, str]:
    factories.person(ctx, "mara")
    factories.agent(ctx, owner="mara", undo_seconds=0)
    return factories.bearer(ctx, login="mara")


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


def rule(ctx: Context, actor: Actor, decision: Decision, ruling: Any, **said: Any) -> None:
    with ctx.db.begin() as session:
        item = session.scalars(select(ReviewItem).where(ReviewItem.decision_id == decision.id)).one()
        reviews.claim(session, item.id, actor=actor, now=ctx.clock.now(), lease=timedelta(minutes=10))
        agent = snapshot.load(session).agents["claims"]
        words = Said(ruling, item.fingerprint, **said)
        reviews.rule(session, item.id, words, agent=agent, actor=actor, now=ctx.clock.now())


def lines(client: TestClient, owner: dict[str, str], what: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/agents/claims/{what}:export", params=params, headers=owner)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def ruled(ctx: Context, owner: dict[str, str], alice: Actor) -> dict[str, Decision]:
    """One case for each ruling."""
    factories.rollout(ctx)
    found = {word: factories.decision(ctx, word, output=OUTPUT, input={"n": word}) for word in ("approve", "edit")}
    found["reject"] = factories.decision(ctx, "reject", output=OUTPUT)
    rule(ctx, alice, found["approve"], "approve")
    rule(ctx, alice, found["edit"], "edit", output=EDITED, note="the second line")
    rule(ctx, alice, found["reject"], "reject", reason_code="harmful")
    tasks.settle(ctx)
    return found


class TestRulings:
    def test_say_what_was_shown_and_what_was_said(
        self, client: TestClient, owner: dict[str, str], ruled: dict[str, Decision]
    ) -> None:
        approved, edited, rejected = lines(client, owner, "rulings")

        assert (approved["case_id"], approved["ruling"], approved["verdict"]) == ("approve", "approve", "agree")
        assert approved["patch"] is None
        assert edited["patch"] == [
            {"op": "replace", "path": "/lines/1/net", "value": 3},
            {"op": "add", "path": "/note", "value": "=1+1"},
        ]
        assert (edited["output"], edited["edited_output"], edited["by"]) == (OUTPUT, EDITED, "alice")
        assert (edited["arm"], edited["undone_at"]) == ("assisted", None)
        assert (rejected["reason_code"], rejected["severity"]) == ("harmful", "severe")
        assert {row["decision_id"] for row in (approved, edited, rejected)} == {str(one.id) for one in ruled.values()}

    @pytest.mark.usefixtures("ruled")
    def test_of_csv_are_the_same(self, client: TestClient, owner: dict[str, str]) -> None:
        params = {"format": "csv"}
        answer = client.get("/v1/agents/claims/rulings:export", params=params, headers=owner)
        rows = list(csv.DictReader(StringIO(answer.text, newline="")))

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        for row, plain in zip(rows, lines(client, owner, "rulings"), strict=True):
            assert {column.removesuffix(":json") for column in row} == set(plain)
            for column, cell in row.items():
                value = plain[column.removesuffix(":json")]
                if value is None:
                    assert cell == "", column
                elif column.endswith(":json") or isinstance(value, int | float):
                    assert json.loads(cell) == value, column
                else:
                    assert cell == value, column

    @pytest.mark.usefixtures("ruled")
    def test_are_narrowed_by_version_and_time(self, client: TestClient, owner: dict[str, str], ctx: Context) -> None:
        now = ctx.clock.now()

        factories.rollout(ctx, version="v2", standing=Standing.CANDIDATE)
        for what in What:
            assert len(lines(client, owner, what, version="v1")) == 3
            assert lines(client, owner, what, version="v2") == []
        assert lines(client, owner, "rulings", to=now.isoformat()) == []
        assert lines(client, owner, "labels", **{"from": (now + timedelta(seconds=1)).isoformat()}) == []

    def test_of_other_agents_are_not_in_it(
        self, client: TestClient, owner: dict[str, str], ctx: Context, ruled: dict[str, Decision]
    ) -> None:
        factories.agent(ctx, "letters")

        assert ruled
        assert client.get("/v1/agents/letters/rulings:export", headers=owner).text == ""
        assert client.get("/v1/agents/letters/training:export", headers=owner).text == ""


class TestLabels:
    def test_all_are_there_and_one_counts(
        self, client: TestClient, owner: dict[str, str], ctx: Context, ruled: dict[str, Decision]
    ) -> None:
        factories.human_output(ctx, "edit", EDITED, person="bert")
        with ctx.db.begin() as session:
            row = session.get_one(Decision, ruled["approve"].id)
            report = FailureIn(severity="severe", description="It was wrong.", correct_output="no")
            cases.report_failure(session, row, report, key=None, actor=SYSTEM, now=ctx.clock.now())
        tasks.settle(ctx)

        found = {(row["case_id"], row["source"]): row for row in lines(client, owner, "labels")}

        assert {key: (row["verdict"], row["counts"]) for key, row in found.items()} == {
            ("approve", "review"): ("agree", False),
            ("approve", "failure"): ("override", True),
            ("edit", "review"): ("override", True),
            ("edit", "human_output"): ("override", False),
            ("reject", "review"): ("override", True),
        }
        assert found["edit", "human_output"]["person"] == "bert"


class TestTraining:
    @pytest.mark.usefixtures("ruled")
    def test_says_what_was_right_as_far_as_anybody_said(
        self, client: TestClient, owner: dict[str, str], ctx: Context
    ) -> None:
        before = {
            row["case_id"]: (row["correct_output"], row["correct_from"]) for row in lines(client, owner, "training")
        }
        factories.human_output(ctx, "reject", "no")
        after = {
            row["case_id"]: (row["correct_output"], row["correct_from"]) for row in lines(client, owner, "training")
        }

        assert before == {"approve": (OUTPUT, "approval"), "edit": (EDITED, "edit"), "reject": (None, None)}
        assert after["reject"] == ("no", "human_output")

    def test_gives_each_case_the_probability_with_which_it_was_looked_at(
        self, client: TestClient, owner: dict[str, str], ctx: Context, alice: Actor
    ) -> None:
        factories.rollout(ctx, phase=Phase.CONFIDENCE, audit_rate=0.5)
        made = [factories.decision(ctx, f"c-{n}", confidence=0.9 if n else 0.1) for n in range(20)]
        drawn = [one for one in made if one.lane == "audit"]
        alone = [one for one in made if one.lane == "auto"]
        assert drawn
        assert alone
        for one in (made[0], *drawn):
            rule(ctx, alice, one, "approve")
        with ctx.db.begin() as session:
            row = session.get_one(Decision, alone[0].id)
            report = FailureIn(severity="major", description="It was wrong.", correct_output="no")
            cases.report_failure(session, row, report, key=None, actor=SYSTEM, now=ctx.clock.now())
        tasks.settle(ctx)

        rows = {row["case_id"]: row for row in lines(client, owner, "training")}

        assert (rows["c-0"]["lane"], rows["c-0"]["probability"], rows["c-0"]["weight"]) == ("review", 1.0, 1.0)
        assert {(rows[one.case_id]["probability"], rows[one.case_id]["weight"]) for one in drawn} == {(0.5, 2.0)}
        reported = rows[alone[0].case_id]
        assert (reported["probability"], reported["weight"], reported["correct_output"]) == (None, None, "no")
        assert len(rows) == len(drawn) + 2

    def test_pairs_of_shadow_have_the_output_of_people(
        self, client: TestClient, owner: dict[str, str], ctx: Context
    ) -> None:
        factories.rollout(ctx, phase=Phase.SHADOW)
        factories.decision(ctx, "c-1")
        factories.decision(ctx, "c-2")
        factories.human_output(ctx, "c-1", "no")
        tasks.settle(ctx)

        (row,) = lines(client, owner, "training")

        assert (row["case_id"], row["correct_output"], row["correct_from"]) == ("c-1", "no", "human_output")
        assert (row["verdict"], row["probability"]) == ("override", 1.0)


class TestWho:
    def test_is_an_owner_an_admin_or_an_auditor_and_is_on_record(
        self, client: TestClient, owner: dict[str, str], ctx: Context
    ) -> None:
        refused = {"agent": factories.bearer(ctx, agent="claims")}
        for role in ("reviewer", "lead", "engineer"):
            factories.person(ctx, f"the-{role}", roles=(role,))
            refused[role] = factories.bearer(ctx, login=f"the-{role}")
        factories.person(ctx, "ada", roles=("auditor",))
        auditor = factories.bearer(ctx, login="ada")
        for what in What:
            address = f"/v1/agents/claims/{what}:export"
            assert {client.get(address, headers=header).status_code for header in refused.values()} == {403}
            assert [client.get(address, headers=header).status_code for header in (auditor, owner)] == [200, 200]

        verbs = [f"{what}.exported" for what in What]
        with ctx.db.read() as session:
            events = session.scalars(select(AuditEvent).where(AuditEvent.verb.in_(verbs))).all()
        assert {(one.actor, one.verb) for one in events} == {(who, verb) for who in ("ada", "mara") for verb in verbs}
        assert events[0].detail["form"] == "jsonl"

    def test_nobody_gets_what_is_not_there(self, client: TestClient, owner: dict[str, str]) -> None:
        assert client.get("/v1/agents/nobody/rulings:export", headers=owner).status_code == 404
        assert client.get("/v1/agents/claims/rulings:export?version=v9", headers=owner).status_code == 404
        assert client.get("/v1/agents/claims/rulings:export?format=xml", headers=owner).status_code == 422


class TestSize:
    @pytest.mark.parametrize("what", list(What))
    def test_windows_and_parts_meet_without_a_gap(
        self, ctx: Context, owner: dict[str, str], alice: Actor, clock: FixedClock, what: What,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        assert owner
        monkeypatch.setattr(queries, "WINDOW", 4)
        monkeypatch.setattr(service, "_AT_A_TIME", 3)
        factories.rollout(ctx)
        made = []
        for number in range(9):
            made.append(factories.decision(ctx, f"c-{number}"))  # three of one moment each
            rule(ctx, alice, made[-1], "approve")
            clock.move(timedelta(seconds=number % 3 == 0))
        tasks.settle(ctx)
        with ctx.db.begin() as session:
            export = Export(what, Form.JSONL, Scope("claims", None, None, None))
            service.begin(session, export, actor=SYSTEM, now=clock.now())

        parts = list(service.pieces(ctx.db, export))

        found = [json.loads(line)["case_id"] for part in parts for line in part.splitlines()]
        assert sorted(found) == sorted(one.case_id for one in made)
        assert max(part.count(b"\n") for part in parts) <= 3

    def test_memory_does_not_grow_with_the_rows(
        self, ctx: Context, owner: dict[str, str], alice: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor is a transaction open while somebody reads: a part is found before it is given out."""
        assert owner
        monkeypatch.setattr(service, "_BYTES", 150_000)
        factories.rollout(ctx)
        for number in range(30):
            light, heavy = factories.decision(ctx, f"l-{number}"), "x" * 50_000
            rule(ctx, alice, light, "edit", output=heavy)
            rule(ctx, alice, factories.decision(ctx, f"h-{number}", output=heavy), "approve")
        tasks.settle(ctx)
        for what in (What.TRAINING, What.RULINGS):
            export = Export(what, Form.JSONL, Scope("claims", None, None, None))
            with ctx.db.begin() as session:
                service.begin(session, export, actor=SYSTEM, now=ctx.clock.now())
            pieces = service.pieces(ctx.db, export)
            size = len(next(pieces))
            assert ctx.db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            tracemalloc.start()
            for piece in pieces:
                size += len(piece)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

            assert size > 3_000_000
            assert peak < size / 2

    def test_what_is_heavy_goes_alone_whichever_part_of_it_is(
        self, ctx: Context, owner: dict[str, str], alice: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert owner
        monkeypatch.setattr(service, "_BYTES", 150_000)
        factories.rollout(ctx)
        heavy = "x" * 100_000
        made = [factories.decision(ctx, f"c-{number}") for number in range(6)]
        for decision in made:
            rule(ctx, alice, decision, "reject", reason_code="wrong")
        tasks.settle(ctx)
        for decision in made[1:3]:
            factories.human_output(ctx, decision.case_id, heavy)
        for decision in made[3:5]:
            failure = FailureIn(severity="major", description="seen later", correct_output=heavy)
            with ctx.db.begin() as session:
                cases.report_failure(session, decision, failure, key=None, actor=SYSTEM, now=ctx.clock.now())
        tasks.settle(ctx)

        pieces = service.pieces(ctx.db, Export(What.TRAINING, Form.JSONL, Scope("claims", None, None, None)))

        assert [piece.count(b"\n") for piece in pieces] == [2, 1, 1, 2]
