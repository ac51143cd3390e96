"""
Reads a JSON body strictly, and says where it is wrong.

Ordinary parsers let through what no two systems read alike: doubled keys, NUL bytes, half surrogates,
NaN, numbers too large for a float, ten thousand levels of nesting. Each of them would either break one
of the two databases or change silently on the way. All of them are refused here with their place, but
for a NaN as confidence, which is an answer of the agent that must be stored (and means a person).

A body in which nothing of this can be is read by a quick parser, any other by a thorough one that finds the
place. To both the same value means the same.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

from kit.errors import Invalid, Place

MAX_DEPTH = 64
_MAYBE_INFINITE = re.compile(rb"[eE]\+?\d{3}|\d{200}")
_INTEGERS = range(-(2**63), 2**64)  # what other systems, and our own answers, can hold
_ANY_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_DIGITS_TO_ZERO = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
_MAYBE_HUGE = b"0" * 19

_LOOK_CLOSER = object()


def parse(raw: bytes, *, nan_allowed_at: tuple[str, ...] = ()) -> Any:
    """The parsed value; raises Invalid with the place of the first thing that is wrong."""
    value = _quickly(raw)
    if value is _LOOK_CLOSER:
        thorough = _Thorough(raw)
        thorough.refuse(thorough.value, nan_allowed_at)
        return thorough.value
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise _too_deep()
    return value


def parse_list(raw: bytes, name: str, *, nan_allowed_at: tuple[str, ...] = ()) -> tuple[Any, dict[int, Invalid]]:
    """
    A body whose list under `name` holds documents that have nothing to do with one another: the value, and what
    is wrong with single ones of them, by their number. What is wrong with the rest of the body is raised.
    """
    value, thorough = _quickly(raw), None
    if value is _LOOK_CLOSER:
        thorough = _Thorough(raw)
        value = thorough.value
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list):
        return parse(raw), {}
    rest = {key: part for key, part in value.items() if key != name}
    refuse = thorough.refuse if thorough is not None else _refuse_depth
    if thorough is not None and (key := thorough.doubled_key(value)) is not None:
        raise _doubled(key)
    refuse(rest, ())
    wrong: dict[int, Invalid] = {}
    for number, item in enumerate(items):
        try:
            refuse(item, nan_allowed_at)
        except Invalid as refused:
            wrong[number] = refused
    return value, wrong


def _quickly(raw: bytes) -> Any:
    """`_LOOK_CLOSER` where anything might be wrong; all but its depth, which is a matter of its own."""
    if b"\\u0000" in raw or b"\\u003" in raw or _MAYBE_HUGE in raw.translate(_DIGITS_TO_ZERO):
        return _LOOK_CLOSER
    try:
        value = orjson.loads(raw)
        # Of a key that stands twice one pair is gone, and its colon with it. All strings still have theirs.
        return value if raw.count(b":") == orjson.dumps(value).count(b":") else _LOOK_CLOSER
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _LOOK_CLOSER


class _Thorough:
    """A body read by a parser that hides nothing, and what may be wrong in it."""

    def __init__(self, raw: bytes) -> None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _invalid("body", f"byte {error.start} is not UTF-8", "send the body as UTF-8") from None
        if b"\x00" in raw:
            raise _holds_nul("body")
        # A glance at the bytes tells which long looks are needed.
        self._maybe_infinite = _MAYBE_INFINITE.search(raw) is not None
        self._maybe_huge = _MAYBE_HUGE in raw.translate(_DIGITS_TO_ZERO)
        self._maybe_nul = b"\\u0000" in raw  # or a backslash, escaped, before five ordinary characters
        self._maybe_half = _ANY_SURROGATE.search(raw) is not None
        self._doubled: dict[int, tuple[dict[str, Any], str]] = {}  # by identity; the object is kept, so is its id
        try:
            self.value = json.loads(text, object_pairs_hook=self._object, parse_constant=self._constant)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise _invalid(place, error.msg[0].lower() + error.msg[1:], "send valid JSON (RFC 8259)") from None
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise _invalid("body", str(error), "send numbers of a sensible length") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self._doubled[id(found)] = found, key
        return found

    def _constant(self, name: str) -> float:
        self._maybe_infinite = True
        return float(name)

    def doubled_key(self, value: Any) -> str | None:
        """A key that stands twice in this very object, not in one inside of it."""
        found = self._doubled.get(id(value))
        return found[1] if found is not None else None

    def refuse(self, value: Any, nan_allowed_at: tuple[str, ...]) -> None:
        """Raise what is wrong with the body, or with this part of it."""
        _refuse_depth(value)
        for container in _containers(value) if self._doubled else ():
            if (key := self.doubled_key(container)) is not None:
                raise _doubled(key)
        if self._maybe_infinite:
            _refuse_not_finite(value, nan_allowed_at)
        if self._maybe_huge:
            _refuse_huge_integers(value)
        if self._maybe_nul:
            _refuse_nul(value)
        if self._maybe_half:
            _refuse_half_surrogates(value)


def _refuse_depth(value: Any, _nan_allowed_at: tuple[str, ...] = ()) -> None:
    if _deeper_than(value, MAX_DEPTH):
        raise _too_deep()


def _deeper_than(value: Any, limit: int) -> bool:
    """Whether something stands below that many levels of objects and lists."""
    if not isinstance(value, dict | list) or not value:
        return False
    if limit == 1:
        return True
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list) and _deeper_than(child, limit - 1):
            return True
    return False


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from _containers(child)


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


def _doubled(key: str) -> Invalid:
    return _invalid(key, "the key stands twice in one object", "send every key once")


def _too_deep() -> Invalid:
    return _invalid("body", f"it is nested more than {MAX_DEPTH} levels deep", "send a flatter document")


def _invalid(place: str, problem: str, mend: str) -> Invalid:
    place = place.encode(errors="replace").decode().replace("\x00", "␀")  # a key may itself be what cannot be sent back
    return Invalid(f"{place}: {problem}", places=[Place(place, problem, mend)])
