"""A receiver of webhooks as an agent's engineer would write one: it verifies, remembers, and answers as told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook as Verifier


@dataclass(frozen=True, slots=True)
class Received:
    id: str
    timestamp: str
    signature: str
    body: bytes
    status: int


@dataclass
class Receiver:
    """`answers` are given in turn, the last one for ever, while it may `go_on`; `seen` is everything that came."""

    url: str
    answers: list[int] = field(default_factory=lambda: [204])
    seen: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            status = self.answers[min(len(self.seen), len(self.answers) - 1)]
            found = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
            self.seen.append(Received(*found, body, status))
        self.go_on.wait()
        return status

    def contents(self) -> dict[str, set[bytes]]:
        """The bodies that came under each webhook-id; more than one would be two stories."""
        with self.lock:
            found: dict[str, set[bytes]] = {}
            for one in self.seen:
                found.setdefault(one.id, set()).add(one.body)
            return found

    def verify(self, secret: str) -> None:
        """Every message is signed as Standard Webhooks says; raises where one is not."""
        for one in self.seen:
            headers = {
                "webhook-id": one.id,
                "webhook-timestamp": one.timestamp,
                "webhook-signature": one.signature,
            }
            Verifier(secret).verify(one.body, headers)


@contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    if answers:
        receiver.answers = list(answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
