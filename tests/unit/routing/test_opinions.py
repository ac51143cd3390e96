"""What two people say of one output, and what many such pairs say of people and agent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from evidence import binomial
from routing.domain.opinions import Opinion, agree, name_of_first, times_of
from routing.opinions.figures import figures
from routing.opinions.queries import Counted
from routing.opinions.schemas import in_words

DECIDED = datetime(2026, 3, 2, 9, tzinfo=UTC)
APPROVED, REJECTED = Opinion("approve", "agree"), Opinion("reject", "override")


def edited(output: Any, verdict: str = "override") -> Opinion:
    return Opinion("edit", verdict, output)


def equal(one: Any, other: Any) -> bool:
    return bool(one == other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (APPROVED, APPROVED, True),
        (APPROVED, REJECTED, False),
        (REJECTED, edited("no"), True),
        (edited("no"), edited("no"), True),
        (edited("no"), edited("perhaps"), False),
        (APPROVED, edited("Yes", "agree"), True),
        (edited("Yes", "agree"), edited("YES", "agree"), True),
    ],
)
def test_two_people_agree_on_right_or_wrong_and_on_what_they_wrote_instead(
    one: Opinion, other: Opinion, same: bool
) -> None:
    assert agree(one, other, equal) is same
    assert agree(other, one, equal) is same


def test_the_name_says_nothing_about_who_was_first_and_never_changes() -> None:
    pairs = [(UUID(int=number), UUID(int=number + 5000)) for number in range(2000)]
    names = [name_of_first(*pair) for pair in pairs]

    assert names == [name_of_first(*pair) for pair in pairs]
    interval = binomial.interval(names.count("A"), len(names), 0.9999)
    assert interval.lower < 0.5 < interval.upper


def row(first: str, second: str | None, verdict: str | None = None, *, times: int = 1, who: str = "rita") -> Counted:
    """What two people said, and what was ruled between them."""
    same = None if second is None else first == second
    right = [None if verdict is None else said == verdict for said in (first, second)]
    return Counted(who, None if second is None else "ravi", first, second, same, verdict, right[0], right[1], times)


def test_errors_of_people_and_of_the_agent_are_counted_apart() -> None:
    found = figures(
        [
            row("agree", "agree", times=80),
            row("override", "override", times=10),
            row("agree", "override", "override", times=4),  # rita let an error pass
            row("override", "agree", "agree", times=2),  # rita overrode what was right
            row("agree", "override", "agree", times=4),  # ravi did
            row("agree", None, times=7),
        ]
    )

    assert (found.asked, found.given, found.adjudicated, found.unsettled) == (107, 100, 10, 0)
    assert (found.same.part, found.same.whole) == (90, 100)
    assert (found.agent.part, found.agent.whole) == (14, 100)
    assert (found.people.part, found.people.whole) == (6, 100)
    assert found.people.upper == pytest.approx(binomial.interval(6, 100).upper)
    rita, ravi = sorted(found.reviewers, key=lambda one: one.person, reverse=True)
    assert (rita.person, rita.wrong.part, rita.wrong.whole) == ("rita", 6, 100)
    assert (rita.found.sensitivity.part, rita.found.sensitivity.whole) == (10, 14)
    assert (rita.found.specificity.part, rita.found.specificity.whole) == (84, 86)
    assert (ravi.wrong.part, ravi.found.sensitivity.part, ravi.found.specificity.part) == (4, 14, 82)


def test_what_nobody_has_settled_may_turn_out_either_way() -> None:
    settled, open_ones = row("agree", "agree", times=90), row("agree", "override", times=10)
    found = figures([settled, open_ones])

    assert found.unsettled == 10
    assert (found.people.part, found.people.whole, found.people.share) == (0, 90, 0.0)
    assert found.people.lower == 0.0
    assert found.people.upper == pytest.approx(binomial.interval(10, 100).upper)
    assert "on 10 of them" in in_words(found)


def test_without_any_nothing_is_claimed() -> None:
    found = figures([])

    assert (found.same.share, found.people.share, found.agent.upper, found.reviewers) == (None, None, 1.0, ())
    assert found.coefficient.value is None
    assert in_words(found) == "No second opinion was given yet."


@pytest.mark.parametrize("line", [timedelta(hours=12), timedelta(hours=24), timedelta(minutes=5)])
@pytest.mark.parametrize("parts", [0, 0.1, 0.49, 0.5, 0.9, 1.0, 1.9, 40])
def test_a_second_look_is_never_as_old_as_what_is_passed_on_whenever_it_is_asked_for(
    line: timedelta, parts: float
) -> None:
    now = DECIDED + line * parts
    times = times_of(DECIDED, within=timedelta(hours=24), line=line, now=now)

    assert times.created_at == (DECIDED if parts < 0.5 else now)
    assert times.created_at <= now < times.anew_at <= now + line
    assert times.anew_at - times.created_at < line
    assert times.due_at - times.created_at == timedelta(hours=24)
