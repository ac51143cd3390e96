"""What open pages hear of the queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from governance.actors import Actor
from kit.context import Context
from review_ui import live
from routing.domain.reach import Reach
from routing.reviews.tables import ReviewItem
from tests.integration.review_ui import house
from tests.integration.routing import desk


@pytest.fixture(autouse=True)
def waiting_cases(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    house.case(ctx, "form-1")


async def told(stream: AsyncIterator[bytes]) -> dict[str, Any]:
    """The next thing a page hears of the queue."""
    async for part in stream:
        if part.startswith(b"event: queue\ndata: "):
            found: dict[str, Any] = json.loads(part.removeprefix(b"event: queue\ndata: "))
            return found
    raise AssertionError("the stream ended")


def counting(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> tuple[live.Live, list[int]]:
    """The live part of a process, and how often it looked at the queue."""
    looks: list[int] = []
    look = live.queue_now

    def counted(*of: Any) -> dict[str, Any]:
        looks.append(1)
        return look(*of)

    monkeypatch.setattr(live, "queue_now", counted)
    monkeypatch.setattr(live, "_BETWEEN", 0.05)
    made = live.Live(ctx)
    ctx.listen("reviews:changed", made.ring)
    return made, looks


def test_two_hundred_pages_hear_of_a_new_case_by_one_look_at_the_queue(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, looks = counting(ctx, monkeypatch)

    async def open_two_hundred() -> None:
        streams = [pages.stream(Reach((1,))) for _ in range(200)]
        first = await asyncio.gather(*(told(stream) for stream in streams))
        assert {found["left"] for found in first} == {1}
        await asyncio.sleep(0.2)
        looks.clear()

        await asyncio.to_thread(house.case, ctx, "form-2")

        second = await asyncio.gather(*(told(stream) for stream in streams))
        assert {found["left"] for found in second} == {2}
        assert second[0]["waiting"] == {"digits": 2}
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(open_two_hundred())

    assert len(looks) <= 2, "one for the change, and one that a change during the first look may ask for"


def test_a_hundred_changes_at_once_are_few_looks_and_the_last_of_them_is_seen(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, looks = counting(ctx, monkeypatch)

    async def listen() -> None:
        stream = pages.stream(Reach((1,)))
        await told(stream)
        looks.clear()

        def many() -> None:
            for number in range(2, 32):
                house.case(ctx, f"form-{number}")

        adding = asyncio.create_task(asyncio.to_thread(many))
        while (await told(stream))["left"] < 31:
            pass
        await adding
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(listen())

    assert len(looks) < 30


def test_nobody_looks_while_no_page_is_open(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, looks = counting(ctx, monkeypatch)

    async def come_and_go() -> None:
        stream = pages.stream(Reach((1,)))
        await told(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        looks.clear()
        await asyncio.to_thread(house.case, ctx, "form-2")
        await asyncio.sleep(0.2)
        assert looks == []

        again = pages.stream(Reach((1,)))
        assert (await told(again))["left"] == 2, "what changed meanwhile is seen by the next page"
        await again.aclose()  # type: ignore[attr-defined]

    asyncio.run(come_and_go())


async def afterwards(stream: AsyncIterator[bytes], change: Callable[[], object], *, left: int) -> None:
    """A page that is open hears in the end of what was changed."""
    await told(stream)
    await asyncio.to_thread(change)
    while (await told(stream))["left"] != left:
        pass
    await stream.aclose()  # type: ignore[attr-defined]


def test_what_another_process_changes_is_seen_though_nobody_tells_of_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_ALONE", 0.05)
    monkeypatch.setattr(live, "_BETWEEN", 0.01)
    pages = live.Live(ctx)  # rung by nobody, as without Redis

    asyncio.run(afterwards(pages.stream(Reach((1,))), lambda: house.case(ctx, "form-2"), left=2))


def test_who_is_told_what_others_change_looks_seldom_by_itself(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, looks = counting(ctx, monkeypatch)
    monkeypatch.setattr(live, "_ALONE", 0.02)
    waited: list[int] = []  # how often it had looked when the next wait was over

    def hears() -> bool:
        waited.append(len(looks))
        return True

    pages.hears = hears
    ctx.listeners.clear()  # a message that was lost

    asyncio.run(afterwards(pages.stream(Reach((1,))), lambda: house.case(ctx, "form-2"), left=2))

    assert waited.count(1) == live._HEARING, "waits between the first look and the second"


def test_where_more_is_held_than_one_event_names_the_page_hears_that_some_is_left_out(ctx: Context) -> None:
    rita = Actor("rita", "person", frozenset({"reviewer"}))
    house.case(ctx, "form-2")
    for item in desk.rows(ctx, ReviewItem):
        desk.claim(ctx, rita, item.id)

    with ctx.db.read() as session:
        told = [live.queue_now(session, Reach((1,)), ctx.clock.now(), most_held=most) for most in (1, 2)]

    assert [(len(found["held"]), found["held_all"]) for found in told] == [(1, False), (2, True)]


def test_who_is_not_signed_in_hears_nothing(ctx: Context) -> None:
    with house.client(ctx) as client:
        stranger = TestClient(client.app, follow_redirects=False)
        assert stranger.get("/review/events", headers={"accept": "text/event-stream"}).status_code == 401
