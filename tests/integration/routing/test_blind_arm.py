"""The blind arm: who reviews answers first, and sees nothing before from which the output could be read."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from evidence import binomial
from governance.actors import Actor
from governance.audit.tables import AuditEvent
from kit.context import Context
from kit.ids import new_id
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing import snapshot
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.tables import Decision
from routing.domain.sampling import audit_position, blind_position
from routing.people import service as people
from routing.people.schemas import arms_words
from routing.reviews import overdue
from routing.reviews import service as desk
from routing.reviews.bulk import Recorded, rule_all
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from routing.supervision import service as supervision
from routing.supervision.tables import BlindAnswer
from tests import factories
from tests.integration.routing.test_api import CASE, DECISIONS, Keys, hold, rule
from web_app import create_app

TELLING = {"output": "hunter2", "action": "pay-4711", "amount": 47.11, "signals": {"why": "hunter2"},
           "trace": [{"name": "Proposed", "detail": "hunter2"}]}  # fmt: skip
SCHEMA = {"type": "string", "maxLength": 10}


@pytest.fixture
def keys(ctx: Context) -> Keys:
    """A house in which every reviewer answers first."""
    factories.agent(ctx, output_schema=SCHEMA, supervision={"blind_share": 1.0})
    factories.rollout(ctx)
    for login, role in (("rita", "reviewer"), ("ravi", "reviewer"), ("lena", "lead"), ("emil", "engineer")):
        factories.person(ctx, login, roles=(role,))
    found = {login: factories.bearer(ctx, login=login) for login in ("rita", "ravi", "lena", "emil")}
    return found | {"lead": found["lena"], "claims": factories.bearer(ctx, agent="claims")}


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def veiled(client: TestClient, keys: Keys, who: str = "rita", **fields: Any) -> dict[str, Any]:
    """A new case, held by a reviewer who has not answered."""
    stored = client.post(DECISIONS, json=CASE | TELLING | fields)
    assert stored.status_code == 201, stored.text
    return hold(client, keys, stored.json(), who)


def answer(client: TestClient, keys: Keys, item: dict[str, Any], output: Any, who: str = "rita") -> Any:
    return client.post(f"/v1/reviews/{item['id']}/answer", json={"output": output}, headers=keys[who])


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))


def arms(ctx: Context) -> list[tuple[str, float | None]]:
    return [(row.arm, row.arm_probability) for row in rows(ctx, ReviewItem)]


class TestTheDraw:
    def test_takes_its_share_and_the_same_cases_every_time(self) -> None:
        rollout = new_id()
        drawn = [blind_position(b"s", rollout, f"c-{number}") < 0.1 for number in range(4000)]

        assert drawn == [blind_position(b"s", rollout, f"c-{number}") < 0.1 for number in range(4000)]
        interval = binomial.interval(sum(drawn), 4000, 0.999)
        assert interval.lower < 0.1 < interval.upper

    def test_says_nothing_about_the_draw_for_an_audit_and_nothing_without_the_key(self) -> None:
        rollout = new_id()
        audited = [n for n in range(4000) if audit_position(b"s", rollout, f"c-{n}") < 0.1]
        both = sum(blind_position(b"s", rollout, f"c-{n}") < 0.1 for n in audited)
        guessed = sum(blind_position(b"s", rollout, f"c-{n}") < 0.1 for n in range(4000)
                      if blind_position(b"t", rollout, f"c-{n}") < 0.1)  # fmt: skip

        for found in (both, guessed):
            assert binomial.interval(found, 400, 0.9999).lower < 0.1 < binomial.interval(found, 400, 0.9999).upper

    def test_is_stored_with_its_probability_for_reviews_and_audits(self, ctx: Context) -> None:
        factories.agent(ctx, supervision={"blind_share": 1.0})
        factories.rollout(ctx, phase=Phase.FULL, audit_rate=1.0, threshold=0.5)
        factories.decision(ctx)

        assert arms(ctx) == [("blind", 1.0)]
        assert rows(ctx, ReviewItem)[0].kind == "audit"

    def test_is_one_in_ten_unless_the_agent_says_otherwise(self, ctx: Context) -> None:
        factories.agent(ctx, supervision={})
        factories.rollout(ctx)
        factories.store(ctx, *(factories.case(f"c-{number}") for number in range(60)))

        assert {probability for _, probability in arms(ctx)} == {0.1}
        assert {arm for arm, _ in arms(ctx)} <= {"assisted", "blind"}

    def test_leaves_out_what_nobody_can_be_asked_for(self, ctx: Context) -> None:
        factories.agent(ctx, supervision={"blind_share": 1.0})
        factories.rollout(ctx)
        factories.decision(ctx, output={"total": 12, "lines": []})

        assert arms(ctx) == [("assisted", None)], "without a schema or named fields no form could be made of it"

    def test_leaves_out_what_is_shown_with_the_case_anyway(self, ctx: Context) -> None:
        factories.agent(ctx, output_schema={"type": "object"}, supervision={"blind_share": 1.0})
        factories.rollout(ctx)
        read = {"total": 12, "lines": []}
        factories.decision(ctx, "c-1", input={"answer": {"lines": [], "total": 12}, "page": 1}, output=read)
        factories.decision(ctx, "c-2", input={"answer": {"lines": [], "total": 13}}, output=read)

        assert sorted(arms(ctx)) == [("assisted", None), ("blind", 1.0)]


class TestBeforeTheAnswer:
    def test_nothing_that_tells_the_output_leaves_the_house(self, client: TestClient, keys: Keys) -> None:
        item = veiled(client, keys, input={"text": "Good morning"})

        assert item["answer_first"] is True
        assert item["input"] == {"text": "Good morning"}
        for asked in (
            client.post("/v1/queue/claim", json={}, headers=keys["rita"]),
            client.post(f"/v1/reviews/{item['id']}/renew", headers=keys["rita"]),
            client.get("/v1/queue", headers=keys["rita"]),
            client.get("/v1/agents/claims/cases/c-1", headers=keys["rita"]),
            client.get("/v1/agents/claims/decisions", headers=keys["rita"]),
            client.get(f"/v1/decisions/{item['decision_id']}", headers=keys["rita"]),
        ):
            assert not {"hunter2", "4711", "47.11"} & set(asked.text.replace('"', " ").replace("-", " ").split())
            assert "hunter2" not in asked.text

    def test_neither_does_the_fingerprint_which_would_confirm_a_guess(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        item = veiled(client, keys)
        [row] = rows(ctx, ReviewItem)

        assert item["fingerprint"] is None
        refused = rule(client, keys, item | {"fingerprint": row.fingerprint}, who="ravi")
        mistaken = rule(client, keys, item | {"fingerprint": "0" * 64}, who="ravi")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/answer-first")
        assert mistaken.json() == refused.json()

    @pytest.mark.parametrize("ruling", ["approve", "edit", "reject", "escalate"])
    def test_a_ruling_is_refused_and_nothing_is_stored(
        self, client: TestClient, ctx: Context, keys: Keys, ruling: str
    ) -> None:
        item = veiled(client, keys)
        fingerprint = rows(ctx, ReviewItem)[0].fingerprint

        said = rule(client, keys, item | {"fingerprint": fingerprint}, ruling, who="rita", reason_code="wrong")

        assert (said.status_code, said.json()["type"]) == (409, "/problems/answer-first")
        assert [row.state for row in rows(ctx, ReviewItem)] == ["waiting"]

    def test_what_is_known_of_the_case_waits_for_the_answer_but_not_for_engineers(
        self, client: TestClient, keys: Keys
    ) -> None:
        item = veiled(client, keys)
        case = "/v1/agents/claims/cases/c-1"

        assert client.get(case, headers=keys["rita"]).json()["type"] == "/problems/answer-first"
        assert client.get(case, headers=keys["emil"]).status_code == 200
        answer(client, keys, item, "no")
        assert client.get(case, headers=keys["rita"]).status_code == 200


class TestTheAnswer:
    def test_opens_the_output_and_is_held_against_it(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        opened = answer(client, keys, veiled(client, keys), "hunter2").json()

        assert opened["output"] == "hunter2"
        assert opened["fingerprint"]
        assert (opened["own_answer"], opened["own_answer_equal"], opened["answer_first"]) == ("hunter2", True, False)
        [stored] = rows(ctx, BlindAnswer)
        assert (stored.login, stored.output, stored.equal) == ("rita", "hunter2", True)
        [told] = [event for event in rows(ctx, AuditEvent) if event.verb == "review.answered"]
        assert told.detail["output_sha256"] == sha256(b'"hunter2"').hexdigest()
        assert rule(client, keys, opened, who="rita").status_code == 201

    def test_is_given_once(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        item = veiled(client, keys)
        first, again, better = (answer(client, keys, item, said) for said in ("no", "no", "hunter2"))

        assert (first.status_code, again.status_code) == (200, 200)
        assert (better.status_code, better.json()["type"]) == (409, "/problems/answered-otherwise")
        assert [(row.output, row.equal) for row in rows(ctx, BlindAnswer)] == [("no", False)]

    @pytest.mark.parametrize("output", ["far too long for it", 7, None])
    def test_must_be_what_the_outputs_of_the_agent_are(
        self, client: TestClient, ctx: Context, keys: Keys, output: Any
    ) -> None:
        refused = answer(client, keys, veiled(client, keys), output)

        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid")
        assert "hunter2" not in refused.text
        assert rows(ctx, BlindAnswer) == []

    def test_is_for_who_holds_the_case(self, client: TestClient, keys: Keys) -> None:
        item = veiled(client, keys)

        assert answer(client, keys, item, "no", "ravi").json()["type"] == "/problems/already-held"
        assert answer(client, keys, item, "no", "emil").status_code == 403

    def test_of_one_person_opens_it_for_nobody_else(self, client: TestClient, keys: Keys) -> None:
        item = veiled(client, keys)
        answer(client, keys, item, "no")
        client.post(f"/v1/reviews/{item['id']}/release", headers=keys["rita"])

        taken = client.post(f"/v1/reviews/{item['id']}/claim", headers=keys["ravi"]).json()

        assert (taken["answer_first"], taken["output"], taken["own_answer"]) == (True, None, None)

    def test_is_not_asked_for_where_the_output_is_shown_at_once(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        factories.agent(ctx, "refunds")
        factories.rollout(ctx, "refunds")
        factories.decision(ctx, agent="refunds")
        item = client.post("/v1/queue/claim", json={"agent": "refunds"}, headers=keys["rita"]).json()

        assert (item["answer_first"], item["output"]) == (False, "yes")
        assert answer(client, keys, item, "no").json()["type"] == "/problems/nothing-to-answer"

    def test_is_asked_again_of_the_second_line(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        item = veiled(client, keys)
        opened = answer(client, keys, item, "no").json()
        assert rule(client, keys, opened, "escalate", who="rita").status_code == 201

        second = client.post("/v1/queue/claim", json={}, headers=keys["lena"]).json()

        assert (second["level"], second["answer_first"]) == (2, True)
        assert [arm for arm, _ in arms(ctx)] == ["blind", "blind"]

    def test_is_not_needed_for_a_case_to_end_in_time(self, ctx: Context, keys: Keys, clock: Any) -> None:
        del keys
        factories.decision(ctx)
        for _ in range(2):
            clock.move(timedelta(days=30))
            with ctx.db.begin() as session:
                overdue.pass_on(session, clock.now(), 10)
            clock.move(timedelta(days=30))
            with ctx.db.begin() as session:
                overdue.expire(session, clock.now(), 10)

        assert [row.outcome for row in rows(ctx, Decision)] == ["expired"]


def reviewed(ctx: Context, item: ReviewItem, actor: Actor, *, right: bool) -> None:
    """As somebody does who overrides what is wrong where they answered first, and approves all they are shown."""
    lease, now = timedelta(minutes=10), ctx.clock.now()
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[item.agent]
        desk.claim(session, item.id, actor=actor, now=now, lease=lease)
        if item.arm == "blind":
            said = "yes" if right else "no"
            supervision.answer(session, item.id, said, agent=agent, actor=actor, now=now, lease=lease)
    ruling: Any = "reject" if item.arm == "blind" and not right else "approve"
    said_of_it = Said(ruling, item.fingerprint, reason_code="wrong" if ruling == "reject" else None)
    with ctx.db.begin() as session:
        desk.rule(session, item.id, said_of_it, agent=agent, actor=actor, now=now)


class TestWhatItSays:
    def test_is_the_override_rate_that_no_habit_of_agreeing_has_lowered(self, ctx: Context) -> None:
        factories.agent(ctx, supervision={"blind_share": 0.5})
        factories.rollout(ctx)
        rita = factories.actor(ctx, "rita", roles=("reviewer",))
        factories.store(ctx, *(factories.case(f"c-{number}") for number in range(60)))
        items = rows(ctx, ReviewItem)
        wrong = {f"c-{number}" for number in range(0, 60, 3)}
        for item in items:
            reviewed(ctx, item, rita, right=item.case_id not in wrong)
        REGISTRY["routing.settle"].run(ctx)

        with ctx.db.read() as session:
            scope = people.scope_of("claims", None, None, None, ctx.clock.now() + timedelta(hours=1))
            [found] = people.report(session, scope).arms

        blind = [item.case_id for item in items if item.arm == "blind"]
        assert 15 < len(blind) < 45, "about half"
        caught = len(wrong & set(blind))
        assert (found.version, found.kind) == ("v1", "review")
        assert (found.corrected.part, found.corrected.whole) == (caught, len(blind))
        assert (found.assisted.part, found.assisted.whole) == (0, 60 - len(blind))
        assert found.found.difference == pytest.approx(caught / len(blind))
        assert found.found.lower <= caught / len(blind) <= found.found.upper
        assert (found.equal.part, found.gave_way.part) == (len(blind) - caught, 0)
        assert "overrode it" in arms_words(found)

    def test_leaves_out_recorded_work_of_the_blind_arm(self, ctx: Context) -> None:
        factories.agent(ctx, supervision={"blind_share": 0.5})
        factories.rollout(ctx)
        factories.store(ctx, *(factories.case(f"c-{number}") for number in range(20)))
        rita = factories.actor(ctx, "rita", roles=("reviewer",))
        with ctx.db.begin() as session:
            agent = snapshot.load(session).agents["claims"]
            recorded = [
                Recorded(
                    item, session.get_one(Decision, item.decision_id), Said("approve", item.fingerprint), item.due_at
                )
                for item in session.scalars(select(ReviewItem))
            ]
            rule_all(session, recorded, agent=agent, actor=rita)
        REGISTRY["routing.settle"].run(ctx)
        with ctx.db.read() as session:
            scope = people.scope_of("claims", None, None, None, ctx.clock.now() + timedelta(hours=1))
            [found] = people.report(session, scope).arms

        assert found.corrected.whole == 0
        assert 0 < found.assisted.whole < 20
        assert arms_words(found).startswith("Nothing can be said yet")


def test_a_loop_whose_input_brings_the_answer_is_not_drawn(ctx: Context) -> None:
    factories.agent(ctx, supervision={"blind_share": 1.0})
    factories.rollout(ctx)
    brings = factories.case(
        "c-1", input={"asked": "Tool: pay\nArgs: {'amount': 5}"}, output={"action": "pay", "args": {"amount": 5}}
    )
    factories.store(ctx, brings)

    assert [arm for arm, _ in arms(ctx)] == ["assisted"]
