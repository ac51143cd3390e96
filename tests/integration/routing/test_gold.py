"""Gold cases: mixed unseen into a reviewer's stream, and nothing follows from them but an answer about the reviewer."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase, Standing
from rollout.reviewers.tables import GoldAnswer
from routing.cases.schemas import HumanLoopIn
from routing.cases.service import Stored
from routing.cases.tables import Decision, Label
from routing.delivery.tables import OutboxMessage
from routing.doctor import service as doctor
from routing.domain.sampling import gold_rank
from routing.gold import service as gold_cases
from routing.gold.tables import GoldCase, GoldDeal, GoldReport
from routing.interrupts.asked import case_id_of
from routing.reviews.tables import ReviewItem, Ruling
from routing.staffing import queries as staffing
from tests import factories
from tests.integration.routing.desk import conclude, rows, webhook
from tests.integration.routing.test_api import CASE, DECISIONS, Keys, hold, rule
from tests.racing import together
from web_app import create_app

ALWAYS = 0.5
"""Half of the stream: before every real case goes one."""
UNDO = 10
GOLD_CASES = "/v1/agents/claims/gold-cases"
REPORTS = "/v1/agents/claims/gold-reports"
RIGHT = {"case_id": "g-000001", "input": {"text": "Case g-000001"}, "output": "yes", "confidence": 0.9}
RIGHT |= {"output_is": "right", "why": "All three receipts are there."}
WRONG = RIGHT | {"case_id": "g-000002", "input": {"text": "Case g-000002"}, "output": "no", "output_is": "wrong",
                 "correct_output": "yes", "why": "Page two of g-000002 says otherwise."}  # fmt: skip


@pytest.fixture
def keys(ctx: Context) -> Keys:
    factories.agent(ctx, undo_seconds=UNDO, supervision={"blind_share": 0.0, "gold_share": ALWAYS})
    factories.rollout(ctx)
    for login, role in (("rita", "reviewer"), ("ravi", "reviewer"), ("lena", "lead"), ("omar", "owner")):
        factories.person(ctx, login, roles=(role,))
    found = {login: factories.bearer(ctx, login=login) for login in ("rita", "ravi", "lena", "omar")}
    return found | {"claims": factories.bearer(ctx, agent="claims")}


@pytest.fixture
def client(ctx: Context, keys: Keys) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = keys["claims"]  # type: ignore[assignment]
        yield client


def post(client: TestClient, who: dict[str, str], path: str, body: Any = None) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=who)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pool(client: TestClient, keys: Keys, *bodies: dict[str, Any]) -> list[str]:
    return [post(client, keys["omar"], GOLD_CASES, body)["id"] for body in bodies or (RIGHT, WRONG)]


def work(client: TestClient, count: int = 4) -> list[str]:
    for number in range(count):
        post(
            client, {}, DECISIONS, CASE | {"case_id": f"w-{number:03}000", "input": {"text": f"Case w-{number:03}000"}}
        )
    return [f"w-{number:03}000" for number in range(count)]


def claim(client: TestClient, who: dict[str, str], **wanted: Any) -> dict[str, Any]:
    return post(client, who, "/v1/queue/claim", wanted)


def is_gold(item: dict[str, Any]) -> bool:
    return not item["case_id"].endswith("000")


def told(ctx: Context, clock: FixedClock) -> None:
    """The time to undo is over."""
    clock.move(timedelta(seconds=UNDO + 1))
    conclude(ctx)


def shape(value: Any) -> Any:
    """Which fields there are and of what kind, but not what they say."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


class TestLooks:
    def test_like_any_other_case_wherever_a_reviewer_may_look(self, client: TestClient, keys: Keys) -> None:
        pool(client, keys)
        work(client)

        first = claim(client, keys["rita"], ahead=3)
        real, gold = (next(one for one in (first, *first["next"]) if is_gold(one) is kind) for kind in (False, True))

        first.pop("next", None)
        assert [is_gold(one) for one in (gold, real)] == [True, False]
        assert shape(gold) == shape(real)
        told_alike = ("version", "kind", "level", "priority", "state", "reasons", "answer_first")
        assert {name: gold[name] for name in told_alike} == {name: real[name] for name in told_alike}
        assert gold["case_id"] in gold["input"]["text"], "the id of the original must not stand there"
        for path in (
            "/v1/decisions/{decision_id}",
            "/v1/agents/claims/cases/{case_id}",
            DECISIONS + "?case_id={case_id}",
        ):
            one, other = (client.get(path.format(**item), headers=keys["rita"]) for item in (gold, real))
            assert (one.status_code, shape(one.json())) == (other.status_code, shape(other.json())), path
        for path in (f"/v1/agents/claims/cases/{gold['case_id']}", f"/v1/decisions/{gold['decision_id']}"):
            assert client.get(path).status_code == 404, "the agent never sent it"
        assert client.get(f"{DECISIONS}?case_id={gold['case_id']}").json()["items"] == []
        listed = client.get("/v1/queue", params={"kind": "review"}, headers=keys["rita"]).json()["items"]
        lines = {item["id"]: item for item in listed}
        assert shape(lines[gold["id"]]) == shape(lines[real["id"]])
        order = [item["id"] for item in listed]
        assert order.index(gold["id"]) < order.index(real["id"])
        everything = client.get("/v1/queue", headers=keys["rita"]).text + str(gold)
        assert "gold" not in everything.lower()

    def test_like_any_other_to_who_reports_a_failure_of_it_which_is_told_to_its_keepers_alone(
        self, client: TestClient, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client)
        first = claim(client, keys["rita"], ahead=3)
        gold, real = (next(one for one in (first, *first["next"]) if is_gold(one) is kind) for kind in (True, False))
        failed = {"severity": "critical", "description": "It is wrong.", "correct_output": "no"}
        once = keys["rita"] | {"Idempotency-Key": "it-is-wrong"}
        places: dict[str, str] = {}

        def answers(item: dict[str, Any]) -> list[Any]:
            path = f"/v1/decisions/{item['decision_id']}/failures"
            made = client.post(path, json=failed, headers=once)
            places[item["case_id"]] = place = made.headers["location"]
            asked = [
                made,
                client.post(path, json=failed, headers=once),
                client.post(path, json=failed | {"severity": "minor"}, headers=once),
                client.get(place, headers=keys["rita"]),
                client.post(f"{place}/close", json={"cause": "?"}, headers=keys["rita"]),
                client.get(f"/v1/agents/claims/cases/{item['case_id']}", headers=keys["rita"]),
            ]
            return [(one.status_code, shape(one.json())) for one in asked]

        assert answers(gold) == answers(real)
        listed = client.get("/v1/failures?agent=claims", headers=keys["rita"]).json()["items"]
        assert {one["case_id"] for one in listed} == {real["case_id"], gold["case_id"]}
        for who in (keys["lena"], keys["claims"]):
            listed = client.get("/v1/failures?agent=claims", headers=who).json()["items"]
            assert [one["case_id"] for one in listed] == [real["case_id"]]
            assert client.get(places[gold["case_id"]], headers=who).status_code == 404
        assert client.post(f"/v1/decisions/{gold['decision_id']}/failures", json=failed).status_code == 404
        reports = [client.get(REPORTS, headers=keys[who]) for who in ("lena", "rita", "claims")]
        assert [one.status_code for one in reports] == [200, 403, 403]
        [told] = reports[0].json()["items"]
        assert (told["shown_as"], told["reported_by"], told["correct_output"]) == (gold["case_id"], "rita", "no")
        kept = client.get(GOLD_CASES, headers=keys["lena"]).json()
        assert {one["id"]: one["reports"] for one in kept["items"] if one["reports"]} == {told["gold_case_id"]: 1}
        assert kept["pool"]["reports"] == 1

    def test_and_twins_of_a_report_are_one(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        pool(client, keys)
        work(client, 1)
        path = f"/v1/decisions/{claim(client, keys['rita'])['decision_id']}/failures"
        failed, once = {"severity": "major", "description": "It is wrong."}, keys["rita"] | {"Idempotency-Key": "1"}

        answers = together(*[lambda: client.post(path, json=failed, headers=once)] * 4)

        assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
        assert len({one.json()["id"] for one in answers}) == len(rows(ctx, GoldReport)) == 1

    def test_with_ids_as_old_as_the_case_says_it_is(self, client: TestClient, keys: Keys) -> None:
        pool(client, keys)
        work(client, 1)

        gold = claim(client, keys["rita"])

        created = datetime.fromisoformat(gold["created_at"]).timestamp()
        for name in ("id", "decision_id"):
            made = UUID(gold[name])
            assert (made.version, made.variant) == (7, "specified in RFC 4122")
            assert abs((made.int >> 80) / 1000 - created) < 0.002

    def test_like_an_audit_where_the_agent_would_have_gone_alone(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        factories.agent(ctx, "letters", supervision={"blind_share": 1.0, "gold_share": ALWAYS}, undo_seconds=0)
        factories.rollout(ctx, "letters", phase=Phase.FULL, audit_rate=0.2, threshold=0.5)
        for body in (RIGHT, WRONG):
            post(client, keys["omar"], "/v1/agents/letters/gold-cases", body)
        agents_key = factories.bearer(ctx, agent="letters")
        for number in range(30):
            post(client, agents_key, "/v1/agents/letters/decisions", CASE | {"case_id": f"w-{number:03}000"})

        gold = claim(client, keys["rita"], agent="letters")
        [deal] = rows(ctx, GoldDeal)

        assert (gold["kind"], gold["answer_first"], gold["output"]) == ("audit", True, None)
        assert (deal.decision["lane"], deal.probability) == ("audit", 1.0)
        for path in (f"/v1/agents/letters/cases/{gold['case_id']}", f"/v1/decisions/{gold['decision_id']}"):
            assert client.get(path, headers=keys["rita"]).json()["type"] == "/problems/answer-first"
        seen = post(client, keys["rita"], f"/v1/reviews/{gold['id']}/answer", {"output": "maybe"})
        assert rule(client, keys, seen, who="rita").status_code == 201
        assert [answer.said for answer in rows(ctx, GoldAnswer)] == ["right"]
        assert "review.answered" not in {event.verb for event in rows(ctx, AuditEvent)}

    def test_and_the_count_of_what_waits_gives_nothing_away(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        def left() -> int:
            counted = client.get("/v1/queue", headers=keys["rita"]).json()["waiting"]
            return int(counted.get("claims", 0))

        pool(client, keys)
        work(client, 4)
        gold = claim(client, keys["rita"])
        seen = [left()]
        assert len(client.get("/v1/queue", headers=keys["rita"]).json()["items"]) == seen[0]
        rule(client, keys, gold, who="rita")
        seen.append(left())
        told(ctx, clock)
        seen.append(left())

        assert is_gold(gold)
        assert seen == [5, 4, 4], "as if another case had come, and had been ruled on"
        assert client.get("/v1/backlog", headers=keys["omar"]).json()["reviews_waiting"] == 4


class TestARuling:
    def test_says_something_about_the_reviewer_and_nothing_else(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        webhook(ctx)
        ids = pool(client, keys)
        work(client, 3)
        before = {table: len(rows(ctx, table)) for table in (Decision, Label, OutboxMessage)}
        gold = claim(client, keys["rita"], agent="claims")
        clock.move(timedelta(seconds=3))
        assert rule(client, keys, gold, "reject", who="rita", reason_code="wrong").status_code == 201
        told(ctx, clock)

        [deal] = rows(ctx, GoldDeal)
        [answer] = rows(ctx, GoldAnswer)
        assert (answer.reviewer, answer.said, answer.recorded_by) == ("rita", "wrong", "system")
        assert answer.case_id in ids
        assert (deal.ruling, deal.said) == ("reject", "wrong")
        assert {table: len(rows(ctx, table)) for table in before} == before
        verbs = [event.verb for event in rows(ctx, AuditEvent)]
        assert verbs.count("gold.answered") == 1
        assert not [verb for verb in verbs if verb.startswith("review.")]
        exported = client.get("/v1/agents/claims/rulings:export", headers=keys["omar"])
        assert (exported.status_code, exported.text) == (200, "")
        REGISTRY["routing.settle"].run(ctx)
        with ctx.db.read() as session:
            hours = staffing.reviews_by_hour(session, "claims", clock.now() - timedelta(days=1), clock.now())
            assert sum(hour.number for hour in hours) == 3
            assert staffing.handled(session, "claims", clock.now() - timedelta(days=1)).rulings == 0
        for shown in (
            client.get("/v1/agents/claims/gold-answers", headers=keys["omar"]).json()["together"],
            client.get("/v1/agents/claims/people", headers=keys["omar"]).json()["gold"],
        ):
            assert shown["sensitivity"]["whole"] + shown["specificity"]["whole"] == 1

    def test_that_escalates_says_neither_and_reaches_nobody(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 1)
        gold = claim(client, keys["rita"])
        assert rule(client, keys, gold, "escalate", who="rita").status_code == 201
        told(ctx, clock)

        assert not rows(ctx, GoldAnswer)
        assert [item.level for item in rows(ctx, ReviewItem)] == [1, 1]
        self.is_told_when_the_second_line_is_over(ctx, clock, UUID(gold["id"]))
        known = f"/v1/reviews/{gold['id']}/known-answer"
        assert client.get(known, headers=keys["rita"]).status_code == 404
        clock.move(timedelta(hours=23))
        assert client.get(known, headers=keys["rita"]).status_code == 404, "any other could still be ruled on"
        clock.move(timedelta(hours=1))
        result = client.get(known, headers=keys["rita"]).json()
        assert (result["ruling"], result["said"], result["knew"]) == ("escalate", None, None)
        assert client.get(known, headers=keys["ravi"]).status_code == 404

    def is_told_when_the_second_line_is_over(self, ctx: Context, clock: FixedClock, item_id: UUID) -> None:
        def told_on(days: float, *, ends: float) -> bool:
            """Where the second line had so long, and looked at so long after."""
            with ctx.db.begin() as session:
                item = session.get_one(ReviewItem, item_id)
                item.expires_at, before = clock.now() + timedelta(days=ends), item.expires_at
                session.flush()
                found = gold_cases.untold(session, "rita", clock.now() + timedelta(days=days))
                item.expires_at = before
            return found is not None

        assert told_on(31, ends=30), "however long it takes"
        assert not told_on(29, ends=30)
        assert not told_on(38, ends=30)

    def test_is_undone_as_any_other_and_what_is_known_is_told_only_after_that(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 1)
        gold = claim(client, keys["rita"])
        rule(client, keys, gold, who="rita")
        known = f"/v1/reviews/{gold['id']}/known-answer"
        assert client.get(known, headers=keys["rita"]).status_code == 404

        back = post(client, keys["rita"], f"/v1/reviews/{gold['id']}/undo")
        told(ctx, clock)
        assert (back["id"], back["undone"]["ruling"]) == (gold["id"], "approve")
        assert client.get(known, headers=keys["rita"]).status_code == 404

        rule(client, keys, gold, "edit", who="rita", output="maybe")
        told(ctx, clock)
        result = client.get(known, headers=keys["rita"]).json()
        assert (result["said"], result["case_id"]) == ("wrong", gold["case_id"])
        assert result["knew"] is (result["output_is"] == "wrong")
        assert "g-000002" not in result["why"]
        assert client.get(known, headers=keys["ravi"]).status_code == 404
        assert [ruling.undone_at is None for ruling in rows(ctx, Ruling)].count(True) == 1


class TestDealing:
    def golds(self, client: TestClient, who: dict[str, str], rounds: int = 8) -> list[str]:
        """The texts of the gold cases in a stream, each given back at once."""
        found = []
        for _ in range(rounds):
            answer = client.post("/v1/queue/claim", json={}, headers=who)
            if answer.status_code == 204:
                break
            item = answer.json()
            found += [item["output"]] if is_gold(item) else []
            rule_body = {"ruling": "approve", "fingerprint": item["fingerprint"]}
            assert client.post(f"/v1/reviews/{item['id']}/ruling", json=rule_body, headers=who).status_code == 201
        return found

    def test_never_deals_one_twice_to_a_person_and_each_once(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 8)

        assert sorted(self.golds(client, keys["rita"])) == ["no", "yes"]
        assert sorted(self.golds(client, keys["ravi"])) == ["no", "yes"]
        assert len({deal.case_id for deal in rows(ctx, GoldDeal)}) == 4

    def test_one_that_is_given_back_comes_again_to_who_had_it_and_to_nobody_else(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 1)
        gold = claim(client, keys["rita"])
        assert client.post(f"/v1/reviews/{gold['id']}/release", headers=keys["rita"]).status_code == 204

        refused = client.post(f"/v1/reviews/{gold['id']}/claim", headers=keys["ravi"])
        again = claim(client, keys["rita"])
        clock.move(timedelta(seconds=ctx.settings.lease_seconds + 1))
        REGISTRY["routing.release_expired"].run(ctx)
        late = claim(client, keys["rita"])

        assert (is_gold(gold), refused.json()["type"]) == (True, "/problems/not-for-you")
        assert again["id"] == late["id"] == gold["id"]
        assert len(rows(ctx, GoldDeal)) == 1, "before one case only one is drawn"

    def test_one_that_is_left_for_a_day_is_asked_no_more(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 1)
        gold = claim(client, keys["rita"])
        clock.move(timedelta(days=1, seconds=1))
        REGISTRY["routing.release_expired"].run(ctx)

        assert [item.state for item in rows(ctx, ReviewItem) if item.kind == "gold"] == ["cancelled"]
        assert not is_gold(claim(client, keys["rita"]))
        assert is_gold(gold)

    def test_leaves_out_who_may_look_at_the_list_or_at_the_record(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 3)
        factories.person(ctx, "aude", roles=("reviewer", "auditor"))

        assert not is_gold(claim(client, keys["lena"]))
        assert not is_gold(claim(client, factories.bearer(ctx, login="aude")))

    def test_leaves_out_who_knows_the_original(self, client: TestClient, ctx: Context, keys: Keys) -> None:
        made = post(client, {}, DECISIONS, CASE | {"case_id": "w-949000"})
        first = claim(client, keys["rita"])
        rule(client, keys, first, "reject", who="rita", reason_code="wrong")
        REGISTRY["routing.conclude"].run(ctx)
        body = {"decision_id": made["id"], "output_is": "wrong", "correct_output": "no", "why": "It was not."}
        pool(client, keys, body, RIGHT)
        work(client, 6)

        assert self.golds(client, keys["rita"], rounds=4) == ["yes"]
        assert len(self.golds(client, keys["ravi"])) == 2

    def test_leaves_out_who_knows_the_case_by_another_version_or_has_had_it_before_them(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW, standing=Standing.CANDIDATE)
        made = [post(client, {}, DECISIONS, CASE | {"case_id": f"w-94{number}000"}) for number in (1, 2)]
        twin = post(client, {}, DECISIONS, CASE | {"case_id": "w-941000", "version": "v2"})
        rule(client, keys, claim(client, keys["rita"]), who="rita")
        opened = claim(client, keys["rita"])
        clock.move(timedelta(seconds=30))
        assert client.post(f"/v1/reviews/{opened['id']}/release", headers=keys["rita"]).status_code == 204
        rule(client, keys, claim(client, keys["ravi"]), "escalate", who="ravi")
        told(ctx, clock)
        wrong = {"output_is": "wrong", "correct_output": "no", "why": "It was not."}
        bodies = [wrong | {"decision_id": one["id"]} for one in (twin, made[1])]
        pool(client, keys, *bodies, RIGHT)
        work(client, 6)

        assert opened["decision_id"] == made[1]["id"]
        assert self.golds(client, keys["rita"], rounds=4) == ["yes"]

    def test_leaves_out_what_can_look_like_no_case_that_the_router_lays_out(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        loop = HumanLoopIn.model_validate({"case_id": "w-950000", "version": "v1", "output": "yes", "input": {}})
        [stored] = factories.store(ctx, loop)
        assert isinstance(stored, Stored)
        known = {"output_is": "right", "why": "."}
        for body, place in (
            ({"decision_id": str(stored.decision.id)} | known, "decision_id"),
            (RIGHT | {"case_id": case_id_of("a-1", 0)}, "case_id"),
            (RIGHT | {"input": {"scan": "https://dms/scans/g-000001.pdf"}}, "input"),
        ):
            refused = client.post(GOLD_CASES, json=body, headers=keys["omar"])
            assert (refused.status_code, refused.json()["errors"][0]["place"]) == (422, place)
        ids = pool(client, keys)

        assert not is_gold(claim(client, keys["rita"])), "it would stand among human loops"
        with ctx.db.begin() as session:
            session.get_one(GoldCase, UUID(ids[0])).input = {"scan": "https://dms/scans/g-000001.pdf"}
            session.get_one(GoldCase, UUID(ids[1])).case_id = "interrupt:a-1:0"
        work(client, 2)
        assert not any(is_gold(item) for item in claim(client, keys["ravi"], ahead=3)["next"])
        listed = client.get(GOLD_CASES, headers=keys["omar"]).json()["items"]
        assert [one["left_out"].split(" ")[0] for one in listed] == ["it", "input:"]

    def test_those_that_are_dealt_to_nobody_stand_in_no_others_way(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        ids = pool(client, keys, WRONG, *(RIGHT | {"case_id": f"g-10000{number}"} for number in range(6)))
        first = sorted(map(UUID, ids), key=lambda one: gold_rank(ctx.secret, "rita", one))
        with ctx.db.begin() as session:
            for one in first[:-1]:
                row = session.get_one(GoldCase, one)
                row.input = {"scan": f"https://dms/scans/{row.case_id}.pdf"}
        work(client, 1)

        assert is_gold(claim(client, keys["rita"]))

    def test_stays_within_what_a_person_works(self, client: TestClient, keys: Keys) -> None:
        pool(client, keys, RIGHT, WRONG | {"segment": "law"})
        queues = {"queues": [{"segment": "law", "team": "lawyers"}]}
        assert client.put("/v1/agents/claims/queues", json=queues, headers=keys["lena"]).status_code == 200
        work(client, 6)

        assert self.golds(client, keys["rita"], rounds=4) == ["yes"]

    def test_waits_while_real_work_has_little_time_left(
        self, client: TestClient, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 2)
        clock.move(timedelta(hours=9.5))  # of the twelve before it goes to the second line

        assert not is_gold(claim(client, keys["rita"]))

    def test_needs_both_right_and_wrong_ones(self, client: TestClient, keys: Keys) -> None:
        pool(client, keys, WRONG)
        work(client, 2)

        assert not is_gold(claim(client, keys["rita"]))
        told = client.get(GOLD_CASES, headers=keys["omar"]).json()["pool"]
        assert (told["right"], told["wrong"]) == (0, 1)
        assert "output that is right" in told["warnings"][0]

    def test_leaves_the_doctor_nothing_to_complain_of(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        pool(client, keys)
        work(client, 2)
        gold = claim(client, keys["rita"])
        rule(client, keys, gold, who="rita")
        claim(client, keys["rita"], ahead=3)
        told(ctx, clock)
        REGISTRY["routing.settle"].run(ctx)

        with ctx.db.begin() as session:
            assert [finding for finding in doctor.examine(session, now=clock.now()) if finding.count] == []


class TestThePool:
    def test_is_for_owners_and_leads(self, client: TestClient, keys: Keys) -> None:
        for who in ("rita", "claims"):
            assert client.post(GOLD_CASES, json=RIGHT, headers=keys[who]).status_code == 403
            assert client.get(GOLD_CASES, headers=keys[who]).status_code == 403
        assert client.post(GOLD_CASES, json=RIGHT, headers=keys["lena"]).status_code == 201
        nothing = client.post(GOLD_CASES, json={"why": "?"}, headers=keys["lena"]).json()
        assert [error["place"] for error in nothing["errors"]] == ["case_id", "output", "output_is"]
        both = client.post(
            GOLD_CASES, json={"why": "?", "decision_id": str(new_id()), "input": 1}, headers=keys["lena"]
        )
        assert [error["place"] for error in both.json()["errors"]] == ["input"]

    def test_takes_the_same_case_once_and_retires_it_for_good(
        self, client: TestClient, ctx: Context, keys: Keys
    ) -> None:
        [made] = pool(client, keys, RIGHT)
        again = client.post(GOLD_CASES, json=RIGHT, headers=keys["omar"])
        for _ in range(2):
            gone = post(client, keys["lena"], f"/v1/gold-cases/{made}/retire")

        assert (again.status_code, again.json()["id"]) == (200, made)
        assert gone["retired_by"] == "lena"
        assert client.get(GOLD_CASES + "?state=active", headers=keys["omar"]).json()["items"] == []
        verbs = [event.verb for event in rows(ctx, AuditEvent)]
        assert (verbs.count("gold.made"), verbs.count("gold.retired")) == (1, 1)

    def test_learns_from_the_verdict_that_counts(
        self, client: TestClient, ctx: Context, clock: FixedClock, keys: Keys
    ) -> None:
        made = post(client, {}, DECISIONS, CASE | {"case_id": "w-901000"})
        unknown = client.post(GOLD_CASES, json={"decision_id": made["id"], "why": "?"}, headers=keys["omar"])
        rule(client, keys, claim(client, keys["rita"]), "edit", who="rita", output="no")
        told(ctx, clock)
        REGISTRY["routing.settle"].run(ctx)

        known = post(client, keys["omar"], GOLD_CASES, {"decision_id": made["id"], "why": "Rita was right."})

        assert (unknown.status_code, unknown.json()["errors"][0]["place"]) == (422, "output_is")
        assert (known["output"], known["output_is"], known["correct_output"]) == ("yes", "wrong", "no")
        other = post(client, {}, DECISIONS, CASE | {"case_id": "w-902000"})
        failure = {"severity": "major", "description": "It was wrong.", "correct_output": "never"}
        post(client, {}, f"/v1/decisions/{other['id']}/failures", failure)
        REGISTRY["routing.settle"].run(ctx)
        failed = post(client, keys["omar"], GOLD_CASES, {"decision_id": other["id"], "why": "As reported."})
        assert (failed["output_is"], failed["correct_output"]) == ("wrong", "never")
        rejected = post(client, {}, DECISIONS, CASE | {"case_id": "w-903000"})
        hold(client, keys | {"lead": keys["lena"]}, rejected, "ravi")
        rule(client, keys, claim(client, keys["ravi"]), "reject", who="ravi", reason_code="wrong")
        told(ctx, clock)
        REGISTRY["routing.settle"].run(ctx)
        unsaid = post(client, keys["omar"], GOLD_CASES, {"decision_id": rejected["id"], "why": "As Ravi said."})
        assert (unsaid["output_is"], unsaid["correct_output"]) == ("wrong", None)
        seeded = {
            "decision_id": made["id"],
            "output": "perhaps",
            "output_is": "wrong",
            "correct_output": "perhaps",
            "why": ".",
        }
        assert client.post(GOLD_CASES, json=seeded, headers=keys["omar"]).status_code == 422
