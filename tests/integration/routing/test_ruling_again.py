"""A ruling whose answer got lost is sent again: it is the same ruling, with the same answer."""

from datetime import timedelta
from typing import Any

import pytest

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from routing.reviews import service
from routing.reviews.tables import Ruling
from tests import factories
from tests.integration.review_ui import house
from tests.integration.routing.desk import conclude, held, rows, rule, undo

WINDOW = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def claims(ctx: Context) -> None:
    factories.agent(ctx, undo_seconds=10)
    factories.rollout(ctx)


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@pytest.mark.parametrize(
    ("ruling", "said"),
    [
        ("approve", {}),
        ("edit", {"output": {"amount": 12.0}}),
        ("reject", {"reason_code": "harmful", "note": "see page 2"}),
        ("escalate", {"note": "not sure"}),
    ],
)
def test_the_same_again_is_the_same_ruling_in_the_window_and_after_it(
    ctx: Context, clock: FixedClock, alice: Actor, ruling: str, said: dict[str, Any]
) -> None:
    item = held(ctx, alice)
    first = rule(ctx, alice, item, ruling, **said)
    clock.move(timedelta(seconds=4))

    assert rule(ctx, alice, item, ruling, **said).id == first.id
    clock.move(WINDOW)
    conclude(ctx)
    assert rule(ctx, alice, item, ruling, **said).id == first.id

    assert len(rows(ctx, Ruling)) == 1
    assert [event.verb for event in rows(ctx, AuditEvent)].count(f"review.{service.ENDS[first.ruling]}") == 1


@pytest.mark.parametrize(
    "other",
    [
        {"ruling": "approve"},
        {"reason_code": "wrong"},
        {"note": "another note"},
        {"fingerprint": "0" * 64},
    ],
)
def test_anything_else_is_refused(ctx: Context, alice: Actor, other: dict[str, Any]) -> None:
    item = held(ctx, alice)
    said: dict[str, Any] = {"ruling": "reject", "reason_code": "harmful"}
    rule(ctx, alice, item, **said)

    with pytest.raises((service.AlreadyEnded, service.ShownOtherwise)):
        rule(ctx, alice, item, **(said | other))


def test_another_edit_is_refused(ctx: Context, alice: Actor) -> None:
    item = held(ctx, alice)
    rule(ctx, alice, item, "edit", output={"amount": 12})

    with pytest.raises(service.AlreadyEnded):
        rule(ctx, alice, item, "edit", output={"amount": 13})


def test_the_same_words_of_somebody_else_are_refused(ctx: Context, alice: Actor) -> None:
    item = held(ctx, alice)
    rule(ctx, alice, item)

    with pytest.raises(service.AlreadyEnded):
        rule(ctx, factories.actor(ctx, "bob", roles=("reviewer",)), item)


def test_of_what_was_undone_or_replaced_meanwhile_nothing_is_repeated(ctx: Context, alice: Actor) -> None:
    item = held(ctx, alice)
    first = rule(ctx, alice, item)
    undo(ctx, alice, item)

    second = rule(ctx, alice, item)
    assert second.id != first.id
    factories.decision(ctx, attempt=2, output="no")
    with pytest.raises(service.AlreadyEnded, match="superseded"):
        rule(ctx, alice, item)


def test_the_api_answers_200_with_the_same_body_while_it_can_be_undone_and_says_when_it_no_longer_can(
    ctx: Context, clock: FixedClock
) -> None:
    factories.decision(ctx, "c-1")
    factories.person(ctx, "alice", roles=("reviewer",))
    with house.client(ctx) as client:
        key = factories.bearer(ctx, login="alice")
        shown = client.post("/v1/queue/claim", headers=key, json={}).json()
        address, said = f"/v1/reviews/{shown['id']}/ruling", {"ruling": "approve", "fingerprint": shown["fingerprint"]}
        first = client.post(address, headers=key, json=said)
        clock.move(timedelta(seconds=4))
        again = client.post(address, headers=key, json=said)
        clock.move(WINDOW)
        conclude(ctx)
        late = client.post(address, headers=key, json=said)

        assert (first.status_code, again.status_code, late.status_code) == (201, 200, 200)
        assert again.json() == first.json()
        assert late.json() == first.json() | {"undo_until": None}
        assert client.post(address, headers=key, json=said | {"note": "no"}).status_code == 409
