"""What a test looks at: the case on the desk, and what is stored of it."""

from collections.abc import Callable
from datetime import datetime

from playwright.sync_api import Page, expect
from sqlalchemy import select

from routing.cases.tables import Decision
from routing.reviews.dealing import queries as dealing
from routing.reviews.tables import ReviewItem, Ruling
from tests.browser.conftest import Site

DWELL = 900  # ms; approving opens after 800

LOOKS = [(1280, "light"), (390, "dark")]  # each width and each theme once: neither depends on the other


def expect_case(page: Page, case_id: str) -> None:
    expect(page.locator("#case-h")).to_have_text(case_id)


def settled(page: Page) -> None:
    """Past the dwell time of the case shown."""
    page.wait_for_timeout(DWELL)


def stored(page: Page) -> None:
    """The ruling that was sent behind the case shown is stored: the page says so."""
    expect(page.locator(".toast")).to_be_visible()


def drafts(page: Page) -> list[str]:
    """What is kept of what was typed, on this device."""
    return list(page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('draft:'))"))


def states(site: Site) -> dict[str, str]:
    with site.ctx.db.read() as session:
        return {row.case_id: row.state for row in session.scalars(select(ReviewItem))}


def outcomes(site: Site) -> dict[str, str | None]:
    with site.ctx.db.read() as session:
        return {row.case_id: row.outcome for row in session.scalars(select(Decision))}


def rulings(site: Site) -> list[Ruling]:
    with site.ctx.db.read() as session:
        return list(session.scalars(select(Ruling).order_by(Ruling.id)))


def held_ahead(site: Site, login: str) -> list[str]:
    with site.ctx.db.read() as session:
        return [item.case_id for item in dealing.held_ahead(session, login, site.ctx.clock.now())]


def held_until(site: Site, case_id: str) -> datetime:
    with site.ctx.db.read() as session:
        found = session.scalar(select(ReviewItem.claimed_until).where(ReviewItem.case_id == case_id))
        assert found is not None
        return found


def every_promise_is_kept(page: Page) -> list[str]:
    """Each badge on a button and each row of the sheet of keys, which is open, has a handler; the rows' words."""
    promised = page.evaluate(
        """async () => {
            const address = document.querySelector('script[src*="page.js"]').src.replace("page.js", "keys.js");
            const { KEYS, handlers } = await import(address);
            const live = KEYS.filter((entry) => handlers[entry.cmd]).map((entry) => entry.words);
            const rows = [...document.querySelectorAll("#keys dt")].map((row) => row.textContent);
            const badges = [...document.querySelectorAll("[data-cmd] kbd")];
            return { live, rows, dead: badges.filter((kbd) => !handlers[kbd.parentElement.dataset.cmd]).length };
        }"""
    )
    assert promised["dead"] == 0
    assert sorted(promised["rows"]) == sorted(promised["live"]), promised
    return list(promised["rows"])


def swipe(page: Page, *, right: int = 0, down: int = 0) -> None:
    """A finger on the name of the case, moved by so many pixels and lifted: what the browser itself makes of it."""
    finger = page.context.new_cdp_session(page)
    finger.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})
    box = page.locator("#case-h").bounding_box()
    assert box is not None
    x, y = 195, box["y"] + box["height"] / 2
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
        at = {"x": x + part * right, "y": y + part * down}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    finger.detach()


def wait_for(page: Page, true: Callable[[], bool]) -> None:
    """Until it is so; half a minute on a busy machine."""
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never became true")
