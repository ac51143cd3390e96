"""Drift, audits and false alarms over HTTP."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from tests import factories
from web_app import create_app

VERSION = "/v1/agents/claims/versions/v1"


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx, comparison={"default": "text"})
    factories.rollout(ctx, phase=Phase.CONFIDENCE, threshold=0.8, audit_rate=1.0)
    with TestClient(create_app(ctx), headers=factories.bearer(ctx, agent="claims")) as client:
        yield client


def work(ctx: Context, clock: FixedClock) -> None:
    for day in range(10):
        cases = [factories.case(f"c-{day}-{n}", confidence=0.9, attributes={"channel": "mail"}) for n in range(20)]
        factories.store(ctx, *cases)
        factories.human_output(ctx, f"c-{day}-0", output="yes" if day else "no")
        clock.move(timedelta(days=1))
    REGISTRY["routing.settle"].run(ctx)


def test_what_comes_in_is_compared_with_the_first_days(ctx: Context, client: TestClient, clock: FixedClock) -> None:
    work(ctx, clock)
    found = client.get(f"{VERSION}/drift").json()

    assert found["reference"]["why"] == "the first days of the version"
    assert [(one["attribute"], one["alarmed"]) for one in found["attributes"]] == [
        ("channel", False),
        ("confidence", False),
        ("segment", False),
    ]
    assert found["attributes"][0]["values"] == [{"value": "mail", "before": 60, "now": 140}]
    assert [one["metric"] for one in found["weeks"]] == [
        "error_rate",
        "override_rate",
        "low_confidence_rate",
        "invalid_output_rate",
    ]
    assert [(one["what"], one["drawn"], one["cases"]) for one in found["draws"]] == [
        ("audit", 200, 200),
        ("ramp", 200, 200),
    ]


def test_the_audits_of_the_epoch_and_of_a_period(ctx: Context, client: TestClient, clock: FixedClock) -> None:
    first = clock.now().date()
    work(ctx, clock)
    epoch = client.get(f"{VERSION}/audits").json()
    day = client.get(f"{VERSION}/audits", params={"from": str(first), "to": str(first)}).json()

    assert (epoch["cases"], epoch["audited"], epoch["open"], epoch["wrong"]) == (200, 10, 190, 1)
    assert epoch["at_most"]["wrong"] < epoch["at_most_if_open_are_wrong"]["wrong"] == 191
    assert epoch["present_epoch"]
    assert (day["cases"], day["wrong"], day["present_epoch"]) == (20, 1, False)


@pytest.mark.parametrize(
    "period",
    [
        {"from": "yesterday"},
        {"from": "2026-02-30"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "2001-01-01", "to": "2026-01-01"},
    ],
)
def test_a_period_that_makes_no_sense_names_its_place(client: TestClient, period: dict[str, str]) -> None:
    answer = client.get(f"{VERSION}/audits", params=period)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["mend"]


def test_an_agents_key_sees_its_own_false_alarms_only(ctx: Context, client: TestClient) -> None:
    found = client.get("/v1/false-alarms").json()

    assert (found["streams"], found["per_year"], found["allowed_per_year"]) == ([], 0, 12)


@pytest.mark.parametrize("path", ["drift", "audits"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"/v1/agents/claims/versions/nope/{path}").status_code == 404
