"""`phasegate analyse agreement`: how far people agree with each other, and with the agent."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from cli.analysing.columns import Read, Row, read
from cli.analysing.shared import File, end, refusing
from cli.output import AsJson, good, print_json, print_table
from evidence.agreement.kappa import Coefficient, Kappa, Share, cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement
from evidence.agreement.krippendorff import AlphaInterval, alpha_interval, krippendorff_alpha
from evidence.agreement.latent import Vote, dawid_skene, is_advised
from evidence.agreement.tables import confusion, is_skewed, ratings
from kit.errors import Invalid, Place
from rollout.domain import words
from routing.thresholds.records import plain

_MOST_PEOPLE = 12
"""With more people than these the pairs are too many to be read."""

Votes = dict[str, dict[str, str]]
"""Labels by item and person."""


class _Vote(NamedTuple):
    item: str
    votes: dict[str, str]


class Pair(NamedTuple):
    """Two people and the items that both labelled."""

    first: str
    second: str
    agreed: Share
    kappa: Kappa


class Found(NamedTuple):
    """All that is said of one file. `fleiss` is None where items differ in their number of labels."""

    items: int
    people: int
    labels: int
    same: Share
    alpha: Coefficient
    interval: AlphaInterval
    ac1: Coefficient
    fleiss: Coefficient | None
    advised: str
    pairs: list[Pair]
    likely: dict[str, float] | None


def agreement(
    file: File,
    people: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="One column for each person; repeat. Else: one line a label."),
    ] = None,
    item_column: Annotated[str, typer.Option(help="Which item it is about.")] = "item",
    person_column: Annotated[str, typer.Option(help="Who said it; with one line a label.")] = "person",
    label_column: Annotated[str, typer.Option(help="What they said; with one line a label.")] = "label",
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples behind the interval of alpha.")] = 1,
    as_json: AsJson = False,
) -> None:
    """
    How far people agree: percent, Krippendorff's alpha, AC1 for skewed labels, Cohen's kappa for each two of them.

    [bold]phasegate analyse agreement labels.csv[/bold] (item, person, label)
    [bold]phasegate analyse agreement wide.csv --people anna --people ben --item-column id[/bold]
    """
    taken = _wide(file, people, item_column) if people else _long(file, item_column, person_column, label_column)
    votes: Votes = {}
    for one in taken.taken:
        votes.setdefault(one.item, {}).update(one.votes)  # whoever changes their mind has one vote, the last
    found = refusing(lambda: _found(votes, seed))
    if as_json:
        print_json({**plain(found), "broken": [row.to_dict() for row in taken.broken]})
    else:
        _show(found)
    end(taken.broken, yes=found.same.whole > 0, as_json=as_json)


def _long(file: Any, item: str, person: str, label: str) -> Read[_Vote]:
    def vote(row: Row) -> _Vote:
        return _Vote(row.text(item), {row.text(person): row.text(label)})

    return read(file, vote, [item, person, label])


def _wide(file: Any, people: Sequence[str], item: str) -> Read[_Vote]:
    if len(set(people)) < 2:  # noqa: PLR2004 - one alone agrees with nobody
        place = Place("--people", "one person agrees with nobody", "name two columns or more")
        raise Invalid("who agrees with whom?", places=[place])

    def votes(row: Row) -> _Vote:
        return _Vote(row.text(item), {name: row.text(name) for name in people if row.cell(name) is not None})

    return read(file, votes, [item, *people])


def _found(votes: Votes, seed: int) -> Found:
    given = [list(said.values()) for said in votes.values()]
    categories = sorted({label for said in given for label in said})
    table = ratings(given, categories)
    several = [said for said in given if len(said) > 1]
    persons = sorted({person for said in votes.values() for person in said})
    numbers = table.sum(axis=1)
    return Found(
        items=len(votes),
        people=len(persons),
        labels=int(table.sum()),
        same=percent_agreement(sum(len(set(said)) == 1 for said in several), len(several)),
        alpha=krippendorff_alpha(table),
        interval=alpha_interval(table, seed=seed),
        ac1=gwet_ac1(table),
        fleiss=fleiss_kappa(table) if numbers.min() == numbers.max() else None,
        advised="ac1" if is_skewed(table) else "alpha",
        pairs=_pairs(votes, persons) if len(persons) <= _MOST_PEOPLE else [],
        likely=_likely(votes, persons, categories),
    )


def _pairs(votes: Votes, persons: Sequence[str]) -> list[Pair]:
    found = []
    for first, second in combinations(persons, 2):
        both = [(said[first], said[second]) for said in votes.values() if first in said and second in said]
        if both:
            used = sorted({label for pair in both for label in pair})
            table = confusion([one for one, _ in both], [other for _, other in both], used)
            agreed = percent_agreement(int(np.trace(table)), len(both))
            found.append(Pair(first, second, agreed, cohen_kappa(table)))
    return found


def _likely(votes: Votes, persons: Sequence[str], categories: Sequence[str]) -> dict[str, float] | None:
    """How common each label probably is, by Dawid and Skene; None where a plain majority is better."""
    cast = sum(len(said) for said in votes.values())
    if not is_advised(cast, len(votes)):
        return None
    person_at, label_at = (
        {name: at for at, name in enumerate(persons)},
        {name: at for at, name in enumerate(categories)},
    )
    listed = [
        Vote(item, person_at[person], label_at[label])
        for item, said in enumerate(votes.values())
        for person, label in said.items()
    ]
    prevalence = dawid_skene(listed, len(categories)).prevalence
    return dict(zip(categories, prevalence.tolist(), strict=True))


def _show(found: Found) -> None:
    good(f"{words.plural(found.items, 'item')}, {found.labels:,} labels by {found.people:,} people.")
    same = found.same
    if same.share is None:
        good("No item has two labels, so nothing can be said of agreement.")
        return
    good(f"On {same.part:,} of {same.whole:,} items with several labels all said the same "
         f"({words.seen(same.share)}, "
         f"between {words.at_least(same.lower)} and {words.at_most(same.upper)}).")  # fmt: skip
    rows = [("Krippendorff's alpha", *_figures(found.alpha, found.interval)), ("AC1", *_figures(found.ac1))]
    if found.fleiss is not None:
        rows.append(("Fleiss' kappa", *_figures(found.fleiss)))
    print_table(
        "Beyond chance (1 is full agreement, 0 is chance)", ("", "value", "between", "why not"), rows, right=(1,)
    )
    good(f"Read {'AC1: nearly all labels are of one kind' if found.advised == 'ac1' else 'alpha'}.")
    if found.pairs:
        told = [
            (pair.first, pair.second, f"{pair.agreed.whole:,}", words.seen(pair.agreed.share or 0.0),
             *_figures(pair.kappa)[:1], pair.kappa.reason or "")
            for pair in found.pairs
        ]  # fmt: skip
        print_table("Each two", ("", "", "items", "same", "kappa", "why not"), told, right=(2, 3, 4))
    if found.likely is not None:
        _show_likely(found.likely)


def _show_likely(likely: Mapping[str, float]) -> None:
    rows = [(label, words.seen(share)) for label, share in likely.items()]
    good("How common each label probably is, weighing people by their skill:")
    print_table("", ("label", "share"), rows, right=(1,))


def _figures(found: Coefficient, interval: AlphaInterval | None = None) -> tuple[str, str, str]:
    value = "–" if found.value is None else f"{found.value:.3f}"
    held = interval.interval if interval is not None else None
    between = "" if held is None else f"{held.lower:.3f} and {held.upper:.3f}"
    return value, between, found.reason or (interval.reason if interval is not None else None) or ""
