"""
OpenTelemetry: the trace goes along to Phasegate, and the spans of models, tools and agents become steps of the run.

    provider.add_span_processor(TraceSteps())
    gate = Phasegate(url, key, agent="triage", version="1.0.0", headers=trace_headers)

    with gate.run(case_id=ticket.id, traceparent=traceparent()) as run:
        answer, confidence = agent(ticket)  # whatever is instrumented in here
        decision = run.decide(answer, confidence)

Spans are read by the semantic conventions for generative AI, which are still in development; what they do not know is
left alone. Messages and arguments are in the steps only where the instrumentation was told to record them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from phasegate_client import threads
from phasegate_client.trace import Step, current_step

log = logging.getLogger("phasegate_client")

MOST_OPEN = 10_000  # spans; one that never ends must not be kept for ever

_KINDS = {
    "chat": "model",
    "generate_content": "model",
    "text_completion": "model",
    "embeddings": "model",
    "retrieval": "retrieval",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
}
_INPUTS = ("gen_ai.input.messages", "gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "gen_ai.prompt")
_OUTPUTS = ("gen_ai.output.messages", "gen_ai.tool.call.result", "gen_ai.completion")
_USAGE = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.prompt_tokens": "input_tokens",  # as they were called before
    "gen_ai.usage.completion_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_input_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
}
_KEPT = (
    "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.agent.name",
    "gen_ai.agent.version", "gen_ai.tool.call.id", "gen_ai.data_source.id", "gen_ai.conversation.id",
    "gen_ai.response.finish_reasons",
)  # fmt: skip

_propagator = TraceContextTextMapPropagator()


def trace_headers() -> dict[str, str]:
    """For `Phasegate(headers=…)`: `traceparent` and `tracestate` of the span the caller is in. No baggage."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers


def traceparent() -> str | None:
    """For `gate.run(traceparent=…)`: where in the trace the run belongs."""
    return trace_headers().get("traceparent")


class TraceSteps(SpanProcessor):
    """
    Records the spans that start inside a run of the client as its steps, nested as the spans are.

    A step is there from the start of its span, so that what is still going on when the run decides is told as well.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[int, tuple[Step, bool]] = OrderedDict()
        self.start_afresh()
        threads.renew_in_children(self)

    def start_afresh(self) -> None:
        """A forked child goes on with the spans it was forked in."""
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        try:
            self._begin(span)
        except Exception:
            log.exception("a span is not recorded as a step")  # a trace is worth less than the agent's work

    def on_end(self, span: ReadableSpan) -> None:
        try:
            self._end(span)
        except Exception:
            log.exception("a span is not recorded as a step")

    def _begin(self, span: Span) -> None:
        if (inside := current_step()) is None or span.context is None:
            return
        operation = str((span.attributes or {}).get("gen_ai.operation.name", ""))
        with self._lock:
            known = self._open.get(span.parent.span_id) if span.parent is not None else None
        parent = known[0] if known is not None and _root(known[0]) is _root(inside) else inside
        is_ours = operation in _KINDS
        step = (
            parent.step(span.name, kind=_KINDS[operation], started_at=_moment(span.start_time)) if is_ours else parent
        )
        with self._lock:
            self._open[span.context.span_id] = step, is_ours
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)

    def _end(self, span: ReadableSpan) -> None:
        if span.context is None:
            return
        with self._lock:
            known = self._open.pop(span.context.span_id, None)
        if known is None:
            return
        step, is_ours = known
        operation = str((span.attributes or {}).get("gen_ai.operation.name", ""))
        if operation not in _KINDS:
            return
        if not is_ours:  # its kind was not known at its start; what ran inside is beside it, not in it
            step = step.step(span.name, kind=_KINDS[operation], started_at=_moment(span.start_time))
        _fill(step, operation, span)


def _fill(step: Step, operation: str, span: ReadableSpan) -> None:
    said = span.attributes or {}
    if operation == "execute_tool":
        step.tool = str(said.get("gen_ai.tool.name", span.name))
    step.input = _first(said, _INPUTS)
    step.output = _first(said, _OUTPUTS)
    if operation == "retrieval" and isinstance(found := _plain(said.get("gen_ai.retrieval.documents")), list):
        step.sources = found
    if _KINDS[operation] == "model":  # an agent's figures are the sum of its models'
        step.usage = {name: said[key] for key, name in reversed(_USAGE.items()) if key in said}
    step.attributes = {key.removeprefix("gen_ai."): said[key] for key in _KEPT if key in said}
    if span.start_time is not None and span.end_time is not None:
        step.seconds = (span.end_time - span.start_time) / 1e9
    if span.status.status_code is StatusCode.ERROR:
        step.fail(span.status.description or str(said.get("error.type", "error")))


def _root(step: Step) -> Step:
    while step.parent is not None:
        step = step.parent
    return step


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((_plain(said[name]) for name in names if name in said), None)


def _plain(value: Any) -> Any:
    """Structured values come as JSON text where an attribute cannot hold them."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _moment(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)
