import base64
import struct
import zlib
from typing import Any

import pytest

from review_ui.pictures import grey_png, picture
from review_ui.shown import beside, show, show_all
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


def test_documents_that_follow_one_another_stand_side_by_side_and_all_else_alone() -> None:
    offer, order, short = "offer " * 100, "order " * 100, "Muster AG"
    fields = show_all({"who": short, "offer": offer, "order": order, "net": 7}, [], "Input")

    assert [[one.label for one in group] for group in beside(fields)] == [["Who"], ["Offer", "Order"], ["Net"]]


def test_only_a_picture_is_sensitive() -> None:
    where = {"path": "/x", "label": "Field", "show": "image", "sensitive": True}

    found = [show({"x": value}, FieldView.model_validate(where)) for value in ([[1]], "https://example.org/x", 7)]

    assert [(one.kind, one.sensitive) for one in found] == [("image", True), ("link", False), ("json", False)]
