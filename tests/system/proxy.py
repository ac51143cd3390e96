"""A network between two processes that a test can make slow, cut, or take away without a word."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from sqlalchemy.engine import URL, make_url

Way = Literal["up", "down"]  # to the server, from the server
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset instead of a farewell


class Proxy:
    """
    Forwards bytes to a server. `slow`, `cut` and `silence` change that for every connection, `heal` ends it.

    Silence is the worst of them: bytes are taken and acknowledged and go nowhere, and so do farewells. A connection
    that lost anything stays silent for ever, as behind a firewall that forgot it; only new ones get through again.
    """

    def __init__(self, server: URL) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._open: set[_Connection] = set()
        self._refused = False
        self.delay = 0.0
        self.silent: frozenset[Way] = frozenset()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """The server's address, by way of this."""
        port = self._listening.getsockname()[1]
        here = self._server.set(host="127.0.0.1", port=port, query={})
        return here.render_as_string(hide_password=False)

    @property
    def connections(self) -> int:
        return sum(not one.over for one in self._open)

    def slow(self, seconds: float) -> None:
        """Every piece takes so long, in either direction."""
        self.delay = seconds

    def cut(self) -> None:
        """Every connection is reset, and new ones are, too."""
        self._refused = True
        for one in list(self._open):
            one.reset()

    def silence(self, *ways: Way) -> None:
        self.silent = frozenset(ways or ("up", "down"))

    def heal(self) -> None:
        self.delay, self.silent, self._refused = 0.0, frozenset(), False

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in list(self._open):
            one.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._refused:
                _reset(client)
                continue
            try:
                server = _connected(self._server)
            except OSError:
                _reset(client)
                continue
            for over in [one for one in self._open if one.over]:
                over.reset()
                self._open.remove(over)
            self._open.add(_Connection(self, client, server))


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._ends = proxy, (client, server)
        self._lost: set[Way] = set()
        self._pumps = [
            threading.Thread(target=self._pump, args=(source, sink, way), daemon=True)
            for source, sink, way in ((client, server, "up"), (server, client, "down"))
        ]
        for pump in self._pumps:
            pump.start()

    @property
    def over(self) -> bool:
        return not any(pump.is_alive() for pump in self._pumps)

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)

    def _pump(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                if self._goes_on(way):
                    sink.sendall(piece)
        if self._goes_on(way):  # a farewell goes nowhere either
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def _goes_on(self, way: Way) -> bool:
        if self._proxy.delay:
            time.sleep(self._proxy.delay)
        if way in self._proxy.silent:
            self._lost.add(way)
        return way not in self._lost


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
    end.close()


def _connected(server: URL) -> socket.socket:
    """Over TCP, or over the socket file in the folder that the address names as its host."""
    host, port = server.host or str(server.query.get("host", "127.0.0.1")), server.port or 5432
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=5)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"{host}/.s.PGSQL.{port}")
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def between(server_url: str) -> Iterator[Proxy]:
    """A proxy before the PostgreSQL at this address."""
    proxy = Proxy(make_url(server_url))
    try:
        yield proxy
    finally:
        proxy.close()
