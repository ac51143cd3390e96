import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kit import errors, wire
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

    assert wire.status_of(kind("no")) == status
    assert wire.status_of(special("no")) == status


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1))
def test_a_cursor_leads_back_to_its_position(position: str) -> None:
    assert wire.decode_cursor(wire.encode_cursor(position)) == position


@pytest.mark.parametrize("cursor", [None, ""])
def test_no_cursor_means_the_beginning(cursor: str | None) -> None:
    assert wire.decode_cursor(cursor) is None


@pytest.mark.parametrize("cursor", ["a", "_w", "äöü"])
def test_an_invented_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(errors.Invalid, match="not one of ours"):
        wire.decode_cursor(cursor)


def test_an_entity_tag_depends_on_the_value_and_not_on_the_order_of_keys() -> None:
    assert wire.entity_tag({"a": 1, "b": 2}) == wire.entity_tag({"b": 2, "a": 1})
    assert wire.entity_tag({"a": 1}) != wire.entity_tag({"a": 2})


class _Happened(wire.Strict):
    at: wire.Moment


class TestMoment:
    @pytest.mark.parametrize(
        ("given_one", "stored"),
        [
            ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00+00:00"),
            ("2026-01-05T09:00:00+05:30", "2026-01-05T03:30:00+00:00"),
            ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
            ("2200-12-31T23:59:59Z", "2200-12-31T23:59:59+00:00"),
        ],
    )
    def test_is_a_time_in_utc(self, given_one: str, stored: str) -> None:
        assert _Happened.model_validate({"at": given_one}).at.isoformat() == stored

    @pytest.mark.parametrize(
        "given_one",
        [
            pytest.param("0001-01-01T00:00:00+23:00", id="before the calendar begins"),
            pytest.param("9999-12-31T23:59:59-23:00", id="after it ends"),
            pytest.param("0001-01-01T00:00:00Z", id="year one"),
            pytest.param("1900-01-01T00:00:00+01:00", id="the century before, in UTC"),
            pytest.param("2201-01-01T00:00:00Z", id="a later century"),
        ],
    )
    def test_too_far_away_is_refused_with_place_and_mend(self, given_one: str) -> None:
        with pytest.raises(ValidationError) as refused:
            _Happened.model_validate({"at": given_one})

        (place,) = wire.invalid_from(refused.value.errors()).places
        assert (place.place, place.problem) == ("at", "it is too far from the present to be a time of work")
        assert "1900 to 2200" in place.mend

    def test_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            _Happened.model_validate({"at": "2026-01-05T09:00:00"})
