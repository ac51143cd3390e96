"""An answer is never ahead of its row: shown with a real server, since a test client cannot see the order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import func, select

from routing.cases.tables import Decision, HumanOutput
from routing.reviews.tables import ReviewItem, Ruling
from tests.system.house import House, body, soon

pytestmark = pytest.mark.system


def count(house: House, table: Any, *where: Any) -> int:
    """Seen by a connection of its own."""
    with house.ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def run(house: House, *statements: str) -> None:
    with house.ctx.db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def failing_commits(house: House, table: str) -> Iterator[None]:
    """Every insert into the table goes well, and then the commit fails."""
    if house.ctx.db.dialect == "sqlite":
        run(
            house,
            "CREATE TABLE IF NOT EXISTS guard_parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE IF NOT EXISTS guard (p INTEGER REFERENCES guard_parent (id) DEFERRABLE INITIALLY DEFERRED)",
            f"CREATE TRIGGER guarded AFTER INSERT ON {table} BEGIN INSERT INTO guard VALUES (1); END",  # noqa: S608
        )
    else:
        _at_commit(house, table, "RAISE EXCEPTION 'no room left'")
    try:
        yield
    finally:
        run(house, "DROP TRIGGER guarded" + ("" if house.ctx.db.dialect == "sqlite" else f" ON {table}"))


@contextmanager
def slow_commits(house: House, table: str) -> Iterator[None]:
    """A commit takes most of a second, so whoever answers before it is found out."""
    _at_commit(house, table, "PERFORM pg_sleep(0.7)")
    try:
        yield
    finally:
        run(house, f"DROP TRIGGER guarded ON {table}")


def _at_commit(house: House, table: str, what: str) -> None:
    run(
        house,
        f"CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER guarded AFTER INSERT ON {table} "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard()",
    )


@contextmanager
def held(house: House) -> Iterator[None]:
    """Nobody else can store a decision: another program holds the lock."""
    with house.ctx.db.engine.connect() as connection:  # on SQLite its transaction begins with the writer's lock
        if house.ctx.db.dialect == "sqlite":
            connection.exec_driver_sql("SELECT 1")
        else:
            connection.exec_driver_sql("LOCK TABLE decisions IN EXCLUSIVE MODE")
        yield


def claimed(house: House, case_id: str) -> dict[str, Any]:
    """A new case that alice holds."""
    with house.client() as agent, house.client("alice") as desk:
        decision = agent.post("/v1/agents/claims/decisions", json=body(case_id)).json()
        with house.ctx.db.read() as session:
            item = session.scalars(select(ReviewItem).where(ReviewItem.case_id == case_id)).one()
        assert str(item.decision_id) == decision["id"]
        held_item: dict[str, Any] = desk.post(f"/v1/reviews/{item.id}/claim").json()
        return held_item


Call = Callable[[House, httpx2.Client, str], httpx2.Response]


def decide(_house: House, client: httpx2.Client, case_id: str) -> httpx2.Response:
    return client.post("/v1/agents/claims/decisions", json=body(case_id))


def report(_house: House, client: httpx2.Client, case_id: str) -> httpx2.Response:
    return client.post("/v1/agents/claims/human-outputs", json={"case_id": case_id, "output": "yes"})


CALLS = [
    pytest.param(decide, "decisions", Decision, id="a decision"),
    pytest.param(report, "human_outputs", HumanOutput, id="a human output"),
]


class TestFailingCommit:
    @pytest.mark.parametrize(("call", "table", "kind"), CALLS)
    def test_is_answered_as_a_failure_and_the_same_call_works_later(
        self, house: House, call: Call, table: str, kind: Any
    ) -> None:
        case_id = f"failing {table}"
        with house.client() as client:
            with failing_commits(house, table):
                refused = [call(house, client, case_id) for _ in range(2)]
            left_behind = count(house, kind, kind.case_id == case_id)

            stored = call(house, client, case_id)

        assert [answer.status_code for answer in refused if answer.is_success] == []
        assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
        assert left_behind == 0
        assert (stored.status_code, count(house, kind, kind.case_id == case_id)) == (201, 1)

    def test_of_a_ruling_leaves_the_case_with_its_reviewer(self, house: House) -> None:
        item = claimed(house, "failing ruling")
        said = {"ruling": "approve", "fingerprint": item["fingerprint"]}
        with house.client("alice") as desk:
            with failing_commits(house, "rulings"):
                refused = desk.post(f"/v1/reviews/{item['id']}/ruling", json=said)
            before = count(house, Ruling, Ruling.decision_id == UUID(item["decision_id"]))
            decision = desk.get(f"/v1/decisions/{item['decision_id']}").json()

            stored = desk.post(f"/v1/reviews/{item['id']}/ruling", json=said)

        assert not refused.is_success
        assert (before, decision["status"]) == (0, "waiting")
        assert stored.status_code == 201


@pytest.mark.parametrize("house", ["postgresql"], indirect=True)
class TestSlowCommit:
    """On PostgreSQL alone: on SQLite nothing can be told to wait at commit. Its lock is held in the tests below."""

    @pytest.mark.parametrize(("call", "table", "kind"), CALLS)
    def test_is_waited_for(self, house: House, call: Call, table: str, kind: Any) -> None:
        with house.client() as client, slow_commits(house, table):
            answer = call(house, client, f"slow {table}")
            there = count(house, kind, kind.case_id == f"slow {table}")

        assert (answer.status_code, there) == (201, 1)

    def test_of_a_ruling_is_waited_for(self, house: House) -> None:
        item = claimed(house, "slow ruling")
        with house.client("alice") as desk, slow_commits(house, "rulings"):
            answer = desk.post(
                f"/v1/reviews/{item['id']}/ruling", json={"ruling": "approve", "fingerprint": item["fingerprint"]}
            )
            there = count(house, Ruling, Ruling.decision_id == UUID(item["decision_id"]))

        assert (answer.status_code, there) == (201, 1)


class TestHeldLock:
    def test_no_answer_comes_while_nothing_can_be_stored(self, house: House) -> None:
        with house.client(timeout=1.0) as client, held(house), pytest.raises(httpx2.TimeoutException):
            client.post("/v1/agents/claims/decisions", json=body("held"))
        with house.client() as client:
            answer = client.post("/v1/agents/claims/decisions", json=body("held"))

        assert answer.status_code in {200, 201}
        assert count(house, Decision, Decision.case_id == "held") == 1

    def test_those_who_waited_are_answered_when_it_ends(self, house: House) -> None:
        with house.client(timeout=60) as client, ThreadPoolExecutor(8) as pool:
            with held(house):
                calls = [pool.submit(decide, house, client, f"waited {n}") for n in range(8)]
                soon(lambda: all(call.running() for call in calls), "they are under way")
                assert not any(call.done() for call in calls)
            answers = [call.result() for call in calls]

        assert [answer.status_code for answer in answers] == [201] * 8
        assert count(house, Decision, Decision.case_id.like("waited %")) == 8

    def test_the_process_is_alive_all_the_while(self, house: House) -> None:
        with house.client(timeout=60) as client, ThreadPoolExecutor(1) as pool, held(house):
            pool.submit(decide, house, client, "alive")
            assert httpx2.get(f"{house.stack.url}/livez", timeout=20).is_success
            assert httpx2.get(f"{house.stack.url}/readyz", timeout=20).is_success  # readers are not in the way
