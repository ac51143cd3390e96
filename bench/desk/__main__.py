"""
Keys and milliseconds per decision on the review desk: `python -m bench.desk [--cases 200]`.

A web process on a new SQLite file with 200 cases, and headless Chromium. A stand-in for a person looks at each case
until it can be approved, and presses one key; every tenth is rejected with a reason, two keys. Measured in the page,
from the key until the next case is painted (two frames), and from the key until the server has stored the ruling.
"""

import argparse
import platform
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Page, sync_playwright

from kit.context import Context, make_context
from kit.ids import new_id
from kit.settings import Settings
from migrations import chain
from tests import factories
from tests.browser.conftest import FLAGS, find_chromium
from tests.integration.review_ui import house

_OUT = Path(__file__).resolve().parents[1] / "desk.md"
_EVERY = 10  # so many cases to one rejection
_TARGET = 50.0  # ms

_WATCH = """() => {
    const desk = window.measured = { keys: 0, painted: [], stored: [] };
    let at = 0, pending = [];
    addEventListener("keydown", () => { desk.keys += 1; at = performance.now(); }, true);
    new MutationObserver((found) => {
        if (!found.some((one) => [...one.addedNodes].some((node) => node.matches?.(".case, .empty")))) return;
        const pressed = at;
        pending.push(pressed);
        requestAnimationFrame(() => requestAnimationFrame(() => desk.painted.push(performance.now() - pressed)));
    }).observe(document.querySelector("main"), { childList: true });
    new MutationObserver(() => {
        if (document.querySelector(".toast") && pending.length) desk.stored.push(performance.now() - pending.shift());
    }).observe(document.querySelector(".toasts"), { childList: true });
}"""


@contextmanager
def _site(cases: int) -> Iterator[tuple[Context, str]]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/desk.db"
        chain.upgrade(url)
        ctx = make_context(Settings(data_dir=Path(folder) / "var", database_url=url, secret=str(new_id())))
        house.people(ctx)
        house.agent(ctx, settings=house.DIGITS | {"undo_seconds": 10})
        for number in range(cases):
            house.case(ctx, f"form-{number:04}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(house.app(ctx), host="127.0.0.1", port=port, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield ctx, f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(10)
        ctx.db.close()


def _work(page: Page, cases: int) -> dict[str, Any]:
    """Rule on all of them; what the page measured."""
    page.goto("/sign-in")
    page.fill("#login", "rita")
    page.fill("#password", factories.PASSWORD)
    page.click("main button")
    page.wait_for_url("**/agents")
    page.goto("/review")
    page.click("#next button")
    page.wait_for_selector("#case-h")
    page.evaluate(_WATCH)
    for number in range(cases):
        page.wait_for_selector(f"#case-h:text-is('form-{number:04}')")
        page.wait_for_selector("[data-cmd=approve]:not([aria-disabled])")
        for key in ("r", "1") if number % _EVERY == _EVERY - 1 else ("a",):
            page.keyboard.press(key)
    page.wait_for_selector(".empty")
    page.wait_for_timeout(1000)
    found: dict[str, Any] = page.evaluate("window.measured")
    return found


def _row(name: str, values: Sequence[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"| {name} | {statistics.median(values):.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} | {max(values):.0f} |"


def _report(cases: int, found: dict[str, Any]) -> str:
    painted, stored = found["painted"], found["stored"]
    rejected = cases // _EVERY
    plain = (found["keys"] - 2 * rejected) / (cases - rejected)
    about = (
        f"`python -m bench.desk --cases {cases}`: {cases} cases, {rejected} of them rejected with a reason; headless "
        f"Chromium and the web process on one machine ({platform.machine()}, SQLite, Python "
        f"{platform.python_version()})."
    )
    within = sum(one <= _TARGET for one in painted) / len(painted)
    return "\n".join(
        [
            "# The review desk, measured",
            "",
            about,
            "",
            f"- Keys for a plain approval: **{plain:.2f}**; for a rejection with its reason: 2.",
            f"- The next case was painted within {_TARGET:.0f} ms of the key in {within:.1%} of all rulings.",
            "",
            "| milliseconds from the key | median | 95 % | 99 % | longest |",
            "|---|--:|--:|--:|--:|",
            _row("until the next case is painted", painted),
            _row("until the ruling is stored and the page says so", stored),
            "",
            "Painted means two frames after the page was changed, so 16 to 33 ms of it are the frames themselves.",
            "",
        ]
    )


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--cases", type=int, default=200)
    wanted = reader.parse_args()
    chromium = find_chromium()
    if chromium is None:
        reader.exit(1, "there is no Chromium on this machine\n")
    with _site(wanted.cases) as (_, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}).new_page()
        report = _report(wanted.cases, _work(page, wanted.cases))
        browser.close()
    _OUT.write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
