"""
What an agent did on the way to its output: steps, nested, with tools, sources, times and usage.

The form in which they are sent and shown is described in docs/agent-engineer.md, "The trace". It is bounded, and what
was cut says so. Recording never raises: a trace is worth less than the case it belongs to.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phasegate_client.errors import PhasegateError
from phasegate_client.json_text import as_json

if TYPE_CHECKING:
    from typing_extensions import Self  # Python 3.10 has none; not needed when running

LARGEST_VALUE = 8_000  # characters of JSON kept of one input, output or source
LARGEST_TRACE = 200_000  # characters of JSON kept of all of them together
MOST_STEPS = 500
DEEPEST = 20  # what is nested deeper stands beside its parent
MOST_SOURCES = 50
_LONGEST_NAME = 200

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_current: ContextVar[Step | None] = ContextVar("phasegate_step", default=None)


def current_step() -> Step | None:
    """The step this code runs in, if any; tasks and `copy_context` carry it along."""
    return _current.get()


class Trace:
    """The steps of one run. Threads may add to it."""

    def __init__(self, name: str, traceparent: str | None = None) -> None:
        self.traceparent = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None
        self.left_out = 0
        self._steps = 0
        self._room = LARGEST_TRACE
        self._lock = threading.Lock()
        self.root = Step(self, name, "run")

    def admit(self, parent: Step, step: Step) -> None:
        with self._lock:
            if self._steps < MOST_STEPS:
                self._steps += 1
                above = parent.parent if parent.depth >= DEEPEST and parent.parent is not None else parent
                above.steps.append(step)
                step.parent, step.depth = above, above.depth + 1
            else:
                self.left_out += 1

    def cut(self, value: Any) -> tuple[Any, bool]:
        """The value in JSON's own types, or the beginning of its text where it is too large; True if it was cut."""
        try:
            plain = as_json(value, "it")
            text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
        except Exception as error:  # noqa: BLE001 - whatever a foreign object does in here, the run goes on
            why = error if isinstance(error, PhasegateError) else type(error).__name__
            return f"[not recorded: {why}]"[:_LONGEST_NAME], True
        with self._lock:
            room = min(LARGEST_VALUE, self._room)
            self._room -= min(len(text), room)
        if len(text) <= room:
            return plain, False
        return f"{text[:room]}… [{len(text) - room:,} of {len(text):,} characters cut]", True

    def as_json(self) -> list[dict[str, Any]] | None:
        """The list with the run as its only step; None when there is nothing to tell."""
        if not self.root.steps and self.traceparent is None and self.root.error is None:
            return None
        body = self.root.as_json()
        if self.traceparent is not None:
            body["traceparent"] = self.traceparent
        if self.left_out:
            body["left_out"] = self.left_out
        return [body]

    def usage(self) -> dict[str, Any] | None:
        """The numbers of all steps, added up by name: tokens, cost."""
        sums: dict[str, Any] = {}
        for step in self.root.all():
            for name, number in step.usage.items():
                if isinstance(number, (int, float)) and not isinstance(number, bool):
                    sums[name] = sums.get(name, 0) + number
        return sums or None


class Step:
    """
    One step. It is recorded when it is made; as a context manager it has a duration too, the steps made inside are
    its own, and an exception that passes is noted.

    `input`, `output`, `sources` and `usage` may be set or added to until it ends.
    """

    def __init__(
        self,
        trace: Trace,
        name: str,
        kind: str,
        *,
        tool: str | None = None,
        input: Any = None,  # noqa: A002 - the word of the API
        output: Any = None,
        sources: Iterable[Any] = (),
        usage: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        started_at: datetime | None = None,
        seconds: float | None = None,
        error: BaseException | str | None = None,
    ) -> None:
        self.name, self.kind, self.tool = name, kind, tool
        self.output = output
        self.sources = list(sources)
        self.usage: dict[str, Any] = dict(usage or {})
        self.attributes: dict[str, Any] = dict(attributes or {})
        self.started_at = started_at or datetime.now(timezone.utc)  # noqa: TID251 - the agent's clock
        self.seconds = seconds
        self.error: dict[str, str] | None = None
        self.steps: list[Step] = []
        self.parent: Step | None = None
        self.depth = 0
        self._trace = trace
        self._began = time.monotonic()
        self._token: Token[Step | None] | None = None
        self._input: tuple[Any, bool] | None = None
        self.input = input
        self._ended: dict[str, Any] | None = None
        if error is not None:
            self.fail(error)

    @property
    def input(self) -> Any:
        """As it was when it was set: an agent may go on to change the object."""
        return None if self._input is None else self._input[0]

    @input.setter  # noqa: A003 - the word of the API
    def input(self, value: Any) -> None:
        self._input = None if value is None else self._trace.cut(value)

    def step(self, name: str, *, kind: str | None = None, **more: Any) -> Step:
        """A step inside this one. `more` is what `Step` takes: tool, input, output, sources, usage and so on."""
        inner = Step(self._trace, name, kind or ("tool" if more.get("tool") else "step"), **more)
        self._trace.admit(self, inner)
        return inner

    def fail(self, error: BaseException | str) -> None:
        kind = type(error).__name__ if isinstance(error, BaseException) else "error"
        try:
            words = str(error)
        except Exception:  # noqa: BLE001 - an exception that cannot even be read
            words = ""
        self.error = {"kind": kind[:_LONGEST_NAME], "words": words[:1000]}

    def measure(self) -> None:
        """Its duration so far, of one that is still going on."""
        if self._token is not None and self._ended is None:
            self.seconds = time.monotonic() - self._began

    def belongs_to(self, trace: Trace) -> bool:
        return self._trace is trace

    def all(self) -> Iterable[Step]:
        yield self
        for inner in list(self.steps):
            yield from inner.all()

    def __enter__(self) -> Self:
        self.started_at = datetime.now(timezone.utc)  # noqa: TID251 - as above
        self._began = time.monotonic()
        self._token = _current.set(self)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._began
        if error is not None:
            self.fail(error)
        if self._token is not None:
            _leave(self._token)
        self._ended = self._values()  # as it is now: what the agent does to its objects later is not this step

    def as_json(self) -> dict[str, Any]:
        values = self._ended or self._values()
        body: dict[str, Any] = {
            "name": str(self.name)[:_LONGEST_NAME],
            "kind": str(self.kind)[:_LONGEST_NAME],
            "started_at": _instant(self.started_at),
        }
        if self.seconds is not None:
            body["seconds"] = round(self.seconds, 6)
        if self.tool is not None:
            body["tool"] = str(self.tool)[:_LONGEST_NAME]
        body |= values
        if self.error is not None:
            body["error"] = self.error
        if self.steps:
            body["steps"] = [inner.as_json() for inner in list(self.steps)]
        return body

    def _values(self) -> dict[str, Any]:
        """What may be large, in JSON's own types, with the names of what was cut."""
        given: dict[str, tuple[Any, bool]] = {}
        if self._input is not None:
            given["input"] = self._input
        if self.output is not None:
            given["output"] = self._trace.cut(self.output)
        if self.sources:
            kept = [self._trace.cut(source) for source in self.sources[:MOST_SOURCES]]
            some_cut = len(self.sources) > MOST_SOURCES or any(was_cut for _, was_cut in kept)
            given["sources"] = [source for source, _ in kept], some_cut
        for name in ("usage", "attributes"):
            if getattr(self, name):
                given[name] = self._trace.cut(getattr(self, name))
        values = {name: value for name, (value, _) in given.items()}
        cut = [name for name, (_, was_cut) in given.items() if was_cut]
        return values | {"cut": cut} if cut else values


def _leave(token: Token[Step | None]) -> None:
    try:
        _current.reset(token)
    except ValueError:  # ended in another thread or task than it was entered in
        _current.set(None)


def _instant(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
