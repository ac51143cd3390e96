"""What the list of cases that were approved together says after one of them was taken back, or could not be."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from governance.actors import SYSTEM, Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from routing.domain.reach import Need
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import words
from tests.integration.routing import desk

RITA, RAVI = (Actor(login, "person", frozenset({"reviewer"})) for login in ("rita", "ravi"))


@pytest.fixture
def rita(ctx: Context) -> Iterator[TestClient]:
    house.people(ctx)
    house.agent(ctx, settings=house.DIGITS | {"undo_seconds": 60})
    with house.client(ctx, "rita") as client:
        yield client


def move(ctx: Context, seconds: int) -> None:
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    clock.move(timedelta(seconds=seconds))


def opened(ctx: Context, *case_ids: str) -> list[ReviewItem]:
    """Cases that Rita had before her and gave back."""
    items = [desk.item_of(ctx, house.case(ctx, case_id).decision.id) for case_id in case_ids]
    for item in items:
        desk.claim(ctx, RITA, item.id)
        move(ctx, 30)
        desk.release(ctx, RITA, item)
    return items


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)">', page))


def approved(rita: TestClient, items: list[ReviewItem]) -> dict[str, str]:
    """They are approved together; returns what the list holds for an undo."""
    asked = rita.get("/review/together", params={"item": [str(item.id) for item in items]})
    answer = rita.post("/review/together", data=hidden(asked.text))
    assert answer.status_code == 200
    return hidden(answer.text)


def undo(rita: TestClient, item: ReviewItem, told: dict[str, str]) -> tuple[int, dict[str, str]]:
    """What the list says then of each case."""
    answer = rita.post("/review/together/undo", data=told | {"undo": str(item.id)})
    rows = re.findall(r'<th scope="row">(.*?)</th>\s*<td>(.*?)</td>', answer.text, re.DOTALL)
    return answer.status_code, {case_id: words(row) for case_id, row in rows}


def test_an_undo_that_comes_too_late_keeps_the_list_and_says_so_beside_the_case(ctx: Context, rita: TestClient) -> None:
    first, second = opened(ctx, "form-1", "form-2")
    told = approved(rita, [first, second])
    move(ctx, 61)

    status, rows = undo(rita, first, told)

    assert status == 409
    assert set(rows) == {"form-1", "form-2"}
    assert "passed on to the agent already; it stands." in rows["form-1"]
    assert "it stands" not in rows["form-2"]


def test_the_list_names_what_is_left_what_was_taken_back_and_what_ended_meanwhile(
    ctx: Context, rita: TestClient
) -> None:
    back, replaced, stands, refused = opened(ctx, "form-1", "form-2", "form-3", "form-4")
    asked = hidden(
        rita.get("/review/together", params={"item": [str(one.id) for one in (back, replaced, stands, refused)]}).text
    )
    desk.claim(ctx, RAVI, refused.id)
    told = hidden(rita.post("/review/together", data=asked).text)
    house.case(ctx, "form-2", attempt=2)

    status, rows = undo(rita, back, told)

    assert status == 200
    assert "Taken back" in rows["form-1"]
    assert "The case ended before your ruling was passed on." in rows["form-2"]
    assert "Approved" not in rows["form-2"]
    assert "Approved" in rows["form-3"]
    assert "Somebody looks at this case" in rows["form-4"]


def test_a_form_that_names_cases_of_others_learns_nothing_of_them(ctx: Context, rita: TestClient) -> None:
    (mine,) = opened(ctx, "form-1")
    told = approved(rita, [mine])
    theirs = desk.item_of(ctx, house.case(ctx, "secret-1").decision.id)
    held = desk.claim(ctx, RAVI, desk.item_of(ctx, house.case(ctx, "secret-2").decision.id).id)
    desk.rule(ctx, RAVI, held)
    named = {f"told-{theirs.id}": "", f"told-{held.id}": "", f"told-{held.decision_id}": "whatever"}

    status, rows = undo(rita, mine, told | named)

    assert status == 200
    assert {case_id for case_id in rows if case_id} == {"form-1"}
    answer = rita.post("/review/together/undo", data=told | {f"told-{held.id}": "", "undo": str(held.id)})
    assert answer.status_code == 409
    assert "What became of each" not in answer.text


def test_cases_that_others_work_are_as_good_as_not_there(ctx: Context, rita: TestClient) -> None:
    mine, lost = opened(ctx, "form-1", "form-2")
    theirs = desk.item_of(ctx, house.case(ctx, "secret-1", segment="pl").decision.id)
    lines = [Need("digits", "pl", skills=frozenset({"polish"}))]
    with ctx.db.begin() as session:
        skills.set_person(session, "ravi", teams=(), skills=("polish",), by=SYSTEM, now=ctx.clock.now())
        skills.set_queues(session, "digits", lines, by=SYSTEM, now=ctx.clock.now())
    desk.claim(ctx, RAVI, lost.id)
    chosen = [str(item.id) for item in (mine, lost, theirs)] + [str(new_id())]

    asked = rita.get("/review/together", params={"item": chosen})
    form = hidden(asked.text) | {f"item-{one}": "0" * 64 for one in chosen[1:]}
    done = rita.post("/review/together", data=form)

    for page in (asked, done):
        assert (page.status_code, "form-2" in page.text, "secret-1" in page.text) == (200, True, False)
    assert done.text.count("<small>There is no such thing") == 2
