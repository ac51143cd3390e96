import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from phasegate_client import AsyncPhasegate, Decision, Phasegate, Route

Stored = Callable[..., dict[str, Any]]
Form = dict[str, str]


def transport_for(decided: dict[str, Any], later: dict[str, Any] | None = None) -> httpx2.MockTransport:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=decided if request.method == "POST" else later)

    return httpx2.MockTransport(answer)


class Desk:
    """Keeps what was done with a case."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []

    def act(self, form: Form, output: Any) -> None:
        self.done.append(("acted", output))

    def hand_over(self, form: Form, decision: Decision) -> None:
        self.done.append(("handed over", decision.route))

    def stop(self, form: Form, decision: Decision) -> None:
        self.done.append(("stopped", decision.route))

    async def act_async(self, form: Form, output: Any) -> None:
        self.act(form, output)

    async def hand_over_async(self, form: Form, decision: Decision) -> None:
        self.hand_over(form, decision)

    async def stop_async(self, form: Form, decision: Decision) -> None:
        self.stop(form, decision)


def describe(form: Form) -> dict[str, Any]:
    return {"case_id": form["id"], "input": form}


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[[httpx2.MockTransport, Desk], Decision]:
    def run_sync(transport: httpx2.MockTransport, desk: Desk) -> Decision:
        with Phasegate("http://phasegate.test", "k", agent="reader", version="v1", transport=transport) as client:

            @client.governed(describe=describe, act=desk.act, hand_over=desk.hand_over, stop=desk.stop, wait=0)
            def read_digit(form: Form) -> tuple[str, float]:
                return "7", 0.97

            return read_digit({"id": "form-1"})

    async def run_async(transport: httpx2.MockTransport, desk: Desk) -> Decision:
        settings: dict[str, Any] = {"agent": "reader", "version": "v1", "transport": transport}
        async with AsyncPhasegate("http://phasegate.test", "k", **settings) as client:

            @client.governed(
                describe=describe, act=desk.act_async, hand_over=desk.hand_over_async, stop=desk.stop_async, wait=0
            )
            async def read_digit(form: Form) -> tuple[str, float]:
                return "7", 0.97

            return await read_digit({"id": "form-1"})

    if request.param == "sync":
        return run_sync
    return lambda transport, desk: asyncio.run(run_async(transport, desk))


Run = Callable[[httpx2.MockTransport, Desk], Decision]


def test_acts_on_auto(run: Run, stored: Stored) -> None:
    desk = Desk()

    run(transport_for(stored()), desk)

    assert desk.done == [("acted", "7")]


@pytest.mark.parametrize("route", ["shadow", "human"])
def test_hands_over_what_the_agent_may_not_do(run: Run, stored: Stored, route: str) -> None:
    desk = Desk()

    run(transport_for(stored(route=route)), desk)

    assert desk.done == [("handed over", Route(route))]


def test_stops_what_nobody_may_do(run: Run, stored: Stored) -> None:
    desk = Desk()

    run(transport_for(stored(route="block")), desk)

    assert desk.done == [("stopped", Route.BLOCK)]


def test_what_is_blocked_is_nobodys_also_where_nothing_is_said_about_it(
    stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    transport = transport_for(stored(route="block"))
    with Phasegate("http://phasegate.test", "k", agent="reader", version="v1", transport=transport) as client:
        read_digit = client.governed(describe=describe, act=desk.act, hand_over=desk.hand_over)(lambda _form: ("7", 1))
        decision = read_digit({"id": "form-1"})

    assert (desk.done, decision.is_blocked) == ([], True)
    assert "case form-1 is blocked, nobody does it" in caplog.text


def test_acts_on_what_the_reviewer_made_of_it(run: Run, waiting: dict[str, Any], approved: dict[str, Any]) -> None:
    desk = Desk()
    edited = json.loads(json.dumps(approved).replace('"approved"', '"edited"').replace('"7"', '"1"'))

    run(transport_for(waiting, edited), desk)

    assert desk.done == [("acted", "1")]


def test_hands_over_what_the_reviewer_rejected(run: Run, waiting: dict[str, Any], approved: dict[str, Any]) -> None:
    desk = Desk()
    rejected = approved | {"outcome": approved["outcome"] | {"state": "rejected", "output": None}}

    run(transport_for(waiting, rejected), desk)

    assert desk.done == [("handed over", Route.REVIEW)]


def test_does_neither_while_nobody_has_ruled(run: Run, waiting: dict[str, Any]) -> None:
    desk = Desk()

    decision = run(transport_for(waiting, waiting), desk)

    assert desk.done == []
    assert decision.is_waiting
