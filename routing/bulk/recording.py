"""Lines of a stream that say what people did: stored as the call for one or for a thousand of them does."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import structlog
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from kit.context import Context
from kit.db import is_away
from kit.errors import Problem, Unavailable
from kit.wire import invalid_from, status_of
from routing.cases import service
from routing.cases.schemas import HumanOutputIn, HumanOutputStored

log = structlog.get_logger(__name__)

Judged = HumanOutputIn | Problem
Result = HumanOutputStored | Problem


@dataclass(frozen=True, slots=True)
class Recording:
    ctx: Context
    actor: Actor
    agent: str
    nan_allowed_at: tuple[str, ...] = ()

    def under_way(self) -> AbstractContextManager[None]:
        return nullcontext()  # nobody's freeze waits for them

    async def judge(self, bodies: Sequence[Any]) -> list[Judged]:
        return [_judged(body) for body in bodies]

    async def store(self, judged: Sequence[Judged], *, size: int) -> list[Result]:  # noqa: ARG002 - no backlog here
        items = [one for one in judged if isinstance(one, HumanOutputIn)]
        stored = iter(await run_in_threadpool(self._store, items) if items else [])
        return [next(stored) if isinstance(one, HumanOutputIn) else one for one in judged]

    def told(self, judged: Judged, result: Result) -> dict[str, Any]:
        told: dict[str, Any] = {"status": status_of(result) if isinstance(result, Problem) else _status(result)}
        if isinstance(judged, HumanOutputIn):
            told["case_id"] = judged.case_id
        if isinstance(result, HumanOutputStored):
            told |= {"human_output_id": result.id, "revision": result.revision, "became": result.status}
        return told

    def _store(self, items: Sequence[HumanOutputIn]) -> list[Result]:
        # Broad on purpose: every line gets its answer, and one bad row must not take the others with it.
        try:
            with self.ctx.db.begin() as session:
                now = self.ctx.clock.now()
                return list(service.add_open_human_outputs(session, self.agent, items, actor=self.actor, now=now))
        except Exception as error:
            if len(items) > 1 and not is_away(error):
                return [result for item in items for result in self._store([item])]
            if isinstance(error, Problem):
                return [error]
            log.exception("human outputs could not be stored", first=items[0].case_id, count=len(items))
            words = "it is not known whether it was stored; send it again, the same output is stored once"
            return [Unavailable(words)] * len(items)


def _judged(body: Any) -> Judged:
    if isinstance(body, Problem):
        return body
    try:
        return HumanOutputIn.model_validate(body)
    except ValidationError as error:
        return invalid_from(cast("list[Any]", error.errors()))


def _status(stored: HumanOutputStored) -> int:
    return 200 if stored.status == "unchanged" else 201
