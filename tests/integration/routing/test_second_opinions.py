"""Second opinions: a second person rules on the same output, knowing nothing of the first; a third between them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from evidence import binomial
from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from kit.partitions import made_at
from rollout.domain.phase import Phase
from rollout.failures.tables import Failure
from routing import snapshot
from routing.cases import settling
from routing.cases.tables import Decision, Label
from routing.delivery.tables import OutboxMessage
from routing.domain.sampling import blind_position, second_position
from routing.gold import service as gold
from routing.gold.schemas import GoldCaseIn
from routing.gold.tables import GoldCase
from routing.opinions import service as opinions
from routing.opinions.tables import SecondOpinion
from routing.people import service as people
from routing.reviews import concluding, overdue, service
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.test_reviews import webhook
from web_app import create_app

LEASE = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    """A house in which a second person is always asked."""
    factories.agent(ctx, supervision={"blind_share": 0.0, "second_opinion_share": 1.0})
    factories.rollout(ctx)


@pytest.fixture
def rita(ctx: Context) -> Actor:
    return factories.actor(ctx, "rita", roles=("reviewer",))


@pytest.fixture
def ravi(ctx: Context) -> Actor:
    return factories.actor(ctx, "ravi", roles=("reviewer",))


@pytest.fixture
def lena(ctx: Context) -> Actor:
    return factories.actor(ctx, "lena", roles=("lead",))


def claim(ctx: Context, actor: Actor) -> ReviewItem | None:
    with ctx.db.begin() as session:
        return service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE)


def rules(ctx: Context, actor: Actor, ruling: Any = "approve", **said: Any) -> ReviewItem:
    """This person takes the next case and rules on it."""
    item = claim(ctx, actor)
    assert item is not None, f"nothing waits for {actor.name}"
    if ruling == "reject":
        said = {"reason_code": "wrong"} | said
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[item.agent]
        words = Said(ruling, item.fingerprint, **said)
        service.rule(session, item.id, words, agent=agent, actor=actor, now=ctx.clock.now())
    return item


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))


def the(ctx: Context, table: Any) -> Any:
    [row] = rows(ctx, table)
    return row


def settled(ctx: Context) -> Decision:
    with ctx.db.begin() as session:
        settling.settle(session, snapshot.load(session).agents, now=ctx.clock.now())
    found: Decision = the(ctx, Decision)
    return found


def gold_case(ctx: Context, actor: Actor, decision: Decision) -> GoldCase:
    """What a gold case learns from the verdict that counts."""
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[decision.agent]
        given = GoldCaseIn(decision_id=decision.id, why="Two people did not see it alike.")
        return gold.make(session, agent, given, actor=actor, now=ctx.clock.now()).case


def verbs(ctx: Context) -> list[str]:
    return [row.verb for row in rows(ctx, AuditEvent) if row.verb.startswith(("second", "adjud"))]


class TestTheDraw:
    def test_takes_its_share_and_says_nothing_about_the_blind_arm(self) -> None:
        rollout = new_id()
        drawn = [n for n in range(4000) if second_position(b"s", rollout, f"c-{n}") < 0.1]
        both = sum(blind_position(b"s", rollout, f"c-{n}") < 0.1 for n in drawn)

        for found, whole in ((len(drawn), 4000), (both, len(drawn))):
            interval = binomial.interval(found, whole, 0.9999)
            assert interval.lower < 0.1 < interval.upper

    def test_is_the_share_that_the_agent_says_and_its_probability_is_kept(self, ctx: Context) -> None:
        factories.agent(ctx, "refunds", supervision={"second_opinion_share": 0.25})
        factories.rollout(ctx, "refunds")
        factories.store(ctx, *(factories.case(f"c-{n}") for n in range(60)), agent="refunds")

        assert {row.second_probability for row in rows(ctx, ReviewItem)} == {0.25}
        assert {row.seconded for row in rows(ctx, ReviewItem)} == {True, False}


class TestTheSecond:
    def test_is_asked_when_the_first_ruling_is_concluded_and_the_agent_does_not_wait(
        self, ctx: Context, rita: Actor
    ) -> None:
        webhook(ctx)
        factories.decision(ctx)
        first = rules(ctx, rita)

        decision = settled(ctx)
        assert (decision.outcome, decision.label) == ("approved", "agree")
        assert [row.kind for row in rows(ctx, OutboxMessage)] == ["decision.ruled"]
        [second] = [row for row in rows(ctx, ReviewItem) if row.id != first.id]
        assert (second.kind, second.shown_kind, second.level, second.state) == ("second", "review", 1, "waiting")
        assert (second.not_for, second.expires_at) == ("rita", second.due_at)
        assert the(ctx, SecondOpinion).probability == 1.0

    def test_is_never_the_first(self, ctx: Context, rita: Actor, ravi: Actor) -> None:
        factories.decision(ctx)
        rules(ctx, rita)

        assert claim(ctx, rita) is None
        [second] = [row for row in rows(ctx, ReviewItem) if row.kind == "second"]
        with pytest.raises(service.NotForYou), ctx.db.begin() as session:
            service.claim(session, second.id, actor=rita, now=ctx.clock.now(), lease=LEASE)
        taken = claim(ctx, ravi)
        assert taken is not None
        assert taken.kind == "second"

    def test_who_says_the_same_changes_nothing_and_counts_once(self, ctx: Context, rita: Actor, ravi: Actor) -> None:
        webhook(ctx)
        factories.decision(ctx)
        rules(ctx, rita)
        rules(ctx, ravi)

        decision = settled(ctx)
        assert (decision.label, decision.label_source, decision.counted_as) == ("agree", "review", "agree")
        assert [row.kind for row in rows(ctx, OutboxMessage)] == ["decision.ruled"]
        assert {row.source for row in rows(ctx, Label)} == {"review", "second"}
        row = the(ctx, SecondOpinion)
        assert (row.second_login, row.second_verdict, row.same, row.verdict) == ("ravi", "agree", True, None)
        assert sorted(item.kind for item in rows(ctx, ReviewItem)) == ["review", "second"]
        assert sorted(verbs(ctx)) == ["second_opinion.approved", "second_opinion.asked", "second_opinion.given"]

    def test_can_pass_it_on_to_a_lead_and_nobody_else_gets_it_in_its_look(
        self, ctx: Context, rita: Actor, ravi: Actor, lena: Actor
    ) -> None:
        factories.decision(ctx)
        rules(ctx, rita)
        rules(ctx, ravi, "escalate")
        passed_on = rules(ctx, lena)

        assert (passed_on.kind, passed_on.shown_kind, passed_on.level) == ("second", "review", 2)
        assert the(ctx, SecondOpinion).second_login == "lena"

    def test_is_asked_of_audits_too(self, ctx: Context, rita: Actor, ravi: Actor) -> None:
        factories.agent(ctx, "alone", supervision={"blind_share": 0.0, "second_opinion_share": 1.0})
        factories.rollout(ctx, "alone", phase=Phase.FULL, audit_rate=1.0, threshold=0.5)
        factories.decision(ctx, agent="alone")
        rules(ctx, rita)
        rules(ctx, ravi, "reject")

        row = the(ctx, SecondOpinion)
        assert (row.kind, row.same) == ("audit", False)

    def test_that_nobody_gives_in_time_is_none_and_tells_nobody(
        self, ctx: Context, rita: Actor, clock: FixedClock
    ) -> None:
        webhook(ctx)
        factories.decision(ctx)
        rules(ctx, rita)
        for _ in range(2):
            clock.move(timedelta(days=30))
            with ctx.db.begin() as session:
                overdue.pass_on(session, clock.now(), 10)
                overdue.expire(session, clock.now(), 10)

        assert {row.kind: row.state for row in rows(ctx, ReviewItem)} == {"review": "approved", "second": "expired"}
        assert the(ctx, SecondOpinion).second_ruling_id is None
        assert the(ctx, Decision).outcome == "approved"
        assert [row.kind for row in rows(ctx, OutboxMessage)] == ["decision.ruled"]

    def test_is_not_asked_of_what_was_escalated_until_somebody_ruled(
        self, ctx: Context, rita: Actor, lena: Actor
    ) -> None:
        factories.decision(ctx)
        rules(ctx, rita, "escalate")
        assert rows(ctx, SecondOpinion) == []
        rules(ctx, lena)

        assert the(ctx, SecondOpinion).first_login == "lena"
        assert claim(ctx, rita) is None, "rita has seen it, and passed it on"

    def test_that_is_undone_says_nothing(self, ctx: Context, rita: Actor, ravi: Actor, clock: FixedClock) -> None:
        factories.agent(ctx, "slow", undo_seconds=30, supervision={"blind_share": 0.0, "second_opinion_share": 1.0})
        factories.rollout(ctx, "slow")
        factories.decision(ctx, agent="slow")
        rules(ctx, rita)
        assert rows(ctx, SecondOpinion) == []
        clock.move(timedelta(seconds=31))
        with ctx.db.begin() as session:
            concluding.conclude_due(session, clock.now(), 10)
        second = rules(ctx, ravi, "reject")
        with ctx.db.begin() as session:
            service.undo(session, second.id, actor=ravi, now=clock.now(), lease=LEASE)
        rules(ctx, ravi)
        clock.move(timedelta(seconds=31))
        with ctx.db.begin() as session:
            concluding.conclude_due(session, clock.now(), 10)

        row = the(ctx, SecondOpinion)
        assert (row.second_verdict, row.same) == ("agree", True)


@pytest.fixture
def differ(ctx: Context, rita: Actor, ravi: Actor) -> Callable[..., None]:
    """Two people rule on one output."""

    def ruled(first: Any, second: Any) -> None:
        factories.decision(ctx)
        rules(ctx, rita, **first)
        rules(ctx, ravi, **second)

    return ruled


APPROVES: dict[str, Any] = {"ruling": "approve"}
REJECTS: dict[str, Any] = {"ruling": "reject", "note": "the date is missing"}


def edits(output: str) -> dict[str, Any]:
    return {"ruling": "edit", "output": output}


class TestAdjudication:
    def test_waits_for_a_lead_who_is_shown_both_without_names(
        self, ctx: Context, rita: Actor, ravi: Actor, lena: Actor, differ: Callable[..., None]
    ) -> None:
        differ(APPROVES, REJECTS)

        assert claim(ctx, rita) is None
        assert claim(ctx, ravi) is None
        item = claim(ctx, lena)
        assert item is not None
        assert (item.kind, item.level, item.arm) == ("adjudication", 2, "assisted")
        with ctx.db.read() as session:
            shown = opinions.both(session, item)
        assert [one.name for one in shown] == ["A", "B"]
        assert {one.ruling for one in shown} == {"approve", "reject"}
        assert not {"rita", "ravi"} & set(str(shown).replace("'", " ").split())

    def test_nobody_who_ruled_may_rule_between_a_lead_neither(self, ctx: Context, ravi: Actor, lena: Actor) -> None:
        factories.decision(ctx)
        rules(ctx, lena)
        rules(ctx, ravi, "reject")

        assert claim(ctx, lena) is None
        [waiting] = [row for row in rows(ctx, ReviewItem) if row.state == "waiting"]
        with pytest.raises(service.NotForYou), ctx.db.begin() as session:
            service.claim(session, waiting.id, actor=lena, now=ctx.clock.now(), lease=LEASE)

    def test_of_an_output_that_was_let_pass_makes_a_failure_and_tells_the_agent(
        self, ctx: Context, lena: Actor, differ: Callable[..., None]
    ) -> None:
        webhook(ctx)
        differ(APPROVES, REJECTS)
        rules(ctx, lena, "edit", output="no")

        decision = settled(ctx)
        assert decision.outcome == "approved", "what the agent was told stays what it was told"
        assert (decision.label, decision.label_source, decision.counted_as) == ("override", "adjudication", "override")
        failure = the(ctx, Failure)
        assert (failure.decision_id, failure.severity, failure.correct_output) == (decision.id, "major", "no")
        kinds = {row.kind for row in rows(ctx, OutboxMessage)}
        assert kinds == {"decision.ruled", "decision.adjudicated"}
        [told] = [row.body["data"] for row in rows(ctx, OutboxMessage) if row.kind == "decision.adjudicated"]
        assert (told["audit_ruling"]["ruling"], told["audit_ruling"]["output"]) == ("edit", "no")
        row = the(ctx, SecondOpinion)
        assert (row.adjudicator, row.verdict, row.first_right, row.second_right) == ("lena", "override", False, True)
        assert {"adjudication.asked", "adjudication.edited", "adjudication.given"} < set(verbs(ctx))
        made = gold_case(ctx, lena, decision)
        assert (made.output, made.output_is, made.correct_output) == ("yes", "wrong", "no"), "as lena ruled"

    def test_of_an_output_that_was_right_all_along_corrects_what_counts(
        self, ctx: Context, lena: Actor, differ: Callable[..., None]
    ) -> None:
        webhook(ctx)
        differ(REJECTS, APPROVES)
        rules(ctx, lena)

        decision = settled(ctx)
        assert (decision.outcome, decision.label, decision.counted_as) == ("rejected", "agree", "agree")
        assert rows(ctx, Failure) == []
        assert gold_case(ctx, lena, decision).output_is == "right", "as lena ruled, and not the first"
        assert sorted(row.kind for row in rows(ctx, OutboxMessage)) == ["decision.adjudicated", "decision.ruled"]

    def test_that_holds_with_the_first_tells_nobody(
        self, ctx: Context, lena: Actor, differ: Callable[..., None]
    ) -> None:
        webhook(ctx)
        differ(APPROVES, REJECTS)
        rules(ctx, lena)

        assert settled(ctx).label == "agree"
        assert rows(ctx, Failure) == []
        assert [row.kind for row in rows(ctx, OutboxMessage)] == ["decision.ruled"]
        assert the(ctx, SecondOpinion).second_right is False

    def test_is_asked_for_where_two_people_correct_it_differently(
        self, ctx: Context, lena: Actor, differ: Callable[..., None]
    ) -> None:
        differ(edits("no"), edits("perhaps"))
        rules(ctx, lena, "edit", output="perhaps")

        row = the(ctx, SecondOpinion)
        assert (row.same, row.verdict, row.first_right, row.second_right) == (False, "override", False, True)
        assert rows(ctx, Failure) == [], "it was not let pass"

    def test_is_not_asked_for_where_both_say_that_it_was_wrong(
        self, ctx: Context, lena: Actor, differ: Callable[..., None]
    ) -> None:
        differ(edits("no"), REJECTS)

        assert the(ctx, SecondOpinion).same is True
        assert claim(ctx, lena) is None


@pytest.fixture
def web(ctx: Context, rita: Actor, ravi: Actor, lena: Actor) -> Iterator[tuple[TestClient, dict[str, dict[str, str]]]]:
    factories.person(ctx, "emil", roles=("engineer",))
    keys = {login: factories.bearer(ctx, login=login) for login in ("rita", "ravi", "lena", "emil")}
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        yield client, keys
    del rita, ravi, lena


Web = tuple[TestClient, dict[str, dict[str, str]]]


class TestWhatIsShown:
    def test_a_second_opinion_looks_like_any_case_that_nobody_has_ruled_on(
        self, ctx: Context, rita: Actor, web: Web, clock: FixedClock
    ) -> None:
        client, keys = web
        decision = factories.decision(ctx)
        before = client.get(f"/v1/decisions/{decision.id}", headers=keys["ravi"]).json()
        clock.move(timedelta(hours=3))
        first = rules(ctx, rita, "edit", output="hunter2")

        held = client.post("/v1/queue/claim", json={}, headers=keys["ravi"]).json()
        assert (held["kind"], held["level"], held["output"], held["opinions"]) == ("review", 1, "yes", [])
        assert (held["created_at"], held["due_at"]) == (
            before["decided_at"],
            first.due_at.isoformat().replace("+00:00", "Z"),
        )
        assert made_at(UUID(held["id"])) <= decision.decided_at, "nor does its id tell when it was made"
        for address in (f"/v1/decisions/{decision.id}", f"/v1/decisions/{decision.id}?wait=1"):
            assert client.get(address, headers=keys["ravi"]).json() == before
        for address in ("/v1/agents/claims/cases/c-1", "/v1/agents/claims/decisions", "/v1/queue"):
            shown = client.get(address, headers=keys["ravi"]).text
            assert "hunter2" not in shown
            assert "rita" not in shown
            assert "second" not in shown.replace("seconds", "")

    def test_who_ruled_first_does_not_see_that_it_waits_again_and_engineers_see_all(
        self, ctx: Context, rita: Actor, web: Web
    ) -> None:
        client, keys = web
        decision = factories.decision(ctx)
        rules(ctx, rita, "edit", output="hunter2")

        queue = client.get("/v1/queue", headers=keys["rita"]).json()
        assert (queue["items"], queue["waiting"]) == ([], {})
        queue = client.get("/v1/queue", headers=keys["ravi"]).json()
        assert (len(queue["items"]), queue["waiting"]) == (1, {}), "one case is counted once"
        for who in ("rita", "emil"):
            shown = client.get(f"/v1/decisions/{decision.id}", headers=keys[who]).json()
            assert shown["outcome"]["output"] == "hunter2"

    def test_who_rules_between_two_gets_both_and_sees_no_name_anywhere(
        self, differ: Callable[..., None], web: Web
    ) -> None:
        client, keys = web
        differ(APPROVES, REJECTS)

        held = client.post("/v1/queue/claim", json={}, headers=keys["lena"]).json()
        assert (held["kind"], held["level"]) == ("adjudication", 2)
        assert {one["ruling"]: one["note"] for one in held["opinions"]} == {
            "approve": "",
            "reject": "the date is missing",
        }
        shown = held | client.get("/v1/agents/claims/cases/c-1", headers=keys["lena"]).json()
        assert not {"rita", "ravi"} & set(str(shown).replace("'", " ").split())

    def test_the_figures_say_what_came_of_it_and_what_waits_for_nobody(
        self, ctx: Context, lena: Actor, ravi: Actor, web: Web, clock: FixedClock
    ) -> None:
        client, keys = web
        factories.decision(ctx)
        rules(ctx, lena)
        rules(ctx, ravi, "reject")
        clock.move(timedelta(minutes=1))

        assert client.get("/v1/agents/claims/second-opinions", headers=keys["ravi"]).status_code == 403
        found = client.get("/v1/agents/claims/second-opinions", headers=keys["lena"]).json()
        assert (found["asked"], found["given"], found["same"]["part"], found["unsettled"]) == (1, 1, 0, 1)
        assert (found["to_adjudicate"], found["for_nobody"]) == (1, 1), "lena is the only lead, and was the first"
        assert (found["people_error"]["lower"], found["people_error"]["upper"]) == (0.0, 1.0)
        factories.person(ctx, "leo", roles=("lead",))
        found = client.get("/v1/agents/claims/second-opinions", headers=keys["lena"]).json()
        assert (found["to_adjudicate"], found["for_nobody"]) == (1, 0)

    def test_two_people_who_met_by_the_draw_count_as_two_who_met(
        self, ctx: Context, rita: Actor, ravi: Actor, clock: FixedClock
    ) -> None:
        factories.decision(ctx)
        rules(ctx, rita)
        rules(ctx, ravi)
        settled(ctx)
        clock.move(timedelta(minutes=1))
        with ctx.db.read() as session:
            found = people.report(session, people.scope_of("claims", None, None, None, clock.now()))

        assert (found.agreement.people, found.agreement.same.part, found.agreement.same.whole) == (2, 1, 1)
        assert [(row.person, row.reviews.whole) for row in found.reviewers] == [("rita", 1)], "it is no review of hers"
        assert (found.right.both_right, found.right.differed.agent_only) == (0, 0), "and settles nothing by itself"
