import base64
import struct
import zlib
from typing import Any

import pytest

from review_ui.pictures import grey_png, picture
from review_ui.shown import show, show_all, steps_of
from rollout.agents.schemas import FieldView


def view(path: str, how: Any) -> FieldView:
    return FieldView(path=path, label="Field", show=how)


def test_fields_nobody_named_are_shown_too() -> None:
    shown = show_all({"a": 1, "b": "two", "c": {"d": 3}}, [view("/c/d", "number")], "Input")

    assert [(one.path, one.text) for one in shown] == [("/c/d", "3"), ("/a", "1"), ("/b", "two")]


def test_what_stands_beside_a_named_field_is_shown_too() -> None:
    shown = show_all({"c": {"d": 3, "e": 4}}, [view("/c/d", "number")], "Input")

    assert [(one.path, one.kind) for one in shown] == [("/c/d", "number"), ("/c", "json")]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "ftp://x", "//x", "https://", "https://a b", "java\nscript:x", 7],
)
def test_only_web_addresses_are_links(address: Any) -> None:
    shown = show({"link": address}, view("/link", "link"))

    assert shown.kind == "json"
    assert shown.address == ""


def test_a_web_address_is_a_link() -> None:
    assert show({"link": "https://example.org/a?b=c"}, view("/link", "link")).address == "https://example.org/a?b=c"


@pytest.mark.parametrize(
    "value",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64,bm90IGEgcG5n",
        "data:image/png;base64,!!!",
        "data:text/html;base64,eA==",
        [[1, 2], [3]],
        [[1, -1]],
        [[True]],
        [[float("nan")]],
        [[]],
        [],
        [["1"]],
        [[0] * 600] * 600,
        {"a": 1},
        None,
    ],
    ids=repr,
)
def test_what_is_not_plainly_a_picture_is_not_shown_as_one(value: Any) -> None:
    assert picture(value) is None


def test_a_table_of_numbers_is_drawn_dark_on_white_and_enlarged_with_hard_edges() -> None:
    drawn = picture([[0, 8], [16, 4]])

    assert drawn is not None
    assert (drawn.width, drawn.height, drawn.crisp) == (224, 224, True)
    png = base64.b64decode(drawn.source.partition(",")[2])
    assert struct.unpack(">II", png[16:24]) == (2, 2)
    length = struct.unpack(">I", png[33:37])[0]
    assert zlib.decompress(png[41 : 41 + length]) == bytes([0, 255, 127, 0, 0, 191])


def test_a_checked_png_is_shown_as_it_is() -> None:
    source = "data:image/png;base64," + base64.b64encode(grey_png([b"\x00"])).decode()

    assert picture(source) is not None


def test_a_list_of_objects_is_a_table_with_every_column() -> None:
    shown = show({"lines": [{"item": "Box", "price": 1.5}, {"item": "Film", "note": None}]}, view("/lines", "table"))

    assert shown.columns == ("Item", "Price", "Note")
    assert shown.rows == (("Box", "1.5", ""), ("Film", "", "–"))


@pytest.mark.parametrize(
    ("how", "value"),
    [("table", [1, 2]), ("table", "x"), ("image", 7), ("text", {"a": 1}), ("longtext", [1]), ("link", None)],
)
def test_a_value_that_is_not_what_its_field_says_is_shown_as_json(how: str, value: Any) -> None:
    assert show({"x": value}, view("/x", how)).kind == "json"


def test_a_field_that_is_not_there_is_told() -> None:
    assert show({"a": [1]}, view("/a/3/b", "text")).kind == "missing"


def test_a_moment_keeps_its_zone_and_a_day_is_a_day() -> None:
    assert show({"at": "2026-01-05T09:00:00Z"}, view("/at", "date")).at is not None
    assert show({"at": "2026-01-05"}, view("/at", "date")).text == "5 Jan 2026"
    assert show({"at": "soon"}, view("/at", "date")).text == "soon"


@pytest.mark.parametrize("trace", [None, [], ["read"], [None, 7, {}, {"name": {"x": 1}, "error": "boom"}]], ids=repr)
def test_any_list_is_a_trace(trace: Any) -> None:
    assert len(steps_of(trace)) == len(trace or [])


def test_the_steps_of_a_run_stand_in_a_row_under_the_names_of_those_they_belong_to() -> None:
    ask = {"name": "ask", "kind": "model", "seconds": 0.25, "usage": {"cost": 0.1}}
    look = {"name": "look up", "kind": "tool", "tool": "crm", "sources": [{"title": "Lost cards"}], "steps": [ask]}
    failed = {"name": "check", "error": {"kind": "ValueError", "words": "no such card"}}

    steps = steps_of([{"name": "run", "kind": "run", "traceparent": "00-…", "steps": [look, failed]}])

    assert [(step.name, step.failed) for step in steps] == [
        ("look up", False), ("look up › ask", False), ("check", True),
    ]  # fmt: skip
    assert "Lost cards" in steps[0].detail
    assert (steps[1].seconds, steps[2].detail) == ("0.2\u00a0s", "no such card")


def test_a_trace_that_is_nested_without_end_is_shown_in_part() -> None:
    deep: dict[str, Any] = {"name": "x"}
    for _ in range(500):
        deep = {"name": "x", "steps": [deep]}

    assert 1 < len(steps_of([deep] * 500)) <= 200
