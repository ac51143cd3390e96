"""What goes over the wire about second opinions."""

from datetime import datetime

from kit.wire import Out
from rollout.domain import words
from rollout.reviewers.schemas import ShareOut
from routing.opinions.figures import Figures, Reviewer
from routing.opinions.report import Report


class CoefficientOut(Out):
    """Agreement beyond chance: 1 is full agreement, 0 what chance gives; null when undefined, and `reason` says why."""

    name: str  # kappa | ac1
    value: float | None
    reason: str | None


class OpinionatedOut(Out):
    """
    One person in either place. `wrong`: of their rulings that are settled. `sensitivity`: of the outputs that proved
    wrong, those they did not let pass; `specificity`: of those that proved right, those they did.
    """

    person: str
    wrong: ShareOut
    sensitivity: ShareOut
    specificity: ShareOut


class SecondOpinionsOut(Out):
    """
    Rulings that were drawn for a second person. `same`: of the given ones. `agent_error` and `people_error`: outputs,
    and first rulings, that proved wrong; the bounds hold whichever way the `unsettled` ones turn out, those on which
    two differed and nobody has ruled. `for_nobody`: of what waits, that which nobody may rule on.
    """

    agent: str
    version: str | None
    since: datetime
    until: datetime
    asked: int
    given: int
    not_given: int
    waiting: int
    to_adjudicate: int
    for_nobody: int
    same: ShareOut
    beyond_chance: CoefficientOut
    adjudicated: int
    unsettled: int
    agent_error: ShareOut
    people_error: ShareOut
    reviewers: list[OpinionatedOut]
    words: str


def second_opinions_out(found: Report) -> SecondOpinionsOut:
    figures = found.figures
    return SecondOpinionsOut(
        agent=found.scope.agent,
        version=found.scope.version,
        since=found.scope.since,
        until=found.scope.until,
        asked=figures.asked,
        given=figures.given,
        not_given=found.not_given,
        waiting=found.waiting,
        to_adjudicate=found.to_adjudicate,
        for_nobody=found.for_nobody,
        same=ShareOut.of(figures.same),
        beyond_chance=CoefficientOut(
            name=figures.coefficient_name, value=figures.coefficient.value, reason=figures.coefficient.reason
        ),
        adjudicated=figures.adjudicated,
        unsettled=figures.unsettled,
        agent_error=ShareOut.of(figures.agent),
        people_error=ShareOut.of(figures.people),
        reviewers=[_reviewer(one) for one in figures.reviewers],
        words=in_words(figures),
    )


def _reviewer(one: Reviewer) -> OpinionatedOut:
    return OpinionatedOut(
        person=one.person,
        wrong=ShareOut.of(one.wrong),
        sensitivity=ShareOut.of(one.found.sensitivity),
        specificity=ShareOut.of(one.found.specificity),
    )


def in_words(found: Figures) -> str:
    """What they say, for somebody who answers for the people and the agent."""
    if found.given == 0:
        return "No second opinion was given yet."
    told = f"A second person looked at {words.plural(found.given, 'ruling')} and said the same of {found.same.part:,}."
    people, agent = found.people, found.agent
    told += f" Between {words.at_least(people.lower)} and {words.at_most(people.upper)} of rulings are wrong,"
    told += f" and between {words.at_least(agent.lower)} and {words.at_most(agent.upper)} of the outputs ruled on"
    told += f" ({words.sure(0.95)} each). What two people get wrong in the same way is in neither."
    if found.unsettled:
        those = "one" if found.unsettled == 1 else f"{found.unsettled:,}"
        told += f" Nobody has ruled yet between two people on {those} of them; the bounds allow for either."
    return told
