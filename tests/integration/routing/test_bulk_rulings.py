"""One ruling on several cases: what it takes, what is left out, and that it is no evidence of anything."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing.alike import service
from routing.cases.tables import Decision, Label
from routing.people import service as people
from routing.reviews import queries as reviews
from routing.reviews.tables import Opened, ReviewItem, Ruling
from tests import factories
from tests.integration.routing import desk
from web_app import create_app

ALIKE, BULK = "/v1/reviews:alike", "/v1/reviews:bulk-ruling"
REASONS = [{"code": "wrong_value", "words": "A value is wrong", "severity": "major"}]


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    settings: dict[str, Any] = {"undo_seconds": 10, "reasons": REASONS}
    settings["supervision"] = {"blind_share": 0.0, "bulk_most": 4}
    factories.agent(ctx, comparison={"default": "text"}, **settings)
    factories.rollout(ctx, phase=Phase.SUPERVISED)
    factories.person(ctx, "rita", roles=("reviewer",))


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), headers=factories.bearer(ctx, login="rita")) as made:
        yield made


def waiting(ctx: Context, case_id: str, **fields: Any) -> ReviewItem:
    return desk.item_of(ctx, factories.decision(ctx, case_id, **fields).id)


def opened(ctx: Context, client: TestClient, case_id: str, *, seconds: float = 5.0, **fields: Any) -> ReviewItem:
    """A case that Rita had before her for so long and gave back."""
    item = waiting(ctx, case_id, **fields)
    assert client.post(f"/v1/reviews/{item.id}/claim").is_success
    move(ctx, seconds=seconds)
    assert client.post(f"/v1/reviews/{item.id}/release").is_success
    return item


def ask(client: TestClient, *items: ReviewItem, signature: str | None = None, **more: Any) -> dict[str, Any]:
    if signature is None:
        signature = client.get(ALIKE).json()["items"][0]["signature"]
    shown = [{"id": str(item.id), "fingerprint": item.fingerprint} for item in items]
    return {"agent": "claims", "signature": signature, "ruling": "approve", "items": shown} | more


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["problem"]["code"] if item["problem"] else item["status"] for item in answer.json()["items"]]


def move(ctx: Context, **by: float) -> None:
    assert isinstance(ctx.clock, FixedClock)
    ctx.clock.move(timedelta(**by))


def test_cases_of_one_signature_that_were_opened_are_ruled_on_at_once(ctx: Context, client: TestClient) -> None:
    alike = [opened(ctx, client, f"c-{number}", output="yes") for number in range(3)]
    opened(ctx, client, "other", output="no")

    groups = client.get(ALIKE).json()["items"]
    answer = client.post(BULK, json=ask(client, *alike))

    assert [(group["output"], len(group["items"]), group["most"]) for group in groups] == [("yes", 3, 4), ("no", 1, 4)]
    assert outcomes(answer) == ["ruled"] * 3
    assert outcomes(client.post(BULK, json=ask(client, *alike, signature=groups[0]["signature"]))) == ["unchanged"] * 3
    assert [(row.bulk, row.held_seconds, row.verdict) for row in desk.rows(ctx, Ruling)] == [(True, 0.0, "void")] * 3


def test_it_is_no_evidence_of_the_agent_nor_of_the_person_and_stands_in_the_audit_log(
    ctx: Context, client: TestClient
) -> None:
    alike = [opened(ctx, client, f"c-{number}", output="yes") for number in range(2)]
    assert outcomes(client.post(BULK, json=ask(client, *alike))) == ["ruled"] * 2
    rita = Actor("rita", "person", frozenset({"reviewer"}))
    desk.rule(ctx, rita, desk.held(ctx, rita, "by-itself"))
    move(ctx, minutes=1)

    assert desk.conclude(ctx) == 3
    REGISTRY["routing.settle"].run(ctx)

    with ctx.db.read() as session:
        report = people.report(session, people.scope_of("claims", None, None, None, ctx.clock.now()))
        hour = ctx.clock.now() - timedelta(hours=1)
        ruled = [reviews.ruled_since(session, "rita", hour, one_by_one=only) for only in (False, True)]
    assert ruled == [{"approve": 3}, {"approve": 1}]
    assert [(row.person, row.reviews.part, row.reviews.whole) for row in report.reviewers] == [("rita", 0, 1)]
    assert {(row.verdict, row.source) for row in desk.rows(ctx, Label)} == {("void", "bulk"), ("agree", "review")}
    assert sorted((row.outcome, row.label, row.label_source) for row in desk.rows(ctx, Decision)) == [
        ("approved", "agree", "review"), ("approved", "void", "bulk"), ("approved", "void", "bulk"),
    ]  # fmt: skip
    events = [row for row in desk.rows(ctx, AuditEvent) if row.verb == "review.approved"]
    assert Counter(row.detail.get("bulk") for row in events) == {True: 2, None: 1}


def test_one_that_cannot_be_ruled_on_harms_no_other(ctx: Context, client: TestClient) -> None:
    good, held, other = (opened(ctx, client, f"c-{number}", output="yes") for number in range(3))
    unseen = waiting(ctx, "unseen", output="yes")
    signature = client.get(ALIKE).json()["items"][0]["signature"]
    desk.claim(ctx, Actor("ben", "person", frozenset({"reviewer"})), held.id)
    changed = ask(client, good, held, unseen, other, signature=signature)
    changed["items"][3]["fingerprint"] = "0" * 64

    answer = client.post(BULK, json=changed)

    assert outcomes(answer) == ["ruled", "on-the-desk", "not-opened", "shown-otherwise"]
    assert [row.item_id for row in desk.rows(ctx, Ruling)] == [good.id]
    states = {row.case_id: (row.state, row.claimed_by) for row in desk.rows(ctx, ReviewItem)}
    assert states["c-2"] == ("waiting", None)


@pytest.mark.parametrize("special", [{"kind": "audit"}, {"arm": "blind"}, {"level": 2}])
def test_what_asks_for_its_own_look_is_refused_without_saying_why(
    ctx: Context, client: TestClient, special: dict[str, Any]
) -> None:
    item, plain = opened(ctx, client, "c-1", output="yes"), opened(ctx, client, "c-2", output="yes")
    signature = client.get(ALIKE).json()["items"][0]["signature"]
    with ctx.db.begin() as session:
        for name, value in special.items():
            setattr(session.get_one(ReviewItem, item.id), name, value)

    assert [one["case_id"] for one in client.get(ALIKE).json()["items"][0]["items"]] == ["c-2"]
    answer = client.post(BULK, json=ask(client, item, plain, signature=signature))

    assert outcomes(answer) == ["ruled-alone", "ruled"]
    assert answer.json()["items"][0]["problem"]["detail"] == "case c-1 is ruled on by itself"


def test_a_high_risk_and_what_was_opened_yesterday_are_left_out(ctx: Context, client: TestClient) -> None:
    risky, old = opened(ctx, client, "risky", output="yes", risk="high"), opened(ctx, client, "old", output="yes")
    move(ctx, days=1, minutes=1)
    plain = opened(ctx, client, "new", output="yes")
    opened(ctx, client, "risky-2", output="yes", risk="high")

    [group] = client.get(ALIKE).json()["items"]

    assert [one["case_id"] for one in group["items"]] == ["new"]
    asked = ask(client, risky, old, plain, signature=group["signature"])
    assert outcomes(client.post(BULK, json=asked)) == ["not-opened", "not-opened", "ruled"]


def test_another_output_and_too_many_are_refused(ctx: Context, client: TestClient) -> None:
    alike = [opened(ctx, client, f"c-{number}", output="yes") for number in range(5)]
    other = opened(ctx, client, "other", output="no")

    assert outcomes(client.post(BULK, json=ask(client, alike[0], other))) == ["ruled", "another-signature"]
    answer = client.post(BULK, json=ask(client, *alike))
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, "items")
    answer = client.post(BULK, json=ask(client, alike[1], ruling="reject"))  # what is wrong counts, one by one
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, "ruling")


def test_what_was_given_back_before_it_can_have_been_read_was_not_opened(ctx: Context, client: TestClient) -> None:
    quick = opened(ctx, client, "quick", seconds=0.5, output="yes")
    read = opened(ctx, client, "read", output="yes")

    assert outcomes(client.post(BULK, json=ask(client, read, quick))) == ["ruled", "not-opened"]


def test_who_opened_what_is_forgotten_after_a_day(ctx: Context, client: TestClient) -> None:
    opened(ctx, client, "c-1")
    move(ctx, hours=23)
    opened(ctx, client, "c-2")
    move(ctx, hours=2)

    assert REGISTRY["routing.forget_opened"].run(ctx) == 1
    assert len(desk.rows(ctx, Opened)) == 1


def test_each_can_be_undone_and_waits_again(ctx: Context, client: TestClient) -> None:
    one, two = (opened(ctx, client, f"c-{number}", output="yes") for number in range(2))
    client.post(BULK, json=ask(client, one, two))

    assert client.post(f"/v1/reviews/{one.id}/undo").json()["undone"]["ruling"] == "approve"

    assert {row.case_id: row.state for row in desk.rows(ctx, ReviewItem)} == {"c-0": "waiting", "c-1": "approved"}


@pytest.mark.parametrize("kind", ["gold", "second"])
def test_what_looks_like_a_review_is_treated_as_one_and_says_nothing(
    ctx: Context, client: TestClient, kind: str
) -> None:
    """Refusing it would tell which it is."""
    item = opened(ctx, client, "c-1", output="yes")
    signature = client.get(ALIKE).json()["items"][0]["signature"]
    with ctx.db.begin() as session:
        row = session.get_one(ReviewItem, item.id)
        row.kind, row.shown_as = kind, "review"
    decision = desk.decision_of(ctx, item)

    with ctx.db.read() as session:
        entry = desk.snapshot.load(session).agents["claims"]
        seen = session.get_one(ReviewItem, item.id)
        assert not service.asks_for_its_own_look(seen, decision, entry)
        assert service.signature_of(seen, decision) == signature
