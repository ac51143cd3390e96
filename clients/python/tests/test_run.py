"""The run of a case and its trace."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import httpx2
import pytest

from phasegate_client import AsyncPhasegate, Decision, Phasegate, current_step
from phasegate_client.trace import LARGEST_TRACE, LARGEST_VALUE, MOST_SOURCES, MOST_STEPS, Step, Trace

Stored = Callable[..., dict[str, Any]]

SETTINGS: dict[str, Any] = {"agent": "reader", "version": "v1"}


class Server:
    """Keeps what it was told."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.bodies: list[dict[str, Any]] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        return httpx2.Response(201, json=self.stored(case_id=self.bodies[-1]["case_id"]))


@pytest.fixture
def server(stored: Stored) -> Server:
    return Server(stored)


def look_up(run: Any) -> None:
    """What the agent of these tests does on its way."""
    with run.step("look up", tool="crm.search", input={"q": "lost"}) as step:
        step.output = ["a", "b"]
        step.sources = [{"title": "Lost cards", "uri": "https://example.com/1"}]
        run.step("ask", kind="model", output="lost_card", usage={"input_tokens": 800, "cost": 0.25})
    run.step("check", usage={"input_tokens": 12, "output_tokens": 9, "model": "small"})


@pytest.fixture(params=["sync", "async"])
def decided(request: pytest.FixtureRequest, server: Server) -> tuple[Decision, dict[str, Any]]:
    """A run with both kinds of client: its decision, and what the server was told."""
    fields = {"case_id": "T-1", "input": {"text": "My card"}, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}

    async def run_async() -> Decision:
        client = AsyncPhasegate("http://x.test", "k", **SETTINGS, transport=server.transport)
        async with client, client.run(**fields) as run:
            look_up(run)
            return await run.decide("lost_card", 0.9, segment="cards")

    if request.param == "async":
        return asyncio.run(run_async()), server.bodies[0]
    with Phasegate("http://x.test", "k", **SETTINGS, transport=server.transport) as client:
        with client.run(**fields) as run:
            look_up(run)
            decision = run.decide("lost_card", 0.9, segment="cards")
        assert run.decision is decision
    return decision, server.bodies[0]


def test_a_run_is_decided_with_its_steps(decided: tuple[Decision, dict[str, Any]]) -> None:
    decision, body = decided

    assert decision.may_proceed
    assert {name: body[name] for name in ("case_id", "input", "output", "confidence", "segment")} == {
        "case_id": "T-1", "input": {"text": "My card"}, "output": "lost_card", "confidence": 0.9, "segment": "cards",
    }  # fmt: skip
    assert body["usage"] == {"input_tokens": 812, "output_tokens": 9, "cost": 0.25}


def test_the_trace_has_the_documented_shape(decided: tuple[Decision, dict[str, Any]]) -> None:
    (root,) = decided[1]["trace"]
    look, check = root["steps"]
    (ask,) = look["steps"]

    assert (root["name"], root["kind"], root["traceparent"]) == ("run", "run", f"00-{'a' * 32}-{'b' * 16}-01")
    assert set(look) == {"name", "kind", "started_at", "seconds", "tool", "input", "output", "sources", "steps"}
    assert (look["name"], look["kind"], look["tool"]) == ("look up", "tool", "crm.search")
    assert (look["input"], look["output"]) == ({"q": "lost"}, ["a", "b"])
    assert look["sources"] == [{"title": "Lost cards", "uri": "https://example.com/1"}]
    assert (ask["kind"], ask["output"], ask["usage"]) == ("model", "lost_card", {"input_tokens": 800, "cost": 0.25})
    assert (check["kind"], check["usage"]["model"]) == ("step", "small")
    assert datetime.fromisoformat(look["started_at"].replace("Z", "+00:00")).tzinfo is not None
    assert 0 <= look["seconds"] <= root["seconds"]


def test_without_steps_there_is_no_trace(server: Server) -> None:
    with Phasegate("http://x.test", "k", **SETTINGS, transport=server.transport) as client, client.run() as run:
        run.decide("7", 0.9, case_id="T-1")

    assert not {"trace", "usage"} & set(server.bodies[0])


def test_an_exception_passes_and_is_noted_and_nothing_is_sent(server: Server) -> None:
    client = Phasegate("http://x.test", "k", **SETTINGS, transport=server.transport)
    with pytest.raises(ZeroDivisionError), client, client.run(case_id="T-1") as run, run.step("divide"):
        1 / 0  # noqa: B018

    (root,) = run.trace.as_json() or []
    assert root["steps"][0]["error"] == {"kind": "ZeroDivisionError", "words": "division by zero"}
    assert server.bodies == []


def test_an_argument_that_decide_does_not_take_is_told_before_the_agent_works() -> None:
    client = Phasegate("http://x.test", "k", **SETTINGS)

    with client, pytest.raises(TypeError, match="decide takes no 'segmnt'"):
        client.run(case_id="T-1", segmnt="cards")


def test_a_governed_function_records_steps_of_its_own(server: Server) -> None:
    with Phasegate("http://x.test", "k", transport=server.transport) as client:

        @client.governed(
            agent="reader", version="v1", describe=lambda case: {"case_id": case}, act=print, hand_over=print
        )
        def compute(case: str) -> tuple[str, float]:
            step = current_step()
            assert step is not None
            step.step("think", output=case)
            return "7", 0.9

        assert compute("T-1").may_proceed

    assert server.bodies[0]["trace"][0]["steps"][0]["name"] == "think"
    assert current_step() is None


def test_tasks_and_their_steps_stay_apart(server: Server) -> None:
    async def branch(run: Any, name: str) -> None:
        with run.step(name):
            await asyncio.sleep(0)
            run.step(f"inside {name}")
            await asyncio.sleep(0)

    async def go() -> None:
        client = AsyncPhasegate("http://x.test", "k", **SETTINGS, transport=server.transport)
        async with client, client.run(case_id="T-1") as run:
            await asyncio.gather(branch(run, "a"), branch(run, "b"))
            await run.decide("7", 0.9)

    asyncio.run(go())

    (root,) = server.bodies[0]["trace"]
    assert [(step["name"], [inner["name"] for inner in step["steps"]]) for step in root["steps"]] == [
        ("a", ["inside a"]),
        ("b", ["inside b"]),
    ]


def test_threads_may_record_at_once() -> None:
    trace = Trace("run")
    threads = [threading.Thread(target=lambda: [trace.root.step("x") for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(trace.root.steps) == 400


def test_a_step_that_is_over_can_be_added_with_its_own_times() -> None:
    trace = Trace("run")
    started = datetime(2026, 3, 2, 8, tzinfo=timezone.utc)
    trace.root.step("span", kind="model", started_at=started, seconds=1.5, error="rate limit")

    (root,) = trace.as_json() or []
    assert root["steps"] == [
        {
            "name": "span",
            "kind": "model",
            "started_at": "2026-03-02T08:00:00Z",
            "seconds": 1.5,
            "error": {"kind": "error", "words": "rate limit"},
        }
    ]


class TestBounds:
    def told(self, trace: Trace) -> dict[str, Any]:
        (root,) = trace.as_json() or []
        assert json.loads(json.dumps(root)) == root, "it is JSON"
        return root

    def test_a_large_value_is_cut_and_says_so(self) -> None:
        trace = Trace("run")
        trace.root.step("read", input="ä" * (LARGEST_VALUE + 1000), output={"rows": list(range(5000))})

        (step,) = self.told(trace)["steps"]
        assert step["cut"] == ["input", "output"]
        assert step["input"].startswith("ä" * LARGEST_VALUE + "…")
        assert step["input"].endswith("[1,000 of 9,000 characters cut]")
        assert step["output"].startswith('{"rows": [0, 1, 2')

    def test_all_values_together_are_bounded(self) -> None:
        trace = Trace("run")
        for _ in range(100):
            trace.root.step("read", input="x" * LARGEST_VALUE, output="y" * LARGEST_VALUE, sources=["z" * 100_000])

        assert len(json.dumps(self.told(trace))) < LARGEST_TRACE + 100 * 400

    def test_too_many_steps_and_sources_are_left_out_and_counted(self) -> None:
        trace = Trace("run")
        for _ in range(MOST_STEPS + 7):
            trace.root.step("again", sources=range(MOST_SOURCES + 1))

        root = self.told(trace)
        assert (len(root["steps"]), root["left_out"]) == (MOST_STEPS, 7)
        assert (len(root["steps"][0]["sources"]), root["steps"][0]["cut"]) == (MOST_SOURCES, ["sources"])

    def test_steps_within_steps_without_end_are_sent_all_the_same(self) -> None:
        trace = Trace("run")
        step = trace.root
        for _ in range(MOST_STEPS):
            step = step.step("deeper")

        assert self.told(trace)["steps"]

    @pytest.mark.parametrize(
        "value",
        [object(), {1, 2}, float("nan"), {"a": object()}, lambda: None],
        ids=["an object", "a set", "no number", "an object within", "a function"],
    )
    def test_what_has_no_json_form_is_said_so_and_harms_nothing(self, value: Any) -> None:
        trace = Trace("run")
        trace.root.step("odd", output=value)

        assert "output" in self.told(trace)["steps"][0]

    def test_what_happens_to_a_value_after_its_step_does_not_change_it(self) -> None:
        trace = Trace("run")
        given, found = [1], [2]
        with trace.root.step("look", input=given) as step:
            step.output = found
        given.append(3)
        found.append(4)

        (told,) = self.told(trace)["steps"]
        assert (told["input"], told["output"]) == ([1], [2])

    @pytest.mark.parametrize("traceparent", [None, "", "00-abc", f"00-{'g' * 32}-{'b' * 16}-01"])
    def test_a_traceparent_that_is_none_is_left_out(self, traceparent: str | None) -> None:
        trace = Trace("run", traceparent)
        assert isinstance(trace.root.step("x"), Step)

        assert "traceparent" not in self.told(trace)
