"""Numbers as people type them. What could be read in two ways is read in none."""

import math
import re

_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([ ,'\u00a0\u2009\u202f])\d{3}(\1\d{3})*(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


def plainly(text: str) -> str | None:
    """
    The number without groups and with a decimal point, or None where it is none: 40, 2.50, 2,50 and 1,000.5 are.

    A comma before three digits groups thousands, before one or two it is the decimal sign; 1,0000 is neither.
    """
    text = text.strip()
    if _GROUPED.fullmatch(text):
        return re.sub(r"[^\d.+-]", "", text)
    if _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    return text if _PLAIN.fullmatch(text) else None


def typed_number(text: str) -> float | None:
    """The number, or None where it is none."""
    plain = plainly(text)
    number = math.nan if plain is None else float(plain)
    return number if math.isfinite(number) else None
