"""Numbers as people type them."""

import pytest

from review_ui.numbers import typed_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("40", 40.0), (" 2.50 ", 2.5), ("2,50", 2.5), ("2,5", 2.5), ("0,05", 0.05), ("1,000", 1000.0),
        ("1,000.5", 1000.5), ("12,345,678", 12_345_678.0), ("1\u00a0000", 1000.0), ("1'000", 1000.0), (".5", 0.5),
        ("5.", 5.0), ("-3", -3.0),
    ],
)  # fmt: skip
def test_a_number_is_read_as_its_writer_meant_it(text: str, number: float) -> None:
    assert typed_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "0,100", "1,0000", "1,00,000", "1,000'000", "1.000,5", "nan", "inf", "1e5", "0x10", "ten", "1 2"]
)
def test_what_is_none_or_could_be_two_is_refused(text: str) -> None:
    assert typed_number(text) is None


def test_a_number_beyond_all_measure_is_refused() -> None:
    assert typed_number("9" * 400) is None
