from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from routing.domain.reach import Limit, Reach
from routing.reviews.dealing import lines
from routing.reviews.dealing.lines import Known, Narrow

BOTH = Reach((1, 2))
MANY = tuple(f"s-{number}" for number in range(201))
ALL_BUT = Reach((1,), (Limit(1, "claims", all_but=True, segments=frozenset({"north"})),))
ONLY = Reach((1,), (Limit(1, "claims", all_but=False, segments=frozenset({"north"})),))


@pytest.mark.parametrize(
    ("narrow", "reach", "known"),
    [
        (Narrow(), BOTH, Known()),
        (Narrow("claims"), BOTH, Known()),
        (Narrow("claims", "north"), BOTH, Known()),
        (Narrow(), ONLY, Known((), ["claims", "refunds"])),
        (Narrow(), ALL_BUT, Known((), ["claims"], {"claims": ["", "north", "south"]})),
        (Narrow(), ALL_BUT, Known((), ["claims"], {"claims": MANY})),
    ],
)
def test_lines_that_claims_read_are_the_same_objects_each_time(narrow: Narrow, reach: Reach, known: Known) -> None:
    first, again = lines.lines(narrow, reach, known), lines.lines(narrow, reach, known)

    assert first
    assert [id(line) for line in first] == [id(line) for line in again]


def test_lines_that_the_list_of_the_queue_reads_put_out_none_of_those() -> None:
    claimed = lines.lines(Narrow("claims"), BOTH, Known())

    for number in range(1100):
        due = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=number)
        for narrow in (Narrow("claims", due_before=due), Narrow(case_id=f"c-{number}"), Narrow(kind="review")):
            lines.lines(narrow, BOTH, Known([UUID(int=number)]))

    again = lines.lines(Narrow("claims"), BOTH, Known())
    assert [id(line) for line in claimed] == [id(line) for line in again]
