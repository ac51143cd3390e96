"""The routes of this floor: what they answer, refuse, and show to whom."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from rollout.domain.phase import Phase
from tests import factories
from tests.integration.rollout.house import House, build, plan_data, served

ROLLOUT = "/v1/agents/reader/versions/v1/rollout"
NOBODYS = "01a1fc81-4e92-73b9-bbd5-cec33f92e87f"


@pytest.fixture
def house(ctx: Context) -> House:
    return build(ctx)


@pytest.fixture
def client(ctx: Context, house: House) -> Iterator[TestClient]:
    """Called with the key of the owner unless told otherwise."""
    with served(ctx) as client:
        client.headers = factories.bearer(ctx, login="alice")  # type: ignore[assignment]
        yield client


@pytest.fixture
def erin(ctx: Context, house: House) -> dict[str, str]:
    return factories.bearer(ctx, login="erin")


def suite_of(*digits: int) -> bytes:
    return "\n".join(f'{{"id": "c{n}", "input": {n}, "expected": {n}}}' for n in digits).encode()


def test_an_agent_comes_all_the_way_to_shadow_over_http(ctx: Context, client: TestClient, erin: dict[str, str]) -> None:
    made = client.post("/v1/agents", json={"name": "writer", "title": "Writer", "owner": "alice"}, headers=erin)
    applied = client.put("/v1/agents/writer/plan", json=plan_data("writer"), headers=erin)
    version = client.post("/v1/agents/writer/versions", json={"label": "v1", "rules": {"threshold": 0.8}}, headers=erin)
    suite = client.post(
        "/v1/agents/writer/suites/forms",
        content=suite_of(*range(10)),
        headers={**erin, "Content-Type": "application/x-ndjson"},
    )
    body = {
        "suite": "forms",
        "version": "v1",
        "outputs": [{"case": f"c{n}", "output": n} for n in range(10)],
    }
    run = client.post("/v1/agents/writer/evaluation-runs", json=body, headers=erin)
    evidence = client.post("/v1/agents/writer/versions/v1/rollout/look")
    answered = client.post(
        "/v1/agents/writer/versions/v1/rollout/advance", json={"evidence_id": evidence.json()["id"], "reason": "read"}
    )

    assert [response.status_code for response in (made, version, suite, run)] == [201, 201, 201, 201]
    assert (made.headers["location"], suite.headers["location"]) == (
        "/v1/agents/writer",
        "/v1/agents/writer/suites/forms?revision=1",
    )
    assert (applied.status_code, applied.json()["stored"], applied.json()["revision"]) == (200, True, 1)
    assert (run.json()["score"], run.json()["version"]) == (1.0, "v1")
    assert client.get(run.headers["location"]).json() == run.json()
    assert evidence.json()["verdict"] == "advance"
    assert answered.json()["approval"]["state"] == "approved"
    assert answered.json()["step"]["entered"] == "shadow"
    status = client.get("/v1/agents/writer/versions/v1/rollout").json()
    assert (status["phase"], status["epoch"], status["ramp_share"]) == ("shadow", 2, 1.0)


def test_status_shows_evidence_and_who_is_waited_for(house: House, client: TestClient) -> None:
    house.register()
    evidence = house.ready()

    status = client.get(ROLLOUT).json()

    assert status["verdict"] == "advance"
    assert status["gates"][0]["name"] == "suite_score of forms"
    assert status["evidence_id"] == str(evidence.id)
    assert status["approval"]["state"] == "not_asked"
    assert status["approval"]["needs"] == ["owner"]
    assert status["history"][0]["kind"] == "started"


def test_evidence_is_found_by_its_id_and_only_at_its_own_version(house: House, client: TestClient) -> None:
    house.register("v1")
    house.register("v2")
    evidence = house.look("v1")

    shown = client.get(f"{ROLLOUT}/evidence/{evidence.id}")
    elsewhere = client.get(f"/v1/agents/reader/versions/v2/rollout/evidence/{evidence.id}")

    assert (shown.status_code, shown.json()["digest"]) == (200, evidence.digest)
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (404, "/problems/not-found")
    assert client.get(f"{ROLLOUT}/evidence").json()["items"][0]["id"] == str(evidence.id)


def test_demote_freeze_unfreeze_refuse_and_rollback_over_http(house: House, client: TestClient) -> None:
    house.register("v1")
    house.climb(Phase.SUPERVISED)

    demoted = client.post(f"{ROLLOUT}/demote", json={"reason": "it errs", "to": "evaluation"})
    frozen = client.post(f"{ROLLOUT}/freeze", json={"reason": "a doubt", "mode": "advancing"})
    again = client.post(f"{ROLLOUT}/freeze", json={"reason": "a doubt", "mode": "advancing"})
    unfrozen = client.post(f"{ROLLOUT}/unfreeze", json={"reason": "all is well"})
    refused = client.post(f"{ROLLOUT}/refuse", json={"evidence_id": str(house.look().id), "reason": "too early"})
    back = client.post("/v1/agents/reader/rollback", json={"reason": "it errs"})

    assert (demoted.status_code, demoted.json()["entered"]) == (200, "evaluation")
    assert (frozen.json()["kind"], unfrozen.json()["kind"]) == ("frozen", "unfrozen")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-so")
    assert refused.json()["approval"]["state"] == "refused"
    assert (back.status_code, back.json()["type"]) == (409, "/problems/nothing-to-roll-back-to")
    kinds = [change["kind"] for change in client.get(f"{ROLLOUT}/history").json()["items"]]
    assert kinds[:4] == ["refused", "unfrozen", "frozen", "demoted"]


def test_a_second_press_of_demote_is_a_conflict_that_names_the_present_phase(house: House, client: TestClient) -> None:
    house.register()
    house.climb(Phase.SUPERVISED)

    first, second = (
        client.post(f"{ROLLOUT}/demote", json={"reason": "it errs", "from": "supervised"}) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (200, 409)
    assert (second.json()["type"], second.json()["phase"]) == ("/problems/already-so", "shadow")


def test_a_second_candidate_is_a_conflict_that_names_the_first(house: House, client: TestClient) -> None:
    house.register("v1")
    house.register("v2")

    refused = client.post("/v1/agents/reader/versions", json={"label": "v3"})
    stopped = client.post("/v1/agents/reader/versions/v2/rollout/stop", json={"reason": "not good enough"})

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/candidate-on-its-way")
    assert refused.json()["candidate"] == "v2"
    assert stopped.json()["standing"] == "retired"
    assert client.post("/v1/agents/reader/versions", json={"label": "v3"}).status_code == 201


def test_an_edit_on_an_older_state_is_refused(client: TestClient) -> None:
    read = client.get("/v1/agents/reader")
    body = {key: read.json()[key] for key in ("title", "about", "owner", "second", "settings")}
    match = {"If-Match": read.headers["etag"]}

    first = client.put("/v1/agents/reader", json=body | {"title": "Reads"}, headers=match)
    second = client.put("/v1/agents/reader", json=body | {"title": "Writes"}, headers=match)

    assert (first.status_code, first.json()["title"]) == (200, "Reads")
    assert second.status_code == 409
    assert client.get("/v1/agents/reader").headers["etag"] == first.headers["etag"] != read.headers["etag"]


def test_a_policy_is_replaced_on_what_was_read_and_all_of_them_are_kept(house: House, client: TestClient) -> None:
    house.register()
    path = "/v1/agents/reader/versions/v1/policy"
    rules: dict[str, Any] = {"threshold": 0.7, "scope": {"segments": ["b", "a", "c"]}}
    tag = client.get(path).headers["etag"]

    changed = client.put(path, json=rules, headers={"If-Match": tag})
    stale = client.put(path, json={"threshold": 0.1}, headers={"If-Match": tag})
    same = client.put(path, json=rules, headers={"If-Match": changed.headers["etag"]})

    assert (changed.status_code, changed.json()["revision"], changed.json()["rules"]["threshold"]) == (200, 2, 0.7)
    assert stale.status_code == 409
    assert (same.status_code, same.json()["revision"]) == (200, 2)
    assert [policy["revision"] for policy in client.get("/v1/agents/reader/versions/v1/policies").json()["items"]] == [
        2,
        1,
    ]


def test_a_plan_comes_as_yaml_or_json_and_goes_as_either(client: TestClient) -> None:
    text = client.get("/v1/agents/reader/plan", headers={"Accept": "application/yaml"})
    changed = text.text.replace("settle_days: 1", "settle_days: 4")

    preview = client.put(
        "/v1/agents/reader/plan?dry_run=true", content=changed, headers={"Content-Type": "application/yaml"}
    )
    applied = client.put("/v1/agents/reader/plan", content=changed, headers={"Content-Type": "application/yaml"})
    again = client.put("/v1/agents/reader/plan", json=plan_data(settle_days=4))

    assert preview.json()["stored"] is False
    assert [change["place"] for change in preview.json()["changes"]] == ["settle_days"]
    assert (applied.json()["stored"], applied.json()["revision"]) == (True, 2)
    assert (again.json()["stored"], again.json()["revision"]) == (False, 2)
    assert client.get("/v1/agents/reader/plan?revision=1").json()["plan"]["settle_days"] == 1


def test_a_plan_is_applied_on_what_was_read(client: TestClient) -> None:
    tag = client.get("/v1/agents/reader/plan").headers["etag"]
    client.put("/v1/agents/reader/plan", json=plan_data(settle_days=4), headers={"If-Match": tag})

    stale = client.put("/v1/agents/reader/plan", json=plan_data(settle_days=5), headers={"If-Match": tag})

    assert stale.status_code == 409


def test_a_plan_is_checked_without_being_stored(client: TestClient) -> None:
    good = client.post("/v1/plans/validate", json=plan_data())
    bad = client.post(
        "/v1/plans/validate", content="agent: reader\nphases:\n  shadow: 7\n", headers={"Content-Type": "text/plain"}
    )

    assert (good.status_code, good.json()["valid"]) == (200, True)
    assert (bad.status_code, bad.json()["type"]) == (422, "/problems/plan-invalid")
    assert bad.json()["errors"][0]["place"].startswith("line ")
    assert client.get("/v1/plans/schema").json()["title"] == "Phasegate plan"


def test_a_broken_suite_is_refused_by_line(client: TestClient) -> None:
    refused = client.post(
        "/v1/agents/reader/suites/edge",
        content=suite_of(1) + b"\n{",
        headers={"Content-Type": "application/x-ndjson"},
    )
    as_json = client.post("/v1/agents/reader/suites/edge", json={"input": 1, "expected": 1})

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/suite-invalid")
    assert refused.json()["errors"][0]["place"].startswith("line 2")
    assert as_json.status_code == 422
    assert client.get("/v1/agents/reader/suites").json()["items"][0]["name"] == "forms"


def test_readiness_and_reviews_over_http(house: House, client: TestClient, erin: dict[str, str]) -> None:
    house.register()

    answered = client.put(
        "/v1/agents/reader/versions/v1/readiness/runbook",
        json={"answer": "yes", "link": "https://wiki.example/x", "owner": "erin", "due": "2026-02-01"},
        headers=erin,
    )
    held = client.post("/v1/agents/reader/reviews-held", json={"decision": "go on", "note": "all read"})

    assert (answered.status_code, answered.json()["answered_by"]) == (200, "erin")
    assert client.get("/v1/agents/reader/versions/v1/readiness").json()["items"][0]["due"] == "2026-02-01"
    assert (held.status_code, held.json()["by"]) == (201, "alice")
    assert client.get("/v1/agents/reader/reviews-held").json()["items"] == [held.json()]


def test_lists_go_on_where_the_cursor_says(house: House, client: TestClient) -> None:
    for version in ("v1", "v2", "v3"):
        house.register(version)
        if version != "v3":
            house.climb(Phase.SHADOW, version)

    first = client.get("/v1/agents/reader/versions?limit=2").json()
    second = client.get(f"/v1/agents/reader/versions?limit=2&cursor={first['next_cursor']}").json()

    assert [item["label"] for item in first["items"] + second["items"]] == ["v3", "v2", "v1"]
    assert second["next_cursor"] is None


def test_the_key_of_an_agent_reads_its_own_and_decides_nothing(ctx: Context, house: House, client: TestClient) -> None:
    house.register()
    own = factories.bearer(ctx, agent="reader")
    other = factories.bearer(ctx, agent="writer")

    assert client.get(ROLLOUT, headers=own).status_code == 200
    assert client.get(ROLLOUT, headers=other).status_code == 403
    assert [item["name"] for item in client.get("/v1/agents", headers=own).json()["items"]] == ["reader"]
    assert client.get("/v1/agents", headers=other).json()["items"] == []
    for path, body in (
        (f"{ROLLOUT}/look", None),
        (f"{ROLLOUT}/advance", {"evidence_id": str(house.look().id)}),
        (f"{ROLLOUT}/demote", {"reason": "no"}),
        ("/v1/agents/reader/versions", {"label": "v2"}),
    ):
        assert client.post(path, json=body, headers=own).status_code == 403, path


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/agents/nobody", None, 404),
        ("GET", "/v1/agents/a%00b", None, 422),
        ("GET", "/v1/failures?agent=%00", None, 422),
        ("GET", "/v1/agents/reader/versions/v9/rollout", None, 404),
        ("GET", f"{ROLLOUT}/evidence/{NOBODYS}", None, 404),
        ("GET", f"{ROLLOUT}/evidence/no-id", None, 422),
        ("GET", "/v1/agents/reader/versions?cursor=%21%21", None, 422),
        ("GET", "/v1/agents/reader/versions?cursor=bm90LWFuLWlk", None, 422),
        ("GET", "/v1/agents/reader/plans?cursor=LTE", None, 422),
        ("GET", "/v1/agents/reader/plan?revision=9", None, 404),
        ("POST", "/v1/agents", {"name": "Bad Name", "title": "x", "owner": "alice"}, 422),
        ("POST", "/v1/agents", {"name": "x", "title": "x", "owner": "nobody"}, 422),
        ("POST", "/v1/agents", {"name": "x", "title": "x", "owner": "alice", "colour": "red"}, 422),
        ("POST", "/v1/agents/reader/versions", {"label": "v 2"}, 422),
        ("POST", "/v1/agents/reader/versions", {"label": "v2", "rules": {"threshold": 2}}, 422),
        ("POST", f"{ROLLOUT}/demote", {"reason": ""}, 422),
        ("POST", f"{ROLLOUT}/demote", {"reason": "no", "to": "heaven"}, 422),
        ("POST", f"{ROLLOUT}/freeze", {"reason": "no", "mode": "deep"}, 422),
        ("POST", f"{ROLLOUT}/advance", {"evidence_id": "1"}, 422),
        ("POST", f"{ROLLOUT}/advance", {"evidence_id": NOBODYS}, 404),
        ("PUT", "/v1/agents/reader/versions/v1/policy", {"audit_rate": 0}, 422),
        ("PUT", "/v1/agents/reader/plan", {"agent": "reader"}, 422),
        ("PUT", "/v1/agents/reader/plan", [1], 422),
        ("PUT", "/v1/agents/reader/versions/v1/readiness/weather", {"answer": "yes"}, 404),
        ("POST", f"/v1/failures/{NOBODYS}/close", {"cause": "x"}, 404),
        ("POST", "/v1/agents/reader/evaluation-runs", {"suite": "none", "version": "v1", "outputs": []}, 404),
        ("GET", "/v1/failures?agent=nobody", None, 404),
    ],
)
def test_bad_input_is_a_problem_and_never_a_500(
    house: House, client: TestClient, method: str, path: str, body: Any, status: int
) -> None:
    house.register()

    response = client.request(method, path, json=body)

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].startswith("/problems/")


def test_malformed_json_is_told_with_its_place(house: House, client: TestClient) -> None:
    house.register()

    response = client.post(f"{ROLLOUT}/demote", content=b'{"reason": ', headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["place"].startswith("line 1")
