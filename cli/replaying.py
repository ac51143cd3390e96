"""`phasegate replay`: what would have happened under this plan, had the agent's recorded work come in live."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from cli.files import read_agent, read_plan, read_rules
from cli.house import opened
from cli.jsonl import Rejects
from cli.output import AsJson, err, good, print_json
from cli.replay import house as replay_house
from cli.replay import report as reporting
from cli.replay.engine import Run
from cli.replay.recording import Recording
from kit.errors import Invalid, Place
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import NewAgent
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.policy import Rules

_OWNER = "replay-owner"


def replay(
    cases: Annotated[Path, typer.Argument(help="Recorded work, one JSON object a line.", exists=True, dir_okay=False)],
    plan: Annotated[Path, typer.Option(help="The plan to try.", exists=True, dir_okay=False)],
    agent: Annotated[
        str | None, typer.Option(help="An agent of this installation, whose comparison rules and schema are used.")
    ] = None,
    agent_file: Annotated[Path | None, typer.Option(help="The same from a file.", exists=True, dir_okay=False)] = None,
    policy: Annotated[Path | None, typer.Option(help="Routing rules from a file.", exists=True, dir_okay=False)] = None,
    threshold: Annotated[float | None, typer.Option(help="Confidence from which a case goes alone.")] = None,
    audit_rate: Annotated[float | None, typer.Option(help="Share of those that is checked afterwards.")] = None,
    evaluate_on: Annotated[
        int | None,
        typer.Option(min=1, help="First cases of a version that make its suite. Else 200, or what gates ask."),
    ] = None,
    hold: Annotated[Phase | None, typer.Option(help="Sign nothing that leads out of this phase.")] = None,
    version: Annotated[str, typer.Option(help="The version of lines that name none.")] = "recorded",
    report: Annotated[Path | None, typer.Option(help="Write the whole report here, as JSON.")] = None,
    rejected: Annotated[
        Path | None, typer.Option(help="Where broken lines are kept. Else: CASES.rejected.jsonl")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Take recorded work through the same router, comparison, gates and advances as live work.

    [bold]phasegate replay cases.jsonl --plan plan.yaml --threshold 0.9 --report out.json[/bold]

    A line has case_id, output, human_output (what a person did), occurred_at with its zone, and if there are any
    input, confidence, version, segment, action, amount, risk, attributes, signals, usage. The database of the
    settings is read for --agent only and never written.
    """
    loaded = read_plan(plan)
    wanted = _agent(loaded, agent, agent_file)
    rules = _rules(policy, threshold, audit_rate)
    began = time.monotonic()
    with Rejects(cases, rejected) as rejects:
        recording = Recording.check(cases, version=version, rejects=rejects)
        if not len(recording):
            why = f"; line {rejects.found[0].number}: {rejects.found[0].words}" if rejects.found else ""
            raise Invalid(f"{cases} has no line that can be used{why}")
        source = plan.read_text(encoding="utf-8")
        with replay_house.built(source, loaded, wanted, rules, recording.first_at) as house, _bar() as bar:
            task = bar.add_task("Replaying", total=len(recording))
            run = Run(house, recording, rejects, evaluate_on=evaluate_on, hold=hold)
            run.progress = lambda count: bar.update(task, advance=count)
            run.go()
            with house.ctx.db.read() as session:
                found = reporting.build(session, run, time.monotonic() - began)
    if report is not None:
        report.write_bytes(reporting.as_bytes(found))
    if as_json:
        print_json(found)
        return
    reporting.show(found, run.tally.stays)
    if report is not None:
        good(f"The whole report is in {report}.")


def _bar() -> Progress:
    return Progress(console=err, transient=True, disable=not sys.stderr.isatty())


def _agent(plan: Plan, name: str | None, path: Path | None) -> NewAgent:
    """The agent as it is compared: from a file, from this installation, or field by field and exactly."""
    if path is not None:
        found = read_agent(path)
    elif name is not None:
        with opened() as ctx, ctx.db.read() as session:
            row = agent_queries.get_agent(session, name)
            found = NewAgent(name=name, **agents.as_edited(row).model_dump())
    else:
        found = NewAgent(name=plan.agent, title=plan.agent, owner=_OWNER)
    if found.name != plan.agent:
        place = Place("agent", f"the plan is one of {plan.agent}", f"use a plan that begins with agent: {found.name}")
        raise Invalid(f"agent: {found.name} cannot be held to the plan of {plan.agent}", places=[place])
    return found


def _rules(path: Path | None, threshold: float | None, audit_rate: float | None) -> Rules:
    rules = read_rules(path) if path is not None else Rules()
    given = {"threshold": threshold, "audit_rate": audit_rate}
    changed = {name: value for name, value in given.items() if value is not None}
    return Rules.model_validate({**rules.model_dump(), **changed}) if changed else rules
