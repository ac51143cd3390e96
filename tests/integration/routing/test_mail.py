"""E-mail over a connection that nobody reads along: with STARTTLS, or not at all."""

import base64
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest

from routing.delivery.courier import Undeliverable
from routing.notifications import mail
from tests.integration.routing.test_courier import certificates
from tests.mailbox import Mailbox, mailbox


def letter() -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "urgent", "phasegate@example.org", "ana@example.org"
    message.set_content("Grüße\n.\nfrom here\n")
    return message


def url(box: Mailbox, scheme: str = "smtp") -> str:
    return f"{scheme}://ana:p%40ss@localhost:{box.address.rpartition(':')[2]}"


def test_the_password_and_the_message_go_over_an_encrypted_connection(tmp_path: Path) -> None:
    server, trusted = certificates(tmp_path, "localhost")
    with mailbox() as box:
        box.certificate = server
        mail.send(mail.mail_server(url(box)), letter(), seconds=10, trusted=trusted)

    assert [encrypted for encrypted, _ in box.sign_ins] == [True]
    assert base64.b64decode(box.sign_ins[0][1].split(" ")[-1]) == b"\0ana\0p@ss"
    assert [message.get_content() for message in box.took] == ["Grüße\n.\nfrom here\n"]


@pytest.mark.parametrize("offered", [True, False], ids=["a certificate of nobody we trust", "no encryption"])
def test_a_server_that_cannot_be_trusted_learns_neither(tmp_path: Path, offered: bool) -> None:
    server, _ = certificates(tmp_path, "localhost")
    with mailbox() as box:
        box.certificate = server if offered else None
        with pytest.raises(Undeliverable):
            mail.send(mail.mail_server(url(box)), letter(), seconds=10, trusted=ssl.create_default_context())

    assert (box.sign_ins, box.took) == ([], [])


def test_a_server_that_says_nothing_is_left_after_a_while() -> None:
    with mailbox() as box:
        server = mail.mail_server(f"smtps://{box.address}")  # the mailbox waits for a line, and we for its handshake

        with pytest.raises(Undeliverable, match="the mail server"):
            mail.send(server, letter(), seconds=0.2)


@pytest.mark.parametrize(
    "text", ["", "mail.example.org", "http://example.org", "smtp://", "smtp://host:many", "smtp+plain://ana:x@host"]
)
def test_a_setting_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(mail.NoSuchMailServer, match="PHASEGATE_SMTP_URL"):
        mail.mail_server(text)


def test_ports_are_the_usual_ones() -> None:
    assert [mail.mail_server(f"{scheme}://host").port for scheme in ("smtps", "smtp", "smtp+plain")] == [465, 587, 25]
