"""The blind arm in a real browser: answer, look, rule; with the keyboard alone."""

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from routing.supervision.tables import BlindAnswer
from tests.browser.conftest import Site, Visit
from tests.browser.looking import drafts, states, wait_for
from tests.browser.test_looks import findings
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
    expect(desk.locator("body")).to_have_attribute("data-following", "1")
    for key in ("r", "x", "u"):
        desk.keyboard.press(key)
    expect(desk.locator("#case-h")).to_have_text("form-1")
    desk.wait_for_timeout(DWELL)
    assert findings(desk) == []
    desk.evaluate(
        """() => {
            window.shown = [];
            const look = () => window.shown.push(document.querySelector("#case-h")?.textContent);
            const all = { childList: true, subtree: true, characterData: true };
            new MutationObserver(look).observe(document.querySelector("main"), all);
        }"""
    )

    desk.keyboard.press("e")
    expect(desk.get_by_label("Digit", exact=True)).to_be_focused()
    desk.keyboard.type("1")
    assert len(drafts(desk)) == 1
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    desk.route("**/answer", keep)
    desk.keyboard.press("Control+Enter")
    wait_for(desk, lambda: bool(held))
    desk.keyboard.press("Control+Enter")  # keys rest until the answer is stored
    held[0].continue_()

    expect(desk.get_by_role("heading", name="You and the agent")).to_be_visible()
    expect(desk.locator("#case-h")).to_have_text("form-1")
    assert "Hartmann" in desk.content()
    assert set(desk.evaluate("window.shown")) == {"form-1"}, "another case came in between"
    assert len(held) == 1
    assert drafts(desk) == []
    with site.ctx.db.read() as session:
        assert session.scalars(select(BlindAnswer)).one().output == {"digit": 1}

    desk.wait_for_timeout(3 * DWELL)
    assert findings(desk) == []
    desk.keyboard.press("r")
    desk.keyboard.press("1")

    expect(desk.locator("#case-h")).to_have_text("form-2")
    expect(desk.get_by_role("heading", name="Your answer first")).to_be_visible()
    assert "Hartmann" not in desk.locator("main").inner_html()
    wait_for(desk, lambda: states(site) == {"form-1": "rejected", "form-2": "waiting"})


def test_an_answer_that_does_not_fit_is_refused_in_its_place_and_survives_a_reload(desk: Page) -> None:
    desk.wait_for_timeout(DWELL)
    desk.get_by_label("Digit", exact=True).fill("12")
    desk.get_by_role("button", name="Store my answer").click()

    expect(desk.get_by_role("alert").filter(has_text="Nothing was stored")).to_be_visible()
    expect(desk.get_by_label("Digit", exact=True)).to_have_value("12")
    assert "Hartmann" not in desk.content()

    desk.reload()
    expect(desk.get_by_label("Digit", exact=True)).to_have_value("12")
