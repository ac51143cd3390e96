"""`phasegate users` and `phasegate keys`: people, their roles and passwords, and the keys of programs."""

import secrets
import sys
from typing import Annotated
from uuid import UUID

import typer

from cli.house import acting, opened
from cli.output import AsJson, good, print_json, print_table, say
from governance.actors import ROLES
from governance.people import queries, service
from governance.people.schemas import KeyOut, PersonOut
from kit.errors import Invalid, Place
from rollout.keys import service as keys_service

users = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)

By = Annotated[str | None, typer.Option("--as", metavar="LOGIN", help="Who does it, for the record. Else: system.")]
Roles = Annotated[list[str] | None, typer.Option("--role", "-r", help=f"One of {', '.join(ROLES)}. Repeat for more.")]
_PAGE = 100_000  # people or keys of one installation: all of them


@users.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="Lower case; stands in every record of what they do.")],
    name: Annotated[str | None, typer.Option(help="As people know them. Else: the login.")] = None,
    roles: Roles = None,
    admin: Annotated[bool, typer.Option("--admin", help="Short for --role admin.")] = False,
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Ask for a password; without one they hold keys only.")
    ] = True,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """
    Add a person.

    [bold]phasegate users add mara --name "Mara Lind" --role owner[/bold] asks for the password.
    [bold]echo "$PASSWORD" | phasegate users add mara --role owner[/bold] takes it from a pipe.
    """
    wanted = [*(roles or []), *(["admin"] if admin else [])]
    if not wanted:
        place = Place("--role", "no role is given", f"choose from {', '.join(ROLES)}")
        raise Invalid("a person without a role may do nothing", places=[place])
    chosen = _ask_for_password(login) if password else None
    with opened() as ctx, ctx.db.begin() as session:
        person = service.add_person(
            session, login, name or login, roles=wanted, password=chosen, by=acting(ctx, by), now=ctx.clock.now()
        )
        shown = PersonOut.model_validate(person)
    _show_person(shown, f"{login} was added with the role {', '.join(shown.roles)}.", as_json=as_json)


@users.command("list")
def list_users(as_json: AsJson = False) -> None:
    """Everybody, with roles."""
    with opened() as ctx, ctx.db.read() as session:
        people = [PersonOut.model_validate(person) for person in queries.people(session, limit=_PAGE)]
    if as_json:
        print_json([person.model_dump(mode="json") for person in people])
        return
    rows = [(p.login, p.name, ", ".join(p.roles), "disabled" if p.disabled_at else "") for p in people]
    print_table("", ("login", "name", "roles", ""), rows)


@users.command("password")
def set_password(login: str, by: By = None) -> None:
    """Set a new password. Whoever is signed in with the old one is signed out."""
    with opened() as ctx, ctx.db.begin() as session:
        queries.get_person(session, login)  # before we ask for anything
        service.set_password(session, login, _ask_for_password(login), by=acting(ctx, by), now=ctx.clock.now())
    good(f"{login} has a new password.")


@users.command("roles")
def set_roles(login: str, roles: Roles = None, by: By = None, as_json: AsJson = False) -> None:
    """Give a person exactly these roles: [bold]phasegate users roles mara -r owner -r reviewer[/bold]."""
    with opened() as ctx, ctx.db.begin() as session:
        person = service.set_roles(session, login, roles or [], by=acting(ctx, by), now=ctx.clock.now())
        shown = PersonOut.model_validate(person)
    _show_person(shown, f"{login} has the roles: {', '.join(shown.roles) or 'none'}.", as_json=as_json)


@users.command("disable")
def disable(login: str, by: By = None, as_json: AsJson = False) -> None:
    """From now on neither password nor keys of this person work. The records stay."""
    with opened() as ctx, ctx.db.begin() as session:
        shown = PersonOut.model_validate(service.disable(session, login, by=acting(ctx, by), now=ctx.clock.now()))
    _show_person(shown, f"{login} is disabled.", as_json=as_json)


@users.command("enable")
def enable(login: str, by: By = None, as_json: AsJson = False) -> None:
    """Let a disabled person in again."""
    with opened() as ctx, ctx.db.begin() as session:
        shown = PersonOut.model_validate(service.enable(session, login, by=acting(ctx, by), now=ctx.clock.now()))
    _show_person(shown, f"{login} is enabled.", as_json=as_json)


@keys.command("add")
def add_key(
    name: Annotated[
        str | None, typer.Argument(help="What it is for, so that it is recognised when it must go.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="The agent that will use it; it can act for no other.")] = None,
    person: Annotated[str | None, typer.Option(help="The login it acts for, with that person's roles.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """
    Make a key and print its secret, this once.

    [bold]phasegate keys add "claims in production" --agent claims[/bold]
    """
    with opened() as ctx, ctx.db.begin() as session:
        key, secret = keys_service.create(
            session,
            name or f"key of {agent or person}",
            agent=agent,
            login=person,
            by=acting(ctx, by),
            now=ctx.clock.now(),
        )
        shown = KeyOut.model_validate(key)
    if as_json:
        print_json({**shown.model_dump(mode="json"), "secret": secret})
        return
    typer.echo(secret)
    say("This is the key. It cannot be read again; keep it where secrets are kept.")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key, without its secret."""
    with opened() as ctx, ctx.db.read() as session:
        found = [KeyOut.model_validate(key) for key in queries.keys(session, limit=_PAGE)]
    if as_json:
        print_json([key.model_dump(mode="json") for key in found])
        return
    rows = [
        (k.id, k.name, k.hint, f"agent {k.agent}" if k.agent else k.login, "revoked" if k.revoked_at else "")
        for k in found
    ]
    print_table("", ("id", "name", "begins", "acts for", ""), rows)


@keys.command("revoke")
def revoke_key(key_id: UUID, by: By = None, as_json: AsJson = False) -> None:
    """Calls with this key are refused from now on."""
    with opened() as ctx, ctx.db.begin() as session:
        key = KeyOut.model_validate(service.revoke_key(session, key_id, by=acting(ctx, by), now=ctx.clock.now()))
    if as_json:
        print_json(key.model_dump(mode="json"))
    else:
        good(f"The key “{key.name}” is revoked.")


def make_password() -> str:
    """For a first sign-in: long enough, and short enough to type."""
    return secrets.token_urlsafe(12)


def _ask_for_password(login: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt(f"Password for {login}", hide_input=True, confirmation_prompt=True))


def _show_person(person: PersonOut, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(person.model_dump(mode="json"))
    else:
        good(words)
