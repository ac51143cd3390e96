"""What many judgements say of the agent and the people, in words."""

from routing.judgements.figures import figures
from routing.judgements.queries import Asked
from routing.judgements.schemas import in_words


def said(*, differed: bool, agent: bool, person: bool, times: int = 1) -> Asked:
    return Asked(differed, 0.5, 0.5, "paul", "judged", agent, person, times)


def test_of_cases_that_nobody_judged_nothing_is_said() -> None:
    alike = [said(differed=False, agent=True, person=True, times=3)]
    assert in_words(figures(alike)) == "Of 3 cases in which both said the same, 0 were wrong."

    apart = [said(differed=True, agent=True, person=False, times=2), said(differed=True, agent=True, person=True)]
    assert in_words(figures(apart)) == (
        "Of 3 cases in which the two differed, the agent was right in 3 and the person in 1."
    )


def test_an_error_that_both_made_is_told_with_how_many_it_is_one_of() -> None:
    rows = [
        said(differed=True, agent=False, person=True),
        said(differed=False, agent=True, person=True, times=4),
        said(differed=False, agent=False, person=False),
    ]
    assert in_words(figures(rows)) == (
        "Of 1 case in which the two differed, the agent was right in 0 and the person in 1. "
        "Of 5 cases in which both said the same, 1 was wrong."
    )
