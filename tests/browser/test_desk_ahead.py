"""What the desk does before and behind the case that is shown, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from governance.actors import Actor
from routing.views import service as views
from routing.views.schemas import ViewIn
from tests.browser.conftest import Site, Visit
from tests.browser.looking import (
    every_promise_is_kept,
    expect_case,
    held_ahead,
    rulings,
    settled,
    states,
    stored,
    swipe,
    wait_for,
)
from tests.browser.test_looks import findings
from tests.integration.review_ui import house

pytestmark = pytest.mark.browser


def all_ahead(site: Site, desk: Page) -> None:
    """The three cases after this one are held for this person, and in the page."""
    expect(desk.locator("body")).to_have_attribute("data-following", "3")
    assert held_ahead(site, "rita") == ["form-2", "form-3", "form-4"]


def test_the_next_case_is_shown_before_the_ruling_is_stored_and_the_ruling_follows(site: Site, desk: Page) -> None:
    all_ahead(site, desk)
    settled(desk)
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    desk.route("**/rule", keep)

    desk.keyboard.press("a")
    expect_case(desk, "form-2")
    assert rulings(site) == []
    expect(desk.locator(".toast")).not_to_be_visible()

    wait_for(desk, lambda: bool(held))
    held[0].continue_()
    stored(desk)
    assert states(site)["form-1"] == "approved"


def test_what_could_not_be_sent_comes_back_with_its_draft_and_is_sent_again(site: Site, desk: Page) -> None:
    all_ahead(site, desk)
    settled(desk)
    desk.keyboard.press("r")
    desk.fill("#note", "page 2 is missing")
    desk.route("**/rule", lambda route: route.abort())
    desk.click("[data-reason='2']")

    expect(desk.locator("[data-offline]")).to_be_visible()
    expect_case(desk, "form-1")
    assert desk.locator("#note").input_value() == "page 2 is missing"
    assert rulings(site) == []

    desk.unroute("**/rule")
    desk.click("[data-try-again]")
    expect_case(desk, "form-2")
    stored(desk)
    assert [(one.reason_code, one.note) for one in rulings(site)] == [("unreadable", "page 2 is missing")]


def test_cases_that_end_while_they_are_shown_are_told_of_and_the_desk_goes_on(site: Site, desk: Page) -> None:
    all_ahead(site, desk)
    house.case(site.ctx, "form-2", attempt=2, output={"digit": 5})
    settled(desk)

    desk.keyboard.press("a")

    expect_case(desk, "form-3")
    expect(desk.locator(".toast > span")).to_have_text(
        "Approved. 5 left. The review of case form-2 has ended: superseded."
    )
    house.case(site.ctx, "form-3", attempt=2, output={"digit": 5})
    settled(desk)
    desk.locator("#out-1").fill("3")
    desk.keyboard.press("Control+Enter")
    expect_case(desk, "form-4")
    told = "The review of case form-3 has ended: superseded. Nothing was recorded. What you typed there is kept"
    expect(desk.locator(".toast > span")).to_contain_text(told)
    assert [one.ruling for one in rulings(site)] == ["approve"]
    settled(desk)
    desk.keyboard.press("x")
    wait_for(desk, lambda: states(site)["form-4"] == "escalated")


def test_a_ruling_whose_answer_was_lost_is_sent_again_and_recorded_once(site: Site, desk: Page) -> None:
    settled(desk)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    desk.route("**/rule", lose)
    desk.keyboard.press("a")
    expect(desk.locator("[data-offline-words]")).to_have_text(
        "No answer came. Try again: what arrived is recorded once."
    )
    desk.unroute("**/rule")

    desk.click("[data-try-again]")

    expect_case(desk, "form-2")
    assert [one.ruling for one in rulings(site)] == ["approve"]


def test_a_ruling_is_undone_by_one_key_and_the_case_is_back(site: Site, desk: Page) -> None:
    all_ahead(site, desk)
    settled(desk)
    desk.keyboard.press("a")
    stored(desk)

    desk.keyboard.press("u")

    expect_case(desk, "form-1")
    expect(desk.locator(".dock-note")).to_have_text("Undone. The agent was not told.")
    assert states(site)["form-1"] == "waiting"
    settled(desk)
    assert findings(desk) == []
    desk.keyboard.press("x")
    expect_case(desk, "form-2")
    stored(desk)
    assert [one.ruling for one in rulings(site) if one.undone_at is None] == ["escalate"]

    desk.keyboard.press("z")

    expect_case(desk, "form-1")
    assert [one.ruling for one in rulings(site) if one.undone_at is None] == []


def test_undo_outlives_a_reload_of_the_page(site: Site, desk: Page) -> None:
    settled(desk)
    desk.keyboard.press("a")
    stored(desk)
    desk.reload()

    desk.locator(".dock [data-cmd=undo]").click()

    expect_case(desk, "form-1")
    assert states(site)["form-1"] == "waiting"


def test_who_leaves_the_page_gives_back_what_they_never_saw(site: Site, desk: Page) -> None:
    all_ahead(site, desk)

    desk.goto("/agents")

    wait_for(desk, lambda: held_ahead(site, "rita") == [])


def test_the_palette_finds_a_command_by_its_words_and_tells_its_key(site: Site, desk: Page) -> None:
    desk.keyboard.press("Control+k")
    desk.keyboard.type("give")
    expect(desk.locator("#palette").get_by_role("option")).to_have_count(1)
    expect(desk.locator("#palette").get_by_role("option")).to_have_text("Give backS")

    desk.keyboard.press("Enter")

    expect_case(desk, "form-2")
    assert states(site)["form-1"] == "waiting"


def test_two_keys_go_to_the_queue_where_j_and_k_go_from_case_to_case_and_the_desk_goes_on_in_the_view(
    site: Site, desk: Page
) -> None:
    rita, now = Actor("rita", "person", frozenset({"reviewer"})), site.ctx.clock.now()
    with site.ctx.db.begin() as session:
        views.save(session, "Digits on paper", ViewIn(agent="digits", segment="paper"), by=rita, now=now)
        views.save(session, "Late ones", ViewIn(late=True), by=rita, now=now)
    desk.keyboard.press("g")
    desk.keyboard.press("q")
    desk.wait_for_url("**/review/queue")
    desk.keyboard.press("Control+k")
    desk.keyboard.type("late ones")
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/review/queue?late=1")
    expect(desk.locator("[data-view] kbd")).to_have_text(["1", "2"])
    desk.keyboard.press("?")
    assert {"Open a saved view", "Next case in the list"} < set(every_promise_is_kept(desk))
    desk.keyboard.press("Escape")
    desk.keyboard.press("1")
    desk.wait_for_url("**/review/queue?agent=digits&segment=paper")
    for key in ("j", "j", "j", "k"):
        desk.keyboard.press(key)
    expect(desk.locator("tr[data-current] th")).to_have_text("form-2")

    desk.keyboard.press("/")
    desk.keyboard.type("form-5")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("button", name="Claim form-5")).to_be_focused()
    desk.keyboard.press("Enter")

    expect_case(desk, "form-5")
    expect(desk.locator("body")).to_have_attribute("data-following", re.compile("[1-9]"))
    expect(desk.locator("[data-region=status]")).to_contain_text("digits, paper")  # the script's, not the page's own
    for key, address in (("a", "**/agents"), ("r", "**/review")):
        desk.keyboard.press("g")
        desk.keyboard.press(key)
        desk.wait_for_url(address)


def test_a_new_case_is_counted_without_a_reload_one_that_is_urgent_too_and_the_day_is_the_readers(
    site: Site, desk: Page
) -> None:
    expect(desk.locator("[data-left]")).to_have_text("6")
    expect(desk.locator("[data-urgent]")).not_to_be_visible()

    house.case(site.ctx, "form-7", risk="high")

    expect(desk.locator("[data-left]")).to_have_text("7")
    expect(desk.locator(".topnav [data-count]")).to_have_text("7")
    expect(desk.locator("[data-urgent]")).to_contain_text("1 before all others")
    desk.evaluate("""() => {
        document.querySelector("[data-region=status]").id = "before";
        dispatchEvent(new Event("online"));  // a sign of life: its answer has a status line of its own
    }""")
    expect(desk.locator("#before")).to_have_count(0)
    expect(desk.locator("[data-urgent]")).to_contain_text("1 before all others")
    assert "phasegate_zone" in {cookie["name"] for cookie in desk.context.cookies()}


def test_long_evidence_opens_approving_later_and_a_risky_case_only_when_all_of_it_was_seen(
    site: Site, visit: Visit
) -> None:
    house.people(site.ctx)
    photo = {"path": "/photo", "label": "Photo", "show": "image", "sensitive": True}
    house.agent(site.ctx, settings=house.DIGITS | {"fields": {"input": [photo]}})
    house.case(site.ctx, "form-1", risk="high", input={"letter": "Dear Sir or Madam, " * 80, "photo": house.DIGIT})
    page = visit("rita")
    page.goto("/review")
    page.click("#next button")
    expect_case(page, "form-1")
    one, other = (document.bounding_box() for document in page.locator(".beside > .shown").all())
    assert one is not None and other is not None  # noqa: PT018 - for the types
    assert one["y"] == other["y"]
    assert one["x"] + one["width"] < other["x"], "documents stand side by side"
    blurred, clear = ("filter", re.compile("blur")), ("filter", "none")
    expect(page.get_by_alt_text("Photo")).to_have_css(*blurred)
    page.keyboard.press("b")
    expect(page.get_by_alt_text("Photo")).to_have_css(*clear)
    page.reload()
    expect(page.get_by_alt_text("Photo")).to_have_css(*clear)
    page.get_by_text("Blur Photo again").click()
    expect(page.get_by_alt_text("Photo")).to_have_css(*blurred)
    settled(page)

    page.keyboard.press("a")
    expect(page.locator(".dock-note")).to_have_text(re.compile(r"Approve opens 3\.\d s after .* Nothing was recorded"))

    page.wait_for_selector("[data-cmd=approve]:not([aria-disabled])")
    page.keyboard.press("a")
    expect(page.locator(".dock-note")).to_have_text(re.compile("first: its risk is high. Nothing was recorded."))
    assert rulings(site) == []

    page.locator("[data-end]").first.scroll_into_view_if_needed()
    page.locator(".long").first.evaluate("(part) => part.scrollTo(0, part.scrollHeight)")
    page.keyboard.press("v")
    page.keyboard.press("a")
    expect(page.locator(".dock-note")).to_have_text(re.compile("Show “Photo” first: its risk is high"))
    page.keyboard.press("b")
    page.keyboard.press("a")
    stored(page)
    assert [one.ruling for one in rulings(site)] == ["approve"]


def test_on_a_phone_a_warning_moves_nothing_all_is_large_enough_and_a_swipe_approves_or_asks_why(
    site: Site, desk: Page
) -> None:
    desk.set_viewport_size({"width": 390, "height": 844})
    settled(desk)
    moved = """() => {
        const top = () => document.querySelector("#case-h").getBoundingClientRect().top, before = top();
        document.querySelector("[data-lease-warning]").hidden = false;
        return top() - before;
    }"""
    assert desk.evaluate(moved) == 0
    evidence, output, dock = (
        desk.locator(part).bounding_box() for part in (".pane >> nth=0", ".pane >> nth=1", ".dock")
    )
    assert evidence is not None and output is not None and dock is not None  # noqa: PT018 - for the types
    assert evidence["y"] + evidence["height"] <= output["y"], "one below the other"
    assert dock["y"] + dock["height"] == 844, "and the keys in view"
    small = """() => [...document.querySelectorAll("button, summary, select, textarea, [role=tab], .topbar a")]
        .concat([...document.querySelectorAll("input:not([type=hidden])")])
        .filter((part) => part.checkVisibility())
        .map((part) => [part.outerHTML.slice(0, 100), part.getBoundingClientRect()])
        .filter(([, { width, height }]) => Math.min(width, height) < 44)
        .map(([words, { width, height }]) => `${words}: ${width} x ${height}`)"""
    desk.get_by_role("button", name="Reject").click()
    assert desk.evaluate(small) == []
    desk.keyboard.press("Escape")

    swipe(desk, right=-120)
    expect(desk.locator(".reasons")).to_be_visible()
    desk.keyboard.press("Escape")
    swipe(desk, right=30, down=-200)  # that scrolls
    assert desk.evaluate("scrollY") > 0
    expect(desk.locator(".reasons")).not_to_be_visible()
    expect_case(desk, "form-1")
    desk.evaluate("scrollTo(0, 0)")
    swipe(desk, right=120)

    expect_case(desk, "form-2")
    stored(desk)
    assert [one.ruling for one in rulings(site)] == ["approve"]
