"""An instrumented agent: its spans are the steps a reviewer sees, and the request carries the trace context along."""

import os

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from phasegate_client import Phasegate
from phasegate_client.adapters.opentelemetry import TraceSteps, trace_headers, traceparent

provider = TracerProvider()
provider.add_span_processor(TraceSteps())
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("example")

gate = Phasegate(
    os.environ["PHASEGATE_URL"],
    os.environ["PHASEGATE_KEY"],
    agent="supervised",
    version="v1",
    headers=trace_headers,
)


def classify(text: str) -> tuple[str, float]:
    """What an instrumented library does for you."""
    with tracer.start_as_current_span("chat m1", attributes={"gen_ai.operation.name": "chat"}) as span:
        span.set_attributes({"gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 9})
        return f"asks: {text}", 0.7


if __name__ == "__main__":
    with (
        tracer.start_as_current_span("ticket"),
        gate.run(case_id=f"O-{os.getpid()}", traceparent=traceparent()) as run,
    ):
        decision = run.decide(*classify("where is my parcel"))
    decision = gate.wait(decision, timeout=60)
    print(f"{decision.route.value}: {decision.outcome.state.value if decision.outcome else decision.why}")
