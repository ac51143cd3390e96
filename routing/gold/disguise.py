"""
How a gold case is made to look like the case before which it is dealt. Pure.

A case id is changed in its last figures only, so that it is one that the agent's caller could have sent; and wherever
the id of the original stands in what is shown, the new one takes its place.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from uuid import UUID

_HEX = re.compile(r"(?=.*[a-fA-F])([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{16,}|[0-9A-F]{16,})")
_DIGITS = "0123456789"
_FIGURES, _HEX_FIGURES, _LETTERS = 3, 8, 4
_TRIES_OF_A_WIDTH = 100
_SHORTEST = 4
"""An id of fewer signs may stand in a text by chance."""
_JUST_BEFORE = timedelta(seconds=3)


def look_alike(case_id: str, secret: bytes, person: str, attempt: int) -> str:
    """An id of the same build; each attempt another one, after some with more of its figures, or one figure more."""
    digest = hmac.digest(secret, b"gold id\x00" + f"{person}\x00{attempt}\x00{case_id}".encode(), "sha256")
    longer = _longer(case_id, attempt // _TRIES_OF_A_WIDTH)
    signs = list(longer)
    places, alphabets = _places(longer, attempt // _TRIES_OF_A_WIDTH)
    for at, alphabet, byte in zip(places, alphabets, digest, strict=False):
        signs[at] = alphabet[byte % len(alphabet)]
    return "".join(signs)


def _longer(case_id: str, by: int) -> str:
    """With more figures at the end of its number, where it has so few that all are soon taken."""
    found = [at for at, sign in enumerate(case_id) if sign in _DIGITS]
    if not found or len(found) > _FIGURES or _HEX.fullmatch(case_id):
        return case_id
    return case_id[: found[-1] + 1] + "0" * by + case_id[found[-1] + 1 :]


def _places(case_id: str, wider: int) -> tuple[list[int], list[str]]:
    """Which signs are changed, from the end on, and into which others."""
    if _HEX.fullmatch(case_id):
        figures = _DIGITS + ("ABCDEF" if case_id.upper() == case_id else "abcdef")
        found = [at for at, sign in enumerate(case_id) if sign != "-"][-_HEX_FIGURES:]
        return found, [figures] * len(found)
    found = [at for at, sign in enumerate(case_id) if sign in _DIGITS]
    if found:
        found = found[-(_FIGURES + wider) :]
        return found, [_DIGITS] * len(found)
    found = [at for at, sign in enumerate(case_id) if sign.isascii() and sign.isalpha()][-_LETTERS - wider :]
    return found, [ascii_uppercase if case_id[at].isupper() else ascii_lowercase for at in found]


def renamed(value: Any, old: str, new: str) -> Any:
    """The same value with the new id wherever the old one stands in a text."""
    if len(old) < _SHORTEST:
        return value
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: renamed(one, old, new) for key, one in value.items()}
    return [renamed(one, old, new) for one in value] if isinstance(value, list) else value


def a_moment_before(moment: datetime, item_id: UUID) -> datetime:
    """Shortly before the case that it is dealt before, by a time that no two cases share."""
    part = int.from_bytes(hashlib.sha256(b"gold moment\x00" + item_id.bytes).digest()[:8], "big") / 2.0**64
    return moment - _JUST_BEFORE * part - timedelta(microseconds=1)


def odds(share: float) -> float:
    """With which probability one is put before a case, so that of all that are shown it is this share."""
    return min(share / (1.0 - share), 1.0)
