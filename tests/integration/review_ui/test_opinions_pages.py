"""Second opinions on pages: the same look for the second person, A and B for the third, and what came of it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import Phase
from routing import tasks
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import words

ADDRESS = "/agents/digits/people"


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx, settings=house.DIGITS | {"supervision": {"blind_share": 0.0, "second_opinion_share": 1.0}})
    factories.person(ctx, "lou", roles=("lead",), password=factories.PASSWORD)


def rules(ctx: Context, login: str, **said: Any) -> str:
    """This person takes the next case and rules on it; the page that they saw."""
    with house.client(ctx, login) as client:
        page = client.post("/review/next", data={"form_token": house.token(client.get("/review").text)}).text
        with ctx.db.read() as session:
            mine = ReviewItem.claimed_by == login, ReviewItem.state == "waiting"
            item = session.scalars(select(ReviewItem).where(*mine)).one()
        client.post(f"/review/{item.id}/rule", data=house.fields(page) | said)
    return page


def test_the_second_sees_what_the_first_saw_and_the_third_sees_both_without_names(
    ctx: Context, clock: FixedClock
) -> None:
    house.case(ctx, "form-1")
    first = rules(ctx, "rita", ruling="approve", **{"out:/digit": "1"}, note="a thin one")
    second = rules(ctx, "ravi", ruling="approve")
    third = rules(ctx, "lou", ruling="approve", **{"out:/digit": "1"})

    for page in (first, second):
        assert "Two people" not in page
        assert "Adjudication" not in page
    case_head = [page.split('class="case-head"')[1].split("</p>")[0] for page in (first, second)]
    assert case_head[0] == case_head[1]
    assert "Two people ruled on this output and differ" in words(third)
    assert "<del>7</del> <ins>1</ins>" in words(third)
    assert "The output is right as it is." in third
    assert "a thin one" in third
    assert "Rita" not in third
    assert "Ravi" not in third

    clock.move(timedelta(minutes=1))
    with house.client(ctx, house.OWNER) as client:
        page = words(client.get(f"{ADDRESS}?days=28").text)
    assert "Second opinions" in page
    assert "said the same of 0" in page


def test_the_page_says_that_something_waits_for_nobody(ctx: Context, clock: FixedClock) -> None:
    house.case(ctx, "form-1")
    rules(ctx, "lou", ruling="approve")
    rules(ctx, house.SECOND, ruling="reject:unreadable")
    clock.move(timedelta(minutes=1))

    with house.client(ctx, house.OWNER) as client:
        page = words(client.get(ADDRESS).text)

    assert "One of them waits for nobody" in page


def test_the_page_says_that_a_judgement_waits_for_nobody(ctx: Context) -> None:
    supervision = house.ALL_SHOWN | {"judged_differing_share": 1.0}
    house.agent(ctx, "letters", phase=Phase.SHADOW, settings=house.DIGITS | {"supervision": supervision})
    house.case(ctx, "form-1", "letters")
    for digit, person in enumerate(("rita", "ravi", "lou", house.SECOND)):
        factories.human_output(ctx, "form-1", {"digit": digit}, agent="letters", person=person)
    tasks.settle(ctx)

    with house.client(ctx, house.OWNER) as client:
        page = words(client.get("/agents/letters/people").text)

    assert "1 case waits to be judged, and nobody may: everybody who could did the case" in page


def test_before_any_was_asked_for_the_page_says_how_they_come_about(ctx: Context) -> None:
    with house.client(ctx, house.OWNER) as client:
        assert "supervision.second_opinion_share" in client.get(ADDRESS).text
