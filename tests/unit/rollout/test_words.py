import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain import words
from rollout.domain.verdict import as_json


def number(said: str) -> float:
    return float(said.split("\u00a0", maxsplit=1)[0])


@given(st.floats(0, 1))
def test_a_bound_is_rounded_to_the_careful_side(share: float) -> None:
    assert number(words.at_most(share)) >= share * 100 - 1e-6
    assert number(words.at_least(share)) <= share * 100 + 1e-6
    assert number(words.at_most(share)) - number(words.at_least(share)) <= 0.1 + 1e-9


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.at_most(0.0304), "3.1 %"),
        (words.at_most(0.03), "3.0 %"),
        (words.at_most(1.7), "100.0 %"),
        (words.at_least(0.0309), "3.0 %"),
        (words.at_least(-0.1), "0.0 %"),
        (words.percent(0.04), "4 %"),
        (words.percent(0.005), "0.5 %"),
        (words.percent(0.07), "7 %"),
        (words.sure(0.95), "95 % sure"),
        (words.sure(0.9999), "99.9 % sure"),
        (words.plural(1, "case"), "1 case"),
        (words.plural(1747, "case"), "1,747 cases"),
        (words.day(date(2026, 11, 3)), "3 Nov 2026"),
        (words.moment(datetime(2026, 11, 3, 9, 5, tzinfo=UTC)), "3 Nov, 09:05 UTC"),
    ],
)
def test_figures_are_written_as_the_pages_write_them(said: str, expected: str) -> None:
    assert said.replace("\u00a0", " ") == expected


def test_what_is_no_finite_number_is_stored_as_nothing() -> None:
    assert as_json([math.inf, -math.inf, math.nan, 1.5, None]) == [None, None, None, 1.5, None]
