import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - of a pool that is empty

from governance.audit.tables import AuditEvent
from governance.people.keyring import Keyring
from kit.context import Context
from kit.errors import Problem, Unavailable
from rollout.versions.tables import Rollout
from routing import snapshot
from routing.cases import service
from routing.cases.prepare import Entry, prepare
from routing.cases.service import CaseDiffers, Stored
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from routing.snapshot import SnapshotHolder
from routing.writer import Writer
from tests import factories


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)


@pytest.fixture
def holder(ctx: Context) -> SnapshotHolder:
    """As it is when requests come: it has looked, and hears of every change."""
    made = SnapshotHolder(ctx, Keyring(ctx))
    made.refresh()
    ctx.listen("policies:changed", made.refresh)
    return made


@pytest.fixture
def writer(ctx: Context, holder: SnapshotHolder) -> Iterator[Writer]:
    made = Writer(ctx, holder)
    yield made
    made.stop()


def entry(ctx: Context, case_id: str = "c-1", **fields: Any) -> Entry:
    with ctx.db.read() as session:
        present = snapshot.load(session)
    made = factories.case(case_id, **fields)
    return prepare(present, "claims", made, secret=ctx.secret, now=ctx.clock.now())


def stored_in(ctx: Context) -> int:
    with ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(Decision)) or 0


def store(writer: Writer, *entries: Entry) -> list[Stored | BaseException]:
    """All at once from one loop, as requests come."""

    async def run() -> list[Any]:
        calls = [writer.store(one, "agent:claims") for one in entries]
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)

    return asyncio.run(run())


def test_an_answer_comes_after_the_commit(ctx: Context, writer: Writer) -> None:
    writer.start()

    async def run() -> int:
        await writer.store(entry(ctx), "agent:claims")
        return stored_in(ctx)

    assert asyncio.run(run()) == 1


def test_those_who_wait_together_share_a_commit(ctx: Context, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    really = service.store_at_once

    def counted(db: Any, entries: Any, *given: Any) -> Any:
        sizes.append(len(entries))
        return really(db, entries, *given)

    monkeypatch.setattr("routing.cases.service.store_at_once", counted)
    entries = [entry(ctx, f"c-{n}") for n in range(50)]
    threading.Timer(0.2, writer.start).start()

    results = store(writer, *entries)

    assert all(isinstance(found, Stored) and found.new for found in results)
    assert sizes == [50]


def test_one_that_conflicts_harms_no_other(ctx: Context, writer: Writer) -> None:
    writer.start()

    results = store(writer, entry(ctx), entry(ctx, output="no"), entry(ctx, "c-2"))

    assert [type(found) for found in results] == [Stored, CaseDiffers, Stored]


def test_one_that_no_database_takes_fails_alone(ctx: Context, writer: Writer) -> None:
    writer.start()
    poisoned = entry(ctx, "c-2")
    poisoned.row["route"] = None

    results = store(writer, entry(ctx, "c-1"), poisoned, entry(ctx, "c-3"))

    assert [type(found) for found in results] == [Stored, Unavailable, Stored]
    assert stored_in(ctx) == 2
    assert isinstance(store(writer, entry(ctx, "c-4"))[0], Stored)


def test_while_the_database_is_away_everybody_hears_of_it_after_one_try(
    ctx: Context, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def away(*_: Any) -> None:
        tries.append(1)
        raise OperationalError("INSERT", {}, Exception("could not connect"))

    entries = [entry(ctx, f"c-{n}") for n in range(20)]
    with monkeypatch.context() as patched:
        patched.setattr("routing.cases.service.store_at_once", away)
        threading.Timer(0.2, writer.start).start()

        results = store(writer, *entries)

    assert {type(found) for found in results} == {Unavailable}
    assert len(tries) == 1
    assert isinstance(store(writer, entries[0])[0], Stored)


def test_those_in_each_others_way_are_tried_one_by_one(
    ctx: Context, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    really = service.store_at_once

    def together_they_lock(db: Any, entries: Any, *given: Any) -> Any:
        if len(entries) > 1:
            raise OperationalError("INSERT", {}, Deadlock())
        return really(db, entries, *given)

    monkeypatch.setattr("routing.cases.service.store_at_once", together_they_lock)
    entries = [entry(ctx, f"c-{n}") for n in range(5)]
    threading.Timer(0.2, writer.start).start()

    assert {type(found) for found in store(writer, *entries)} == {Stored}


def test_a_full_backlog_refuses_at_once_and_loses_nothing(ctx: Context, holder: SnapshotHolder) -> None:
    settings = ctx.settings.model_copy(update={"writer_backlog": 3})
    small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)
    entries = [entry(ctx, f"c-{n}") for n in range(5)]
    threading.Timer(0.3, small.start).start()

    results = store(small, *entries)

    small.stop()
    assert [type(found) for found in results] == [Stored] * 3 + [Unavailable] * 2
    assert stored_in(ctx) == 3


class TestBytes:
    """Of the bodies that wait: a backlog of few and large cases is as full as one of many small ones."""

    @staticmethod
    def writer(ctx: Context, holder: SnapshotHolder, most: int = 1000) -> Writer:
        settings = ctx.settings.model_copy(update={"writer_backlog_bytes": most})
        return Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)

    @staticmethod
    def handed_over(ctx: Context, small: Writer, *given: tuple[int, int]) -> list[bool]:
        """Whether units of so many entries and bytes were taken, one after the other, and are stored in the end."""

        async def run() -> list[Any]:
            calls = [
                small.store_many([entry(ctx, f"c-{n}-{one}") for one in range(count)], "agent:claims", size=size)
                for n, (count, size) in enumerate(given)
            ]
            waiting = asyncio.gather(*calls, return_exceptions=True)
            await asyncio.sleep(0)
            small.start()
            return await asyncio.wait_for(waiting, 60)

        results = asyncio.run(run())
        small.stop()
        assert all(isinstance(found, Unavailable) or {type(one) for one in found} == {Stored} for found in results)
        return [not isinstance(found, Unavailable) for found in results]

    def test_are_bounded_and_what_still_fits_is_taken(self, ctx: Context, holder: SnapshotHolder) -> None:
        small = self.writer(ctx, holder)

        assert self.handed_over(ctx, small, (1, 600), (1, 401), (1, 400), (1, 1)) == [True, False, True, False]
        assert (small._waiting, small._waiting_bytes) == (0, 0)
        assert stored_in(ctx) == 2

    def test_leave_room_for_single_calls(self, ctx: Context, holder: SnapshotHolder) -> None:
        small = self.writer(ctx, holder)

        assert self.handed_over(ctx, small, (2, 600), (2, 200), (1, 400)) == [True, False, True]

    def test_one_larger_than_all_of_it_is_taken_when_nothing_waits(self, ctx: Context, holder: SnapshotHolder) -> None:
        small = self.writer(ctx, holder)

        assert self.handed_over(ctx, small, (1, 5000), (1, 1)) == [True, False]

    def test_of_a_list_count_until_the_last_of_it_is_taken_and_of_who_gave_up_no_more(
        self, ctx: Context, holder: SnapshotHolder
    ) -> None:
        settings = ctx.settings.model_copy(update={"writer_batch": 2, "answer_seconds": 0.05})
        small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)

        async def run() -> list[int]:
            left = asyncio.ensure_future(small.store_many([entry(ctx, "c-0")], "agent:claims", size=7))
            await asyncio.gather(left, return_exceptions=True)  # it is told to ask again, and nobody waits for it
            many = small.store_many([entry(ctx, f"c-{n}") for n in range(1, 4)], "agent:claims", size=100)
            waiting = asyncio.ensure_future(many)
            await asyncio.sleep(0)
            seen = [small._waiting_bytes]
            while small._waiting:
                small._drain()
                seen.append(small._waiting_bytes)
            waiting.cancel()
            return seen

        assert asyncio.run(run()) == [107, 100, 0]


def test_stopping_stores_what_was_handed_over_and_takes_no_more(ctx: Context, writer: Writer) -> None:
    entries = [entry(ctx, f"c-{n}") for n in range(10)]

    async def run() -> list[Any]:
        waiting = [asyncio.ensure_future(writer.store(one, "agent:claims")) for one in entries]
        await asyncio.sleep(0)
        writer.start()
        await asyncio.to_thread(writer.stop)
        late = writer.store(entry(ctx, "late"), "agent:claims")
        return await asyncio.gather(*waiting, late, return_exceptions=True)

    *results, late = asyncio.run(run())

    assert {type(found) for found in results} == {Stored}
    assert isinstance(late, Unavailable)
    assert stored_in(ctx) == 10


def test_a_caller_who_went_away_hinders_nobody(ctx: Context, writer: Writer) -> None:
    entries = [entry(ctx, f"c-{n}") for n in range(3)]

    async def leave() -> None:
        task = asyncio.ensure_future(writer.store(entries[0], "agent:claims"))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())  # its loop is closed before the writer starts
    writer.start()

    assert all(isinstance(found, Stored) for found in store(writer, *entries[1:]))
    assert stored_in(ctx) == 3


def test_problems_are_raised_and_not_returned(ctx: Context, writer: Writer) -> None:
    writer.start()
    store(writer, entry(ctx))

    with pytest.raises(Problem):
        asyncio.run(writer.store(entry(ctx, output="no"), "agent:claims"))


class TestPolicyThatChangesMeanwhile:
    def test_decides_what_was_not_stored_yet(self, ctx: Context, writer: Writer) -> None:
        with ctx.db.read() as session:
            row = session.scalars(select(Rollout)).one()
        entries = [entry(ctx, "c-1"), entry(ctx, "c-2", output="no")]
        factories.change_rollout(ctx, row, phase="shadow")
        writer.start()

        results = store(writer, *entries)

        routes = [
            (found.decision.route, found.decision.policy_revision) for found in results if isinstance(found, Stored)
        ]
        assert routes == [("shadow", 2)] * 2
        with ctx.db.read() as session:
            assert [kept.route for kept in session.scalars(select(Decision))] == ["shadow"] * 2
            assert session.scalars(select(ReviewItem)).all() == []

    def test_of_another_version_leaves_a_decision_as_it_was(self, ctx: Context, writer: Writer) -> None:
        prepared = entry(ctx)
        factories.rollout(ctx, version="v2")
        writer.start()

        (result,) = store(writer, prepared)

        assert isinstance(result, Stored)
        assert result.decision.id == prepared.row["id"]

    def test_gives_a_retry_its_first_answer_all_the_same(self, ctx: Context, writer: Writer) -> None:
        first = factories.decision(ctx)
        prepared = entry(ctx)
        with ctx.db.read() as session:
            row = session.scalars(select(Rollout)).one()
        factories.change_rollout(ctx, row, phase="shadow")
        writer.start()

        (result,) = store(writer, prepared)

        assert isinstance(result, Stored)
        assert (result.new, result.decision.id, result.decision.route) == (False, first.id, "review")


def test_a_commit_holds_no_more_than_a_batch(
    ctx: Context, holder: SnapshotHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    really = service.store_at_once

    def counted(db: Any, entries: Any, *given: Any) -> Any:
        sizes.append(len(entries))
        return really(db, entries, *given)

    monkeypatch.setattr("routing.cases.service.store_at_once", counted)
    settings = ctx.settings.model_copy(update={"writer_batch": 4})
    small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)
    entries = [entry(ctx, f"c-{n}") for n in range(10)]
    threading.Timer(0.3, small.start).start()

    results = store(small, *entries)

    small.stop()
    assert all(isinstance(found, Stored) for found in results)
    assert sizes == [4, 4, 2]


def test_what_was_handed_over_just_before_the_end_is_stored_with_it(ctx: Context, holder: SnapshotHolder) -> None:
    ending = Writer(ctx, holder)
    entries = [entry(ctx, f"c-{n}") for n in range(3)]

    async def run() -> list[Any]:
        waiting = [asyncio.ensure_future(ending.store(one, "agent:claims")) for one in entries]
        await asyncio.sleep(0)
        ending._stopping = True  # the end is said before the first of them is taken out
        ending.start()
        return await asyncio.gather(*waiting)

    assert [found.new for found in asyncio.run(run())] == [True] * 3
    ending._thread.join(timeout=30)
    assert not ending._thread.is_alive()


def test_a_caller_who_gave_up_waiting_is_stored_and_told_by_the_retry(ctx: Context, writer: Writer) -> None:
    one = entry(ctx)

    async def run() -> tuple[bool, Stored]:
        call = asyncio.ensure_future(writer.store(one, "agent:claims"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        writer.start()
        return call.cancelled(), await writer.store(entry(ctx), "agent:claims")

    gave_up, again = asyncio.run(run())

    assert gave_up
    assert (again.new, again.decision.id) == (False, one.row["id"])


def test_an_empty_pool_is_a_database_that_is_away(
    ctx: Context, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def empty(*_: Any) -> None:
        tries.append(1)
        raise TimeoutError("QueuePool limit reached")

    monkeypatch.setattr("routing.cases.service.store_at_once", empty)
    entries = [entry(ctx, f"c-{n}") for n in range(5)]
    threading.Timer(0.2, writer.start).start()

    assert {type(found) for found in store(writer, *entries)} == {Unavailable}
    assert len(tries) == 1


def test_a_list_is_answered_as_a_whole_and_stored_in_slices_beside_single_calls(
    ctx: Context, holder: SnapshotHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    really = service.store_at_once

    def noted(db: Any, entries: Any, *given: Any) -> Any:
        batches.append([one.row["case_id"] for one in entries])
        return really(db, entries, *given)

    monkeypatch.setattr("routing.cases.service.store_at_once", noted)
    settings = ctx.settings.model_copy(update={"writer_batch": 4})
    small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)
    many = [entry(ctx, f"c-{n}") for n in range(5)] + [entry(ctx, "c-0", output="no")]

    async def run() -> Any:
        calls = small.store_many(many, "agent:claims"), small.store(entry(ctx, "single"), "agent:claims")
        waiting = asyncio.gather(*calls)
        await asyncio.sleep(0)
        small.start()
        return await asyncio.wait_for(waiting, 60)

    results, single = asyncio.run(run())
    small.stop()

    assert batches == [["c-0", "c-1", "single", "c-2"], ["c-3", "c-4", "c-0"]]
    assert [type(found) for found in results] == [Stored] * 5 + [CaseDiffers]
    assert single.new


def test_a_list_larger_than_the_room_that_is_left_is_refused_whole(ctx: Context, holder: SnapshotHolder) -> None:
    settings = ctx.settings.model_copy(update={"writer_backlog": 3})
    small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)

    async def run() -> Any:
        first = asyncio.ensure_future(small.store(entry(ctx, "single"), "agent:claims"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await small.store_many([entry(ctx, f"c-{n}") for n in range(3)], "agent:claims")
        small.start()
        return await first

    assert asyncio.run(run()).new
    small.stop()
    assert stored_in(ctx) == 1


def test_who_waited_too_long_is_told_to_ask_again_and_is_not_stored_behind_their_back(
    ctx: Context, holder: SnapshotHolder
) -> None:
    settings = ctx.settings.model_copy(update={"answer_seconds": 0.05})
    slow = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)

    async def run() -> Unavailable:
        with pytest.raises(Unavailable) as told:
            await slow.store(entry(ctx), "agent:claims")
        slow.start()
        return told.value

    told = asyncio.run(run())
    slow.stop()

    assert (told.retry_after, stored_in(ctx)) == (2, 0)


def test_each_of_a_batch_is_on_record_with_who_sent_it(ctx: Context, writer: Writer) -> None:
    async def run() -> None:
        calls = [writer.store(entry(ctx, f"c-{n}"), f"agent:{n}") for n in range(3)]
        waiting = asyncio.gather(*calls)
        await asyncio.sleep(0)
        writer.start()
        await waiting

    asyncio.run(run())

    with ctx.db.read() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.verb == "decision.stored")).all()
        assert {(event.detail["case_id"], event.actor) for event in events} == {
            (f"c-{n}", f"agent:{n}") for n in range(3)
        }


def test_lists_leave_room_in_the_backlog_for_single_calls(ctx: Context, holder: SnapshotHolder) -> None:
    settings = ctx.settings.model_copy(update={"writer_backlog": 8})
    small = Writer(Context(settings, ctx.db, ctx.clock, ctx.secret), holder)

    async def run() -> list[Any]:
        lists = [[entry(ctx, f"{name}-{n}") for n in range(3)] for name in ("a", "b", "c")]
        calls = [small.store_many(one, "agent:claims") for one in lists]
        singles = [small.store(entry(ctx, f"single-{n}"), "agent:claims") for n in range(3)]
        waiting = asyncio.gather(*calls, *singles, return_exceptions=True)
        await asyncio.sleep(0)
        small.start()
        return await waiting

    results = asyncio.run(run())

    small.stop()
    refused = [isinstance(found, Unavailable) for found in results]
    assert refused == [False, False, True, False, False, True]  # 6 of 8 for lists, the rest for single calls


def test_a_retry_among_new_cases_gets_the_first_answer_and_the_new_ones_are_new(ctx: Context, writer: Writer) -> None:
    writer.start()
    results = [*store(writer, entry(ctx, "c-1")), *store(writer, entry(ctx, "c-1"), entry(ctx, "c-2"))]

    first, again, other = [one for one in results if isinstance(one, Stored)]
    assert (again.decision.id, again.new, other.new) == (first.decision.id, False, True)
    assert stored_in(ctx) == 2
