"""Interrupts of agent graphs over HTTP: each action a case of its own, the answer in the dialect of the question."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from rollout.domain.phase import Phase
from rollout.versions.queries import get_rollout
from tests import factories
from web_app import create_app

Keys = dict[str, dict[str, str]]
PAY = {"name": "pay", "args": {"amount": 5}, "description": "Pay Ann?"}
CALL = {"name": "pay", "args": {"amount": 5}}
PER_CALL = {"type": "tool_approval", "tool_call_id": "t-1", **PAY}


@pytest.fixture
def keys(ctx: Context) -> Keys:
    factories.agent(ctx)
    factories.rollout(ctx)
    factories.rollout(ctx, version="v2", phase=Phase.FULL, blocked_actions=["delete"], audit_rate=1e-9)
    factories.agent(ctx, "letters")
    factories.person(ctx, "the-reviewer", roles=("reviewer",))
    return {
        "claims": factories.bearer(ctx, agent="claims"),
        "letters": factories.bearer(ctx, agent="letters"),
        "reviewer": factories.bearer(ctx, login="the-reviewer"),
    }


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def post(client: TestClient, value: Any, interrupt: str = "i-1", **more: Any) -> Any:
    body = {"id": interrupt, "value": value, "version": "v1"} | more
    return client.post("/v1/agents/claims/interrupts", json=body)


def rule(client: TestClient, keys: Keys, ruling: str = "approve", **said: Any) -> dict[str, Any]:
    """On the next case in the queue; what was shown."""
    item: dict[str, Any] = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()
    body = {"ruling": ruling, "fingerprint": item["fingerprint"]} | said
    answer = client.post(f"/v1/reviews/{item['id']}/ruling", json=body, headers=keys["reviewer"])
    assert answer.status_code < 300, answer.text
    return item


def test_one_call_waits_for_a_person_and_is_answered_as_it_asked(client: TestClient, keys: Keys) -> None:
    posted = post(client, PER_CALL)

    assert posted.status_code == 201, posted.text
    found = posted.json()
    assert (found["dialect"], found["status"], found["resume"]) == ("per_call", "waiting", None)
    assert posted.headers["location"] == f"/v1/interrupts/{found['id']}"
    shown = rule(client, keys)
    assert (shown["action"], shown["output"], shown["input"]["asked"]) == ("pay", CALL, "Pay Ann?")
    answered = client.get(f"/v1/interrupts/{found['id']}").json()
    assert (answered["status"], answered["resume"]) == ("answered", {"type": "approve"})
    assert answered["decisions"][0]["outcome"]["decided_by"] == "the-reviewer"


def test_a_batch_is_answered_by_position_when_all_of_it_is_ruled_on(client: TestClient, keys: Keys) -> None:
    other = {"name": "write", "args": {"text": "Dear Ann"}}
    found = post(client, {"action_requests": [PAY, other], "review_configs": []}).json()
    assert [one["case_id"] for one in found["decisions"]] == ["interrupt:i-1:0", "interrupt:i-1:1"]
    rule(client, keys, "edit", output={"name": "pay", "args": {"amount": 4}})
    assert client.get(f"/v1/interrupts/{found['id']}").json()["status"] == "waiting"
    rule(client, keys, "reject", reason_code="style", note="Kinder, please.")

    answered = client.get(f"/v1/interrupts/{found['id']}").json()

    assert answered["resume"] == {
        "decisions": [
            {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 4}}},
            {"type": "reject", "message": "Kinder, please."},
        ]
    }


def test_an_inbox_is_answered_with_a_list_of_one(client: TestClient, keys: Keys) -> None:
    asked = {"action_request": {"action": "pay", "args": {"amount": 5}}, "config": {"allow_accept": True}}
    found = post(client, [asked]).json()
    rule(client, keys)

    answered = client.get(f"/v1/interrupts/{found['id']}").json()

    assert answered["resume"] == [{"type": "accept", "args": {"action": "pay", "args": {"amount": 5}}}]


def test_what_may_go_alone_and_what_is_blocked_is_answered_at_once(client: TestClient) -> None:
    drop = {"name": "delete", "args": {}}

    found = post(client, {"action_requests": [PAY, drop]}, version="v2", confidence=0.99).json()

    assert [one["route"] for one in found["decisions"]] == ["auto", "block"]
    assert [one["type"] for one in found["resume"]["decisions"]] == ["approve", "reject"]


def test_a_graph_that_takes_no_rejection_is_told_nothing_rather_than_something_untrue(
    client: TestClient, keys: Keys
) -> None:
    asked = {"action_request": {"action": "pay", "args": {}}, "config": {"allow_accept": True}}
    found = post(client, asked).json()
    rule(client, keys, "reject", reason_code="wrong")

    answered = client.get(f"/v1/interrupts/{found['id']}").json()

    assert (answered["status"], answered["resume"]) == ("unanswerable", None)
    assert answered["decisions"][0]["outcome"]["state"] == "rejected"


def refused(client: TestClient, keys: Keys, item: dict[str, Any], ruling: str, **said: Any) -> dict[str, Any]:
    body = {"ruling": ruling, "fingerprint": item["fingerprint"]} | said
    answer = client.post(f"/v1/reviews/{item['id']}/ruling", json=body, headers=keys["reviewer"])
    assert answer.status_code == 422, answer.text
    place: dict[str, Any] = answer.json()["errors"][0]
    return place


def test_what_the_graph_does_not_take_is_refused_before_it_is_recorded(client: TestClient, keys: Keys) -> None:
    config = {"allow_respond": True, "allow_ignore": True}
    found = post(client, {"action_request": {"action": "pay", "args": {"amount": 5}}, "config": config}).json()
    item = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()

    approval = refused(client, keys, item, "approve")
    edit = refused(client, keys, item, "edit", output={"name": "pay", "args": {"amount": 4}})
    rule(client, keys, "edit", output={"respond": "Ask her first."})

    assert approval["problem"] == "the graph does not take an approval"
    assert approval["mend"] == "answer in the tool's place or reject it"
    assert (edit["place"], edit["problem"]) == ("ruling", "the graph does not take edited arguments")
    answered = client.get(f"/v1/interrupts/{found['id']}").json()
    assert answered["resume"] == [{"type": "response", "args": "Ask her first."}]


def test_edited_arguments_are_of_the_same_tool_and_fit_its_schema(client: TestClient, keys: Keys) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 9}}, "required": ["amount"]}
    config = {"action_name": "pay", "allowed_decisions": ["edit", "reject"], "args_schema": schema}
    found = post(client, {"action_requests": [PAY], "review_configs": [config]}).json()
    item = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()

    another = refused(client, keys, item, "edit", output={"name": "delete", "args": {"amount": 4}})
    many = refused(client, keys, item, "edit", output={"name": "pay", "args": {"amount": 10}})
    spoken = refused(client, keys, item, "edit", output={"respond": "No."})
    rule(client, keys)  # as it is: an edit that changes nothing

    assert (another["place"], another["problem"]) == ("output", "it is no call of 'pay'")
    assert many["place"] == "output/args/amount"
    assert spoken["mend"] == "approve it or edit its arguments or reject it"
    answered = client.get(f"/v1/interrupts/{found['id']}").json()
    assert answered["resume"] == {"decisions": [{"type": "edit", "edited_action": CALL}]}


def test_the_route_is_stored_and_never_found_again(ctx: Context, client: TestClient, keys: Keys) -> None:
    found = post(client, PER_CALL).json()
    rule(client, keys, "reject", reason_code="wrong")
    with ctx.db.read() as session:
        rollout = get_rollout(session, "claims", "v1")
    factories.change_rollout(ctx, rollout, phase="full", rules={"threshold": 0.0})

    again = post(client, PER_CALL, confidence=None)

    assert (again.status_code, again.json()["id"]) == (200, found["id"])
    assert again.json()["resume"] == {"type": "reject", "message": "rejected (wrong)"}


def test_the_same_id_with_another_value_is_a_conflict_and_stores_nothing_of_it(client: TestClient) -> None:
    post(client, {"action_requests": [PAY]})

    again = post(client, {"action_requests": [PAY, PAY]})

    assert (again.status_code, again.json()["type"]) == (409, "/problems/case-differs")
    assert len(client.get("/v1/agents/claims/decisions").json()["items"]) == 1


def test_waiting_ends_when_the_last_of_them_is_ruled_on(client: TestClient, keys: Keys) -> None:
    found = post(client, {"action_requests": [PAY, PAY]}).json()
    told: list[dict[str, Any]] = []
    path = f"/v1/interrupts/{found['id']}?wait=60"
    waiting = threading.Thread(target=lambda: told.append(client.get(path).json()))
    waiting.start()

    rule(client, keys)
    rule(client, keys)

    waiting.join(timeout=30)
    assert told[0]["status"] == "answered"


def test_it_is_there_for_its_own_agent_only(client: TestClient, keys: Keys) -> None:
    found = post(client, PER_CALL).json()

    assert client.get(f"/v1/interrupts/{found['id']}", headers=keys["letters"]).status_code == 404
    assert client.get(f"/v1/interrupts/{uuid4()}").status_code == 404
    assert client.get(f"/v1/interrupts/{found['id']}?wait=1", headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize("shown_input", [None, {"interrupt": {"id": "i-9"}}, {"interrupt": 7}])
def test_a_case_that_came_otherwise_is_no_interrupt(client: TestClient, shown_input: Any) -> None:
    body = {"case_id": "interrupt:i-9:0", "version": "v1", "output": CALL, "input": shown_input}
    decision = client.post("/v1/agents/claims/decisions", json=body).json()

    assert client.get(f"/v1/interrupts/{decision['id']}").status_code == 404


@pytest.mark.parametrize(
    ("more", "place"),
    [
        pytest.param({"value": {"question": "Go on?"}}, "value", id="in no dialect"),
        pytest.param({"value": {"action_requests": [PAY] * 101}}, "value.action_requests", id="too many actions"),
        pytest.param({"amount": "5"}, "amount", id="an amount in words"),
        pytest.param({"id": "x" * 181}, "id", id="a long id"),
        pytest.param({"value": PER_CALL | {"name": "x" * 200}}, "action", id="a name no action may have"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(client: TestClient, more: dict[str, Any], place: str) -> None:
    answer = client.post("/v1/agents/claims/interrupts", json={"id": "i", "value": PER_CALL, "version": "v1"} | more)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["place"] == place
    assert client.get("/v1/agents/claims/decisions").json()["items"] == []
