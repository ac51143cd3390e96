"""E-mail by SMTP. The server is the operator's own choice, so it may stand inside; it gets no password in the clear."""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from routing.delivery.courier import Undeliverable

_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}


class NoSuchMailServer(ValueError):
    """The setting cannot be read."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """`smtps`: TLS from the first byte. `smtp`: STARTTLS, or nothing is sent. `smtp+plain`: neither, nor a password."""

    scheme: str
    host: str
    port: int
    user: str
    password: str


def mail_server(url: str) -> MailServer:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        parts, port = urlsplit(""), 0
    if not parts.hostname:
        raise NoSuchMailServer("PHASEGATE_SMTP_URL is not like smtps://user:password@host:465; also smtp, smtp+plain")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and parts.scheme == "smtp+plain":
        raise NoSuchMailServer("PHASEGATE_SMTP_URL: a password does not go over smtp+plain; use smtp or smtps")
    return MailServer(parts.scheme, parts.hostname, port, user, password)


def send(server: MailServer, message: EmailMessage, *, seconds: float, trusted: ssl.SSLContext | None = None) -> None:
    """Raises Undeliverable, in words for the person who waits for the message."""
    trusted = trusted or ssl.create_default_context()
    try:
        with _connected(server, seconds, trusted) as connection:
            if server.scheme == "smtp":
                connection.starttls(context=trusted)
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(message)
    except smtplib.SMTPRecipientsRefused:
        raise Undeliverable("the mail server does not take messages for this address") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise Undeliverable(f"the mail server: {type(error).__name__}") from error


def _connected(server: MailServer, seconds: float, trusted: ssl.SSLContext) -> smtplib.SMTP:
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=trusted)
    return smtplib.SMTP(server.host, server.port, timeout=seconds)
