"""What goes over the wire about teams, skills and what queues take."""

from typing import Annotated

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict

LONGEST_TAG, LONGEST_SEGMENT = 64, 128
MOST_TEAMS, MOST_SKILLS, MOST_SKILLS_OF_A_QUEUE = 50, 100, 20

Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=LONGEST_TAG)]


class SkillsIn(Strict):
    """The teams a person is in and what they can do: languages, subjects. Exactly these."""

    teams: Annotated[tuple[Tag, ...], Field(max_length=MOST_TEAMS)] = ()
    skills: Annotated[tuple[Tag, ...], Field(max_length=MOST_SKILLS)] = ()


class SkillsOut(Out):
    login: str
    teams: list[str]
    skills: list[str]


class QueueIn(Strict):
    """Whose queue it is and what its cases take; an empty segment is all that no other queue of the agent names."""

    segment: Annotated[str, StringConstraints(max_length=LONGEST_SEGMENT)] = ""
    team: Tag | None = None
    skills: Annotated[tuple[Tag, ...], Field(max_length=MOST_SKILLS_OF_A_QUEUE)] = ()


class QueuesIn(Strict):
    """All queues of an agent that take something; none: everybody who reviews is dealt its cases."""

    queues: Annotated[tuple[QueueIn, ...], Field(max_length=200)] = ()


class ReviewerOut(Out):
    login: str
    teams: list[str]
    skills: list[str]
    lead: bool


class QueueStaffOut(Out):
    """`able`: who has what it takes; `leads`: its second line. With nobody able, the leads get its cases too."""

    agent: str
    segment: str
    team: str | None
    skills: list[str]
    able: list[str]
    leads: list[str]


class TeamsOut(Out):
    people: list[ReviewerOut]
    queues: list[QueueStaffOut]
