"""
Cases or human outputs line by line, answers line by line, for as long as the client likes.

Three things go on at once: lines are read and judged, those before them are being stored, and the answers of those
before these are on their way out. Each waits for the next, so a slow database slows the sender and fills no memory.
What was answered is stored; whatever breaks, the same lines may be sent again and are found stored.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from kit import json_body
from kit.errors import Invalid, Place, Problem, TooLarge, Unavailable
from kit.ndjson import Line
from kit.wire import problem_of
from routing.bulk.outbox import Outbox
from routing.cases.answers import to_json

_STORE_PATIENCE = 30.0  # seconds in which a stream tries again while nothing can be stored
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_NOT_YET = Unavailable("it was not stored yet")
_NEW, _THERE = 201, 200


@dataclass(slots=True)
class Tally:
    """What became of the lines that were answered."""

    lines: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0

    def add(self, status: int) -> None:
        self.lines += 1
        self.stored += status == _NEW
        self.repeated += status == _THERE
        self.refused += status not in {_NEW, _THERE}


class Slots:
    """How many streams a process has open at once. Each of them may fill the writer's backlog by a chunk or two."""

    def __init__(self, most: int) -> None:
        self._free = most

    @contextmanager
    def one(self) -> Iterator[None]:
        if self._free <= 0:
            raise Unavailable("this process has as many streams as it takes; try again", retry_after=5)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


class Work(Protocol):
    """What is done with the lines: how a body becomes something to store, how it is stored, what is said of it."""

    @property
    def agent(self) -> str: ...

    @property
    def nan_allowed_at(self) -> tuple[str, ...]: ...

    def under_way(self) -> AbstractContextManager[Any]:
        """Held from before a chunk is stored until its answers are with the client."""

    async def judge(self, bodies: Sequence[Any]) -> list[Any]:
        """What is to be stored, or a Problem; a body that is a Problem already stays one."""

    async def store(self, judged: Sequence[Any], *, size: int) -> list[Any]:
        """A result for each, or a Problem; Unavailable is tried again. `size`: of their lines, in bytes."""

    def told(self, judged: Any, result: Any) -> dict[str, Any]:
        """`status`, which is as of the single call, and what else a line says beside a problem."""


@dataclass(slots=True)
class Stream:
    """One stream from its first line to its summary."""

    work: Work
    outbox: Outbox
    tally: Tally = field(default_factory=Tally)

    async def run(self, chunks: AsyncIterator[Sequence[Line]]) -> None:
        """Answer every line, then sum up."""
        problem = await self._answer_all(chunks)
        await self.outbox.put(self._summary(problem))
        self.outbox.end()

    async def _answer_all(self, chunks: AsyncIterator[Sequence[Line]]) -> Problem | None:
        """What ended it early, if anything did: the body as a whole, or the database."""
        storing = asyncio.create_task(asyncio.sleep(0))
        try:
            async for chunk in chunks:
                judged = await self.work.judge([self._body(line) for line in chunk])
                await storing  # the chunk before
                storing = asyncio.create_task(self._answer(chunk, judged))
            await storing
        except Problem as problem:
            try:
                await storing  # what came before the broken part is answered all the same; what ended that, did first
            except Problem as earlier:
                return earlier
            return problem
        finally:
            storing.cancel()
        return None

    async def _answer(self, chunk: Sequence[Line], judged: Sequence[Any]) -> None:
        with ExitStack() as under_way:
            under_way.enter_context(self.work.under_way())
            results = await self._stored(judged, [len(line.raw or b"") for line in chunk])
            answers = [self._line(*one) for one in zip(chunk, judged, results, strict=True)]
            await self.outbox.put(b"".join(answers), under_way.pop_all().close)

    async def _stored(self, judged: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
        """Tries again what could not be stored, for a while; raises when nothing can be."""
        results: list[Any] = [one if isinstance(one, Problem) else _NOT_YET for one in judged]
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            left = [n for n, result in enumerate(results) if isinstance(result, Unavailable)]
            size = sum(sizes[n] for n in left)
            for n, result in zip(left, await self.work.store([judged[n] for n in left], size=size), strict=True):
                results[n] = result
            away = [result for result in results if isinstance(result, Unavailable)]
            if not away:
                return results
            if waited >= _STORE_PATIENCE:
                if len(away) == len(left) == len(judged):
                    raise away[0]
                return results
            await asyncio.sleep(pause)
            pause, waited = min(pause * 2, _LONGEST_PAUSE), waited + pause

    def _line(self, line: Line, judged: Any, result: Any) -> bytes:
        told = {"line": line.number} | self.work.told(judged, result)
        if isinstance(result, Problem):
            told["problem"] = problem_of(result)
        self.tally.add(told["status"])
        return to_json(told) + b"\n"

    def _summary(self, problem: Problem | None) -> bytes:
        told: dict[str, Any] = {"done": problem is None} | asdict(self.tally)
        if problem is not None:
            told["problem"] = problem_of(problem)
        return to_json(told) + b"\n"

    def _body(self, line: Line) -> Any:
        """The line as JSON, or what is wrong with it; every line is a document of its own."""
        if line.raw is None:
            words, mend = "it is longer than a body may be", "leave out what is not needed, or link to it"
            return TooLarge(f"line: {words}", places=[Place("line", words, mend)])
        try:
            return json_body.parse(line.raw, nan_allowed_at=self.work.nan_allowed_at)
        except Invalid as refused:
            places = [Place(p.place.removeprefix("line 1, "), p.problem, p.mend) for p in refused.places]
            return Invalid(refused.detail.removeprefix("line 1, "), places=places)
