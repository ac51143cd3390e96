"""How every command speaks: data on stdout (a table, or JSON for scripts), words about it on stderr."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit import errors
from kit.errors import Place, Problem

out = Console(highlight=False, soft_wrap=True)
_WIDE = 160
err = Console(highlight=False, soft_wrap=True, stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Exit(IntEnum):
    """What a script can tell from the status. Part of the command line's contract."""

    OK = 0
    REFUSED = 1  # refused, or the answer is no
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4


def exit_code(problem: Problem) -> Exit:
    if isinstance(problem, errors.NotFound):
        return Exit.NOT_FOUND
    return Exit.UNAVAILABLE if isinstance(problem, errors.Unavailable) else Exit.REFUSED


def print_json(data: Any) -> None:
    """One document, keys as they come, times in RFC 3339."""
    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[int] = ()
) -> None:
    """`right`: the columns of figures."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    figures = set(right)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place in figures else "left", header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if value is None else str(value)) for value in row))
    # Where nobody's terminal sets the width, a table is better wide than broken.
    Console(highlight=False, width=out.width if out.is_terminal else _WIDE).print(table)


def say(words: str) -> None:
    err.print(escape(words))


def good(words: str) -> None:
    out.print(escape(words))


def complain(problem: Problem) -> None:
    """A refusal in words: what, where, and what would mend it."""
    err.print(f"[red]{escape(problem.title)}:[/red] {escape(problem.detail)}")
    for place in problem.places:
        err.print("  " + escape(words_of(place)))


def words_of(place: Place) -> str:
    return f"{place.place}: {place.problem}" + (f" ({place.mend})" if place.mend else "")
