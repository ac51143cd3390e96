"""Gold answers: who may record them, that they do not change, and what gates make of them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from governance.audit.tables import AuditEvent
from kit.context import Context
from rollout.domain.phase import Phase
from rollout.domain.recheck import recheck
from rollout.reviewers import service
from rollout.reviewers.schemas import GoldAnswerIn, Said
from tests import factories
from tests.integration.rollout.house import House, build, plan_data, served

GOLD = "/v1/agents/reader/gold-answers"


@pytest.fixture
def house(ctx: Context) -> House:
    return build(ctx)


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    with served(house.ctx) as client:
        client.headers = factories.bearer(house.ctx, login="erin")  # type: ignore[assignment]
        yield client


def answer(case_id: str = "g-1", reviewer: str = "rita", **more: Any) -> dict[str, Any]:
    return {"reviewer": reviewer, "case_id": case_id, "output_is": "wrong", "said": "wrong"} | more


def answers(caught: int, missed: int, confirmed: int = 0, objected: int = 0, reviewer: str = "rita") -> dict[str, Any]:
    kinds = [("wrong", "wrong", caught), ("wrong", "right", missed), ("right", "right", confirmed)]
    kinds.append(("right", "wrong", objected))
    return {
        "items": [
            answer(f"{output_is}-{said}-{number}", reviewer, output_is=output_is, said=said)
            for output_is, said, many in kinds
            for number in range(many)
        ]
    }


class TestRecording:
    def test_answers_are_stored_once(self, client: TestClient) -> None:
        first = client.post(GOLD, json={"items": [answer(), answer("g-2")]})
        again = client.post(GOLD, json={"items": [answer("g-2"), answer("g-3"), answer("g-3")]})

        assert first.status_code == again.status_code == 201
        assert [one["status"] for one in first.json()["items"]] == ["created", "created"]
        assert [one["status"] for one in again.json()["items"]] == ["unchanged", "created", "unchanged"]
        assert client.get(GOLD).json()["together"]["sensitivity"]["whole"] == 3

    def test_a_different_answer_is_a_conflict_with_its_place_and_nothing_is_stored(self, client: TestClient) -> None:
        client.post(GOLD, json={"items": [answer(said="right")]})

        refused = client.post(GOLD, json={"items": [answer("g-9"), answer(said="wrong")]})

        assert refused.status_code == 409
        assert refused.json()["type"] == "/problems/gold-answer-differs"
        assert [one["place"] for one in refused.json()["errors"]] == ["items[1].said"]
        assert client.get(GOLD).json()["together"]["sensitivity"] | {"lower": 0, "upper": 0} == {
            "part": 0, "whole": 1, "share": 0.0, "lower": 0, "upper": 0,
        }  # fmt: skip

    def test_two_answers_to_one_case_in_one_request_must_be_the_same(self, client: TestClient) -> None:
        refused = client.post(GOLD, json={"items": [answer(), answer(output_is="right")]})

        assert refused.status_code == 409
        assert client.get(GOLD).json()["items"] == []

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"items": []}, "items"),
            ({}, "items"),
            ({"items": [answer(said="maybe")]}, "items.0.said"),
            ({"items": [answer(output_is=True)]}, "items.0.output_is"),
            ({"items": [answer("")]}, "items.0.case_id"),
            ({"items": [answer("x" * 201)]}, "items.0.case_id"),
            ({"items": [answer(reviewer="")]}, "items.0.reviewer"),
            ({"items": [answer(at="yesterday")]}, "items.0.at"),
            ({"items": [answer(at="2026-01-05T09:00:00")]}, "items.0.at"),
            ({"items": [answer(at="2199-01-05T09:00:00Z")]}, "items[0].at"),
            ({"items": [answer(colour="red")]}, "items.0.colour"),
            ({"items": [answer(str(number)) for number in range(1001)]}, "items"),
        ],
    )
    def test_what_makes_no_sense_is_refused_with_its_place(
        self, client: TestClient, body: dict[str, Any], place: str
    ) -> None:
        refused = client.post(GOLD, json=body)

        assert refused.status_code == 422
        assert place.replace("[0]", ".0") in {
            one["place"].replace("[0]", ".0").removeprefix("body.") for one in refused.json()["errors"]
        }

    def test_an_agent_that_is_not_there(self, client: TestClient) -> None:
        assert client.post("/v1/agents/nobody/gold-answers", json={"items": [answer()]}).status_code == 404
        assert client.get("/v1/agents/nobody/gold-answers").status_code == 404

    def test_recording_stands_in_the_audit_log(self, house: House, client: TestClient) -> None:
        client.post(GOLD, json={"items": [answer()]})

        with house.ctx.db.read() as session:
            recorded = session.scalars(select(AuditEvent).where(AuditEvent.verb == "gold.recorded")).all()
        assert [event.actor for event in recorded] == ["erin"]


class TestWhoMay:
    def test_the_key_of_the_agent_may_not_record_what_opens_its_own_gates(
        self, house: House, client: TestClient
    ) -> None:
        own = factories.bearer(house.ctx, agent="reader")

        assert client.post(GOLD, json={"items": [answer()]}, headers=own).status_code == 403
        assert client.get(GOLD, headers=own).status_code == 403

    def test_reviewers_do_not_record_answers(self, house: House, client: TestClient) -> None:
        factories.person(house.ctx, "rita", roles=("reviewer",))
        rita = factories.bearer(house.ctx, login="rita")

        assert client.post(GOLD, json={"items": [answer(reviewer="erin")]}, headers=rita).status_code == 403
        assert client.get(GOLD, headers=rita).status_code == 403

    def test_nobody_records_their_own_answers(self, client: TestClient) -> None:
        refused = client.post(GOLD, json={"items": [answer(), answer(reviewer="erin")]})

        assert refused.status_code == 403
        assert refused.json()["type"] == "/problems/own-gold-answer"
        assert refused.json()["errors"][0]["place"] == "items[1].reviewer"
        assert client.get(GOLD).json()["items"] == []

    def test_who_answers_for_the_agent_sees_them(self, house: House, client: TestClient) -> None:
        factories.person(house.ctx, "ada", roles=("auditor",))

        assert all(
            client.get(GOLD, headers=factories.bearer(house.ctx, login=login)).status_code == 200
            for login in ("alice", "bob", "erin", "ada")
        )


class TestFigures:
    def test_each_reviewer_and_all_together(self, client: TestClient) -> None:
        client.post(GOLD, json=answers(45, 5, 19, 1))
        client.post(GOLD, json=answers(5, 5, reviewer="rob"))

        shown = client.get(GOLD).json()

        assert [one["reviewer"] for one in shown["items"]] == ["rita", "rob"]
        rita, rob = shown["items"]
        assert (rita["sensitivity"]["part"], rita["sensitivity"]["whole"], rita["sensitivity"]["share"]) == (
            45,
            50,
            0.9,
        )
        assert 0.78 < rita["sensitivity"]["lower"] < 0.9 < rita["sensitivity"]["upper"] < 0.97
        assert (rita["specificity"]["part"], rita["specificity"]["whole"]) == (19, 20)
        assert rita["warning"] is None
        assert rob["warning"] == "10 gold cases with an error so far; with 50 or more this can be relied on."
        assert shown["together"]["sensitivity"]["whole"] == 60

    def test_without_answers_there_are_no_figures(self, client: TestClient) -> None:
        together = client.get(GOLD).json()["together"]

        assert (together["sensitivity"]["share"], together["sensitivity"]["lower"]) == (None, 0.0)
        assert together["warning"].startswith("No gold case with an error")


class TestGate:
    def corrected(self, house: House) -> None:
        data = plan_data()
        data["phases"]["supervised"]["gates"][0] |= {"corrected_for_reviewers": True}
        house.apply(data)
        house.register()
        house.climb(Phase.SUPERVISED)

    def record(self, house: House, caught: int, missed: int, since: int = 0) -> None:
        items = [
            GoldAnswerIn(
                reviewer="rita", case_id=f"g-{number}", output_is=Said.WRONG,
                said=Said.WRONG if number < since + caught else Said.RIGHT,
            )
            for number in range(since, since + caught + missed)
        ]  # fmt: skip
        with house.ctx.db.begin() as session:
            service.record(session, "reader", items, actor=house.erin, now=house.clock.now())

    def test_a_corrected_gate_opens_only_when_reviewers_are_known_to_see_errors(self, house: House) -> None:
        self.corrected(house)
        house.count(cases=2000, overridden=40, days_ago=0)
        house.clock.move(timedelta(days=3))

        unknown = house.look().body["gates"][0]
        self.record(house, 45, 55)
        blind = house.look().body["gates"][0]
        self.record(house, 900, 0, since=100)
        sharp = house.look().body["gates"][0]

        assert unknown["verdict"] == "inconclusive"
        assert "gold cases" in unknown["what_would_change"]
        assert sharp["verdict"] == "pass"
        assert blind["corrected_limit"] < sharp["corrected_limit"] < 0.1
        assert blind["seeded"] == [45, 100, 0, 0]
        assert all(recheck(gate) for gate in (unknown, blind, sharp))
