"""
What people's verdicts are worth: planted errors found, whether seeing the answer sways them, and who was right.

Sources: Clopper, Pearson (1934) for gold items; the anytime bounds of `evidence.sequences` for blind against assisted,
which is watched; McNemar (1947), Psychometrika 12, in its exact form, for agent against person.
"""

from dataclasses import dataclass

import scipy

from evidence import binomial, sequences
from evidence.agreement.kappa import Share

GOLD_NEEDED = 50
"""With fewer planted items than this a bound on what a reviewer finds is too wide to correct anything by."""


@dataclass(frozen=True, slots=True)
class GoldAnswers:
    """
    How a reviewer did on planted items: the share of errors found, and of good outputs let pass.

    Each share has its exact two-sided interval; the lower bound at 97.5 % (for 95 % two-sided) is the cautious figure.
    """

    sensitivity: Share
    specificity: Share

    @property
    def enough(self) -> bool:
        """Whether `GOLD_NEEDED` errors or more were planted, so that the sensitivity can be relied on."""
        return self.sensitivity.whole >= GOLD_NEEDED


@dataclass(frozen=True, slots=True)
class BlindAgainstAssisted:
    """
    By how much the share of agreement is higher when the reviewer saw the output: automation bias when positive.

    `lower` and `upper` hold at all looks together. With nothing seen on a side the difference is `None`.
    """

    blind: Share
    assisted: Share
    difference: float | None
    lower: float
    upper: float

    @property
    def shown(self) -> bool:
        """Whether even the cautious bound says that seeing the output raises agreement."""
        return self.lower > 0.0


@dataclass(frozen=True, slots=True)
class WhoWasRight:
    """
    Agent against person on cases where they differ and a third verdict settled it.

    `agent_share` is the agent's share of the cases in which exactly one was right, with its exact interval; `p_value`
    is for "each is right as often as the other", two-sided; 1 when nothing was settled.
    """

    agent_only: int
    person_only: int
    agent_share: Share
    p_value: float


def gold_answers(
    found: int, planted_errors: int, let_pass: int = 0, planted_good: int = 0, confidence: float = 0.95
) -> GoldAnswers:
    """`found` of `planted_errors` overridden, `let_pass` of `planted_good` agreed with, by one reviewer or by all."""
    return GoldAnswers(
        sensitivity=_share(found, planted_errors, confidence, "found", "planted_errors"),
        specificity=_share(let_pass, planted_good, confidence, "let_pass", "planted_good"),
    )


def blind_against_assisted(
    blind: tuple[int, int], assisted: tuple[int, int], confidence: float = 0.95
) -> BlindAgainstAssisted:
    """
    Compare (agreed, cases) of reviewers who had not seen the output with those who had.

    The four one-sided bounds get a quarter of the doubt each, so all hold together at every look, and the bounds of
    the difference follow from them. That asks for comparable cases: draw the blind share at random.
    """
    delta = 1.0 - binomial.checked_rate(confidence, "confidence")
    unseen, seen = _watched(blind, delta, "blind"), _watched(assisted, delta, "assisted")
    known = unseen.share is not None and seen.share is not None
    return BlindAgainstAssisted(
        blind=unseen,
        assisted=seen,
        difference=seen.part / seen.whole - unseen.part / unseen.whole if known else None,
        lower=seen.lower - unseen.upper,
        upper=seen.upper - unseen.lower,
    )


def who_was_right(agent_only: int, person_only: int, confidence: float = 0.95) -> WhoWasRight:
    """Exact McNemar test on the cases in which exactly one of the two was right; of both or neither it says nothing."""
    agent_only = binomial.checked_whole(agent_only, "agent_only")
    person_only = binomial.checked_whole(person_only, "person_only")
    settled = agent_only + person_only
    p_value = float(scipy.stats.binomtest(agent_only, settled).pvalue) if settled else 1.0
    share = _share(agent_only, settled, confidence, "agent_only", "settled")
    return WhoWasRight(agent_only, person_only, share, p_value)


def _share(part: int, whole: int, confidence: float, part_name: str, whole_name: str) -> Share:
    part, whole = _checked(part, whole, part_name, whole_name)
    lower, upper = binomial.interval(part, whole, confidence)
    return Share(part, whole, part / whole if whole else None, lower, upper)


def _watched(counts: tuple[int, int], delta: float, name: str) -> Share:
    agreed, cases = _checked(*counts, f"{name} agreed", f"{name} cases")
    lower = sequences.lower_bound(agreed, cases, 1.0 - delta / 4.0)
    upper = sequences.upper_bound(agreed, cases, 1.0 - delta / 4.0)
    return Share(agreed, cases, agreed / cases if cases else None, lower, upper)


def _checked(part: int, whole: int, part_name: str, whole_name: str) -> tuple[int, int]:
    part, whole = binomial.checked_whole(part, part_name), binomial.checked_whole(whole, whole_name)
    if part > whole:
        raise ValueError(f"{part_name} must not exceed {whole_name}, but {part} > {whole}")
    return part, whole
