"""The plain call goes past the framework; nobody can tell by the answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from rollout.domain.phase import FreezeMode, Phase
from tests import factories
from web_app import create_app

PATH = "/v1/agents/claims/decisions"
ODD = "?odd=1"  # with a query the framework has to look
BODY = {"case_id": "c-1", "version": "v1", "output": {"pay": 12.5, "words": ["ä€😀", ""]}, "confidence": 0.9}


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    settings = ctx.settings.model_copy(update={"max_body_bytes": 2000})
    with TestClient(
        create_app(Context(settings, ctx.db, ctx.clock, ctx.secret)), raise_server_exceptions=False
    ) as made:
        made.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
        yield made


ROLLOUTS: dict[str, dict[str, Any]] = {
    "shadow": {"phase": Phase.SHADOW},
    "review": {"phase": Phase.SUPERVISED},
    "auto": {"phase": Phase.FULL, "audit_rate": 1e-9},
    "audit": {"phase": Phase.FULL, "audit_rate": 1.0},
    "human": {"phase": Phase.FULL, "frozen": FreezeMode.ROUTING},
    "block": {"phase": Phase.FULL, "blocked_actions": ["pay"]},
    "nobody": {"version": "another"},
}


@pytest.mark.parametrize("kind", ROLLOUTS)
def test_the_first_answer_is_what_everybody_reads_later(ctx: Context, client: TestClient, kind: str) -> None:
    factories.rollout(ctx, **ROLLOUTS[kind])
    body = BODY | {"action": "pay"}

    first, again, odd = (client.post(path, json=body) for path in (PATH, PATH, PATH + ODD))
    read = client.get(first.headers["location"])

    assert (first.status_code, again.status_code, odd.status_code) == (201, 200, 200)
    assert first.json() == again.json() == odd.json() == read.json()
    assert first.json()["route"] == {"audit": "auto", "nobody": "human"}.get(kind, kind)
    assert first.headers["content-type"] == read.headers["content-type"] == "application/json"


def test_a_superseded_decision_is_answered_with_its_outcome(ctx: Context, client: TestClient) -> None:
    factories.rollout(ctx)
    first = client.post(PATH, json=BODY)
    client.post(PATH, json=BODY | {"attempt": 2})

    again = client.post(PATH, json=BODY)

    assert again.json()["outcome"]["state"] == "superseded"
    assert again.json() == client.get(first.headers["location"]).json()


BAD: dict[str, dict[str, Any]] = {
    "no JSON": {"content": b"{"},
    "no body": {"content": b""},
    "a doubled key": {"content": b'{"case_id": "c", "case_id": "c", "version": "v1", "output": 1}'},
    "an unknown field": {"json": BODY | {"confidense": 1}},
    "a missing field": {"json": {"case_id": "c"}},
    "NaN in the output": {"content": b'{"case_id": "c", "version": "v1", "output": NaN}'},
    "not UTF-8": {"content": b'{"case_id": "\xff"}'},
    "half a surrogate": {"content": b'{"case_id": "\\ud800", "version": "v1", "output": 1}'},
    "too large": {"json": BODY | {"input": "x" * 3000}},
    "too large, of no known length": {"content": iter([b"x" * 1500, b"x" * 1500])},
    "no key": {"json": BODY, "headers": {"authorization": ""}},
    "a wrong key": {"json": BODY, "headers": {"authorization": "Bearer pgk_wrong"}},
    "another body": {"json": BODY | {"output": "no"}},
    "an attempt out of order": {"json": BODY | {"attempt": 7}},
}


@pytest.mark.parametrize("what", BAD)
def test_a_refusal_is_the_same_on_both_ways(ctx: Context, client: TestClient, what: str) -> None:
    factories.rollout(ctx)
    client.post(PATH, json=BODY)
    call = BAD[what]
    content = list(call["content"]) if what.endswith("known length") else None

    plain, odd = (
        client.post(path, **(call | {"content": iter(content)} if content else call)) for path in (PATH, PATH + ODD)
    )

    assert plain.status_code >= 400
    assert plain.headers["content-type"] == "application/problem+json"
    assert (plain.status_code, plain.json(), plain.headers.get("www-authenticate")) == (
        odd.status_code, odd.json(), odd.headers.get("www-authenticate"),
    )  # fmt: skip


@pytest.mark.parametrize("path", [PATH, PATH + ODD])
@pytest.mark.parametrize("key", ["", "Bearer pgk_wrong"])
def test_of_a_caller_whom_we_do_not_know_not_a_byte_is_read(client: TestClient, path: str, key: str) -> None:
    read = []

    def body() -> Iterator[bytes]:
        read.append("a piece")
        yield b"{"

    answer = client.post(path, content=body(), headers={"authorization": key})

    assert (answer.status_code, read) == (401, [])


@pytest.mark.parametrize("agent", ["nobody", "x" * 129, "claims%00", "%20", "ä"])
def test_an_agent_that_cannot_be_is_refused_alike(ctx: Context, client: TestClient, agent: str) -> None:
    headers = factories.bearer(ctx, login=factories.person(ctx, roles=("engineer",)).login)

    answers = [client.post(f"/v1/agents/{agent}/decisions{odd}", json=BODY, headers=headers) for odd in ("", ODD)]

    assert answers[0].status_code in {404, 422}
    assert [answer.json() for answer in answers] == [answers[1].json()] * 2


def test_the_key_of_one_agent_decides_for_no_other(ctx: Context, client: TestClient) -> None:
    factories.agent(ctx, "refunds")

    assert client.post("/v1/agents/refunds/decisions", json=BODY).status_code == 403


@pytest.mark.parametrize("full", [{"writer_backlog": 0}, {"writer_backlog_bytes": 500}])
def test_a_full_backlog_says_when_to_come_again(ctx: Context, full: dict[str, int]) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    app = create_app(Context(ctx.settings.model_copy(update=full), ctx.db, ctx.clock, ctx.secret))
    with TestClient(app, raise_server_exceptions=False) as client:
        headers, large = factories.bearer(ctx, agent="claims"), BODY | {"input": "x" * 500}
        first = client.post(PATH, json=large | {"case_id": "alone"}, headers=headers)  # larger than there is room for
        app.state.writer._waiting = 1  # somebody else's case
        answer = client.post(PATH, json=large, headers=headers)
        lines = {"items": [large]}
        batch = client.post(f"{PATH}:batch", json=lines, headers=headers)
        told = client.get("/metrics").text

    assert first.status_code == 201
    assert [(one.status_code, one.headers["retry-after"]) for one in (answer, batch)] == [(503, "1")] * 2
    assert "phasegate_writer_waiting_decisions 1.0" in told


def test_what_nobody_expected_is_answered_and_logged(ctx: Context, client: TestClient, monkeypatch: Any) -> None:
    factories.rollout(ctx)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("routing.hot.prepare", broken)

    answers = [client.post(path, json=BODY) for path in (PATH, PATH + ODD)]

    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json() == answers[1].json()
