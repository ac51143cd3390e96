"""
What second opinions say of the people who review and of the agent. Pure: counts in, figures out.

Which rulings were looked at twice was drawn, so these are shares of all rulings, each with its exact bounds. What the
two said alike is taken for the truth, and so is what was ruled between them: an error that both made in the same way is
in none of these figures. Where two differed and nobody has ruled between them yet, nobody knows who was wrong; the
bounds hold whatever it will turn out to be.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evidence import binomial
from evidence.agreement.kappa import Coefficient, Share, cohen_kappa, gwet_ac1, percent_agreement
from evidence.agreement.reviewers import GoldAnswers, gold_answers
from evidence.agreement.tables import is_skewed
from routing.opinions.queries import Counted

_SAID = ("agree", "override")


class Reviewer(NamedTuple):
    """
    One person, in either place. `found`: of the outputs that proved wrong, those this person did not let pass, and of
    those that proved right, those they did (`specificity`). `wrong`: of all their rulings that are settled.
    """

    person: str
    wrong: Share
    found: GoldAnswers


@dataclass(frozen=True, slots=True)
class Figures:
    """
    `given` of `asked`; `same` of the given. `settled`: both said the same, or somebody ruled between them. `agent`: the
    agent's outputs that were wrong; `people`: first rulings that were.
    """

    asked: int
    given: int
    same: Share
    coefficient: Coefficient
    coefficient_name: str  # kappa, or ac1 where nearly all verdicts are of one kind
    adjudicated: int
    unsettled: int
    agent: Share
    people: Share
    reviewers: tuple[Reviewer, ...]


def figures(rows: Sequence[Counted]) -> Figures:
    given = [row for row in rows if row.second is not None]
    unsettled = _times(row for row in given if _truth(row) is None)
    whole = _times(given)
    wrong_outputs = _times(row for row in given if _truth(row) == "override")
    wrong_firsts = _times(row for row in given if row.first_right is False)
    name, coefficient = _beyond_chance(given)
    return Figures(
        asked=_times(rows),
        given=whole,
        same=percent_agreement(_times(row for row in given if row.same), whole),
        coefficient=coefficient,
        coefficient_name=name,
        adjudicated=_times(row for row in given if row.verdict is not None),
        unsettled=unsettled,
        agent=_share(wrong_outputs, whole, unsettled),
        people=_share(wrong_firsts, whole, unsettled),
        reviewers=_reviewers(given),
    )


def _truth(row: Counted) -> str | None:
    """Whether the output was right; None while nobody knows."""
    return row.first_verdict if row.same else row.verdict


def _times(rows: Iterable[Counted]) -> int:
    return sum(row.times for row in rows)


def _share(part: int, whole: int, unsettled: int) -> Share:
    """With bounds that hold whichever way the unsettled ones turn out."""
    known = part / (whole - unsettled) if whole > unsettled else None
    lower, upper = binomial.interval(part, whole).lower, binomial.interval(part + unsettled, whole).upper
    return Share(part, whole - unsettled, known, lower, upper)


def _beyond_chance(given: Sequence[Counted]) -> tuple[str, Coefficient]:
    place = {said: number for number, said in enumerate(_SAID)}
    table = np.zeros((2, 2), dtype=np.int64)
    for row in given:
        if row.second_verdict is not None:
            table[place[row.first_verdict], place[row.second_verdict]] += row.times
    both_agree, differ, both_override = int(table[0, 0]), int(table[0, 1] + table[1, 0]), int(table[1, 1])
    ratings = np.repeat(np.array([[2, 0], [1, 1], [0, 2]]), [both_agree, differ, both_override], axis=0)
    return ("ac1", gwet_ac1(ratings)) if is_skewed(ratings) else ("kappa", cohen_kappa(table))


def _reviewers(given: Sequence[Counted]) -> tuple[Reviewer, ...]:
    counted: dict[str, dict[tuple[str, str], int]] = {}
    wrong: dict[str, int] = {}
    for row in given:
        truth = _truth(row)
        if truth is None:
            continue
        for person, said, right in (
            (row.first, row.first_verdict, row.first_right),
            (row.second or "", row.second_verdict or "", row.second_right),
        ):
            of_them = counted.setdefault(person, {})
            of_them[truth, said] = of_them.get((truth, said), 0) + row.times
            wrong[person] = wrong.get(person, 0) + (row.times if right is False else 0)
    return tuple(_reviewer(person, counted[person], wrong[person]) for person in sorted(counted))


def _reviewer(person: str, counts: dict[tuple[str, str], int], wrong: int) -> Reviewer:
    caught, missed = counts.get(("override", "override"), 0), counts.get(("override", "agree"), 0)
    confirmed, refused = counts.get(("agree", "agree"), 0), counts.get(("agree", "override"), 0)
    return Reviewer(
        person,
        percent_agreement(wrong, sum(counts.values())),
        gold_answers(caught, caught + missed, confirmed, confirmed + refused),
    )
