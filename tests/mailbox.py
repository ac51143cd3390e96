"""A mail server in the test process: takes messages by SMTP as servers do, remembers them, refuses as told."""

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    """
    `refuses`: recipients it does not know. `busy`: how many messages it answers with 451 first. With a `certificate` it
    offers STARTTLS, and then a sign-in.
    """

    address: str = ""
    refuses: set[str] = field(default_factory=set)
    busy: int = 0
    certificate: ssl.SSLContext | None = None
    took: list[EmailMessage] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    sign_ins: list[tuple[bool, str]] = field(default_factory=list)  # whether it was encrypted, and what came

    @property
    def url(self) -> str:
        return f"smtp+plain://{self.address}"


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.box = cast("_Server", self.server).box
        self.say("220 mailbox")
        while line := self.rfile.readline():
            words = line.decode().strip()
            verb = words.split(" ")[0].upper()
            self.box.commands.append(verb)
            if verb == "QUIT":
                self.say("221 bye")
                break
            answer = getattr(self, verb.lower(), None)
            if answer is not None:
                answer(words)
            else:
                self.say("550 nobody here" if any(f"<{one}>" in words for one in self.box.refuses) else "250 fine")

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            self.request.close()  # the server closes the one underneath

    def ehlo(self, _words: str) -> None:
        if self.box.certificate is None:
            self.say("250 fine")
        else:
            self.say("250-mailbox")
            self.say("250 AUTH PLAIN" if isinstance(self.request, ssl.SSLSocket) else "250 STARTTLS")

    def starttls(self, _words: str) -> None:
        assert self.box.certificate is not None
        self.say("220 go on")
        with contextlib.suppress(OSError):  # a client that does not trust us leaves
            self.request = self.box.certificate.wrap_socket(self.request, server_side=True)
            self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

    def auth(self, words: str) -> None:
        self.box.sign_ins.append((isinstance(self.request, ssl.SSLSocket), words))
        self.say("235 welcome")

    def data(self, _words: str) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".").replace(b"\r\n", b"\n"))
        if self.box.busy:
            self.box.busy -= 1
            self.say("451 not now")
            return
        self.box.took.append(cast("EmailMessage", message_from_bytes(b"".join(lines), policy=policy.default)))
        self.say("250 taken")

    def say(self, words: str) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(f"{words}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, box: Mailbox) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.box = box
        box.address = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        pass  # clients that leave in the middle are part of the tests


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    server = _Server(box)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
