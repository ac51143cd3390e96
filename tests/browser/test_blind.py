"""The blind arm in a real browser: answer, look, rule; with the keyboard alone."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from routing.reviews.tables import ReviewItem
from routing.supervision.tables import BlindAnswer
from tests.browser.conftest import Site, Visit
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser

DWELL = 900  # ms; ruling opens after 800


@pytest.fixture
def desk(site: Site, visit: Visit) -> Page:
    """A reviewer with the first of two cases of the blind arm on the desk."""
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.DIGITS | {"supervision": {"blind_share": 1.0}})
    for number in (1, 2):
        house.case(site.ctx, f"form-{number}", output={"digit": 7, "remark": "Hartmann"})
    page = visit("rita")
    page.goto("/review")
    page.keyboard.press("Enter")
    expect(page.locator("#case-h")).to_have_text("form-1")
    return page


def test_the_answer_is_typed_and_stored_with_the_keyboard_and_then_the_output_is_ruled_on(
    site: Site, desk: Page
) -> None:
    expect(desk.get_by_role("heading", name="Your answer first")).to_be_visible()
    assert "Hartmann" not in desk.content()
    for key in ("r", "x", "e", "u"):
        desk.keyboard.press(key)
    expect(desk.locator("#case-h")).to_have_text("form-1")
    desk.wait_for_timeout(DWELL)

    desk.get_by_label("Digit", exact=True).fill("1")
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_role("heading", name="You and the agent")).to_be_visible()
    expect(desk.locator("#case-h")).to_have_text("form-1")
    assert "Hartmann" in desk.content()
    with site.ctx.db.read() as session:
        assert session.scalars(select(BlindAnswer)).one().output == {"digit": 1}

    desk.wait_for_timeout(3 * DWELL)
    desk.keyboard.press("r")
    desk.keyboard.press("1")

    expect(desk.locator("#case-h")).to_have_text("form-2")
    expect(desk.get_by_role("heading", name="Your answer first")).to_be_visible()
    assert "Hartmann" not in desk.locator("main").inner_html()
    with site.ctx.db.read() as session:
        states = session.scalars(select(ReviewItem.state).order_by(ReviewItem.id)).all()
    assert sorted(states) == ["rejected", "waiting"]


def test_an_answer_that_does_not_fit_is_refused_in_its_place(desk: Page) -> None:
    desk.wait_for_timeout(DWELL)
    desk.get_by_label("Digit", exact=True).fill("12")
    desk.get_by_role("button", name="Store my answer").click()

    expect(desk.get_by_role("alert").filter(has_text="Nothing was stored")).to_be_visible()
    expect(desk.get_by_label("Digit", exact=True)).to_have_value("12")
    assert "Hartmann" not in desk.content()
