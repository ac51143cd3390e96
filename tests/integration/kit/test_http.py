import asyncio
import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.testclient import TestClient
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.types import Message

from kit import errors, http, wire
from kit.asgi import Bodies
from kit.errors import Place

LIMIT = 1000
KNOWN = {"authorization": "Bearer known"}
BODIES = Bodies(LIMIT)

router = APIRouter(route_class=http.StrictRoute)


class Body(wire.Strict):
    name: str
    amount: float = 0.0


@router.post("/echo")
def echo(body: Body) -> Body:
    return body


@router.post("/upload")
def upload(body: Body) -> Body:
    return body


@router.post("/raw")
@router.post("/raw/{rest:path}")
async def raw(request: Request) -> int:
    return len(await request.body())


@router.get("/limited")
def limited(limit: Annotated[int, Query(ge=1)]) -> int:
    return limit


@router.get("/fail/{kind}")
def fail(kind: str) -> None:
    raise {
        "missing": errors.NotFound("there is no case 7"),
        "busy": errors.Unavailable("too many are waiting", retry_after=3),
        "unknown": errors.Unauthenticated("nobody we know"),
        "bad": errors.Invalid("a: wrong", places=[Place("a", "wrong", "mend it")]),
        "extra": errors.Conflict("differs", current=3),
        "stale": StaleDataError(),
        "double": IntegrityError("INSERT", {}, Exception("unique")),
        "database": OperationalError("SELECT", {}, Exception("gone")),
        "surprise": RuntimeError("the secret is 1234"),
    }[kind]


async def admit(authorization: str | None) -> None:
    if authorization != "Bearer known":
        raise errors.Unauthenticated("nobody we know")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(router)
    larger = http.Room(re.compile("/upload|/raw/[^/]+"), 10 * LIMIT, Bodies(10 * LIMIT), admit)
    app.add_middleware(http.BodyLimit, rooms=[larger, http.Room(re.compile("(?s).*"), LIMIT, BODIES)])
    http.install(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


class TestProblems:
    @pytest.mark.parametrize(
        ("kind", "status", "code"),
        [
            ("missing", 404, "not-found"),
            ("busy", 503, "unavailable"),
            ("unknown", 401, "unauthenticated"),
            ("bad", 422, "invalid"),
            ("extra", 409, "conflict"),
            ("stale", 409, "conflict"),
            ("double", 409, "conflict"),
            ("database", 503, "unavailable"),
            ("surprise", 500, "internal"),
        ],
    )
    def test_every_error_is_a_problem_with_a_stable_type(
        self, client: TestClient, kind: str, status: int, code: str
    ) -> None:
        answer = client.get(f"/fail/{kind}")

        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["type"], body["status"]) == (f"/problems/{code}", status)
        assert body["title"]
        assert body["detail"]

    def test_a_surprise_tells_nothing_of_the_inside(self, client: TestClient) -> None:
        assert "1234" not in client.get("/fail/surprise").text

    def test_says_when_to_try_again(self, client: TestClient) -> None:
        assert client.get("/fail/busy").headers["retry-after"] == "3"

    def test_says_how_to_identify(self, client: TestClient) -> None:
        assert client.get("/fail/unknown").headers["www-authenticate"] == "Bearer"

    def test_names_the_place_and_the_mend(self, client: TestClient) -> None:
        assert client.get("/fail/bad").json()["errors"] == [{"place": "a", "problem": "wrong", "mend": "mend it"}]

    def test_carries_what_the_error_adds(self, client: TestClient) -> None:
        assert client.get("/fail/extra").json()["current"] == 3

    @pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/echo", 405)])
    def test_what_the_framework_refuses_is_a_problem_too(self, client: TestClient, path: str, status: int) -> None:
        answer = client.get(path)

        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"

    def test_a_wrong_parameter_is_named(self, client: TestClient) -> None:
        answer = client.get("/limited?limit=0")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["place"] == "limit"


class TestStrictBodies:
    @pytest.mark.parametrize(
        ("body", "place"),
        [
            pytest.param(b'{"name": "a", "nmae": "b"}', "nmae", id="an unknown field"),
            pytest.param(b'{"name": 3}', "name", id="a wrong type"),
            pytest.param(b'{"name": "a", "name": "b"}', "name", id="a doubled key"),
            pytest.param(b'{"name": "a", "amount": NaN}', "amount", id="NaN"),
            pytest.param(rb'{"name": "\u0000"}', "name", id="a NUL"),
            pytest.param(b'{"name": "\xff"}', "body", id="not UTF-8"),
            pytest.param(b'{"name": ', "line 1, column 10", id="half a document"),
            pytest.param(b"[" * 450 + b"]" * 450, "body", id="450 levels"),
            pytest.param(rb'{"\ud800": 1}', "?", id="a key that cannot be sent back"),
        ],
    )
    def test_a_bad_body_is_a_422_with_its_place(self, client: TestClient, body: bytes, place: str) -> None:
        answer = client.post("/echo", content=body, headers={"content-type": "application/json"})

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["place"] == place

    def test_a_good_body_goes_through(self, client: TestClient) -> None:
        assert client.post("/echo", json={"name": "a"}).json() == {"name": "a", "amount": 0.0}


class TestNul:
    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("/fail/%00", "path"),
            ("/nowhere%00", "path"),
            ("/limited?limit=1%00", "query"),
            ("/limited?limit=1&unknown=%00", "query"),
            ("/limited?%00=1", "query"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_in_a_path_or_a_query_is_a_422_with_its_place(
        self, client: TestClient, method: str, path: str, place: str
    ) -> None:
        answer = client.request(method, path)

        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
        assert answer.headers["content-type"] == "application/problem+json"
        assert [found["place"] for found in answer.json()["errors"]] == [place]

    @pytest.mark.parametrize("path", ["/limited?limit=1&text=%2500", "/limited?limit=1&text=0%25"])
    def test_what_only_looks_like_one_goes_through(self, client: TestClient, path: str) -> None:
        assert client.get(path).status_code == 200

    def test_in_a_cursor_is_an_invented_cursor(self) -> None:
        with pytest.raises(errors.Invalid, match="not one of ours"):
            wire.decode_cursor(wire.encode_cursor("a\x00b"))


class TestBodyLimit:
    def test_a_body_of_just_the_limit_is_read(self, client: TestClient) -> None:
        assert client.post("/raw", content=b"x" * LIMIT).json() == LIMIT

    @pytest.mark.parametrize("path", ["/raw", "/echo"])
    def test_a_larger_one_is_refused_by_its_announced_length(self, client: TestClient, path: str) -> None:
        answer = client.post(path, content=b"x" * (LIMIT + 1), headers={"content-type": "application/json"})

        assert answer.status_code == 413
        assert answer.json()["type"] == "/problems/too-large"

    @pytest.mark.parametrize("path", ["/raw", "/echo"])
    def test_a_larger_one_is_refused_while_it_comes_when_no_length_was_announced(
        self, client: TestClient, path: str
    ) -> None:
        answer = client.post(
            path, content=(b"x" * 100 for _ in range(11)), headers={"content-type": "application/json"}
        )

        assert answer.status_code == 413
        assert answer.json()["type"] == "/problems/too-large"

    def test_an_invented_length_does_not_help(self, client: TestClient) -> None:
        answer = client.post("/raw", content=(b"x" * 100 for _ in range(11)), headers={"content-length": "many"})

        assert answer.status_code == 413

    def test_some_paths_may_take_more(self, client: TestClient) -> None:
        answer = client.post("/upload", json={"name": "x" * 5 * LIMIT}, headers=KNOWN)

        assert answer.status_code == 200

    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}], ids=["no key", "a wrong key"])
    def test_but_only_from_those_we_know(self, client: TestClient, headers: dict[str, str]) -> None:
        assert begun(client, "/upload", headers=headers)[0] == 401

    @pytest.mark.parametrize("path", ["/raw/upload/x", "/raw/raw/x", "/raw/a/upload"])
    def test_a_path_that_only_contains_such_a_part_may_not(self, client: TestClient, path: str) -> None:
        assert client.post(path, content=b"x" * (LIMIT + 1), headers=KNOWN).status_code == 413

    def test_all_together_are_refused_beyond_their_limit_and_one_in_one_piece_is_not(self, client: TestClient) -> None:
        BODIES.take(LIMIT - 10)

        status, headers = begun(client, "/raw", "x" * 6, "x" * 6)
        whole = client.post("/raw", content=b"x" * LIMIT)
        BODIES.give_back(LIMIT - 10)

        assert (status, headers["retry-after"], BODIES.held) == (503, "1", 0)
        assert whole.json() == LIMIT

    def test_who_sends_no_more_of_it_is_not_waited_for(self, client: TestClient, monkeypatch: Any) -> None:
        monkeypatch.setattr("kit.asgi._IDLE", 0.01)

        assert (begun(client, "/raw", "x")[0], BODIES.held) == (422, 0)


def begun(
    client: TestClient, path: str, *pieces: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    """The status and the headers that answer a body which comes in these pieces and never ends."""
    came, sent = iter(pieces or "x"), list[Message]()

    async def receive() -> Message:
        if (piece := next(came, None)) is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": (piece or "").encode(), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": given}
    asyncio.run(asyncio.wait_for(client.app(scope, receive, send), timeout=20))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_an_edit_of_an_older_state_is_refused() -> None:
    app = FastAPI()
    http.install(app)

    @app.put("/thing")
    def put(request: Request) -> str:
        http.check_match(request, {"revision": 2})
        return "done"

    with TestClient(app) as client:
        old, new = wire.entity_tag({"revision": 1}), wire.entity_tag({"revision": 2})
        statuses = [client.put("/thing", headers={"if-match": tag}).status_code for tag in (old, new, "*")]
        without = client.put("/thing").status_code

    assert statuses == [409, 200, 200]
    assert without == 200
