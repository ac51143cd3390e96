"""Break-glass as the router and the webhooks see it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from governance.people.service import actor_of
from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import Phase
from rollout.gates import glass
from rollout.gates import tasks as gates_tasks
from rollout.versions import queries as version_queries
from rollout.versions.tables import PhaseChange
from routing import tasks
from routing.delivery import service
from routing.delivery.tables import OutboxMessage, Webhook
from tests import factories
from tests.racing import together
from tests.receiver import receiving

WHY = "half of the reviewers are ill"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.person(ctx, "mara")
    factories.agent(ctx, owner="mara")
    factories.rollout(ctx, phase=Phase.SHADOW)
    ctx.settings.webhooks_allow_private = True  # the receiver is on this machine


def webhook(ctx: Context, agent: str = "claims", url: str = "http://127.0.0.1:9/", *, active: bool = True) -> Webhook:
    with ctx.db.begin() as session:
        row = Webhook(agent=agent, url=url, secret=SECRET, active=active, created_at=ctx.clock.now(), created_by="mara")
        session.add(row)
    return row


def break_glass(ctx: Context) -> PhaseChange:
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "claims", "v1")
        mara = actor_of(factories.people.queries.get_person(session, "mara"))
        return glass.break_glass(session, rollout, actor=mara, now=ctx.clock.now(), reason=WHY, hours=4)


def messages(ctx: Context) -> list[OutboxMessage]:
    with ctx.db.read() as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


def alert(ctx: Context) -> Any:
    return tasks.follow_rollouts(ctx)


class TestEveryoneIsTold:
    def test_every_active_webhook_of_the_agent_and_no_other(self, ctx: Context) -> None:
        one, two = webhook(ctx), webhook(ctx)
        webhook(ctx, active=False)
        factories.agent(ctx, "letters")
        webhook(ctx, "letters")
        change = break_glass(ctx)

        alert(ctx)

        told = messages(ctx)
        assert {message.subject for message in told} == {str(one.id), str(two.id)}
        assert {(message.kind, message.agent, message.state) for message in told} == {
            ("rollout.glass_broken", "claims", "waiting")
        }
        body = told[0].body
        assert (body["type"], body["data"]["agent"], body["data"]["version"]) == (
            "rollout.glass_broken",
            "claims",
            "v1",
        )
        assert (body["data"]["by"], body["data"]["reason"], body["data"]["id"]) == ("mara", WHY, str(change.id))
        assert (body["data"]["left"], body["data"]["entered"]) == ("shadow", "supervised")
        assert body["data"]["glass_until"] == "2026-01-05T13:00:00Z"

    def test_once_however_often_the_sweep_comes(self, ctx: Context, clock: FixedClock) -> None:
        webhook(ctx)
        break_glass(ctx)

        for _ in range(3):
            alert(ctx)
            clock.move(timedelta(hours=1))

        assert len(messages(ctx)) == 1

    def test_once_by_four_workers_in_the_same_moment(self, ctx: Context) -> None:
        webhook(ctx)
        webhook(ctx)
        break_glass(ctx)

        def tell() -> int:
            with ctx.db.begin() as session:
                return service.tell_of_glass(session, now=ctx.clock.now())

        results = together(*[tell] * 4)

        assert sum(results) == 2
        assert len(messages(ctx)) == 2

    def test_late_after_an_outage_and_with_the_time_of_the_breaking(self, ctx: Context, clock: FixedClock) -> None:
        webhook(ctx)
        break_glass(ctx)
        clock.move(timedelta(days=5))
        gates_tasks.end_break_glass(ctx)

        alert(ctx)

        assert [message.body["timestamp"] for message in messages(ctx)] == ["2026-01-05T09:00:00Z"]
        assert messages(ctx)[0].due_at == clock.now()

    def test_again_when_it_is_broken_again(self, ctx: Context, clock: FixedClock) -> None:
        webhook(ctx)
        break_glass(ctx)
        alert(ctx)
        clock.move(timedelta(hours=5))

        break_glass(ctx)
        alert(ctx)

        assert len(messages(ctx)) == 2

    def test_not_a_webhook_that_was_added_later(self, ctx: Context, clock: FixedClock) -> None:
        break_glass(ctx)
        clock.move(timedelta(minutes=1))
        webhook(ctx)

        alert(ctx)

        assert messages(ctx) == []

    def test_by_a_signed_message(self, ctx: Context) -> None:
        with receiving() as receiver:
            webhook(ctx, url=receiver.url)
            break_glass(ctx)
            alert(ctx)

            assert (tasks.deliver(ctx), tasks.deliver(ctx)) == (1, 0)

        assert [(sent.id, json.loads(sent.body)["type"]) for sent in receiver.seen] == [
            (str(messages(ctx)[0].id), "rollout.glass_broken")
        ]
        assert messages(ctx)[0].state == "delivered"


class TestRouting:
    def test_goes_back_at_its_time_while_no_worker_is_there(self, ctx: Context, clock: FixedClock) -> None:
        break_glass(ctx)
        clock.move(timedelta(hours=4) - timedelta(microseconds=1))
        during = factories.decision(ctx, "c-1")
        clock.move(timedelta(microseconds=1))

        after = factories.decision(ctx, "c-2")

        assert (during.route, during.phase) == ("review", "supervised")
        assert (after.route, after.phase) == ("shadow", "shadow")
        assert after.policy_revision == during.policy_revision

    def test_what_waited_for_a_ruling_goes_to_people_when_it_ends(self, ctx: Context, clock: FixedClock) -> None:
        break_glass(ctx)
        factories.decision(ctx, "c-1")
        clock.move(timedelta(hours=4))
        gates_tasks.end_break_glass(ctx)

        assert alert(ctx) == 1
