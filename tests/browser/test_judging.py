"""Saying who was right in a real browser: with the keyboard alone, and on a phone in the dark."""

import pytest
from playwright.sync_api import Route, expect
from sqlalchemy import select

from rollout.domain.phase import Phase
from routing import tasks
from routing.judgements.tables import Judgement
from tests import factories
from tests.browser.conftest import Site, Visit
from tests.browser.looking import expect_case, wait_for
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser

AT_ONCE = {"least_seconds": 0.0, "seconds_per_1000_characters": 0.0}
ALL = {"blind_share": 0.0, "judged_differing_share": 1.0, "judged_same_share": 1.0}


def both(site: Site, case_id: str, done: int) -> None:
    house.case(site.ctx, case_id)
    factories.human_output(site.ctx, case_id, {"digit": done}, agent="digits", person="paul")
    tasks.settle(site.ctx)


def judgements(site: Site) -> list[Judgement]:
    with site.ctx.db.read() as session:
        return list(session.scalars(select(Judgement).order_by(Judgement.asked_at)))


def test_somebody_says_who_was_right_without_knowing_whose_output_is_whose(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.DIGITS | {"supervision": ALL, "desk": AT_ONCE}, phase=Phase.SHADOW)
    both(site, "form-1", 1)
    both(site, "form-2", 1)
    both(site, "form-3", 1)

    page = visit("rita")
    page.goto("/review")
    page.keyboard.press("Enter")
    expect_case(page, "form-1")
    assert "paul" not in page.content()
    assert "1.9.0" not in page.content()
    expect(page.get_by_text("Differs")).to_have_count(1)
    assert findings(page) == []
    page.keyboard.press("a")  # nothing here is approved
    expect(page.locator(".dock-note")).to_contain_text("1 to 4")
    page.keyboard.press("1")
    expect_case(page, "form-2")

    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    assert [*findings(page), *sideways(page)] == []
    page.get_by_text("What would have been right").click()
    page.get_by_label("Digit").last.fill("70")
    expect(page.locator("body")).to_have_attribute("data-following", "1")
    sent: list[Route] = []

    def keep(route: Route) -> None:
        sent.append(route)

    page.route("**/judge", keep)
    page.get_by_role("button", name="Neither is").click()
    wait_for(page, lambda: bool(sent))
    expect_case(page, "form-2")  # what was written may not fit, so no other case comes before the answer
    sent[0].continue_()
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was stored")
    page.unroute("**/judge")
    page.get_by_label("Digit").last.fill("3")
    page.get_by_role("button", name="Neither is").click()
    expect_case(page, "form-3")

    lead = visit(house.OWNER)
    lead.goto("/agents/digits/people#judged")
    expect(lead.get_by_role("heading", name="Agent and people on the same cases")).to_be_visible()
    assert findings(lead) == []

    first, second, _ = judgements(site)
    assert (first.said, second.said) == ("A", "neither")
    assert (first.agent_right, first.person_right) == (first.agent_is == "A", first.agent_is == "B")
