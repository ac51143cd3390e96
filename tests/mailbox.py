"""A mail server in the test process: takes messages by SMTP as servers do, remembers them, refuses as told."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    """`refuses`: recipients it does not know. `busy`: how many messages it answers with 451 first."""

    address: str
    refuses: set[str] = field(default_factory=set)
    busy: int = 0
    took: list[EmailMessage] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp+plain://{self.address}"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 mailbox")
            while line := self.rfile.readline():
                words = line.decode().strip()
                box.commands.append(words.split(" ")[0].upper())
                if words.upper().startswith("DATA"):
                    self.data()
                elif words.upper().startswith("QUIT"):
                    self.say("221 bye")
                    return
                elif any(f"<{one}>" in words for one in box.refuses):
                    self.say("550 nobody here")
                else:
                    self.say("250 fine")

        def data(self) -> None:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b"."))
            if box.busy:
                box.busy -= 1
                self.say("451 not now")
                return
            box.took.append(cast("EmailMessage", message_from_bytes(b"".join(lines), policy=policy.default)))
            self.say("250 taken")

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    box = Mailbox(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
