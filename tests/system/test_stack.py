"""The stack of `phasegate up`: real processes, started together, kept alive, and gone together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from cli.processes import Child
from cli.stack import Stack, free_port
from kit.context import make_context
from kit.errors import Conflict, Unavailable
from kit.settings import Settings
from routing.cases.tables import Decision
from routing.delivery import service as delivery
from routing.delivery.tables import Webhook
from tests import factories
from tests.processes import processor_time
from tests.receiver import receiving

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]


def soon(condition: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "a folder" / "var", port=0, beat_seconds=0.5)


def family(stack: Stack) -> set[int]:
    """The ids of all processes of the stack, and of what they started."""
    found = set()
    for name in ("valkey", "web", "worker", "delivery", "beat"):
        process = stack.child(name).process
        assert process is not None
        found |= {process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))}
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}


def test_a_stack_serves_settles_heals_and_leaves_nobody_behind(settings: Settings) -> None:
    said: list[str] = []
    with Stack(settings, say=said.append) as stack:
        assert httpx2.get(f"{stack.url}/livez").json() == {"status": "alive"}
        ctx = make_context(stack.settings)
        factories.agent(ctx)
        factories.rollout(ctx)
        decision = factories.decision(ctx)
        soon(lambda: settled(ctx, decision))  # the worker does that, started by beat

        worker = stack.child("worker").process
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        soon(lambda: bool(stack.tend() or stack.child("worker").alive))
        assert "worker ended (SIGKILL)" in said[0]
        another = factories.decision(ctx, "c-2")
        soon(lambda: settled(ctx, another))
        everybody = family(stack)
        ctx.db.close()
    assert alive(everybody) == set()


def test_receivers_that_hang_keep_no_settling_waiting_and_the_others_get_their_messages(settings: Settings) -> None:
    settings = settings.model_copy(update={"webhooks_allow_private": True})
    with socket.create_server(("127.0.0.1", 0)) as hanging, receiving() as receiver, Stack(settings) as stack:
        ctx = make_context(stack.settings)
        factories.agent(ctx)
        factories.rollout(ctx)
        at = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        decisions = [factories.decision(ctx, f"c-{number}") for number in range(4)]
        with ctx.db.begin() as session:
            for url in (f"{at}/first", f"{at}/second", receiver.url):
                session.add(Webhook(agent="claims", url=url, secret="whsec_" + "A" * 32, active=True,
                                    created_at=ctx.clock.now(), created_by="t"))  # fmt: skip
            for decision in decisions:
                delivery.tell(session, decision, kind="decision.ruled", now=ctx.clock.now())
        hanging.settimeout(30)
        with hanging.accept()[0]:  # the worker of messages now waits twenty seconds for both
            began = time.monotonic()
            another = factories.decision(ctx, "c-9")
            soon(lambda: settled(ctx, another))
            assert time.monotonic() - began < 15
        soon(lambda: len(receiver.contents()) == 4, within=60)
        ctx.db.close()


def settled(ctx: object, decision: Decision) -> bool:
    with ctx.db.read() as session:  # type: ignore[attr-defined]
        return not session.get_one(Decision, decision.id).unsettled


def test_two_stacks_on_one_folder_are_one_too_many(settings: Settings) -> None:
    with Stack(settings), pytest.raises(Conflict, match="already up"):
        Stack(settings).start()


def test_a_port_in_use_is_told_before_anything_starts(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stack = Stack(settings.model_copy(update={"port": taken.getsockname()[1]}))
        with pytest.raises(Unavailable, match="choose another"):
            stack.start()
    assert not stack.logs.exists()


def test_a_program_that_ends_at_once_is_told_with_its_last_words(settings: Settings, tmp_path: Path) -> None:
    stack = Stack(settings, environment={"PHASEGATE_SESSION_HOURS": "a few"})
    with pytest.raises(Unavailable, match="session_hours"):
        stack.start()


def test_a_child_that_keeps_dying_is_started_later_and_later(tmp_path: Path) -> None:
    said: list[str] = []
    argv = [sys.executable, "-c", "raise SystemExit(3)"]
    child = Child("brief", argv, dict(os.environ), tmp_path, tmp_path / "brief.log", wait=0.05)
    child.start()
    soon(lambda: bool(child.tend(said.append)) or len(said) == 3)
    child.end(time.monotonic())
    assert [words.split(" in ")[1].split(" s")[0] for words in said] == ["0.05", "0.1", "0.2"]
    assert "status 3" in said[0]


@contextmanager
def up(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    environment |= {"PHASEGATE_DATA_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli", "up", "--port", str(port)]
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        ready, worked = time.monotonic() - began, processor_time(process.pid)
        print(f"called, it was ready after {ready:.1f} s and {worked:.1f} s of processor time; {said.decode().strip()}")
        assert b"Phasegate is up after" in said
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_all_of_it_when_asked(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path, free_port("127.0.0.1")) as process:
        soon(lambda: len(psutil.Process(process.pid).children(recursive=True)) >= 7)  # with the two of the worker
        everybody = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert alive(everybody) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="only the kernel of Linux ends children with their parent")
def test_when_up_is_killed_outright_nobody_lives_on(tmp_path: Path) -> None:
    with up(tmp_path, free_port("127.0.0.1")) as process:
        everybody = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        process.kill()
        process.wait()
        soon(lambda: not alive(everybody), within=90.0)
