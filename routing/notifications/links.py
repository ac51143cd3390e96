"""
The signature of a link. The row says what it does, for whom and whether it was used; only who holds the key of the
house can write the link that goes with it, so that reading the database, or a backup of it, opens nothing.
"""

import base64
import binascii
import hmac
from uuid import UUID

from routing.notifications.tables import NotificationLink

PATH = "/notifications/links/"
_DOMAIN = b"notification-link\x00"


def token_of(secret: bytes, link: NotificationLink) -> str:
    return base64.urlsafe_b64encode(link.id.bytes + _signature(secret, link)).decode()


def id_in(token: str) -> UUID | None:
    """The id that a token names, whether or not the rest is ours."""
    try:
        return UUID(bytes=base64.b64decode(token, altchars=b"-_", validate=True)[:16])
    except (binascii.Error, ValueError):
        return None


def is_ours(secret: bytes, link: NotificationLink, token: str) -> bool:
    return hmac.compare_digest(token_of(secret, link).encode(), token.encode())


def _signature(secret: bytes, link: NotificationLink) -> bytes:
    what = f"{link.does}\x00{link.login}\x00{link.item_id or ''}\x00{link.notification_id}"
    return hmac.digest(secret, _DOMAIN + link.id.bytes + what.encode(), "sha256")
