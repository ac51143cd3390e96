"""`phasegate teams`: who is in which teams and has which skills, and what the queues take."""

from typing import Annotated, Any, TypeVar, cast

import typer
from pydantic import BaseModel, ValidationError

from cli.house import acting, opened
from cli.output import AsJson, good, print_json, print_table
from cli.people import By
from kit.wire import invalid_from
from routing.domain.reach import Need
from routing.skills import service
from routing.skills.schemas import QueueIn, SkillsIn

_Shape = TypeVar("_Shape", bound=BaseModel)

teams = typer.Typer(no_args_is_help=True)

Teams = Annotated[list[str] | None, typer.Option("--team", "-t", help="A team they are in. Repeat for more.")]
Skills = Annotated[list[str] | None, typer.Option("--skill", "-s", help="A skill: a language, a subject. Repeatable.")]


@teams.command("list")
def show(as_json: AsJson = False) -> None:
    """Who reviews, and which queues take what. A queue that nobody can work is said to be its leads'."""
    with opened() as ctx, ctx.db.read() as session:
        people, queues = service.staff_of(session), service.queues(session)
    if as_json:
        print_json({
            "people": [
                {"login": one.login, "teams": sorted(one.teams), "skills": sorted(one.skills), "lead": one.lead}
                for one in people
            ],
            "queues": [
                {"agent": queue.need.agent, "segment": queue.need.segment, "team": queue.need.team,
                 "skills": sorted(queue.need.skills), "able": queue.able, "leads": queue.leads}
                for queue in queues
            ],
        })  # fmt: skip
        return
    rows = [
        (p.login, ", ".join(sorted(p.teams)), ", ".join(sorted(p.skills)), "lead" if p.lead else "") for p in people
    ]
    print_table("People", ("login", "teams", "skills", ""), rows)
    print_table(
        "Queues",
        ("takes", "worked by", "second line"),
        [(q.words, ", ".join(q.able) or "nobody: its leads get it", ", ".join(q.leads) or "nobody") for q in queues],
    )


@teams.command("person")
def set_person(login: str, teams: Teams = None, skills: Skills = None, by: By = None) -> None:
    """Give a person exactly these: [bold]phasegate teams person rita -t north -s polish[/bold]."""
    wanted = _read(SkillsIn, {"teams": teams or [], "skills": skills or []})
    with opened() as ctx, ctx.db.begin() as session:
        row = service.set_person(
            session, login, teams=wanted.teams, skills=wanted.skills, by=acting(ctx, by), now=ctx.clock.now()
        )
        told = f"{login} is in {', '.join(row.teams) or 'no team'}, with {', '.join(row.skills) or 'no skill'}."
    good(told)


@teams.command("queue")
def set_queue(
    agent: str,
    segment: Annotated[str, typer.Option(help="Of the agent; else all that no other queue names.")] = "",
    team: Annotated[str | None, typer.Option("--team", "-t", help="Whose queue it is.")] = None,
    skills: Skills = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Take back what was said of this queue.")] = False,
    by: By = None,
) -> None:
    """Say what a queue takes: [bold]phasegate teams queue claims --segment pl --team north -s polish[/bold]."""
    wanted = _read(QueueIn, {"segment": segment, "team": team, "skills": skills or []})
    need = Need(agent, wanted.segment, wanted.team, frozenset(wanted.skills))
    with opened() as ctx, ctx.db.begin() as session:
        if everybody:
            service.forget_queue(session, agent, segment, by=acting(ctx, by), now=ctx.clock.now())
        else:
            service.set_queue(session, need, by=acting(ctx, by), now=ctx.clock.now())
        alone = [queue.words for queue in service.unstaffed(session) if queue.need == need]
    good(f"{agent} takes that now.")
    for words in alone:
        typer.echo(f"Nobody has it ({words}): until somebody does, its leads get the cases.", err=True)


def _read(shape: type[_Shape], said: dict[str, Any]) -> _Shape:
    """What was typed, as the API would take it."""
    try:
        return shape.model_validate(said)
    except ValidationError as error:
        raise invalid_from(cast("list[Any]", error.errors())) from None
