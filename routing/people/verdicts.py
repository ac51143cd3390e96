"""
What the verdicts of several people on the same outputs say: how far people agree, and who was right where they did not.

Pure: verdicts in, figures out. A verdict says whether the agent's output was right ("agree") or not ("override").
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import NamedTuple
from uuid import UUID

import numpy as np

from evidence.agreement.kappa import Coefficient, Kappa, Share, cohen_kappa, gwet_ac1, percent_agreement
from evidence.agreement.krippendorff import AlphaInterval, alpha_interval, krippendorff_alpha
from evidence.agreement.reviewers import WhoWasRight, who_was_right
from evidence.agreement.tables import confusion, is_skewed, ratings
from routing.domain.judging import EXTRA, JUDGEMENT
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.people.queries import Given
from routing.tallies.queries import RULED

CATEGORIES = ("agree", "override")
PAIRS_SHOWN = 66
_OWN = frozenset({*RULED, "human_output", SECOND, ADJUDICATION})
"""Verdicts that come from a person's own look at a case. A reported failure is none: nobody reports what is right."""
_ELSEWHERE = frozenset({SECOND, JUDGEMENT, EXTRA})
"""Verdicts that have figures of their own; of judgements which cases were looked at was drawn by what had been said."""
_SEED = 20_260
"""Of the resamples behind the interval of alpha: the same verdicts always give the same interval."""


class Pair(NamedTuple):
    """Two people and the outputs that both gave a verdict on."""

    first: str
    second: str
    agreed: Share
    kappa: Kappa


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    How far people agree on outputs that two or more of them gave a verdict on.

    `same` counts the outputs of which all said the same. `advised` names the coefficient to read: AC1 where nearly all
    verdicts are of one kind, else alpha.
    """

    people: int
    same: Share
    alpha: Coefficient
    alpha_interval: AlphaInterval
    ac1: Coefficient
    advised: str
    pairs: tuple[Pair, ...]
    pairs_left_out: int


@dataclass(frozen=True, slots=True)
class Right:
    """
    First verdicts that a later one, of somebody else, has settled.

    `differed` compares agent and person where they differed; `both_right` and `both_wrong` are the outputs that the
    first person had agreed with.
    """

    differed: WhoWasRight
    both_right: int
    both_wrong: int


def agreement(given: Sequence[Given]) -> Agreement:
    """Of everybody the last verdict on an output counts. `given`: decision by decision, in the order given."""
    votes = [said for _, rows in _by_decision(given) if len(said := _last_by_person(rows)) > 1]
    table = ratings([list(said.values()) for said in votes], CATEGORIES)
    same = sum(len(set(said.values())) == 1 for said in votes)
    pairs = _pairs(votes)
    return Agreement(
        people=len({person for said in votes for person in said}),
        same=percent_agreement(same, len(votes)),
        alpha=krippendorff_alpha(table),
        alpha_interval=alpha_interval(table, seed=_SEED),
        ac1=gwet_ac1(table),
        advised="ac1" if is_skewed(table) else "alpha",
        pairs=tuple(pairs[:PAIRS_SHOWN]),
        pairs_left_out=max(0, len(pairs) - PAIRS_SHOWN),
    )


def right(given: Sequence[Given]) -> Right:
    """
    The first verdict of a named person against the last one of anybody else, a reported failure included.

    Where the second verdict is against the agent too, the person who differed counts as right, although nobody has
    said that what the person did instead was right.
    """
    found: Counter[tuple[str, str]] = Counter()
    for _, rows in _by_decision(given):
        first = next((row for row in rows if row.source in _OWN and row.person is not None), None)
        if first is None:
            continue
        others = [row for row in rows[rows.index(first) + 1 :] if _is_somebody_else(row, first)]
        if others:
            found[first.verdict, others[-1].verdict] += 1
    return Right(
        differed=who_was_right(agent_only=found["override", "agree"], person_only=found["override", "override"]),
        both_right=found["agree", "agree"],
        both_wrong=found["agree", "override"],
    )


def _is_somebody_else(row: Given, first: Given) -> bool:
    return row.person is not None and row.person != first.person and row.source not in _ELSEWHERE


def _by_decision(given: Iterable[Given]) -> Iterator[tuple[UUID, list[Given]]]:
    for decision_id, rows in groupby(given, key=lambda row: row.decision_id):
        yield decision_id, list(rows)


def _last_by_person(rows: Iterable[Given]) -> dict[str, str]:
    return {row.person: row.verdict for row in rows if row.person is not None and row.source in _OWN}


def _pairs(votes: Iterable[Mapping[str, str]]) -> list[Pair]:
    """Every two people who met on an output, those who met most often first."""
    said: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for vote in votes:
        for first, second in combinations(sorted(vote), 2):
            said.setdefault((first, second), []).append((vote[first], vote[second]))
    found = []
    for (first, second), both in said.items():
        table = confusion([one for one, _ in both], [other for _, other in both], CATEGORIES)
        agreed = percent_agreement(int(np.trace(table)), len(both))
        found.append(Pair(first, second, agreed, cohen_kappa(table)))
    return sorted(found, key=lambda pair: (-pair.agreed.whole, pair.first, pair.second))
