"""Those who come from Amazon A2I: their conditions as a rule, their loops as cases, their output.json and events."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import FreezeMode, Phase
from routing.delivery.tables import OutboxMessage
from tests import factories
from web_app import create_app

Keys = dict[str, dict[str, str]]
LOOPS = "/v1/agents/claims/human-loops"
UNSURE = {
    "ConditionType": "ModerationLabelConfidenceCheck",
    "ConditionParameters": {"ModerationLabelName": "Suggestive", "ConfidenceLessThan": 98},
}
CONDITIONS = {"Conditions": [UNSURE]}
CONTENT = {"initialValue": {"name": "Ann"}, "taskObject": "s3://bucket/1.png"}


def image(confidence: float) -> dict[str, Any]:
    sure = {"Name": "Swimwear", "Confidence": 99.5, "ParentName": "Suggestive"}
    return {
        "ModerationLabels": [{"Name": "Suggestive", "Confidence": confidence, "ParentName": ""}, sure],
        "ModerationModelVersion": "3.0",
    }


@pytest.fixture
def keys(ctx: Context) -> Keys:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.FULL, threshold=0.0, audit_rate=1e-9, activation=CONDITIONS)
    for role in ("reviewer", "engineer"):
        factories.person(ctx, f"the-{role}", roles=(role,))
    return {
        "claims": factories.bearer(ctx, agent="claims"),
        "reviewer": factories.bearer(ctx, login="the-reviewer"),
        "engineer": factories.bearer(ctx, login="the-engineer"),
    }


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def decide(client: TestClient, output: Any, case_id: str = "c-1", **more: Any) -> dict[str, Any]:
    body = {"case_id": case_id, "version": "v1", "output": output, "confidence": 1.0, "input": {"Image": "1"}} | more
    answer = client.post("/v1/agents/claims/decisions", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def start(client: TestClient, name: str = "loop-1", content: Any = None, **more: Any) -> Any:
    text = json.dumps(CONTENT if content is None else content)
    body = {"HumanLoopName": name, "HumanLoopInput": {"InputContent": text}, "Version": "v1"} | more
    return client.post(LOOPS, json=body)


def rule(client: TestClient, keys: Keys, ruling: str = "approve", **said: Any) -> None:
    item = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()
    body = {"ruling": ruling, "fingerprint": item["fingerprint"]} | said
    answer = client.post(f"/v1/reviews/{item['id']}/ruling", json=body, headers=keys["reviewer"])
    assert answer.status_code < 300, answer.text


class TestConditionsAsARule:
    def test_a_case_that_meets_them_is_reviewed_however_confident_the_agent_is(self, client: TestClient) -> None:
        found = decide(client, image(97.9))

        assert found["route"] == "review"
        assert [reason["code"] for reason in found["reasons"]] == ["conditions_met"]
        assert "ModerationLabelConfidenceCheck" in found["reasons"][0]["words"]

    def test_a_case_that_does_not_goes_the_way_of_all_others(self, client: TestClient) -> None:
        assert decide(client, image(98))["route"] == "auto"

    def test_an_answer_that_cannot_be_read_goes_to_a_person_and_the_reason_says_what_is_missing(
        self, client: TestClient
    ) -> None:
        found = decide(client, {"Labels": []})

        assert found["route"] == "review"
        assert [reason["code"] for reason in found["reasons"]] == ["conditions_met", "conditions_unread"]
        assert "ModerationLabels" in found["reasons"][1]["words"]

    def test_they_are_put_in_force_as_any_rule_and_refused_with_the_place_of_the_mistake(
        self, client: TestClient, keys: Keys
    ) -> None:
        path, wrong = "/v1/agents/claims/versions/v1/policy", {"Conditions": [{"ConditionType": "Sampel"}]}

        refused = client.put(path, json={"threshold": 0.5, "activation": wrong}, headers=keys["engineer"])

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["place"] == "activation"
        assert "Conditions.0.ConditionType" in refused.json()["errors"][0]["problem"]
        rules = {"threshold": 0.5, "audit_rate": 0.1, "activation": json.dumps({"Conditions": [UNSURE, UNSURE]})}
        assert client.put(path, json=rules, headers=keys["engineer"]).status_code == 200
        in_force = client.get(path, headers=keys["engineer"]).json()["rules"]["activation"]
        assert in_force == {"Conditions": [UNSURE, UNSURE]}


class TestEvaluate:
    def test_says_what_the_conditions_in_force_make_of_an_answer_and_stores_nothing(
        self, client: TestClient, keys: Keys
    ) -> None:
        body = {"version": "v1", "output": image(97.9)}

        answer = client.post("/v1/agents/claims/a2i:evaluate", json=body, headers=keys["engineer"])

        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["activated"] is True
        assert found["unread"] == []
        assert found["humanTaskActivationConditionResults"] == {"Conditions": [UNSURE | {"EvaluationResult": True}]}
        assert [label["Name"] for label in found["selectedAiServiceResponse"]["ModerationLabels"]] == ["Suggestive"]
        assert client.get("/v1/agents/claims/decisions").json()["items"] == []

    def test_tries_other_conditions(self, client: TestClient, keys: Keys) -> None:
        body = {"conditions": json.dumps({"Conditions": []}), "output": image(99)}

        answer = client.post("/v1/agents/claims/a2i:evaluate", json=body, headers=keys["engineer"])

        assert answer.json()["activated"] is True

    @pytest.mark.parametrize("more", [{}, {"version": "v1", "conditions": CONDITIONS}, {"conditions": {"Or": []}}])
    def test_takes_either_a_version_or_conditions(self, client: TestClient, keys: Keys, more: dict[str, Any]) -> None:
        answer = client.post("/v1/agents/claims/a2i:evaluate", json={"output": 1} | more, headers=keys["engineer"])

        assert answer.status_code == 422

    def test_is_not_for_the_key_of_an_agent_which_could_find_out_what_is_drawn(self, client: TestClient) -> None:
        answer = client.post("/v1/agents/claims/a2i:evaluate", json={"version": "v1", "output": 1})

        assert answer.status_code == 403


class TestALoopThatConditionsCalled:
    def test_its_output_is_that_of_a_built_in_task_type(self, client: TestClient, keys: Keys) -> None:
        decide(client, image(97.9), "images/1.png")
        rule(client, keys, "edit", output=image(12))

        described = client.get(f"{LOOPS}/images/1.png").json()
        output = client.get(described["HumanLoopOutput"]["OutputS3Uri"]).json()

        assert described["HumanLoopStatus"] == "Completed"
        kind = "AWS/Rekognition/DetectModerationLabels/Image/V3"
        answered = output["humanAnswers"][0]
        assert output["awsManagedHumanLoopRequestSource"] == kind
        assert output["flowDefinitionArn"] == "phasegate:agents/claims/versions/v1"
        assert output["humanLoopName"] == "images/1.png"
        assert answered["answerContent"][kind]["moderationLabels"][0]["confidence"] == 12
        assert answered["workerId"] == "the-reviewer"
        assert answered["workerMetadata"]["identityData"]["sub"] == "the-reviewer"
        assert answered["acceptanceTime"] <= answered["submissionTime"]
        content = output["inputContent"]
        assert content["aiServiceRequest"] == {"image": "1"}
        assert content["aiServiceResponse"]["moderationModelVersion"] == "3.0"
        assert content["humanTaskActivationConditionResults"] == {"Conditions": [UNSURE | {"EvaluationResult": True}]}
        assert content["selectedAiServiceResponse"] == {
            "moderationLabels": [{"name": "Suggestive", "confidence": 97.9, "parentName": ""}],
            "moderationModelVersion": "3.0",
        }

    def test_a_case_that_went_alone_is_no_loop(self, client: TestClient) -> None:
        decide(client, image(99))

        assert client.get(f"{LOOPS}/c-1").status_code == 404


class TestALoopThatWasStarted:
    def test_waits_for_a_person_without_a_confidence_where_other_cases_would_go_alone(
        self, client: TestClient, keys: Keys
    ) -> None:
        answer = start(client)

        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert found["HumanLoopStatus"] == "InProgress"
        assert found["HumanLoopArn"] == "phasegate:agents/claims/human-loops/loop-1"
        assert found["HumanLoopOutput"] is None
        assert client.get(f"{LOOPS}/loop-1/output.json").status_code == 404
        decision = client.get(f"/v1/decisions/{found['DecisionId']}").json()
        assert (decision["route"], decision["reasons"][0]["code"]) == ("review", "human_loop")
        item = client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).json()
        assert (item["input"], item["output"]) == (CONTENT, {"name": "Ann"})

    def test_its_output_is_that_of_a_custom_task_type(self, client: TestClient, keys: Keys) -> None:
        start(client)
        rule(client, keys)

        output = client.get(f"{LOOPS}/loop-1/output.json").json()

        assert set(output) == {"flowDefinitionArn", "humanAnswers", "humanLoopName", "inputContent"}
        assert output["inputContent"] == CONTENT
        assert output["humanAnswers"][0]["answerContent"] == {"name": "Ann"}

    def test_an_answer_that_is_no_object_is_put_into_one(self, client: TestClient, keys: Keys) -> None:
        start(client, Output="Ann")
        rule(client, keys)

        output = client.get(f"{LOOPS}/loop-1/output.json").json()

        assert output["humanAnswers"][0]["answerContent"] == {"output": "Ann"}

    def test_sent_again_is_the_same_and_with_another_content_a_conflict(self, client: TestClient) -> None:
        first = start(client).json()

        assert (start(client).status_code, start(client).json()["DecisionId"]) == (200, first["DecisionId"])
        assert start(client, content={"initialValue": 2}).json()["type"] == "/problems/case-differs"

    def test_a_case_that_was_decided_before_does_not_become_a_loop(self, client: TestClient) -> None:
        decide(client, image(99), "loop-1", input={"initialValue": image(99)}, confidence=None)
        decide(client, image(99), "loop-2", input={"initialValue": image(99)})

        assert start(client, "loop-1", {"initialValue": image(99)}).json()["type"] == "/problems/no-human-loop"
        assert start(client, "loop-2", {"initialValue": image(99)}).status_code == 409

    def test_a_rejected_one_has_failed_and_gives_nothing_to_use(self, client: TestClient, keys: Keys) -> None:
        start(client)
        rule(client, keys, "reject", reason_code="wrong", note="It is Anne.")

        found = client.get(f"{LOOPS}/loop-1").json()

        assert (found["HumanLoopStatus"], found["FailureCode"]) == ("Failed", "Rejected")
        assert found["FailureReason"] == "wrong: It is Anne."
        assert client.get(f"{LOOPS}/loop-1/output.json").status_code == 404

    def test_one_that_nobody_may_rule_on_has_failed_and_says_why(self, ctx: Context, client: TestClient) -> None:
        factories.agent(ctx, "letters")
        factories.rollout(ctx, "letters", frozen=FreezeMode.ROUTING)
        client.headers = factories.bearer(ctx, agent="letters")  # type: ignore[assignment]
        body = {"HumanLoopName": "a", "HumanLoopInput": {"InputContent": '{"initialValue": 1}'}, "Version": "v1"}

        found = client.post("/v1/agents/letters/human-loops", json=body).json()

        assert (found["HumanLoopStatus"], found["FailureCode"]) == ("Failed", "Frozen")
        assert "frozen" in found["FailureReason"]

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            pytest.param('{"a": 1}', "Output", id="nothing to rule on"),
            pytest.param("[1]", "HumanLoopInput.InputContent", id="a list"),
            pytest.param('{"a": 1, "a": 2}', "HumanLoopInput.InputContent", id="a doubled key"),
        ],
    )
    def test_a_content_that_says_nothing_is_refused_with_its_place(
        self, client: TestClient, text: str, place: str
    ) -> None:
        body = {"HumanLoopName": "a", "HumanLoopInput": {"InputContent": text}, "Version": "v1"}

        answer = client.post(LOOPS, json=body)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["place"] == place
        assert client.get("/v1/agents/claims/decisions").json()["items"] == []

    def test_names_are_those_that_amazon_allows(self, client: TestClient) -> None:
        assert [start(client, name).status_code for name in ("Loop", "a-", "-a", "a" * 64)] == [422] * 4


class TestStop:
    def test_takes_the_loop_from_the_reviewers(self, client: TestClient, keys: Keys) -> None:
        start(client)

        stopped = client.post(f"{LOOPS}:stop", json={"HumanLoopName": "loop-1"})

        assert stopped.status_code == 200, stopped.text
        assert stopped.json()["HumanLoopStatus"] == client.get(f"{LOOPS}/loop-1").json()["HumanLoopStatus"] == "Stopped"
        assert client.post("/v1/queue/claim", json={}, headers=keys["reviewer"]).status_code == 204
        outcome = client.get(f"/v1/decisions/{stopped.json()['DecisionId']}").json()["outcome"]
        assert (outcome["state"], outcome["reason_code"]) == ("cancelled", "stopped")

    def test_a_loop_that_has_ended_stays_as_it_ended(self, client: TestClient, keys: Keys) -> None:
        start(client)
        rule(client, keys)

        answer = client.post(f"{LOOPS}:stop", json={"HumanLoopName": "loop-1"})

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/loop-ended")
        assert client.get(f"{LOOPS}/loop-1").json()["HumanLoopStatus"] == "Completed"

    def test_of_a_loop_that_is_not_there_is_a_404(self, client: TestClient) -> None:
        assert client.post(f"{LOOPS}:stop", json={"HumanLoopName": "loop-1"}).status_code == 404


class TestTheStatusEvent:
    @pytest.fixture(autouse=True)
    def _webhook(self, client: TestClient, keys: Keys) -> None:
        where = {"url": "https://example.org/told"}
        assert client.post("/v1/agents/claims/webhooks", json=where, headers=keys["engineer"]).status_code == 201

    def told(self, ctx: Context) -> dict[str, Any]:
        with ctx.db.read() as session:
            return {row.kind: row.body["data"] for row in session.scalars(select(OutboxMessage))}

    def test_is_told_beside_the_ruling_and_leads_to_the_output(
        self, ctx: Context, clock: FixedClock, client: TestClient, keys: Keys
    ) -> None:
        decide(client, image(97.9))
        clock.move(timedelta(seconds=90))
        rule(client, keys)

        told = self.told(ctx)

        assert set(told) == {"decision.ruled", "human_loop.status_change"}
        event = told["human_loop.status_change"]
        assert event["detail-type"] == "SageMaker A2I HumanLoop Status Change"
        assert event["detail"]["humanLoopStatus"] == "Completed"
        assert event["detail"]["humanLoopName"] == "c-1"
        assert event["resources"] == [event["detail"]["humanLoopArn"]]
        assert event["time"] > event["detail"]["creationTime"]
        assert client.get(event["detail"]["humanLoopOutput"]["outputS3Uri"]).status_code == 200

    def test_tells_that_a_loop_was_stopped(self, ctx: Context, client: TestClient) -> None:
        start(client)
        client.post(f"{LOOPS}:stop", json={"HumanLoopName": "loop-1"})

        told = self.told(ctx)

        assert set(told) == {"decision.cancelled", "human_loop.status_change"}
        assert told["human_loop.status_change"]["detail"]["humanLoopStatus"] == "Stopped"
        assert "humanLoopOutput" not in told["human_loop.status_change"]["detail"]

    def test_is_not_told_of_cases_that_are_no_loops(self, ctx: Context, client: TestClient, keys: Keys) -> None:
        factories.rollout(ctx, version="v2")
        decide(client, "yes", version="v2")
        rule(client, keys)

        assert set(self.told(ctx)) == {"decision.ruled"}
