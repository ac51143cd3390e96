"""
The clock jumps by hours, in both directions, under load.

The machine's clock cannot be set here, so the service runs by a clock in a file (`PHASEGATE_CLOCK_FILE`) that this test
keeps going and makes jump: everything that is stored, due, leased or counted by time goes by it. On SQLite alone, since
no time is taken from either database. What Celery and the ids of rows take from the machine is not shown.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from governance.people import service as people
from kit.clock import SharedClock, SystemClock
from review_ui.pages import COOKIE
from rollout.gates.tables import Total
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.system.scene import Scene, scene, settings_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

HOURS = 5
DECISIONS = "/v1/agents/claims/decisions"


class Jumping:
    """Goes as the machine's clock does, but for its jumps. Begins before midnight, so that they cross a day."""

    def __init__(self, path: Path) -> None:
        self._clock = SharedClock(path)
        self._ahead = datetime(2026, 3, 4, 22, tzinfo=UTC) - SystemClock().now()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        return self._clock.now()

    def jump(self, hours: float) -> None:
        self._ahead += timedelta(hours=hours)
        time.sleep(0.1)  # several ticks

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._clock.close()

    def _tick(self) -> None:
        while not self._over.wait(0.01):
            self._clock.set(SystemClock().now() + self._ahead)


@contextmanager
def under_a_jumping_clock(folder: Path) -> Iterator[tuple[Scene, Jumping]]:
    clock = Jumping(folder / "clock")
    try:
        time.sleep(0.1)
        with scene(settings_for(folder, f"sqlite:///{folder / 'phasegate.db'}", clock_file=folder / "clock")) as it:
            try:
                yield it, clock
            finally:
                cast("SharedClock", it.ctx.clock).close()
    finally:
        clock.stop()


def test_hours_forward_and_back_lose_nothing_and_what_goes_by_time_comes_right_again(tmp_path: Path) -> None:
    with under_a_jumping_clock(tmp_path) as (it, clock):
        it.load.leases_may_end = True
        answers = []
        with it.load.running():
            it.everybody_works("the load is up")
            first = decided(it, "told before")
            for hours in (HOURS, -2 * HOURS, HOURS):  # into the next day, into the day before, back
                clock.jump(hours)
                answers.append(it.answers_again())
                assert decided(it, "told before") == first, "a repeat is the same case at whatever time it comes"
                it.everybody_works(f"everybody is at work after {hours} h")
        print(f"jumps: answers {max(answers):.1f} s after them at most; {it.told()}")
        assert it.load.heard["503"] == 0
        it.nothing_lost_nothing_twice()
        assert days(it) == {"2026-03-04", "2026-03-05"}, "cases count for the day that the clock showed"
        assert listed(it) == {case for agent, case in it.load.decided if agent == "claims"}, "pages skip nobody"
        leases_and_sign_ins(it, clock)
        it.nothing_lost_nothing_twice()


def decided(it: Scene, case_id: str) -> set[str]:
    assert it.asked(case_id=case_id)[0] in {200, 201}
    return it.load.decided["claims", case_id]


def days(it: Scene) -> set[str]:
    """Of the evidence."""
    with it.ctx.db.read() as session:
        return {str(day) for day in session.scalars(select(Total.day).distinct())}


def listed(it: Scene) -> set[str]:
    found: list[str] = []
    cursor = None
    with httpx2.Client(base_url=it.stack.url, headers=it.load.agents["claims"]) as client:
        while True:
            page = client.get(DECISIONS, params={"limit": 50} | ({"cursor": cursor} if cursor else {})).json()
            found += [item["case_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                assert len(found) == len(set(found))
                return set(found)


def leases_and_sign_ins(it: Scene, clock: Jumping) -> None:
    """Forward, a lease and a sign-in end early; back, they last longer, and whoever has them works on."""
    one, other = (httpx2.Client(base_url=it.stack.url, headers=headers) for headers in it.load.reviewers)
    cookie = signed_in(it)
    with one, other:
        held = claim(one, new_review(it, "leased forward"))
        clock.jump(HOURS)
        taken = claim(other, UUID(held["id"]))  # the lease of ten minutes is over
        late = one.post(f"/v1/reviews/{held['id']}/ruling", json=approve(held))
        assert late.json()["type"] == "/problems/already-held", "who was too late is told so"
        it.load.rule(other, taken, {"ruling": "approve"})
        assert page(it, cookie) == 200, "a sign-in lasts twelve hours"

        held = claim(one, new_review(it, "leased back"))
        clock.jump(-HOURS)
        refused = other.post(f"/v1/reviews/{held['id']}/claim")
        assert refused.json()["type"] == "/problems/already-held"
        it.load.rule(one, held, {"ruling": "approve"})
        assert held["id"] in {ruling["item_id"] for ruling in it.load.ruled.values()}, "the holder can go on"
        clock.jump(13)
        assert page(it, cookie) == 303, "and has to sign in again after thirteen"


def new_review(it: Scene, case_id: str) -> UUID:
    decided(it, case_id)
    with it.ctx.db.read() as session:
        return session.scalars(select(ReviewItem.id).where(ReviewItem.case_id == case_id)).one()


def claim(client: httpx2.Client, item_id: UUID) -> dict[str, str]:
    answer = client.post(f"/v1/reviews/{item_id}/claim")
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def approve(held: dict[str, str]) -> dict[str, str]:
    return {"ruling": "approve", "fingerprint": held["fingerprint"]}


def signed_in(it: Scene) -> str:
    factories.person(it.ctx, "somebody", password=factories.PASSWORD)
    with it.ctx.db.read() as session:
        caller = people.look_up(session, "somebody", now=it.ctx.clock.now(), address="")
    with it.ctx.db.begin() as session:
        return str(people.sign_in(session, caller, now=it.ctx.clock.now(), hours=12)[0])


def page(it: Scene, cookie: str) -> int:
    return httpx2.get(f"{it.stack.url}/agents", cookies={COOKIE: cookie}).status_code
