"""What could not be sent: kept, and told to the server later. Real sockets, real files."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from phasegate_client import (
    AsyncPhasegate,
    Circuit,
    CircuitOpen,
    HandedOver,
    HumanOutput,
    Phasegate,
    Proposal,
    Refused,
    Route,
    TimedOut,
    Unavailable,
)

Stored = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[Any], None]], Any]

PATIENCE = 10.0
OPTIONS: dict[str, Any] = {"agent": "reader", "version": "v1", "timeout": 5.0}  # ample, also for a busy disk


class Server:
    """Phasegate as far as the spool can see it: away until it is back."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.is_back = False
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.told: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        """Of every try, answered or not."""

    def __call__(self, exchange: Any) -> None:
        body = json.loads(exchange.server.seen[-1])
        self.keys.append(exchange.headers["Idempotency-Key"])
        if not self.is_back:
            exchange.answer(503, b"")
        elif self.refusal is not None and body.get("case_id") == "bad":
            exchange.answer(*self.refusal)
        else:
            self.told.append(body)
            if exchange.path.endswith("decisions"):
                exchange.answer(201, self.stored(case_id=body["case_id"], route="human"))
            else:
                items = [{"id": "h", "case_id": body["case_id"], "revision": 1, "status": "created"}]
                exchange.answer(201, {"items": items})


@pytest.fixture
def server(stored: Stored) -> Server:
    return Server(stored)


class TestDecisions:
    def test_are_told_later_as_handed_over(
        self, ask: Callable[..., Any], serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        url = serve(server).url
        options = OPTIONS | {"spool": tmp_path}

        decision = ask("decide", case_id="c-1", output="7", confidence=0.9, base_url=url, options=options)
        server.is_back = True
        left = ask("flush", PATIENCE, base_url=url, options=options)

        assert (decision.route, decision.spooled, type(decision.error)) == (Route.HUMAN, True, Unavailable)
        assert left == 0
        assert [(body["case_id"], body["output"], body["handed_over"]) for body in server.told] == [("c-1", "7", True)]
        assert server.told[0]["occurred_at"].endswith("Z")

    def test_of_a_case_that_a_person_has_the_server_is_not_asked_again(
        self, ask: Callable[..., Any], serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        loopback = serve(server)
        options = OPTIONS | {"spool": tmp_path}
        with Phasegate(loopback.url, "secret", **options, open_for=60) as client:
            client.decide(case_id="c-1", output="7")
            asked = len(loopback.seen)

            again = client.decide(case_id="c-1", output="7")
            other = client.decide(case_id="c-1", output="7", attempt=2)

        assert (again.route, again.spooled, type(again.error)) == (Route.HUMAN, True, HandedOver)
        assert type(other.error) is Unavailable
        assert asked < len(loopback.seen)

    @pytest.mark.parametrize(
        ("case", "status"),
        [({"case_id": "c-1", "output": float("nan")}, 503), ({"case_id": "c-1", "output": "7"}, 422)],
        ids=["cannot be said", "is refused"],
    )
    def test_that_would_be_refused_again_are_not_kept(
        self, ask: Callable[..., Any], serve: Serve, tmp_path: Path, case: dict[str, Any], status: int
    ) -> None:
        url = serve(lambda exchange: exchange.answer(status, b"")).url

        decision = ask("decide", **case, base_url=url, options=OPTIONS | {"spool": tmp_path})

        assert (decision.route, decision.spooled) == (Route.HUMAN, False)
        assert ask("flush", PATIENCE, base_url=url, options=OPTIONS | {"spool": tmp_path}) == 0

    def test_whose_error_is_raised_are_left_to_the_caller(
        self, ask: Callable[..., Any], serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        url, options = serve(server).url, OPTIONS | {"spool": tmp_path, "raise_errors": True}

        with pytest.raises(Unavailable):
            ask("decide", case_id="c-1", output="7", base_url=url, options=options)
        assert ask("flush", PATIENCE, base_url=url, options=options) == 0

    @pytest.mark.parametrize("trouble", ["no room", "no folder"])
    def test_there_is_no_room_for_mean_a_person_and_say_so(
        self,
        ask: Callable[..., Any],
        serve: Serve,
        server: Server,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        trouble: str,
    ) -> None:
        (tmp_path / "file").touch()
        options = OPTIONS | (
            {"spool_bytes": 10, "spool": tmp_path} if trouble == "no room" else {"spool": tmp_path / "file"}
        )

        decision = ask("decide", case_id="c-1", output="7", base_url=serve(server).url, options=options)

        assert (decision.route, decision.spooled) == (Route.HUMAN, False)
        assert [reason.code for reason in decision.reasons] == ["unavailable", "unspooled"]
        assert "not spooled, so the server will not be told of it (1 so far)" in caplog.text

    def test_keep_the_budget_on_a_disk_that_hangs(self, serve: Serve, tmp_path: Path) -> None:
        server = serve(lambda exchange: exchange.server.released.wait(PATIENCE))
        with Phasegate(server.url, "secret", **OPTIONS | {"timeout": 1.0}, spool=tmp_path) as client:
            spool = client._core.spool
            assert spool is not None
            decisions: list[Any] = []
            with spool.lock:  # as a write that does not come back
                asking = threading.Thread(target=lambda: decisions.append(client.decide(case_id="c-1", output="7")))
                asking.start()
                asking.join(PATIENCE / 2)
                assert not server.released.is_set()
                again = client.decide(case_id="c-1", output="7")
            (decision,) = decisions

        assert (decision.route, decision.spooled, type(decision.error)) == (Route.HUMAN, False, TimedOut)
        assert "the disk took longer" in decision.why
        assert (again.route, again.spooled, type(again.error)) == (Route.HUMAN, False, HandedOver)


class TestHumanOutputs:
    def test_are_kept_in_order_and_none_overtakes_another(self, serve: Serve, server: Server, tmp_path: Path) -> None:
        with Phasegate(serve(server).url, "secret", **OPTIONS, spool=tmp_path) as client:
            first = client.human_output("c-1", "a", person="rita")
            server.is_back = True
            more = client.human_outputs([HumanOutput("c-1", "b")]) + client.human_outputs([HumanOutput("c-1", "a")])
            left = client.flush(PATIENCE)
            direct = client.human_output("c-2", "z")

        assert (first.status, first.id, first.revision) == ("spooled", "", 0)
        assert [item.status for item in more][:1] == ["spooled"]
        assert (left, direct.status) == (0, "created")
        assert [body["output"] for body in server.told] == ["a", "b", "a", "z"]
        *tries, b, a, z = server.keys
        assert (len(set(tries)), len({*tries, b, a, z}), None in tries) == (1, 4, False)

    def test_that_can_neither_be_sent_nor_kept_raise(
        self, ask: Callable[..., Any], serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        options = OPTIONS | {"spool": tmp_path, "spool_bytes": 10}

        with pytest.raises(Unavailable):
            ask("human_output", "c-1", "a", base_url=serve(server).url, options=options)

    def test_that_are_refused_raise(self, ask: Callable[..., Any], serve: Serve, tmp_path: Path) -> None:
        url = serve(lambda exchange: exchange.answer(422, b"")).url

        with pytest.raises(Refused):
            ask("human_output", "c-1", "a", base_url=url, options=OPTIONS | {"spool": tmp_path})


class TestDelivery:
    def test_comes_by_itself_when_the_server_is_back(self, serve: Serve, server: Server, tmp_path: Path) -> None:
        with Phasegate(serve(server).url, "secret", **OPTIONS, spool=tmp_path) as client:
            client.decide(case_id="c-1", output="7")
            server.is_back = True
            until = time.monotonic() + PATIENCE
            while client.health.spool.waiting and time.monotonic() < until:
                time.sleep(0.01)
            health = client.health

        assert (health.spool.waiting, health.spool.delivered, health.delivery) == (0, 1, None)

    def test_goes_on_in_the_next_process(self, serve: Serve, server: Server, tmp_path: Path) -> None:
        url = serve(server).url
        script = f"""
            from phasegate_client import Phasegate
            client = Phasegate({url!r}, "secret", agent="reader", version="v1", timeout=5, spool={str(tmp_path)!r})
            assert client.decide(case_id="c-1", output="7").spooled
            import os; os.kill(os.getpid(), 9)
        """
        run(script)
        server.is_back = True

        with Phasegate(url, "secret", **OPTIONS, spool=tmp_path) as client:
            assert client.flush(PATIENCE) == 0

        assert [body["case_id"] for body in server.told] == ["c-1"]

    def test_puts_what_is_refused_for_good_among_the_dead_letters_and_goes_on(
        self, serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        server.refusal = 409, {"type": "/problems/case-differs", "title": "This case was decided with another body"}
        with Phasegate(serve(server).url, "secret", **OPTIONS, spool=tmp_path) as client:
            client.decide(case_id="bad", output="7")
            client.human_output("good", "7")
            server.is_back = True
            assert client.flush(PATIENCE) == 0
            state = client.health.spool

        (dead,) = [json.loads(line) for line in next(state.folder.glob("*.dead.jsonl")).read_text().splitlines()]
        assert (state.dead, state.delivered) == (1, 1)
        assert (dead["path"], dead["body"]["case_id"]) == ("/v1/agents/reader/decisions", "bad")
        assert "This case was decided with another body" in dead["reason"]
        assert [body["case_id"] for body in server.told] == ["good"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the server of this test has threads
    def test_of_parent_and_forked_child_is_once_each(self, serve: Serve, server: Server, tmp_path: Path) -> None:
        with Phasegate(serve(server).url, "secret", **OPTIONS, spool=tmp_path) as client:
            client.decide(case_id="before", output="7")
            child = os.fork()
            if child == 0:
                spooled = client.decide(case_id="child", output="7").spooled
                client.close()
                os._exit(0 if spooled else 1)
            assert client.decide(case_id="parent", output="7").spooled
            _, status = os.waitpid(child, 0)
            server.is_back = True
            client.flush(PATIENCE)

        assert os.waitstatus_to_exitcode(status) == 0
        assert sorted(body["case_id"] for body in server.told) == ["before", "child", "parent"]

    def test_an_async_client_needs_no_loop_for_it(self, serve: Serve, server: Server, tmp_path: Path) -> None:
        url = serve(server).url

        async def decide() -> AsyncPhasegate:
            client = AsyncPhasegate(url, "secret", **OPTIONS, spool=tmp_path)
            assert (await client.decide(case_id="c-1", output="7")).spooled
            await client._connection.close()
            return client

        client = asyncio.run(decide())
        server.is_back = True
        assert client._core.delivery is not None
        assert client._core.delivery.flush().result(PATIENCE) == 0
        client._core.close()
        assert client._thread_connection is not None
        client._thread_connection.close()

    def test_an_async_transport_alone_is_not_enough_for_it(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="without asyncio"):
            AsyncPhasegate("http://x.test", "secret", transport=httpx2.AsyncHTTPTransport(), spool=tmp_path)


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )


class TestTheCircuit:
    def test_opens_after_failures_in_a_row_and_then_answers_at_once(
        self, serve: Serve, server: Server, tmp_path: Path
    ) -> None:
        loopback = serve(server)
        with Phasegate(loopback.url, "secret", **OPTIONS, spool=tmp_path, open_after=2, open_for=60) as client:
            first = [client.decide(case_id=f"c-{n}", output="7") for n in range(2)]
            asked = sum(b'"handed_over"' not in body for body in loopback.seen)
            at_once = client.decide(case_id="c-9", output="7")
            health = client.health

        assert [type(decision.error) for decision in first] == [Unavailable, Unavailable]
        assert (at_once.route, at_once.spooled, type(at_once.error)) == (Route.HUMAN, True, CircuitOpen)
        assert at_once.reasons[0].code == "circuit_open"
        assert sum(b'"handed_over"' not in body for body in loopback.seen) == asked, "it was not asked for c-9"
        assert (health.circuit, health.failures) == (Circuit.OPEN, 2)
        assert 25 <= health.seconds_left <= 90

    def test_closes_when_a_single_call_is_answered(self, serve: Serve, server: Server, stored: Stored) -> None:
        with Phasegate(serve(server).url, "secret", **OPTIONS, open_after=1, open_for=0.001) as client:
            client.decide(case_id="c-1", output="7")
            server.is_back = True
            time.sleep(0.01)
            assert client.health.circuit is Circuit.HALF_OPEN

            assert client.decide(case_id="c-1", output="7").certain
            assert client.health.circuit is Circuit.CLOSED

    @pytest.mark.parametrize("status", [200, 302, 404, 409, 422, 429])
    def test_stays_closed_where_somebody_answers(self, ask: Callable[..., Any], serve: Serve, status: int) -> None:
        url = serve(lambda exchange: exchange.answer(status, b"")).url
        with Phasegate(url, "secret", **OPTIONS | {"timeout": 0.3}, open_after=1) as client:
            client.decide(case_id="c-1", output="7")

            assert client.health.circuit is Circuit.CLOSED

    def test_does_not_keep_anybody_from_waiting(
        self, serve: Serve, waiting: dict[str, Any], approved: dict[str, Any]
    ) -> None:
        def answer(exchange: Any) -> None:
            exchange.answer(*((503, b"") if exchange.command == "POST" else (200, approved)))

        with Phasegate(serve(answer).url, "secret", **OPTIONS, open_after=1, open_for=60) as client:
            client.decide(case_id="form-1", output="7")
            assert client.health.circuit is Circuit.OPEN

            assert client.wait(waiting["id"], PATIENCE).may_proceed

    def test_a_cancelled_probe_leaves_it_to_the_next(self, serve: Serve, server: Server) -> None:
        loopback = serve(server)

        async def run() -> tuple[Any, Any]:
            async with AsyncPhasegate(loopback.url, "secret", **OPTIONS, open_after=1, open_for=0.001) as client:
                await client.decide(case_id="c-1", output="7")
                await asyncio.sleep(0.01)
                probe = asyncio.create_task(client.decide(case_id="c-1", output="7"))
                await asyncio.sleep(0)
                probe.cancel()
                await asyncio.gather(probe, return_exceptions=True)
                server.is_back = True
                return probe.cancelled(), await client.decide(case_id="c-1", output="7")

        cancelled, decision = asyncio.run(run())

        assert cancelled
        assert decision.certain


def test_a_cancelled_call_leaves_nothing_behind_and_asked_again_the_stored_answer_comes(
    serve: Serve, stored: Stored, tmp_path: Path
) -> None:
    arrived = threading.Event()

    def answer(exchange: Any) -> None:
        if len(loopback.seen) == 1:
            arrived.set()
            loopback.released.wait()
        exchange.answer(201, stored())

    loopback = serve(answer)

    async def run() -> tuple[Any, Any, Any]:
        async with AsyncPhasegate(loopback.url, "secret", **OPTIONS, spool=tmp_path, open_after=1) as client:
            call = asyncio.create_task(client.decide(case_id="form-1", output="7"))
            await asyncio.to_thread(arrived.wait, PATIENCE)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return call.cancelled(), client.health, await client.decide(case_id="form-1", output="7")

    cancelled, health, decision = asyncio.run(run())

    assert cancelled
    assert (health.circuit, health.spool.waiting) == (Circuit.CLOSED, 0)
    assert decision.may_proceed
    assert loopback.seen[0] == loopback.seen[1]


def test_a_case_decided_while_the_interpreter_shuts_down_is_a_persons(tmp_path: Path) -> None:
    done = run(f"""
        import atexit, threading
        from phasegate_client import Phasegate
        client = Phasegate("http://127.0.0.1:9", "secret", agent="a", version="v", timeout=5, spool={str(tmp_path)!r})

        class Late:
            def __del__(self):
                decision = client.decide(case_id="late", output="7")
                print("finalised", decision.route.value)

        def at_exit():
            decision = client.decide(case_id="c-1", output="7")
            print("exiting", decision.route.value, decision.spooled)

        atexit.register(at_exit)
        late = Late()
        client.late = late  # collected when little else is left
    """)

    assert done.returncode == 0, done.stderr
    assert "exiting human True" in done.stdout
    assert "finalised human" in done.stdout


def test_of_many_decisions_without_an_answer_each_is_kept(
    ask: Callable[..., Any], serve: Serve, server: Server, tmp_path: Path
) -> None:
    url, options = serve(server).url, OPTIONS | {"spool": tmp_path}
    proposals = [Proposal(f"c-{number}", "7", 0.9) for number in range(60)]

    decisions = ask("decide_many", proposals, base_url=url, options=options)
    server.is_back = True
    left = ask("flush", PATIENCE, base_url=url, options=options)

    assert {(decision.route, decision.spooled) for decision in decisions} == {(Route.HUMAN, True)}
    assert left == 0
    assert [body["case_id"] for body in server.told] == [proposal.case_id for proposal in proposals]
