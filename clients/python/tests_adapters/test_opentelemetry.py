"""Spans of the real OpenTelemetry SDK as steps of a run, and its trace context on the way to a real service."""

import json
import os
import signal
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode
from people import Desk, Service

from phasegate_client import Phasegate
from phasegate_client.adapters.opentelemetry import TraceSteps, trace_headers, traceparent


@pytest.fixture
def provider() -> TracerProvider:
    """One of its own; the global one can be set only once."""
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(TraceSteps())
    return made


@pytest.fixture
def tracer(provider: TracerProvider) -> Any:
    return provider.get_tracer("tests")


def chat(tracer: Any, **more: Any) -> Any:
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m1", **more}
    return tracer.start_as_current_span("chat m1", attributes=said)


def steps_of(run: Any) -> list[dict[str, Any]]:
    trace = run.trace.as_json()
    return trace[0].get("steps", []) if trace else []


def test_model_tool_and_agent_spans_become_nested_steps(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="steps") as run:
        agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "triage",
                 "gen_ai.usage.input_tokens": 30}  # fmt: skip
        with tracer.start_as_current_span("invoke_agent triage", attributes=agent):
            with chat(tracer) as span:
                span.set_attributes({"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 4})
                span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user"}]))
                span.set_attribute("gen_ai.output.messages", "well")
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "crm.search"}
            with tracer.start_as_current_span("execute_tool crm.search", attributes=tool) as span:
                span.set_attribute("gen_ai.tool.call.arguments", '{"q": "ann"}')
                span.set_attribute("gen_ai.tool.call.result", '["ann"]')

    (invoked,) = steps_of(run)
    model, called = invoked["steps"]
    assert (invoked["kind"], model["kind"], called["kind"]) == ("agent", "model", "tool")
    assert (model["input"], model["output"]) == ([{"role": "user"}], "well")
    assert (called["tool"], called["input"], called["output"]) == ("crm.search", {"q": "ann"}, ["ann"])
    assert run.trace.usage() == {"input_tokens": 30, "output_tokens": 4}  # the agent's own figure is not added again
    assert model["attributes"] == {"request.model": "m1"}
    assert model["seconds"] >= 0


def test_spans_of_other_things_are_no_steps_but_do_not_hide_those_inside(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="others") as run, tracer.start_as_current_span("GET /"), chat(tracer):
        pass

    assert [step["name"] for step in steps_of(run)] == ["chat m1"]


def test_what_is_still_going_on_when_the_run_decides_is_told_too(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="open") as run, chat(tracer):
        told = steps_of(run)

    assert [(step["name"], "seconds" in step) for step in told] == [("chat m1", False)]


def test_a_span_that_says_what_it_is_only_at_its_end_is_a_step_beside(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="late") as run, tracer.start_as_current_span("late") as span:
        span.set_attribute("gen_ai.operation.name", "retrieval")
        span.set_attribute("gen_ai.retrieval.documents", json.dumps([{"title": "Terms"}]))

    (step,) = steps_of(run)
    assert (step["kind"], step["sources"]) == ("retrieval", [{"title": "Terms"}])


def test_a_failed_call_says_so(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="failed") as run:
        with pytest.raises(OSError, match="gone"), chat(tracer):
            raise OSError("gone")
        with chat(tracer) as span:
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute("error.type", "timeout")

    assert [step["error"]["words"] for step in steps_of(run)] == ["OSError: gone", "timeout"]


def test_outside_a_run_nothing_is_kept(provider: TracerProvider, tracer: Any) -> None:
    (processor,) = provider._active_span_processor._span_processors
    with chat(tracer):
        assert isinstance(processor, TraceSteps)
        assert not processor._open


def test_a_span_that_makes_no_step_stops_nobody(gate: Phasegate, tracer: Any, caplog: pytest.LogCaptureFixture) -> None:
    chat_at_the_end_of_time = {"attributes": {"gen_ai.operation.name": "chat"}, "start_time": 10**29}
    with gate.run(case_id="unreadable") as run:
        with tracer.start_as_current_span("chat m1", **chat_at_the_end_of_time):
            pass
        with chat(tracer):
            pass

    assert len(steps_of(run)) == 1
    assert "a span is not recorded as a step" in caplog.text


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_child_forked_while_another_thread_held_the_lock_goes_on(
    gate: Phasegate, provider: TracerProvider, tracer: Any
) -> None:
    (processor,) = provider._active_span_processor._span_processors
    assert isinstance(processor, TraceSteps)
    with gate.run(case_id="forked") as run:
        with processor._lock:
            child = os.fork()
        if child == 0:
            signal.alarm(20)  # rather than hanging for ever
            with chat(tracer):
                pass
            os._exit(0 if len(steps_of(run)) == 1 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_runs_inside_one_another_keep_their_own_steps(gate: Phasegate, tracer: Any) -> None:
    with gate.run(case_id="outer") as outer, chat(tracer), gate.run(case_id="inner") as inner, chat(tracer):
        pass

    assert (len(steps_of(outer)), len(steps_of(inner))) == (1, 1)
    assert "steps" not in steps_of(outer)[0]


def test_a_reviewer_sees_the_steps_and_the_trace_they_belong_to(service: Service, desk: Desk, tracer: Any) -> None:
    with (
        service.gate(headers=trace_headers) as gate,
        tracer.start_as_current_span("request") as span,
        gate.run(case_id="seen", traceparent=traceparent()) as run,
    ):
        with chat(tracer):
            pass
        run.decide("yes")
        context = span.get_span_context()

    (told,) = desk.next()["trace"]
    assert told["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert [step["kind"] for step in told["steps"]] == ["model"]


def test_every_request_carries_the_trace_context_and_no_baggage(tracer: Any) -> None:
    import httpx2
    from opentelemetry import baggage, context

    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(503)

    token = context.attach(baggage.set_baggage("customer", "ann"))
    try:
        with (
            Phasegate(
                "http://phasegate.test", "k", agent="a", version="v", headers=trace_headers,
                transport=httpx2.MockTransport(answer),
            ) as gate,
            tracer.start_as_current_span("request") as span,
        ):  # fmt: skip
            gate.decide(case_id="1", output="yes")
    finally:
        context.detach(token)

    assert f"{span.get_span_context().trace_id:032x}" in seen[0]["traceparent"]
    assert "baggage" not in seen[0]
