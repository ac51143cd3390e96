from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from governance.people.api import router
from governance.people.keyring import Keyring
from kit import http
from kit.context import Context
from rollout.keys.api import router as keys
from tests import factories


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.ctx, app.state.keyring = ctx, Keyring(ctx)
    app.include_router(router)
    app.include_router(keys)
    http.install(app)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def admin(ctx: Context) -> dict[str, str]:
    factories.person(ctx, "root", roles=("admin",))
    return factories.bearer(ctx, login="root")


def test_a_key_can_ask_whose_it_is(ctx: Context, client: TestClient) -> None:
    factories.person(ctx, "alice", roles=("reviewer", "owner"))

    person = client.get("/v1/me", headers=factories.bearer(ctx, login="alice")).json()
    agent = client.get("/v1/me", headers=factories.bearer(ctx, agent="claims")).json()

    assert person == {"name": "alice", "kind": "person", "roles": ["owner", "reviewer"], "agent": None}
    assert agent == {"name": "agent:claims", "kind": "agent", "roles": [], "agent": "claims"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "key-missing"), ({"Authorization": "Bearer pgk_invented"}, "key-unknown")],
)
def test_without_a_good_key_it_is_a_401_in_words(client: TestClient, headers: dict[str, str], code: str) -> None:
    answer = client.get("/v1/me", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["type"] == f"/problems/{code}"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_is_made_used_listed_revoked_and_then_refused(
    ctx: Context, client: TestClient, admin: dict[str, str]
) -> None:
    factories.agent(ctx)
    made = client.post("/v1/keys", json={"name": "claims in production", "agent": "claims"}, headers=admin)
    own = {"Authorization": f"Bearer {made.json()['secret']}"}
    used = client.get("/v1/me", headers=own)
    listed = client.get("/v1/keys", headers=admin)
    revoked = client.delete(f"/v1/keys/{made.json()['id']}", headers=admin)
    refused = client.get("/v1/me", headers=own)

    assert (made.status_code, used.status_code, revoked.status_code, refused.status_code) == (201, 200, 200, 401)
    assert refused.json()["type"] == "/problems/key-revoked"
    assert revoked.json()["revoked_at"] == "2026-01-05T09:00:00Z"
    names = [key["name"] for key in listed.json()["items"]]
    assert names == ["tests", "claims in production"]
    assert made.json()["secret"] not in listed.text
    assert "digest" not in listed.text


def test_people_are_added_and_listed_page_by_page(client: TestClient, admin: dict[str, str]) -> None:
    for login in ("carol", "alice", "bob"):
        answer = client.post(
            "/v1/people",
            json={"login": login, "name": login, "roles": ["reviewer"], "password": "a long password"},
            headers=admin,
        )
        assert answer.status_code == 201
        assert "password" not in answer.text

    seen, cursor = [], ""
    while cursor is not None:
        page = client.get("/v1/people", params={"limit": 3, "cursor": cursor}, headers=admin).json()
        seen += [person["login"] for person in page["items"]]
        cursor = page["next_cursor"]

    assert seen == ["alice", "bob", "carol", "root"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/people", None),
        ("POST", "/v1/people", {"login": "eve", "name": "Eve", "roles": ["admin"]}),
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "k", "agent": "claims"}),
        ("DELETE", "/v1/keys/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8", None),
    ],
)
def test_only_an_admin_may_see_or_change_people_and_keys(
    ctx: Context, client: TestClient, method: str, path: str, body: dict[str, object] | None
) -> None:
    factories.person(ctx, "alice", roles=("owner", "engineer", "lead", "reviewer", "auditor"))

    for headers in (factories.bearer(ctx, login="alice"), factories.bearer(ctx, agent="claims")):
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 403
        assert "admin" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    [
        ("/v1/people", {"login": "Alice", "name": "A", "roles": []}, 422, "login"),
        ("/v1/people", {"login": "alice", "name": "A", "roles": ["boss"]}, 422, "roles.0"),
        ("/v1/people", {"login": "alice", "name": "A", "roles": [], "rolls": []}, 422, "rolls"),
        ("/v1/people", {"login": "alice", "name": "A", "roles": [], "password": "short"}, 422, "password"),
        ("/v1/people", {"login": "root", "name": "A", "roles": []}, 409, None),
        ("/v1/keys", {"name": "k"}, 422, "agent"),
        ("/v1/keys", {"name": "k", "agent": "a", "login": "root"}, 422, "agent"),
        ("/v1/keys", {"name": "k", "login": "nobody"}, 404, None),
        ("/v1/keys", {"name": "", "agent": "a"}, 422, "name"),
        ("/v1/keys", {"name": "k", "agent": "clams"}, 422, "agent"),
    ],
)
def test_bad_input_is_refused_with_its_place(
    client: TestClient, admin: dict[str, str], path: str, body: dict[str, object], status: int, place: str | None
) -> None:
    answer = client.post(path, json=body, headers=admin)

    assert answer.status_code == status
    if place is not None:
        assert answer.json()["errors"][0]["place"] == place


@pytest.mark.parametrize("path", ["/v1/keys?cursor=xyz", "/v1/keys?cursor=YWJj", "/v1/people?limit=0"])
def test_an_invented_page_is_refused(client: TestClient, admin: dict[str, str], path: str) -> None:
    assert client.get(path, headers=admin).status_code == 422


def test_a_key_nobody_made_cannot_be_revoked(client: TestClient, admin: dict[str, str]) -> None:
    answer = client.delete("/v1/keys/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8", headers=admin)

    assert answer.status_code == 404


def test_the_documentation_tells_of_the_key(client: TestClient) -> None:
    described = client.get("/openapi.json").json()

    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert described["paths"]["/v1/me"]["get"]["security"] == [{"key": []}]
