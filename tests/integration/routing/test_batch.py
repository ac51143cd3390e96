"""Up to a thousand cases in one call: each as if it had come alone."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from governance.audit.tables import AuditEvent
from kit.context import Context
from routing.cases import service
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from tests import factories
from web_app import create_app

CASE = {"version": "v1", "output": "yes", "confidence": 0.9}
BATCH = "/v1/agents/claims/decisions:batch"
SINGLE = "/v1/agents/claims/decisions"


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    factories.rollout(ctx)
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
        yield client


def case(case_id: str, **fields: Any) -> dict[str, Any]:
    return CASE | {"case_id": case_id} | fields


def send(client: TestClient, *items: Any) -> list[dict[str, Any]]:
    answer = client.post(BATCH, json={"items": items})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    assert len(found) == len(items)
    return found


def stored_in(ctx: Context, table: Any = Decision) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_every_case_is_answered_in_its_place_and_as_a_single_call_would(client: TestClient, ctx: Context) -> None:
    found = send(client, *(case(f"c-{n}") for n in range(300)))

    assert [item["status"] for item in found] == [201] * 300
    assert [item["decision"]["case_id"] for item in found] == [f"c-{n}" for n in range(300)]
    again = client.post(SINGLE, json=case("c-7"))
    assert (again.status_code, again.json()) == (200, found[7]["decision"])
    with ctx.db.read() as session:
        events = session.scalar(select(func.count()).where(AuditEvent.verb == "decision.stored"))
    assert (stored_in(ctx), stored_in(ctx, ReviewItem), events) == (300, 300, 300)


def test_the_whole_batch_sent_again_gets_the_stored_decisions(client: TestClient, ctx: Context) -> None:
    cases = [case(f"c-{n}") for n in range(20)]

    first, again = send(client, *cases), send(client, *cases)

    assert [item["status"] for item in again] == [200] * 20
    assert [item["decision"] for item in again] == [item["decision"] for item in first]
    assert stored_in(ctx) == 20


def test_one_that_is_bad_harms_no_other(client: TestClient, ctx: Context) -> None:
    send(client, case("there"))

    found = send(
        client,
        case("c-1"),
        case("c-2", colour="red"),
        case("c-3", output=None),
        {"case_id": "c-4"},
        "a text",
        case("there", output="no"),
        case("c-5", attempt=3),
        case("c-6", amount="12"),
        case("c-7"),
    )

    assert [item["status"] for item in found] == [201, 422, 201, 422, 422, 409, 409, 422, 201]
    places = [[place["place"] for place in item["problem"]["errors"]] for item in found if "problem" in item]
    assert places == [["colour"], ["version", "output"], ["body"], ["output"], ["attempt"], ["amount"]]
    assert stored_in(ctx) == 4


@pytest.mark.parametrize(
    ("item", "place"),
    [
        pytest.param('{"case_id": "x", "version": "v1", "output": 1, "output": 2}', "output", id="a doubled key"),
        pytest.param('{"case_id": "x", "version": "v1", "output": NaN}', "output", id="NaN as output"),
        pytest.param('{"case_id": "x", "version": "v1", "output": "\\u0000"}', "output", id="a NUL"),
        pytest.param('{"case_id": "x", "version": "v1", "output": "\\ud800"}', "output", id="half a surrogate pair"),
    ],
)
def test_what_no_database_would_keep_is_the_matter_of_its_item_alone(client: TestClient, item: str, place: str) -> None:
    nan = '{"case_id": "y", "version": "v1", "output": 1, "confidence": NaN}'

    answer = client.post(BATCH, content=f'{{"items": [{json.dumps(case("c"))}, {item}, {nan}]}}')

    one, bad, odd = answer.json()["items"]
    assert [one["status"], bad["status"], odd["status"]] == [201, 422, 201]
    assert bad["problem"]["errors"][0]["place"] == place


def test_a_case_twice_in_one_batch_is_stored_once(client: TestClient, ctx: Context) -> None:
    found = send(client, case("c-1"), case("c-1"), case("c-1", output="no"), case("c-1", attempt=2, output="no"))

    assert [item["status"] for item in found] == [201, 200, 409, 201]
    assert found[0]["decision"]["id"] == found[1]["decision"]["id"]
    assert found[3]["decision"]["attempt"] == 2
    assert stored_in(ctx) == 2


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({"items": []}, "items", id="no item"),
        pytest.param({"items": [CASE] * 1001}, "items", id="too many"),
        pytest.param({"items": [case("c")], "colour": "red"}, "colour", id="an unknown field"),
        pytest.param({"items": case("c")}, "items", id="no list"),
        pytest.param({}, "items", id="nothing"),
        pytest.param([case("c")], "body", id="a list"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(client: TestClient, ctx: Context, body: Any, place: str) -> None:
    answer = client.post(BATCH, json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert place in [found["place"] for found in answer.json()["errors"]]
    assert stored_in(ctx) == 0


def test_a_thousand_are_taken(client: TestClient, ctx: Context) -> None:
    assert {item["status"] for item in send(client, *(case(f"c-{n}") for n in range(1000)))} == {201}
    assert stored_in(ctx) == 1000


class TestGzip:
    def test_is_read(self, client: TestClient) -> None:
        body = gzip.compress(json.dumps({"items": [case("c-1")]}).encode())

        answer = client.post(BATCH, content=body, headers={"Content-Encoding": "gzip"})

        assert answer.json()["items"][0]["status"] == 201

    @pytest.mark.parametrize(
        ("body", "encoding", "status"),
        [
            pytest.param(b"no gzip", "gzip", 422, id="no gzip"),
            pytest.param(gzip.compress(b" " * 40_000_000), "gzip", 413, id="a bomb"),
            pytest.param(b"{}", "br", 422, id="another encoding"),
        ],
    )
    def test_that_is_bad_is_refused(self, client: TestClient, body: bytes, encoding: str, status: int) -> None:
        answer = client.post(BATCH, content=body, headers={"Content-Encoding": encoding})

        assert answer.status_code == status
        assert answer.json()["errors"]


def test_a_version_registered_a_moment_ago_is_known(client: TestClient, ctx: Context) -> None:
    client.app.state.holder._looked_at = None  # type: ignore[attr-defined] # nobody looked in this second
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctx, "listeners", {})  # the news of it got lost
        factories.rollout(ctx, version="v2")

    (found,) = send(client, case("c-1", version="v2"))

    assert found["decision"]["policy_revision"] == 1


def test_another_agents_key_decides_nothing(client: TestClient, ctx: Context) -> None:
    factories.agent(ctx, "refunds")

    answer = client.post(BATCH, json={"items": [case("c")]}, headers=factories.bearer(ctx, agent="refunds"))

    assert answer.status_code == 403
    assert stored_in(ctx) == 0


def test_when_nothing_can_be_stored_the_whole_is_503_and_may_be_sent_again(
    client: TestClient, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("could not connect"))

    with monkeypatch.context() as patched:
        patched.setattr(service, "store_at_once", away)
        answer = client.post(BATCH, json={"items": [case("c-1"), case("c-2", colour="red")]})

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert [item["status"] for item in send(client, case("c-1"))] == [201]


def test_a_batch_that_alone_fills_the_backlog_is_stored_whole(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    small = replace(ctx, settings=ctx.settings.model_copy(update={"writer_backlog": 200}))
    with TestClient(create_app(small)) as client:
        client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
        found = send(client, *(case(f"c-{n}") for n in range(900)))

    assert [item["status"] for item in found] == [201] * 900
