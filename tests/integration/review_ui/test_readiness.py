from typing import Any

import pytest

from kit.context import Context
from rollout.gates import service as gates
from rollout.oversight import queries
from rollout.versions import queries as version_queries
from tests.integration.review_ui import house

ADDRESS = "/agents/digits/readiness/runbook"
LINK = "https://example.org/runbook"


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with ctx.db.begin() as session:
        gates.look(session, version_queries.get_rollout(session, "digits", "1.9.0"), now=ctx.clock.now())


def post(client: house.TestClient, **fields: str) -> Any:
    token = house.token(client.get(f"{ADDRESS}?version=1.9.0").text)
    return client.post(ADDRESS, data={"form_token": token, "version": "1.9.0"} | fields)


def stored(ctx: Context) -> tuple[str, str] | None:
    with ctx.db.read() as session:
        row = queries.find_answer(session, version_queries.get_rollout(session, "digits", "1.9.0").id, "runbook")
    return (row.answer, row.link) if row is not None else None


def test_a_yes_with_its_link_is_on_the_agents_page_at_once(ctx: Context) -> None:
    with house.client(ctx, "emil") as client:
        assert f'href="{ADDRESS}?version=1.9.0"' in client.get("/agents/digits").text

        page = post(client, answer="yes", link=LINK).text

    assert "Answered. The checklist shows it." in page
    assert f'href="{LINK}"' in page
    assert stored(ctx) == ("yes", LINK)


@pytest.mark.parametrize("given", ["no", "unknown"])
def test_a_no_needs_no_link(ctx: Context, given: str) -> None:
    with house.client(ctx, "emil") as client:
        assert post(client, answer=given, link="").status_code == 200

    assert stored(ctx) == (given, "")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"answer": "yes", "link": ""}, "A yes needs a link", id="no link"),
        pytest.param({"answer": "yes", "link": "javascript:alert(1)"}, "begins with https://", id="no address"),
        pytest.param({"answer": "perhaps", "link": LINK}, "Choose yes, no or unknown", id="no answer"),
    ],
)
def test_what_is_no_answer_is_said_and_nothing_changes(ctx: Context, fields: dict[str, str], said: str) -> None:
    with house.client(ctx, "emil") as client:
        response = post(client, **fields)

    assert response.status_code == 422
    assert said in response.text
    assert stored(ctx) is None


def test_who_may_not_answer_is_not_asked(ctx: Context) -> None:
    with house.client(ctx, "rita") as client:
        assert ADDRESS not in client.get("/agents/digits").text
        assert client.get(ADDRESS).status_code == 403


def test_a_form_from_elsewhere_changes_nothing(ctx: Context) -> None:
    with house.client(ctx, "emil") as client:
        data = {"form_token": "another", "version": "1.9.0", "answer": "no"}
        assert client.post(ADDRESS, data=data).status_code == 403

    assert stored(ctx) is None


def test_what_the_plan_does_not_ask_has_no_form(ctx: Context) -> None:
    with house.client(ctx, "emil") as client:
        assert client.get("/agents/digits/readiness/nothing").status_code == 404
