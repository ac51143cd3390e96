"""What all analyses have in common: their file, refusals of the engine, and how they end."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cli.jsonl import Broken
from cli.output import Exit, say
from kit.errors import Invalid, Place
from rollout.domain import words

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or JSON lines.")]
Confidence = Annotated[float, typer.Option(help="How sure the answer must be.")]
_TOLD = 20

Found = TypeVar("Found")


def refusing(work: Callable[[], Found]) -> Found:
    """The engine says what is wrong with a number; of a command line that is a refusal, not a defect."""
    try:
        return work()
    except ValueError as error:
        place = Place("options", str(error), "give another value, see --help")
        raise Invalid("this cannot be computed", places=[place]) from None


def end(broken: list[Broken], *, yes: bool, as_json: bool) -> None:
    """Tell the broken lines, and say yes or no by the exit status."""
    if broken and not as_json:
        say(f"{words.plural(len(broken), 'line')} could not be used and are left out:")
        for one in broken[:_TOLD]:
            say(f"  line {one.number}: {one.words}")
        if len(broken) > _TOLD:
            say(f"  and {len(broken) - _TOLD:,} more")
    if broken or not yes:
        raise typer.Exit(Exit.REFUSED)
