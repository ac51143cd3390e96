"""The routes of this floor: what they answer, to whom, and in which words they refuse."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from tests import factories
from web_app import create_app

CASE = {"case_id": "c-1", "version": "v1", "output": "yes", "confidence": 0.9}
DECISIONS = "/v1/agents/claims/decisions"
Keys = dict[str, dict[str, str]]


@pytest.fixture
def keys(ctx: Context) -> Keys:
    """By who has them: two agents, and one person for each role that matters here."""
    factories.agent(ctx)
    factories.agent(ctx, "refunds")
    factories.rollout(ctx)
    factories.rollout(ctx, "refunds")
    for role in ("reviewer", "lead", "engineer", "owner", "auditor"):
        factories.person(ctx, f"the-{role}", roles=(role,))
    found = {role: factories.bearer(ctx, login=f"the-{role}") for role in ("reviewer", "lead", "engineer", "owner")}
    found["auditor"] = factories.bearer(ctx, login="the-auditor")
    return found | {"claims": factories.bearer(ctx, agent="claims"), "refunds": factories.bearer(ctx, agent="refunds")}


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    """Called with the key of agent claims unless told otherwise."""
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def decide(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(DECISIONS, json=CASE | fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def hold(client: TestClient, keys: Keys, decision: dict[str, Any], who: str = "reviewer") -> dict[str, Any]:
    """The open item of a decision, held."""
    queue = client.get("/v1/queue", headers=keys["lead"], params={"limit": 200}).json()["items"]
    item_id = next(item["id"] for item in queue if item["decision_id"] == decision["id"])
    answer = client.post(f"/v1/reviews/{item_id}/claim", headers=keys[who])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rule(
    client: TestClient, keys: Keys, item: dict[str, Any], ruling: str = "approve", who: str = "reviewer", **said: Any
) -> Any:
    body = {"ruling": ruling, "fingerprint": item["fingerprint"]} | said
    return client.post(f"/v1/reviews/{item['id']}/ruling", json=body, headers=keys[who])


class TestDecide:
    def test_a_new_case_is_created_with_all_that_explains_it(self, client: TestClient, ctx: Context) -> None:
        answer = client.post(DECISIONS, json=CASE)

        assert answer.status_code == 201
        found = answer.json()
        assert answer.headers["location"] == f"/v1/decisions/{found['id']}"
        assert {name: found[name] for name in found if name not in {"id", "reasons"}} == {
            "agent": "claims",
            "case_id": "c-1",
            "version": "v1",
            "attempt": 1,
            "route": "review",
            "policy_revision": 1,
            "phase": "supervised",
            "threshold": None,
            "ramp_share": None,
            "audit": None,
            "status": "waiting",
            "outcome": None,
            "decided_at": ctx.clock.now().isoformat().replace("+00:00", "Z"),
        }
        assert [reason["code"] for reason in found["reasons"]] == ["supervised"]

    def test_a_retry_gets_the_same_answer_with_another_status(self, client: TestClient) -> None:
        first, again = (client.post(DECISIONS, json=CASE) for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    def test_another_body_is_a_conflict_that_says_what_differs(self, client: TestClient) -> None:
        first = decide(client)

        answer = client.post(DECISIONS, json=CASE | {"output": "no", "segment": "de"})

        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/problems/case-differs")
        assert [error["place"] for error in problem["errors"]] == ["output", "segment"]
        assert all("attempt" in error["mend"] for error in problem["errors"])
        assert problem["decision_id"] == first["id"]

    def test_an_attempt_out_of_order_is_told_which_one_is_next(self, client: TestClient) -> None:
        decide(client)

        answer = client.post(DECISIONS, json=CASE | {"attempt": 3})

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/attempt-out-of-order")
        assert answer.json()["errors"][0]["mend"] == "send attempt 2"

    def test_a_nan_as_confidence_is_stored_and_means_a_person(self, client: TestClient) -> None:
        body = b'{"case_id": "c-1", "version": "v1", "output": "yes", "confidence": NaN}'

        answer = client.post(DECISIONS, content=body, headers={"content-type": "application/json"})

        assert (answer.status_code, answer.json()["route"]) == (201, "human")
        assert answer.json()["reasons"][0]["code"] == "confidence_invalid"

    def test_a_version_nobody_knows_is_stored_and_means_a_person(self, client: TestClient) -> None:
        found = decide(client, version="v99")

        assert (found["route"], found["reasons"][0]["code"], found["policy_revision"]) == (
            "human", "unknown_version", None,
        )  # fmt: skip

    def test_an_agent_registered_a_moment_ago_is_found(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        factories.agent(ctx, "brand-new")

        answer = client.post("/v1/agents/brand-new/decisions", json=CASE, headers=keys["engineer"])

        assert (answer.status_code, answer.json()["route"]) == (201, "human")

    def test_for_an_agent_that_is_not_there_there_is_no_decision(self, client: TestClient, keys: Keys) -> None:
        answer = client.post("/v1/agents/nobodys/decisions", json=CASE, headers=keys["engineer"])

        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")

    def test_a_key_made_a_moment_ago_works(self, client: TestClient, ctx: Context) -> None:
        answer = client.post(DECISIONS, json=CASE, headers=factories.bearer(ctx, agent="claims"))

        assert answer.status_code == 201

    def test_a_drawn_case_says_with_what_probability(self, client: TestClient, ctx: Context) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=1.0, threshold=0.5)

        found = decide(client, version="v2")

        assert (found["route"], found["audit"], found["threshold"], found["ramp_share"], found["status"]) == (
            "auto", {"probability": 1.0}, 0.5, 1.0, "final",
        )  # fmt: skip

    def test_a_changed_policy_is_in_force_for_the_next_case(self, client: TestClient, ctx: Context) -> None:
        row = factories.rollout(ctx, version="v2", phase=Phase.SHADOW)
        before = decide(client, version="v2")
        factories.change_rollout(ctx, row, phase="supervised")

        after = decide(client, version="v2", case_id="c-2")

        assert (before["route"], after["route"], after["policy_revision"]) == ("shadow", "review", 2)

    def test_while_nothing_can_be_stored_the_answer_is_later(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any) -> None:
            raise OSError("the disk is gone")

        with monkeypatch.context() as patched:
            patched.setattr("routing.cases.service.store_at_once", away)
            refused = client.post(DECISIONS, json=CASE)

        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["type"] == "/problems/unavailable"
        assert client.post(DECISIONS, json=CASE).status_code == 201


# Every route of this floor with a body that would be right, and who may call it.
EVERYBODY = {"claims", "reviewer", "lead", "engineer", "owner", "auditor"}
ROUTES = [
    pytest.param("POST", "/v1/agents/claims/decisions", CASE, {"claims", "engineer"}, id="decide"),
    pytest.param("GET", "/v1/agents/claims/decisions", None, EVERYBODY, id="list decisions"),
    pytest.param("GET", "/v1/decisions/{decision}", None, EVERYBODY, id="show a decision"),
    pytest.param("GET", "/v1/agents/claims/cases/c-0", None, EVERYBODY, id="show a case"),
    pytest.param(
        "POST", "/v1/agents/claims/human-outputs", {"case_id": "c-0", "output": "yes"},
        EVERYBODY - {"auditor"}, id="report what people did",
    ),
    pytest.param(
        "POST", "/v1/decisions/{decision}/failures", {"severity": "minor", "description": "wrong"},
        EVERYBODY - {"auditor"}, id="report a failure",
    ),
    pytest.param("GET", "/v1/queue", None, {"reviewer", "lead"}, id="show the queue"),
    pytest.param("POST", "/v1/queue/claim", {}, {"reviewer", "lead"}, id="claim the next"),
    pytest.param("POST", "/v1/reviews/{item}/claim", None, {"reviewer", "lead"}, id="claim one"),
    pytest.param(
        "POST", "/v1/agents/claims/webhooks", {"url": "https://example.org/hook"}, {"engineer", "owner"}, id="webhook"
    ),
    pytest.param("GET", "/v1/agents/claims/webhooks", None, EVERYBODY, id="list webhooks"),
    pytest.param("GET", "/v1/backlog", None, EVERYBODY - {"claims"}, id="the backlog"),
]  # fmt: skip


class TestWhoMay:
    @pytest.fixture
    def paths(self, client: TestClient, keys: Keys) -> dict[str, str]:
        decision = decide(client, case_id="c-0")
        queue = client.get("/v1/queue", headers=keys["lead"]).json()["items"]
        return {"decision": decision["id"], "item": queue[0]["id"]}

    @pytest.mark.parametrize(("method", "path", "body", "allowed"), ROUTES)
    def test_those_who_may_can_and_the_others_are_told_what_it_takes(
        self,
        client: TestClient,
        keys: Keys,
        paths: dict[str, str],
        method: str,
        path: str,
        body: Any,
        allowed: set[str],
    ) -> None:
        for who in sorted(EVERYBODY):
            answer = client.request(method, path.format(**paths), json=body, headers=keys[who])

            if who in allowed:
                # Of two who claim one case, the second hears of the first.
                assert answer.is_success or answer.json()["type"] == "/problems/already-held", (who, answer.text)
            else:
                assert answer.status_code == 403, (who, answer.text)
                assert answer.json()["type"] == "/problems/forbidden"
                assert "role" in answer.json()["detail"] or "key" in answer.json()["detail"]

    @pytest.mark.parametrize(("method", "path", "body", "_allowed"), ROUTES)
    @pytest.mark.parametrize(
        ("header", "problem"),
        [
            pytest.param({"authorization": ""}, "key-missing", id="no key"),
            pytest.param({"authorization": "Bearer pgk_nobody"}, "key-unknown", id="an unknown key"),
            pytest.param({"authorization": "Basic dXNlcjpwYXNz"}, "key-missing", id="another scheme"),
        ],
    )
    def test_without_a_known_key_nobody_may(
        self, client: TestClient, paths: dict[str, str], method: str, path: str, body: Any, _allowed: set[str],
        header: dict[str, str], problem: str,
    ) -> None:  # fmt: skip
        answer = client.request(method, path.format(**paths), json=body, headers=header)

        assert (answer.status_code, answer.json()["type"]) == (401, f"/problems/{problem}")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("method", "path", "body", "_allowed"), [one for one in ROUTES if "claims" in one.values[3]]
    )
    def test_the_key_of_another_agent_neither_acts_nor_sees(
        self,
        client: TestClient,
        keys: Keys,
        paths: dict[str, str],
        method: str,
        path: str,
        body: Any,
        _allowed: set[str],
    ) -> None:
        answer = client.request(method, path.format(**paths), json=body, headers=keys["refunds"])

        # A path that names the other agent is forbidden; an id of one of its things is as good as none.
        expected = 404 if path.startswith("/v1/decisions/") else 403
        assert answer.status_code == expected, answer.text
        assert "yes" not in answer.text

    def test_an_id_that_was_never_given_is_not_found_in_the_same_words(self, client: TestClient, keys: Keys) -> None:
        theirs = decide(client)["id"]
        nobodys = str(uuid4())

        answers = [client.get(f"/v1/decisions/{one}", headers=keys["refunds"]).json() for one in (theirs, nobodys)]

        assert answers[0]["detail"].replace(theirs, nobodys) == answers[1]["detail"]


class TestListing:
    def test_pages_are_newest_first_and_miss_and_double_nothing(self, client: TestClient) -> None:
        for number in range(7):
            decide(client, case_id=f"c-{number}")

        seen: list[str] = []
        cursor = None
        while True:
            page = client.get(DECISIONS, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
            seen += [item["case_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert seen == [f"c-{number}" for number in range(6, -1, -1)]

    def test_of_one_case_come_all_its_attempts(self, client: TestClient) -> None:
        decide(client)
        decide(client, attempt=2)
        decide(client, case_id="c-2")

        page = client.get(DECISIONS, params={"case_id": "c-1"}).json()

        assert [item["attempt"] for item in page["items"]] == [2, 1]
        assert page["items"][1]["outcome"]["state"] == "superseded"

    @pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "YWJj", "\u00e4", "=" * 10, "x" * 200])
    def test_a_cursor_of_somebody_else_is_refused(self, client: TestClient, keys: Keys, cursor: str) -> None:
        for path, key in ((DECISIONS, "claims"), ("/v1/queue", "reviewer")):
            answer = client.get(path, params={"cursor": cursor}, headers=keys[key])

            assert answer.status_code in {404, 422}, answer.text

    def test_the_queue_has_pages_in_the_order_in_which_it_is_handed_out(self, client: TestClient, keys: Keys) -> None:
        for number in range(5):
            decide(client, case_id=f"c-{number}")

        first = client.get("/v1/queue", params={"limit": 3}, headers=keys["reviewer"]).json()
        second = client.get(
            "/v1/queue", params={"limit": 3, "cursor": first["next_cursor"]}, headers=keys["reviewer"]
        ).json()

        handed = [item["case_id"] for item in first["items"] + second["items"]]
        assert handed == [f"c-{number}" for number in range(5)]
        assert (second["next_cursor"], first["waiting"]) == (None, {"claims": 5})


class TestCase:
    def test_everything_known_of_it_is_shown(self, client: TestClient, ctx: Context) -> None:
        decision = decide(client, input={"text": "hello"})
        client.post("/v1/agents/claims/human-outputs", json={"case_id": "c-1", "output": "no", "person": "kim"})
        REGISTRY["routing.settle"].run(ctx)

        found = client.get("/v1/agents/claims/cases/c-1").json()

        assert found["input"] == {"text": "hello"}
        assert [one["id"] for one in found["decisions"]] == [decision["id"]]
        assert [(one["output"], one["person"], one["revision"]) for one in found["human_outputs"]] == [("no", "kim", 1)]
        assert [one["kind"] for one in found["comparisons"]] == ["different"]
        assert [(one["verdict"], one["source"]) for one in found["labels"]] == [("override", "human_output")]

    @pytest.mark.parametrize("case_id", ["a/b", "ä ö", "100%", "a?b", "../c", "c-1 "])
    def test_any_name_that_was_taken_leads_back_to_it(self, client: TestClient, case_id: str) -> None:
        decide(client, case_id=case_id)

        answer = client.get(f"/v1/agents/claims/cases/{quote(case_id, safe='')}")

        assert (answer.status_code, answer.json().get("case_id")) == (200, case_id)

    def test_one_that_nobody_touched_is_not_found(self, client: TestClient) -> None:
        assert client.get("/v1/agents/claims/cases/nobody").status_code == 404


class TestHumanOutputs:
    def test_come_one_or_many_and_say_what_became_of_each(self, client: TestClient) -> None:
        at = "/v1/agents/claims/human-outputs"
        first = client.post(at, json={"case_id": "c-1", "output": "yes"})
        many = client.post(
            at, json={"items": [{"case_id": "c-1", "output": "no"}, {"case_id": "c-2", "output": {"a": [1]}}]}
        )

        assert (first.status_code, many.status_code) == (201, 201)
        assert [(one["case_id"], one["revision"], one["status"]) for one in many.json()["items"]] == [
            ("c-1", 2, "corrected"), ("c-2", 1, "created"),
        ]  # fmt: skip

    @pytest.mark.parametrize("count", [0, 1001])
    def test_none_and_too_many_are_refused(self, client: TestClient, count: int) -> None:
        items = [{"case_id": f"c-{number}", "output": 1} for number in range(count)]

        answer = client.post("/v1/agents/claims/human-outputs", json={"items": items})

        assert answer.status_code == 422

    def test_one_that_is_wrong_leaves_none_of_its_batch(self, client: TestClient) -> None:
        items = [{"case_id": "c-1", "output": 1}, {"case_id": "", "output": 1}]

        answer = client.post("/v1/agents/claims/human-outputs", json={"items": items})

        assert answer.status_code == 422
        assert [error["place"] for error in answer.json()["errors"]] == ["items.1.case_id"]
        assert client.get("/v1/agents/claims/cases/c-1").status_code == 404


class TestDesk:
    def test_a_case_goes_from_the_queue_to_its_outcome(self, client: TestClient, keys: Keys) -> None:
        decision = decide(client, input={"text": "hello"}, action="note", amount=3.5)

        held = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()
        ruled = rule(client, keys, held, "edit", output="no", note="typo")

        assert (held["decision_id"], held["claimed_by"], held["input"], held["output"], held["amount"]) == (
            decision["id"], "the-reviewer", {"text": "hello"}, "yes", 3.5,
        )  # fmt: skip
        assert (ruled.status_code, ruled.json()["ruling"], ruled.json()["login"]) == (201, "edit", "the-reviewer")
        final = client.get(f"/v1/decisions/{decision['id']}").json()
        assert (final["status"], final["outcome"]["state"], final["outcome"]["output"], final["outcome"]["edited"]) == (
            "final", "edited", "no", True,
        )  # fmt: skip
        assert (final["outcome"]["decided_by"], final["outcome"]["note"]) == ("the-reviewer", "typo")

    def test_an_empty_queue_has_nothing_to_claim(self, client: TestClient, keys: Keys) -> None:
        answer = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"])

        assert (answer.status_code, answer.content) == (204, b"")

    def test_a_case_is_renewed_and_given_back(self, client: TestClient, keys: Keys) -> None:
        held = hold(client, keys, decide(client))
        at = f"/v1/reviews/{held['id']}"

        renewed = client.post(f"{at}/renew", headers=keys["reviewer"])
        released = client.post(f"{at}/release", headers=keys["reviewer"])
        again = client.post(f"{at}/renew", headers=keys["reviewer"])

        assert [answer.status_code for answer in (renewed, released, again)] == [200, 204, 409]
        assert again.json()["type"] == "/problems/not-held"

    def test_what_somebody_gave_back_comes_when_nothing_else_is_there(self, client: TestClient, keys: Keys) -> None:
        decide(client, case_id="c-1")
        decide(client, case_id="c-2")

        def next_one(*given_back: str) -> str:
            """Claimed, and given back."""
            body = {"given_back": given_back}
            held = client.post("/v1/queue/claim", json=body, headers=keys["reviewer"]).json()
            client.post(f"/v1/reviews/{held['id']}/release", headers=keys["reviewer"])
            return str(held["id"])

        first = next_one()
        second = next_one(first)

        assert (next_one(), first != second, next_one(first, second)) == (first, True, first)

    def test_who_holds_it_is_told_to_the_other(self, client: TestClient, keys: Keys) -> None:
        held = hold(client, keys, decide(client))

        answer = client.post(f"/v1/reviews/{held['id']}/claim", headers=keys["lead"])

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-held")
        assert answer.json()["held_by"] == "the-reviewer"

    def test_a_reject_without_reason_and_an_edit_without_output_are_refused_with_their_place(
        self, client: TestClient, keys: Keys
    ) -> None:
        held = hold(client, keys, decide(client))

        answers = [rule(client, keys, held, "reject"), rule(client, keys, held, "edit")]

        assert [(answer.status_code, answer.json()["errors"][0]["place"]) for answer in answers] == [
            (422, "reason_code"), (422, "output"),
        ]  # fmt: skip

    def test_the_next_cases_are_claimed_ahead_and_given_back_on_leaving(self, client: TestClient, keys: Keys) -> None:
        for case in ("c-1", "c-2", "c-3"):
            decide(client, case_id=case)

        held = client.post("/v1/queue/claim", json={"ahead": 2}, headers=keys["reviewer"]).json()
        others = client.post("/v1/queue/claim", json={}, headers=keys["lead"])
        left = client.post("/v1/queue/leave", headers=keys["reviewer"]).json()
        all_left = client.post("/v1/queue/leave?all=true", headers=keys["reviewer"]).json()

        assert (held["case_id"], held["ahead"]) == ("c-1", False)
        assert [(one["case_id"], one["ahead"], one["output"]) for one in held["next"]] == [
            ("c-2", True, "yes"), ("c-3", True, "yes"),
        ]  # fmt: skip
        assert others.status_code == 204
        assert (left, all_left) == ({"released": 2}, {"released": 1})

    def test_a_ruling_is_told_when_it_can_no_longer_be_undone(
        self, client: TestClient, keys: Keys, ctx: Context, clock: FixedClock
    ) -> None:
        factories.agent(ctx, "letters", undo_seconds=10)
        factories.rollout(ctx, "letters")
        decision = factories.decision(ctx, agent="letters")
        held = client.post("/v1/queue/claim", json={"agent": "letters"}, headers=keys["reviewer"]).json()
        at = f"/v1/reviews/{held['id']}"
        ruled = rule(client, keys, held, "edit", output="no").json()

        undone = client.post(f"{at}/undo", headers=keys["reviewer"])
        again = rule(client, keys, undone.json())
        REGISTRY["routing.conclude"].run(ctx)
        headers = factories.bearer(ctx, agent="letters")
        waiting = client.get(f"/v1/decisions/{decision.id}", headers=headers).json()["status"]
        clock.move(timedelta(seconds=10))
        REGISTRY["routing.conclude"].run(ctx)
        final = client.get(f"/v1/decisions/{decision.id}", params={"wait": 5}, headers=headers).json()
        too_late = client.post(f"{at}/undo", headers=keys["reviewer"])

        assert ruled["undo_until"] == "2026-01-05T09:00:10Z"
        assert undone.json()["undone"] == {"ruling": "edit", "output": "no", "reason_code": None, "note": ""}
        assert (undone.status_code, again.status_code, waiting) == (200, 201, "waiting")
        assert (final["status"], final["outcome"]["state"]) == ("final", "approved")
        assert (too_late.status_code, too_late.json()["type"]) == (409, "/problems/too-late-to-undo")

    def test_the_queue_is_narrowed_and_a_segment_needs_its_agent(self, client: TestClient, keys: Keys) -> None:
        decide(client, segment="north")
        headers = keys["reviewer"]

        shown = [
            len(client.get(f"/v1/queue?{asked}", headers=headers).json()["items"])
            for asked in ("agent=claims&segment=north", "agent=claims&segment=south", "kind=review", "kind=audit",
                          "kind=escalated", "urgent=true", "due_within=0", "due_within=1441")
        ]  # fmt: skip
        refused = [
            client.post("/v1/queue/claim", json={"segment": "north"}, headers=headers),
            client.get("/v1/queue?segment=north", headers=headers),
            client.get("/v1/queue?agent=claims&segment=north&kind=review", headers=headers),
        ]

        assert shown == [1, 0, 1, 0, 0, 0, 0, 1]
        assert [answer.status_code for answer in refused] == [422, 422, 422]
        assert refused[-1].json()["errors"][0]["mend"] == "leave out the segment or the kind"

    def test_a_case_is_found_by_its_id_where_the_caller_may_see_it(self, client: TestClient, keys: Keys) -> None:
        decision = decide(client)
        asked = {"case_id": decision["case_id"]}

        def found(who: str, **more: str) -> list[str]:
            answer = client.get("/v1/queue", params={**asked, **more}, headers=keys[who])
            return [item["decision_id"] for item in answer.json()["items"]]

        assert (found("reviewer"), found("reviewer", case_id="another")) == ([decision["id"]], [])
        rule(client, keys, hold(client, keys, decision), "escalate")
        assert (found("reviewer"), found("lead")) == ([], [decision["id"]])

    def test_an_escalated_case_is_for_leads_alone(self, client: TestClient, keys: Keys) -> None:
        decision = decide(client)
        rule(client, keys, hold(client, keys, decision), "escalate")

        seen = client.get("/v1/queue", headers=keys["reviewer"]).json()["items"]
        second = hold(client, keys, decision, who="lead")
        refused = client.post(f"/v1/reviews/{second['id']}/claim", headers=keys["reviewer"])
        ruled = rule(client, keys, second, who="lead")

        assert seen == []
        assert not refused.is_success
        assert ruled.status_code == 201


class TestWaiting:
    def test_ends_with_the_ruling(self, client: TestClient, keys: Keys) -> None:
        decision = decide(client)
        held = hold(client, keys, decision)
        ruling = threading.Timer(0.3, lambda: rule(client, keys, held))
        ruling.start()

        answer = client.get(f"/v1/decisions/{decision['id']}", params={"wait": 30}).json()

        ruling.join()
        assert (answer["status"], answer["outcome"]["state"]) == ("final", "approved")

    def test_ends_when_the_time_is_over(self, client: TestClient) -> None:
        decision = decide(client)

        answer = client.get(f"/v1/decisions/{decision['id']}", params={"wait": 0.2}).json()

        assert (answer["status"], answer["outcome"]) == ("waiting", None)

    @pytest.mark.parametrize("version", ["v99", "shadowed"])
    def test_does_not_begin_where_nobody_will_rule(self, client: TestClient, ctx: Context, version: str) -> None:
        factories.rollout(ctx, version="shadowed", phase=Phase.SHADOW)
        decision = decide(client, version=version)

        answer = client.get(f"/v1/decisions/{decision['id']}", params={"wait": 30}).json()

        assert answer["status"] == "final"

    @pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan"])
    def test_is_for_a_minute_at_most(self, client: TestClient, wait: str) -> None:
        decision = decide(client)

        assert client.get(f"/v1/decisions/{decision['id']}", params={"wait": wait}).status_code == 422

    def test_sixty_wait_together_without_holding_the_others_up(self, client: TestClient, keys: Keys) -> None:
        decision = decide(client)
        held = hold(client, keys, decision)
        answers: list[str] = []

        def wait() -> None:
            found = client.get(f"/v1/decisions/{decision['id']}", params={"wait": 30}).json()
            answers.append(found["outcome"]["state"])

        threads = [threading.Thread(target=wait) for _ in range(60)]
        for thread in threads:
            thread.start()
        meanwhile = decide(client, case_id="c-2")
        rule(client, keys, held)
        for thread in threads:
            thread.join()

        assert meanwhile["route"] == "review"
        assert answers == ["approved"] * 60


class TestWebhooks:
    def test_the_secret_is_shown_once(self, client: TestClient, keys: Keys) -> None:
        at = "/v1/agents/claims/webhooks"
        made = client.post(at, json={"url": "https://example.org/hook"}, headers=keys["engineer"]).json()
        listed = client.get(at).json()

        assert made["secret"].startswith("whsec_")
        assert [(one["id"], one["secret"]) for one in listed] == [(made["id"], None)]

    def test_one_that_is_removed_is_gone(self, client: TestClient, keys: Keys) -> None:
        at = "/v1/agents/claims/webhooks"
        made = client.post(at, json={"url": "https://example.org/hook"}, headers=keys["engineer"]).json()

        removed = client.delete(f"{at}/{made['id']}", headers=keys["engineer"])
        elsewhere = client.delete(f"/v1/agents/refunds/webhooks/{made['id']}", headers=keys["engineer"])

        assert (removed.status_code, elsewhere.status_code) == (204, 404)
        assert client.get(at).json() == []


def test_the_probes_need_no_key(client: TestClient) -> None:
    answers = [client.get(path, headers={"authorization": ""}) for path in ("/livez", "/readyz", "/metrics")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
