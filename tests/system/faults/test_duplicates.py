"""
Everything comes twice, at the same moment, or in the wrong order: calls, rulings, tasks, beats, workers. And of two web
processes one is killed.

On PostgreSQL, where transactions really run side by side, with two web processes, two workers and two beats.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from celery import Celery
from sqlalchemy import select

import governance.audit.tasks  # noqa: F401 - importing registers the tasks
import rollout.gates.tasks  # noqa: F401
import routing.archives.tasks
import routing.tasks
import routing.thresholds.tasks  # noqa: F401
from cli.processes import Child, stop_all
from cli.stack import free_port
from kit.tasks import REGISTRY, routes
from routing.cases.tables import Decision, HumanOutput
from routing.reviews.tables import ReviewItem, Ruling
from tests import servers
from tests.system.load import a_case
from tests.system.scene import Scene, scene, settings_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

TWINS = 6


@contextmanager
def twice(it: Scene, *names: str) -> Iterator[None]:
    """A second process of each, beside the one that is there, as where two hosts were set up alike by mistake."""
    twins = []
    for name in names:
        first = it.stack.child(name)
        argv = [*first.argv]
        if name == "beat":
            argv[argv.index("--schedule") + 1] += "-twin"
        else:
            argv[argv.index("--hostname") + 1] = f"{name}-twin@%h"
        twins.append(Child(f"{name}-twin", argv, first.environment, first.folder, it.stack.logs / f"{name}-twin.log"))
    try:
        for twin in twins:
            twin.start()
        yield
        assert all(twin.alive for twin in twins), [twin.last_words() for twin in twins]
    finally:
        stop_all(twins, within=10)


@contextmanager
def second_web(it: Scene) -> Iterator[str]:
    port = free_port("127.0.0.1")
    argv = [sys.executable, "-m", "uvicorn", "--factory", "web_app:from_environment", "--port", str(port)]
    child = Child("web-twin", [*argv, "--log-level", "warning", "--no-access-log"], it.stack.environment,
                  Path.cwd(), it.stack.logs / "web-twin.log")  # fmt: skip
    child.start()
    try:
        url = f"http://127.0.0.1:{port}"
        it.soon(lambda: reached(f"{url}/readyz"), "the second web process is up")
        yield url
    finally:
        stop_all([child], within=10)


def reached(url: str) -> bool:
    try:
        return httpx2.get(url).is_success
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, database_name: str) -> Iterator[tuple]:
    folder = tmp_path_factory.mktemp("crowd")
    with ExitStack() as open_, servers.database(postgres_url, f"{database_name}_crowd") as url:
        it = open_.enter_context(scene(settings_for(folder, url), workers=2))
        open_.enter_context(twice(it, "beat", "worker", "delivery"))
        yield it, open_.enter_context(second_web(it))


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def post(url: str, headers: dict[str, str], path: str, body: Any) -> Callable[[], httpx2.Response]:
    return lambda: httpx2.post(f"{url}{path}", json=body, headers=headers, timeout=60)


def test_two_beats_two_workers_and_every_task_sent_again_and_again_count_everything_once(crowd: tuple) -> None:
    it, _ = crowd
    sender = Celery("twice", broker=it.stack.redis_url)
    sender.conf.task_routes = routes()
    names = [known.name for known in REGISTRY.values() if known.every is not None]
    with it.load.running():
        it.everybody_works("the load is up")
        for _ in range(20):
            for name in names:
                sender.send_task(name, expires=60)
            time.sleep(0.1)
        it.everybody_works("everybody is at work")
    sender.close()
    print(f"two beats, two workers, {20 * len(names)} tasks besides: {it.decided()} cases; {it.told()}")
    it.nothing_lost_nothing_twice()
    assert Counter(it.load.heard) == Counter(), "nobody noticed"
    assert len(it.receiver.seen) == len(it.receiver.contents()), "two senders share the messages, none goes twice"


def test_the_same_case_at_the_same_moment_in_two_processes_is_one_case_with_one_answer(crowd: tuple) -> None:
    it, other = crowd
    headers = it.load.agents["claims"]
    for number in range(10):
        case_id = f"twin-{number}"
        calls = [
            post(url, headers, "/v1/agents/claims/decisions", a_case(case_id)) for url in (it.stack.url, other) * TWINS
        ]
        answers = at_once(calls)
        assert sorted(answer.status_code for answer in answers) == [200] * (2 * TWINS - 1) + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        it.load.decided["claims", case_id] = {answers[0].json()["id"]}
    it.nothing_lost_nothing_twice()


def test_one_of_two_web_processes_is_killed_and_the_other_goes_on_until_it_is_replaced(crowd: tuple) -> None:
    """Whoever was cut off asks the other one, and gets the answer that is stored."""
    it, other = crowd
    headers, path = it.load.agents["claims"], "/v1/agents/claims/decisions"
    it.load.fresh()
    with it.load.running():
        it.answers_again()
        assert it.asked(case_id="told before")[0] == 201
        it.kill("web")
        began, slowest = time.monotonic(), 0.0
        for case_id in ("told before", *(f"meanwhile-{number}" for number in range(20))):
            asked = time.monotonic()
            answer = post(other, headers, path, a_case(case_id))()
            slowest = max(slowest, time.monotonic() - asked)
            assert answer.status_code == (200 if case_id == "told before" else 201), answer.text
            it.load.decided.setdefault(("claims", case_id), set()).add(answer.json()["id"])
        assert not it.stack.child("web").alive, "nobody has started it again yet, so the other one was alone"
        it.answers_again()
        back = time.monotonic() - began
    print(f"one of two: the other answered 21 calls, the slowest after {slowest:.2f} s; back {back:.1f} s; {it.told()}")
    assert it.load.heard["503"] == 0
    it.load.fresh()
    it.nothing_lost_nothing_twice()


def test_human_outputs_before_their_case_and_again_and_again_are_one_each(crowd: tuple) -> None:
    it, other = crowd
    headers = it.load.agents["claims"]
    body = {"items": [{"case_id": f"early-{number}", "output": "yes"} for number in range(20)]}
    path = "/v1/agents/claims/human-outputs"
    told = at_once([post(url, headers, path, body) for url in (it.stack.url, other) * TWINS])
    assert {answer.status_code for answer in told} == {201}
    statuses = Counter(item["status"] for answer in told for item in answer.json()["items"])
    assert statuses == {"created": 20, "unchanged": 20 * (2 * TWINS - 1)}
    for item in (item for answer in told for item in answer.json()["items"]):
        it.load.human.setdefault(("claims", item["case_id"]), set()).add(item["id"])
    for number in range(20):
        case = a_case(f"early-{number}", version="v2")
        answer = post(it.stack.url, headers, "/v1/agents/claims/decisions", case)()
        it.load.decided["claims", f"early-{number}"] = {answer.json()["id"]}
    it.nothing_lost_nothing_twice()
    with it.ctx.db.read() as session:
        labels = session.scalars(select(Decision.label).where(Decision.case_id.like("early-%"))).all()
        outputs = session.scalars(select(HumanOutput.id).where(HumanOutput.case_id.like("early-%"))).all()
    assert labels == ["agree"] * 20, "each is compared with what was there before it"
    assert len(outputs) == 20


def test_a_ruling_that_comes_twice_counts_once_and_gets_the_same_answer(crowd: tuple) -> None:
    it, other = crowd
    for number in range(5):
        case_id = f"ruled-{number}"
        answer = post(other, it.load.agents["claims"], "/v1/agents/claims/decisions", a_case(case_id))()
        it.load.decided["claims", case_id] = {answer.json()["id"]}
        with it.ctx.db.read() as session:
            item_id = session.scalars(select(ReviewItem.id).where(ReviewItem.case_id == case_id)).one()
        mine = it.load.reviewers[0]
        claims = at_once([
            post(url, headers, f"/v1/reviews/{item_id}/claim", {})
            for url, headers in zip((it.stack.url, other), it.load.reviewers, strict=True)
        ])  # fmt: skip
        assert sorted(claim.status_code for claim in claims) == [200, 409], "one of two has it"
        mine = it.load.reviewers[0 if claims[0].status_code == 200 else 1]
        shown = next(claim.json() for claim in claims if claim.status_code == 200)
        said = {"ruling": "edit", "output": "no", "fingerprint": shown["fingerprint"]}
        told = at_once([post(url, mine, f"/v1/reviews/{item_id}/ruling", said) for url in (it.stack.url, other) * 3])
        assert sorted(one.status_code for one in told) == [200] * 5 + [201]
        ruling = next(one.json() for one in told if one.status_code == 201)
        assert {one.json()["id"] for one in told} == {ruling["id"]}
        other_words = post(other, mine, f"/v1/reviews/{item_id}/ruling", said | {"note": "no"})()
        assert (other_words.status_code, other_words.json()["type"]) == (409, "/problems/already-ended")
        it.load.ruled[ruling["id"]] = ruling | said
    it.nothing_lost_nothing_twice()
    with it.ctx.db.read() as session:
        rulings = session.scalars(select(Ruling.item_id)).all()
    assert len(rulings) == len(set(rulings))
