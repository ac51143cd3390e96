from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Conflict, Forbidden, Invalid
from kit.ids import new_id
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing import snapshot
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.schemas import decision_out
from routing.cases.tables import Decision, Label
from routing.delivery.tables import OutboxMessage, Webhook
from routing.reviews import bulk, service
from routing.reviews.bulk import Recorded
from routing.reviews.dealing.lines import Narrow
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem, Ruling
from tests import factories
from tests.integration.routing import desk
from tests.racing import together

LEASE = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, output_schema={"type": "string", "maxLength": 10})
    factories.rollout(ctx)


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@pytest.fixture
def bob(ctx: Context) -> Actor:
    return factories.actor(ctx, "bob", roles=("reviewer",))


@pytest.fixture
def lead(ctx: Context) -> Actor:
    return factories.actor(ctx, "lena", roles=("lead",))


def webhook(ctx: Context, agent: str = "claims") -> None:
    with ctx.db.begin() as session:
        session.add(
            Webhook(
                agent=agent,
                url="http://localhost:9/",
                secret="whsec_" + "A" * 32,
                active=True,
                created_at=ctx.clock.now(),
                created_by="tests",
            )
        )


def claim_next(ctx: Context, actor: Actor, **narrowed: Any) -> ReviewItem | None:
    with ctx.db.begin() as session:
        return service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE, **narrowed)


def claim(ctx: Context, actor: Actor, item_id: UUID) -> ReviewItem:
    with ctx.db.begin() as session:
        return service.claim(session, item_id, actor=actor, now=ctx.clock.now(), lease=LEASE)


def rule(ctx: Context, actor: Actor, item: ReviewItem, ruling: Any = "approve", **said: Any) -> Ruling:
    said = {"fingerprint": item.fingerprint} | said
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[item.agent]
        return service.rule(session, item.id, Said(ruling, **said), agent=agent, actor=actor, now=ctx.clock.now())


def held(ctx: Context, actor: Actor, case_id: str = "c-1", **fields: Any) -> ReviewItem:
    """A new case, held by this person."""
    decision = factories.decision(ctx, case_id, **fields)
    return claim(ctx, actor, only_item(ctx, decision.id).id)


def only_item(ctx: Context, decision_id: UUID, level: int = 1) -> ReviewItem:
    with ctx.db.read() as session:
        wanted = select(ReviewItem).where(ReviewItem.decision_id == decision_id, ReviewItem.level == level)
        return session.scalars(wanted).one()


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))


def everything(ctx: Context) -> dict[str, int]:
    """How many rows a ruling may leave behind, by table."""
    tables = (Ruling, Label, OutboxMessage, AuditEvent, ReviewItem)
    with ctx.db.read() as session:
        return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


class TestClaimNext:
    def test_hands_out_what_is_due_first(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        first = factories.decision(ctx, "c-2")
        clock.move(timedelta(minutes=1))
        factories.decision(ctx, "c-1")

        item = claim_next(ctx, alice)

        assert item is not None
        assert (item.decision_id, item.claimed_by, item.claimed_until) == (first.id, "alice", clock.now() + LEASE)

    def test_hands_out_urgent_ones_before_older_ones(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        factories.rollout(ctx, version="v2", review_risks=["high"])
        factories.decision(ctx, "c-1")
        clock.move(timedelta(hours=1))
        urgent = factories.decision(ctx, "c-2", version="v2", risk="high")

        item = claim_next(ctx, alice)

        assert item is not None
        assert item.decision_id == urgent.id

    def test_gives_the_one_already_held_and_holds_it_longer(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        factories.store(ctx, factories.case("c-1"), factories.case("c-2"))
        first = claim_next(ctx, alice)
        clock.move(timedelta(minutes=5))

        again = claim_next(ctx, alice)

        assert first is not None
        assert again is not None
        assert (again.id, again.claimed_until) == (first.id, clock.now() + LEASE)

    def test_gives_two_people_two_cases_and_the_third_nothing(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        factories.store(ctx, factories.case("c-1"), factories.case("c-2"))

        items = [claim_next(ctx, actor) for actor in (alice, bob, factories.actor(ctx, roles=("reviewer",)))]

        assert len({item.id for item in items if item}) == 2
        assert items[2] is None

    def test_narrows_to_one_agent(self, ctx: Context, alice: Actor) -> None:
        factories.agent(ctx, "refunds")
        factories.rollout(ctx, "refunds")
        factories.decision(ctx, "c-1")
        wanted = factories.decision(ctx, "c-1", agent="refunds")

        item = claim_next(ctx, alice, narrow=Narrow("refunds"))

        assert item is not None
        assert item.decision_id == wanted.id

    def test_leaves_the_second_line_to_those_who_may(self, ctx: Context, alice: Actor, lead: Actor) -> None:
        rule(ctx, alice, held(ctx, alice), "escalate")

        for_alice, for_lead = claim_next(ctx, alice), claim_next(ctx, lead)

        assert for_alice is None
        assert for_lead is not None
        assert for_lead.level == 2

    def test_of_eight_people_nobody_gets_what_another_holds(self, ctx: Context) -> None:
        people = [factories.actor(ctx, f"reviewer-{n}", roles=("reviewer",)) for n in range(8)]
        factories.store(ctx, *[factories.case(f"c-{n}") for n in range(40)])
        ruled: list[tuple[str, UUID]] = []

        def work(person: Actor) -> None:
            for _ in range(5):
                item = claim_next(ctx, person)
                assert item is not None
                assert item.claimed_by == person.name
                rule(ctx, person, item)
                ruled.append((person.name, item.id))

        failures = [found for found in together(*[lambda one=one: work(one) for one in people]) if found is not None]

        assert failures == []
        assert len({item for _, item in ruled}) == len(ruled) == 40
        assert {row.state for row in rows(ctx, ReviewItem)} == {"approved"}
        assert len(rows(ctx, Ruling)) == 40

    def test_of_eight_people_one_gets_the_only_case(self, ctx: Context) -> None:
        factories.decision(ctx)
        people = [factories.actor(ctx, f"reviewer-{n}", roles=("reviewer",)) for n in range(8)]

        items = together(*[lambda one=one: claim_next(ctx, one) for one in people])

        assert len([item for item in items if isinstance(item, ReviewItem)]) == 1
        assert [item for item in items if isinstance(item, Exception)] == []


class TestClaimOne:
    def test_again_of_ones_own_case_still_counts_from_the_first_time(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        first = held(ctx, alice)
        clock.move(LEASE / 2)

        again = claim(ctx, alice, first.id)

        assert (again.claimed_at, again.claimed_until) == (first.claimed_at, clock.now() + LEASE)

    def test_after_the_lease_ran_out_counts_anew(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        first = held(ctx, alice)
        clock.move(2 * LEASE)

        assert claim(ctx, alice, first.id).claimed_at == clock.now()

    def test_names_who_holds_it_and_until_when(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)

        with pytest.raises(service.AlreadyHeld, match="alice") as refused:
            claim(ctx, bob, item.id)

        assert refused.value.extra["held_by"] == "alice"
        assert refused.value.extra["held_until"]

    def test_again_by_the_holder_holds_it_longer(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        item = held(ctx, alice)
        clock.move(timedelta(minutes=9))

        assert claim(ctx, alice, item.id).claimed_until == clock.now() + LEASE

    def test_one_that_has_ended_is_refused(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)

        with pytest.raises(service.AlreadyEnded, match="approved"):
            claim(ctx, bob, item.id)

    def test_one_of_the_second_line_is_refused_and_stays_free(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        first = held(ctx, alice)
        rule(ctx, alice, first, "escalate")
        second = only_item(ctx, first.decision_id, level=2)

        with pytest.raises(Forbidden):
            claim(ctx, bob, second.id)

        assert only_item(ctx, first.decision_id, level=2).claimed_by is None

    def test_of_eight_people_one_wins(self, ctx: Context) -> None:
        item = only_item(ctx, factories.decision(ctx).id)
        people = [factories.actor(ctx, f"reviewer-{n}", roles=("reviewer",)) for n in range(8)]

        results = together(*[lambda one=one: claim(ctx, one, item.id) for one in people])

        kinds = sorted(type(found).__name__ for found in results)
        assert kinds == ["AlreadyHeld"] * 7 + ["ReviewItem"]


class TestLease:
    def test_lasts_to_its_last_moment(self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        clock.move(LEASE)

        with pytest.raises(service.AlreadyHeld):
            claim(ctx, bob, item.id)

    def test_that_ran_out_lets_another_have_it(self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        clock.move(LEASE + timedelta(microseconds=1))

        taken = claim(ctx, bob, item.id)

        assert taken.claimed_by == "bob"
        with pytest.raises(service.AlreadyHeld):
            rule(ctx, alice, item)

    def test_that_ran_out_is_given_back_by_the_sweep(
        self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor
    ) -> None:
        lost, kept = held(ctx, alice, "c-1"), held(ctx, bob, "c-2")
        clock.move(LEASE)
        claim(ctx, bob, kept.id)
        clock.move(timedelta(seconds=1))

        released = REGISTRY["routing.release_expired"].run(ctx)

        assert released == 1
        assert only_item(ctx, lost.decision_id).claimed_by is None
        assert only_item(ctx, kept.decision_id).claimed_by == "bob"

    def test_that_ran_out_unnoticed_still_lets_the_holder_rule(
        self, ctx: Context, clock: FixedClock, alice: Actor
    ) -> None:
        item = held(ctx, alice)
        clock.move(2 * LEASE)

        assert rule(ctx, alice, item).held_seconds == 1200

    def test_is_renewed_by_a_sign_of_life(self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        clock.move(timedelta(minutes=9))
        with ctx.db.begin() as session:
            service.renew(session, item.id, actor=alice, now=clock.now(), lease=LEASE)
        clock.move(timedelta(minutes=9))

        with pytest.raises(service.AlreadyHeld):
            claim(ctx, bob, item.id)

    def test_of_somebody_else_cannot_be_renewed(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)

        with pytest.raises(service.AlreadyHeld), ctx.db.begin() as session:
            service.renew(session, item.id, actor=bob, now=ctx.clock.now(), lease=LEASE)

    def test_is_given_back_by_hand(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)
        desk.release(ctx, alice, item)

        assert claim(ctx, bob, item.id).claimed_by == "bob"

    def test_of_somebody_else_cannot_be_given_back(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)

        with pytest.raises(service.AlreadyHeld):
            desk.release(ctx, bob, item)

    def test_that_nobody_has_can_neither_be_renewed_nor_given_back(self, ctx: Context, alice: Actor) -> None:
        item = only_item(ctx, factories.decision(ctx).id)

        with pytest.raises(service.NotHeld), ctx.db.begin() as session:
            service.renew(session, item.id, actor=alice, now=ctx.clock.now(), lease=LEASE)
        with pytest.raises(service.NotHeld):
            desk.release(ctx, alice, item)


class TestRuling:
    @pytest.mark.parametrize(
        ("ruling", "said", "outcome", "output", "label"),
        [
            ("approve", {}, "approved", "yes", ("agree", None)),
            ("edit", {"output": "no"}, "edited", "no", ("override", "major")),
            ("edit", {"output": "YES"}, "edited", "YES", ("override", "major")),
            ("reject", {"reason_code": "wrong"}, "rejected", None, ("override", "major")),
            ("reject", {"reason_code": "harmful"}, "rejected", None, ("override", "severe")),
            ("reject", {"reason_code": "style"}, "rejected", None, ("override", "minor")),
        ],
    )
    def test_ends_the_item_and_says_what_came_of_it(
        self, ctx: Context, alice: Actor, ruling: str, said: Any, outcome: str, output: Any, label: Any
    ) -> None:
        item = held(ctx, alice)

        rule(ctx, alice, item, ruling, note="seen", **said)

        with ctx.db.read() as session:
            decision = session.get_one(Decision, item.decision_id)
            ended = session.get_one(ReviewItem, item.id)
        (given,) = rows(ctx, Label)
        assert (ended.state, ended.ended_at) == (outcome, ctx.clock.now())
        assert (decision.outcome, decision.outcome_output, decision.outcome_at) == (outcome, output, ctx.clock.now())
        assert decision.outcome_detail == {"by": "alice", "reason_code": said.get("reason_code"), "note": "seen"}
        assert decision.output == "yes"
        assert decision.unsettled
        assert (given.verdict, given.severity, given.source, given.person) == (*label, "review", "alice")

    def test_is_recorded_and_told_in_one_go(self, ctx: Context, alice: Actor) -> None:
        webhook(ctx)
        item = held(ctx, alice)

        ruling = rule(ctx, alice, item)

        (message,) = rows(ctx, OutboxMessage)
        events = [event for event in rows(ctx, AuditEvent) if event.verb == "review.approved"]
        assert (message.kind, message.state, message.body["data"]["outcome"]["state"]) == (
            "decision.ruled", "waiting", "approved",
        )  # fmt: skip
        assert [(event.actor, event.subject) for event in events] == [("alice", str(item.id))]
        assert (ruling.login, ruling.item_id, ruling.fingerprint) == ("alice", item.id, item.fingerprint)
        assert events[0].detail["fingerprint"] == item.fingerprint
        assert "output_sha256" not in events[0].detail

    def test_of_what_was_edited_puts_the_edit_under_the_seal(self, ctx: Context, alice: Actor) -> None:
        rule(ctx, alice, held(ctx, alice), "edit", output="no")

        [event] = [event for event in rows(ctx, AuditEvent) if event.verb == "review.edited"]
        assert event.detail["output_sha256"] == sha256(b'"no"').hexdigest()

    def test_that_fails_on_its_way_leaves_nothing_behind(
        self, ctx: Context, alice: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webhook(ctx)
        item = held(ctx, alice)
        before = everything(ctx)

        def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("the outbox is full")

        monkeypatch.setattr("routing.delivery.service.tell", broken)
        with pytest.raises(RuntimeError):
            rule(ctx, alice, item)

        assert everything(ctx) == before
        assert only_item(ctx, item.decision_id).state == "waiting"
        with ctx.db.read() as session:
            assert session.get_one(Decision, item.decision_id).outcome is None

    def test_for_something_else_than_was_shown_is_refused(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)

        with pytest.raises(service.ShownOtherwise):
            rule(ctx, alice, item, fingerprint="0" * 64)

        assert rows(ctx, Ruling) == []

    def test_of_what_nobody_holds_is_refused(self, ctx: Context, alice: Actor) -> None:
        item = only_item(ctx, factories.decision(ctx).id)

        with pytest.raises(service.NotHeld):
            rule(ctx, alice, item)

    def test_of_what_another_holds_is_refused(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        item = held(ctx, alice)

        with pytest.raises(service.AlreadyHeld, match="alice"):
            rule(ctx, bob, item)

        assert rows(ctx, Ruling) == []

    def test_comes_once(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)

        with pytest.raises(service.AlreadyEnded):
            rule(ctx, alice, item, "reject", reason_code="wrong")

        assert len(rows(ctx, Ruling)) == len(rows(ctx, Label)) == 1

    def test_pressed_eight_times_together_comes_once(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)

        results = together(*[lambda: rule(ctx, alice, item)] * 8)

        assert len({found.id for found in results}) == 1
        assert len(rows(ctx, Ruling)) == len(rows(ctx, Label)) == 1

    @pytest.mark.parametrize("reason_code", [None, "", "because"])
    def test_that_rejects_needs_a_known_reason(self, ctx: Context, alice: Actor, reason_code: str | None) -> None:
        item = held(ctx, alice)

        with pytest.raises(Invalid) as refused:
            rule(ctx, alice, item, "reject", reason_code=reason_code)

        assert [place.place for place in refused.value.places] == ["reason_code"]
        assert "wrong" in refused.value.places[0].mend

    @pytest.mark.parametrize(
        ("output", "place"), [(None, "output"), ("yes", "output"), (7, "output"), ("x" * 11, "output")]
    )
    def test_that_edits_needs_another_output_that_fits_the_schema(
        self, ctx: Context, alice: Actor, output: Any, place: str
    ) -> None:
        item = held(ctx, alice)

        with pytest.raises(Invalid) as refused:
            rule(ctx, alice, item, "edit", output=output)

        assert {found.place for found in refused.value.places} == {place}
        assert only_item(ctx, item.decision_id).state == "waiting"

    def test_that_edits_what_the_comparison_calls_equal_is_agreement(self, ctx: Context, alice: Actor) -> None:
        factories.agent(ctx, "notes", comparison={"default": "text"})
        factories.rollout(ctx, "notes")
        item = held(ctx, alice, agent="notes")

        rule(ctx, alice, item, "edit", output="  Yes ")

        (label,) = rows(ctx, Label)
        assert (label.verdict, label.severity) == ("agree", None)

    def test_of_one_agent_is_told_to_no_other(self, ctx: Context, alice: Actor) -> None:
        factories.agent(ctx, "refunds")
        webhook(ctx, "refunds")

        rule(ctx, alice, held(ctx, alice))

        assert rows(ctx, OutboxMessage) == []


class TestAudit:
    @pytest.fixture
    def audited(self, ctx: Context, alice: Actor) -> ReviewItem:
        factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=1.0)
        return held(ctx, alice, version="v2")

    def test_gives_a_label_and_leaves_the_outcome_of_what_already_happened(
        self, ctx: Context, alice: Actor, audited: ReviewItem
    ) -> None:
        rule(ctx, alice, audited, "reject", reason_code="wrong")

        with ctx.db.read() as session:
            decision = session.get_one(Decision, audited.decision_id)
        (label,) = rows(ctx, Label)
        assert (audited.kind, decision.route, decision.outcome) == ("audit", "auto", None)
        assert (label.source, label.verdict) == ("audit", "override")

    def test_is_told_as_an_audit(self, ctx: Context, alice: Actor, audited: ReviewItem) -> None:
        webhook(ctx)

        rule(ctx, alice, audited)

        assert [message.kind for message in rows(ctx, OutboxMessage)] == ["audit.ruled"]

    @pytest.mark.parametrize(
        ("word", "said"),
        [("approve", {}), ("reject", {"reason_code": "wrong", "note": "not ours"}), ("edit", {"output": "no"})],
    )
    def test_the_message_says_what_the_person_said_beside_the_decision_as_it_was(
        self, ctx: Context, alice: Actor, audited: ReviewItem, word: str, said: dict[str, Any]
    ) -> None:
        webhook(ctx)

        rule(ctx, alice, audited, word, **said)

        (message,) = rows(ctx, OutboxMessage)
        told = message.body["data"].pop("audit_ruling")
        at = told.pop("at")
        nothing = {"reason_code": None, "note": "", "output": None}
        assert told == {"ruling": word, "by": "alice", **nothing, **said}
        assert datetime.fromisoformat(at) == ctx.clock.now()
        with ctx.db.read() as session:
            decision = session.get_one(Decision, audited.decision_id)
        assert message.body["data"] == decision_out(decision, None).model_dump(mode="json")

    def test_recorded_audits_are_told_in_the_same_words(self, ctx: Context, alice: Actor, audited: ReviewItem) -> None:
        webhook(ctx)
        with ctx.db.begin() as session:
            agent = snapshot.load(session).agents[audited.agent]
            item = session.get_one(ReviewItem, audited.id)
            decision = session.get_one(Decision, audited.decision_id)
            said = Said("reject", fingerprint=item.fingerprint, reason_code="wrong")
            bulk.rule_all(session, [Recorded(item, decision, said, ctx.clock.now())], agent=agent, actor=alice)

        (message,) = rows(ctx, OutboxMessage)
        told = message.body["data"]["audit_ruling"]
        assert (message.kind, told["ruling"], told["reason_code"], told["by"]) == (
            "audit.ruled", "reject", "wrong", "alice",
        )  # fmt: skip

    def test_a_review_needs_no_ruling_beside_its_outcome(self, ctx: Context, alice: Actor) -> None:
        webhook(ctx)

        rule(ctx, alice, held(ctx, alice, "c-9"))

        (message,) = rows(ctx, OutboxMessage)
        assert "audit_ruling" not in message.body["data"]


class TestEscalation:
    def test_waits_in_the_second_line_ahead_of_its_work(self, ctx: Context, alice: Actor) -> None:
        webhook(ctx)
        item = held(ctx, alice)

        rule(ctx, alice, item, "escalate", note="not sure")

        second = only_item(ctx, item.decision_id, level=2)
        assert only_item(ctx, item.decision_id).state == "escalated"
        assert (second.state, second.priority, second.claimed_by, second.due_at) == (
            "waiting", item.priority + 1, None, item.due_at,
        )  # fmt: skip
        with ctx.db.read() as session:
            assert session.get_one(Decision, item.decision_id).outcome is None
        assert rows(ctx, Label) == []
        assert rows(ctx, OutboxMessage) == []

    def test_is_ended_by_the_second_line(self, ctx: Context, alice: Actor, lead: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")
        second = claim(ctx, lead, only_item(ctx, item.decision_id, level=2).id)

        rule(ctx, lead, second, "edit", output="no")

        with ctx.db.read() as session:
            decision = session.get_one(Decision, item.decision_id)
        assert (decision.outcome, decision.outcome_output) == ("edited", "no")
        assert len(rows(ctx, Ruling)) == 2

    def test_a_reviewer_who_asks_for_it_by_its_id_is_told_nothing_of_it(
        self, ctx: Context, alice: Actor, lead: Actor
    ) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")
        second = claim(ctx, lead, only_item(ctx, item.decision_id, level=2).id)

        for verb in (claim, rule):
            with pytest.raises(Forbidden) as told:
                verb(ctx, alice, second.id if verb is claim else second)
            assert item.case_id not in str(told.value)
            assert lead.name not in str(told.value)

    def test_ends_there_because_nobody_could_take_it_further(self, ctx: Context, alice: Actor, lead: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")
        second = claim(ctx, lead, only_item(ctx, item.decision_id, level=2).id)

        with pytest.raises(service.LastLine):
            rule(ctx, lead, second, "escalate")

        assert only_item(ctx, item.decision_id, level=2).state == "waiting"


class TestSupersededWhileHeld:
    def test_the_ruling_is_refused_and_nothing_is_told(self, ctx: Context, alice: Actor) -> None:
        webhook(ctx)
        item = held(ctx, alice)
        factories.decision(ctx, attempt=2, output="no")

        with pytest.raises(service.AlreadyEnded, match="superseded"):
            rule(ctx, alice, item)

        assert rows(ctx, OutboxMessage) == []

    def test_a_ruling_that_came_first_stands_and_the_case_is_void(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item)

        factories.decision(ctx, attempt=2, output="no")

        with ctx.db.read() as session:
            before = session.get_one(Decision, item.decision_id)
        assert before.outcome == "approved"
        assert before.superseded_by is not None

    def test_an_escalated_one_ends_in_the_second_line_too(self, ctx: Context, alice: Actor) -> None:
        item = held(ctx, alice)
        rule(ctx, alice, item, "escalate")

        factories.decision(ctx, attempt=2, output="no")

        assert only_item(ctx, item.decision_id, level=2).state == "superseded"

    def test_ruling_and_new_attempt_together_end_the_item_once(self, ctx: Context, alice: Actor) -> None:
        for number in range(6):
            item = held(ctx, alice, f"c-{number}")
            word = "escalate" if number % 2 else "approve"

            results = together(
                lambda item=item, word=word: rule(ctx, alice, item, word),
                lambda number=number: factories.decision(ctx, f"c-{number}", attempt=2, output="no"),
            )

            assert isinstance(results[1], Decision), results[1]
            assert isinstance(results[0], Ruling | Conflict), results[0]
            with ctx.db.read() as session:
                before = session.get_one(Decision, item.decision_id)
                waiting = session.scalars(select(ReviewItem).where(ReviewItem.decision_id == item.decision_id,
                                                                   ReviewItem.state == "waiting")).all()  # fmt: skip
            ruled = isinstance(results[0], Ruling) and word == "approve"
            assert before.outcome == ("approved" if ruled else "superseded")
            assert waiting == []


class TestFollowingRollouts:
    def run(self, ctx: Context) -> int:
        return REGISTRY["routing.follow_rollouts"].run(ctx)

    @pytest.mark.parametrize(
        "taken_back",
        [{"phase": "shadow"}, {"phase": "evaluation"}, {"standing": "retired"}],
        ids=str,
    )
    def test_what_waited_for_a_ruling_goes_to_people(self, ctx: Context, alice: Actor, taken_back: Any) -> None:
        webhook(ctx)
        row = factories.rollout(ctx, version="v2")
        held_one = held(ctx, alice, "c-1", version="v2")
        free_one = factories.decision(ctx, "c-2", version="v2")
        others = factories.decision(ctx, "c-3")
        factories.change_rollout(ctx, row, **taken_back)

        assert self.run(ctx) == 2

        with ctx.db.read() as session:
            outcomes = {found.id: found.outcome for found in session.scalars(select(Decision))}
        assert outcomes == {held_one.decision_id: "cancelled", free_one.id: "cancelled", others.id: None}
        assert {message.kind for message in rows(ctx, OutboxMessage)} == {"decision.cancelled"}
        assert {(label.verdict, label.source) for label in rows(ctx, Label)} == {("void", "cancelled")}
        with pytest.raises(service.AlreadyEnded, match="cancelled"):
            rule(ctx, alice, held_one)

    @pytest.mark.parametrize("still", [{"phase": "supervised"}, {"phase": "full"}, {"frozen": "advancing"}], ids=str)
    def test_where_people_still_rule_it_stays(self, ctx: Context, still: Any) -> None:
        row = factories.rollout(ctx, version="v2")
        factories.decision(ctx, version="v2")
        factories.change_rollout(ctx, row, **still)

        assert self.run(ctx) == 0

    def test_a_freeze_leaves_what_waits_with_its_reviewers_and_in_evidence(self, ctx: Context, alice: Actor) -> None:
        webhook(ctx)
        row = factories.rollout(ctx, version="v2")
        waiting = held(ctx, alice, "c-1", version="v2")
        factories.decision(ctx, "c-2", version="v2")
        factories.change_rollout(ctx, row, frozen="routing")

        assert self.run(ctx) == 0

        rule(ctx, alice, waiting, "reject", reason_code="harmful")
        REGISTRY["routing.settle"].run(ctx)
        with ctx.db.read() as session:
            judged = session.get_one(Decision, waiting.decision_id)
            counted = [found.counted_as for found in session.scalars(select(Decision).order_by(Decision.case_id))]
        assert (judged.outcome, counted) == ("rejected", ["severe", "pending"])
        assert {message.kind for message in rows(ctx, OutboxMessage)} == {"decision.ruled"}

    def test_audits_of_what_already_happened_stay(self, ctx: Context) -> None:
        row = factories.rollout(ctx, version="v2", phase=Phase.FULL, audit_rate=1.0)
        audited = factories.decision(ctx, version="v2")
        factories.change_rollout(ctx, row, phase="shadow")

        assert self.run(ctx) == 0
        assert only_item(ctx, audited.id).state == "waiting"

    def test_again_does_nothing(self, ctx: Context) -> None:
        webhook(ctx)
        row = factories.rollout(ctx, version="v2")
        factories.decision(ctx, version="v2")
        factories.change_rollout(ctx, row, phase="shadow")
        self.run(ctx)

        assert self.run(ctx) == 0
        assert len(rows(ctx, OutboxMessage)) == len(rows(ctx, Label)) == 1

    def test_more_than_one_round_has_is_taken_in_rounds(self, ctx: Context) -> None:
        row = factories.rollout(ctx, version="v2")
        factories.store(ctx, *[factories.case(f"c-{n}", version="v2") for n in range(450)])
        factories.change_rollout(ctx, row, phase="shadow")

        assert self.run(ctx) == 450


def test_an_item_that_never_was_is_not_found(ctx: Context, alice: Actor) -> None:
    from kit.errors import NotFound

    for call in (
        lambda: claim(ctx, alice, new_id()),
        lambda: rule(ctx, alice, ReviewItem(id=new_id(), agent="claims", fingerprint="0" * 64)),
    ):
        with pytest.raises(NotFound):
            call()
