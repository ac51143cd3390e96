"""
Messages between processes: start a task, tell every web process that policies changed.

Redis may be away at any time. Then a message is lost, a warning is logged, and the sweep or the version
check of the receiver finds the same work a little later.
"""

import threading
from collections.abc import Callable
from typing import Any

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

_QUIET = {"retry": False, "ignore_result": True}


def publisher(redis_url: str | None, send_task: Callable[..., Any]) -> Callable[[str], None]:
    """A sender of names: `routing.…` names start tasks, names with a colon are told to every listener."""
    if redis_url is None:
        return lambda _name: None
    client = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=1)

    def send(name: str) -> None:
        if ":" in name:
            client.publish(f"phasegate:{name}", b"1")
        else:
            send_task(name, **_QUIET)

    return send


class Listener:
    """A thread that hears the names other processes tell, and calls back; outlives a Redis that goes away."""

    def __init__(self, redis_url: str, channels: dict[str, Callable[[], None]]) -> None:
        self._url = redis_url
        self._channels = {f"phasegate:{name}".encode(): call for name, call in channels.items()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=3)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except redis.RedisError:
                log.warning("no connection for messages; policies are checked by version until it is back")
                self._stop.wait(1.0)

    def _listen(self) -> None:
        with redis.Redis.from_url(self._url, socket_connect_timeout=1) as client, client.pubsub() as heard:
            heard.subscribe(*self._channels)
            while not self._stop.is_set():
                message = heard.get_message(ignore_subscribe_messages=True, timeout=0.5)
                if message is not None and (call := self._channels.get(message["channel"])):
                    self._follow(call)

    @staticmethod
    def _follow(call: Callable[[], None]) -> None:
        try:
            call()
        except SQLAlchemyError:
            log.warning("could not read what a message told of; the next version check does", exc_info=True)
