"""Giving and taking autonomy in a real browser."""

import pytest
from playwright.sync_api import expect

from rollout.versions import queries
from tests.browser.conftest import Site, Visit
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser


def phase(site: Site) -> str:
    with site.ctx.db.read() as session:
        return queries.get_rollout(session, "digits", "1.9.0").phase


def test_two_people_sign_in_their_dialogs_and_the_version_advances(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx)
    house.ready_to_advance(site.ctx)
    for login in (house.OWNER, house.SECOND):
        page = visit(login)
        page.click("text=Read and sign")
        page.click("[data-open=do-sign]")
        page.check("#do-sign input[type=checkbox]")
        page.click("#do-sign button:has-text('Sign')")
        expect(page.locator(".toast")).to_contain_text("Signed.")

    assert phase(site) == "confidence"


def test_demoting_takes_a_dialog_and_a_reason(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx)
    page = visit(house.OWNER)
    page.goto("/agents/digits")
    page.click("[data-open=do-demote]")
    page.click("#do-demote button:has-text('Demote')")
    assert phase(site) == "supervised"

    page.fill("#do-demote textarea", "wrong on faxes")
    page.click("#do-demote button:has-text('Demote')")

    expect(page.locator(".toast")).to_contain_text("Demoted to Shadow. In force in the only web process")
    assert phase(site) == "shadow"


def test_the_chosen_theme_stays_and_times_are_in_the_readers_zone(site: Site, visit: Visit) -> None:
    house.furnish(site.ctx)
    page = visit(house.OWNER)
    page.click("[data-theme-set=dark]")
    page.goto("/agents/digits")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert "UTC" not in page.locator("#advance").inner_text()
