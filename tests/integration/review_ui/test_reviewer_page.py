"""A reviewer's own page: what it teaches while there is nothing to tell, what it tells, and whom."""

from datetime import timedelta

import pytest

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from rollout.reviewers.tables import GoldAnswer
from routing.cases.tables import Label
from routing.reviews.tables import ReviewItem
from tests.integration.review_ui import house
from tests.integration.routing import desk


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def read(ctx: Context, login: str, address: str = "/review/me", status: int = 200) -> str:
    with house.client(ctx, login) as client:
        answer = client.get(address)
    assert answer.status_code == status, answer.text
    return " ".join(answer.text.replace("\xa0", " ").replace("&nbsp;", " ").split())


def ruled(ctx: Context, case_id: str, seconds: float) -> ReviewItem:
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    stored = house.case(ctx, case_id)
    item = desk.claim(ctx, RITA, desk.item_of(ctx, stored.decision.id).id)
    clock.move(timedelta(seconds=seconds))
    desk.rule(ctx, RITA, item)
    clock.move(timedelta(days=1))
    return item


RITA = Actor("rita", "person", frozenset({"reviewer"}))


def test_every_part_teaches_what_it_needs(ctx: Context) -> None:
    page = read(ctx, "rita")

    assert "No ruling in the last 90 days." in page
    assert "no gold case was answered" in page
    assert "With 50 that hold an error it can be said how many errors are found." in page
    assert "Nothing that was ruled in this period was overturned" in page
    assert "nobody else gave a verdict on an output" in page
    assert "No ruling was timed in this period." in page
    assert "0.0 %" not in page


def test_what_was_missed_is_told_with_its_reason(ctx: Context) -> None:
    item = ruled(ctx, "form-7", 30.0)
    ruled(ctx, "form-8", 150.0)
    with ctx.db.begin() as session:
        failure = Label(
            decision_id=item.decision_id, verdict="override", severity="severe", source="failure", source_id=new_id(),
            person="emil", note="Paid <twice>.", at=ctx.clock.now(),
        )  # fmt: skip
        session.add(failure)
        for number, said in enumerate(("wrong", "wrong", "right")):
            session.add(
                GoldAnswer(
                    agent="digits", reviewer="rita", case_id=f"gold-{number}", output_is="wrong", said=said,
                    at=ctx.clock.now(), recorded_by="emil",
                )
            )  # fmt: skip
    link = f"/review/past/{item.id}"

    page = read(ctx, "rita", "/review/me?days=28")

    assert "2 rulings in the last 28 days: 2 approved." in page
    assert (
        "Of 3 gold cases with an error, 2 were found: between 9.4 % and 99.2 % of all such errors, 95 % sure." in page
    )
    assert f'<a href="{link}">form-7</a>' in page
    assert "Paid &lt;twice&gt;." in page
    assert "gold-2" in page
    assert "gold-1<" not in page
    assert '<td class="num">30 s</td>' in page
    assert '<td class="num">2.5 min</td>' in page


def test_who_answers_for_people_sees_it_without_the_pace_and_colleagues_do_not(ctx: Context) -> None:
    ruled(ctx, "form-7", 30.0)

    page = read(ctx, house.SECOND, "/team/rita")

    assert "Reviewing of Rita" in page
    assert "1 ruling in the last 90 days" in page
    assert "30 s" not in page
    assert "pace-t" not in page
    read(ctx, "ravi", "/team/rita", status=403)
