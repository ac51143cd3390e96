"""A real Chromium against a real server on an embedded database. Without a Chromium: installed, or skipped aloud."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kit.clock import FixedClock
from kit.context import Context, make_context
from kit.settings import Settings
from tests import factories
from tests.integration.review_ui import house

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    found = find_chromium()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False, capture_output=True)
        found = find_chromium()
    if found is not None:
        return found
    if os.environ.get("CI"):
        pytest.fail("no Chromium on this machine, and in CI the pages are tested: install the package chromium")
    pytest.skip("NO CHROMIUM: the pages are NOT tested on this machine; install the package chromium")


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def ctx(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Context]:
    """An empty house whose clock stands still, near the machine's own time, as browsers compare with theirs."""
    path = tmp_path / "phasegate.db"
    shutil.copyfile(migrated_sqlite, path)
    settings = Settings(
        data_dir=tmp_path / "var", database_url=f"sqlite:///{path}", secret="a secret for browsers", lease_seconds=600
    )
    made = make_context(settings, clock=FixedClock(datetime.now(UTC) - timedelta(days=30)))  # noqa: TID251
    yield made
    made.db.close()


@dataclass(frozen=True, slots=True)
class Site:
    address: str
    ctx: Context


@pytest.fixture
def site(ctx: Context) -> Iterator[Site]:
    """The web process, in a thread of this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(house.app(ctx), host="127.0.0.1", port=port, log_level="error", ws="none", lifespan="on")
    )
    thread = threading.Thread(target=server.run, name="site", daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    assert server.started
    yield Site(f"http://127.0.0.1:{port}", ctx)
    server.should_exit = True
    thread.join(timeout=10)


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Opens a browser of its own for a person, signed in; every error of a script fails the test."""
    opened, errors = [], []

    def open_page(login: str | None, *, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 500 else 800},
            color_scheme="dark" if scheme == "dark" else "light",
            base_url=site.address,
        )
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=20_000)  # a busy machine is slow, and no less right
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
        if login is not None:
            page.goto("/sign-in")
            page.fill("#login", login)
            page.fill("#password", factories.PASSWORD)
            page.click("main button")
            page.wait_for_url("**/agents")
        return page

    yield open_page
    for context in opened:
        context.close()
    assert not errors


SCHEMA = house.DIGITS["output_schema"]
LEGIBLE = SCHEMA | {"properties": SCHEMA["properties"] | {"legible": {"type": "boolean"}}}
IN_ORDER = [{"path": f"/{name}", "label": name.title()} for name in ("digit", "remark", "legible")]
DESK = {"output_schema": LEGIBLE, "fields": house.DIGITS["fields"] | {"output": IN_ORDER}, "undo_seconds": 60}
SAID = {"legible": True, "digit": 7}


@pytest.fixture
def desk(site: Site, visit: Visit) -> Page:
    """A reviewer with the first of six cases on the desk, and the three after it in the page; high risks are urgent."""
    house.people(site.ctx)
    house.agent(site.ctx, settings=house.DIGITS | DESK, review_risks=["high"])
    for number in range(1, 7):
        house.case(site.ctx, f"form-{number}", output=SAID)
    page = visit("rita")
    page.goto("/review")
    expect(page.get_by_role("button", name="Take the next case")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#case-h")).to_have_text("form-1")
    return page
