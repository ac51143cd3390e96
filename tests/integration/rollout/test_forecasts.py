"""Forecasts of gates that are not sure yet: shown with the newest evidence, and stored nowhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from rollout.domain.phase import Phase
from tests import factories
from tests.integration.rollout.house import House, build, served

ROLLOUT = "/v1/agents/reader/versions/v1/rollout"


@pytest.fixture
def house(ctx: Context) -> House:
    """A version in shadow for ten days, with twelve cases a day of which a few differ."""
    house = build(ctx)
    house.register()
    house.climb(Phase.SHADOW)
    for day in range(10):
        house.count(cases=12, overridden=day % 2)
        house.days(1)
    return house


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    with served(house.ctx) as client:
        client.headers = factories.bearer(house.ctx, login="erin")  # type: ignore[assignment]
        yield client


def forecast(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["gates"][0]["forecast"]


def test_the_status_says_when_an_unsure_gate_could_pass(house: House, client: TestClient) -> None:
    looked = client.post(f"{ROLLOUT}/look", json={}).json()
    assert looked["gates"][0]["verdict"] == "inconclusive"

    shown = forecast(client.get(ROLLOUT))

    assert shown == looked["gates"][0]["forecast"]
    assert shown["per_day"] == pytest.approx(12)
    assert "at the present 12 cases a day, if it stays as good as so far" in shown["words"]
    assert 0 < shown["cases"]["early"] <= shown["cases"]["median"]
    assert shown == forecast(client.get(f"{ROLLOUT}/evidence/{looked['id']}"))


def test_a_forecast_is_no_part_of_the_evidence(house: House, client: TestClient) -> None:
    taken = house.look()
    again = house.look()

    assert taken.id == again.id
    assert "forecast" not in taken.body["gates"][0]


def test_old_evidence_has_no_forecast(house: House, client: TestClient) -> None:
    old = house.look()
    house.count(cases=12)
    house.days(2)
    house.look()

    assert forecast(client.get(f"{ROLLOUT}/evidence/{old.id}")) is None
    assert forecast(client.get(ROLLOUT)) is not None


def test_a_gate_that_passed_has_none(house: House, client: TestClient) -> None:
    house.count(cases=4000)
    house.days(2)
    house.look()

    assert house.status().gates[0].verdict == "pass"
    assert forecast(client.get(ROLLOUT)) is None


def test_a_new_phase_begins_without_the_forecast_of_the_one_before(house: House, client: TestClient) -> None:
    house.look()
    house.demote()

    assert all(gate["forecast"] is None for gate in client.get(ROLLOUT).json()["gates"])
