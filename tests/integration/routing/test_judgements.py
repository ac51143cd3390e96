"""Who was right, agent or person: a third person judges, who does not know whose output is whose."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import Phase
from routing import snapshot, tasks
from routing.cases import queries as cases
from routing.cases import service as cases_service
from routing.cases import settling
from routing.cases.tables import Decision, Label
from routing.domain.judging import Shares, counts
from routing.domain.sampling import judged_position
from routing.judgements import queries
from routing.judgements.asking import Draw
from routing.judgements.tables import Judgement
from routing.reviews.tables import ReviewItem
from tests import factories
from web_app import create_app

ALL = {"blind_share": 0.0, "judged_differing_share": 1.0, "judged_same_share": 1.0}
FIGURES = "/v1/agents/claims/judgements"


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    """A house in shadow in which every comparison is judged."""
    factories.agent(ctx, supervision=ALL, output_schema={"type": "string", "maxLength": 9})
    factories.rollout(ctx, phase=Phase.SHADOW)


@pytest.fixture
def web(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx)) as client:
        yield client


@pytest.fixture
def keys(ctx: Context) -> dict[str, dict[str, str]]:
    roles = {"rita": ("reviewer",), "paul": ("reviewer",), "lena": ("lead",)}
    for login, given in roles.items():
        factories.person(ctx, login, roles=given)
    return {login: factories.bearer(ctx, login=login) for login in roles}


def both(ctx: Context, output: str = "yes", done: str = "no", case_id: str = "c-1", **fields: Any) -> Decision:
    """The agent says this, and Paul did that; it is compared."""
    decision = factories.decision(ctx, case_id, output=output, **fields)
    factories.human_output(ctx, case_id, done, person="paul")
    tasks.settle(ctx)
    return decision


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))


def the(ctx: Context, table: Any) -> Any:
    [row] = rows(ctx, table)
    return row


def claim(web: TestClient, header: dict[str, str]) -> Any:
    answer = web.post("/v1/queue/claim", json={}, headers=header)
    return answer.json() if answer.status_code == 200 else None


def judge(web: TestClient, header: dict[str, str], held: Any, right: str, **said: Any) -> Any:
    body = {"right": right, "fingerprint": held["fingerprint"]} | said
    return web.post(f"/v1/reviews/{held['id']}/judgement", json=body, headers=header)


def named(ctx: Context, whose: str) -> str:
    """Under which name the output of the agent or the person is shown."""
    agent_is = the(ctx, Judgement).agent_is
    return agent_is if whose == "agent" else {"A": "B", "B": "A"}[agent_is]


class TestAsking:
    def test_settling_again_asks_no_second_time(self, ctx: Context) -> None:
        decision = both(ctx)
        with ctx.db.begin() as session:
            session.get_one(Decision, decision.id).mark_unsettled()
        tasks.settle(ctx)

        row, item = the(ctx, Judgement), the(ctx, ReviewItem)
        assert (item.kind, item.not_for, row.differed, row.item_id) == ("judgement", "paul", True, item.id)
        assert (row.differing_share, row.same_share) == (1.0, 1.0)

    def test_the_draw_is_the_cases_own_with_a_share_for_either_kind(self, ctx: Context) -> None:
        factories.agent(
            ctx, "letters", supervision={"blind_share": 0.0, "judged_differing_share": 0.5, "judged_same_share": 0.2}
        )
        rollout = factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        for n in range(16):
            factories.decision(ctx, f"l-{n}", agent="letters")
            factories.human_output(ctx, f"l-{n}", "no" if n % 2 else "yes", agent="letters")
        tasks.settle(ctx)

        asked = {row.case_id for row in rows(ctx, ReviewItem)}
        at = [judged_position(ctx.secret, rollout.id, f"l-{n}") for n in range(16)]
        assert asked == {f"l-{n}" for n in range(16) if at[n] < (0.5 if n % 2 else 0.2)}
        assert counts(0.1, Shares(0.5, 0.2))
        assert not counts(0.3, Shares(0.5, 0.2))

    def test_a_correction_is_shown_anew_and_what_was_held_before_is_refused(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        both(ctx)
        held = claim(web, keys["rita"])
        factories.human_output(ctx, "c-1", "maybe", person="paul")
        tasks.settle(ctx)

        refused = judge(web, keys["rita"], held, "A")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/shown-otherwise")
        again = claim(web, keys["rita"])
        assert again["id"] == held["id"]
        assert {one["output"] for one in again["pair"]["outputs"]} == {"yes", "maybe"}

    def test_a_correction_that_is_not_drawn_withdraws_it_and_nothing_of_it_counts(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        factories.agent(ctx, "letters", supervision=ALL | {"judged_same_share": 0.0})
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        factories.decision(ctx, agent="letters")
        factories.human_output(ctx, output="no", agent="letters")
        tasks.settle(ctx)
        factories.human_output(ctx, output="yes", agent="letters")
        tasks.settle(ctx)

        assert the(ctx, ReviewItem).state == "superseded"
        assert claim(web, keys["rita"]) is None
        assert web.get("/v1/agents/letters/judgements", headers=keys["lena"]).json()["asked"] == 0

    def test_old_work_is_not_asked_about(self, ctx: Context, clock: FixedClock) -> None:
        factories.decision(ctx, "c-1")
        factories.decision(ctx, "c-2")
        factories.human_output(ctx, "c-1", "no", occurred_at=clock.now() - timedelta(days=31))
        tasks.settle(ctx)
        clock.move(timedelta(days=31))
        factories.human_output(ctx, "c-2", "no")
        tasks.settle(ctx)
        assert rows(ctx, ReviewItem) == []


class TestJudging:
    def test_nothing_that_is_shown_tells_whose_is_whose(self, ctx: Context, web: TestClient, keys: Any) -> None:
        both(ctx, trace=[{"name": "look"}], confidence=0.87)
        held = claim(web, keys["rita"])

        assert [one["name"] for one in held["pair"]["outputs"]] == ["A", "B"]
        assert {one["output"] for one in held["pair"]["outputs"]} == {"yes", "no"}
        withheld = {"output", "confidence", "trace", "action", "amount"}
        assert {held[name] for name in withheld} == {None}
        assert not any(told in str(held) for told in ("paul", "0.87", "look"))

    def test_it_is_for_nobody_who_did_the_case_sent_it_or_ruled_on_it(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        factories.decision(ctx)
        body = {"case_id": "c-1", "output": "no", "person": "somebody"}
        assert web.post("/v1/agents/claims/human-outputs", json=body, headers=keys["lena"]).status_code == 201
        factories.human_output(ctx, "c-1", "maybe", person="paul")
        tasks.settle(ctx)

        item = the(ctx, ReviewItem)
        for who in ("paul", "lena"):
            assert claim(web, keys[who]) is None
            assert web.get("/v1/queue", headers=keys[who]).json()["items"] == []
            assert web.get("/v1/queue?kind=judgement", headers=keys[who]).json()["items"] == []
            assert web.post(f"/v1/reviews/{item.id}/claim", headers=keys[who]).status_code == 409
        [listed] = web.get("/v1/queue?kind=judgement", headers=keys["rita"]).json()["items"]
        assert listed["id"] == str(item.id)
        assert web.get("/v1/queue?kind=review", headers=keys["rita"]).json()["items"] == []
        assert claim(web, keys["rita"]) is not None

    @pytest.mark.parametrize(
        ("whose", "verdict", "right"), [("agent", "agree", (True, False)), ("person", "override", (False, True))]
    )
    def test_who_is_right_is_a_verdict_on_either(
        self, ctx: Context, web: TestClient, keys: Any, whose: str, verdict: str, right: Any
    ) -> None:
        both(ctx)
        held = claim(web, keys["rita"])
        given = judge(web, keys["rita"], held, named(ctx, whose))
        assert given.status_code == 201, given.text
        assert judge(web, keys["rita"], held, named(ctx, whose)).status_code == 200
        tasks.settle(ctx)

        row, decision = the(ctx, Judgement), the(ctx, Decision)
        assert (row.agent_right, row.person_right) == right
        assert (decision.label, decision.label_source) == (verdict, "judgement")
        found = web.get(FIGURES, headers=keys["lena"]).json()
        assert (found["agent_wrong"]["share"], found["people_wrong"]["share"]) == (
            float(not right[0]),
            float(not right[1]),
        )
        assert [one["person"] for one in found["people"]] == ["paul"]
        verbs = [one.verb for one in rows(ctx, AuditEvent) if one.verb.startswith("judgement")]
        assert sorted(verbs) == ["judgement.asked", "judgement.counted", "judgement.judged"]

    def test_one_output_is_shown_where_both_said_the_same_and_may_be_wrong(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        both(ctx, "yes", "yes")
        held = claim(web, keys["rita"])
        assert [one["output"] for one in held["pair"]["outputs"]] == ["yes"]
        assert judge(web, keys["rita"], held, "A").status_code == 422
        assert judge(web, keys["rita"], held, "neither", output="yes").status_code == 422
        assert judge(web, keys["rita"], held, "neither", output="far too long").status_code == 422
        assert judge(web, keys["rita"], held, "neither", output="no").status_code == 201
        tasks.settle(ctx)

        assert the(ctx, Decision).label == "override"
        assert web.get(FIGURES, headers=keys["lena"]).json()["same"] == {"right": 0, "wrong": 1}

    def test_a_case_drawn_because_they_differed_counts_in_no_gate(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        factories.agent(ctx, "letters", undo_seconds=0, supervision=ALL | {"judged_same_share": 0.0})
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        factories.decision(ctx, agent="letters")
        factories.human_output(ctx, output="no", agent="letters", person="paul")
        tasks.settle(ctx)
        judge(web, keys["rita"], claim(web, keys["rita"]), named(ctx, "agent"))
        tasks.settle(ctx)

        decision = the(ctx, Decision)
        assert (decision.label, decision.label_source) == ("override", "human_output")
        assert {one.source for one in rows(ctx, Label)} == {"human_output", "extra_judgement"}
        found = web.get("/v1/agents/letters/judgements", headers=keys["lena"]).json()
        assert (found["judged"], found["agent_wrong"]) == (1, {"share": None, "lower": 0.0, "upper": 1.0})

    def test_that_it_is_too_late_to_undo_one_is_told_in_words_that_are_true_of_it(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        both(ctx)
        held = claim(web, keys["rita"])
        judge(web, keys["rita"], held, "A")
        refused = web.post(f"/v1/reviews/{held['id']}/undo", headers=keys["rita"])
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-late-to-undo")
        assert "agent" not in refused.json()["detail"]

    def test_a_ruling_is_refused_and_a_judgement_of_anything_else(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        both(ctx)
        held = claim(web, keys["rita"])
        said = {"ruling": "approve", "fingerprint": held["fingerprint"]}
        refused = web.post(f"/v1/reviews/{held['id']}/ruling", json=said, headers=keys["rita"])
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/judge-instead")

        factories.agent(ctx, "letters")
        factories.rollout(ctx, "letters")
        factories.decision(ctx, agent="letters")
        other = web.post("/v1/queue/claim", json={"agent": "letters"}, headers=keys["paul"]).json()
        assert judge(web, keys["paul"], other, "A").json()["type"] == "/problems/nothing-to-judge"


class TestTheVeil:
    def test_every_other_way_to_the_case_is_closed_until_it_is_judged_for_good(
        self, ctx: Context, web: TestClient, keys: Any, clock: FixedClock
    ) -> None:
        factories.agent(ctx, "letters", undo_seconds=30, supervision=ALL)
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        decision = factories.decision(ctx, agent="letters")
        factories.human_output(ctx, output="no", agent="letters", person="paul")
        tasks.settle(ctx)
        ways = [f"/v1/decisions/{decision.id}", "/v1/agents/letters/cases/c-1"]

        def seen(who: str) -> list[int]:
            return [web.get(way, headers=keys[who]).status_code for way in ways]

        def sent(output: str, who: str = "rita", **key: str) -> str | None:
            body, path = {"case_id": "c-1", "output": output}, "/v1/agents/letters/human-outputs"
            told: str | None = web.post(path, json=body, headers=keys[who] | key).json().get("type")
            return told

        key = {"Idempotency-Key": "that somebody guesses"}
        assert sent("no", "paul", **key) is None
        assert {sent("no"), sent("no", **key), sent("yes", **key)} == {"/problems/answer-first"}
        assert (seen("rita"), seen("paul")) == ([409, 409], [200, 200])
        held = claim(web, keys["rita"])
        given = judge(web, keys["rita"], held, "A")
        assert given.json()["undo_until"] is not None
        assert seen("rita") == [409, 409]
        undone = web.post(f"/v1/reviews/{held['id']}/undo", headers=keys["rita"]).json()
        assert undone["undone"]["ruling"] == "judge"
        assert judge(web, keys["rita"], held, "both").status_code == 201
        clock.move(timedelta(seconds=31))
        tasks.conclude(ctx)
        assert (seen("rita"), the(ctx, Judgement).said) == ([200, 200], "both")

    def test_a_closed_case_in_a_stream_is_refused_by_itself_and_the_others_are_stored_at_once(
        self, ctx: Context, web: TestClient, keys: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both(ctx)
        calls: list[int] = []
        really = cases_service.add_open_human_outputs

        def counted(session: Any, agent: str, items: Any, **named: Any) -> Any:
            calls.append(len(items))
            return really(session, agent, items, **named)

        monkeypatch.setattr(cases_service, "add_open_human_outputs", counted)
        lines = "".join(f'{{"case_id": "{case}", "output": "no"}}\n' for case in ("c-8", "c-1", "c-9", "c-1"))
        kind = {"Content-Type": "application/x-ndjson"} | keys["rita"]
        streamed = web.post("/v1/agents/claims/human-outputs:stream", content=lines.encode(), headers=kind)

        *told, _summary = [json.loads(line) for line in streamed.text.splitlines()]
        assert [one["status"] for one in told] == [201, 409, 201, 409]
        assert "c-1" in told[3]["problem"]["detail"]
        assert calls == [4]

    def test_a_correction_that_comes_while_it_can_be_undone_is_what_is_judged_when_it_is(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        factories.agent(ctx, "letters", undo_seconds=30, supervision=ALL | {"judged_same_share": 0.0})
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        for case_id, corrected in (("c-1", "maybe"), ("c-2", "yes")):
            factories.decision(ctx, case_id, agent="letters")
            factories.human_output(ctx, case_id, "no", agent="letters", person="paul")
            tasks.settle(ctx)
            held = claim(web, keys["rita"])
            assert judge(web, keys["rita"], held, "A").status_code == 201
            factories.human_output(ctx, case_id, corrected, agent="letters", person="paul")
            tasks.settle(ctx)
            back = web.post(f"/v1/reviews/{held['id']}/undo", headers=keys["rita"])
            assert back.status_code == 200, back.text
            if corrected == "maybe":
                assert {one["output"] for one in back.json()["pair"]["outputs"]} == {"yes", "maybe"}
                assert judge(web, keys["rita"], held, "A").json()["type"] == "/problems/shown-otherwise"
                assert judge(web, keys["rita"], back.json(), "A").status_code == 201
            else:  # it is no case any more that was drawn
                assert claim(web, keys["rita"]) is None

        assert sorted(one.state for one in rows(ctx, ReviewItem)) == ["judged", "superseded"]
        assert web.get("/v1/agents/letters/judgements", headers=keys["lena"]).json()["asked"] == 1

    def test_a_time_out_is_nobodys_answer_and_widens_what_is_known(
        self, ctx: Context, web: TestClient, keys: Any, clock: FixedClock
    ) -> None:
        both(ctx)
        clock.move(timedelta(hours=25))
        tasks.expire(ctx)
        assert (the(ctx, ReviewItem).level, claim(web, keys["rita"])) == (2, None)
        assert claim(web, keys["lena"])["kind"] == "judgement"
        web.post("/v1/queue/leave?all=true", headers=keys["lena"])
        clock.move(timedelta(hours=13))
        tasks.expire(ctx)
        tasks.settle(ctx)

        assert (the(ctx, ReviewItem).state, the(ctx, Decision).label_source) == ("expired", "human_output")
        found = web.get(FIGURES, headers=keys["lena"]).json()
        assert (found["asked"], found["judged"], found["unjudged"]) == (1, 0, 1)
        assert found["agent_wrong"] == {"share": None, "lower": 0.0, "upper": 1.0}
        assert web.get(FIGURES, headers=keys["rita"]).status_code == 403

    def test_where_no_lead_may_judge_it_stays_with_those_who_may_and_that_nobody_may_is_told(
        self, ctx: Context, web: TestClient, keys: Any, clock: FixedClock
    ) -> None:
        factories.decision(ctx)
        for person in ("lena", "paul"):
            factories.human_output(ctx, output=f"no, {person}"[:9], person=person)
        tasks.settle(ctx)
        clock.move(timedelta(hours=13))
        tasks.expire(ctx)
        item = the(ctx, ReviewItem)
        assert (item.level, item.state, item.escalates_at) == (1, "waiting", None)
        assert (item.created_at, item.due_at) == (clock.now(), clock.now() + timedelta(hours=24))  # behind younger work
        assert item.expires_at == clock.now() + timedelta(hours=11)  # as it was
        assert claim(web, keys["rita"]) is not None
        assert web.get(FIGURES, headers=keys["lena"]).json()["for_nobody"] == 0

        factories.human_output(ctx, output="no, rita", person="rita")
        tasks.settle(ctx)
        assert web.get(FIGURES, headers=keys["lena"]).json()["for_nobody"] == 1
        clock.move(timedelta(hours=37))
        tasks.expire(ctx)
        tasks.expire(ctx)
        assert (the(ctx, ReviewItem).level, the(ctx, ReviewItem).state) == (1, "expired")

    def test_what_is_held_ahead_is_for_nobody_who_has_ruled_on_the_case_since(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        review = also_for_people(ctx)
        held = web.post(f"/v1/reviews/{review.id}/claim", headers=keys["rita"]).json()
        assert web.post("/v1/queue/leave", headers=keys["rita"]).status_code < 300
        with ctx.db.begin() as session:  # as it was dealt before she had anything to do with the case
            item = session.get_one(ReviewItem, judgement(ctx).id)
            item.claimed_by, item.claimed_at, item.ahead = "rita", ctx.clock.now(), True
            item.claimed_until = ctx.clock.now() + timedelta(seconds=90)
        web.post(f"/v1/reviews/{review.id}/claim", headers=keys["rita"])
        said = {"ruling": "approve", "fingerprint": held["fingerprint"]}
        assert web.post(f"/v1/reviews/{review.id}/ruling", json=said, headers=keys["rita"]).status_code == 201

        assert claim(web, keys["rita"]) is None
        assert web.post(f"/v1/reviews/{judgement(ctx).id}/claim", headers=keys["rita"]).status_code == 409

    def test_who_looks_at_another_output_of_the_case_or_has_read_it_is_not_asked(
        self, ctx: Context, web: TestClient, keys: Any, clock: FixedClock
    ) -> None:
        review = also_for_people(ctx)
        mine = f"/v1/reviews/{review.id}"
        asked = f"/v1/reviews/{judgement(ctx).id}/claim"
        web.post(f"{mine}/claim", headers=keys["rita"])
        assert web.post(asked, headers=keys["rita"]).status_code == 409
        clock.move(timedelta(minutes=5))
        web.post(f"{mine}/release", headers=keys["rita"])

        assert web.post(asked, headers=keys["rita"]).status_code == 409
        assert claim(web, keys["rita"])["id"] == str(review.id)

    def test_who_reads_another_output_of_the_case_meanwhile_does_not_answer_anew(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        factories.agent(ctx, "letters", undo_seconds=30, supervision=ALL)
        review = also_for_people(ctx, agent="letters")
        held = web.post(f"/v1/reviews/{judgement(ctx).id}/claim", headers=keys["rita"]).json()
        assert judge(web, keys["rita"], held, "A").status_code == 201
        web.post(f"/v1/reviews/{review.id}/claim", headers=keys["rita"])
        assert web.post(f"/v1/reviews/{held['id']}/undo", headers=keys["rita"]).status_code == 200

        refused = judge(web, keys["rita"], held, "B")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-for-you")


class TestTurns:
    """With settling, which holds the decision while it changes the item. On SQLite writers take turns."""

    def test_a_judgement_that_counts_at_once_never_holds_the_case_while_it_waits_for_settling(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        if ctx.db.dialect == "sqlite":
            return
        decision = both(ctx)
        held = claim(web, keys["rita"])
        with ThreadPoolExecutor(1) as pool:
            with ctx.db.begin() as session:
                cases.lock_decision(session, decision.id)
                given = pool.submit(judge, web, keys["rita"], held, "A")
                until_somebody_waits(ctx)
                session.execute(text("SET LOCAL lock_timeout = '1s'"))
                assert queries.try_change(session, the(ctx, ReviewItem).id, {"fingerprint": "f" * 64})
            assert given.result().json()["type"] == "/problems/shown-otherwise"

    def test_a_correction_that_is_settled_in_the_moment_of_an_undo_is_what_is_judged(
        self, ctx: Context, web: TestClient, keys: Any
    ) -> None:
        if ctx.db.dialect == "sqlite":
            return
        factories.agent(ctx, "letters", undo_seconds=30, supervision=ALL)
        factories.rollout(ctx, "letters", phase=Phase.SHADOW)
        factories.decision(ctx, agent="letters")
        factories.human_output(ctx, output="no", agent="letters", person="paul")
        tasks.settle(ctx)
        held = claim(web, keys["rita"])
        assert judge(web, keys["rita"], held, "A").status_code == 201
        factories.human_output(ctx, output="maybe", agent="letters", person="paul")
        with ThreadPoolExecutor(1) as pool:
            with ctx.db.begin() as session:
                present = snapshot.load(session)
                draw = Draw(ctx.secret, present.policies)
                settling.settle(session, present.agents, now=ctx.clock.now(), draw=draw)
                back = pool.submit(web.post, f"/v1/reviews/{held['id']}/undo", headers=keys["rita"])
                until_somebody_waits(ctx)
            assert {one["output"] for one in back.result().json()["pair"]["outputs"]} == {"yes", "maybe"}


def until_somebody_waits(ctx: Context) -> None:
    """For a lock that another transaction has."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(500):
        with ctx.db.read() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.01)
    pytest.fail("nobody waits")


def also_for_people(ctx: Context, agent: str = "claims") -> ReviewItem:
    """The review of a second version's output; of the first version's, in shadow, somebody is asked who was right."""
    if agent != "claims":
        factories.rollout(ctx, agent, phase=Phase.SHADOW)
    factories.rollout(ctx, agent, version="v9", phase=Phase.SUPERVISED)
    factories.decision(ctx, agent=agent)
    factories.decision(ctx, agent=agent, version="v9")
    factories.human_output(ctx, output="no", agent=agent, person="paul")
    tasks.settle(ctx)
    [review] = [one for one in rows(ctx, ReviewItem) if one.kind == "review"]
    return review


def judgement(ctx: Context) -> ReviewItem:
    [item] = [one for one in rows(ctx, ReviewItem) if one.kind == "judgement"]
    return item
