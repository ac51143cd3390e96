"""Messages to people who review: by one way, few of them, nothing lost, and links that ask before they act."""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook as Signer

from governance.actors import SYSTEM, Actor
from governance.people import service as people
from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Invalid
from rollout.domain.phase import Phase
from routing import tasks as routing_tasks
from routing.notifications import queries, sending, service, tasks
from routing.notifications.schemas import NotificationsIn
from routing.notifications.tables import HeldNotice, Notification, NotificationLink, NotificationSettings
from routing.reviews import service as reviews
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing import desk
from tests.mailbox import Mailbox, mailbox
from tests.racing import together
from tests.receiver import Receiver, receiving

FIVE_MINUTES = timedelta(minutes=5)
LINK = re.compile(r"http://127\.0\.0\.1:8000/notifications/links/([\w=-]+)")


@pytest.fixture
def box(ctx: Context) -> Iterator[Mailbox]:
    with mailbox() as found:
        ctx.settings.smtp_url = found.url
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, review_risks=["high"])
    ctx.settings.webhooks_allow_private = True  # the receivers are on this machine


def person(ctx: Context, login: str = "ana", *, roles: tuple[str, ...] = ("reviewer",)) -> Actor:
    return factories.actor(ctx, login, roles=roles)


def save(
    ctx: Context, actor: Actor, way: str = "email", address: str = "ana@example.org", **more: Any
) -> service.Saved:
    ask = NotificationsIn.model_validate({"way": way, "address": address} | more)
    with ctx.db.begin() as session:
        return service.save(session, ask, actor=actor, config=ctx.settings, now=ctx.clock.now())


def listening(ctx: Context, login: str = "ana", *, roles: tuple[str, ...] = ("reviewer",), **more: Any) -> Actor:
    """Somebody whose address is confirmed, long enough ago for the next message."""
    actor = person(ctx, login, roles=roles)
    save(ctx, actor, **({"address": f"{login}@example.org"} | more))
    with ctx.db.begin() as session:
        queries.give_up_on(session, login, ctx.clock.now())
        row = session.get_one(NotificationSettings, login)
        row.confirmed_at = ctx.clock.now()
    return actor


def urgent(ctx: Context, *case_ids: str) -> None:
    factories.store(ctx, *(factories.case(case_id, risk="high") for case_id in case_ids))


def sweep(ctx: Context) -> None:
    tasks.notify(ctx)
    tasks.send_notifications(ctx)


def subjects(box: Mailbox) -> list[str]:
    return [str(message["Subject"]) for message in box.took]


def link(ctx: Context, does: str, login: str = "ana") -> NotificationLink:
    newest = select(NotificationLink).where(NotificationLink.does == does, NotificationLink.login == login)
    with ctx.db.read() as session:
        return session.scalars(newest.order_by(NotificationLink.id.desc())).first() or pytest.fail("no link")


def settings_of(ctx: Context, login: str = "ana") -> NotificationSettings:
    with ctx.db.read() as session:
        return session.get_one(NotificationSettings, login)


def confirm(ctx: Context, actor: Actor) -> None:
    found = link(ctx, "confirm", actor.name)
    with ctx.db.begin() as session:
        service.confirm(session, session.get_one(NotificationLink, found.id), actor=actor, now=ctx.clock.now())


def ask_again(ctx: Context, actor: Actor) -> datetime:
    with ctx.db.begin() as session:
        return service.ask_again(session, actor=actor, now=ctx.clock.now())


class TestConfirming:
    def test_a_new_address_gets_a_link_and_nothing_else_before_it_is_confirmed(
        self, ctx: Context, box: Mailbox
    ) -> None:
        ana = person(ctx)
        save(ctx, ana)
        urgent(ctx, "c-1")

        sweep(ctx)

        assert subjects(box) == ["Phasegate: confirm this address"]
        token = LINK.findall(box.took[0].get_content())[0]
        with ctx.db.begin() as session:
            found = service.link_of(session, token, secret=ctx.secret)
            service.confirm(session, found, actor=ana, now=ctx.clock.now())
        assert settings_of(ctx).confirmed_at == ctx.clock.now()

    def test_another_address_in_a_hurry_waits_for_five_minutes(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        ana = person(ctx)
        save(ctx, ana)
        sweep(ctx)

        save(ctx, ana, address="stranger@example.org")
        sweep(ctx)

        assert len(box.took) == 1
        clock.move(FIVE_MINUTES)
        sweep(ctx)
        assert [message["To"] for message in box.took] == ["ana@example.org", "stranger@example.org"]

    @pytest.mark.usefixtures("box")
    def test_the_link_to_an_older_address_confirms_no_newer_one(self, ctx: Context) -> None:
        ana = person(ctx)
        save(ctx, ana)
        older = link(ctx, "confirm")
        save(ctx, ana, address="other@example.org")

        with pytest.raises(service.LinkOver), ctx.db.begin() as session:
            service.confirm(session, session.get_one(NotificationLink, older.id), actor=ana, now=ctx.clock.now())
        assert settings_of(ctx).confirmed_at is None

    @pytest.mark.usefixtures("box")
    def test_nobody_confirms_for_somebody_else(self, ctx: Context) -> None:
        save(ctx, person(ctx))
        bob = person(ctx, "bob")
        found = link(ctx, "confirm")

        with pytest.raises(service.NotYours), ctx.db.begin() as session:
            service.confirm(session, session.get_one(NotificationLink, found.id), actor=bob, now=ctx.clock.now())

    @pytest.mark.parametrize(
        ("more", "place"),
        [
            ({"address": "ana"}, "address"),
            ({"address": "ana@example.org\nBcc: all@example.org"}, "address"),
            ({"address": "a@b.example, c@d.example"}, "address"),
            ({"way": "slack", "address": "ftp://example.org"}, "address"),
            ({"zone": "Middle/Earth"}, "zone"),
            ({"about": []}, "about"),
            ({"agents": ["nobody"]}, "agents"),
            ({"quiet": {"begins": "22:00", "ends": "22:00"}}, "quiet"),
            ({"pace": "daily", "daily_at": "23:00", "quiet": {"begins": "22:00", "ends": "07:00"}}, "daily_at"),
        ],
    )
    @pytest.mark.usefixtures("box")
    def test_what_cannot_be_is_refused_with_its_place(self, ctx: Context, more: dict[str, Any], place: str) -> None:
        with pytest.raises(Invalid) as refused:
            save(ctx, person(ctx), **more)

        assert [found.place for found in refused.value.places] == [place]

    def test_without_a_mail_server_there_is_no_e_mail(self, ctx: Context) -> None:
        with pytest.raises(Invalid, match="sends no e-mail"):
            save(ctx, person(ctx))

    def test_an_address_inside_is_refused_as_for_other_webhooks(self, ctx: Context) -> None:
        ctx.settings.webhooks_allow_private = False

        with pytest.raises(Invalid, match="inside a private network"):
            save(ctx, person(ctx), "slack", "https://169.254.169.254/latest")


class TestAskingAgain:
    def test_an_address_that_missed_its_day_gets_another_link(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        ana = person(ctx)
        save(ctx, ana)
        sweep(ctx)
        clock.move(timedelta(days=2))

        assert ask_again(ctx, ana) == ctx.clock.now()
        sweep(ctx)
        confirm(ctx, ana)

        assert len(box.took) == 2
        assert settings_of(ctx).confirmed_at == ctx.clock.now()

    def test_asking_twice_sends_one_and_five_minutes_lie_between_two(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        ana = person(ctx)
        save(ctx, ana)
        sweep(ctx)

        first = ask_again(ctx, ana)
        assert ask_again(ctx, ana) == first == ctx.clock.now() + FIVE_MINUTES
        sweep(ctx)
        assert len(box.took) == 1
        clock.move(FIVE_MINUTES)
        sweep(ctx)

        assert len(box.took) == 2

    @pytest.mark.usefixtures("box")
    def test_a_stranger_gets_five_a_day_at_most(self, ctx: Context, clock: FixedClock) -> None:
        ana = person(ctx)
        save(ctx, ana)
        for _ in range(4):
            sweep(ctx)
            clock.move(FIVE_MINUTES)
            ask_again(ctx, ana)
        sweep(ctx)
        clock.move(FIVE_MINUTES)

        with pytest.raises(service.AskedOften):
            ask_again(ctx, ana)
        with pytest.raises(service.AskedOften):
            save(ctx, ana, address="another@example.org")
        assert settings_of(ctx).address == "ana@example.org"

    @pytest.mark.usefixtures("box")
    def test_a_confirmed_address_is_not_asked(self, ctx: Context) -> None:
        ana = listening(ctx)

        with pytest.raises(service.NothingToConfirm):
            ask_again(ctx, ana)


class TestNews:
    def test_a_message_says_at_a_glance_what_waits_and_until_when(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx, zone="Europe/Zurich", quiet={"begins": "22:00", "ends": "07:00"})
        urgent(ctx, "c-1", "c-2")

        sweep(ctx)

        words = box.took[0].get_content()
        with ctx.db.read() as session:
            ends = session.scalars(select(ReviewItem.escalates_at)).first()
        assert ends is not None
        assert subjects(box)[0].startswith("Phasegate: 2 urgent, the first until ")
        assert "Hello Ana," in words
        assert "  claims: c-1, until " in words
        assert "none from 22:00 until 07:00" in words
        assert "http://127.0.0.1:8000/review/queue" in words
        assert "yes" not in words  # the output stays inside

    def test_it_can_be_turned_off_in_the_mail_program(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")

        sweep(ctx)

        message = box.took[0]
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert LINK.search(message["List-Unsubscribe"].replace("\n", ""))

    def test_a_thousand_cases_at_once_make_one_message_for_each_person(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        for login in ("ana", "bob", "eve"):
            listening(ctx, login)
        urgent(ctx, *(f"c-{number}" for number in range(1000)))

        for _ in range(10):
            sweep(ctx)
            clock.move(timedelta(seconds=29))
        assert sorted(message["To"] for message in box.took) == [
            f"{name}@example.org" for name in ("ana", "bob", "eve")
        ]
        assert {subject.split(",")[0] for subject in subjects(box)} == {"Phasegate: 1"}
        assert "1,000 or more urgent" in subjects(box)[0]

        urgent(ctx, "c-late")
        sweep(ctx)
        assert len(box.took) == 3
        clock.move(timedelta(seconds=10))
        sweep(ctx)
        assert len(box.took) == 6
        assert "1 urgent" in subjects(box)[-1]

    def test_whoever_is_told_of_a_case_is_not_told_again(self, ctx: Context, clock: FixedClock, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")

        for _ in range(4):
            sweep(ctx)
            clock.move(FIVE_MINUTES)

        assert len(box.took) == 1

    def test_a_case_that_somebody_took_meanwhile_is_no_news(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        bob = person(ctx, "bob")
        urgent(ctx, "c-1")
        with ctx.db.begin() as session:
            reviews.claim_next(session, actor=bob, now=ctx.clock.now(), lease=timedelta(minutes=10))

        sweep(ctx)

        assert box.took == []

    def test_who_is_at_the_desk_is_told_after_they_left(self, ctx: Context, clock: FixedClock, box: Mailbox) -> None:
        ana = listening(ctx)
        factories.decision(ctx, "plain")
        with ctx.db.begin() as session:
            reviews.claim_next(session, actor=ana, now=ctx.clock.now(), lease=timedelta(minutes=10))
        urgent(ctx, "c-1")

        sweep(ctx)
        assert box.took == []

        clock.move(timedelta(minutes=11))
        sweep(ctx)
        assert len(box.took) == 1

    def test_in_quiet_hours_nothing_comes_and_after_them_what_still_waits(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx, quiet={"begins": "09:00", "ends": "10:00"})
        bob = person(ctx, "bob")
        urgent(ctx, "c-1", "c-2")
        sweep(ctx)
        assert box.took == []
        with ctx.db.begin() as session:
            reviews.claim_next(session, actor=bob, now=ctx.clock.now(), lease=timedelta(hours=3))

        clock.move(timedelta(hours=1))
        sweep(ctx)

        assert len(box.took) == 1
        assert "1 urgent" in subjects(box)[0]

    def test_a_digest_comes_at_its_hour_and_holds_all_of_the_day(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx, pace="daily", daily_at="11:00")
        for hour in range(3):
            urgent(ctx, f"c-{hour}")
            sweep(ctx)
            clock.move(timedelta(minutes=50))
        sweep(ctx)

        assert len(box.took) == 1
        assert "3 urgent" in subjects(box)[0]

    def test_cases_are_told_of_before_their_time_is_over_and_to_leads_when_it_is(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        listening(ctx, "lea", roles=("lead",))
        decision = factories.decision(ctx, "c-1")
        with ctx.db.read() as session:
            item = session.scalars(select(ReviewItem).where(ReviewItem.decision_id == decision.id)).one()
            ends = item.escalates_at
        assert ends is not None

        clock.set(ends - timedelta(minutes=10))
        sweep(ctx)
        assert [message["To"] for message in box.took] == ["ana@example.org", "lea@example.org"]
        assert "1 nearly late" in subjects(box)[0]

        clock.set(ends + timedelta(minutes=1))
        routing_tasks.expire(ctx)
        sweep(ctx)
        assert [message["To"] for message in box.took[2:]] == ["lea@example.org"]
        assert "1 escalated" in subjects(box)[2]

    @pytest.mark.parametrize(("kind", "told"), [("adjudication", ["lea@example.org"]), ("second", [])])
    def test_leads_are_told_where_two_people_differ_and_nobody_that_somebody_is_checked(
        self, ctx: Context, box: Mailbox, kind: str, told: list[str]
    ) -> None:
        listening(ctx)
        listening(ctx, "lea", roles=("lead",))
        factories.decision(ctx, "c-1")
        with ctx.db.begin() as session:
            item = session.scalars(select(ReviewItem)).one()
            item.kind, item.level, item.created_at = kind, 2, ctx.clock.now()

        sweep(ctx)

        assert [message["To"] for message in box.took] == told

    def test_of_a_judgement_those_are_told_who_may_give_it(self, ctx: Context, clock: FixedClock, box: Mailbox) -> None:
        for login, role in (("ana", "reviewer"), ("bea", "lead"), ("lea", "lead")):
            listening(ctx, login, roles=(role,))
        factories.agent(ctx, "letters", supervision={"blind_share": 0.0, "judged_differing_share": 1.0})
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        factories.decision(ctx, agent="letters")
        factories.human_output(ctx, output="no", agent="letters", person="lea")
        routing_tasks.settle(ctx)
        with ctx.db.read() as session:
            ends = session.scalars(select(ReviewItem.escalates_at)).one()
        assert ends is not None

        clock.set(ends - timedelta(minutes=10))
        sweep(ctx)
        assert [message["To"] for message in box.took] == ["ana@example.org", "bea@example.org"]
        assert "1 nearly late" in subjects(box)[0]

        clock.set(ends + timedelta(minutes=1))
        routing_tasks.expire(ctx)
        sweep(ctx)
        assert [message["To"] for message in box.took[2:]] == ["bea@example.org"]
        assert "1 escalated" in subjects(box)[2]

    def test_only_what_was_asked_for(self, ctx: Context, box: Mailbox) -> None:
        factories.agent(ctx, "letters", owner=factories.person(ctx).login)
        listening(ctx, "ana", agents=["letters"])
        listening(ctx, "bob", about=["due"])
        listening(ctx, "eve", roles=("reviewer",))
        urgent(ctx, "c-1")

        sweep(ctx)

        assert [message["To"] for message in box.took] == ["eve@example.org"]

    def test_who_may_not_review_any_more_hears_nothing(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        listening(ctx, "bob")
        with ctx.db.begin() as session:
            people.set_roles(session, "ana", ["engineer"], by=SYSTEM, now=ctx.clock.now())
            people.disable(session, "bob", by=SYSTEM, now=ctx.clock.now())
        urgent(ctx, "c-1")

        sweep(ctx)

        assert box.took == []

    def test_an_outage_of_the_workers_loses_nothing(self, ctx: Context, clock: FixedClock, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")
        sweep(ctx)
        urgent(ctx, "c-2")
        clock.move(timedelta(hours=3))
        urgent(ctx, "c-3")

        sweep(ctx)

        assert [subject.split(",")[0] for subject in subjects(box)] == ["Phasegate: 1 urgent", "Phasegate: 2 urgent"]

    def test_an_urgent_case_that_was_held_when_it_came_is_told_when_it_is_given_back(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        bob = person(ctx, "bob")
        urgent(ctx, "c-1")
        with ctx.db.begin() as session:
            held = reviews.claim_next(session, actor=bob, now=ctx.clock.now(), lease=timedelta(hours=1))
        assert held is not None
        sweep(ctx)
        clock.move(timedelta(minutes=20))
        urgent(ctx, "c-2")
        sweep(ctx)
        assert ["c-1" in message.get_content() for message in box.took] == [False]
        desk.release(ctx, bob, held)

        for _ in range(3):
            clock.move(FIVE_MINUTES)
            sweep(ctx)

        assert ["c-1" in message.get_content() for message in box.took] == [False, True]
        with ctx.db.read() as session:
            assert session.scalar(select(func.count()).select_from(HeldNotice)) == 0


class TestSending:
    def test_a_worker_that_dies_on_the_way_sends_the_same_message_later(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        with ctx.db.begin() as session:
            parcel = sending.take_due(session, secret=ctx.secret, base=ctx.settings.base_url, now=ctx.clock.now())
        assert parcel is not None
        sending.send(parcel, ctx.settings, seconds=5, now=ctx.clock.now())  # and dies before it is written down

        sweep(ctx)
        assert len(box.took) == 1
        clock.move(FIVE_MINUTES)
        sweep(ctx)

        assert len(box.took) == 2
        assert len({(message["Message-ID"], message.get_content()) for message in box.took}) == 1

    def test_two_workers_at_once_write_and_send_one_message(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")

        together(*[lambda: sweep(ctx)] * 4)
        sweep(ctx)

        assert len(box.took) == 1

    def test_a_busy_server_is_tried_again_and_nothing_new_is_written_meanwhile(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        box.busy = 1
        urgent(ctx, "c-1")
        sweep(ctx)
        urgent(ctx, "c-2")
        sweep(ctx)
        assert box.took == []
        assert "mail server" in (settings_of(ctx).problem or "")

        clock.move(FIVE_MINUTES)
        sweep(ctx)
        assert [("1 urgent" in subject) for subject in subjects(box)] == [True]
        assert settings_of(ctx).problem is None

        clock.move(FIVE_MINUTES)
        sweep(ctx)
        assert len(box.took) == 2

    def test_an_address_the_server_does_not_know_is_given_up_and_said(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        box.refuses.add("ana@example.org")
        urgent(ctx, "c-1")

        for _ in range(5):  # the fifth: the next message waits for an hour
            sweep(ctx)
            clock.move(timedelta(minutes=31))

        assert settings_of(ctx).problem == "the mail server does not take messages for this address"
        with ctx.db.read() as session:
            assert session.scalars(select(Notification.state).where(Notification.kind == "news")).all() == ["dead"]
        assert box.commands.count("RCPT") == 4

    def test_a_server_that_offers_no_encryption_gets_nothing(self, ctx: Context, box: Mailbox) -> None:
        ctx.settings.smtp_url = f"smtp://{box.address}"
        listening(ctx)
        urgent(ctx, "c-1")

        sweep(ctx)

        assert box.took == []
        assert "MAIL" not in box.commands
        assert settings_of(ctx).problem

    def test_a_channel_is_called_by_no_name_of_a_case(self, ctx: Context, receiver: Receiver) -> None:
        listening(ctx, way="slack", address=receiver.url)
        urgent(ctx, "<!channel> & co")

        sweep(ctx)

        body = orjson.loads(receiver.seen[0].body)
        assert "&lt;!channel&gt; &amp; co" in body["text"]
        assert "|Take the first>" in body["text"]
        assert body["unfurl_links"] is False

    def test_a_program_gets_the_facts_signed(self, ctx: Context, receiver: Receiver) -> None:
        listening(ctx, way="webhook", address=receiver.url)
        urgent(ctx, "c-1")

        sweep(ctx)

        one = receiver.seen[0]
        signer = Signer(settings_of(ctx).secret or "")
        assert one.signature == signer.sign(one.id, ctx.clock.now(), one.body.decode())
        body = orjson.loads(one.body)
        assert body["type"] == "reviews.waiting"
        assert [(group["kind"], group["cases"]) for group in body["data"]["groups"]] == [("urgent", 1)]
        assert set(body["data"]["links"]) == {"take", "off", "queue", "settings"}

    def test_what_a_dead_message_would_have_told_is_told_by_the_next(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        listening(ctx)
        box.busy = 4
        urgent(ctx, "c-1")
        for _ in range(4):
            sweep(ctx)
            clock.move(timedelta(minutes=31))
        assert box.took == []

        urgent(ctx, "c-2")
        clock.move(timedelta(minutes=30))
        sweep(ctx)

        assert [subject.split(",")[0] for subject in subjects(box)] == ["Phasegate: 2 urgent"]
        clock.move(timedelta(hours=1))
        sweep(ctx)
        assert len(box.took) == 1

    def test_what_was_on_its_way_to_an_older_address_is_told_at_the_newer(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        ana = listening(ctx)
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        save(ctx, ana, address="other@example.org")
        sweep(ctx)
        confirm(ctx, ana)

        clock.move(FIVE_MINUTES)
        sweep(ctx)

        assert [(message["To"], "1 urgent" in message["Subject"]) for message in box.took] == [
            ("other@example.org", False),
            ("other@example.org", True),
        ]

    def test_a_repeat_that_falls_into_quiet_hours_waits_for_their_end(
        self, ctx: Context, clock: FixedClock, box: Mailbox
    ) -> None:
        clock.set(clock.now().replace(hour=21, minute=57))
        listening(ctx, quiet={"begins": "22:00", "ends": "07:00"})
        box.busy = 1
        urgent(ctx, "c-1")
        sweep(ctx)
        clock.move(FIVE_MINUTES)

        sweep(ctx)
        assert box.commands.count("MAIL") == 1
        clock.move(timedelta(hours=8, minutes=57))
        sweep(ctx)
        assert box.took == []
        clock.move(timedelta(minutes=1))
        sweep(ctx)

        assert len(box.took) == 1

    def test_a_receiver_that_answers_404_is_tried_again_and_it_is_said(self, ctx: Context, clock: FixedClock) -> None:
        with receiving(404) as receiver:
            listening(ctx, way="webhook", address=receiver.url)
            urgent(ctx, "c-1")
            for _ in range(2):
                sweep(ctx)
                clock.move(FIVE_MINUTES)

        assert len(receiver.seen) == 2
        assert settings_of(ctx).confirmed_at is not None
        assert settings_of(ctx).problem == "the receiver answered 404"

    def test_an_address_that_is_gone_is_not_tried_again(self, ctx: Context, clock: FixedClock) -> None:
        with receiving(410) as receiver:
            listening(ctx, way="slack", address=receiver.url)
            urgent(ctx, "c-1")
            for number in range(3):
                sweep(ctx)
                urgent(ctx, f"more-{number}")
                clock.move(FIVE_MINUTES)

        assert len(receiver.seen) == 1
        assert settings_of(ctx).confirmed_at is None
        assert settings_of(ctx).problem == "the receiver answered 410"

    def test_what_was_turned_off_on_the_way_is_not_sent(self, ctx: Context, box: Mailbox) -> None:
        ana = listening(ctx)
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        save(ctx, ana, "none", "")

        tasks.send_notifications(ctx)

        assert box.took == []


class TestLinks:
    @pytest.mark.usefixtures("box")
    def test_the_case_is_taken_once_by_whom_it_was_sent_to(self, ctx: Context) -> None:
        ana, bob = listening(ctx), person(ctx, "bob")
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        found = link(ctx, "take")

        with pytest.raises(service.NotYours):
            take(ctx, found, bob)
        assert take(ctx, found, ana).claimed_by == "ana"
        with pytest.raises(service.LinkOver):
            take(ctx, found, ana)

    @pytest.mark.usefixtures("box")
    def test_pressed_twice_at_once_it_works_once(self, ctx: Context) -> None:
        ana = listening(ctx)
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        found = link(ctx, "take")
        worked: list[ReviewItem] = []

        def press() -> None:
            with contextlib.suppress(service.LinkOver):
                worked.append(take(ctx, found, ana))

        together(press, press, press)

        assert len(worked) == 1

    @pytest.mark.usefixtures("box")
    def test_a_case_that_somebody_else_holds_leaves_the_link_unused(self, ctx: Context) -> None:
        ana, bob = listening(ctx), person(ctx, "bob")
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        with ctx.db.begin() as session:
            reviews.claim_next(session, actor=bob, now=ctx.clock.now(), lease=timedelta(minutes=10))

        with pytest.raises(reviews.AlreadyHeld):
            take(ctx, link(ctx, "take"), ana)

        assert link(ctx, "take").used_at is None

    @pytest.mark.usefixtures("box")
    def test_after_a_day_it_does_nothing(self, ctx: Context, clock: FixedClock) -> None:
        ana = listening(ctx)
        urgent(ctx, "c-1")
        tasks.notify(ctx)
        clock.move(timedelta(days=1))

        with pytest.raises(service.LinkOver):
            take(ctx, link(ctx, "take"), ana)

    def test_no_letter_of_it_can_be_another(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")
        sweep(ctx)
        token = LINK.findall(box.took[0].get_content())[0]

        for place in range(0, len(token), 5):
            other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(service.NoSuchLink), ctx.db.read() as session:
                service.link_of(session, other, secret=ctx.secret)
        with pytest.raises(service.NoSuchLink), ctx.db.read() as session:
            service.link_of(session, token, secret=b"another house")

    def test_the_database_alone_writes_no_link(self, ctx: Context, box: Mailbox) -> None:
        listening(ctx)
        urgent(ctx, "c-1")
        sweep(ctx)
        tokens = LINK.findall(box.took[0].get_content())

        with ctx.db.read() as session:
            stored = [str(row) for table in (Notification, NotificationLink, NotificationSettings)
                      for row in session.execute(select(*table.__table__.columns)).all()]  # fmt: skip
        assert tokens
        assert not [token for token in tokens if any(token in row for row in stored)]

    @pytest.mark.usefixtures("box")
    def test_what_was_told_long_ago_is_forgotten(self, ctx: Context, clock: FixedClock) -> None:
        listening(ctx)
        urgent(ctx, "c-1")
        sweep(ctx)
        clock.move(timedelta(days=31))
        urgent(ctx, "c-2")

        sweep(ctx)
        sweep(ctx)

        with ctx.db.read() as session:
            assert session.scalar(select(func.count()).select_from(Notification)) == 1


def take(ctx: Context, found: NotificationLink, actor: Actor) -> ReviewItem:
    lease, now = timedelta(minutes=10), ctx.clock.now()
    with ctx.db.begin() as session:
        return service.take(session, session.get_one(NotificationLink, found.id), actor=actor, now=now, lease=lease)
