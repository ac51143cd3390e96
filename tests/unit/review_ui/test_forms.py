from typing import Any

import pytest

from kit.errors import Invalid
from review_ui.forms import PREFIX, out_fields, read_output
from review_ui.pages import Posted
from rollout.agents.schemas import FieldView

SCHEMA: dict[str, Any] = {
    "properties": {
        "total": {"type": "number"},
        "paid": {"type": "boolean"},
        "kind": {"enum": ["a", 1, "1", None]},
        "lines": {"type": "array", "items": {"properties": {"price": {"type": "number"}}}},
        "remark": {"type": ["string", "null"]},
    }
}
OUTPUT: dict[str, Any] = {
    "total": 12480.240000000001,
    "paid": True,
    "kind": 1,
    "lines": [{"price": 3}, {"price": 4.5}],
    "text": "one\r\ntwo",
    "big": 12345678901234567890,
}


def filled(output: Any, schema: Any = SCHEMA, named: list[FieldView] | None = None, **typed: str) -> Any:
    """The output as the form has it when these fields were typed over and the others sent as they were shown."""
    fields = out_fields(output, named or [], schema)
    sent = {one.name: one.value for one in fields} | {f"{PREFIX}/{name}": value for name, value in typed.items()}
    return read_output(output, fields, Posted.model_validate(sent))


@pytest.mark.parametrize(
    "output", [OUTPUT, {}, 7, "x", None, [1, {"a": None}], True, 1e300, "a\r\nb", {"": 1, "a.b": 2}], ids=repr
)
@pytest.mark.parametrize("schema", [None, SCHEMA, True], ids=["no schema", "schema", "true"])
def test_a_form_that_nobody_touched_gives_back_exactly_what_the_agent_said(output: Any, schema: Any) -> None:
    assert filled(output, schema) == output


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        ("total", "1,234.5", 1234.5),
        ("total", "1,234,567", 1234567),
        ("total", "12480,24", 12480.24),
        ("total", "1e3", 1000.0),
        ("total", "12\u00a0480.24", 12480.24),
        ("total", "\u22127", -7),
        ("paid", "false", False),
        ("kind", '"1"', "1"),
        ("kind", "null", None),
        ("lines", '[{"price": 9}]', [{"price": 9}]),
        ("text", "one\ntwo\nthree", "one\ntwo\nthree"),
        ("remark", "late", "late"),
    ],
)
def test_what_was_typed_is_read_as_what_the_field_is(field: str, typed: str, value: Any) -> None:
    result = filled(OUTPUT, **{field: typed})

    assert result == OUTPUT | {field: value}
    assert type(result[field]) is type(value)


@pytest.mark.parametrize(
    ("field", "typed", "complaint"),
    [
        ("total", "a lot", "Write 12480.24"),
        ("total", "1e999", "not a number"),
        ("total", "NaN", "not a number"),
        ("total", "12.480,24", "not a number"),
        ("total", "1,5,2", "not a number"),
        ("total", "12480,240", "not a number"),
        ("total", "-1,500", "It may mean -1500 or -1.5."),
        ("kind", '"z"', "not one of the choices"),
        ("lines", "[{", "not valid JSON"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field(field: str, typed: str, complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        filled(OUTPUT, **{field: typed})

    assert refused.value.places[0].place == f"/{field}"
    assert complaint in refused.value.places[0].problem


@pytest.mark.parametrize(
    ("field", "typed"), [("total", ""), ("paid", ""), ("kind", ""), ("lines", " "), ("remark", "")]
)
def test_what_the_schema_does_not_ask_for_can_be_taken_out(field: str, typed: str) -> None:
    output = OUTPUT | {"remark": "smudged"}

    assert filled(output, **{field: typed}) == {key: value for key, value in output.items() if key != field}
    assert filled({}, **{field: " "}) == {}


def test_what_the_schema_asks_for_is_not_taken_out_nor_where_nobody_knows() -> None:
    asked = SCHEMA | {"required": ["total"]}

    assert filled({"total": 1}, asked, total="") == {"total": None}  # which the schema then refuses
    assert filled({"remark": "x"}, None, remark="") == {"remark": ""}


def test_a_choice_that_the_agent_left_out_stays_out_until_one_is_made() -> None:
    fields = {one.path: one for one in out_fields({}, [], SCHEMA | {"required": ["kind"]})}

    for path in ("/kind", "/paid"):
        assert (fields[path].value, fields[path].options[0]) == ("", ("", "–"))  # else a browser sends the first


def test_a_field_deep_inside_is_changed_in_its_place() -> None:
    named = [FieldView(path="/lines/1/price", label="Price", show="number")]

    result = filled(OUTPUT, named=named, **{"lines/1/price": "5"})

    assert result["lines"] == [{"price": 3}, {"price": 5}]
    assert OUTPUT["lines"][1] == {"price": 4.5}


@pytest.mark.parametrize(("said", "choices"), [(2.0, [1, 2, 3]), (1, [True, False]), (True, [0, 1])], ids=repr)
def test_a_choice_that_only_looks_equal_is_shown_as_the_agent_said_it(said: Any, choices: list[Any]) -> None:
    (field,) = out_fields(
        {"kind": said}, [FieldView(path="/kind", label="Kind")], {"properties": {"kind": {"enum": choices}}}
    )

    assert field.value in dict(field.options)  # else a browser shows, and sends, the first of them
    assert repr(filled({"kind": said}, {"properties": {"kind": {"enum": choices}}})) == repr({"kind": said})
