"""A whole service under load, what a test does to it, and what must hold afterwards whatever was done."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from celery import Celery
from sqlalchemy import func, select, text, update

from cli.stack import Stack
from governance.audit import service as audit
from kit.context import Context, make_context
from kit.settings import Settings
from rollout.failures.tables import Failure
from routing.cases.tables import Decision, HumanOutput
from routing.delivery.tables import OutboxMessage
from routing.doctor import service as doctor
from routing.reviews.tables import ReviewItem, Ruling
from tests.conftest import SECRET
from tests.receiver import Receiver, receiving
from tests.system.load import LANES, NEVER_LONGER, Load, a_case, prepared

WITHIN = 60.0
EVERYBODY = ("web", "worker", "delivery")


class Tasks:
    """What the worker is at, in its own words."""

    def __init__(self, broker: str | None) -> None:
        names = [f"worker@{socket.gethostname()}"]
        self._worker = Celery(broker=broker).control.inspect(destination=names, limit=1)
        self._before: set[str] = set()

    def one_stands_still(self) -> bool:
        """It was there at the last look already."""
        now = {task["id"] for tasks in (self._worker.active() or {}).values() for task in tasks}
        found, self._before = now & self._before, now
        return bool(found)


@dataclass
class Scene:
    """The stack, a context that reaches the database by no detour, the load, and who receives the messages."""

    stack: Stack
    ctx: Context
    load: Load
    receiver: Receiver
    owner: dict[str, str]

    def soon(self, condition: Callable[[], object], what: str, *, tend: bool = True, within: float = WITHIN) -> float:
        """The seconds until it came true; what died meanwhile is started again, as `phasegate up` does."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < within, f"not in time: {what}; callers heard {dict(self.load.heard)}"
            time.sleep(0.05)
            if tend:
                self.stack.tend()
        return time.monotonic() - began

    def kill(self, *names: str) -> None:
        """As the kernel does when memory is short: at once, with all they started, and nobody is asked."""
        for name in names:
            child = self.stack.child(name)
            assert child.process is not None
            child.wait = 0.1  # so many deaths in a row would make the next start wait for half a minute
            os.killpg(child.process.pid, signal.SIGKILL)
        for name in names:
            self.stack.child(name).process.wait()  # type: ignore[union-attr]

    @contextmanager
    def in_the_middle(self, *names: str) -> Iterator[None]:
        """Those of them that work on tasks are in the middle of one all the while, and cannot end it."""
        with ExitStack() as held:
            if "delivery" in names:
                held.enter_context(self._sending())
            if "worker" in names:
                held.enter_context(self._settling())
            yield

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """A message is with the receiver, who has not answered yet."""
        before = len(self.receiver.seen)
        self.receiver.go_on.clear()
        try:
            self.soon(lambda: len(self.receiver.seen) > before, "a message is on its way", tend=False)
            yield
        finally:
            self.receiver.go_on.set()

    @contextmanager
    def _settling(self) -> Iterator[None]:
        """
        On PostgreSQL a worker has settled decisions in its transaction and waits to count them. On SQLite, where one
        writes at a time, it is in a task and waits for its turn.
        """
        tasks = Tasks(self.stack.redis_url)
        with self.ctx.db.begin() as session:  # on SQLite, nobody else writes from here on
            if self.ctx.db.dialect == "postgresql":
                session.execute(text("LOCK TABLE totals IN SHARE MODE"))
                self.soon(self._waits_to_count, "a worker waits to count what it settled", tend=False)
            else:
                session.execute(text("SELECT 1"))
                self.soon(tasks.one_stands_still, "a worker is in a task and waits for its turn", tend=False)
            yield

    def _waits_to_count(self) -> bool:
        waiting = text("SELECT count(*) FROM pg_locks WHERE relation = 'totals'::regclass AND NOT granted")
        with self.ctx.db.read() as session:
            return bool(session.scalar(waiting))

    def decided(self) -> int:
        return len(self.load.decided)

    def settled(self) -> int:
        with self.ctx.db.read() as session:
            return session.scalar(select(func.count()).where(Decision.unsettled.is_(False))) or 0

    def progress(self) -> tuple[int, ...]:
        """Tens of answers, rulings, settled decisions, messages; when all have grown, everybody is at work."""
        return self.decided() // 10, len(self.load.ruled), self.settled(), len(self.receiver.seen)

    def everybody_works(self, when: str) -> float:
        """The seconds until cases, rulings, settling and messages have all gone on."""
        before = self.progress()
        return self.soon(lambda: all(now > then for now, then in zip(self.progress(), before, strict=True)), when)

    def answers_again(self) -> float:
        """The seconds until ten more cases were decided."""
        before = self.decided()
        return self.soon(lambda: self.decided() > before + 10, "cases are answered again")

    def asked(self, path: str = "/livez", case_id: str | None = None) -> tuple[int, float]:
        """What one caller is told, and after how many seconds; with a case it is a decision on it."""
        began = time.monotonic()
        with httpx2.Client(base_url=self.stack.url, timeout=NEVER_LONGER, headers=self.load.agents["claims"]) as client:
            if case_id is None:
                answer = client.get(path)
            else:
                answer = client.post("/v1/agents/claims/decisions", json=a_case(case_id))
                if answer.is_success:
                    self.load.decided.setdefault(("claims", case_id), set()).add(answer.json()["id"])
                else:
                    self.load.unsure.add(("claims", case_id))
        return answer.status_code, time.monotonic() - began

    def told(self) -> str:
        """What callers heard since `load.fresh()`, in words for the report."""
        heard = (
            ", ".join(f"{times} x {what}" for what, times in sorted(self.load.heard.items())) or "nothing but answers"
        )
        return f"callers heard {heard}; the slowest was told after {self.load.slowest:.1f} s"

    def hurry(self) -> int:
        """
        What a dead worker had taken comes up again after two minutes, and what was refused twice after five; they
        pass now. How many messages still wait.
        """
        with self.ctx.db.begin() as session:
            now = self.ctx.clock.now()
            still = update(OutboxMessage).where(OutboxMessage.state == "waiting").values(due_at=now)
            return len(session.scalars(still.returning(OutboxMessage.id)).all())

    def told_everything(self) -> bool:
        """Nothing is left to do, and no message waits for another try."""
        return self.drained() and not self.undoable() and not self.hurry()

    def undoable(self) -> int:
        """How many rulings can still be undone, or wait for a worker since they cannot."""
        with self.ctx.db.read() as session:
            return session.scalar(select(func.count()).where(ReviewItem.concludes_at.is_not(None))) or 0

    def drained(self) -> bool:
        try:
            answer = httpx2.get(f"{self.stack.url}/v1/backlog", headers=self.owner)
        except httpx2.TransportError:
            return False
        if not answer.is_success:
            return False
        backlog = answer.json()
        return not any(backlog[name] for name in ("unsettled_decisions", "unsettled_human_outputs", "messages_due"))

    def nothing_lost_nothing_twice(self) -> float:
        """Once everything is settled and told, it is there as it was acknowledged; the seconds that took."""
        took = self.soon(self.told_everything, "everything is settled and told")
        assert_nothing_lost_nothing_twice(self.ctx, self.load, self.receiver)
        return took


def assert_nothing_lost_nothing_twice(ctx: Context, load: Load, receiver: Receiver) -> None:
    with ctx.db.read() as session:
        findings = doctor.examine(session, now=ctx.clock.now())
        assert [found for found in findings if not found.ok] == []
        assert audit.verify(session, ctx.secret).fault is None
        decisions = session.scalars(select(Decision)).all()
        items = session.scalars(select(ReviewItem)).all()
        rulings = {str(row.id): row for row in session.scalars(select(Ruling))}
        outputs = session.scalars(select(HumanOutput)).all()
        failures = session.scalars(select(Failure)).all()
        messages = session.scalars(select(OutboxMessage)).all()
    # Every case is there once, under the id that was answered, and nothing else is; in all lanes.
    stored = {(row.agent, row.case_id): {str(row.id)} for row in decisions}
    assert len(decisions) == len(stored)
    unsure = load.unsure - load.decided.keys()
    assert {case: ids for case, ids in stored.items() if case not in unsure} == load.decided
    assert {row.lane for row in decisions} == LANES
    # Every review and every audit has one first item, and nobody else has one.
    looked_at = {row.id for row in decisions if row.lane in {"review", "audit"}}
    assert Counter(item.decision_id for item in items if item.level == 1) == Counter(looked_at)
    # Every acknowledged ruling stands as it was said.
    for ruling_id, said in load.ruled.items():
        row = rulings[ruling_id]
        assert (str(row.item_id), row.ruling, row.output) == (said["item_id"], said["ruling"], said.get("output"))
    # What people did is there once, however often it was sent, and so is what they complained of.
    assert {(row.agent, row.case_id): {str(row.id)} for row in outputs} == load.human
    assert len(outputs) == len(load.human)
    assert {(row.agent, row.case_id): {str(row.id)} for row in failures} == load.failed
    assert len(failures) == len(load.failed)
    # One message for each ruling that ends a review, whatever became of its sender, and always to the letter the same.
    ended = Counter(str(row.decision_id) for row in rulings.values() if row.ruling != "escalate")
    assert Counter(message.body["data"]["id"] for message in messages) == ended
    # Those of acknowledged rulings are delivered; one whose caller had left before it was stored may come later still.
    acknowledged = {str(rulings[ruling_id].decision_id) for ruling_id in load.ruled}
    late = [message for message in messages if message.state != "delivered"]
    assert {message.state for message in late} <= {"waiting"}
    assert not acknowledged & {message.body["data"]["id"] for message in late}
    contents = receiver.contents()
    assert {str(message.id) for message in messages if message not in late} <= set(contents)
    assert set(contents) <= {str(message.id) for message in messages}
    assert all(len(bodies) == 1 for bodies in contents.values())


def settings_for(folder: Path, url: str, **more: object) -> Settings:
    given = {
        "data_dir": folder / "var", "database_url": url, "secret": SECRET, "port": 0, "beat_seconds": 0.5,
        "webhooks_allow_private": True, "log_level": "WARNING",
    }  # fmt: skip
    return Settings.model_validate(given | more)


@contextmanager
def scene(
    settings: Settings, *statuses: int, straight_to: str | None = None, workers: int = 1, undo_seconds: int = 0
) -> Iterator[Scene]:
    """`straight_to`: the database's own address, where the service's leads over a proxy."""
    with receiving(*statuses) as receiver, Stack(settings, workers=workers) as stack:
        mine = stack.settings.model_copy(update={"database_url": straight_to} if straight_to else {})
        ctx = make_context(mine)
        try:
            load, owner = prepared(ctx, stack.url, undo_seconds=undo_seconds)
            for agent in load.agents:
                hook = {"url": receiver.url}
                answer = httpx2.post(f"{stack.url}/v1/agents/{agent}/webhooks", json=hook, headers=owner)
                assert answer.status_code == 201
            yield Scene(stack, ctx, load, receiver, owner)
        finally:
            ctx.db.close()
