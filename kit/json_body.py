"""
Reads a JSON body strictly, and says where it is wrong.

Ordinary parsers let through what no two systems read alike: doubled keys, NUL bytes, half surrogates,
NaN, numbers too large for a float, ten thousand levels of nesting. Each of them would either break one
of the two databases or change silently on the way. All of them are refused here with their place, but
for a NaN as confidence, which is an answer of the agent that must be stored (and means a person).
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from kit.errors import Invalid, Place

MAX_DEPTH = 64
_MAYBE_INFINITE = re.compile(rb"[eE]\+?\d{3}|\d{200}")
_MAYBE_HUGE = re.compile(rb"\d{19}")
_INTEGERS = range(-(2**63), 2**64)  # what other systems, and our own answers, can hold
_ANY_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(raw: bytes, *, nan_allowed_at: tuple[str, ...] = ()) -> Any:
    """The parsed value; raises Invalid with the place of the first thing that is wrong."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("body", f"byte {error.start} is not UTF-8", "send the body as UTF-8") from None
    if b"\x00" in raw:
        raise _holds_nul("body")
    constants: list[str] = []

    def constant(name: str) -> float:
        constants.append(name)
        return float(name)

    try:
        value = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _invalid(place, error.msg[0].lower() + error.msg[1:], "send valid JSON (RFC 8259)") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _invalid("body", str(error), "send numbers of a sensible length") from None
    _check(value, raw, odd_constants=bool(constants), nan_allowed_at=nan_allowed_at)
    return value


def _check(value: Any, raw: bytes, *, odd_constants: bool, nan_allowed_at: tuple[str, ...]) -> None:
    """Refuse what the parser lets through. A glance at the bytes tells whether the long look is needed."""
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise _too_deep()
    if odd_constants or _MAYBE_INFINITE.search(raw):
        _refuse_not_finite(value, nan_allowed_at)
    if _MAYBE_HUGE.search(raw):
        _refuse_huge_integers(value)
    if b"\\u0000" in raw:  # or a backslash, escaped, before five ordinary characters
        _refuse_nul(value)
    if _ANY_SURROGATE.search(raw):
        _refuse_half_surrogates(value)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _invalid(key, "the key stands twice in one object", "send every key once")
            seen.add(key)
    return found


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar and key of a value with its place, e.g. `output.lines.0.amount`."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield f"{place}.{key}" if place else key, key
            yield from walk(child, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from walk(child, f"{place}.{index}" if place else str(index))
    else:
        yield place, value


def _refuse_not_finite(value: Any, allowed: tuple[str, ...]) -> None:
    for place, scalar in walk(value):
        if isinstance(scalar, float) and not math.isfinite(scalar) and place not in allowed:
            raise _invalid(place or "body", "the number is not finite", "send a finite number or null")


def _refuse_huge_integers(value: Any) -> None:
    for place, scalar in walk(value):
        if isinstance(scalar, int) and scalar not in _INTEGERS:
            raise _invalid(place or "body", "the integer has more than 64 bits", "send it as a string")


def _refuse_nul(value: Any) -> None:
    for place, scalar in walk(value):
        if isinstance(scalar, str) and "\x00" in scalar:
            raise _holds_nul(place or "body")


def _refuse_half_surrogates(value: Any) -> None:
    for place, scalar in walk(value):
        if isinstance(scalar, str):
            try:
                scalar.encode("utf-8")
            except UnicodeEncodeError:
                raise _invalid(place, "it contains half a surrogate pair", "send whole characters") from None


def _holds_nul(place: str) -> Invalid:
    return _invalid(place, "it contains a NUL character", "remove U+0000; databases cannot store it")


def _too_deep() -> Invalid:
    return _invalid("body", f"it is nested more than {MAX_DEPTH} levels deep", "send a flatter document")


def _invalid(place: str, problem: str, mend: str) -> Invalid:
    place = place.encode(errors="replace").decode().replace("\x00", "␀")  # a key may itself be what cannot be sent back
    return Invalid(f"{place}: {problem}", places=[Place(place, problem, mend)])
