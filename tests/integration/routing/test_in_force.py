"""A change of policy is in force where decisions are stored, whatever message was lost; and who waits is told when."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from governance.actors import SYSTEM
from governance.people.keyring import Keyring
from kit.context import Context
from kit.errors import Problem
from kit.ids import new_id
from rollout.agents.queries import get_agent
from rollout.domain.phase import FreezeMode, Phase
from rollout.gates import service as gates
from rollout.plans import service as plans
from rollout.processes.following import WAITERS, wait_until_in_force
from rollout.processes.tables import WebProcess
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions.steps import promote_if_due
from rollout.versions.tables import Rollout
from routing.cases import service
from routing.cases.prepare import Entry, prepare
from routing.cases.service import Stored
from routing.cases.tables import Decision
from routing.registrar import BEAT, GONE, Registrar
from routing.snapshot import SnapshotHolder
from routing.writer import Writer
from tests import factories
from tests.integration.rollout.house import plan_data
from web_app import create_app

ROLLOUT = "/v1/agents/claims/versions/v1/rollout"
WHY = {"reason": "the upstream data is wrong"}


@pytest.fixture(autouse=True)
def row(ctx: Context) -> Rollout:
    """Version v1 of `claims`, in full, alone in every case."""
    factories.agent(ctx)
    with ctx.db.begin() as session:
        plan = plans.apply(
            session, get_agent(session, "claims"), plan_data("claims"), actor=SYSTEM, now=ctx.clock.now()
        ).revision
    return factories.change_rollout(ctx, factories.rollout(ctx, phase=Phase.FULL), plan_id=plan.id)


class Process:
    """What a web process has of this; told by nobody, and its registrar looks when it is told to, or all the time."""

    def __init__(self, ctx: Context, monotonic: Callable[[], float] | None = None) -> None:
        self.ctx = ctx
        self.holder = SnapshotHolder(ctx, Keyring(ctx))
        self.holder.refresh()
        self.writer = Writer(ctx, self.holder)
        self.registrar = Registrar(ctx, self.holder, **({"monotonic": monotonic} if monotonic else {}))

    @contextmanager
    def running(self) -> Iterator["Process"]:
        self.registrar.start()
        self.writer.start()
        try:
            yield self
        finally:
            self.writer.stop()
            self.registrar.stop()

    def entry(self, case_id: str) -> Entry:
        case = factories.case(case_id)
        return prepare(self.holder.current, "claims", case, secret=self.ctx.secret, now=self.ctx.clock.now())


def rows(ctx: Context) -> list[WebProcess]:
    with ctx.db.read() as session:
        return list(session.scalars(select(WebProcess).order_by(WebProcess.started_at, WebProcess.id)))


def freeze(ctx: Context, row: Rollout) -> None:
    """Past everybody's ears: what it would announce reaches nobody."""
    with ctx.db.begin() as session:
        kept = session.get_one(Rollout, row.id)
        versions.freeze(session, kept, FreezeMode.ROUTING, actor=SYSTEM, now=ctx.clock.now(), reason="a test")


def follow(ctx: Context, process_id: UUID) -> None:
    """As if this process said that it has everything in force."""
    with ctx.db.begin() as session:
        session.execute(update(WebProcess).where(WebProcess.id == process_id).values(in_force=10**6))


def test_what_was_decided_before_a_freeze_is_decided_again_where_it_is_stored(ctx: Context, row: Rollout) -> None:
    process = Process(ctx)
    waiting = [process.entry("c-1"), process.entry("c-2")]
    freeze(ctx, row)
    process.writer.start()

    async def store() -> list[Stored]:
        return await asyncio.gather(*(process.writer.store(one, "agent:claims") for one in waiting))

    stored = asyncio.run(store())
    process.writer.stop()

    assert [one.row["route"] for one in waiting] == ["auto"] * 2
    assert [(one.decision.route, one.decision.policy_revision) for one in stored] == [("human", 3)] * 2
    assert process.holder.current.sequence == 3


def test_who_began_to_look_earlier_does_not_bring_back_what_is_older(ctx: Context, row: Rollout) -> None:
    holder = Process(ctx).holder
    older, turn = holder.current, next(holder._turns)
    freeze(ctx, row)
    holder.refresh()

    holder._replace(older, turn)

    assert holder.current.sequence == 3


class TestAnswers:
    def test_of_before_are_waited_for_and_later_ones_are_not(self, ctx: Context) -> None:
        answers = Process(ctx).holder.answers
        first, second, none = answers.call(), answers.call(), answers.call()
        with none:
            assert answers.settled(7) == 7  # nothing was handed to the writer yet
        with first:
            answers.begin(3)
            answers.begin(4)
            with second:
                answers.begin(4)
                assert answers.settled(7) == 3
            assert answers.settled(7) == 3
        assert answers.settled(7) == 7

    def test_outside_of_a_call_nobody_waits(self, ctx: Context) -> None:
        answers = Process(ctx).holder.answers

        answers.begin(3)

        assert answers.settled(7) == 7


class TestRegistrar:
    def test_says_that_a_policy_is_in_force_when_all_of_before_is_answered(self, ctx: Context, row: Rollout) -> None:
        process = Process(ctx)
        process.registrar.look()
        with process.holder.answers.call():
            process.holder.answers.begin(process.holder.current.sequence)
            freeze(ctx, row)
            process.holder.refresh()
            process.registrar.look()
            before = [one.in_force for one in rows(ctx)]
        process.registrar.look()

        assert (before, [one.in_force for one in rows(ctx)]) == ([2], [3])

    def test_writes_when_there_is_news_and_every_few_seconds(self, ctx: Context) -> None:
        seconds = [100.0]
        process = Process(ctx, monotonic=lambda: seconds[0])
        found = []
        for passed in (0.0, BEAT / 2, BEAT / 2):
            seconds[0] += passed
            process.registrar.look()
            found.append(rows(ctx)[0].beats)

        assert found == [1, 1, 2]

    def test_removes_who_gives_no_sign_of_life_and_nobody_else(self, ctx: Context) -> None:
        seconds = [100.0]
        living, dead, watching = (Process(ctx, monotonic=lambda: seconds[0]) for _ in range(3))
        for process in (living, dead, watching):
            process.registrar.look()
        for _ in range(int(GONE // BEAT) + 2):
            seconds[0] += BEAT + 0.1
            living.registrar.look()
            watching.registrar.look()

        assert {one.id for one in rows(ctx)} == {process.registrar._process.id for process in (living, watching)}

    def test_whoever_was_removed_by_mistake_comes_back(self, ctx: Context) -> None:
        seconds = [100.0]
        process = Process(ctx, monotonic=lambda: seconds[0])
        process.registrar.look()
        with ctx.db.begin() as session:
            session.delete(session.get_one(WebProcess, process.registrar._process.id))
        seconds[0] += BEAT + 0.1
        process.registrar.look()

        assert [one.id for one in rows(ctx)] == [process.registrar._process.id]

    def test_that_stops_is_on_no_list_any_more(self, ctx: Context) -> None:
        with Process(ctx).running():
            assert len(rows(ctx)) == 1

        assert rows(ctx) == []


class TestOverHttp:
    @pytest.fixture
    def client(self, ctx: Context) -> Iterator[TestClient]:
        with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
            client.headers = factories.bearer(ctx, login=factories.person(ctx).login)  # type: ignore[assignment]
            yield client

    @pytest.fixture
    def stuck(self, ctx: Context) -> UUID:
        """A process that gave a sign of life and will give no other."""
        row_id, now = new_id(), ctx.clock.now()
        with ctx.db.begin() as session:
            session.add(WebProcess(id=row_id, host="web-7", pid=4711, started_at=now, seen_at=now, beats=9, in_force=0))
        return row_id

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", f"{ROLLOUT}/freeze", WHY),
            ("POST", f"{ROLLOUT}/demote", WHY),
            ("PUT", "/v1/agents/claims/versions/v1/policy", {"threshold": 0.95}),
        ],
    )
    def test_who_waits_is_told_that_it_is_in_force(
        self, client: TestClient, method: str, path: str, body: dict[str, str]
    ) -> None:
        answer = client.request(method, path, json=body, params={"wait": True, "within": 30})

        assert answer.status_code == 200
        found = answer.json()["in_force"]
        assert (found["done"], found["processes"], found["acknowledged"], found["silent"]) == (True, 1, 1, [])
        assert found["words"] == "In force in the only web process; what was decided before has been answered."

    def test_a_roll_back_is_waited_for_too(self, ctx: Context, client: TestClient) -> None:
        with ctx.db.begin() as session:
            agent = get_agent(session, "claims")
            first = version_queries.get_rollout(session, "claims", "v1")
            first.phase = Phase.EVALUATION.value
            second = versions.register(session, agent, "v2", actor=SYSTEM, now=ctx.clock.now())
            second.phase = Phase.SHADOW.value
            promote_if_due(session, second, actor=SYSTEM, now=ctx.clock.now())

        found = client.post("/v1/agents/claims/rollback", json=WHY, params={"wait": True, "within": 30}).json()

        assert (found["version"], found["in_force"]["done"]) == ("v1", True)

    def test_who_does_not_wait_is_told_nothing(self, client: TestClient) -> None:
        assert client.post(f"{ROLLOUT}/freeze", json=WHY).json()["in_force"] is None

    @pytest.mark.usefixtures("stuck")
    def test_it_is_never_called_done_while_a_process_has_not_said_so(self, client: TestClient) -> None:
        found = client.post(f"{ROLLOUT}/freeze", json=WHY, params={"wait": True, "within": 0.2}).json()

        assert found["kind"] == "frozen"
        said = found["in_force"]
        assert (said["done"], said["processes"], said["acknowledged"]) == (False, 2, 1)
        assert [(one["host"], one["pid"]) for one in said["silent"]] == [("web-7", 4711)]
        assert "not said to be in force by 1 of 2 web processes: web-7 (process 4711), last seen" in said["words"]

    def test_it_is_done_as_soon_as_the_last_one_says_so(self, ctx: Context, client: TestClient, stuck: UUID) -> None:
        late = threading.Timer(0.5, follow, (ctx, stuck))
        late.start()
        found = client.post(f"{ROLLOUT}/freeze", json=WHY, params={"wait": True, "within": 30}).json()["in_force"]
        late.join()

        assert (found["done"], found["acknowledged"]) == (True, 2)

    def test_many_who_wait_keep_nobody_from_being_answered(self, ctx: Context, client: TestClient, stuck: UUID) -> None:
        agents = [f"agent-{number}" for number in range(2 * WAITERS)]
        for agent in agents:
            factories.agent(ctx, agent)
            factories.rollout(ctx, agent, phase=Phase.FULL)

        def wait(agent: str) -> Any:
            path = ROLLOUT.replace("claims", agent)
            return client.post(f"{path}/freeze", json=WHY, params={"wait": True, "within": 30}).json()

        with ThreadPoolExecutor(2 * WAITERS) as pool:
            calls = [pool.submit(wait, agent) for agent in agents]
            told = [call.result() for call in islice(as_completed(calls, timeout=25), WAITERS)]
            assert client.get(ROLLOUT).status_code == 200
            assert sum(not call.done() for call in calls) == WAITERS
            follow(ctx, stuck)
            said = [call.result()["in_force"] for call in calls]

        assert all(one["kind"] == "frozen" for one in told)  # the brake itself is refused to nobody
        assert {one["in_force"]["done"] for one in told} == {False}
        assert told[0]["in_force"]["words"].endswith("Nobody waited for it: 8 others wait here already.")
        assert sum(one["done"] for one in said) == WAITERS

    @pytest.mark.parametrize("within", ["0", "-1", "31", "nan", "soon"])
    def test_nobody_waits_for_ever(self, client: TestClient, within: str) -> None:
        answer = client.post(f"{ROLLOUT}/freeze", json=WHY, params={"wait": True, "within": within})

        assert answer.status_code == 422
        assert client.get(ROLLOUT).json()["frozen"] is None

    def test_a_broken_house_with_no_web_process_says_so(self, ctx: Context) -> None:
        found = wait_until_in_force(ctx, 5.0)

        assert (found.done, found.processes) == (True, 0)
        assert found.words.startswith("No web process is running")


class Hammer:
    """Two processes, of which one hears of nothing, and those who decide, freeze and judge through them at once."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.over = threading.Event()
        self.said = self.lifted = 0  # the last freeze that was said to be in force, and that was about to be lifted
        self.seen: list[tuple[int, str]] = []  # while a freeze was in force: which one, and the route
        self.faults: list[BaseException] = []
        self._numbers = count()

    def run(self, *work: Callable[[], None]) -> None:
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            self.faults.append(error)
            self.over.set()

    def deciding(self, process: Process, callers: int = 8) -> Callable[[], None]:
        async def all_of_them() -> None:
            await asyncio.gather(*(self._decide(process) for _ in range(callers)))

        return lambda: asyncio.run(all_of_them())

    async def _decide(self, process: Process) -> None:
        while not self.over.is_set():
            with process.holder.answers.call():
                entry = process.entry(f"c-{next(self._numbers)}")
                stored = await process.writer.store(entry, "agent:claims")
                if self.said > self.lifted:  # it is answered now, whenever it was decided
                    self.seen.append((self.said, stored.decision.route))

    def hear(self, *processes: Process) -> Callable[[], None]:
        """As if every message came at once, in the midst of a batch."""

        def refresh() -> None:
            while not self.over.wait(0.002):
                for process in processes:
                    process.holder.refresh()

        return refresh

    def look(self) -> None:
        while not self.over.wait(0.05):
            with self.ctx.db.begin() as session:
                kept = version_queries.get_rollout(session, "claims", "v1")
                gates.look(session, kept, now=self.ctx.clock.now(), sparing=True)

    def freeze_and_lift(self) -> None:
        for turn in range(1, 9):
            self._change(FreezeMode.ROUTING)
            found = wait_until_in_force(self.ctx, 30.0)
            assert (found.done, found.processes) == (True, 2), found.words
            self.said = turn
            self.over.wait(0.15)
            self.lifted = turn
            self._change(None)
        self.over.set()

    def _change(self, mode: FreezeMode | None) -> None:
        with self.ctx.db.begin() as session:
            kept = version_queries.get_rollout(session, "claims", "v1")
            who = {"actor": SYSTEM, "now": self.ctx.clock.now(), "reason": "a test"}
            if mode:
                versions.freeze(session, kept, mode, **who)  # type: ignore[arg-type]
            else:
                versions.unfreeze(session, kept, **who)  # type: ignore[arg-type]


@pytest.mark.timeout(120)
def test_after_a_freeze_that_was_waited_for_nothing_goes_alone_however_many_decide(ctx: Context) -> None:
    hammer = Hammer(ctx)
    with ExitStack() as stack:
        one, other = [stack.enter_context(Process(ctx).running()) for _ in range(2)]
        hammer.run(hammer.freeze_and_lift, hammer.look, hammer.hear(one), hammer.deciding(one), hammer.deciding(other))

    assert hammer.faults == []
    assert len({said for said, _ in hammer.seen}) >= 4, "too little was decided while it was frozen"
    assert {route for _, route in hammer.seen} == {"human"}
    with ctx.db.read() as session:
        assert {"auto", "human"} <= set(session.scalars(select(Decision.route).distinct()))


def test_a_freeze_is_not_called_done_before_what_was_being_stored_is_answered(
    ctx: Context, row: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, order = Process(ctx), []
    really, storing, go_on = service.store_at_once, threading.Event(), threading.Event()

    def slow(*handed: Any) -> Any:
        stored = really(*handed)
        storing.set()
        go_on.wait(0.7)  # on SQLite the freeze waits for this batch anyway
        return stored

    def freeze_now() -> None:
        storing.wait()
        freeze(ctx, row)
        process.holder.refresh()
        order.append(str(wait_until_in_force(ctx, 30.0).done))

    async def decide() -> None:
        with process.holder.answers.call():
            order.append((await process.writer.store(process.entry("c-1"), "agent:claims")).decision.route)

    monkeypatch.setattr("routing.cases.service.store_at_once", slow)
    with process.running():
        freezing = threading.Thread(target=freeze_now)
        freezing.start()
        asyncio.run(decide())
        freezing.join()

    assert order == ["auto", "True"]


def test_problems_are_answers_too(ctx: Context) -> None:
    """A call that ends with an error is over as well, so nobody waits for it."""
    process = Process(ctx)

    async def refused() -> None:
        with process.holder.answers.call():
            process.writer._stopping = True
            await process.writer.store(process.entry("c-1"), "agent:claims")

    with pytest.raises(Problem):
        asyncio.run(refused())

    assert process.holder.answers.settled(9) == 9
