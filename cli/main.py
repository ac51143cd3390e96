"""`phasegate`: all commands, and the one place where a refusal becomes words and an exit status."""

import sys
from typing import Any

import typer

from cli.commands import LazyCommands, enter
from cli.output import complain, exit_code
from kit.errors import Problem, Unavailable

_ABOUT = """
Moves an AI agent from pilot to production: phases, gates, a review queue, and a way back.

[bold]phasegate up[/bold] starts the service here; [bold]phasegate demo[/bold] shows it at work.

Commands on agents and rollouts (status, advance, break-glass, demote, freeze, rollback, apply, diff, export, import)
talk to a running service when --url and --key (PHASEGATE_URL, PHASEGATE_KEY) are given, and else work on the database
of the settings, in the name of --as LOGIN.

Exit status: 0 done, or yes · 1 refused, or no · 2 wrong usage · 3 there is no such thing · 4 not possible right now.
"""


class _Commands(LazyCommands):
    """Turns what the house refuses into words on stderr and a status, for every command."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            problem = _refusal(error)
            if problem is None:
                raise
            complain(problem)
            raise typer.Exit(exit_code(problem)) from None


def _refusal(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    database = sys.modules.get("sqlalchemy.exc")  # whoever can raise it has imported it; `--help` has not
    if database is not None and isinstance(error, database.OperationalError):
        return Unavailable(f"the database did not answer: {error.orig}")
    return None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=_ABOUT,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
enter(app)


def run() -> None:
    app(prog_name="phasegate")
