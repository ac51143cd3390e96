"""Lines of JSON: read strictly, told by number, kept byte for byte."""

from io import BytesIO

import pytest

from cli import jsonl
from cli.replay.recording import RecordedCase
from kit.errors import Invalid
from routing.cases.schemas import HumanOutputIn

GOOD = b'{"case_id": "a", "output": 1}\n'


def read(raw: bytes) -> list[tuple[int, int, bytes]]:
    return [(line.number, line.offset, line.raw) for line in jsonl.lines(BytesIO(raw))]


def test_blank_lines_are_no_lines_but_count_in_the_numbers() -> None:
    assert read(b"\n" + GOOD + b"  \n" + GOOD) == [(2, 1, GOOD), (4, 4 + len(GOOD), GOOD)]


def test_the_last_line_needs_no_end() -> None:
    assert read(GOOD + b"{}") == [(1, 0, GOOD), (2, len(GOOD), b"{}")]


def test_a_line_that_is_too_long_is_read_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LONGEST", 40)
    found = read(b'"' + b"x" * 1000 + b'"\n' + GOOD)
    assert [(number, offset) for number, offset, _ in found] == [(1, 0), (2, 1003)]
    with pytest.raises(Invalid, match="too long"):
        jsonl.parse(found[0][2], HumanOutputIn)
    assert jsonl.parse(found[1][2], HumanOutputIn).case_id == "a"


def test_a_byte_order_mark_is_no_content() -> None:
    assert jsonl.parse(b"\xef\xbb\xbf" + GOOD, HumanOutputIn).output == 1


def test_the_default_version_is_for_lines_that_name_none() -> None:
    line = b'{"case_id": "a", "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00Z"'
    assert jsonl.parse(line + b"}", RecordedCase, defaults={"version": "v1"}).version == "v1"
    assert jsonl.parse(line + b', "version": "v2"}', RecordedCase, defaults={"version": "v1"}).version == "v2"


@pytest.mark.parametrize(
    ("raw", "place", "problem"),
    [
        (b"[]", "line", "it is not a JSON object"),
        (b'{"case_id": "a"', "column 16", "expecting ',' delimiter"),
        (b'{"case_id": "a", "output": Infinity}', "output", "the number is not finite"),
        (b'{"case_id": "a", "output": 1, "output": 1}', "output", "the key stands twice in one object"),
        (b'{"case_id": "a", "output": 1, "who": 1}', "who", "extra inputs are not permitted"),
        (b'{"case_id": 5, "output": 1}', "case_id", "input should be a valid string"),
    ],
)
def test_a_broken_line_says_where_and_what(raw: bytes, place: str, problem: str) -> None:
    with pytest.raises(Invalid) as refused:
        jsonl.parse(raw, HumanOutputIn)
    found = jsonl.broken(7, refused.value)
    assert found.number == 7
    assert (found.places[0].place, found.places[0].problem) == (place, problem)
    assert found.words.startswith(f"{place}: {problem}")
