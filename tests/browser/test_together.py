"""Several cases ruled on at once: chosen in the queue by key, mouse and touch, confirmed, and undone one by one."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from governance.actors import Actor
from kit.clock import FixedClock
from tests.browser.conftest import Site, Visit
from tests.browser.looking import rulings, states
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house
from tests.integration.routing import desk

pytestmark = pytest.mark.browser
RITA = Actor("rita", "person", frozenset({"reviewer"}))


@pytest.fixture
def queue(site: Site) -> None:
    """Seven cases that Rita had before her: five of one output, form-4 of another, form-7 with a high risk."""
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.DIGITS | {"undo_seconds": 60})
    clock = site.ctx.clock
    assert isinstance(clock, FixedClock)
    for number in range(1, 9):
        more = {"output": {"digit": 3}} if number == 4 else {"risk": "high"} if number == 7 else {}
        item = desk.item_of(site.ctx, house.case(site.ctx, f"form-{number}", **more).decision.id)
        if number < 8:
            desk.claim(site.ctx, RITA, item.id)
            clock.move(timedelta(seconds=30))
            desk.release(site.ctx, RITA, item)


def chosen(page: Page) -> list[str]:
    return [one.split("\t")[1] for one in page.locator("tr:has(.pick :checked)").all_inner_texts()]


@pytest.mark.usefixtures("queue")
def test_a_range_is_chosen_by_keys_confirmed_on_a_page_and_undone_one_by_one(site: Site, visit: Visit) -> None:
    page = visit("rita")
    page.goto("/review/queue")

    page.keyboard.press("x")
    for _ in range(5):
        page.keyboard.press("Shift+J")
    assert chosen(page) == ["form-1", "form-2", "form-3", "form-5", "form-6"]
    page.keyboard.press("x")
    assert chosen(page) == ["form-1", "form-2", "form-3", "form-5"]
    page.keyboard.press("Shift+K")
    expect(page.locator("tr[data-current] th")).to_have_text("form-5")
    assert chosen(page) == ["form-1", "form-2", "form-3", "form-5", "form-6"]
    page.get_by_role("button", name="Approve together").click()
    expect(page.get_by_role("heading", name="5 cases")).to_be_visible()
    assert rulings(site) == []
    page.get_by_role("button", name="Approve 5 cases").click()

    expect(page.get_by_role("heading", name="5 cases approved")).to_be_visible()
    assert [ruling.bulk for ruling in rulings(site)] == [True] * 5
    page.get_by_role("button", name="Undo form-3").click()
    expect(page.get_by_role("heading", name="4 cases approved")).to_be_visible()
    expect(page.get_by_role("row", name="form-3")).to_contain_text("Taken back")
    expect(page.get_by_role("row", name="form-2")).to_contain_text("undo until")
    assert states(site)["form-3"] == "waiting"
    assert states(site)["form-2"] == "approved"


@pytest.mark.usefixtures("queue")
def test_a_click_with_shift_chooses_all_between_that_are_alike(visit: Visit) -> None:
    page = visit("rita")
    page.goto("/review/queue")
    boxes = page.locator(".pick input")
    assert boxes.count() == 6  # neither the risky one nor the one that was not opened

    boxes.nth(0).click()
    boxes.nth(5).click(modifiers=["Shift"])

    assert chosen(page) == ["form-1", "form-2", "form-3", "form-5", "form-6"]
    expect(boxes.nth(3)).to_be_disabled()  # form-4
    page.get_by_role("button", name="Choose none").click()
    expect(boxes.nth(3)).to_be_enabled()


@pytest.mark.usefixtures("queue")
def test_the_pages_can_be_read_by_everybody_and_used_on_a_phone(visit: Visit) -> None:
    page = visit("rita", width=390, scheme="dark")
    page.goto("/review/queue")
    page.locator(".pick label").nth(0).click()
    page.locator(".pick label").nth(1).click()
    found = findings(page) + sideways(page)
    page.get_by_role("button", name="Approve together").click()
    found += findings(page) + sideways(page)
    page.get_by_role("button", name="Approve 2 cases").click()
    expect(page.get_by_role("heading", name="2 cases approved")).to_be_visible()
    found += findings(page) + sideways(page)
    page.goto("/review/together")
    found += findings(page) + sideways(page)

    assert not found, "\n".join(found)
