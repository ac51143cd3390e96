import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from kit.clock import FixedClock, SystemClock
from kit.context import Context
from kit.ids import new_id
from kit.tasks import REGISTRY
from routing import tasks
from routing.cases.tables import Decision
from routing.delivery import service
from routing.delivery.courier import Courier
from routing.delivery.service import Parcel
from routing.delivery.tables import OutboxMessage, Webhook
from tests import factories
from tests.conftest import START
from tests.racing import together
from tests.receiver import Receiver, receiving
from web_app import create_app

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the vector below, published with the specification


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    ctx.settings.webhooks_allow_private = True  # the receivers are on this machine


def webhook(ctx: Context, url: str) -> Webhook:
    with ctx.db.begin() as session:
        row = Webhook(agent="claims", url=url, secret=SECRET, active=True, created_at=ctx.clock.now(), created_by="t")
        session.add(row)
    return row


def tell(ctx: Context, case_id: str = "c-1", **fields: Any) -> Decision:
    row = factories.decision(ctx, case_id, **fields)
    with ctx.db.begin() as session:
        found = session.get_one(Decision, row.id)
        found.outcome, found.outcome_at, found.outcome_output = "approved", ctx.clock.now(), found.output
        service.tell(session, found, kind="decision.ruled", now=ctx.clock.now())
    return row


def deliver(ctx: Context) -> int:
    return REGISTRY["routing.deliver"].run(ctx)


def messages(ctx: Context) -> list[OutboxMessage]:
    with ctx.db.read() as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


def test_a_message_is_signed_as_the_published_vector_is() -> None:
    # The vector's id is no UUID; the signature is over whatever stands in the header.
    with receiving() as receiver:
        parcel = Parcel("msg_p5jXN8AQM9LWM0D4loKWxJek", new_id(), receiver.url, SECRET, b'{"test": 2432232314}')  # type: ignore[arg-type]
        service.send(Courier(allow_private=True), parcel, now=datetime.fromtimestamp(1614265330, UTC))

    (seen,) = receiver.seen
    assert (seen.signature, seen.timestamp) == ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330")
    assert seen.body == b'{"test": 2432232314}'


class TestDelivery:
    def test_brings_the_decision_with_its_outcome_signed(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        clock, ctx.clock = ctx.clock, SystemClock()  # the verifier looks at the machine's clock
        row = tell(ctx)

        assert deliver(ctx) == 1

        ctx.clock = clock
        receiver.verify(SECRET)
        (message,) = messages(ctx)
        body = json.loads(receiver.seen[0].body)
        assert (message.state, message.attempts, message.last_error) == ("delivered", 1, None)
        assert receiver.seen[0].id == str(message.id)
        assert (body["type"], body["data"]["id"], body["data"]["outcome"]["output"]) == (
            "decision.ruled", str(row.id), "yes",
        )  # fmt: skip

    def test_comes_once(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        tell(ctx)

        assert (deliver(ctx), deliver(ctx)) == (1, 0)
        assert len(receiver.seen) == 1

    def test_takes_as_many_as_are_due_in_one_run(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        for number in range(23):
            tell(ctx, f"c-{number}")

        assert deliver(ctx) == 23
        assert {message.state for message in messages(ctx)} == {"delivered"}

    def test_from_four_workers_at_once_comes_once_each(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        for number in range(20):
            tell(ctx, f"c-{number}")

        results = together(*[lambda: deliver(ctx)] * 4)

        assert sum(results) == 20
        assert len(receiver.seen) == len(receiver.contents()) == 20

    def test_goes_to_every_webhook_of_the_agent_under_ids_of_their_own(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        webhook(ctx, receiver.url + "/second")
        tell(ctx)

        deliver(ctx)

        assert len(receiver.contents()) == 2

    def test_carries_any_output_over_both_databases(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        output = {"b": 1e300, "a": ["ä😀", None, 2**63 - 1, {"z": 1, "y": 2}], "": "empty"}
        tell(ctx, output=output)

        deliver(ctx)

        assert json.loads(receiver.seen[0].body)["data"]["outcome"]["output"] == output


class TestRepeating:
    def test_after_an_error_comes_again_with_the_same_id_and_body(
        self, ctx: Context, clock: FixedClock, receiver: Receiver
    ) -> None:
        receiver.answers = [500, 503, 204]
        webhook(ctx, receiver.url)
        tell(ctx)

        for wait in (0, 5, 300):
            clock.move(timedelta(seconds=wait))
            assert deliver(ctx) == 1

        (message,) = messages(ctx)
        assert (message.state, message.attempts) == ("delivered", 3)
        assert [one.status for one in receiver.seen] == [500, 503, 204]
        assert [len(bodies) for bodies in receiver.contents().values()] == [1]

    def test_one_that_came_late_is_known_by_its_timestamp_which_no_repeat_changes(
        self, ctx: Context, clock: FixedClock, receiver: Receiver
    ) -> None:
        """As the guide tells receivers to find out what is newer of two messages on one decision."""
        receiver.answers = [500, 204, 204]
        webhook(ctx, receiver.url)
        row = tell(ctx)
        deliver(ctx)
        clock.move(timedelta(seconds=1))
        with ctx.db.begin() as session:
            found = session.get_one(Decision, row.id)
            service.tell(session, found, kind="decision.adjudicated", now=ctx.clock.now())
        deliver(ctx)
        clock.move(timedelta(seconds=300))
        deliver(ctx)

        bodies = [json.loads(one.body) for one in receiver.seen]
        assert [body["type"] for body in bodies] == ["decision.ruled", "decision.adjudicated", "decision.ruled"]
        happened = [datetime.fromisoformat(body["timestamp"]) for body in bodies]
        assert happened[0] == happened[2] < happened[1], "when it happened, not when it came"
        assert [int(one.timestamp) for one in receiver.seen] == [int(START.timestamp()) + s for s in (0, 1, 301)]
        assert [one.id for one in receiver.seen] == [receiver.seen[n].id for n in (0, 1, 0)]
        assert {(body["data"]["id"], body["data"]["case_id"], body["data"]["attempt"]) for body in bodies} == {
            (str(row.id), "c-1", 1)
        }
        assert bodies[0]["data"]["outcome"]["at"].startswith("2026-01-05T09:00:00")

    def test_does_not_come_before_its_time(self, ctx: Context, clock: FixedClock, receiver: Receiver) -> None:
        receiver.answers = [500]
        webhook(ctx, receiver.url)
        tell(ctx)
        deliver(ctx)
        clock.move(timedelta(seconds=4))

        assert deliver(ctx) == 0

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
    def test_anything_but_success_is_no_success(self, ctx: Context, receiver: Receiver, status: int) -> None:
        receiver.answers = [status]
        webhook(ctx, receiver.url)
        tell(ctx)

        deliver(ctx)

        (message,) = messages(ctx)
        assert (message.state, message.last_error) == ("waiting", f"the receiver answered {status}")
        assert len(receiver.seen) == 1

    def test_ends_after_ten_tries(self, ctx: Context, clock: FixedClock, receiver: Receiver) -> None:
        receiver.answers = [500]
        webhook(ctx, receiver.url)
        tell(ctx)

        tries = 0
        for _ in range(12):
            tries += deliver(ctx)
            clock.move(timedelta(days=2))

        assert (tries, messages(ctx)[0].state) == (10, "dead")
        assert len(receiver.contents()) == 1

    def test_gone_means_no_more_for_ever(self, ctx: Context, clock: FixedClock, receiver: Receiver) -> None:
        receiver.answers = [410]
        row = webhook(ctx, receiver.url)
        tell(ctx, "c-1")
        deliver(ctx)
        tell(ctx, "c-2")
        clock.move(timedelta(days=1))

        assert deliver(ctx) == 0

        with ctx.db.read() as session:
            assert not session.get_one(Webhook, row.id).active
        assert [message.state for message in messages(ctx)] == ["nobody"]

    def test_what_waited_for_a_webhook_that_went_is_put_aside(self, ctx: Context, receiver: Receiver) -> None:
        row = webhook(ctx, receiver.url)
        tell(ctx)
        with ctx.db.begin() as session:
            session.get_one(Webhook, row.id).active = False

        deliver(ctx)

        assert (messages(ctx)[0].state, receiver.seen) == ("nobody", [])

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no.such.host.invalid/", "http://[::1", "nonsense"])
    def test_an_address_where_nobody_is_hinders_no_other(self, ctx: Context, receiver: Receiver, url: str) -> None:
        webhook(ctx, url)
        webhook(ctx, receiver.url)
        tell(ctx)

        deliver(ctx)

        assert sorted(message.state for message in messages(ctx)) == ["delivered", "waiting"]
        assert len(receiver.seen) == 1
        assert next(message.last_error for message in messages(ctx) if message.state == "waiting")


class TestSlowReceivers:
    @pytest.fixture
    def hanging(self) -> Iterator[str]:
        """Takes connections and never says a word."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"

    def test_one_that_hangs_lets_the_messages_of_others_go_first(
        self, ctx: Context, clock: FixedClock, receiver: Receiver, hanging: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "_PER_MESSAGE", 0.2)
        webhook(ctx, hanging)
        webhook(ctx, receiver.url)
        for number in range(4):
            tell(ctx, f"c-{number}")

        assert deliver(ctx) == 5

        found = messages(ctx)
        assert sorted(message.state for message in found) == ["delivered"] * 4 + ["waiting"] * 4
        assert sorted(message.attempts for message in found if message.state == "waiting") == [0, 0, 0, 1]
        assert "did not answer within" in next(message.last_error or "" for message in found if message.attempts == 1)
        clock.move(timedelta(seconds=5))
        assert deliver(ctx) == 1  # what was put back comes up again, and so on

    def test_a_run_ends_in_time_however_many_hang(
        self, ctx: Context, hanging: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "_PER_MESSAGE", 0.2)
        monkeypatch.setattr(tasks, "_NO_MORE_AFTER", 0.3)
        for number in range(10):
            webhook(ctx, f"{hanging}/{number}")
        tell(ctx)

        assert deliver(ctx) == 2
        assert sum(message.attempts for message in messages(ctx)) == 2  # the others are not taken and wait their turn

    def test_a_message_is_held_for_longer_than_it_may_take(self) -> None:
        assert service._TAKEN_FOR.total_seconds() > 2 * tasks._PER_MESSAGE
        assert tasks._NO_MORE_AFTER + tasks._PER_MESSAGE <= 30


class TestAddresses:
    def test_inside_the_own_network_get_nothing(self, ctx: Context, receiver: Receiver) -> None:
        ctx.settings.webhooks_allow_private = False
        webhook(ctx, receiver.url)
        webhook(ctx, receiver.url.replace("http://127.0.0.1", "https://localhost"))
        tell(ctx)

        deliver(ctx)

        assert receiver.seen == []
        assert [message.last_error for message in messages(ctx)] == [
            "the address is not https",
            "ConnectError: localhost leads to 127.0.0.1, which is inside a private network",
        ]

    @pytest.mark.parametrize(
        ("url", "private", "status"),
        [
            ("https://hooks.example.com/in", False, 201),
            ("http://hooks.example.com/in", False, 422),
            ("https://me:secret@hooks.example.com/in", False, 422),
            ("https://192.168.1.7/in", False, 422),
            ("https://[::ffff:127.0.0.1]/in", False, 422),
            ("http://127.0.0.1:8080/in", True, 201),
            ("http://me@127.0.0.1:8080/in", True, 422),
        ],
    )
    def test_are_looked_at_when_they_are_registered(self, ctx: Context, url: str, private: bool, status: int) -> None:
        ctx.settings.webhooks_allow_private = private
        factories.person(ctx, "admin", roles=("admin",))
        app = TestClient(create_app(ctx), headers=factories.bearer(ctx, login="admin"))

        answer = app.post("/v1/agents/claims/webhooks", json={"url": url})

        assert answer.status_code == status
        if status == 422:
            assert [place["place"] for place in answer.json()["errors"]] == ["url"]


class TestCrash:
    def test_between_sending_and_recording_repeats_the_same_message(
        self, ctx: Context, clock: FixedClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webhook(ctx, receiver.url)
        tell(ctx)

        def killed(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("routing.delivery.service.record_sent", killed)
            with pytest.raises(KeyboardInterrupt):
                deliver(ctx)
        assert deliver(ctx) == 0  # it is still held by the worker that died
        clock.move(timedelta(minutes=2))

        assert deliver(ctx) == 1

        assert len(receiver.seen) == 2
        assert [len(bodies) for bodies in receiver.contents().values()] == [1]
        assert messages(ctx)[0].state == "delivered"

    def test_an_answer_that_comes_too_late_changes_nothing(self, ctx: Context, receiver: Receiver) -> None:
        webhook(ctx, receiver.url)
        tell(ctx)
        deliver(ctx)
        (message,) = messages(ctx)

        with ctx.db.begin() as session:
            late = service.Sent(message.id, UUID(message.subject), 500, "the receiver answered 500")
            service.record_sent(session, late, now=ctx.clock.now())

        assert messages(ctx)[0].state == "delivered"
