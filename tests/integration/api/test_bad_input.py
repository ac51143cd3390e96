"""What no caller may get away with, at every endpoint that the OpenAPI document names: a 4xx and nothing stored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from kit.context import Context
from tests import factories
from tests.integration.api import furnished
from web_app import create_app

_DEEP = 100
_LARGE = 10 * 1024 * 1024
_BY_LINE = {  # a bad line is answered for itself, so the call is a 200
    "POST /v1/agents/{agent}/decisions:stream",
    "POST /v1/agents/{agent}/human-outputs:stream",
}
_PUBLIC = {"GET /v1/plans/schema"}  # for editors, which have no key


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def ids(ctx: Context, client: TestClient) -> dict[str, str]:
    return furnished.furnish(ctx, client)


@pytest.fixture
def operations(client: TestClient) -> list[furnished.Operation]:
    return furnished.operations(client.get("/openapi.json").json())


def _amiss(answer: Any, *, blamed: bool = True) -> str:
    """What is wrong with a refusal; empty when nothing is."""
    if not 400 <= answer.status_code < 500:
        return f"it is a {answer.status_code}: {answer.text[:200]}"
    if answer.headers["content-type"] != "application/problem+json":
        return f"it is {answer.headers['content-type']}"
    body = answer.json()
    if body["status"] != answer.status_code or not body["title"] or not body["detail"]:
        return f"it says too little: {body}"
    if blamed and not body.get("errors"):
        return f"it names no place: {body}"
    if not all(one["place"] and one["problem"] and one["mend"] for one in body.get("errors", ())):
        return f"a place lacks its mend: {body}"
    return ""


def _amiss_by_line(answer: Any) -> str:
    """The same of a stream, in which every line is refused for itself."""
    *lines, summary = [json.loads(line) for line in answer.text.splitlines()]
    if answer.status_code != 200 or not summary["done"] or summary["refused"] != len(lines):
        return f"it is a {answer.status_code}: {answer.text[:200]}"
    wrong = [line for line in lines if not 400 <= line["status"] < 500 or not line["problem"]["errors"]]
    return f"it says too little: {wrong}" if wrong else ""


def _looked_at(operation: furnished.Operation, answer: Any) -> str:
    return _amiss_by_line(answer) if str(operation) in _BY_LINE else _amiss(answer)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a": ', id="malformed"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b'{"a": 1, "a": 2}', id="a key twice"),
        pytest.param(b'{"a": "b\x00c"}', id="a NUL"),
        pytest.param(b'{"a": "b\\u0000c"}', id="an escaped NUL"),
        pytest.param(b'{"a": "b\xffc"}', id="no UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"a":' * _DEEP + b"1" + b"}" * _DEEP, id="deep"),
        pytest.param(b'{"a": 1e999}', id="infinite"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a": "' + b"x" * _LARGE + b'"}', id="10 MiB"),
    ],
)
def test_a_bad_body_is_refused_with_its_place_and_stores_nothing(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation], body: bytes
) -> None:
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        for media_type in {*operation.schemas, "application/json"} if operation.schemas else ():
            headers = {"content-type": media_type}
            answer = client.request(operation.method, operation.address(ids), content=body, headers=headers)
            wrong[f"{operation} {media_type}"] = _looked_at(operation, answer)

    assert len(wrong) > 20
    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


def test_a_large_body_of_unknown_length_is_refused(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation]
) -> None:
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        if operation.schemas:
            pieces = (b"x" * (_LARGE // 10) for _ in range(10))
            answer = client.request(
                operation.method, operation.address(ids), content=pieces, headers={"content-type": "application/json"}
            )
            wrong[str(operation)] = _looked_at(operation, answer)

    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


def test_an_unknown_field_is_named(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation]
) -> None:
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        if "application/json" in operation.schemas:
            body, _ = operation.body()
            answer = client.request(operation.method, operation.address(ids), json=body | {"colour": "red"})
            wrong[str(operation)] = _amiss(answer) or (
                "" if "colour" in json.dumps(answer.json()["errors"]) else f"it is not named: {answer.text}"
            )

    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


@pytest.mark.parametrize("moment", ["2026-01-05T09:00:00", "2026-01-05", "yesterday", "0001-01-01T00:00:00+14:00"])
def test_a_time_without_zone_or_sense_is_refused(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation], moment: str
) -> None:
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        for name in operation.moments():
            body, _ = operation.body()
            answer = client.request(operation.method, operation.address(ids), json=body | {name: moment})
            wrong[f"{operation} {name}"] = _amiss(answer) or (
                "" if name in json.dumps(answer.json()["errors"]) else f"it is not named: {answer.text}"
            )

    assert "POST /v1/agents/{agent}/decisions occurred_at" in wrong
    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


def test_what_is_another_agents_is_not_there(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation]
) -> None:
    stranger = factories.bearer(ctx, agent="letters")
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        if "{" in operation.path:
            answer = _send_least(client, operation, ids, stranger)
            wrong[str(operation)] = _amiss(answer, blamed=False) or (
                "" if answer.status_code in {403, 404} else f"it is a {answer.status_code}: {answer.text}"
            )

    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


def test_nobody_gets_nothing(
    ctx: Context, client: TestClient, ids: dict[str, str], operations: list[furnished.Operation]
) -> None:
    before, wrong = furnished.rows(ctx), {}

    for operation in operations:
        if str(operation) not in _PUBLIC:
            for nobody in ({"authorization": ""}, {"authorization": "Bearer pgk_nobody"}):
                answer = _send_least(client, operation, ids, nobody)
                wrong[f"{operation} {nobody}"] = _amiss(answer, blamed=False) or (
                    "" if answer.status_code == 401 else f"it is a {answer.status_code}: {answer.text}"
                )

    assert {what: why for what, why in wrong.items() if why} == {}
    assert furnished.rows(ctx) == before


def test_the_document_says_which_endpoints_want_a_key(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    open_to_all = {
        f"{method.upper()} {path}"
        for path, said in paths.items()
        for method in said
        if not said[method].get("security")
    }

    assert open_to_all == _PUBLIC


def _send_least(
    client: TestClient, operation: furnished.Operation, ids: dict[str, str], headers: dict[str, str]
) -> Any:
    """A request with nothing wrong in its body."""
    if not operation.schemas:
        return client.request(operation.method, operation.address(ids), headers=headers)
    body, media_type = operation.body()
    headers = headers | {"content-type": media_type}
    return client.request(operation.method, operation.address(ids), content=json.dumps(body), headers=headers)
