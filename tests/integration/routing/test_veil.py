"""What tells the output of a case that asks a reviewer first is shown to them nowhere; to others as ever."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from governance.actors import SYSTEM
from governance.people import service as people
from kit.context import Context
from tests import factories
from tests.integration.routing.test_api import CASE, DECISIONS, Keys, hold, rule
from web_app import create_app

SECRET = "hunter2"


@pytest.fixture
def keys(ctx: Context) -> Keys:
    """A first version that shows its outputs at once and a second one that asks first; two leads."""
    factories.agent(ctx, supervision={"blind_share": 0.0})
    factories.rollout(ctx)
    people = (("rita", "reviewer"), ("ravi", "reviewer"), ("lena", "lead"), ("leo", "lead"), ("emil", "engineer"))
    for login, role in people:
        factories.person(ctx, login, roles=(role,))
    found = {login: factories.bearer(ctx, login=login) for login, _ in people}
    return found | {"lead": found["lena"], "claims": factories.bearer(ctx, agent="claims")}


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def ask_first(client: TestClient, ctx: Context, keys: Keys, **settings: Any) -> None:
    owner = factories.bearer(ctx, login=factories.person(ctx, roles=("owner",)).login)
    stands = client.get("/v1/agents/claims", headers=owner)
    body = {name: stands.json()[name] for name in ("title", "about", "owner", "second", "settings")}
    body["settings"] |= {"supervision": {"blind_share": 1.0}} | settings
    put = client.put("/v1/agents/claims", json=body, headers=owner | {"If-Match": stands.headers["ETag"]})
    assert put.status_code == 200, put.text
    del keys


def ruled_and_sent_again(client: TestClient, ctx: Context, keys: Keys, **settings: Any) -> dict[str, Any]:
    """A case whose first attempt was edited by one reviewer, and whose second waits blind for another."""
    first = client.post(DECISIONS, json=CASE | {"output": "yes", "input": "a form"}).json()
    item = hold(client, keys, first, "ravi")
    assert rule(client, keys, item, "edit", who="ravi", output=SECRET).status_code == 201
    failed = {"severity": "major", "description": f"it was {SECRET}"}
    reported = client.post(f"/v1/decisions/{first['id']}/failures", json=failed, headers=keys["emil"])
    assert reported.status_code == 201, reported.text
    ask_first(client, ctx, keys, **settings)
    second = client.post(DECISIONS, json=CASE | {"output": SECRET, "attempt": 2})
    assert second.status_code == 201, second.text
    return {"first": first["id"], "second": second.json()["id"], "failure": reported.json()["id"]}


def places(ids: dict[str, Any]) -> list[str]:
    return [
        f"/v1/decisions/{ids['first']}",
        f"/v1/decisions/{ids['first']}?wait=1",
        f"/v1/decisions/{ids['second']}",
        "/v1/agents/claims/cases/c-1",
        f"/v1/failures/{ids['failure']}",
    ]


def test_a_case_tells_nothing_of_its_other_attempts_before_the_answer(
    client: TestClient, ctx: Context, keys: Keys
) -> None:
    ids = ruled_and_sent_again(client, ctx, keys)

    for place in places(ids):
        refused = client.get(place, headers=keys["rita"])
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/answer-first"), place
        assert SECRET not in refused.text
    page = client.get("/v1/agents/claims/decisions", headers=keys["rita"]).json()["items"]
    for row in page:
        assert [reason["code"] for reason in row["reasons"]] == ["answer_first"]
        assert (row["threshold"], row["outcome"]) == (None, None)
    assert client.get("/v1/failures?agent=claims", headers=keys["rita"]).json()["items"] == []


def test_what_a_suite_learned_from_it_is_left_out_before_the_answer(
    client: TestClient, ctx: Context, keys: Keys
) -> None:
    ids = ruled_and_sent_again(client, ctx, keys)
    learn = {"suite": "known", "correct_output": SECRET}
    assert client.post(f"/v1/failures/{ids['failure']}/case", json=learn, headers=keys["emil"]).status_code == 201
    run = {"suite": "known", "version": "v1", "outputs": [{"case": f"failure-{ids['failure']}", "output": "yes"}]}
    made = client.post("/v1/agents/claims/evaluation-runs", json=run, headers=keys["emil"])
    assert made.status_code == 201, made.text
    runs = "/v1/agents/claims/evaluation-runs"
    asked = ["/v1/agents/claims/suites/known/cases", runs, f"{runs}/{made.json()['id']}"]

    for who, tells in (("emil", True), ("rita", False)):
        answers = [client.get(place, headers=keys[who]) for place in asked]
        assert [(one.status_code, SECRET in one.text) for one in answers] == [(200, tells)] * 3


@pytest.mark.parametrize("who", ["emil", "claims"])
def test_it_tells_all_of_it_to_engineers_and_to_the_agent(
    client: TestClient, ctx: Context, keys: Keys, who: str
) -> None:
    ids = ruled_and_sent_again(client, ctx, keys)

    assert client.get(f"/v1/decisions/{ids['first']}", headers=keys[who]).json()["outcome"]["output"] == SECRET
    page = client.get("/v1/agents/claims/decisions", headers=keys[who]).json()["items"]
    assert {reason["code"] for row in page for reason in row["reasons"]} != {"answer_first"}
    assert len(client.get("/v1/failures?agent=claims", headers=keys[who]).json()["items"]) == 1


def test_the_answer_opens_all_of_it_to_who_gave_it_and_to_nobody_else(
    client: TestClient, ctx: Context, keys: Keys
) -> None:
    ids = ruled_and_sent_again(client, ctx, keys, undo_seconds=60)
    item = hold(client, keys, {"id": ids["second"]}, "rita")
    opened = client.post(f"/v1/reviews/{item['id']}/answer", json={"output": "no"}, headers=keys["rita"])
    assert opened.status_code == 200, opened.text
    assert rule(client, keys, opened.json(), who="rita").status_code == 201  # it can be undone for a minute

    for place in places(ids):
        assert client.get(place, headers=keys["rita"]).status_code == 200, place
        assert client.get(place, headers=keys["ravi"]).status_code == 409, place


def test_the_second_line_asks_nobody_twice(client: TestClient, ctx: Context, keys: Keys) -> None:
    ids = ruled_and_sent_again(client, ctx, keys)
    item = hold(client, keys, {"id": ids["second"]}, "lena")
    client.post(f"/v1/reviews/{item['id']}/answer", json={"output": "no"}, headers=keys["lena"])
    client.post(f"/v1/reviews/{item['id']}/release", headers=keys["lena"])
    item = hold(client, keys, {"id": ids["second"]}, "rita")
    opened = client.post(f"/v1/reviews/{item['id']}/answer", json={"output": "no"}, headers=keys["rita"]).json()
    assert rule(client, keys, opened, "escalate", who="rita").status_code == 201

    second = client.post("/v1/queue/claim", json={}, headers=keys["lena"]).json()

    assert (second["level"], second["answer_first"], second["own_answer"]) == (2, False, "no")


class TestWhatSomebodyPassedOn:
    def passed_on(self, client: TestClient, keys: Keys) -> None:
        item = hold(client, keys, client.post(DECISIONS, json=CASE).json(), "lena")
        assert rule(client, keys, item, "escalate", who="lena").status_code == 201

    def test_is_dealt_to_somebody_else(self, client: TestClient, keys: Keys) -> None:
        self.passed_on(client, keys)

        assert client.post("/v1/queue/claim", json={}, headers=keys["lena"]).status_code == 204
        [waiting] = client.get("/v1/queue", headers=keys["lena"]).json()["items"]
        refused = client.post(f"/v1/reviews/{waiting['id']}/claim", headers=keys["lena"])
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-for-you")
        assert client.post("/v1/queue/claim", json={}, headers=keys["leo"]).json()["level"] == 2

    def test_comes_back_where_there_is_nobody_else(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        self.passed_on(client, keys)
        with ctx.db.begin() as session:
            people.disable(session, "leo", by=SYSTEM, now=ctx.clock.now())

        assert client.post("/v1/queue/claim", json={}, headers=keys["lena"]).json()["level"] == 2
