"""A freeze through one of several web processes, while agents call all of them without a pause."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import httpx2
import pytest

from rollout.domain.phase import Phase
from tests import factories
from tests.system.house import House, body, soon

pytestmark = pytest.mark.system
_CALLERS = 3  # of each process
_names = count(1)


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
