"""What goes over the wire about judgements."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from kit.wire import Out
from rollout.domain import words
from routing.domain.scope import Scope
from routing.judgements.figures import Figures


class RateOut(Out):
    """
    Of all cases that an agent and people did apart from each other, drawn or not. `share` is null where nobody has
    judged a kind of them; `lower` and `upper` hold with 95 % confidence, whichever way unjudged ones would turn out.
    """

    share: float | None
    lower: float
    upper: float


class PersonOut(Out):
    """How often one person is wrong, from `judged` of their cases. `person` is null for all of nobody in particular."""

    person: str | None
    judged: int
    wrong: RateOut


class SharesOut(Out):
    differing: float
    same: float


class DifferedOut(Out):
    """Judged comparisons that differed, by who was right."""

    agent: int
    person: int
    both: int
    neither: int


class SameOut(Out):
    """Judged comparisons in which both said the same."""

    right: int
    wrong: int


class JudgementsOut(Out):
    """
    Who was right, of cases decided from `since` to before `until`, judged by somebody who did not see whose output was
    whose. All but `left_out`, which were drawn with other `shares`; `unjudged`: nobody said it in time.
    `for_nobody`: of what waits, that which nobody may judge.
    """

    agent: str
    version: str | None
    since: datetime
    until: datetime
    shares: SharesOut | None
    asked: int
    judged: int
    open: int
    unjudged: int
    for_nobody: int
    left_out: int
    differed: DifferedOut
    same: SameOut
    agent_wrong: RateOut
    people_wrong: RateOut
    people: Annotated[list[PersonOut], Field(max_length=200)]
    words: str


_NOTHING = RateOut(share=None, lower=0.0, upper=1.0)


def judgements_out(scope: Scope, found: Figures | None, *, for_nobody: int) -> JudgementsOut:
    where = {"agent": scope.agent, "version": scope.version, "since": scope.since, "until": scope.until}
    if found is None:
        return JudgementsOut(
            **where, shares=None, asked=0, judged=0, open=0, unjudged=0, for_nobody=0, left_out=0,
            differed=DifferedOut(agent=0, person=0, both=0, neither=0), same=SameOut(right=0, wrong=0),
            agent_wrong=_NOTHING, people_wrong=_NOTHING, people=[], words=in_words(None),
        )  # fmt: skip
    return JudgementsOut(
        **where,
        shares=SharesOut(differing=found.shares.differing, same=found.shares.same),
        asked=found.asked,
        judged=found.judged,
        open=found.open,
        unjudged=found.unjudged,
        for_nobody=for_nobody,
        left_out=found.left_out,
        differed=DifferedOut(
            agent=found.agent_alone, person=found.person_alone, both=found.both, neither=found.neither
        ),
        same=SameOut(right=found.same_right, wrong=found.same_wrong),
        agent_wrong=RateOut.model_validate(found.agent),
        people_wrong=RateOut.model_validate(found.people),
        people=[
            PersonOut(person=one.name, judged=one.judged, wrong=RateOut.model_validate(one.wrong))
            for one in found.persons
        ],
        words=in_words(found),
    )


def in_words(found: Figures | None) -> str:
    """Who was right, for somebody who has to act on it."""
    if found is None:
        return "Nothing can be said yet: no case that an agent and a person did apart from each other was drawn."
    if not found.judged:
        return "Nothing can be said yet: nobody has judged a case that was drawn."
    differed = found.agent_alone + found.person_alone + found.both + found.neither
    told = []
    if differed:
        agent, person = found.agent_alone + found.both, found.person_alone + found.both
        told.append(
            f"Of {words.plural(differed, 'case')} in which the two differed, the agent was right in {agent:,} and the "
            f"person in {person:,}."
        )
    if same := found.same_right + found.same_wrong:
        wrong = f"{found.same_wrong:,} {'was' if found.same_wrong == 1 else 'were'} wrong"
        told.append(f"Of {words.plural(same, 'case')} in which both said the same, {wrong}.")
    return " ".join(told)
