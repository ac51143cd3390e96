"""
Messages between processes: start a task, tell every web process that policies changed.

Redis may be away at any time, or take connections and never answer. Nobody waits for it: names are sent by a
thread of their own. What is lost is logged, and the sweep, or a look that the receiver takes by itself, finds the same
a little later.

A name may say what it is about, after a blank: `decisions:ruled 0198…`. Without, it may be about anything. What a task
is about is in how many seconds it is to start: `routing.conclude 10`.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

_QUIET = {"retry": False, "ignore_result": True}
_FRESH = 60  # seconds: a task that waited longer has been found by its sweep; without workers the queue must not grow
_AGAIN = 0.5  # seconds; a run does all there is, and its beginning and end cost what a hundred cases do
_NO_HURRY = {"reviews:changed"}  # numbers on pages, which people read; told no more often than tasks are started
_DRAIN = 1.0  # seconds that what was announced has to go out when a process ends
_ANYTHING = b"1"
_MANY = 500  # things that one message names; beyond it, it is about anything


class Notifier:
    """
    Takes names at once and sends them from its own thread, so that no commit ever waits for who is told of it.

    A name that still waits to be sent is not added again: one message is as good as ten, and names all that they are
    about. So the backlog is as long as there are names, however long Redis is silent. A task that was started a moment
    ago is started again a moment later; what a process listens for is told at once.
    """

    def __init__(self, send: Callable[[str], object]) -> None:
        self._send = send
        self._waiting: dict[str, set[str]] = {}  # names, and what they are about; in the order of their coming
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._told: dict[str, float] = {}  # what is in no hurry, and when it was told last

    def __call__(self, name: str) -> None:
        name, _, about = name.partition(" ")
        with self._changed:
            things = self._waiting.setdefault(name, {about} if about else set())
            if not about or len(things) >= _MANY:
                things.clear()  # about anything, whatever else is said until it is sent
            elif things:
                things.add(about)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, within: float = _DRAIN) -> bool:
        """Wait until everything went out, for so many seconds at most; whether it did."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout=within)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while (name := self._next()) is None:
                    self._changed.wait(self._until_the_next())
                things = self._waiting.pop(name)  # before it is sent: what is announced from now on may be news
                self._busy = True
            self._tell(" ".join([name, *sorted(things)]))

    def _next(self) -> str | None:
        """The first name whose time has come."""
        now = time.monotonic()
        for name in self._waiting:
            if ":" in name and name not in _NO_HURRY:
                return name
            if now - self._told.get(name, -_AGAIN) >= _AGAIN:
                self._told[name] = now
                return name
        return None

    def _until_the_next(self) -> float | None:
        """Seconds until the time of one that waits has come; None where nothing waits."""
        since = [time.monotonic() - self._told[name] for name in self._waiting]
        return max(0.0, _AGAIN - max(since)) if since else None

    def _tell(self, name: str) -> None:
        # Broad on purpose: Redis, its client and Celery fail in many ways, and the thread must outlive all of them.
        try:
            self._send(name)
        except Exception:
            log.warning("a message was lost; the sweep finds its work", message=name, exc_info=True)


def publisher(redis_url: str | None, send_task: Callable[..., Any]) -> Notifier:
    """A sender of names: `routing.…` names start tasks, names with a colon are told to every listener."""
    if redis_url is None:
        return Notifier(lambda _name: None)
    client = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=1)

    def send(name: str) -> None:
        if ":" in name:
            name, _, about = name.partition(" ")
            client.publish(f"phasegate:{name}", about.encode() or _ANYTHING)
        else:
            name, *later = name.split()
            for seconds in map(int, later or ("0",)):
                send_task(name, **_QUIET | {"countdown": seconds, "expires": seconds + _FRESH})

    return Notifier(send)


class Listener:
    """
    A thread that hears the names other processes tell, and calls back; outlives a Redis that goes away.

    It hands over what a name is about, and nothing where that may be anything. `hears`: whether it is connected.
    """

    def __init__(self, redis_url: str, channels: dict[str, Callable[..., None]]) -> None:
        self._url = redis_url
        self._channels = {f"phasegate:{name}".encode(): call for name, call in channels.items()}
        self._stop, self._connected = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=3)

    def hears(self) -> bool:
        return self._connected.is_set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except redis.RedisError:
                self._connected.clear()
                log.warning("no connection for messages; policies are checked by version until it is back")
                self._stop.wait(1.0)

    def _listen(self) -> None:
        # A server that went silent is noticed: a check it does not answer in time ends the connection.
        patience = {"socket_connect_timeout": 1, "socket_timeout": 2, "health_check_interval": 10}
        with redis.Redis.from_url(self._url, **patience) as client, client.pubsub() as heard:
            heard.subscribe(*self._channels)
            self._connected.set()
            while not self._stop.is_set():
                message = heard.get_message(ignore_subscribe_messages=True, timeout=0.5)
                if message is not None and (call := self._channels.get(message["channel"])):
                    self._follow(call, message["data"])

    @staticmethod
    def _follow(call: Callable[..., None], told: bytes) -> None:
        try:
            call(*(told.decode().split() if told != _ANYTHING else ()))
        except (SQLAlchemyError, ValueError, TypeError, RuntimeError):  # also words that are not ours, or a closed loop
            log.warning("could not read what a message told of; the next version check does", exc_info=True)
