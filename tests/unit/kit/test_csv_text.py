"""What is written into cells comes back as it was, and no spreadsheet runs it."""

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import csv_text


def read(line: bytes) -> list[str]:
    return next(csv.reader(StringIO(line.decode(), newline="")))


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00")), min_size=1))
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    assert [csv_text.plain(cell) for cell in read(csv_text.line(texts))] == texts


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1"])
def test_a_text_is_never_a_formula(text: str) -> None:
    assert read(csv_text.line([text])) == [f"'{text}"]


def test_other_kinds_are_written_as_everybody_reads_them() -> None:
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    cells = [None, True, False, 3, -0.5, at, csv_text.json_cell(-1), csv_text.json_cell({"a": "=1"})]

    assert read(csv_text.line(cells)) == ["", "true", "false", "3", "-0.5", "2026-01-05T09:00:00Z", "-1", '{"a":"=1"}']


def test_a_row_is_told_by_the_line_it_begins_on() -> None:
    file = StringIO('a,b\n1,"two\nlines"\n\n3,4\n', newline="")

    assert list(csv_text.rows(file)) == [(1, ["a", "b"]), (2, ["1", "two\nlines"]), (5, ["3", "4"])]
