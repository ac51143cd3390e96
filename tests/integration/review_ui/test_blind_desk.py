"""The desk in the blind arm: the page asks first, and nothing in its source tells what the agent said."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from evidence.comparing import ComparisonConfig, compare
from kit.context import Context
from review_ui.blind_form import beside, blank_fields
from rollout.agents.schemas import AgentSettings
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from routing.supervision.tables import BlindAnswer
from tests.integration.review_ui import house

SECRET = "Hartmann"
OUTPUT = {"digit": 7, "remark": SECRET}


@pytest.fixture
def desk(ctx: Context) -> Iterator[TestClient]:
    """A reviewer who holds a case of the blind arm."""
    house.people(ctx)
    house.agent(ctx, settings=house.DIGITS | {"supervision": {"blind_share": 1.0}})
    house.case(ctx, "form-1", output=OUTPUT, action=SECRET, signals={"seen": SECRET}, trace=[{"name": SECRET}])
    with house.client(ctx, "rita") as client:
        yield client


def post(client: TestClient, path: str, **data: Any) -> str:
    answer = client.post(f"/review/{path}", data={"form_token": house.token(client.get("/review").text)} | data)
    return str(answer.text)


def item(ctx: Context) -> ReviewItem:
    with ctx.db.read() as session:
        return session.scalars(select(ReviewItem)).one()


def test_the_output_is_nowhere_in_the_page_before_the_answer(desk: TestClient, ctx: Context) -> None:
    page = post(desk, "next")

    assert "Your answer first" in page
    assert "Scanned digit" in page
    assert "100 % of cases ask you first" in page.replace("\xa0", " ")
    assert SECRET not in page
    assert item(ctx).fingerprint not in page
    assert 'value="7"' not in page
    assert "Confidence" not in page
    assert 'value="approve"' not in page
    assert 'value="escalate"' not in page


def test_the_answer_is_stored_and_stands_beside_the_output(desk: TestClient, ctx: Context) -> None:
    post(desk, "next")

    page = post(desk, f"{item(ctx).id}/answer", **{"out:/digit": "1"})

    assert "You and the agent" in page
    assert "Differs" in page
    assert SECRET in page
    with ctx.db.read() as session:
        stored = session.scalars(select(BlindAnswer)).one()
    assert (stored.login, stored.output, stored.equal) == ("rita", {"digit": 1}, False)

    post(desk, f"{item(ctx).id}/rule", **house.fields(page), ruling="reject:wrong_digit")
    assert item(ctx).state == "rejected"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"out:/digit": ""}, "It is empty"),
        ({"out:/digit": "seven"}, "It is not a number"),
        ({"out:/digit": "12"}, "cannot be stored as it is"),
    ],
)
def test_an_answer_that_cannot_be_one_is_refused_in_place_and_shows_nothing(
    desk: TestClient, ctx: Context, typed: dict[str, str], words: str
) -> None:
    post(desk, "next")

    page = post(desk, f"{item(ctx).id}/answer", **typed)

    assert words in page
    assert SECRET not in page
    assert "Your answer first" in page
    if typed["out:/digit"]:
        assert f'value="{typed["out:/digit"]}"' in page
    with ctx.db.read() as session:
        assert session.scalars(select(BlindAnswer)).all() == []


def test_a_ruling_that_skips_the_answer_is_refused_on_the_page_too(desk: TestClient, ctx: Context) -> None:
    post(desk, "next")

    page = post(desk, f"{item(ctx).id}/rule", ruling="reject:wrong_digit", fingerprint=item(ctx).fingerprint)

    assert "Your own answer comes first" in page
    assert SECRET not in page
    with ctx.db.read() as session:
        assert session.scalars(select(Decision)).one().outcome is None


def test_the_form_is_made_without_a_look_into_the_output() -> None:
    settings = AgentSettings.model_validate(house.DIGITS)

    one = blank_fields({"digit": 3}, settings)
    other = blank_fields({"digit": 3, "remark": SECRET, "fraud": True}, settings)

    assert one == other
    assert [(row.label, row.control, row.value) for row in one] == [("Digit", "number", ""), ("Remark", "text", "")]


@pytest.mark.parametrize(("output", "control"), [("yes", "text"), (7, "number"), (True, "select"), (None, "text")])
def test_of_a_single_value_only_its_kind_is_told(output: Any, control: str) -> None:
    [row] = blank_fields(output, AgentSettings())

    assert (row.path, row.label, row.value) == ("", "Your answer", "")
    assert row.control == control


def test_two_answers_stand_side_by_side_by_the_agents_own_comparison() -> None:
    settings = AgentSettings.model_validate(house.DIGITS)
    mine, agent = {"digit": 7, "remark": "b"}, {"digit": 7, "remark": "a", "sum": {"net": 1}}

    rows = beside(mine, agent, settings, compare(agent, mine, ComparisonConfig.parse(None)))

    assert [(row.label, row.mine, row.agent, row.equal) for row in rows] == [
        ("Digit", "7", "7", True),
        ("Remark", "b", "a", False),
        ("Sum", "–", rows[2].agent, False),
    ]
