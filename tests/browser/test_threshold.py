"""The page of the threshold in a real browser: read by everybody, put in force in a dialog, costs without a script."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, Visit
from tests.browser.looking import LOOKS
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house, labelled

pytestmark = pytest.mark.browser

ADDRESS = f"/agents/{labelled.AGENT}/threshold"
SECTION = "{risk: 0.1, confidence: 0.9, first_labels: 100}"


def furnish(site: Site) -> None:
    """One agent with a threshold that the labels allow, one without, and one whose plan asks for none."""
    house.people(site.ctx)
    labelled.agent(site.ctx, SECTION, threshold=0.3)
    labelled.work(site.ctx, 100, errors=0.4, a_day=100)
    labelled.agent(site.ctx, SECTION, name="hopeless")
    labelled.work(site.ctx, 100, errors=0.3, turned=True, a_day=100, name="hopeless")
    labelled.agent(site.ctx, "", name="undeclared")
    labelled.look(site.ctx)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_state_can_be_read_by_everybody(site: Site, visit: Visit, width: int, scheme: str) -> None:
    furnish(site)
    row = labelled.calibrations(site.ctx)[0]
    owner = visit(house.OWNER, width=width, scheme=scheme)
    found: list[str] = []
    for address in (
        f"{ADDRESS}?error=40&review=2&cases=1000",
        f"{ADDRESS}?error=x&review=2&cases=1000",
        "/agents/hopeless/threshold",
        "/agents/undeclared/threshold",
        f"{ADDRESS}/{row.id}/apply?version={labelled.VERSION}",
    ):
        owner.goto(address)
        owner.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found.extend(findings(owner) + sideways(owner))
    owner.goto(ADDRESS)
    owner.click("[data-open=do-apply]")
    found.extend(findings(owner))

    assert not found, "\n".join(found)


def test_the_owner_works_out_the_costs_and_puts_the_threshold_in_force(site: Site, visit: Visit) -> None:
    furnish(site)
    row = labelled.calibrations(site.ctx)[0]
    page = visit(house.OWNER)
    page.goto(f"/agents/{labelled.AGENT}")
    page.click("text=Threshold")
    page.fill("#cost-error", "40")
    page.fill("#cost-review", "2")
    page.fill("#cost-cases", "1000")
    page.click("text=Work it out")
    expect(page.locator("#costs")).to_contain_text("Gained")

    page.click("[data-open=do-apply]")
    page.click("#do-apply button:has-text('Put in force')")

    expect(page.locator(".toast")).to_contain_text("In force as policy")
    assert labelled.rules(site.ctx)["threshold"] == row.threshold
