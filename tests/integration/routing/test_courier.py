"""The courier against real sockets: receivers that are slow in every way, and names that lead inside."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from routing.delivery import courier
from routing.delivery.courier import Courier, Undeliverable
from tests.receiver import receiving

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """A server that does this with every connection, each in a thread."""
    server = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def dripping(connection: socket.socket) -> None:
    connection.recv(65_536)
    for byte in b"HTTP/1.1 204 No Content\r\nx-slow: " + b"y" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def chatting(connection: socket.socket) -> None:
    connection.recv(65_536)
    while True:
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.05)


def deaf(connection: socket.socket) -> None:
    """Takes the connection and reads nothing, so that a long message never gets out."""
    time.sleep(5)


@pytest.mark.parametrize(
    ("talk", "scheme"),
    [(silent, "http"), (dripping, "http"), (chatting, "http"), (deaf, "http"), (silent, "https"), (dripping, "https")],
)
def test_the_deadline_holds_for_the_whole_exchange_however_slow_the_receiver_is(talk: Talk, scheme: str) -> None:
    with talking(talk) as url:
        began = time.monotonic()
        with pytest.raises(Undeliverable):
            Courier(allow_private=True, seconds=0.5).post(url.replace("http", scheme), b"x" * 20_000_000, {})

        assert time.monotonic() - began < 2.0


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def asked(*_: Any, **__: Any) -> list[Any]:
        let_go.wait(10)
        return []

    monkeypatch.setattr(courier.socket, "getaddrinfo", asked)  # a name server cannot be had here
    began = time.monotonic()
    try:
        with pytest.raises(Undeliverable, match=r"within 0\.3 seconds"):
            Courier(seconds=0.3).post("https://somewhere.test/", b"", {})
    finally:
        let_go.set()
    assert time.monotonic() - began < 2.0


def test_what_comes_after_the_status_is_not_read() -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"5\r\nhello\r\n")
            time.sleep(0.01)

    with talking(endless) as url:
        began = time.monotonic()
        assert Courier(allow_private=True, seconds=5).post(url, b"{}", {}) == 200
        assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000])
def test_an_answer_that_is_none_is_no_answer(answer: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with talking(talk) as url, pytest.raises(Undeliverable):
        Courier(allow_private=True, seconds=5).post(url, b"{}", {})


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_name_that_leads_inside_is_refused_before_anybody_is_called(host: str) -> None:
    called = threading.Event()
    with talking(lambda _connection: called.set()) as url, pytest.raises(Undeliverable, match="private network"):
        Courier(seconds=5).post(url.replace("http://127.0.0.1", f"https://{host}"), b"{}", {})

    assert not called.wait(0.1)


def test_one_address_inside_among_others_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(courier.socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(Undeliverable, match=r"10\.0\.0\.1"):
        Courier(seconds=5).post("https://both.test/", b"{}", {})


def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiving() as receiver:
        assert Courier(allow_private=True).post(receiver.url, b"{}", {}) == 204


def test_the_call_goes_to_what_was_looked_at_with_the_name_in_host_header_and_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that says something else the second time changes nothing: nobody asks it twice."""
    server_side, trusted = certificates(tmp_path, "hooks.test")
    asked: list[str] = []
    heard: list[bytes] = []
    names: list[str] = []

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))] if len(asked) == 1 else []

    def talk(connection: socket.socket) -> None:
        server_side.sni_callback = lambda _socket, name, _context: names.append(name)
        with server_side.wrap_socket(connection, server_side=True) as secure:
            while not b"".join(heard).endswith(b"{}"):
                heard.append(secure.recv(65_536))
            secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with talking(talk) as url:
        real = socket.getaddrinfo
        port = int(url.split(":")[2].split("/")[0])
        monkeypatch.setattr(
            courier.socket,
            "getaddrinfo",
            lambda host, *a, **k: resolve(host) if "hooks" in host else real(host, *a, **k),
        )
        status = Courier(allow_private=True, trusted=trusted).post(f"https://hooks.test:{port}/in", b"{}", {})
        with pytest.raises(Undeliverable, match="no address"):
            Courier(allow_private=True, trusted=trusted).post(f"https://hooks.test:{port}/in", b"{}", {})

    assert status == 204
    assert names == ["hooks.test"]
    assert f"Host: hooks.test:{port}".encode().lower() in b"".join(heard).lower()


def test_a_certificate_for_another_name_is_no_receiver_of_ours(tmp_path: Path) -> None:
    server_side, trusted = certificates(tmp_path, "other.test")

    def talk(connection: socket.socket) -> None:
        server_side.wrap_socket(connection, server_side=True).close()

    with talking(talk) as url, pytest.raises(Undeliverable, match="CERTIFICATE_VERIFY_FAILED"):
        Courier(allow_private=True, trusted=trusted).post(url.replace("http", "https"), b"{}", {})


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the server of this name, and for who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "pair.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path)
    return server_side, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
