"""Ids: UUIDv7, so rows sort by birth and indexes grow at one end."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

_BELOW_THE_TIME = 80  # bits; above them stand the milliseconds since 1970


def new_id() -> UUID:
    return uuid7()


def id_at(moment: datetime) -> UUID:
    """An id as `new_id` would have given it then."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=(milliseconds << _BELOW_THE_TIME) | (uuid7().int & ((1 << _BELOW_THE_TIME) - 1)))
