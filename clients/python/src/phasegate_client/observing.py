"""What both kinds of shadow have in common: what is seen of a call, how it is counted, and what is told of it."""

from __future__ import annotations

import logging
import random  # noqa: TID251 - draws which calls are watched, decides no case
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phasegate_client.requests import HumanOutput

log = logging.getLogger("phasegate_client")

_LONGEST_WORDS = 1000  # characters told of an error


@dataclass(frozen=True, slots=True)
class Observation:
    """
    One call seen twice. A candidate without an answer, for it raised or took too long (a `TimeoutError`), has its
    `error` and is not `equal`. With an answer and an `error` comparing has raised, and `equal` is None.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    control: Any
    candidate: Any
    error: BaseException | None
    equal: bool | None
    control_seconds: float
    candidate_seconds: float
    answered: bool = True


Describe = Callable[[Observation], Mapping[str, Any]]
"""
The arguments of `decide`, `case_id` at least. Unless said, `output` is the candidate's and `done` the control's. It is
also asked about a candidate that has not `answered`, which is None then; the error is told as its output.
"""


@dataclass(slots=True)
class ShadowCounts:
    """Calls of the control, and what became of the candidate in each. What is not in any of them is under way."""

    calls: int = 0
    not_sampled: int = 0
    control_raised: int = 0
    dropped: int = 0  # not run and missing from the evidence: no room, could not be copied, or waited too long
    equal: int = 0
    different: int = 0
    raised: int = 0
    timed_out: int = 0
    untold: int = 0  # among the four before, and missing from the evidence: it could not be handed on


@dataclass(frozen=True, slots=True)
class Watched:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    control: Any = None
    control_seconds: float = 0.0
    since: float = 0.0


@dataclass(slots=True)
class Rules:
    """What both kinds have in common; nothing in it raises."""

    compare: Callable[[Any, Any], bool]
    sample: float
    timeout: float
    copied: Callable[[Any], Any]
    counts: ShadowCounts = field(default_factory=ShadowCounts)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        with self.lock:
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watched | None:
        """Copies, since the control or its caller may change what they were given; None where nobody watches."""
        self.count("calls")
        if random.random() >= self.sample:  # noqa: S311 - as above
            self.count("not_sampled")
            return None
        try:
            return Watched(self.copied(args), self.copied(kwargs))
        except Exception as error:  # noqa: BLE001 - the candidate never hurts
            self.drop("what it was called with cannot be copied", error)
            return None

    def seen(self, watched: Watched, result: Any, seconds: float) -> Watched | None:
        try:
            return Watched(watched.args, watched.kwargs, self.copied(result), seconds, time.monotonic())
        except Exception as error:  # noqa: BLE001 - as above
            self.drop("the result cannot be copied", error)
            return None

    def drop(self, words: str, error: BaseException | None = None) -> None:
        self.count("dropped")
        level = logging.WARNING if self.counts.dropped == 1 else logging.DEBUG
        log.log(level, "a candidate was left out: %s%s", words, f": {error!r}" if error else "")

    def judge(
        self, watched: Watched, candidate: Any, error: BaseException | None, seconds: float, *, late: bool
    ) -> Observation:
        """What was seen, counted."""
        late = late or seconds > self.timeout
        answered = error is None and not late
        equal: bool | None
        if late:
            name, equal, candidate = "timed_out", False, None
            error = TimeoutError(f"the candidate took longer than {self.timeout:g} s")
        elif error is not None:
            name, equal = "raised", False
        else:
            name, equal, error = self._compared(watched.control, candidate)
        self.count(name)
        return Observation(
            watched.args,
            watched.kwargs,
            watched.control,
            candidate,
            error,
            equal,
            watched.control_seconds,
            seconds,
            answered,
        )

    def _compared(self, control: Any, candidate: Any) -> tuple[str, bool | None, Exception | None]:
        try:
            equal = bool(self.compare(control, candidate))
        except Exception as error:  # noqa: BLE001 - as above
            return "raised", None, error
        return "equal" if equal else "different", equal, None

    def untold(self, error: Exception) -> None:
        self.count("untold")
        log.warning("what a candidate did could not be handed on", exc_info=error)


def rules_for(
    compare: Callable[[Any, Any], bool], sample: float, timeout: float, copied: Callable[[Any], Any] | None
) -> Rules:
    if not 0.0 <= sample <= 1.0:
        raise ValueError(f"sample is {sample!r}, expected a share from 0 to 1")
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout!r}, expected some seconds")
    return Rules(compare, sample, timeout, copied or (lambda value: value))


def as_told(seen: Observation, describe: Describe) -> tuple[HumanOutput, dict[str, Any]]:
    fields = {"output": seen.candidate, "done": seen.control, "person": None} | dict(describe(seen))
    if not seen.answered:
        fields |= {"output": _failure(seen.error), "confidence": None}
    return HumanOutput(fields.pop("case_id"), fields.pop("done"), fields.pop("person")), fields


def _failure(error: BaseException | None) -> dict[str, Any]:
    """What is told in place of an output. Not None, which a control may well have answered."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - as above
        words = ""
    return {"error": {"kind": type(error).__name__, "words": words[:_LONGEST_WORDS]}}
