"""
What `phasegate` can do, and where: the one list of its commands. A command is imported when it is asked for.

The list says in a line what each is for, so that `phasegate --help` imports none of them; a test holds the lines
against what the commands say themselves.
"""

import functools
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from cli.reading import reading


class Command(NamedTuple):
    """Where a function or a group of commands stands, as module:name, and what it is for."""

    where: str
    about: str
    settings: dict[str, Any] | None = None


_AS_GIVEN = {"allow_extra_args": True, "ignore_unknown_options": True}

COMMANDS = {
    "up": Command("cli.serving:up", "Start the service: web process, worker and beat; migrates the database first."),
    "demo": Command(
        "cli.serving:demo",
        "A real agent on real data through all five phases, in minutes. [bold]--exit[/bold] ends by itself.",
        _AS_GIVEN,
    ),
    "status": Command(
        "cli.rollouts:status", "Where an agent stands, why it is not further, and when it will be looked at again."
    ),
    "advance": Command(
        "cli.rollouts:advance",
        "Look, show the evidence, and sign for the step it carries. The last signature takes the step.",
    ),
    "break-glass": Command(
        "cli.rollouts:break_glass",
        "For a few hours more autonomy than the evidence carries. Everybody is told, and a failure is left to be "
        "reviewed.",
    ),
    "demote": Command("cli.rollouts:demote", "Take autonomy back, at once and without evidence."),
    "freeze": Command(
        "cli.rollouts:freeze",
        'Stop a version where it stands: [bold]phasegate freeze claims -m "the upstream data is wrong" --wait[/bold].',
    ),
    "unfreeze": Command("cli.rollouts:unfreeze", "Lift a freeze; the version goes on in the phase it has."),
    "rollback": Command(
        "cli.rollouts:rollback", "The version in charge goes, the one before comes back with its phase."
    ),
    "validate": Command(
        "cli.files:validate", "Find every mistake, each with its line. Exit status 1 when there is one."
    ),
    "diff": Command("cli.files:diff", "Show what `apply` would change. Exit status 1 when it would change something."),
    "apply": Command(
        "cli.files:apply",
        "Make files the agent, its plan and its policy; shows what that changes. Applying twice changes nothing.",
    ),
    "export": Command(
        "cli.exporting:export",
        "Print the agent, its plan or a policy as a file that `apply` takes back; or write its rulings (edits also "
        "as JSON Patch), its labels, or its training data, line by line.",
    ),
    "import": Command(
        "cli.importing:import_files",
        "Import human outputs (case_id, output, and if known person, occurred_at), or cases to be routed now.",
    ),
    "replay": Command(
        "cli.replaying:replay",
        "Take recorded work through the same router, comparison, gates and advances as live work.",
    ),
    "doctor": Command(
        "cli.doctor:doctor", "Check what must always be true, by recounting. Exit status 1 when something is wrong."
    ),
    "migrate": Command(
        "cli.migrating:migrate",
        "Bring the database of the settings to this release's schema, in one transaction: all of it, or nothing.",
    ),
    "metrics": Command(
        "cli.measures:metrics",
        "The metrics that gates and guardrails may name: unit, what counts of what, which way is better, and where.",
    ),
    "analyse": Command(
        "cli.analysing:app",
        "The evidence engine on recorded data, offline: thresholds, signals, agreement, gates, staffing.",
    ),
    "evidence": Command("cli.evidence:app", "What versions were judged on, kept for ever, and computed again."),
    "archive": Command("cli.archiving:app", "Move old decisions to files; look into those files."),
    "users": Command("cli.people:users", "People: who signs in, with which roles."),
    "keys": Command("cli.people:keys", "Keys: what agents and scripts send as `Authorization: Bearer …`."),
    "teams": Command("cli.teams:teams", "Teams and skills: who is dealt which cases."),
}


class LazyCommands(TyperGroup):
    """Holds a line for each command, and puts the command in its place when it is called, or its help is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        return name, found if name is None else load(name), rest


def enter(app: typer.Typer) -> None:
    """Give the app the line of every command."""
    for name, command in COMMANDS.items():
        app.command(name, help=command.about)(_stand_in)


def _stand_in() -> None:
    raise NotImplementedError  # `LazyCommands` puts the command itself in its place


@functools.cache
def load(name: str) -> Any:
    """The command itself, imported now."""
    wanted = COMMANDS[name]
    module, _, attribute = wanted.where.partition(":")
    with reading():
        found = getattr(import_module(module), attribute)
    holder = typer.Typer(rich_markup_mode="rich", pretty_exceptions_show_locals=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name, help=wanted.about)
    else:
        holder.command(name, context_settings=wanted.settings)(found)
    return typer.main.get_group(holder).commands[name]
