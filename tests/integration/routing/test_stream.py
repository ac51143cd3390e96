"""Any number of cases, line by line, in one call."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from kit.context import Context
from routing.bulk import api, stream
from routing.cases import service
from routing.cases.tables import Decision
from tests import factories
from web_app import create_app

STREAM = "/v1/agents/claims/decisions:stream"


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    factories.rollout(ctx)
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
        yield client


def line(case_id: str, **fields: Any) -> bytes:
    case = {"case_id": case_id, "version": "v1", "output": "yes", "confidence": 0.9} | fields
    return json.dumps(case).encode() + b"\n"


def send(client: TestClient, *parts: bytes, **headers: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The answers of the lines, and the summary."""
    answer = client.post(STREAM, content=iter(parts), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    *lines, summary = [json.loads(found) for found in answer.text.splitlines()]
    return lines, summary


def stored_in(ctx: Context) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(Decision)) or 0


def test_every_line_is_answered_in_order_and_summed_up(client: TestClient, ctx: Context) -> None:
    lines, summary = send(client, b"".join(line(f"c-{n}") for n in range(600)))

    assert [(found["line"], found["status"], found["case_id"]) for found in lines] == [
        (n + 1, 201, f"c-{n}") for n in range(600)
    ]
    assert {found["route"] for found in lines} == {"review"}
    assert summary == {"done": True, "lines": 600, "stored": 600, "repeated": 0, "refused": 0}
    assert stored_in(ctx) == 600
    decision = client.get(f"/v1/decisions/{lines[5]['decision_id']}").json()
    assert (decision["case_id"], decision["route"]) == ("c-5", "review")


def test_sent_again_all_of_it_is_repeated(client: TestClient, ctx: Context) -> None:
    body = b"".join(line(f"c-{n}") for n in range(50))

    first, _ = send(client, body)
    again, summary = send(client, body[:1000], body[1000:])

    assert summary == {"done": True, "lines": 50, "stored": 0, "repeated": 50, "refused": 0}
    assert [found["decision_id"] for found in again] == [found["decision_id"] for found in first]
    assert stored_in(ctx) == 50


def test_a_bad_line_is_told_by_its_number_and_harms_no_other(client: TestClient, ctx: Context) -> None:
    bad = [b"{\n", b"[]\n", b'{"case_id": "x", "version": "v1", "output": 1, "output": 2}\n', line("x", colour="red")]
    too_long = b'{"case_id": "' + b"x" * (ctx.settings.max_body_bytes + 10) + b'"}\n'

    lines, summary = send(client, line("c-1"), b"\n", *bad, too_long, line("c-1", output="no"), line("c-2").strip())

    assert [(found["line"], found["status"]) for found in lines] == [
        (1, 201), (3, 422), (4, 422), (5, 422), (6, 422), (7, 413), (8, 409), (9, 201),
    ]  # fmt: skip
    places = [found["problem"]["errors"][0]["place"] for found in lines if "problem" in found]
    assert places == ["column 2", "body", "output", "colour", "line", "output"]
    assert summary == {"done": True, "lines": 8, "stored": 2, "repeated": 0, "refused": 6}
    assert stored_in(ctx) == 2


def test_nothing_at_all_is_summed_up_too(client: TestClient) -> None:
    assert send(client, b"") == ([], {"done": True, "lines": 0, "stored": 0, "repeated": 0, "refused": 0})


class TestGzip:
    def test_is_read_in_whatever_pieces_it_comes(self, client: TestClient) -> None:
        packed = gzip.compress(b"".join(line(f"c-{n}") for n in range(300)))
        parts = [packed[start : start + 100] for start in range(0, len(packed), 100)]

        lines, summary = send(client, *parts, **{"Content-Encoding": "gzip"})

        assert (len(lines), summary["stored"]) == (300, 300)

    @pytest.mark.parametrize(
        ("body", "encoding", "status"),
        [
            pytest.param(b"no gzip", "gzip", 422, id="no gzip"),
            pytest.param(gzip.compress(b" " * 40_000_000), "gzip", 413, id="a bomb"),
            pytest.param(b"{}", "br", 422, id="another encoding"),
        ],
    )
    def test_that_is_bad_from_the_beginning_is_refused(
        self, client: TestClient, body: bytes, encoding: str, status: int
    ) -> None:
        answer = client.post(STREAM, content=body, headers={"Content-Encoding": encoding})

        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["errors"]

    def test_that_is_bad_later_ends_the_stream_after_the_lines_before(self, client: TestClient, ctx: Context) -> None:
        whole = b"".join(line(f"c-{n}", input=str(n) * 40) for n in range(2000))
        packed = gzip.compress(whole)[:-20]

        lines, summary = send(client, packed, **{"Content-Encoding": "gzip"})

        assert (summary["done"], summary["lines"]) == (False, len(lines))
        assert summary["problem"]["status"] == 422
        assert {found["status"] for found in lines} == {201}
        assert stored_in(ctx) == len(lines) > 1000


class TestDatabaseAway:
    def test_for_a_moment_is_waited_out(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        really, tries = service.store_at_once, []

        def away_at_first(*given: Any, **named: Any) -> Any:
            tries.append(1)
            if len(tries) < 2:
                raise OperationalError("INSERT", {}, Exception("could not connect"))
            return really(*given, **named)

        monkeypatch.setattr(service, "store_at_once", away_at_first)

        lines, summary = send(client, line("c-1"))

        assert ([found["status"] for found in lines], summary["done"]) == ([201], True)
        assert len(tries) == 2

    def test_while_a_version_is_looked_for_a_person_does_what_is_not_known(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise OperationalError("SELECT", {}, Exception("could not connect"))

        monkeypatch.setattr(client.app.state.hot.holder, "look_again", away)  # type: ignore[attr-defined]

        lines, summary = send(client, line("c-1", version="unheard of"), line("c-2"))

        assert ([found["status"] for found in lines], summary["done"]) == ([201, 201], True)
        assert lines[0]["route"] == "human"

    def test_is_told_before_what_is_wrong_with_the_rest_of_the_body(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any, **__: Any) -> None:
            raise OperationalError("INSERT", {}, Exception("could not connect"))

        monkeypatch.setattr(service, "store_at_once", away)
        monkeypatch.setattr(stream, "_STORE_PATIENCE", 0.0)
        packed = gzip.compress(b"".join(line(f"c-{n}", input=str(n) * 40) for n in range(2000)))[:-20]

        _, summary = send(client, packed, **{"Content-Encoding": "gzip"})

        assert summary["problem"]["status"] == 503

    def test_for_long_ends_the_stream_and_says_so(
        self, client: TestClient, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any, **__: Any) -> None:
            raise OperationalError("INSERT", {}, Exception("could not connect"))

        monkeypatch.setattr(service, "store_at_once", away)
        monkeypatch.setattr(stream, "_STORE_PATIENCE", 0.0)

        lines, summary = send(client, line("c-1"), line("c-2"))

        assert lines == []
        assert (summary["done"], summary["lines"], summary["problem"]["status"]) == (False, 0, 503)
        assert stored_in(ctx) == 0


def test_more_streams_than_a_process_takes_are_told_to_come_again(client: TestClient, ctx: Context) -> None:
    slots = client.app.state.streams  # type: ignore[attr-defined]
    with slots.one(), slots.one(), slots.one():
        assert send(client, line("c-1"))[1]["stored"] == 1
        with slots.one():
            answer = client.post(STREAM, content=line("c-2"))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert stored_in(ctx) == 1


@pytest.mark.parametrize("stuck_at", ["the answers", "the end"])
def test_who_has_sent_everything_and_reads_no_more_holds_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, stuck_at: str
) -> None:
    monkeypatch.setattr(api, "_IDLE", 0.2)
    hot = client.app.state.hot  # type: ignore[attr-defined]
    stuck: list[dict[str, Any]] = []

    async def run() -> None:
        lines = iter([(line("c-1"), True), (line("c-2"), True), (b"", False)])

        async def receive() -> dict[str, Any]:
            body, more = next(lines)
            return {"type": "http.request", "body": body, "more_body": more}

        async def stop_reading(message: dict[str, Any]) -> None:
            if "body" in message and bool(message["body"]) == (stuck_at == "the answers"):
                stuck.append(message)
                await asyncio.Event().wait()

        headers = [(name.lower().encode(), value.encode()) for name, value in client.headers.items()]
        scope = {"type": "http", "method": "POST", "path": STREAM, "headers": headers, "query_string": b""}
        await client.app(scope, receive, stop_reading)  # type: ignore[arg-type]

    assert client.portal is not None
    client.portal.call(run)

    assert len(stuck) == 1
    assert client.app.state.streams._free == 4  # type: ignore[attr-defined]
    assert not hot.holder.answers._open


def test_another_agents_key_decides_nothing(client: TestClient, ctx: Context) -> None:
    factories.agent(ctx, "refunds")

    answer = client.post(STREAM, content=line("c"), headers=factories.bearer(ctx, agent="refunds"))

    assert answer.status_code == 403
    assert stored_in(ctx) == 0
