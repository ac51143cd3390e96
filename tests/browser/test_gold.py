"""A gold case in a real browser: like any other while it is on the desk, and told of afterwards."""

import pytest
from playwright.sync_api import expect

from governance.actors import SYSTEM
from rollout.reviewers.schemas import Said
from routing import snapshot
from routing.gold import service as gold
from routing.gold.schemas import GoldCaseIn
from tests.browser.conftest import Site, Visit
from tests.browser.looking import settled, stored
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser


def pool(site: Site) -> None:
    """One right, one wrong; before every case goes one."""
    house.people(site.ctx)
    supervision = {"blind_share": 0.0, "gold_share": 0.5}
    house.agent(site.ctx, settings=house.DIGITS | {"supervision": supervision, "undo_seconds": 0})
    shown = {"image": house.DIGIT, "form": "B-17", "source": "https://example.org/forms/17"}
    with site.ctx.db.begin() as session:
        entry = snapshot.load(session).agents["digits"]
        for number, digit, said in ((90, 0, Said.RIGHT), (91, 6, Said.WRONG)):
            given = GoldCaseIn(
                case_id=f"form-{number}", input=shown, output={"digit": digit}, confidence=0.4, segment="paper",
                output_is=said, correct_output={"digit": 0}, why="The line closes at the top: it is a nought.",
            )  # fmt: skip
            gold.make(session, entry, given, actor=SYSTEM, now=site.ctx.clock.now())
    for number in (11, 12, 13, 14):
        house.case(site.ctx, f"form-{number}")


def test_a_gold_case_is_ruled_on_like_any_other_and_then_told_of(site: Site, visit: Visit) -> None:
    pool(site)
    page = visit("rita")
    page.goto("/review")
    page.keyboard.press("Enter")
    expect(page.locator("#case-h")).to_be_visible()
    shown = page.locator("#case-h").inner_text()
    assert shown not in {"form-11", "form-12", "form-13", "form-14"}
    assert "gold" not in page.locator("main").inner_text().lower()
    settled(page)
    page.wait_for_timeout(1500)

    page.keyboard.press("a")
    stored(page)

    told = page.locator("[data-gold] .banner")
    expect(told).to_contain_text(f"Case {shown} was a gold case")
    told.get_by_role("link", name="See why").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Gold case {shown}")
    expect(page.get_by_text("The line closes at the top")).to_be_visible()
    found = findings(page) + sideways(page)
    page.get_by_role("button", name="Got it").click()
    expect(page.locator("[data-gold] .banner")).to_have_count(0)

    owner = visit(house.OWNER, width=390, scheme="dark")
    owner.goto("/agents/digits/gold")
    expect(owner.get_by_role("heading", name="What reviewers find")).to_be_visible()
    owner.get_by_role("button", name="Retire form-91").click()
    expect(owner.get_by_text("None is dealt before there is")).to_be_visible()
    found += findings(owner) + sideways(owner)
    assert not found, "\n".join(found)
