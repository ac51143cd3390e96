"""What was typed and is not stored yet, in a real browser: it outlives what happens, and signing out removes it."""

import re

import pytest
from playwright.sync_api import Page, expect

from routing.reviews.dealing import queries as dealing
from tests.browser.conftest import SAID, Site
from tests.browser.looking import drafts, expect_case, rulings, settled, stored
from tests.browser.test_looks import findings
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser


def test_without_a_connection_nothing_is_ruled_and_a_draft_survives_a_reload_until_one_signs_out(
    site: Site, desk: Page
) -> None:
    settled(desk)
    desk.locator("#out-1").fill("4")
    desk.context.set_offline(True)
    desk.keyboard.press("Control+Enter")
    expect(desk.locator("[data-offline]")).to_be_visible()
    assert findings(desk) == []
    assert rulings(site) == []

    desk.context.set_offline(False)
    desk.reload()

    assert desk.locator("#out-1").input_value() == "4"
    settled(desk)
    desk.locator("[data-cmd=approve]").click()
    expect_case(desk, "form-2")
    assert rulings(site)[0].output == SAID | {"digit": 4}

    desk.locator("#out-1").fill("5")
    assert len(drafts(desk)) == 1
    desk.goto("/agents")
    assert len(drafts(desk)) == 1
    desk.get_by_role("button", name="Sign out").click()
    desk.wait_for_url("**/sign-in")
    assert drafts(desk) == []
    with site.ctx.db.read() as session:
        assert dealing.held_at_all(session, "rita", site.ctx.clock.now()) == (None, []), "all of it was given back"


def test_what_was_typed_before_a_case_changed_is_shown_with_the_case_as_it_is_now(site: Site, desk: Page) -> None:
    settled(desk)
    desk.get_by_label("Digit").fill("4")
    desk.get_by_label("Legible").select_option("no")
    house.case(site.ctx, "form-1", attempt=2, output={"digit": 1, "legible": False})

    desk.keyboard.press("Control+Enter")

    expect_case(desk, "form-2")
    told = "The review of case form-1 has ended: superseded. Nothing was recorded. What you typed there is kept"
    expect(desk.locator(".toast > span")).to_contain_text(told)
    assert rulings(site) == []

    desk.goto("/review/queue")
    desk.get_by_role("button", name="Claim form-1").click()
    expect_case(desk, "form-1")
    expect(desk.get_by_label("Digit")).to_have_value("1")
    earlier = desk.get_by_role("region", name="What you had typed before the case changed")
    expect(earlier.locator("dl")).to_have_text(re.compile(r"^\s*Digit\s*4\s*$"))
    assert findings(desk) == []
    earlier.get_by_role("button", name="Put it into the fields").click()
    expect(desk.get_by_label("Digit")).to_be_focused()
    expect(earlier).not_to_be_visible()
    settled(desk)
    desk.keyboard.press("Control+Enter")

    stored(desk)
    assert [one.output for one in rulings(site)] == [{"digit": 4, "legible": False}]
    assert drafts(desk) == []
