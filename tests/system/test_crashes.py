"""
Nothing is lost: real processes are killed outright while cases, rulings and human outputs come in, and afterwards
everything that was acknowledged is there, once, and counted.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import gt
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, text, update

from cli.processes import Child, stop_all
from cli.stack import Stack, free_port
from governance.audit import service as audit
from kit.context import Context, make_context
from kit.settings import Settings
from rollout.domain.phase import Phase, Standing
from routing.cases.tables import Decision, HumanOutput
from routing.delivery.tables import OutboxMessage
from routing.doctor import service as doctor
from routing.reviews.tables import ReviewItem, Ruling
from tests import factories
from tests.conftest import SECRET
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
EVERYBODY = ("web", "worker", "delivery")
VICTIMS = (("web",), ("worker",), ("web", "worker"), ("web",), ("delivery",), EVERYBODY)
DECISIONS = "/v1/agents/claims/decisions"

KILLS = 10


@pytest.fixture
def settings(tmp_path: Path, empty_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path / "var", database_url=empty_url, secret=SECRET, port=0, beat_seconds=1.0,
        webhooks_allow_private=True,
    )  # fmt: skip


@contextmanager
def house(settings: Settings) -> Iterator[Context]:
    ctx = make_context(settings)
    try:
        yield ctx
    finally:
        ctx.db.close()


def soon(condition: Callable[[], bool], what: str, stack: Stack | None = None) -> None:
    """It comes true within a generous while; what died meanwhile is started again, as `phasegate up` does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
        if stack is not None:
            stack.tend()


def until_answered(client: httpx2.Client, path: str, body: Any, statuses: tuple[int, ...]) -> httpx2.Response:
    """What an agent does: the same again, until it is told what became of it."""
    deadline = time.monotonic() + PATIENCE
    while (answer := tried(client, path, body)) is None:
        assert time.monotonic() < deadline, f"{path} was never answered"
        time.sleep(0.05)
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    return answer


def tried(client: httpx2.Client, path: str, body: Any) -> httpx2.Response | None:
    """The answer, or None where nobody said what became of it: no connection, or 503."""
    try:
        answer = client.post(path, json=body)
    except httpx2.TransportError:
        return None
    return None if answer.status_code == 503 else answer


def a_case(case_id: str, version: str = "v1") -> dict[str, Any]:
    return {"case_id": case_id, "version": version, "output": "yes", "input": {"form": case_id}, "confidence": 0.9}


@dataclass
class Load:
    """Agents, reviewers and people at work from threads of their own; keeps every answer it got."""

    url: str
    agent: dict[str, str]
    reviewers: list[dict[str, str]]
    decided: dict[str, set[str]] = field(default_factory=dict)  # by case: the ids of all answers
    ruled: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: rulings that were acknowledged
    human: dict[str, set[str]] = field(default_factory=dict)  # by case
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, agents: int = 4) -> Iterator[None]:
        """Whoever is at work in the end finishes what they are at, so that nothing stays unanswered."""
        with ThreadPoolExecutor(agents + len(self.reviewers)) as pool:
            work: list[Future[None]] = [pool.submit(self._decide, f"a{number}") for number in range(agents)]
            work += [pool.submit(self._review, headers) for headers in self.reviewers]
            try:
                yield
            finally:
                self.over.set()
                wait(work, timeout=PATIENCE)
        for one in work:
            one.result()

    def _client(self, headers: dict[str, str]) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def _decide(self, name: str) -> None:
        number = 0
        with self._client(self.agent) as client:
            while not self.over.wait(0.04):
                number += 1
                case_id = f"{name}-{number}"
                case = a_case(case_id, "v2" if number % 4 == 0 else "v1")
                answers = self.decided.setdefault(case_id, set())
                for _ in range(2 if number % 5 == 0 else 1):  # some ask twice though they were answered
                    answers.add(until_answered(client, DECISIONS, case, (201, 200)).json()["id"])
                if number % 3 == 0:
                    self._work(client, case_id, "yes" if number % 2 else "no")

    def _work(self, client: httpx2.Client, case_id: str, output: str) -> None:
        body = {"case_id": case_id, "output": output}
        answer = until_answered(client, "/v1/agents/claims/human-outputs", body, (201,))
        self.human.setdefault(case_id, set()).update(item["id"] for item in answer.json()["items"])

    def _review(self, headers: dict[str, str]) -> None:
        turn = 0
        said = ({"ruling": "approve"}, {"ruling": "edit", "output": "no"}, {"ruling": "approve"},
                {"ruling": "reject", "reason_code": "wrong"}, {"ruling": "escalate"})  # fmt: skip
        with self._client(headers) as client:
            while not self.over.wait(0.1):
                held = until_answered(client, "/v1/queue/claim", {}, (200, 204))
                if held.status_code == 204:
                    continue
                item, turn = held.json(), turn + 1
                body = said[turn % len(said)] | {"fingerprint": item["fingerprint"]}
                answer = tried(client, f"/v1/reviews/{item['id']}/ruling", body)
                if answer is not None:  # else it may be stored or not: the next claim tells
                    assert answer.status_code == 201, answer.text
                    self.ruled[answer.json()["id"]] = answer.json() | body


def prepared(ctx: Context, url: str) -> tuple[Load, dict[str, str]]:
    """A supervised version and one in shadow, two reviewers, and the header of somebody who may look."""
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SUPERVISED)
    factories.rollout(ctx, version="v2", phase=Phase.SHADOW, standing=Standing.CANDIDATE)
    reviewers = [factories.person(ctx, roles=("reviewer",)).login for _ in range(2)]
    load = Load(url, factories.bearer(ctx), [factories.bearer(ctx, login=login) for login in reviewers])
    return load, factories.bearer(ctx, login=factories.person(ctx).login)


def kill(stack: Stack, *names: str) -> None:
    """As the kernel does when memory is short: at once, with all they started, and nobody is asked."""
    for name in names:
        child = stack.child(name)
        assert child.process is not None
        child.wait = 0.1  # so many deaths in a row would make the next start wait for half a minute
        os.killpg(child.process.pid, signal.SIGKILL)
    for name in names:
        stack.child(name).process.wait()  # type: ignore[union-attr]


def settled(ctx: Context) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).where(Decision.unsettled.is_(False))) or 0


def progress(ctx: Context, load: Load, receiver: Receiver) -> tuple[int, ...]:
    """Tens of answers, rulings, settled decisions, messages; when all have grown, everybody is at work."""
    return len(load.decided) // 10, len(load.ruled), settled(ctx), len(receiver.seen)


def drained(stack: Stack, headers: dict[str, str]) -> bool:
    try:
        backlog = httpx2.get(f"{stack.url}/v1/backlog", headers=headers).json()
    except httpx2.TransportError:
        return False
    return not any(backlog[name] for name in ("unsettled_decisions", "unsettled_human_outputs", "messages_due"))


def hurry(ctx: Context) -> None:
    """What a dead worker had taken comes up again after two minutes; they pass now."""
    with ctx.db.begin() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.state == "waiting").values(due_at=ctx.clock.now()))


def hook(stack: Stack, receiver: Receiver, headers: dict[str, str]) -> None:
    url = f"{stack.url}/v1/agents/claims/webhooks"
    assert httpx2.post(url, json={"url": receiver.url}, headers=headers).status_code == 201


@pytest.mark.timeout(240)
def test_web_and_workers_are_killed_again_and_again_under_load_and_nothing_is_lost(
    settings: Settings,
) -> None:
    with receiving(500, 500, 500, 204) as receiver, Stack(settings, workers=1) as stack, house(stack.settings) as ctx:
        load, owner = prepared(ctx, stack.url)
        hook(stack, receiver, owner)
        with load.running():
            for turn in range(KILLS):
                before = progress(ctx, load, receiver)
                soon(
                    lambda: all(map(gt, progress(ctx, load, receiver), before)),  # noqa: B023 - asked within this turn
                    f"everybody is at work before kill {turn + 1}",
                    stack,
                )
                kill(stack, *VICTIMS[turn % len(VICTIMS)])
            soon(lambda: all(stack.child(name).alive for name in EVERYBODY), "all are back", stack)
            answered = len(load.decided)
            soon(lambda: len(load.decided) > answered + 10, "cases are answered again", stack)
        hurry(ctx)
        soon(lambda: drained(stack, owner), "everything is settled and told", stack)
        assert_nothing_lost(ctx, load, receiver)
        print(f"{KILLS} kills, {len(load.decided)} cases, {len(load.ruled)} rulings, {len(receiver.seen)} messages")


def assert_nothing_lost(ctx: Context, load: Load, receiver: Receiver) -> None:
    with ctx.db.read() as session:
        findings = doctor.examine(session, now=ctx.clock.now())
        assert [found for found in findings if not found.ok] == []
        assert audit.verify(session, ctx.secret).fault is None
        decisions = session.scalars(select(Decision)).all()
        items = session.scalars(select(ReviewItem)).all()
        rulings = {str(row.id): row for row in session.scalars(select(Ruling))}
        outputs = session.scalars(select(HumanOutput)).all()
        messages = session.scalars(select(OutboxMessage)).all()
    # Every case is there once, under the id that was answered, and nothing else is.
    assert len(decisions) == len(load.decided)
    assert {row.case_id: {str(row.id)} for row in decisions} == load.decided
    # Every review has one first item, and nobody else has one.
    reviews = {row.id for row in decisions if row.route == "review"}
    assert Counter(item.decision_id for item in items if item.level == 1) == Counter(reviews)
    # Every acknowledged ruling stands as it was said.
    for ruling_id, said in load.ruled.items():
        row = rulings[ruling_id]
        assert (str(row.item_id), row.ruling, row.output) == (said["item_id"], said["ruling"], said.get("output"))
    # What people did is there once, however often it was sent.
    assert {row.case_id: {str(row.id)} for row in outputs} == load.human
    # One message for each ruling that ends a review, whatever became of its sender, and always to the letter the same.
    ended = Counter(str(row.decision_id) for row in rulings.values() if row.ruling != "escalate")
    assert Counter(message.body["data"]["id"] for message in messages) == ended
    assert {message.state for message in messages} == {"delivered"}
    contents = receiver.contents()
    assert set(contents) == {str(message.id) for message in messages}
    assert all(len(bodies) == 1 for bodies in contents.values())
    assert len(receiver.seen) > len(contents), "nothing was told twice, so this showed nothing"


@pytest.mark.timeout(120)
def test_while_the_broker_is_dead_decisions_are_acknowledged_and_settle_once_it_is_back(settings: Settings) -> None:
    with receiving() as receiver, Stack(settings, workers=1) as stack, house(stack.settings) as ctx:
        load, owner = prepared(ctx, stack.url)
        hook(stack, receiver, owner)
        with load.running():
            soon(lambda: len(load.decided) > 20 and settled(ctx) > 0, "the load is up", stack)
            kill(stack, "valkey")
            answered, ruled = len(load.decided), len(load.ruled)
            soon(lambda: len(load.decided) > answered + 50 and len(load.ruled) > ruled, "answers without a broker")
            assert not stack.child("valkey").alive
            print(f"{len(load.decided) - answered} cases and {len(load.ruled) - ruled} rulings without a broker")
            soon(lambda: stack.child("valkey").alive, "it is back", stack)
            before = settled(ctx)
            soon(lambda: settled(ctx) > before, "workers found it again", stack)
        soon(lambda: drained(stack, owner), "everything is settled and told", stack)
        with ctx.db.read() as session:
            assert [found for found in doctor.examine(session, now=ctx.clock.now()) if not found.ok] == []
            stored = {row.case_id: {str(row.id)} for row in session.scalars(select(Decision))}
            told = set(session.scalars(select(OutboxMessage.state)))
        assert stored == load.decided
        assert told == {"delivered"}


@contextmanager
def web(settings: Settings, name: str = "web") -> Iterator[str]:
    """One web process by itself, without Redis, on a database that is migrated; its address."""
    port = free_port("127.0.0.1")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PHASEGATE_")}
    environment |= {
        "PHASEGATE_DATA_DIR": str(settings.data_dir), "PHASEGATE_DATABASE_URL": settings.resolved_database_url,
        "PHASEGATE_SECRET": SECRET, "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    argv = [sys.executable, "-m", "uvicorn", "--factory", "web_app:from_environment", "--port", str(port)]
    child = Child(name, [*argv, "--log-level", "warning"], environment, ROOT, settings.data_dir / f"{name}.log")
    child.start()
    url = f"http://127.0.0.1:{port}"
    try:
        soon(lambda: not child.alive or answers(url), f"{name} is up")
        assert child.alive, child.last_words()
        yield url
    finally:
        stop_all([child], within=10)


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").is_success
    except httpx2.TransportError:
        return False


@pytest.fixture
def migrated(settings: Settings) -> Iterator[Context]:
    from migrations import chain

    chain.upgrade(settings.resolved_database_url)
    with house(settings) as ctx:
        factories.agent(ctx)
        factories.rollout(ctx)
        yield ctx


def stored(ctx: Context, case_id: str) -> list[str]:
    with ctx.db.read() as session:
        return [str(found) for found in session.scalars(select(Decision.id).where(Decision.case_id == case_id))]


@contextmanager
def writing_held(ctx: Context) -> Iterator[None]:
    """Nobody else can store a decision meanwhile; on SQLite they can still read."""
    with ctx.db.engine.begin() as connection:  # on SQLite this begins IMMEDIATE
        if ctx.db.dialect == "postgresql":
            connection.execute(text("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE"))
        yield


@pytest.mark.timeout(120)
def test_an_answer_is_never_ahead_of_its_row(migrated: Context) -> None:
    ctx, headers = migrated, factories.bearer(migrated)
    ids = [f"held-{number}" for number in range(8)]

    def post(case_id: str) -> tuple[httpx2.Response, list[str]]:
        """The answer, and what was stored at the moment it came."""
        answer = httpx2.post(f"{url}{DECISIONS}", json=a_case(case_id), headers=headers, timeout=PATIENCE)
        return answer, stored(ctx, case_id)

    with web(ctx.settings) as url, ThreadPoolExecutor(len(ids)) as pool:
        assert post("before")[0].status_code == 201
        with writing_held(ctx):
            asked = [pool.submit(post, case_id) for case_id in ids]
            done, _ = wait(asked, timeout=1.5)
            assert not done, [one.result() for one in done]
        for answer, rows in (one.result() for one in asked):
            assert answer.status_code == 201, answer.text
            assert rows == [answer.json()["id"]]


REFUSE_AT_COMMIT = {
    "sqlite": """
        CREATE TABLE nobody (id INTEGER PRIMARY KEY);
        CREATE TABLE refused (ref INTEGER REFERENCES nobody (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER refuse AFTER INSERT ON decisions WHEN substr(NEW.case_id, 1, 3) = 'bad'
        BEGIN INSERT INTO refused VALUES (1)$ END""",
    "postgresql": """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''refused''$ END';
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON decisions DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (substr(NEW.case_id, 1, 3) = 'bad') EXECUTE FUNCTION refuse()""",
}
"""Every statement of the transaction succeeds, and its COMMIT fails."""


@pytest.mark.timeout(120)
def test_a_commit_that_fails_is_answered_as_a_failure_and_stops_nobody_else(migrated: Context) -> None:
    ctx, headers = migrated, factories.bearer(migrated)

    def post(case_id: str) -> httpx2.Response:
        return httpx2.post(f"{url}{DECISIONS}", json=a_case(case_id), headers=headers, timeout=PATIENCE)

    with web(ctx.settings) as url, ThreadPoolExecutor(12) as pool:
        with ctx.db.engine.begin() as connection:
            for statement in REFUSE_AT_COMMIT[ctx.db.dialect].split(";"):
                connection.exec_driver_sql(statement.replace("$", ";"))  # what ends a statement inside of one
        ids = [f"{'bad' if number % 3 == 0 else 'good'}-{number}" for number in range(24)]
        for case_id, answer in zip(ids, pool.map(post, ids), strict=True):
            bad = case_id.startswith("bad")
            assert answer.status_code == (503 if bad else 201), answer.text
            assert stored(ctx, case_id) == ([] if bad else [answer.json()["id"]])
        with ctx.db.engine.begin() as connection:
            on = " ON decisions" if ctx.db.dialect == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER refuse{on}")
        again = post("bad-0")
        assert again.status_code == 201
        assert stored(ctx, "bad-0") == [again.json()["id"]]


@pytest.mark.timeout(120)
def test_a_freeze_through_one_web_process_is_in_force_in_the_other(migrated: Context) -> None:
    ctx, agent = migrated, factories.bearer(migrated)
    owner = factories.bearer(ctx, login=factories.person(ctx).login)
    asked = 0

    def route(url: str) -> str:
        nonlocal asked
        asked += 1
        answer = httpx2.post(f"{url}{DECISIONS}", json=a_case(f"c-{asked}"), headers=agent)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["route"])

    def change(url: str, verb: str, **body: str) -> None:
        at = f"{url}/v1/agents/claims/versions/v1/rollout/{verb}"
        answer = httpx2.post(at, json={"reason": "tests"} | body, headers=owner)
        assert answer.is_success, answer.text

    with web(ctx.settings, "one") as one, web(ctx.settings, "other") as other:
        assert (route(one), route(other)) == ("review", "review")
        change(one, "freeze", mode="routing")
        began = time.monotonic()
        assert route(one) == "human"  # its own change at once
        soon(lambda: route(other) == "human", "the other has heard of the freeze")
        print(f"in force elsewhere after {time.monotonic() - began:.1f} s")
        assert {route(url) for url in (one, other) * 5} == {"human"}
        change(other, "unfreeze")
        soon(lambda: route(one) == "review", "the first has heard of the end of it")
