"""
Who was right where an agent and a person did the same case apart from each other: what a third person may say of it,
and what it means for either. Pure.

The third person sees two outputs, A and B, and not whose they are. Which comparisons are looked at is drawn: of those
that differ one share, of those that say the same another, each with the same position of the case. Cases below both
shares are therefore a fair sample of all comparisons, and theirs alone are labels that count; the others are looked at
to tell more, and would tilt what gates count.
"""

from typing import Literal, NamedTuple

JUDGEMENT, EXTRA = "judgement", "extra_judgement"
"""The kind of a review item, and of labels: those that count, and those drawn only because the two differed."""

JUDGE, JUDGED = "judge", "judged"
"""What the ruling on such an item is called, and its state: never a word that would tell whose output was right."""

ASKED_LANES = frozenset({"shadow", "human"})
"""Where a person did the case without the agent's help."""

Which = Literal["A", "B"]
Right = Literal["A", "B", "both", "neither"]


class Shares(NamedTuple):
    """How probable it is that a comparison is looked at: where the two differ, and where they say the same."""

    differing: float
    same: float

    def of(self, *, differed: bool) -> float:
        return self.differing if differed else self.same


class Verdicts(NamedTuple):
    agent_right: bool
    person_right: bool


def which_is_agent(position: float) -> Which:
    """Under which name the agent's output is shown, by a draw of the case; never by who came first."""
    return "A" if position < 0.5 else "B"  # noqa: PLR2004 - a coin


def counts(position: float, shares: Shares) -> bool:
    """Whether the case would have been looked at whatever the comparison said."""
    return position < min(shares)


def verdicts(said: Right, agent_is: Which) -> Verdicts:
    if said in {"both", "neither"}:
        return Verdicts(said == "both", said == "both")
    return Verdicts(said == agent_is, said != agent_is)
