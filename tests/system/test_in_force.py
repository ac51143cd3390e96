"""A change through one of several web processes: how soon it is in force in all of them, and what they answer then."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx2
import pytest

from rollout.domain.phase import Phase
from tests import factories
from tests.system.house import House, body, soon

pytestmark = pytest.mark.system
_CALLERS = 3  # of each process
_TRIES = 2  # on a machine that does other things as well, a process may get no turn for a second
_names = count(1)

# What takes autonomy away: its call, and the route of what went alone before.
CHANGES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a freeze": ("POST", "rollout/freeze", {"reason": "a test"}, "human"),
    "a demotion": ("POST", "rollout/demote", {"reason": "a test", "to": "shadow"}, "shadow"),
    "a change of policy": ("PUT", "policy", {"blocked_actions": ["pay"]}, "block"),
}


class Agents:
    """They call until it is over, and note for each answer whether the freeze had returned before they asked."""

    def __init__(self, house: House, agent: str, urls: list[str]) -> None:
        self._path = f"/v1/agents/{agent}/decisions"
        self._headers = factories.bearer(house.ctx, agent=agent)
        self._urls = urls
        self._numbers = count()
        self.frozen, self.over = threading.Event(), threading.Event()
        self.answers: Counter[tuple[str, bool, str]] = Counter()  # by process, asked after the freeze, route

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(len(self._urls) * _CALLERS) as pool:
            calls = [pool.submit(self._call, url) for url in self._urls for _ in range(_CALLERS)]
            try:
                yield
            finally:
                self.over.set()
        for call in calls:
            call.result()

    def _call(self, url: str) -> None:
        with httpx2.Client(base_url=url, headers=self._headers, timeout=30) as client:
            while not self.over.is_set():
                after = self.frozen.is_set()
                answer = client.post(self._path, json=body(f"case-{next(self._numbers)}"))
                assert answer.status_code == 201, answer.text
                self.answers[url, after, answer.json()["route"]] += 1

    def everybody_got(self, after: bool, route: str, at_least: int = 10) -> bool:
        return all(self.answers[url, after, route] >= at_least for url in self._urls)


def autonomous(house: House) -> str:
    """A new agent whose version goes alone in every case."""
    name = f"alone-{next(_names)}"
    factories.agent(house.ctx, name)
    factories.rollout(house.ctx, name, phase=Phase.FULL)
    return name


def test_after_a_freeze_that_was_waited_for_no_web_process_answers_auto(house: House) -> None:
    lead = factories.bearer(house.ctx, login=factories.person(house.ctx).login)
    with house.another_web() as other, httpx2.Client(base_url=other, headers=lead, timeout=60) as owner:
        frozen_under_load(house, owner, [house.stack.url, other], "all hear of it over Valkey")
        with house.another_web(redis=False) as deaf:
            frozen_under_load(house, owner, [house.stack.url, other, deaf], "one hears of nothing")


def frozen_under_load(house: House, owner: httpx2.Client, urls: list[str], how: str) -> None:
    idle = freeze(owner, autonomous(house))  # nobody calls, so nothing but the message or the look tells
    name = autonomous(house)
    agents = Agents(house, name, urls)
    with agents.at_work():
        soon(lambda: agents.everybody_got(after=False, route="auto"), "everybody goes alone")
        busy = freeze(owner, name)
        agents.frozen.set()
        soon(lambda: agents.everybody_got(after=True, route="human"), "everybody was asked again")

    assert {route for _, after, route in agents.answers if after} == {"human"}
    for found in (idle, busy):
        assert (found["done"], found["processes"], found["silent"]) == (True, len(urls), [])
    print(f"{how}: said by {len(urls)} after {idle['waited_seconds']} s idle, {busy['waited_seconds']} s under load")


def freeze(owner: httpx2.Client, agent: str) -> dict:  # type: ignore[type-arg]
    answer = owner.post(
        f"/v1/agents/{agent}/versions/v1/rollout/freeze", json={"reason": "a test"}, params={"wait": True, "within": 30}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["in_force"]  # type: ignore[no-any-return]


class TestInForceInTwoProcesses:
    """The product's own word for it: who waited `within` these seconds is told `done` by every process."""

    def test_within_a_second_over_redis(self, house: House) -> None:
        with house.another_web(looks_every=600) as hearing:  # what it knows sooner than that, it was told
            for change in CHANGES:
                in_force_in_time(house, change, within=1, through=house.stack.url, other=hearing)

    def test_within_five_seconds_without_redis(self, house: House) -> None:
        with house.another_web(redis=False) as deaf:  # and what is changed through it is told to nobody
            for change in CHANGES:
                in_force_in_time(house, change, within=5, through=deaf, other=house.stack.url)


def in_force_in_time(house: House, change: str, *, within: float, through: str, other: str) -> None:
    lead = factories.bearer(house.ctx, login=factories.person(house.ctx).login)
    with httpx2.Client(base_url=through, headers=lead, timeout=60) as owner:
        for attempt in range(1, _TRIES + 1):
            agent = autonomous(house)
            key = factories.bearer(house.ctx, agent=agent)
            assert routes(agent, key, through, other) == {"auto"}
            found = made(owner, agent, change, within)
            assert found["processes"] == 2, found
            if found["done"]:
                assert routes(agent, key, through, other) == {CHANGES[change][-1]}
                print(f"{change}: said by both after {found['waited_seconds']} s of {within}, attempt {attempt}")
                return
    pytest.fail(f"{change} was not in force within {within} s in any of {_TRIES} tries: {found['words']}")


def made(owner: httpx2.Client, agent: str, change: str, within: float) -> dict[str, Any]:
    method, path, asked, _ = CHANGES[change]
    wait = {"wait": True, "within": within}
    answer = owner.request(method, f"/v1/agents/{agent}/versions/v1/{path}", json=asked, params=wait)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["in_force"])


def routes(agent: str, key: dict[str, str], *urls: str) -> set[str]:
    found = set()
    for url in urls:
        case = body(f"case-{next(_names)}", action="pay")
        answer = httpx2.post(f"{url}/v1/agents/{agent}/decisions", headers=key, json=case, timeout=30)
        assert answer.status_code == 201, answer.text
        found.add(answer.json()["route"])
    return found
