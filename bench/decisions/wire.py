"""A connection that is kept open, with no more of HTTP than it takes to send a request and to see its answer's end."""

import selectors
import socket
import time
from collections.abc import Mapping

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "
_PATIENCE = 90.0  # seconds; longer than any long poll


def request(method: str, path: str, headers: Mapping[str, str], *, length: int = 0) -> bytes:
    """The head of a request; its body follows."""
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(length), **headers}
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    return "\r\n".join([*head, "", ""]).encode()


class Wire:
    """One request at a time. Blocking: it is read when something is there, and a long request may fill the buffers."""

    __slots__ = ("answer", "missing", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.answer = b""
        self.missing = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, data: bytes) -> None:
        self.answer, self.missing = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Read what is there; whether the answer is whole with it."""
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("closed by the service")
        if self.missing:
            self.answer += data
            self.missing -= len(data)
            return self.missing <= 0
        self.answer = self.answer + data if self.answer else data
        end = self.answer.find(_END_OF_HEAD)
        if end < 0:
            return False
        at = self.answer.find(_LENGTH, 0, end)
        if at < 0:
            raise ConnectionError("an answer without a length")
        length = int(self.answer[at + len(_LENGTH) : self.answer.index(b"\r\n", at)])
        self.missing = end + len(_END_OF_HEAD) + length - len(self.answer)
        return self.missing <= 0

    @property
    def status(self) -> str:
        return self.answer[9:12].decode()

    @property
    def body(self) -> bytes:
        return self.answer.partition(_END_OF_HEAD)[2]

    def close(self) -> None:
        self.socket.close()


def ask(wire: Wire, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Send and wait for the whole answer; its body. Raises for any status but a success."""
    wire.send(request(method, path, headers, length=len(body)) + body)
    while not wire.receive():
        pass
    if not wire.status.startswith("2"):
        raise ConnectionError(f"{method} {path}: {wire.answer[:600].decode(errors='replace')}")
    return wire.body


def first_answers(*wires: Wire) -> dict[Wire, float]:
    """When each of them was answered (perf_counter), watched at the same time."""
    found: dict[Wire, float] = {}
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire, selectors.EVENT_READ, wire)
        while len(found) < len(wires):
            for key, _ in selector.select(_PATIENCE):
                if key.data.receive():
                    found[key.data] = time.perf_counter()
                    selector.unregister(key.data)
    return found
