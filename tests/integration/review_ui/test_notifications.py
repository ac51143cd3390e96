"""How people say how they are told, and what the links of a message do when they are opened."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from kit.clock import FixedClock
from kit.context import Context
from routing.notifications import queries, tasks
from routing.notifications.tables import NotificationLink, NotificationSettings
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.review_ui import house
from tests.mailbox import Mailbox, mailbox
from tests.receiver import receiving

LINK = re.compile(r"http://127\.0\.0\.1:8000(/notifications/links/[\w=-]+)")
WANTED = {
    "way": "email",
    "address": "rita@example.org",
    "about_urgent": "yes",
    "pace": "soon",
    "daily_at": "08:00",
    "zone": "Europe/Zurich",
}


@pytest.fixture
def box(ctx: Context) -> Iterator[Mailbox]:
    with mailbox() as found:
        ctx.settings.smtp_url = found.url
        yield found


@pytest.fixture(autouse=True)
def people(ctx: Context) -> None:
    for login, role in (("rita", "reviewer"), ("ravi", "reviewer"), ("olga", "owner")):
        factories.person(ctx, login, roles=(role,), password=factories.PASSWORD)
    factories.agent(ctx, owner="olga")
    factories.rollout(ctx, review_risks=["high"])


def save(rita: TestClient, **more: str) -> str:
    token = house.token(rita.get("/notifications").text)
    return rita.post("/notifications", data=WANTED | {"form_token": token} | more).text


def set_up(ctx: Context, clock: FixedClock, rita: TestClient, box: Mailbox) -> dict[str, str]:
    """Confirmed, and told of one urgent case; the addresses of its links by what they do."""
    save(rita)
    tasks.send_notifications(ctx)
    press(rita, LINK.findall(box.took[-1].get_content())[0])
    clock.move(timedelta(minutes=5))
    factories.decision(ctx, "c-1", risk="high")
    tasks.notify(ctx)
    tasks.send_notifications(ctx)
    take, off = LINK.findall(box.took[-1].get_content())
    return {"take": take, "off": off}


def press(client: TestClient, address: str) -> str:
    """Open a link as a person does, and press its button."""
    page = client.get(address).text
    return client.post(address, data={"form_token": house.token(page)} if "form_token" in page else {}).text


def holder(ctx: Context) -> str | None:
    with ctx.db.read() as session:
        return session.scalars(select(ReviewItem.claimed_by)).one()


def test_who_reviews_finds_the_page_under_the_bell_and_others_do_not(ctx: Context) -> None:
    with house.client(ctx, "rita") as rita, house.client(ctx, "olga") as olga:
        assert 'href="/notifications"' in rita.get("/review/queue").text
        assert "How you are told" in rita.get("/notifications").text
        assert 'href="/notifications"' not in olga.get("/agents").text
        assert olga.get("/notifications").status_code == 403


def test_from_the_form_to_the_case_on_the_desk(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita:
        links = set_up(ctx, clock, rita, box)

        page = press(rita, links["take"])

    assert holder(ctx) == "rita"
    assert "c-1" in page


def test_who_lost_the_link_to_confirm_asks_for_another(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita:
        save(rita)
        tasks.send_notifications(ctx)
        clock.move(timedelta(hours=2))
        page = rita.get("/notifications").text
        assert "Send the link again" in page

        said = rita.post("/notifications/confirmation", data={"form_token": house.token(page)}).text
        tasks.send_notifications(ctx)
        press(rita, LINK.findall(box.took[-1].get_content())[0])

        assert "A message with a link is on its way" in said
        assert "Send the link again" not in rita.get("/notifications").text


def test_opening_a_link_changes_nothing(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita, house.client(ctx) as scanner:
        links = set_up(ctx, clock, rita, box)
        for address in links.values():
            for client in (rita, scanner):
                client.get(address)
                client.head(address)

        with ctx.db.read() as session:
            assert set(session.scalars(select(NotificationLink.used_at).where(NotificationLink.does == "take"))) == {
                None
            }
            assert session.get_one(NotificationSettings, "rita").way == "email"
    assert holder(ctx) is None


def test_the_link_goes_on_after_signing_in(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita:
        links = set_up(ctx, clock, rita, box)
    with house.client(ctx) as later:
        page = later.get(links["take"])
        assert page.url.path == "/sign-in"
        wanted = re.search(r'name="next" value="([^"]+)"', page.text)
        assert wanted is not None

        page = later.post("/sign-in", data={"login": "rita", "password": factories.PASSWORD, "next": wanted.group(1)})

        assert page.url.path == links["take"]
        assert "Take this case" in page.text


def test_for_somebody_else_the_link_shows_nothing_and_does_nothing(
    ctx: Context, clock: FixedClock, box: Mailbox
) -> None:
    with house.client(ctx, "rita") as rita, house.client(ctx, "ravi") as ravi:
        links = set_up(ctx, clock, rita, box)
        token = house.token(ravi.get("/review/queue").text)

        page = ravi.get(links["take"])
        answer = ravi.post(links["take"], data={"form_token": token})

    assert (page.status_code, answer.status_code) == (403, 403)
    assert "c-1" not in page.text
    assert holder(ctx) is None


def test_a_form_of_another_site_does_nothing(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita:
        links = set_up(ctx, clock, rita, box)

        answers = [
            rita.post(links["take"], data={}).status_code,
            rita.post(links["take"], data={}, headers={"origin": "https://evil.example"}).status_code,
            rita.post(links["off"], data={}, headers={"origin": "https://evil.example"}).status_code,
        ]

    assert answers == [403, 403, 403]
    assert holder(ctx) is None


def test_a_case_that_has_been_taken_says_so(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita, house.client(ctx, "ravi") as ravi:
        links = set_up(ctx, clock, rita, box)
        ravi.post("/review/next", data={"form_token": house.token(ravi.get("/review/queue").text)})

        page = rita.get(links["take"]).text

    assert "ravi holds it" in page
    assert "Take this case" not in page.split("<main")[1]


def test_mail_programs_turn_it_off_without_signing_in(ctx: Context, clock: FixedClock, box: Mailbox) -> None:
    with house.client(ctx, "rita") as rita, house.client(ctx) as program:
        links = set_up(ctx, clock, rita, box)

        first = program.post(links["off"], data={"List-Unsubscribe": "One-Click"})
        again = program.post(links["off"], data={"List-Unsubscribe": "One-Click"})

    assert (first.status_code, again.status_code) == (200, 409)
    with ctx.db.read() as session:
        row = session.get_one(NotificationSettings, "rita")
        assert (row.way, row.address) == ("none", "")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"address": "rita"}, "It is no e-mail address."),
        ({"zone": "Zurich"}, "It is not a time zone."),
        ({"quiet_begins": "22:00"}, "Give both, like 22:00 and 07:00, or neither."),
        ({"agents": "claims, unknown"}, "There is no agent unknown."),
        ({"way": "pigeon"}, "Nothing was saved."),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_typed_is_lost(
    ctx: Context, box: Mailbox, more: dict[str, str], words: str
) -> None:
    with house.client(ctx, "rita") as rita:
        page = save(rita, **({"address": "rita@example.org"} | more))

    assert words in page
    assert f'value="{more.get("address", "rita@example.org")}"' in page
    with ctx.db.read() as session:
        assert queries.settings_of(session, "rita") is None
    assert box.took == []


def test_the_secret_of_a_webhook_is_shown_once(ctx: Context) -> None:
    ctx.settings.webhooks_allow_private = True
    with receiving() as receiver, house.client(ctx, "rita") as rita:
        page = save(rita, way="webhook", address=receiver.url)
        assert "whsec_" in page

        assert "whsec_" not in rita.get("/notifications").text
        assert "whsec_" not in save(rita, way="webhook", address=receiver.url, pace="hourly")


def test_the_api_says_and_sets_the_same(ctx: Context, box: Mailbox) -> None:
    with house.client(ctx) as client:
        headers = factories.bearer(ctx, login="rita")
        assert client.get("/v1/me/notifications", headers=headers).json()["way"] == "none"

        body = {"way": "email", "address": "rita@example.org", "quiet": {"begins": "22:00", "ends": "07:00"}}
        answer = client.put("/v1/me/notifications", headers=headers, json=body)

        assert (answer.status_code, answer.json()["confirmed_at"]) == (200, None)
        assert client.get("/v1/me/notifications", headers=headers).json() == answer.json()
        agents = client.get("/v1/me/notifications", headers=factories.bearer(ctx, agent="claims"))
        assert agents.status_code == 403
        again = client.post("/v1/me/notifications/confirmation", headers=headers)
        assert (again.status_code, list(again.json())) == (202, ["goes_out_at"])
        assert client.post("/v1/me/notifications/confirmation", headers=factories.bearer(ctx)).status_code == 403
