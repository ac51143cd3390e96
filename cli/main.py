"""`phasegate`: all commands, and the one place where a refusal becomes words and an exit status."""

from collections.abc import Callable
from typing import Any

import typer
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from cli import (
    analysing,
    archiving,
    doctor,
    evidence,
    exporting,
    files,
    importing,
    measures,
    migrating,
    people,
    replaying,
    rollouts,
    serving,
    teams,
)
from cli.output import Exit, complain, exit_code
from kit.errors import Problem, Unavailable

_ABOUT = """
Moves an AI agent from pilot to production: phases, gates, a review queue, and a way back.

[bold]phasegate up[/bold] starts the service here; [bold]phasegate demo[/bold] shows it at work.

Commands on agents and rollouts (status, advance, break-glass, demote, freeze, rollback, apply, diff, export, import)
talk to a running service when --url and --key (PHASEGATE_URL, PHASEGATE_KEY) are given, and else work on the database
of the settings, in the name of --as LOGIN.

Exit status: 0 done, or yes · 1 refused, or no · 2 wrong usage · 3 there is no such thing · 4 not possible right now.
"""


class _Commands(TyperGroup):
    """Turns what the house refuses into words on stderr and a status, for every command."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            complain(problem)
            raise typer.Exit(exit_code(problem)) from None
        except OperationalError as error:
            complain(Unavailable(f"the database did not answer: {error.orig}"))
            raise typer.Exit(Exit.UNAVAILABLE) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=_ABOUT,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command("up")(serving.up)
app.command("demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(serving.demo)
_COMMANDS: dict[str, Callable[..., None]] = {
    "status": rollouts.status,
    "advance": rollouts.advance,
    "break-glass": rollouts.break_glass,
    "demote": rollouts.demote,
    "freeze": rollouts.freeze,
    "unfreeze": rollouts.unfreeze,
    "rollback": rollouts.rollback,
    "validate": files.validate,
    "diff": files.diff,
    "apply": files.apply,
    "export": exporting.export,
    "import": importing.import_files,
    "replay": replaying.replay,
    "doctor": doctor.doctor,
    "migrate": migrating.migrate,
    "metrics": measures.metrics,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(analysing.app, name="analyse")
app.add_typer(evidence.app, name="evidence")
app.add_typer(archiving.app, name="archive")
app.add_typer(people.users, name="users")
app.add_typer(people.keys, name="keys")
app.add_typer(teams.teams, name="teams")


def run() -> None:
    app(prog_name="phasegate")
