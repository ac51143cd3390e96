"""
One case from its beginning to the decision: a context manager that collects the steps and sends them along.

    with gate.run(case_id=ticket.id, input=ticket.fields) as run:
        with run.step("look up", tool="crm.search", input=query) as step:
            step.output = found = crm.search(query)
            step.sources = [{"title": hit.title, "uri": hit.url} for hit in found]
        run.step("classify", kind="model", output=answer, usage={"input_tokens": 812, "output_tokens": 9})
        decision = run.decide(answer, confidence)

An exception inside passes through; nothing is sent then.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phasegate_client.decisions import Decision
from phasegate_client.requests import Proposal
from phasegate_client.trace import Step, Trace, current_step

if TYPE_CHECKING:
    from typing_extensions import Self  # Python 3.10 has none; not needed when running

_ARGUMENTS = {field.name for field in dataclasses.fields(Proposal)} - {"handed_over"}

log = logging.getLogger("phasegate_client")


class _Recorder:
    def __init__(self, fields: dict[str, Any], name: str, traceparent: str | None) -> None:
        if unknown := fields.keys() - _ARGUMENTS:  # told before the agent has worked
            raise TypeError(f"decide takes no {', '.join(map(repr, sorted(unknown)))}")
        self.fields = fields
        self.trace = Trace(name, traceparent)
        self.decision: Decision | None = None

    def step(self, name: str, *, kind: str | None = None, **more: Any) -> Step:
        """
        Record a step, inside the step this code runs in.

        `more`: tool, input, output, sources, usage, attributes, error, and for a step that is over already
        started_at and seconds. Use it with `with` to have it timed.
        """
        inside = current_step()
        parent = inside if inside is not None and inside.belongs_to(self.trace) else self.trace.root
        return parent.step(name, kind=kind, **more)

    def _arguments(self, output: Any, confidence: Any, more: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        try:
            self.trace.root.measure()
            told = {"trace": self.trace.as_json(), "usage": self.trace.usage()}
        except Exception:
            log.exception("a defect in the client: the case is decided without its trace")
        return told | self.fields | more | {"output": output, "confidence": confidence}


class Run(_Recorder):
    """Made by `Phasegate.run`."""

    def __init__(
        self, decide: Callable[..., Decision], fields: dict[str, Any], name: str, traceparent: str | None
    ) -> None:
        super().__init__(fields, name, traceparent)
        self._decide = decide

    def decide(self, output: Any, confidence: Any = None, **more: Any) -> Decision:
        """`Phasegate.decide` with what was given to `run`, the steps so far and their usage. `more` goes before."""
        self.decision = self._decide(**self._arguments(output, confidence, more))
        return self.decision

    def __enter__(self) -> Self:
        self.trace.root.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.trace.root.__exit__(kind, error, traceback)


class AsyncRun(_Recorder):
    """Made by `AsyncPhasegate.run`; `step` is the same, `with` and all."""

    def __init__(
        self, decide: Callable[..., Awaitable[Decision]], fields: dict[str, Any], name: str, traceparent: str | None
    ) -> None:
        super().__init__(fields, name, traceparent)
        self._decide = decide

    async def decide(self, output: Any, confidence: Any = None, **more: Any) -> Decision:
        """See `Run.decide`."""
        self.decision = await self._decide(**self._arguments(output, confidence, more))
        return self.decision

    async def __aenter__(self) -> Self:
        self.trace.root.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.trace.root.__exit__(kind, error, traceback)
