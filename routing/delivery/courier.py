"""
Brings bytes to an address that somebody outside chose, and trusts neither the address nor who answers there.

An address may point into our own network, and its name may be changed between our look and our call. So a name is
resolved once, all it stands for is looked at, and the connection goes to what was looked at; the name still stands in
the Host header and in the certificate. Proxies and keys of the environment are not used.

A receiver may be slow in every way there is: in its name server, in its handshake, one byte at a time. So there is one
deadline for the whole exchange, and after the headers of the answer nothing more is read.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore2
import httpx2

_PIECE = 65_536  # bytes handed to the kernel at once
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address in disguise

Address = IPv4Address | IPv6Address


class Undeliverable(Exception):
    """Why nobody could be reached there."""


def objection(url: str, *, allow_private: bool) -> str | None:
    """Why no message goes to this address, as far as the address itself tells; None where nothing speaks against it."""
    try:
        parts = httpx2.URL(url)  # the same reader as for the call: two readers of one address may differ
    except httpx2.InvalidURL as error:
        return f"the address cannot be read: {error}"
    if parts.scheme not in {"http", "https"} or not parts.host:
        return "the address is no web address"
    if parts.userinfo:
        return "the address holds a user name or password; messages are signed instead"
    if not allow_private and parts.scheme != "https":
        return "the address is not https"
    literal = _literal(parts.host)
    if not allow_private and literal is not None and not is_public(literal):
        return f"{parts.host} is inside a private network"
    return None


def is_public(address: Address) -> bool:
    """Whether it is out in the world: not this machine, this network, a group, or one of those in another's clothes."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@cache
def _trusted() -> ssl.SSLContext:
    """Reading all authorities takes longer than a message does."""
    return httpx2.create_ssl_context(trust_env=False)


@dataclass(slots=True)
class Courier:
    """Posts one message at a time; `seconds` are all that one may take, from the name to the answer's status."""

    allow_private: bool = False
    seconds: float = 10.0
    trusted: ssl.SSLContext = field(default_factory=_trusted)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Redirects are not followed: who answers with one did not take the message."""
        reason = objection(url, allow_private=self.allow_private)
        if reason is not None:
            raise Undeliverable(reason)
        backend = _Checked(self.allow_private, time.monotonic() + self.seconds)
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            with (
                httpcore2.ConnectionPool(ssl_context=self.trusted, network_backend=backend) as pool,
                pool.stream("POST", _for_core(url), headers=lines, content=body) as answer,
            ):
                return answer.status
        except (httpcore2.TimeoutException, TimeoutError):
            raise Undeliverable(f"the receiver did not answer within {self.seconds:g} seconds") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ValueError) as error:
            raise Undeliverable(f"{type(error).__name__}: {error}") from None


class _Checked(httpcore2.NetworkBackend):
    """Connects to addresses that were looked at, and stops at the deadline (monotonic seconds)."""

    def __init__(self, allow_private: bool, deadline: float) -> None:
        self._allow_private = allow_private
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - one deadline stands for all of them
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        addresses = _resolve(host.strip("[]"), port, self._deadline)
        if not self._allow_private:
            inside = [str(address) for address in addresses if not is_public(address)]
            if inside:
                raise httpcore2.ConnectError(f"{host} leads to {inside[0]}, which is inside a private network")
        failed: OSError | None = None
        for address in addresses:
            try:
                return _Timed(_connected(address, port, self._deadline), self._deadline)
            except OSError as error:
                failed = error
        if isinstance(failed, TimeoutError):
            raise httpcore2.ConnectTimeout(str(failed))
        raise httpcore2.ConnectError(str(failed or f"{host} has no address"))


class _Timed(httpcore2.NetworkStream):
    """A connection on which every wait ends at the same moment."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        try:
            self._socket.settimeout(_left(self._deadline))
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from None
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        rest = memoryview(buffer)
        try:
            while rest:
                self._socket.settimeout(_left(self._deadline))
                rest = rest[self._socket.send(rest[:_PIECE]) :]
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from None

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        try:
            self._socket.settimeout(_left(self._deadline))  # Python counts it over the whole handshake
            return _Timed(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._deadline)
        except TimeoutError as error:
            self.close()
            raise httpcore2.ConnectTimeout(str(error)) from None
        except OSError as error:
            self.close()
            raise httpcore2.ConnectError(str(error)) from None

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None


def _resolve(host: str, port: int, deadline: float) -> list[Address]:
    """
    All that the name stands for. A thread is left behind where the name server does not answer in time: asking it
    cannot be interrupted.
    """
    literal = _literal(host)
    if literal is not None:
        return [literal]
    found: list[Address] = []
    failed: list[Exception] = []

    def ask() -> None:
        try:
            lines = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(ip_address(str(line[4][0])) for line in lines))
        except (OSError, ValueError) as error:  # ValueError: a name that is none, an address with a zone
            failed.append(error)

    asking = threading.Thread(target=ask, name="resolver", daemon=True)
    asking.start()
    asking.join(_left(deadline))
    if asking.is_alive():
        raise httpcore2.ConnectTimeout(f"nobody said in time where {host} is")
    if failed:
        raise httpcore2.ConnectError(f"{host}: {failed[0]}")
    return found


def _connected(address: Address, port: int, deadline: float) -> socket.socket:
    connection = socket.create_connection((str(address), port), timeout=_left(deadline))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for this message is over")
    return left


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _for_core(url: str) -> httpcore2.URL:
    """With the name as the wire has it: lower case, IDNA, an IPv6 address without its brackets."""
    parts = httpx2.URL(url)
    return httpcore2.URL(scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=parts.raw_path)
