"""`phasegate analyse noninferiority`: is the agent no worse than people, who disagree themselves?"""

from collections import defaultdict
from typing import Annotated, NamedTuple

import typer

from cli.analysing.columns import Row, read
from cli.analysing.shared import Confidence, File, end, refusing
from cli.output import AsJson, good, print_json
from evidence.noninferiority import Comparison, Noninferiority, compare, difference
from kit.errors import Invalid, Place
from rollout.domain import words
from routing.thresholds.records import plain

_WORDS = {
    Comparison.NOT_WORSE: "The agent is not worse than people by more than the margin.",
    Comparison.WORSE: "The agent is worse than people by more than the margin.",
    Comparison.NOT_SHOWN: "Neither is shown yet: not worse, or worse by more than the margin.",
    Comparison.NO_EVIDENCE: "No item has two people, so nothing can be said.",
}


class _Item(NamedTuple):
    day: str
    agent: str
    people: list[str]


def noninferiority(
    file: File,
    people: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="One column for each person; repeat.")
    ] = None,
    agent_column: Annotated[str, typer.Option(help="What the agent said.")] = "agent",
    day_column: Annotated[str | None, typer.Option(help="The day, sortable; else all is of one day.")] = None,
    margin: Annotated[float, typer.Option(help="How much worse would still do, in shares: .02 to .05.")] = 0.05,
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """
    Agreement of the agent with people, against that of people with each other. Two people or more for each item.

    [bold]phasegate analyse noninferiority items.csv --people anna --people ben --margin 0.05[/bold]
    """
    names = list(dict.fromkeys(people or ()))
    if len(names) < 2:  # noqa: PLR2004 - one person says nothing of how much people differ
        place = Place("--people", "one person says nothing of how much people differ", "name two columns or more")
        raise Invalid("which people?", places=[place])

    def item(row: Row) -> _Item:
        said = [row.text(name) for name in names if row.cell(name) is not None]
        return _Item(row.text(day_column) if day_column else "", row.text(agent_column), said)

    taken = read(file, item, [agent_column, *names, *([day_column] if day_column else [])])
    days: dict[str, list[float]] = defaultdict(list)
    for one in taken.taken:
        if len(one.people) > 1:
            days[one.day].append(difference(one.agent, one.people))
    found = refusing(lambda: compare([days[day] for day in sorted(days)], margin, confidence))
    alone = sum(len(one.people) < 2 for one in taken.taken)  # noqa: PLR2004
    if as_json:
        print_json({**plain(found), "margin": margin, "fewer_than_two_people": alone,
                    "broken": [row.to_dict() for row in taken.broken]})  # fmt: skip
    else:
        _show(found, margin, confidence, alone)
    end(taken.broken, yes=found.comparison is Comparison.NOT_WORSE, as_json=as_json)


def _show(found: Noninferiority, margin: float, confidence: float, alone: int) -> None:
    good(f"{words.plural(found.items, 'item')} with two people or more; margin {margin * 100:g} points.")
    if alone:
        good(f"{words.plural(alone, 'item')} with fewer people left out.")
    if found.mean is not None:
        way = "more" if found.mean >= 0 else "less"
        good(f"The agent agrees with people {abs(found.mean) * 100:.1f} points {way} often than people with each other "
             f"(from {found.lower * 100:+.1f} to {found.upper * 100:+.1f} points, each "
             f"{words.sure(confidence)} at every look).")  # fmt: skip
    good(_WORDS[found.comparison])
