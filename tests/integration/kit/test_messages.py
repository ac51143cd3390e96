import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from sqlalchemy.exc import OperationalError

import web_app
from kit.context import Context
from kit.db import send_after_commit
from kit.messages import Listener, Notifier, publisher
from kit.settings import Settings


class Heard:
    """Counts calls, and lets a test wait for one."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)

    def __call__(self) -> None:
        self.calls.release()

    def within(self, seconds: float) -> bool:
        return self.calls.acquire(timeout=seconds)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def listener(valkey_url: str, heard: Heard) -> Iterator[Listener]:
    listener = Listener(valkey_url, {"keys:changed": heard})
    listener.start()
    _wait_for(valkey_url)
    yield listener
    listener.stop()


def test_a_name_with_a_colon_is_told_to_those_who_listen_for_it(
    valkey_url: str, listener: Listener, heard: Heard
) -> None:
    send = publisher(valkey_url, _no_task)

    send("policies:changed")
    send("keys:changed")

    assert heard.within(5)
    assert not heard.within(0.1)
    assert listener.hears()


def test_any_other_name_starts_a_task_that_is_sent_once_and_answers_nothing(valkey_url: str) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    send = publisher(valkey_url, lambda name, **options: sent.append((name, options)))

    send("routing.settle")

    assert send.drain(5)
    assert sent == [("routing.settle", {"retry": False, "ignore_result": True, "countdown": 0, "expires": 60})]


def test_without_a_server_nothing_is_sent() -> None:
    publisher(None, _no_task)("routing.settle")


def test_a_listener_outlives_a_database_that_does_not_answer(valkey_url: str, heard: Heard) -> None:
    def failing() -> None:
        heard()
        raise OperationalError("SELECT", {}, Exception("gone"))

    listener = Listener(valkey_url, {"keys:changed": failing})
    listener.start()
    _wait_for(valkey_url)
    send = publisher(valkey_url, _no_task)

    send("keys:changed")
    assert heard.within(5)
    send("keys:changed")
    assert heard.within(5)
    listener.stop()


def test_a_listener_outlives_a_server_that_is_not_there(heard: Heard) -> None:
    listener = Listener("redis://127.0.0.1:1/0", {"keys:changed": heard})
    listener.start()

    listener.stop()

    assert not heard.within(0)
    assert not listener.hears()


class Slow:
    """A way out that takes until it is let go, as a server does that never answers."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.sent: list[str] = []

    def __call__(self, name: str) -> None:
        self.began.set()
        assert self.go_on.wait(10)
        self.sent.append(name)


class TestNotifier:
    def test_takes_names_at_once_while_nothing_goes_out(self) -> None:
        slow = Slow()
        notify = Notifier(slow)

        notify("a")
        assert slow.began.wait(5)
        for _ in range(1000):  # would never return if any of them waited
            notify("b")
            notify("c")

        assert slow.sent == []
        assert not notify.drain(0.05)
        slow.go_on.set()
        assert notify.drain(5)
        assert slow.sent == ["a", "b", "c"]

    def test_sends_again_what_is_announced_while_it_is_being_sent(self) -> None:
        slow = Slow()
        notify = Notifier(slow)

        notify("a")
        assert slow.began.wait(5)
        notify("a")  # of a later commit: whoever heard the first may have looked already
        slow.go_on.set()

        assert notify.drain(5)
        assert slow.sent == ["a", "a"]

    @pytest.mark.parametrize("name", ["routing.settle", "reviews:changed"])
    def test_gathers_what_is_in_no_hurry(self, name: str) -> None:
        sent: list[str] = []
        notify = Notifier(sent.append)
        began = time.monotonic()

        for _ in range(5000):
            notify(name)
        assert notify.drain(5)

        assert 1 <= len(sent) <= 2 + (time.monotonic() - began) / 0.5

    def test_goes_on_after_what_could_not_be_sent(self) -> None:
        sent: list[str] = []

        def send(name: str) -> None:
            if name == "bad":
                raise OSError("nobody there")
            sent.append(name)

        notify = Notifier(send)
        notify("bad")
        notify("good")

        assert notify.drain(5)
        assert sent == ["good"]


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_commit_does_not_wait_for_a_server_that_never_answers(ctx: Context, silent_url: str) -> None:
    heard: list[str] = []
    client = Celery("tests", broker=silent_url)
    client.conf.broker_transport_options = {"socket_timeout": 2, "socket_connect_timeout": 1}
    ctx.listen("decisions:ruled", lambda: heard.append("here"))
    ctx.send_through(publisher(silent_url, client.send_task))

    began = time.monotonic()
    for _ in range(3):
        with ctx.db.begin() as session:
            send_after_commit(session, "routing.settle")
            send_after_commit(session, "decisions:ruled")
    seconds = time.monotonic() - began

    assert seconds < 1.0  # one send alone takes two
    assert heard == ["here"] * 3  # what listens in this process hears it before the commit returns


def test_a_task_with_a_queue_of_its_own_is_sent_there(valkey_url: str) -> None:
    client = web_app._sender(Settings(redis_url=valkey_url)).__self__
    with redis.Redis.from_url(valkey_url) as server:
        server.delete("deliver", "celery")
        send = publisher(valkey_url, client.send_task)

        send("routing.deliver")
        send("routing.settle")

        assert send.drain(5)
        assert [server.llen("deliver"), server.llen("celery")] == [1, 1]
        server.delete("deliver", "celery")
    client.close()


def _wait_for(valkey_url: str) -> None:
    """Until somebody listens."""
    with redis.Redis.from_url(valkey_url) as client:
        while client.pubsub_numsub("phasegate:keys:changed") == [(b"phasegate:keys:changed", 0)]:
            threading.Event().wait(0.01)


def _no_task(name: str, **_options: Any) -> None:
    raise AssertionError(f"{name} is not a task")
