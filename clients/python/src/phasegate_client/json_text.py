"""
Turns what an agent holds into JSON text that is always valid, and reads JSON text without trusting it.

Numbers that JSON does not know are sent as the words "NaN", "Infinity" and "-Infinity", so that the case is stored
and the server can judge it. Not in an output: the agent would act on one thing and the record would show another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any, NoReturn
from uuid import UUID

from phasegate_client.errors import MalformedAnswer, Unsendable


def encode(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:  # lone surrogates and endless integers land here
        raise Unsendable(f"the request is not JSON: {error}") from error


def as_json(value: Any, place: str, *, words_for_non_finite: bool = True) -> Any:
    """
    The same value in JSON's own types; `Unsendable` when there is none.

    Accepts beside them: NumPy and pandas scalars and arrays, enums, tuples, any mapping, dates and times,
    decimals and UUIDs (as text).
    """
    try:
        return _Converter(words_for_non_finite=words_for_non_finite).convert(value, place)
    except RecursionError:
        raise Unsendable(f"{place} is nested too deeply, or contains itself") from None


class _Converter:
    def __init__(self, *, words_for_non_finite: bool) -> None:
        self.words_for_non_finite = words_for_non_finite

    def convert(self, value: Any, place: str) -> Any:  # noqa: PLR0911 - one line for each kind of value
        if isinstance(value, Enum):
            return self.convert(value.value, place)
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            return self._number(float(value), place)
        if isinstance(value, Mapping):
            return self._object(value, place)
        if isinstance(value, (list, tuple)):
            return [self.convert(item, f"{place}[{index}]") for index, item in enumerate(value)]
        return self._other(value, place)

    def _number(self, value: float, place: str) -> float | str:
        if math.isfinite(value):
            return value
        if self.words_for_non_finite:
            return non_finite_word(value)
        raise Unsendable(f"{place} is {non_finite_word(value)}, which is not a JSON number")

    def _object(self, value: Mapping[Any, Any], place: str) -> dict[str, Any]:
        converted: dict[str, Any] = {}
        for key, item in value.items():
            name = str(int(key)) if isinstance(key, Integral) and not isinstance(key, bool) else key
            if not isinstance(name, str):
                raise Unsendable(f"{place} has the key {key!r}, which is not text")
            if name in converted:
                raise Unsendable(f"{place} has the key {name!r} twice")
            converted[name] = self.convert(item, f"{place}.{name}")
        return converted

    def _other(self, value: Any, place: str) -> Any:
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (Decimal, UUID)):
            return str(value)
        to_python = getattr(value, "tolist", None)  # NumPy's arrays, booleans and scalars, without importing NumPy
        if callable(to_python):
            plain = to_python()
            if type(plain) is not type(value):
                return self.convert(plain, place)
        raise Unsendable(f"{place} is a {type(value).__name__}, which has no JSON form")


def confidence_as_json(confidence: Any) -> Any:
    """Whatever the agent called its confidence, in a form that is stored: only a number from 0 to 1 counts as valid."""
    if confidence is None or isinstance(confidence, (bool, str)):
        return confidence
    try:
        number = float(confidence)  # Decimal, NumPy and one-element tensors all know this
    except (TypeError, ValueError, OverflowError):
        return f"not a number: {type(confidence).__name__}"
    return number if math.isfinite(number) else non_finite_word(number)


def non_finite_word(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def decode(text: bytes) -> Any:
    """Read an answer; a key given twice or a NaN is a doubt like any other."""
    try:
        return json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except MalformedAnswer:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"the answer is not JSON: {error}") from error


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise MalformedAnswer("the answer has a key twice")
    return read


def _no_constant(word: str) -> NoReturn:
    raise MalformedAnswer(f"the answer contains {word}, which is not JSON")
