"""The comparators of one value: each answers `None` when the two are equal, or what is the matter."""

import bisect
import functools
import math
import re
import unicodedata
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rapidfuzz import fuzz

from evidence.comparing.result import shown
from evidence.comparing.rules import AnyRule, DateRule, ExactRule, FuzzyRule, NumberRule, TextRule

LONGEST_FUZZY = 50_000
"""Characters; the cost grows with the product of both lengths, and this much takes 40 ms."""

_READING, _READING_EACH = 70, 1300
"""What it takes to bring a character to its normal form, as characters x characters; more where each is looked at."""

_LONGEST_NUMBER = 400
_ARITHMETIC = Context(prec=50, traps=[])
"""Tolerances are what people wrote in decimals: 10.3 is within 0.1 of 10.2, although the floats are not."""


class Mismatch(NamedTuple):
    kind: str
    words: str


_LONG_TEXT = 40
_LEAD = 15


def differ(actual: Any, expected: Any, kind: str = "value", why: str = "") -> Mismatch:
    tail = f" ({why})" if why else ""
    if isinstance(actual, str) and isinstance(expected, str):
        skipped = _alike_for(actual, expected) - _LEAD
        if skipped > 0 and max(len(actual), len(expected)) > _LONG_TEXT:
            actual, expected = f"…{actual[skipped:]}", f"…{expected[skipped:]}"
    return Mismatch(kind, f"the human output has {shown(expected)}, the agent's {shown(actual)}{tail}")


def _alike_for(one: str, other: str) -> int:
    """How many characters two texts begin with in common; by halving, for they may be megabytes."""
    shorter = min(len(one), len(other))
    return bisect.bisect_left(range(1, shorter + 1), x=True, key=lambda size: one[:size] != other[:size])


def same(actual: Any, expected: Any) -> bool:
    """The same JSON value, without recursion; NaN is never the same, and neither are 1 and true."""
    pairs = [(actual, expected)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((one[name], other[name]) for name in one)
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif not _same_scalar(one, other):
            return False
    return True


def _same_scalar(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def fingerprint(value: Any) -> Hashable:
    """Equal for the same JSON values and only for them; recursive, so only for what is not too deep."""
    if isinstance(value, dict):
        return frozenset((name, fingerprint(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(fingerprint(item) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return object()
    return value if _is_number(value) else (type(value), value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare_exact(_rule: ExactRule, actual: Any, expected: Any) -> Mismatch | None:
    return None if same(actual, expected) else differ(actual, expected)


def normal_text(rule: TextRule | FuzzyRule, text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    if rule.ignore_case:
        text = unicodedata.normalize("NFKC", text.casefold())
    if rule.ignore_punctuation:
        text = "".join(" " if unicodedata.category(character)[0] == "P" else character for character in text)
    return " ".join(text.split()) if rule.ignore_whitespace else text


def compare_text(rule: TextRule, actual: Any, expected: Any) -> Mismatch | None:
    if isinstance(actual, str) and isinstance(expected, str):
        alike = actual == expected or normal_text(rule, actual) == normal_text(rule, expected)
        return None if alike else differ(actual, expected)
    return None if same(actual, expected) else differ(actual, expected, "type", "not both text")


_RATIOS: dict[str, Callable[[str, str], float]] = {
    "ratio": fuzz.ratio,
    "token_sort": fuzz.token_sort_ratio,
    "token_set": fuzz.token_set_ratio,
}


def compare_fuzzy(rule: FuzzyRule, actual: Any, expected: Any) -> Mismatch | None:
    if not (isinstance(actual, str) and isinstance(expected, str)):
        return None if same(actual, expected) else differ(actual, expected, "type", "not both text")
    if actual == expected:
        return None
    one, other = normal_text(rule, actual), normal_text(rule, expected)
    if one == other:
        return None
    if max(len(one), len(other)) > LONGEST_FUZZY:
        return Mismatch("error", f"text of more than {LONGEST_FUZZY} characters is not compared by likeness")
    likeness = _RATIOS[rule.method](one, other) / 100.0
    if likeness >= rule.threshold:
        return None
    return differ(actual, expected, why=f"alike to {likeness:.3f}, needed is {rule.threshold:g}")


def effort(rule: AnyRule, actual: Any, expected: Any) -> int:
    """What comparing two texts costs, in characters x characters; 0 for everything that is cheap."""
    if not isinstance(rule, TextRule | FuzzyRule):
        return 0
    if not (isinstance(actual, str) and isinstance(expected, str)) or actual == expected:
        return 0
    likened = isinstance(rule, FuzzyRule) and max(len(actual), len(expected)) <= LONGEST_FUZZY
    both = len(actual) * len(expected) if likened else 0
    return both + (_READING_EACH if rule.ignore_punctuation else _READING) * (len(actual) + len(expected))


def compare_number(rule: NumberRule, actual: Any, expected: Any) -> Mismatch | None:
    one, other = _number(rule, actual), _number(rule, expected)
    if one is None or other is None:
        return None if same(actual, expected) else differ(actual, expected, "type", "not both numbers")
    if one.is_nan() or other.is_nan():
        return differ(actual, expected, why="not a number")
    if one == other:
        return None
    if not (one.is_finite() and other.is_finite()):
        return differ(actual, expected)
    distance = _ARITHMETIC.abs(_ARITHMETIC.subtract(one, other))
    share = _ARITHMETIC.multiply(Decimal(repr(rule.relative)), max(one.copy_abs(), other.copy_abs()))
    return None if distance <= max(Decimal(repr(rule.absolute)), share) else differ(actual, expected)


def _number(rule: NumberRule, value: Any) -> Decimal | None:
    if isinstance(value, str):
        return _number_in_text(rule, value) if rule.strings else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    return Decimal(repr(value)) if isinstance(value, float) else None


_GROUPING = ", '\u2019\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"[+-]?((\d{{1,3}}(?P<apart>[{_GROUPING}])\d{{3}}((?P=apart)\d{{3}})*|\d+)(\.\d*)?|\.\d+)([eE][+-]?\d{{1,4}})?",
    re.ASCII,
)
_UNGROUPED = str.maketrans("", "", _GROUPING)
_SWAPPED = str.maketrans(",.", ".,")


def _number_in_text(rule: NumberRule, text: str) -> Decimal | None:
    """Thousands may be set apart, in groups of three; half a number is none."""
    if len(text) > _LONGEST_NUMBER:
        return None
    text = text.strip().replace("\u2212", "-")
    for symbol in rule.symbols:
        text = text.removeprefix(symbol).removesuffix(symbol).strip()
    if text.casefold() == "nan":
        return Decimal("NaN")
    if rule.decimal == ",":
        text = text.translate(_SWAPPED)
    return Decimal(text.translate(_UNGROUPED)) if _NUMBER.fullmatch(text) else None


def compare_date(rule: DateRule, actual: Any, expected: Any) -> Mismatch | None:
    if same(actual, expected):
        return None
    one, other = _moment(rule, actual), _moment(rule, expected)
    if one is None or other is None:
        return differ(actual, expected, "type", "not both dates")
    if rule.precision == "day":
        zone = ZoneInfo(rule.timezone)
        apart = timedelta(days=abs((_day(one, zone) - _day(other, zone)).days))
    else:
        apart = abs(one - other)
    return None if apart <= timedelta(days=rule.days) else differ(actual, expected)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _moment(rule: DateRule, value: Any) -> datetime | None:
    """Anything out of the calendar's range is no date, rather than an error."""
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    readers: list[Callable[[str], datetime]] = [datetime.fromisoformat]
    readers += [functools.partial(_by_format, form) for form in rule.formats]
    for read in readers:
        try:
            moment = read(value.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(rule.timezone))
            moment.astimezone(ZoneInfo(rule.timezone))
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _by_format(form: str, text: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the rule's, see `_moment`
