from datetime import UTC, datetime

import pytest
from fastapi import Request

from review_ui.pages import day_begins

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("phasegate_zone=Pacific/Auckland", datetime(2026, 3, 8, 11, tzinfo=UTC)),
        ("phasegate_zone=America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),  # an hour later by the clock since
        ("phasegate_zone=../../etc/passwd", datetime(2026, 3, 8, tzinfo=UTC)),
        ("phasegate_zone=", datetime(2026, 3, 8, tzinfo=UTC)),
        ("", datetime(2026, 3, 8, tzinfo=UTC)),
    ],
)
def test_the_day_begins_where_the_reader_is(said: str, begins: datetime) -> None:
    request = Request({"type": "http", "headers": [(b"cookie", said.encode())]})

    assert day_begins(request, NOON) == begins
