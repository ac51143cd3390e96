import asyncio
import copy
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from phasegate_client import AsyncPhasegate, Phasegate
from phasegate_client.shadow import AsyncShadow, Observation, Shadow, ShadowCounts

PATIENCE = 10.0


def twice(number: int) -> int:
    return 2 * number


def thrice(number: int) -> int:
    return 3 * number


def fail(*_args: Any) -> Any:
    raise ZeroDivisionError("oops")


class Watching:
    """Calls a shadow, sync or async, and waits for the candidates."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seen: list[Observation] = []

    def __call__(self, control: Any, candidate: Any, *arguments: Any, **options: Any) -> tuple[list[Any], ShadowCounts]:
        """What the caller got, of each call, and the counts."""
        options = {"on_observation": self.seen.append} | options
        if self.kind == "sync":
            shadow: Any = Shadow(control, candidate, **options)
            results = [_outcome(lambda n=n: shadow(n)) for n in arguments]
            assert shadow.join(PATIENCE)
            return results, shadow.counts
        return asyncio.run(self._async(control, candidate, arguments, options))

    async def _async(self, control: Any, candidate: Any, arguments: Any, options: Any) -> Any:
        shadow: Any = AsyncShadow(_awaited(control), _awaited(candidate), **options)
        results = [(await asyncio.gather(shadow(n), return_exceptions=True))[0] for n in arguments]
        assert await shadow.join(PATIENCE)
        return results, shadow.counts


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - looked at by the test
        return error


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any) -> Any:
        return function(*args)

    return call


@pytest.fixture(params=["sync", "async"])
def watch(request: pytest.FixtureRequest) -> Watching:
    return Watching(request.param)


def test_the_control_answers_and_both_are_compared(watch: Watching) -> None:
    results, counts = watch(twice, thrice, 0, 1, 2)

    assert results == [0, 2, 4]
    assert counts == ShadowCounts(calls=3, equal=1, different=2)
    assert sorted((seen.args, seen.control, seen.candidate, seen.equal) for seen in watch.seen) == [
        ((0,), 0, 0, True), ((1,), 2, 3, False), ((2,), 4, 6, False),
    ]  # fmt: skip


def test_what_is_equal_is_up_to_the_caller(watch: Watching) -> None:
    _, counts = watch(twice, thrice, 1, 2, compare=lambda one, other: abs(one - other) < 2)

    assert (counts.equal, counts.different) == (1, 1)


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), SystemExit(3), KeyboardInterrupt()])
def test_a_candidate_that_raises_hurts_nobody(watch: Watching, error: BaseException) -> None:
    def candidate(_number: int) -> int:
        raise error

    results, counts = watch(twice, candidate, 1, 2)

    assert results == [2, 4]
    assert counts == ShadowCounts(calls=2, raised=2)
    assert [(seen.error, seen.answered, seen.equal) for seen in watch.seen] == [(error, False, False)] * 2


def test_the_exception_of_the_control_is_raised_and_nothing_is_compared(watch: Watching) -> None:
    results, counts = watch(fail, twice, 1)

    assert isinstance(results[0], ZeroDivisionError)
    assert counts == ShadowCounts(calls=1, control_raised=1)


@pytest.mark.parametrize(("sample", "watched"), [(0.0, 0), (1.0, 50)])
def test_only_a_share_of_the_calls_is_watched(watch: Watching, sample: float, watched: int) -> None:
    _, counts = watch(twice, twice, *range(50), sample=sample)

    assert (counts.equal, counts.not_sampled) == (watched, 50 - watched)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"compare": fail}, id="a comparison that fails"),
        pytest.param({"on_observation": fail}, id="a listener that fails"),
        pytest.param({"copied": fail}, id="a copy that fails"),
    ],
)
def test_no_defect_around_it_reaches_the_caller(watch: Watching, options: dict[str, Any]) -> None:
    results, counts = watch(twice, twice, 1, **options)

    assert results == [2]
    assert counts.raised + counts.untold + counts.dropped == 1


def test_neither_side_sees_what_the_other_does_to_its_arguments(watch: Watching) -> None:
    def control(given: list[int]) -> list[int]:
        given.append(1)
        return given

    def candidate(given: list[int]) -> list[int]:
        given.append(2)
        return given

    given: list[int] = []
    results, _ = watch(control, candidate, given)

    assert results == [[1]]
    assert [(seen.control, seen.candidate) for seen in watch.seen] == [([1], [2])]


def test_a_slow_candidate_delays_no_call_and_what_has_no_room_is_dropped() -> None:
    released = threading.Event()

    def hang(_number: int) -> int:
        released.wait(PATIENCE)
        return 0

    shadow = Shadow(twice, hang, workers=2, waiting=3)
    results = [shadow(n) for n in range(20)]  # ends at all, while the candidate hangs
    counts = shadow.counts
    assert not released.is_set()
    released.set()

    assert results == [2 * n for n in range(20)]
    assert counts.calls == 20
    assert 15 <= counts.dropped <= 17, "two run, three wait"
    assert shadow.join(PATIENCE)


def test_one_that_hangs_is_seen_to_have_failed_while_it_hangs_and_keeps_its_worker() -> None:
    seen: queue.SimpleQueue[Observation] = queue.SimpleQueue()
    released = threading.Event()
    shadow = Shadow(twice, lambda _: released.wait(), timeout=0.01, workers=1, on_observation=seen.put)
    _until_one_is_run(shadow)
    observed = seen.get(timeout=PATIENCE)

    assert (observed.answered, observed.equal, type(observed.error)) == (False, False, TimeoutError)
    assert not shadow.join(0.0)
    released.set()
    assert shadow.join(PATIENCE)


def _until_one_is_run(shadow: Any) -> None:
    """On a busy machine one may wait for its worker for longer than its time, and is dropped."""
    while not shadow.counts.timed_out:
        shadow(1)
        time.sleep(0.02)


def test_a_task_that_takes_too_long_is_cancelled_and_too_many_are_dropped() -> None:
    ended: list[str] = []

    async def control(number: int) -> int:
        return number

    async def hang(_number: int) -> None:
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def run() -> tuple[list[int], ShadowCounts]:
        shadow = AsyncShadow(control, hang, timeout=0.05, workers=2, waiting=1)
        results = [await shadow(n) for n in range(5)]
        assert await shadow.join(PATIENCE)
        return results, shadow.counts

    results, counts = asyncio.run(run())

    assert results == [0, 1, 2, 3, 4]
    assert (counts.timed_out + counts.dropped, counts.calls) == (5, 5)
    assert ended.count("cancelled") == counts.timed_out >= 2


def test_tasks_for_which_there_is_no_room_are_dropped_at_once() -> None:
    seen: list[int] = []

    async def control(number: int) -> int:
        return number

    async def run() -> ShadowCounts:
        free = asyncio.Event()

        async def candidate(number: int) -> None:
            await free.wait()
            seen.append(number)

        shadow = AsyncShadow(control, candidate, timeout=PATIENCE, workers=2, waiting=1)
        for number in range(5):
            assert await shadow(number) == number
        free.set()
        assert await shadow.join(PATIENCE)
        return shadow.counts

    counts = asyncio.run(run())

    assert (counts.calls, counts.dropped, counts.timed_out) == (5, 2, 0)
    assert sorted(seen) == [0, 1, 2]


class Told:
    """A Phasegate that keeps what it is told, decisions and human outputs."""

    def __init__(self, stored: Callable[..., dict[str, Any]]) -> None:
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self._stored = stored

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append((request.url.path.rsplit("/", 1)[-1], json.loads(request.content)))
        if request.url.path.endswith("decisions"):
            return httpx2.Response(201, json=self._stored(route="shadow", case_id="1"))
        row = {"id": "h-1", "case_id": "1", "revision": 1, "status": "created"}
        return httpx2.Response(201, json={"items": [row]})

    def watch(self, kind: str, control: Any, candidate: Any, **options: Any) -> ShadowCounts:
        """One call, of case 1, seen to its end."""
        settings: dict[str, Any] = {"agent": "reader", "version": "v1", "transport": httpx2.MockTransport(self.answer)}

        def describe(seen: Observation) -> dict[str, Any]:
            return {"case_id": str(seen.args[0]), "confidence": 0.7}

        async def run() -> ShadowCounts:
            async with AsyncPhasegate("http://phasegate.test", "k", **settings) as gate:
                watched = AsyncShadow(control, candidate, gate=gate, describe=describe, **options)
                while watched.counts.dropped == watched.counts.calls:  # it waited for too long on a busy machine
                    await watched(1)
                    assert await watched.join(PATIENCE)
                return watched.counts

        if kind == "async":
            return asyncio.run(run())
        with Phasegate("http://phasegate.test", "k", **settings) as gate:
            shadow = Shadow(control, candidate, gate=gate, describe=describe, **options)
            while shadow.counts.dropped == shadow.counts.calls:  # as above
                shadow(1)
                assert shadow.join(PATIENCE)
            return shadow.counts


def _for(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return function if kind == "sync" else _awaited(function)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("options", [{}, {"compare": fail}], ids=["compared", "not comparable here"])
def test_what_was_seen_is_told_to_phasegate(
    stored: Callable[..., dict[str, Any]], kind: str, options: dict[str, Any]
) -> None:
    told = Told(stored)
    counts = told.watch(kind, _for(kind, twice), _for(kind, thrice), **options)

    decision = {
        "case_id": "1",
        "version": "v1",
        "output": 3,
        "attempt": 1,
        "confidence": 0.7,
        "handed_over": True,
    }
    assert told.bodies == [("decisions", decision), ("human-outputs", {"case_id": "1", "output": 2})]
    assert (counts.different + counts.raised, counts.untold) == (1, 0)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("failure", ["raised", "timed_out"])
def test_a_candidate_that_failed_is_evidence_of_a_case_it_did_not_do(
    stored: Callable[..., dict[str, Any]], kind: str, failure: str
) -> None:
    async def hang(_number: int) -> None:
        await asyncio.sleep(PATIENCE)

    slow: Any = hang if kind == "async" else lambda _number: time.sleep(0.1)
    candidate, timeout = (_for(kind, fail), PATIENCE) if failure == "raised" else (slow, 0.01)
    told = Told(stored)
    counts = told.watch(kind, _for(kind, lambda _number: None), candidate, timeout=timeout)

    (_, decision), done = told.bodies
    error = {
        "raised": {"kind": "ZeroDivisionError", "words": "oops"},
        "timed_out": {"kind": "TimeoutError", "words": "the candidate took longer than 0.01 s"},
    }[failure]
    assert (decision["output"], "confidence" in decision) == ({"error": error}, False)
    assert done == ("human-outputs", {"case_id": "1", "output": None}), "which an output of None would agree with"
    assert (getattr(counts, failure), counts.untold) == (1, 0)


def test_a_server_that_is_away_is_counted_and_nothing_more() -> None:
    def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    transport = httpx2.MockTransport(refuse)
    with Phasegate("http://phasegate.test", "k", agent="a", version="v", timeout=0.2, transport=transport) as gate:
        shadow = Shadow(twice, twice, gate=gate, describe=lambda seen: {"case_id": str(seen.args[0])})

        assert shadow(1) == 2
        assert shadow.join(PATIENCE)

    assert shadow.counts == ShadowCounts(calls=1, equal=1, untold=1)


@pytest.mark.parametrize("options", [{"sample": 1.1}, {"timeout": 0.0}, {"describe": vars}])
def test_a_wrong_setting_is_told_when_it_is_made(options: dict[str, Any]) -> None:
    for kind in (Shadow, AsyncShadow):
        with pytest.raises(ValueError, match=r".+"):
            kind(twice, twice, **copy.copy(options))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own() -> None:
    shadow = Shadow(twice, thrice)
    shadow(1)
    assert shadow.join(PATIENCE)
    child = os.fork()
    if child == 0:
        shadow(1)
        os._exit(0 if shadow.join(PATIENCE) and shadow.counts.different == 2 else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
