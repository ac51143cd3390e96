import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import errors, http
from kit.errors import Problem


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.TooLarge, 413),
        (errors.Invalid, 422),
        (errors.Unauthenticated, 401),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Unavailable, 503),
    ],
)
def test_every_kind_and_what_is_made_of_it_has_its_status(kind: type[Problem], status: int) -> None:
    special = type("Special", (kind,), {"code": "special"})

    assert http.status_of(kind("no")) == status
    assert http.status_of(special("no")) == status


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_cursor_leads_back_to_its_position(position: str) -> None:
    assert http.decode_cursor(http.encode_cursor(position)) == position


@pytest.mark.parametrize("cursor", [None, ""])
def test_no_cursor_means_the_beginning(cursor: str | None) -> None:
    assert http.decode_cursor(cursor) is None


@pytest.mark.parametrize("cursor", ["a", "_w", "äöü"])
def test_an_invented_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(errors.Invalid, match="not one of ours"):
        http.decode_cursor(cursor)


def test_an_entity_tag_depends_on_the_value_and_not_on_the_order_of_keys() -> None:
    assert http.entity_tag({"a": 1, "b": 2}) == http.entity_tag({"b": 2, "a": 1})
    assert http.entity_tag({"a": 1}) != http.entity_tag({"a": 2})
