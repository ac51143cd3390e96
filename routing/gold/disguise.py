"""
How a gold case is made to look like the case before which it is dealt. Pure.

Its id is a free one beside that case's, so that it is one that the agent's caller could have sent; and wherever the id
of the original stands in what is shown, the new one takes its place. Where it cannot, the case gives itself away.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from uuid import UUID

_HEX = re.compile(r"(?=.*[a-fA-F])([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{16,}|[0-9A-F]{16,})")
_HEX_FIGURES, _LETTERS = 8, 4
_NEAR, _RANDOM_ONES = 150, 40
_SHORTEST = 4
"""An id of fewer signs may stand in a text by chance."""
_DATA = re.compile(r"\s*data:", re.IGNORECASE)
_RUN = re.compile(r"""[^\s"'<>()\[\]{},;]+""")
_IN_ADDRESSES = ("://", "www.", "@")
_NAMES_AN_ID = re.compile(r"(?:^|[\W_]|(?<=[a-z0-9])(?=[A-Z]))(?i:(?:id|no|nr|number|key|ref|reference)s?)$")
"""By its last word: `id`, `caseId`, `invoice_no`; `paid` is none."""
_JUST_BEFORE = timedelta(seconds=3)


def look_alikes(case_id: str, secret: bytes, person: str) -> list[str]:
    """
    Ids of the same build, those to be taken first in front: the nearest numbers where it ends in one; else, where it is
    random figures or words, others as random.
    """
    if _HEX.fullmatch(case_id):
        return [_random(case_id, secret, person, attempt, hexadecimal=True) for attempt in range(_RANDOM_ONES)]
    last = list(re.finditer(r"[0-9]+", case_id))
    if last:
        return _neighbours(case_id, *last[-1].span())
    made = [_random(case_id, secret, person, attempt, hexadecimal=False) for attempt in range(_RANDOM_ONES)]
    return [one for one in made if one != case_id]


def _neighbours(case_id: str, start: int, end: int) -> list[str]:
    figures = case_id[start:end]
    numbers = (int(figures) + sign * step for step in range(1, _NEAR + 1) for sign in (1, -1))
    return [case_id[:start] + str(number).zfill(len(figures)) + case_id[end:] for number in numbers if number >= 0]


def _random(case_id: str, secret: bytes, person: str, attempt: int, *, hexadecimal: bool) -> str:
    digest = hmac.digest(secret, b"gold id\x00" + f"{person}\x00{attempt}\x00{case_id}".encode(), "sha256")
    signs = list(case_id)
    if hexadecimal:
        places = [at for at, sign in enumerate(signs) if sign != "-"][-_HEX_FIGURES:]
    else:
        places = [at for at, sign in enumerate(signs) if sign.isascii() and sign.isalpha()][-_LETTERS:]
    for at, byte in zip(places, digest, strict=False):
        if hexadecimal:
            alphabet = "0123456789ABCDEF" if case_id.upper() == case_id else "0123456789abcdef"
        else:
            alphabet = ascii_uppercase if signs[at].isupper() else ascii_lowercase
        signs[at] = alphabet[byte % len(alphabet)]
    return "".join(signs)


def renamed(value: Any, old: str, new: str, *, name: str = "") -> Any:
    """
    The same value with the new id wherever the old one stands by itself: as a word of a text, as a name, or as the
    whole number of a field that is named like an id. Nothing else is touched, since the rest is what the case is judged
    by: no amount that happens to be the same number, no address, no picture. `name`: of the field, where it has one.
    """
    if len(old) < _SHORTEST:
        return value
    if isinstance(value, str):
        return value if _DATA.match(value) else _by_itself(old).sub(lambda _: new, value)
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(one, old, new, name=key) for key, one in value.items()}
    if isinstance(value, list):
        return [renamed(one, old, new, name=name) for one in value]
    if type(value) is int and str(value) == old and _NAMES_AN_ID.search(name):
        return int(new) if new.isdecimal() else new
    return value


def betrays(value: Any, case_id: str) -> bool:
    """Whether the id stands where no other can take its place: in an address, or as a part of a word."""
    if len(case_id) < _SHORTEST:
        return False
    if isinstance(value, str):
        if case_id not in value or _DATA.match(value):
            return False
        return _in_an_address(value, case_id) or bool(_in_a_word(case_id).search(value))
    if isinstance(value, dict):
        return any(betrays(key, case_id) or betrays(one, case_id) for key, one in value.items())
    return isinstance(value, list) and any(betrays(one, case_id) for one in value)


def _in_an_address(text: str, case_id: str) -> bool:
    """Of a page or a file, where another id would be another customer's, or lead nowhere. Each sign is read once."""
    return any(
        case_id in run[0] and (_starts_a_path(text, run.start()) or any(mark in run[0] for mark in _IN_ADDRESSES))
        for run in _RUN.finditer(text)
    )


def _starts_a_path(text: str, at: int) -> bool:
    return text[at] == "/" and (at == 0 or text[at - 1].isspace())


@lru_cache(maxsize=256)
def _by_itself(case_id: str) -> re.Pattern[str]:
    """No sign of a word beside it; and where it is a number, no decimals: "1042.00" is an amount, and no case 1042."""
    before, after = (r"(?<!\d[.,])", r"(?![.,]\d)") if case_id.isdecimal() else ("", "")
    return re.compile(rf"(?<![^\W_]){before}{re.escape(case_id)}(?![^\W_]){after}")


@lru_cache(maxsize=256)
def _in_a_word(case_id: str) -> re.Pattern[str]:
    return re.compile(rf"[^\W\d_]{re.escape(case_id)}|{re.escape(case_id)}[^\W\d_]")


def a_moment_before(moment: datetime, item_id: UUID) -> datetime:
    """Shortly before the case that it is dealt before, by a time that no two cases share."""
    part = int.from_bytes(hashlib.sha256(b"gold moment\x00" + item_id.bytes).digest()[:8], "big") / 2.0**64
    return moment - _JUST_BEFORE * part - timedelta(microseconds=1)


def odds(share: float) -> float:
    """With which probability one is put before a case, so that of all that are shown it is this share."""
    return min(share / (1.0 - share), 1.0)
