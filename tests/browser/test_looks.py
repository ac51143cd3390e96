"""Every page, light and dark, on a laptop and on a phone: nothing found, nothing scrolls sideways."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from governance.actors import Actor
from routing.views import service as views
from routing.views.schemas import ViewIn
from tests.browser.conftest import Site, Visit
from tests.browser.looking import LOOKS
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser


def findings(page: Page) -> list[str]:
    """What the automated check finds against WCAG, and what else is serious; with the place of the first of each."""
    page.wait_for_timeout(150)  # colours that fade in are measured when they stand
    result = Axe().run(page)
    return [
        f"{page.url}: {found['id']}: {found['help']}: {found['nodes'][0]['html'][:160]}"
        for found in result.response["violations"]
        if found["impact"] in {"serious", "critical"} or any(tag.startswith("wcag") for tag in found["tags"])
    ]


def sideways(page: Page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{page.url} scrolls sideways by {wide} px"] if wide > 0 else []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_can_be_read_by_everybody(site: Site, visit: Visit, width: int, scheme: str) -> None:
    house.furnish(site.ctx)
    with site.ctx.db.begin() as session:
        rita = Actor("rita", "person", frozenset({"reviewer"}))
        views.save(session, "On paper", ViewIn(agent="digits", segment="paper"), by=rita, now=site.ctx.clock.now())
    evidence = house.evidence_of(site.ctx, "digits", "1.9.0")
    found: list[str] = []

    def look(page: Page, address: str | None = None) -> None:
        if address is not None:
            page.goto(address)
        found.extend(findings(page) + sideways(page))

    look(visit(None, width=width, scheme=scheme), "/sign-in")
    owner = visit(house.OWNER, width=width, scheme=scheme)
    for address in (
        "/agents",
        "/agents/digits",
        "/agents/digits?version=2.0.0",
        "/agents/claims",
        "/agents/digits/plan",
        "/agents/digits/watch",
        f"/agents/digits/evidence/{evidence}",
        "/agents/digits/do/freeze?version=1.9.0",
        "/teams",
        "/teams/people/rita",
        "/teams/queue?agent=digits",
        "/agents/nobody",
    ):
        look(owner, address)
    owner.goto("/agents/digits")
    owner.click("text=Demote >> nth=0")
    look(owner)

    reviewer = visit("rita", width=width, scheme=scheme)
    look(reviewer, "/review/queue")
    look(reviewer, "/review")
    reviewer.click("#next button")
    reviewer.wait_for_selector("[data-cmd=approve]:not([aria-disabled])")
    look(reviewer)
    reviewer.keyboard.press("r")
    look(reviewer)
    reviewer.keyboard.press("Escape")
    reviewer.fill("#out-1", "12")
    look(reviewer)
    if width > 500:
        reviewer.keyboard.press("Escape")
        reviewer.keyboard.press("?")
        look(reviewer)
        reviewer.keyboard.press("Escape")
        reviewer.keyboard.press("Control+k")
        look(reviewer)
        reviewer.keyboard.press("Escape")
    reviewer.reload()
    reviewer.wait_for_selector("[data-cmd=approve]:not([aria-disabled])")
    reviewer.click(".case [role=tab] >> nth=1")
    reviewer.click("[data-cmd=escalate]")
    reviewer.wait_for_selector(".toast")
    look(reviewer)
    look(reviewer, "/review?agent=claims")
    look(reviewer, "/review/me")
    look(reviewer, "/review/past")
    reviewer.click("main tbody a")
    look(reviewer)

    assert not found, "\n".join(found)
