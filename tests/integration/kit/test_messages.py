import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from sqlalchemy.exc import OperationalError

from kit.messages import Listener, publisher


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


def test_any_other_name_starts_a_task_that_is_sent_once_and_answers_nothing(valkey_url: str) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    send = publisher(valkey_url, lambda name, **options: sent.append((name, options)))

    send("routing.settle")

    assert sent == [("routing.settle", {"retry": False, "ignore_result": True})]


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
    send("keys:changed")

    assert heard.within(5)
    assert heard.within(5)
    listener.stop()


def test_a_listener_outlives_a_server_that_is_not_there(heard: Heard) -> None:
    listener = Listener("redis://127.0.0.1:1/0", {"keys:changed": heard})
    listener.start()

    listener.stop()

    assert not heard.within(0)


def _wait_for(valkey_url: str) -> None:
    """Until somebody listens."""
    with redis.Redis.from_url(valkey_url) as client:
        while client.pubsub_numsub("phasegate:keys:changed") == [(b"phasegate:keys:changed", 0)]:
            threading.Event().wait(0.01)


def _no_task(name: str, **_options: Any) -> None:
    raise AssertionError(f"{name} is not a task")
