"""Agents, reviewers and people at work from threads of their own, in every lane, keeping every answer they got."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2

from kit.context import Context
from rollout.domain.phase import Phase, Standing
from tests import factories

PATIENCE = 60.0
NEVER_LONGER = 30.0  # seconds; whoever waits longer for any answer waits for ever
LANES = {"shadow", "review", "audit", "auto", "human", "block"}

_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("claims", {"version": "v1"}),
    ("claims", {"version": "v2"}),
    ("refunds", {"version": "v1", "confidence": 0.95}),
    ("refunds", {"version": "v1", "confidence": 0.99}),
    ("claims", {"version": "v1"}),
    ("refunds", {"version": "v1", "confidence": 0.5}),
    ("refunds", {"version": "v1", "action": "pay twice"}),
    ("refunds", {"version": "v1", "confidence": None}),
)
"""`claims` is supervised with a version in shadow, `refunds` goes by confidence: together they use every lane."""

_SAID: tuple[dict[str, Any], ...] = (
    {"ruling": "approve"},
    {"ruling": "edit", "output": "no"},
    {"ruling": "approve"},
    {"ruling": "reject", "reason_code": "wrong"},
    {"ruling": "escalate"},
)

Case = tuple[str, str]  # agent, case id


def a_case(case_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "case_id": case_id, "version": "v1", "output": "yes", "input": {"form": case_id}, "confidence": 0.9,
    } | fields  # fmt: skip


@dataclass
class Load:
    """`with load.running(): …` as often as you like; what it was told stays."""

    url: str
    agents: dict[str, dict[str, str]]  # headers by agent
    reviewers: list[dict[str, str]]
    decided: dict[Case, set[str]] = field(default_factory=dict)  # the ids of all answers
    unsure: set[Case] = field(default_factory=set)  # asked once and told 503: may be stored, or not
    ruled: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: rulings that were acknowledged
    human: dict[Case, set[str]] = field(default_factory=dict)
    failed: dict[Case, set[str]] = field(default_factory=dict)  # failures that were reported and acknowledged
    heard: Counter[str] = field(default_factory=Counter)  # what callers got that was no answer to their question
    slowest: float = 0.0  # seconds until any caller was told anything
    pause: float = 0.04
    leases_may_end: bool = False  # under a clock that jumps a reviewer may lose the case they hold
    _numbers: Iterator[int] = field(default_factory=count)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, agents: int = 4) -> Iterator[None]:
        """Whoever is at work in the end finishes what they are at, so that nothing stays unanswered."""
        self._over.clear()
        with ThreadPoolExecutor(agents + len(self.reviewers)) as pool:
            work: list[Future[None]] = [pool.submit(self._decide, f"a{next(self._numbers)}") for _ in range(agents)]
            work += [pool.submit(self._review, headers) for headers in self.reviewers]
            try:
                yield
            finally:
                self._over.set()
                wait(work, timeout=PATIENCE)
        for one in work:
            one.result()

    def fresh(self) -> None:
        """Begin to listen anew for what callers are told instead of an answer."""
        self.heard, self.slowest = Counter(), 0.0

    def tried(self, client: httpx2.Client, path: str, body: Any, **headers: str) -> httpx2.Response | None:
        """The answer, or None where nobody said what became of it: no connection, or 503."""
        began = time.monotonic()
        try:
            answer = client.post(path, json=body, headers=headers)
        except httpx2.TransportError as error:
            self.heard[type(error).__name__] += 1
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code != 503:
            return answer
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        self.heard["503"] += 1
        return None

    def until_answered(
        self, client: httpx2.Client, path: str, body: Any, statuses: tuple[int, ...], **headers: str
    ) -> httpx2.Response:
        """What an agent does: the same again, until it is told what became of it."""
        deadline = time.monotonic() + PATIENCE
        while (answer := self.tried(client, path, body, **headers)) is None:
            assert time.monotonic() < deadline, f"{path} was never answered"
            time.sleep(0.05)
        assert answer.status_code in statuses, (answer.status_code, answer.text)
        return answer

    def client(self, headers: dict[str, str]) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers=headers, timeout=NEVER_LONGER)

    def _decide(self, name: str) -> None:
        clients = {agent: self.client(headers) for agent, headers in self.agents.items()}
        try:
            for number in count(int(name[1:])):  # so that no two begin with the same kind
                if self._over.wait(self.pause):
                    return
                agent, fields = _KINDS[number % len(_KINDS)]
                self._case(clients[agent], agent, f"{name}-{number}", number, fields)
        finally:
            for client in clients.values():
                client.close()

    def _case(self, client: httpx2.Client, agent: str, case_id: str, number: int, fields: dict[str, Any]) -> None:
        """One case: decided, for some twice; worked by a person before or after it; for some a failure reported."""
        works = number % 3 == 0
        if works and number % 2:  # the person was quicker than the agent
            self._work(client, agent, case_id, "yes")
        answers = self.decided.setdefault((agent, case_id), set())
        for _ in range(2 if number % 5 == 0 else 1):  # some ask twice though they were answered
            path = f"/v1/agents/{agent}/decisions"
            answers.add(self.until_answered(client, path, a_case(case_id, **fields), (201, 200)).json()["id"])
        if works and not number % 2:
            self._work(client, agent, case_id, "no")
        if number % 7 == 0:
            body = {"severity": "minor", "description": "it was wrong"}
            path = f"/v1/decisions/{min(answers)}/failures"
            told = self.until_answered(client, path, body, (201, 200), **{"idempotency-key": case_id})
            self.failed.setdefault((agent, case_id), set()).add(told.json()["id"])

    def _work(self, client: httpx2.Client, agent: str, case_id: str, output: str) -> None:
        body = {"case_id": case_id, "output": output}
        answer = self.until_answered(client, f"/v1/agents/{agent}/human-outputs", body, (201,))
        self.human.setdefault((agent, case_id), set()).update(item["id"] for item in answer.json()["items"])

    def _review(self, headers: dict[str, str]) -> None:
        turn = 0
        with self.client(headers) as client:
            while not self._over.wait(0.1):
                held = self.until_answered(client, "/v1/queue/claim", {}, (200, 204))
                if held.status_code == 204:
                    continue
                item, turn = held.json(), turn + 1
                self.rule(client, item, _SAID[turn % len(_SAID)])

    def rule(self, client: httpx2.Client, item: dict[str, Any], said: dict[str, Any]) -> None:
        """Where the answer is lost the ruling may be stored or not: the next claim tells."""
        body = said | {"fingerprint": item["fingerprint"]}
        answer = self.tried(client, f"/v1/reviews/{item['id']}/ruling", body)
        if answer is not None and answer.status_code == 409 and self.leases_may_end:
            lost = {f"/problems/{code}" for code in ("not-held", "already-held", "already-ended")}
            assert answer.json()["type"] in lost, answer.text
            self.heard["409 not held any more"] += 1
        elif answer is not None:
            assert answer.status_code == 201, answer.text
            self.ruled[answer.json()["id"]] = answer.json() | body


def prepared(ctx: Context, url: str, *, undo_seconds: int = 0) -> tuple[Load, dict[str, str]]:
    """Two agents, two reviewers, and the header of the owner of both. Rulings on `refunds` can be undone so long."""
    owner = factories.person(ctx).login
    factories.agent(ctx, owner=owner)
    factories.rollout(ctx, phase=Phase.SUPERVISED)
    factories.rollout(ctx, version="v2", phase=Phase.SHADOW, standing=Standing.CANDIDATE)
    factories.agent(ctx, "refunds", owner=owner, undo_seconds=undo_seconds)
    factories.rollout(ctx, "refunds", phase=Phase.CONFIDENCE, audit_rate=0.4, blocked_actions=["pay twice"])
    reviewers = [factories.person(ctx, roles=("reviewer",)).login for _ in range(2)]
    load = Load(
        url,
        {agent: factories.bearer(ctx, agent=agent) for agent in ("claims", "refunds")},
        [factories.bearer(ctx, login=login) for login in reviewers],
    )
    return load, factories.bearer(ctx, login=owner)
