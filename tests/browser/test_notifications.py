"""The page for notifications, light and dark, on a laptop and on a phone, in the states that it has."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from kit.ids import new_id
from routing.notifications.links import PATH, token_of
from routing.notifications.queries import links_of
from routing.notifications.service import add_links
from routing.notifications.tables import Notification, NotificationSettings
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.browser.conftest import Site, Visit
from tests.browser.looking import LOOKS
from tests.browser.test_looks import findings, sideways

pytestmark = pytest.mark.browser


def furnish(site: Site) -> dict[str, str]:
    """Somebody with an address that took the last message badly, and the links of a message."""
    ctx, now = site.ctx, site.ctx.clock.now()
    factories.person(ctx, "rita", roles=("lead",), password=factories.PASSWORD)
    factories.agent(ctx)
    factories.rollout(ctx)
    factories.decision(ctx, "c-1", segment="north")
    ctx.settings.smtp_url = "smtp://mail.example.org"
    message = Notification(
        id=new_id(), login="rita", kind="news", facts=[], state="delivered", attempts=1, due_at=now, created_at=now
    )
    with ctx.db.begin() as session:
        session.add(
            NotificationSettings(
                login="rita", way="email", address="rita.with.a.long.name@reviews.example.org", confirmed_at=None,
                about=["urgent", "due"], agents=["claims"], pace="daily", daily_at="08:00", quiet_from="22:00",
                quiet_until="07:00", zone="Europe/Zurich", next_at=now, told_at=now,
                problem="the mail server does not take messages for this address",
            )
        )  # fmt: skip
        session.add(message)
        item = session.scalars(select(ReviewItem)).one()
        add_links(session, message, take=item.id, until=now + timedelta(days=1), now=now)
        session.flush()  # gives the links their rows
        return {link.does: PATH + token_of(ctx.secret, link) for link in links_of(session, message.id)}


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_page_and_its_links_can_be_read_by_everybody(site: Site, visit: Visit, width: int, scheme: str) -> None:
    links = furnish(site)
    page = visit("rita", width=width, scheme=scheme)
    found: list[str] = []

    for address in ("/notifications", links["take"], links["off"]):
        page.goto(address)
        found.extend(findings(page) + sideways(page))
    page.goto("/notifications")
    assert page.locator("input:checked").evaluate_all("all => all.map(one => one.value)") == [
        "email", "yes", "yes", "daily",
    ]  # fmt: skip
    page.fill("#zone", "Nowhere")
    page.click(".form-page button[type=submit]")
    page.wait_for_selector(".error")
    found.extend(findings(page) + sideways(page))

    assert not found, "\n".join(found)


def test_the_keyboard_alone_takes_the_case(site: Site, visit: Visit) -> None:
    links = furnish(site)
    page = visit("rita")
    page.goto(links["take"])

    page.locator("main button[type=submit]").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/review?item=*")
    with site.ctx.db.read() as session:
        assert session.scalars(select(ReviewItem.claimed_by)).one() == "rita"
