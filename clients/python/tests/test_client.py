"""Both clients, through httpx2's function transport."""

import asyncio
import json
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from phasegate_client import (
    AsyncPhasegate,
    Conflict,
    Decision,
    HumanOutput,
    NotAllowed,
    Phasegate,
    Route,
    TimedOut,
    Unexpected,
    Unreachable,
    __version__,
)

Stored = Callable[..., dict[str, Any]]


class Server:
    """Answers always the same and keeps what it was asked."""

    def __init__(self, body: Any, status: int = 201) -> None:
        self.body, self.status = body, status
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self.status, json=self.body)


class NeverAnswers:
    """Lets every request run to the end of its time. The clock moves by that, and by nothing else."""

    def __init__(self) -> None:
        self.allowed: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.allowed.append(request.extensions["timeout"]["read"])
        raise httpx2.ReadTimeout("nothing came")

    def clock(self) -> float:
        return sum(self.allowed)

    def asked_for_one_decision(self, kind: str, **settings: Any) -> Decision:
        """By a client with the settings that nobody gave."""
        given = {"agent": "reader", "version": "v1", "transport": httpx2.MockTransport(self), **settings}
        if kind == "sync":
            with Phasegate("http://phasegate.test", "secret", **given) as client:
                client._calls = replace(client._calls, clock=self.clock)
                return client.decide(case_id="form-1", output="7")

        async def ask() -> Decision:
            async with AsyncPhasegate("http://phasegate.test", "secret", **given) as client:
                client._calls = replace(client._calls, clock=self.clock)
                return await client.decide(case_id="form-1", output="7")

        return asyncio.run(ask())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_who_says_nothing_of_time_waits_two_seconds_in_all_for_a_server_that_never_answers(
    kind: str, tmp_path: Path
) -> None:
    without, with_spool = NeverAnswers(), NeverAnswers()

    decisions = [
        without.asked_for_one_decision(kind),
        with_spool.asked_for_one_decision(kind, spool=tmp_path),
    ]

    assert [(one.route, type(one.error)) for one in decisions] == [(Route.HUMAN, TimedOut)] * 2
    assert without.clock() == 2.0
    assert with_spool.allowed[0] == pytest.approx(1.7)  # and 0.3 s for the disk


def test_decide_asks_and_answers(ask: Callable[..., Any], stored: Stored) -> None:
    server = Server(stored())

    decision = ask("decide", case_id="form-1", output="7", confidence=0.97, handler=server)

    assert decision.route is Route.AUTO
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/v1/agents/reader/decisions")
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith(f"phasegate-client/{__version__} python/3.")
    assert json.loads(request.content)["confidence"] == 0.97


def test_a_confidence_that_is_no_number_is_sent_as_a_word(ask: Callable[..., Any], stored: Stored) -> None:
    server = Server(stored(route="human"))

    ask("decide", case_id="form-1", output="7", confidence=math.nan, handler=server)

    assert b'"confidence":"NaN"' in server.requests[0].content


def test_a_call_can_name_another_agent_and_version(ask: Callable[..., Any], stored: Stored) -> None:
    server = Server(stored(agent="writer", version="v9"))

    decision = ask("decide", case_id="form-1", output="7", agent="writer", version="v9", handler=server)

    assert decision.certain
    assert server.requests[0].url.path == "/v1/agents/writer/decisions"


def test_a_server_may_live_below_a_path(ask: Callable[..., Any], stored: Stored) -> None:
    server = Server(stored())

    ask("decide", case_id="form-1", output="7", base_url="http://phasegate.test/gate/", handler=server)

    assert server.requests[0].url.path == "/gate/v1/agents/reader/decisions"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(httpx2.ConnectError("refused"), Unreachable, id="no connection"),
        pytest.param(OSError("no route"), Unreachable, id="an error of the system"),
        pytest.param(ZeroDivisionError("oops"), Unexpected, id="a defect in the transport"),
    ],
)
def test_no_error_of_a_transport_reaches_the_agent(
    ask: Callable[..., Any], error: Exception, kind: type[Exception]
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise error

    decision = ask("decide", case_id="form-1", output="7", handler=fail, options={"timeout": 0.2})

    assert (decision.route, decision.certain, type(decision.error)) == (Route.HUMAN, False, kind)


def test_a_doubt_is_told_to_the_log_without_the_key(ask: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="phasegate_client"):
        ask("decide", case_id="form-1", output="7", handler=Server({}, 401))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "401" in caplog.text
    assert "secret" not in caplog.text


def test_a_broken_value_in_a_case_does_not_reach_the_agent(ask: Callable[..., Any], stored: Stored) -> None:
    class Broken:
        @property
        def tolist(self) -> Any:
            raise ZeroDivisionError

    decision = ask("decide", case_id="form-1", output="7", input=Broken(), handler=Server(stored()))

    assert isinstance(decision.error, Unexpected)


def test_errors_are_raised_when_asked_for(ask: Callable[..., Any]) -> None:
    with pytest.raises(NotAllowed):
        ask("decide", case_id="form-1", output="7", handler=Server({}, 403), options={"raise_errors": True})


def test_wait_looks_by_the_id_alone(ask: Callable[..., Any], approved: dict[str, Any]) -> None:
    server = Server(approved, 200)

    decision = ask("wait", approved["id"], 0, handler=server)

    assert decision.outcome.output == "7"
    assert server.requests[0].url.path == f"/v1/decisions/{approved['id']}"


def test_human_outputs_are_stored_or_raise(ask: Callable[..., Any]) -> None:
    row = {"id": "h-1", "case_id": "form-1", "revision": 1, "status": "created"}

    assert ask("human_output", "form-1", "7", person="rita", handler=Server({"items": [row]})).revision == 1
    assert len(ask("human_outputs", [HumanOutput("form-1", "7")], handler=Server({"items": [row]}))) == 1
    with pytest.raises(Conflict):
        ask("human_output", "form-1", "7", handler=Server({}, 409))


def test_a_failure_is_reported_for_its_decision(ask: Callable[..., Any]) -> None:
    server = Server({"id": "f-1"})

    assert ask("report_failure", "d-1", "major", "read a 1 as a 7", "1", handler=server) == {"id": "f-1"}
    assert server.requests[0].url.path == "/v1/decisions/d-1/failures"
    assert json.loads(server.requests[0].content)["correct_output"] == "1"
    assert len(server.requests[0].headers["Idempotency-Key"]) == 36

    ask("report_failure", "d-1", "major", "read a 1 as a 7", key="ticket-7", handler=server)

    assert server.requests[1].headers["Idempotency-Key"] == "ticket-7"


def test_a_case_is_shown_as_the_api_tells_it(ask: Callable[..., Any]) -> None:
    server = Server({"case_id": "a b", "decisions": []}, 200)

    assert ask("case", "a b", handler=server)["decisions"] == []
    assert server.requests[0].url.raw_path == b"/v1/agents/reader/cases/a%20b"


@pytest.mark.parametrize(
    ("base_url", "key", "timeout"),
    [
        pytest.param("phasegate.test", "secret", 2.0, id="an address without a scheme"),
        pytest.param("ftp://phasegate.test", "secret", 2.0, id="an address of another kind"),
        pytest.param("http://a:b@phasegate.test", "secret", 2.0, id="a password in the address"),
        pytest.param("http://phasegate.test", "", 2.0, id="no key"),
        pytest.param("http://phasegate.test", "line\nbreak", 2.0, id="a key over two lines"),
        pytest.param("http://phasegate.test", "secret", 0.0, id="no time at all"),
        pytest.param("http://phasegate.test", "secret", math.nan, id="a time that is no number"),
    ],
)
def test_a_wrong_setting_is_told_when_the_agent_starts(base_url: str, key: str, timeout: float) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Phasegate(base_url, key, timeout=timeout)


def test_a_closed_client_hands_over_too(stored: Stored) -> None:
    client = Phasegate("http://phasegate.test", "secret", agent="reader", version="v1", timeout=0.2)
    client.close()

    assert client.decide(case_id="form-1", output="7").route is Route.HUMAN
