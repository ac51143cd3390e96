"""Values of many rows are written as the types of their columns would write them one by one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from kit import bulk
from kit.dialects import UtcTime

_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=_ZONES | st.just(UTC)))  # noqa: DTZ001
def test_a_time_is_written_as_its_type_writes_it(at: datetime) -> None:
    by_its_type = UtcTime().dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())

    assert by_its_type is not None
    assert bulk._utc_text(at) == by_its_type(at)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        bulk._utc_text(datetime(2026, 1, 1))  # noqa: DTZ001
