"""The pages about people and the team, light and dark, on a laptop and on a phone: with figures and without."""

from datetime import timedelta

import pytest

from kit.clock import FixedClock
from rollout.domain.phase import Lane
from routing import tasks
from tests.browser.conftest import Site, Visit
from tests.browser.looking import LOOKS
from tests.browser.test_looks import findings, sideways
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import ADDRESS, counted, reviews, verdicts

pytestmark = pytest.mark.browser


def furnish(site: Site) -> None:
    """Verdicts of two people, both lanes counted, and four weeks of reviews."""
    house.people(site.ctx)
    house.agent(site.ctx)
    clock = site.ctx.clock
    assert isinstance(clock, FixedClock)
    now = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    monday = now - timedelta(days=now.weekday(), weeks=4)
    for hour in range(8, 18):
        reviews(site.ctx, monday + timedelta(hours=hour - 10, days=hour % 5), each=6 + 4 * (hour % 7))
    for number in range(40):
        said = "agree" if number % 3 else "override"
        verdicts(site.ctx, f"p-{number}", ("rita", said, "review"), ("ravi", said if number % 9 else "agree", "audit"))
    counted(site.ctx, Lane.SHADOW, 420, 80)
    counted(site.ctx, Lane.REVIEW, 485, 15)
    tasks.settle(site.ctx)
    clock.move(timedelta(days=1))


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_page_can_be_read_by_everybody(site: Site, visit: Visit, width: int, scheme: str) -> None:
    furnish(site)
    page = visit(house.OWNER, width=width, scheme=scheme)
    found: list[str] = []

    for address in (ADDRESS, "/team", "/team?reviewers=2&minutes=6", "/team?within=soon", "/team/rita"):
        page.goto(address)
        found.extend(findings(page) + sideways(page))

    assert not found, "\n".join(found)


def test_the_page_without_figures_can_be_read_too(site: Site, visit: Visit) -> None:
    house.people(site.ctx)
    house.agent(site.ctx)
    page = visit(house.OWNER)

    for address in (ADDRESS, "/team", "/team/rita"):
        page.goto(address)
        assert not findings(page)


def test_the_week_is_worked_out_for_those_who_are_there(site: Site, visit: Visit) -> None:
    furnish(site)
    page = visit(house.OWNER)
    page.goto("/team")

    page.fill("#reviewers", "1")
    page.click("text=Work it out")

    assert "more arrives than 1 reviewer can do" in page.inner_text("#week")
    assert page.input_value("#reviewers") == "1"
