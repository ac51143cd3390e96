"""What people did for any number of cases, line by line, in one call: as decisions, with the same code."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from kit.context import Context
from routing.cases import service
from routing.cases.tables import HumanOutput
from tests import factories
from web_app import create_app

STREAM = "/v1/agents/claims/human-outputs:stream"


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    factories.rollout(ctx)
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
        yield client


def line(case_id: str, output: Any = "yes", **fields: Any) -> bytes:
    return json.dumps({"case_id": case_id, "output": output} | fields).encode() + b"\n"


def send(client: TestClient, body: bytes, **headers: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The answers of the lines, and the summary."""
    answer = client.post(STREAM, content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    *lines, summary = [json.loads(found) for found in answer.text.splitlines()]
    return lines, summary


def in_force(ctx: Context) -> dict[str, Any]:
    with ctx.db.read() as session:
        rows = session.scalars(select(HumanOutput).where(HumanOutput.superseded.is_(False)))
        return {row.case_id: row.output for row in rows}


def test_every_line_is_answered_in_order_and_summed_up(client: TestClient, ctx: Context) -> None:
    body = b"".join(line(f"c-{n}", person="ana", occurred_at="2026-01-05T09:00:00Z") for n in range(300))

    lines, summary = send(client, gzip.compress(body), **{"Content-Encoding": "gzip"})
    again, repeated = send(client, body)

    assert [(found["line"], found["status"], found["case_id"], found["became"]) for found in lines] == [
        (n + 1, 201, f"c-{n}", "created") for n in range(300)
    ]
    assert summary == {"done": True, "lines": 300, "stored": 300, "repeated": 0, "refused": 0}
    assert repeated == {"done": True, "lines": 300, "stored": 0, "repeated": 300, "refused": 0}
    assert [found["human_output_id"] for found in again] == [found["human_output_id"] for found in lines]
    assert len(in_force(ctx)) == 300


def test_another_output_is_a_correction_also_in_the_same_stream(client: TestClient, ctx: Context) -> None:
    lines, summary = send(client, line("c-1") + line("c-2") + line("c-1", "no") + line("c-1", "no"))

    assert [(found["status"], found["revision"], found["became"]) for found in lines] == [
        (201, 1, "created"), (201, 1, "created"), (201, 2, "corrected"), (200, 2, "unchanged"),
    ]  # fmt: skip
    assert (summary["stored"], summary["repeated"]) == (3, 1)
    assert in_force(ctx) == {"c-1": "no", "c-2": "yes"}


def test_a_bad_line_is_told_by_its_number_and_harms_no_other(client: TestClient, ctx: Context) -> None:
    bad = b'{\n[]\n{"case_id": "x"}\n' + line("x", colour="red") + b'{"case_id": "x", "output": NaN}\n'

    lines, summary = send(client, line("c-1") + bad + line("c-2"))

    assert [(found["line"], found["status"]) for found in lines] == [
        (1, 201), (2, 422), (3, 422), (4, 422), (5, 422), (6, 422), (7, 201),
    ]  # fmt: skip
    assert all(found["problem"]["errors"] for found in lines if found["status"] == 422)
    assert (summary["stored"], summary["refused"]) == (2, 5)
    assert sorted(in_force(ctx)) == ["c-1", "c-2"]


def test_what_the_database_refuses_of_one_harms_no_other_and_an_absence_is_waited_out(
    client: TestClient, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, away = service.add_open_human_outputs, [OperationalError("INSERT", {}, Exception("could not connect"))]

    def store(session: Any, agent: str, items: Any, **named: Any) -> Any:
        if away:
            raise away.pop()
        if any(item.case_id == "bad" for item in items):
            raise IntegrityError("INSERT", {}, Exception("no"))
        return really(session, agent, items, **named)

    monkeypatch.setattr(service, "add_open_human_outputs", store)
    monkeypatch.setattr("routing.bulk.stream._STORE_PATIENCE", 0.01)

    lines, summary = send(client, line("c-1") + line("bad") + line("c-2"))

    assert [found["status"] for found in lines] == [201, 503, 201]
    assert summary == {"done": True, "lines": 3, "stored": 2, "repeated": 0, "refused": 1}
    assert sorted(in_force(ctx)) == ["c-1", "c-2"]


def test_only_who_may_report_for_this_agent_does(client: TestClient, ctx: Context) -> None:
    factories.agent(ctx, "letters")
    factories.person(ctx, "aud", roles=("auditor",))
    others = (factories.bearer(ctx, agent="letters"), factories.bearer(ctx, login="aud"), {"Authorization": ""})

    codes = [client.post(STREAM, content=line("c-1"), headers=headers).status_code for headers in others]

    assert codes == [403, 403, 401]
    assert in_force(ctx) == {}
