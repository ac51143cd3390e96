"""Outputs that agents might have, and a comparator that somebody might install."""

import math
from typing import Any

from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def holds_nan(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_nan(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_nan(item) for item in value)
    if isinstance(value, str):
        return value.strip().casefold() == "nan"
    return isinstance(value, float) and math.isnan(value)


def both_even(output: Any, human_output: Any, options: dict[str, Any]) -> Any:
    if "answer" in options:
        return options["answer"]
    return output % 2 == human_output % 2
