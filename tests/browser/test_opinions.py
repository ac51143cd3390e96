"""Ruling between two people in a real browser: on a phone in the dark, and with the keyboard alone."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from routing.opinions.tables import SecondOpinion
from tests.browser.conftest import Site, Visit
from tests.browser.looking import expect_case
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house
from tests.integration.review_ui.test_opinions_pages import rules

pytestmark = pytest.mark.browser

DWELL = 2500  # ms; ruling opens when this case can have been read


def test_a_lead_rules_between_two_with_the_keyboard(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.DIGITS | {"supervision": {"blind_share": 0.0, "second_opinion_share": 1.0}})
    house.case(site.ctx, "form-1")
    rules(site.ctx, "rita", ruling="approve", **{"out:/digit": "1"}, note="it is a thin one")
    rules(site.ctx, "ravi", ruling="approve")

    page = visit(house.SECOND, width=390, scheme="dark")
    page.goto("/review")
    page.keyboard.press("Enter")
    expect_case(page, "form-1")
    expect(page.get_by_role("heading", name="Two people said")).to_be_visible()
    expect(page.get_by_role("button", name="Escalate")).to_have_count(0)
    assert [*findings(page), *sideways(page)] == []

    page.wait_for_timeout(DWELL)
    page.keyboard.press("x")  # there is no third line, so the key is dead
    page.keyboard.press("a")
    expect(page.get_by_text("The queue is empty")).to_be_visible()
    with site.ctx.db.read() as session:
        row = session.scalars(select(SecondOpinion)).one()
    assert (row.adjudicator, row.verdict, row.first_right, row.second_right) == (house.SECOND, "agree", False, True)
