"""The desk with its keys, in a real browser."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from routing.reviews import service
from tests.browser.conftest import Site, Visit
from tests.browser.looking import (
    every_promise_is_kept,
    expect_case,
    held_ahead,
    held_until,
    outcomes,
    rulings,
    settled,
    states,
    stored,
    wait_for,
)
from tests.browser.test_looks import findings
from tests.integration.review_ui import house
from tests.integration.review_ui.test_asked import ask

pytestmark = pytest.mark.browser


def test_one_key_approves_and_the_next_case_is_there(site: Site, desk: Page) -> None:
    settled(desk)

    desk.keyboard.press("a")

    expect_case(desk, "form-2")
    expect(desk.locator("[role=status] .toast > span")).to_have_text("Approved. 5 left.")
    expect(desk.locator("#case-h")).to_be_focused()
    assert states(site)["form-1"] == "approved"
    assert outcomes(site)["form-1"] is None, "the agent is told when it can no longer be undone"


def test_two_keys_reject_with_a_reason_and_the_same_two_repeat_it(site: Site, desk: Page) -> None:
    settled(desk)
    desk.keyboard.press("r")
    desk.keyboard.press("2")
    expect_case(desk, "form-2")

    settled(desk)
    desk.keyboard.press("r")
    desk.keyboard.press("r")
    expect_case(desk, "form-3")
    expect(desk.locator(".toast > span")).to_have_text("Rejected: not readable. 4 left.")

    assert [(one.ruling, one.reason_code) for one in rulings(site)] == [("reject", "unreadable")] * 2


def test_edits_go_from_field_to_field_show_what_differs_and_are_approved_from_there(site: Site, desk: Page) -> None:
    settled(desk)
    differences = desk.locator(".out-row .diff:visible")
    desk.keyboard.press("e")
    expect(desk.get_by_label("Digit")).to_be_focused()
    desk.get_by_label("Digit").fill("3")
    expect(differences).to_have_text(["Agent said, then you: 73"])
    for label in ("Remark", "Legible"):  # as the agent's settings name them
        desk.keyboard.press("Tab")
        expect(desk.get_by_label(label)).to_be_focused()
    desk.get_by_label("Legible").select_option("no")
    expect(differences).to_have_text(["Agent said, then you: 73", "Agent said, then you: yes no"])
    expect(differences.last.locator("del")).to_have_text("yes")
    expect(desk.locator("[data-cmd=approve] [data-label]")).to_have_text("Approve with 2 edits")

    desk.set_viewport_size({"width": 390, "height": 844})
    high = desk.locator(".dock").bounding_box()
    desk.get_by_label("Digit").fill("7")
    expect(desk.locator("[data-cmd=approve] [data-label]")).to_have_text("Approve with 1 edit")
    assert desk.locator(".dock").bounding_box() == high, "on a phone as well nothing moves by the words on a button"
    desk.get_by_label("Digit").fill("3")

    desk.keyboard.press("Control+Enter")

    expect_case(desk, "form-2")
    assert rulings(site)[0].output == {"digit": 3, "legible": False}


def test_how_a_reason_is_chosen_is_said_with_keys_only_where_there_are_keys(desk: Page) -> None:
    note = desk.locator(".dock-note")
    desk.locator("[data-cmd=reject]").click()
    expect(note).to_have_text("Choose a reason with 1 to 3. Esc closes.")
    desk.keyboard.press("Escape")

    desk.context.new_cdp_session(desk).send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    desk.locator("[data-cmd=reject]").click()

    expect(note).to_have_text("Choose a reason.")


def test_the_warning_that_a_case_goes_back_soon_moves_nothing_nor_does_anything_for_who_asked_for_less_motion(
    desk: Page,
) -> None:
    places = desk.evaluate("""() => {
        const place = (name) => document.querySelector(name).getBoundingClientRect().toJSON();
        const before = [place(".case"), place(".dock")];
        document.querySelector("[data-lease-warning]").hidden = false;
        const after = [place(".case"), place(".dock")], banner = place("[data-lease-warning]");
        document.querySelector("[data-lease-warning]").hidden = true;
        return { before, after, banner };
    }""")

    assert places["banner"]["height"] > 0
    assert places["after"] == places["before"]
    assert places["banner"]["bottom"] <= places["before"][1]["top"] + 1

    longest = """() => Math.max(...[...document.querySelectorAll("*")].flatMap((part) => {
        const { transitionDuration, animationDuration } = getComputedStyle(part);
        return `${transitionDuration}, ${animationDuration}`.split(", ").map(parseFloat);
    }))"""
    assert desk.evaluate(longest) > 0.01

    desk.emulate_media(reduced_motion="reduce")

    assert desk.evaluate(longest) <= 0.001


def test_letters_in_a_field_decide_nothing_and_enter_does_not_either(site: Site, desk: Page) -> None:
    settled(desk)
    desk.locator("#out-2").fill("")
    desk.locator("#out-2").press_sequentially("a rx")
    desk.keyboard.press("Enter")
    desk.wait_for_timeout(300)

    expect_case(desk, "form-1")
    assert desk.locator("#out-2").input_value() == "a rx"
    assert rulings(site) == []


def test_escape_restores_what_the_agent_said(desk: Page) -> None:
    desk.locator("#out-1").fill("3")

    desk.keyboard.press("Escape")

    assert desk.locator("#out-1").input_value() == "7"
    expect(desk.locator("[data-cmd=approve] [data-label]")).to_have_text("Approve")


def test_an_edit_that_does_not_fit_comes_back_with_the_reason_in_the_field(site: Site, desk: Page) -> None:
    settled(desk)
    desk.locator("#out-1").fill("eleven")

    desk.keyboard.press("Control+Enter")

    expect(desk.locator("#out-1-e")).to_contain_text("It is not a number. Write 12480.24")
    expect(desk.locator("#out-1")).to_be_focused()
    assert desk.locator("#out-1").input_value() == "eleven"
    assert rulings(site) == []


def test_one_key_escalates(site: Site, desk: Page) -> None:
    settled(desk)

    desk.keyboard.press("x")

    expect_case(desk, "form-2")
    stored(desk)
    assert [one.ruling for one in rulings(site)] == ["escalate"]


def test_one_key_gives_back_and_takes_another(site: Site, desk: Page) -> None:
    desk.keyboard.press("s")

    expect_case(desk, "form-2")
    wait_for(desk, lambda: held_ahead(site, "rita") == ["form-3", "form-4", "form-5"])
    assert rulings(site) == []


def test_an_early_press_records_nothing_and_says_so(site: Site, desk: Page) -> None:
    settled(desk)
    desk.keyboard.press("a")
    expect_case(desk, "form-2")

    desk.keyboard.press("a")

    expect(desk.locator(".dock-note")).to_contain_text("Nothing was recorded")
    stored(desk)
    assert len(rulings(site)) == 1


def test_a_key_that_is_held_down_does_not_approve(site: Site, desk: Page) -> None:
    settled(desk)
    desk.keyboard.down("a")
    for _ in range(60):
        desk.keyboard.down("a")  # the browser marks these as repeats
        desk.wait_for_timeout(40)
    desk.keyboard.up("a")

    expect_case(desk, "form-2")
    stored(desk)
    assert len(rulings(site)) == 1


def test_keys_rest_with_another_modifier_and_in_a_dialog(site: Site, desk: Page) -> None:
    settled(desk)
    desk.keyboard.press("Control+a")
    desk.keyboard.press("Alt+a")
    desk.keyboard.press("Shift+a")
    desk.keyboard.press("g")
    desk.keyboard.press("x")  # no second key of G, and not its own any more
    desk.keyboard.press("?")
    expect(desk.locator("#keys")).to_be_visible()
    desk.keyboard.press("a")
    desk.wait_for_timeout(300)

    assert rulings(site) == []


def test_what_a_graph_asks_is_answered_in_the_tools_place_from_the_field(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.AT_ONCE)
    ask(site.ctx, "respond")
    page = visit("rita")
    page.goto("/review")
    page.click("#next button")
    expect_case(page, "interrupt:i-1:0")
    settled(page)
    page.keyboard.press("a")
    page.keyboard.press("e")
    page.keyboard.type("Ask her first.")

    page.keyboard.press("Control+Enter")

    expect(page.locator(".toast > span")).to_contain_text("Answered in the tool's place.")
    assert [(one.ruling, one.output) for one in rulings(site)] == [("edit", {"respond": "Ask her first."})]


def test_every_key_on_a_button_and_in_the_sheet_has_a_handler(desk: Page) -> None:
    desk.keyboard.press("?")
    shown = set(desk.locator("[data-cmd] kbd").all_inner_texts())

    assert shown == {"A", "E", "R", "X", "S", "U", "?", "Ctrl", "K"}
    every_promise_is_kept(desk)


def test_evidence_is_left_of_the_output_scrolls_without_the_keys_and_its_next_piece_is_one_key_away(desk: Page) -> None:
    desk.set_viewport_size({"width": 1280, "height": 460})
    places = desk.evaluate("""() => {
        const place = (part) => part.getBoundingClientRect().toJSON(), dock = document.querySelector(".dock");
        const panes = [...document.querySelectorAll(".case > .pane")], before = place(dock);
        panes[0].scrollTo(0, 9999);
        const scrolled = [panes[0].scrollTop > 0, panes[1].scrollTop > 0, document.scrollingElement.scrollTop > 0];
        return { panes: panes.map(place), before, after: place(dock), scrolled };
    }""")
    evidence, output = places["panes"]

    assert evidence["right"] <= output["left"] + 1
    assert evidence["top"] == output["top"]
    assert evidence["width"] > 1280 / 2 > output["width"] > 1280 / 3
    assert places["scrolled"] == [True, False, False]
    assert places["after"] == places["before"]
    assert (places["after"]["bottom"], evidence["bottom"]) == (460, places["after"]["top"])

    desk.set_viewport_size({"width": 1280, "height": 800})
    expect(desk.get_by_text("Confidence 0.42")).not_to_be_visible()
    desk.keyboard.press("v")
    expect(desk.get_by_text("Read the scan")).to_be_visible()
    desk.keyboard.press("Space")
    expect(desk.get_by_text("Confidence 0.42")).to_be_visible()


def test_two_browsers_never_hold_one_case_and_the_queue_tells_each_what_the_other_holds(
    site: Site, desk: Page, visit: Visit
) -> None:
    wait_for(desk, lambda: held_ahead(site, "rita") == ["form-2", "form-3", "form-4"])
    other = visit("ravi")
    other.goto("/review/queue")

    def holder(case_id: str) -> Locator:
        return other.locator("tr[data-item]", has_text=case_id).locator("[data-held]")

    def claim(case_id: str) -> Locator:
        return other.get_by_role("button", name=f"Claim {case_id}")

    expect(holder("form-1")).to_contain_text("rita")
    expect(claim("form-1")).to_be_disabled()
    expect(holder("form-5")).to_have_text("–")
    desk.keyboard.press("s")
    expect_case(desk, "form-2")
    expect(holder("form-5")).to_have_text("rita")
    expect(claim("form-5")).to_be_disabled()
    expect(holder("form-1")).to_have_text("–")
    claim("form-1").click()
    expect_case(other, "form-1")

    for page, following in ((desk, "form-3"), (other, "form-6")):
        settled(page)
        page.keyboard.press("a")
        expect_case(page, following)
        stored(page)

    assert sorted((one.login, one.ruling) for one in rulings(site)) == [("ravi", "approve"), ("rita", "approve")]


def test_a_case_stays_ones_own_while_one_is_there_and_a_lost_one_is_taken_again_or_says_who_has_it(
    site: Site, desk: Page, visit: Visit
) -> None:
    desk.clock.install()
    with desk.expect_response("**/renew"):  # opening the page is a sign of life
        desk.reload()
    expect_case(desk, "form-1")
    wait_for(desk, lambda: held_ahead(site, "rita") == ["form-2", "form-3", "form-4"])
    before = held_until(site, "form-1")
    site.ctx.clock.move(timedelta(minutes=5))  # type: ignore[attr-defined]
    desk.clock.fast_forward(45_000)
    desk.wait_for_timeout(1200)
    assert held_until(site, "form-1") == before, "nobody was there"

    desk.mouse.move(200, 300)
    wait_for(desk, lambda: held_until(site, "form-1") == before + timedelta(minutes=5))
    left, warning = desk.locator("[data-lease-left]"), desk.locator("[data-lease-warning]")
    expect(left).to_have_text(re.compile("10:00|9:.."))
    expect(warning).not_to_be_visible()
    desk.clock.fast_forward(490_000)
    expect(warning).to_be_visible()
    expect(left).to_have_text(re.compile("^1:.."))
    expect(desk.locator("[data-lease]")).to_have_attribute("data-tone", "warn")
    desk.locator("[data-keep]").dispatch_event("click")  # no pointer: its way there would be a sign of life by itself
    expect(warning).not_to_be_visible()
    expect(left).to_have_text(re.compile("10:00|9:.."))
    expect(desk.locator("[data-lease]")).to_have_attribute("data-tone", "")

    desk.locator("#out-1").fill("4")
    site.ctx.clock.move(timedelta(hours=1))  # type: ignore[attr-defined]
    with site.ctx.db.begin() as session:
        service.release_expired(session, site.ctx.clock.now())
    settled(desk)
    desk.keyboard.press("Control+Enter")

    expect(desk.locator("[data-lease-lost]")).to_contain_text("it went back to the queue")
    assert findings(desk) == []
    desk.click("[data-take-again]")
    expect(desk.locator("[data-lease-lost]")).not_to_be_visible()
    assert desk.locator("#out-1").input_value() == "4"

    site.ctx.clock.move(timedelta(hours=1))  # type: ignore[attr-defined]
    other = visit("ravi")
    other.goto("/review")
    other.click("#next button")
    expect_case(other, "form-1")
    desk.keyboard.press("Control+Enter")

    expect(desk.locator("[data-lease-lost]")).to_be_visible()
    expect(desk.locator("[data-take-again]")).not_to_be_visible()
    expect(desk.locator("[data-lease-lost]")).to_contain_text(re.compile(r"ravi has it until \d\d:\d\d"))
    assert desk.locator("#out-1").input_value() == "4"
    assert rulings(site) == []


def test_the_desk_works_without_scripts(site: Site, visit: Visit, browser: object) -> None:
    house.people(site.ctx)
    house.agent(site.ctx)
    for number in range(1, 4):
        house.case(site.ctx, f"form-{number}")
    context = browser.new_context(java_script_enabled=False, base_url=site.address)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto("/review")
    page.fill("#login", "rita")
    page.fill("#password", "correct horse battery")
    page.click("main button")

    page.click("#next button")
    page.fill("#out-1", "4")
    page.click("text=Approve")
    page.click("text=Not readable")
    page.click("text=Escalate")

    assert outcomes(site) == {"form-1": "edited", "form-2": "rejected", "form-3": None}
    assert [one.ruling for one in rulings(site)] == ["edit", "reject", "escalate"]
    context.close()
