"""Both clients against a real server that misbehaves, and against none."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from phasegate_client import MalformedAnswer, Phasegate, Route, TimedOut, Unavailable, Unreachable

Stored = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[Any], None]], Any]

SHORT = 0.3  # seconds: where the budget itself is the subject
AMPLE = 5.0  # seconds: where it is not
PATIENCE = 10.0  # seconds a server would go on misbehaving if nobody gave up


def decide(ask: Callable[..., Any], url: str, budget: float = AMPLE) -> Any:
    return ask("decide", case_id="form-1", output="7", confidence=0.97, base_url=url, options={"timeout": budget})


def assert_handed_over(decision: Any, error: type[Exception]) -> None:
    assert (decision.route, decision.certain, decision.may_proceed) == (Route.HUMAN, False, False)
    assert type(decision.error) is error, decision.error


def test_a_good_answer_arrives(ask: Callable[..., Any], serve: Serve, stored: Stored) -> None:
    server = serve(lambda exchange: exchange.answer(201, stored()))

    assert decide(ask, server.url).may_proceed


def test_nobody_listening_means_a_person(ask: Callable[..., Any]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        decision = decide(ask, url)

    assert_handed_over(decision, Unreachable)


def test_a_name_that_no_host_has_means_a_person(ask: Callable[..., Any]) -> None:
    decision = decide(ask, "http://phasegate.invalid")

    assert decision.route is Route.HUMAN
    assert not decision.certain


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_server_is_asked_again_and_then_a_person(ask: Callable[..., Any], serve: Serve, status: int) -> None:
    server = serve(lambda exchange: exchange.answer(status, b"<html>sorry</html>"))

    decision = decide(ask, server.url)

    assert_handed_over(decision, Unavailable)
    assert len(server.seen) > 1
    assert len(set(server.seen)) == 1, "a retry says the same to the byte"


def test_a_server_that_recovers_in_time_is_believed(ask: Callable[..., Any], serve: Serve, stored: Stored) -> None:
    def recover(exchange: Any) -> None:
        if len(server.seen) == 1:
            exchange.answer(503, b"", Retry_After="0")
        else:
            exchange.answer(200, stored())

    server = serve(recover)

    assert decide(ask, server.url).may_proceed


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"OK", id="a word"),
        pytest.param(b'{"route":"auto"', id="half an answer"),
        pytest.param(b'{"route":"auto"}', id="a route and no more"),
        pytest.param(b"\x00\xff" * 1000, id="noise"),
        pytest.param(b"[" * 200_000, id="nesting without end"),
    ],
)
def test_garbage_means_a_person(ask: Callable[..., Any], serve: Serve, garbage: bytes) -> None:
    server = serve(lambda exchange: exchange.answer(200, garbage))

    assert_handed_over(decide(ask, server.url), MalformedAnswer)


def test_a_false_compression_means_a_person(ask: Callable[..., Any], serve: Serve) -> None:
    server = serve(lambda exchange: exchange.answer(200, b"not gzip", Content_Encoding="gzip"))

    assert_handed_over(decide(ask, server.url), MalformedAnswer)


def test_a_redirect_is_not_followed(ask: Callable[..., Any], serve: Serve, stored: Stored) -> None:
    elsewhere = serve(lambda exchange: exchange.answer(201, stored()))
    server = serve(lambda exchange: exchange.answer(307, b"", Location=elsewhere.url))

    assert_handed_over(decide(ask, server.url), MalformedAnswer)
    assert elsewhere.seen == []


def test_a_line_cut_in_the_middle_means_a_person(ask: Callable[..., Any], serve: Serve) -> None:
    def cut(exchange: Any) -> None:
        exchange.wfile.write(b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"route": "auto",')
        exchange.close_connection = True

    server = serve(cut)

    assert_handed_over(decide(ask, server.url), Unreachable)


def hold_the_answer(exchange: Any) -> None:
    exchange.server.released.wait(PATIENCE)


def drip_the_headers(exchange: Any) -> None:
    exchange.wfile.write(b"HTTP/1.1 201 Created\r\n")
    exchange.drip(b"X-Slow: 1\r\n", every=0.05, at_most=PATIENCE)


def drip_one_header(exchange: Any) -> None:
    exchange.wfile.write(b"HTTP/1.1 201 Created\r\nX-Slow: ")
    exchange.drip(b"1", every=0.05, at_most=PATIENCE)


def drip_the_body(exchange: Any) -> None:
    exchange.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
    exchange.drip(b" ", every=0.05, at_most=PATIENCE)


@pytest.mark.parametrize("behave", [hold_the_answer, drip_the_headers, drip_one_header, drip_the_body])
def test_the_budget_holds_however_the_server_delays(
    ask: Callable[..., Any], serve: Serve, behave: Callable[[Any], None]
) -> None:
    server = serve(behave)
    started = time.monotonic()

    decision = decide(ask, server.url, SHORT)

    # Every piece came well within any time-out for a single read; only a total ends this before the server does.
    assert time.monotonic() - started < PATIENCE / 2
    assert not server.released.is_set()
    assert_handed_over(decision, TimedOut)


def test_a_late_answer_harms_no_later_call(serve: Serve, stored: Stored) -> None:
    def first_late_then_prompt(exchange: Any) -> None:
        if len(server.seen) == 1:
            server.released.wait(PATIENCE)
            exchange.answer(201, stored(case_id="form-1"))
        else:
            exchange.answer(201, stored(case_id="form-2"))

    server = serve(first_late_then_prompt)
    with Phasegate(server.url, "secret", agent="reader", version="v1", timeout=1.0) as client:
        late = client.decide(case_id="form-1", output="7")
        server.released.set()
        prompt = client.decide(case_id="form-2", output="7")

    assert_handed_over(late, TimedOut)
    assert (prompt.case_id, prompt.may_proceed) == ("form-2", True)


def test_wait_is_woken_by_the_ruling(
    ask: Callable[..., Any], serve: Serve, waiting: dict[str, Any], approved: dict[str, Any]
) -> None:
    def long_poll(exchange: Any) -> None:
        ruled = "wait=" in exchange.path and len(server.seen) > 1
        exchange.answer(200, approved if ruled else waiting)

    server = serve(long_poll)

    assert ask("wait", waiting["id"], PATIENCE, base_url=server.url).may_proceed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the server of this test has threads
def test_a_forked_worker_talks_over_connections_of_its_own(serve: Serve, stored: Stored) -> None:
    ports: set[int] = set()

    def answer(exchange: Any) -> None:
        ports.add(exchange.client_address[1])
        exchange.answer(201, stored())

    server = serve(answer)
    with Phasegate(server.url, "secret", agent="reader", version="v1", timeout=AMPLE) as client:
        assert client.decide(case_id="form-1", output="7").certain
        child = os.fork()
        if child == 0:
            os._exit(0 if client.decide(case_id="form-1", output="7").certain else 1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(ports) == 2
