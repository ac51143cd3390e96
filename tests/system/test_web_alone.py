"""Web processes by themselves, without Redis and without workers: commits that take long or fail, and a freeze."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select, text

from cli.processes import Child, stop_all
from cli.stack import free_port
from kit.context import Context, make_context
from kit.settings import Settings
from migrations import chain
from routing.cases.tables import Decision
from tests import factories
from tests.conftest import SECRET
from tests.system.load import a_case

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
DECISIONS = "/v1/agents/claims/decisions"


@pytest.fixture
def settings(tmp_path: Path, empty_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "var", database_url=empty_url, secret=SECRET)


def soon(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)


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
    chain.upgrade(settings.resolved_database_url)
    ctx = make_context(settings)
    factories.agent(ctx)
    factories.rollout(ctx)
    yield ctx
    ctx.db.close()


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
