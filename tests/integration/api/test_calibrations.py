"""The endpoints of calibrations: read by everybody of the agent, looked at when due, put in force by the owner."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from rollout.agents.queries import get_agent
from rollout.domain.phase import Phase
from rollout.plans import service as plans
from tests import factories
from tests.integration.routing.test_thresholds import work
from tests.unit.rollout.making import plan_data
from web_app import create_app

HERE = "/v1/agents/claims/versions/v1/calibrations"
LABELS = 100


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def house(ctx: Context) -> dict[str, dict[str, str]]:
    """An agent with a plan that looks at a hundred labels, and the keys of the people around it."""
    owner = factories.actor(ctx, "mara")
    for login, role in (("erin", "engineer"), ("rita", "reviewer"), ("omar", "owner"), ("olga", "auditor")):
        factories.person(ctx, login, roles=(role,))
    factories.agent(ctx, owner="mara", comparison={"default": "text"})
    factories.agent(ctx, "letters", owner="mara")
    plan = plan_data(agent="claims", settle_days=2, threshold={"risk": 0.05, "first_labels": LABELS})
    with ctx.db.begin() as session:
        applied = plans.apply(session, get_agent(session, "claims"), plan, actor=owner, now=ctx.clock.now())
        plan_id = applied.revision.id
    rollout = factories.rollout(ctx, phase=Phase.SHADOW, threshold=None)
    factories.change_rollout(ctx, rollout, plan_id=plan_id, rules={"threshold": None})
    keys = {login: factories.bearer(ctx, login=login) for login in ("mara", "erin", "rita", "omar", "olga")}
    return keys | {name: factories.bearer(ctx, agent=name) for name in ("claims", "letters")}


@pytest.fixture
def settled(ctx: Context, clock: FixedClock, house: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The same with a hundred labels that are old enough, of which the unsure ones are wrong."""
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    return house


def look(client: TestClient, headers: dict[str, str]) -> Any:
    answer = client.post(f"{HERE}/look", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_before_any_look_the_list_says_at_how_many_labels_it_comes(
    client: TestClient, house: dict[str, dict[str, str]]
) -> None:
    answer = client.get(HERE, headers=house["claims"])

    assert answer.json() == {"items": [], "next_labels": LABELS, "settled_labels": 0}


def test_a_look_that_is_not_due_is_not_taken(client: TestClient, house: dict[str, dict[str, str]]) -> None:
    assert look(client, house["erin"])["items"] == []


def test_a_due_look_is_taken_once_and_listed(client: TestClient, settled: dict[str, dict[str, str]]) -> None:
    taken, again = look(client, settled["erin"]), look(client, settled["mara"])
    listed = client.get(HERE, headers=settled["rita"]).json()

    assert [(row["look"], row["labels"]) for row in taken["items"]] == [(0, LABELS)]
    assert again["items"] == []
    assert [row["id"] for row in listed["items"]] == [taken["items"][0]["id"]]
    assert (listed["next_labels"], listed["settled_labels"]) == (None, LABELS)


def test_the_record_holds_its_labels_and_agrees_with_itself(
    client: TestClient, settled: dict[str, dict[str, str]]
) -> None:
    (row,) = look(client, settled["erin"])["items"]

    record = client.get(f"{HERE}/{row['id']}", headers=settled["claims"]).json()

    assert record["agrees"] is True
    assert sum(cases for _, cases, _ in record["data"]["groups"]) == LABELS
    assert {name: record[name] for name in row} == row


def test_the_owner_puts_it_in_force_once(client: TestClient, settled: dict[str, dict[str, str]]) -> None:
    (row,) = look(client, settled["erin"])["items"]

    done = client.post(f"{HERE}/{row['id']}/apply", headers=settled["mara"])
    again = client.post(f"{HERE}/{row['id']}/apply", headers=settled["mara"])
    policy = client.get("/v1/agents/claims/versions/v1/policy", headers=settled["mara"]).json()

    assert (done.status_code, done.json()["applied_by"]) == (200, "mara")
    assert done.json()["applied_revision"] == policy["revision"]
    assert policy["rules"]["threshold"] == row["threshold"]
    assert (again.status_code, again.json()["type"]) == (409, "/problems/calibration-applied")


@pytest.mark.parametrize("who", ["erin", "rita", "omar", "olga", "claims"])
def test_nobody_else_puts_it_in_force(client: TestClient, settled: dict[str, dict[str, str]], who: str) -> None:
    (row,) = look(client, settled["erin"])["items"]

    refused = client.post(f"{HERE}/{row['id']}/apply", headers=settled[who])
    policy = client.get("/v1/agents/claims/versions/v1/policy", headers=settled["mara"]).json()

    assert refused.status_code == 403
    assert policy["rules"]["threshold"] is None


@pytest.mark.parametrize("who", ["rita", "claims", "letters"])
def test_looking_is_for_those_who_may_configure_or_advance(
    client: TestClient, settled: dict[str, dict[str, str]], who: str
) -> None:
    assert client.post(f"{HERE}/look", headers=settled[who]).status_code in {403, 404}
    assert client.get(HERE, headers=settled["mara"]).json()["items"] == []


@pytest.mark.parametrize("path", ["", "/{id}"])
def test_the_key_of_another_agent_reads_nothing(
    client: TestClient, settled: dict[str, dict[str, str]], path: str
) -> None:
    (row,) = look(client, settled["erin"])["items"]

    answer = client.get(HERE + path.format(id=row["id"]), headers=settled["letters"])

    assert answer.status_code in {403, 404}


def test_a_calibration_of_another_version_is_not_there(
    ctx: Context, client: TestClient, settled: dict[str, dict[str, str]]
) -> None:
    (row,) = look(client, settled["erin"])["items"]
    factories.rollout(ctx, "letters", "v1")

    for address in (f"/v1/agents/letters/versions/v1/calibrations/{row['id']}", f"{HERE}/{factories.new_id()}"):
        assert client.get(address, headers=settled["mara"]).status_code == 404
        assert client.post(f"{address}/apply", headers=settled["mara"]).status_code == 404
    assert client.get(f"{HERE}/7", headers=settled["mara"]).status_code == 422
    assert client.get(HERE.replace("v1/cal", "v9/cal"), headers=settled["mara"]).status_code == 404


def test_a_version_whose_plan_looks_for_none_has_an_empty_list(ctx: Context, client: TestClient) -> None:
    factories.person(ctx, "mara")
    factories.agent(ctx, owner="mara")
    factories.rollout(ctx)

    answer = client.get(HERE, headers=factories.bearer(ctx, login="mara"))

    assert answer.json() == {"items": [], "next_labels": None, "settled_labels": 0}
