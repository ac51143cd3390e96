"""
Configuration as code: `validate`, `diff`, `apply` and `export` of agents, plans and policies in YAML.

What a file is, its content says: a plan has `phases`, a policy has `rules`, an agent has an `owner`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.door import As, Door, Key, Url, through
from cli.output import AsJson, Exit, good, print_json
from kit.errors import Invalid, NotFound
from rollout.agents.schemas import NewAgent
from rollout.agents.service import check_settings
from rollout.domain.plan import Plan
from rollout.domain.plan_diff import Change, diff_data
from rollout.domain.plan_yaml import dump_yaml, load_plan
from rollout.domain.policy import Rules
from rollout.domain.yaml_tree import FileInvalid, Problem, read_yaml, words_of

Model = TypeVar("Model", bound=BaseModel)
FilePath = Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON.", exists=True, dir_okay=False)]
Files = Annotated[list[Path], typer.Option("--file", "-f", help="Repeat for several.", exists=True, dir_okay=False)]


class Kind(StrEnum):
    AGENT = "agent"
    PLAN = "plan"
    POLICY = "policy"


class PolicyFile(BaseModel):
    """Routing rules of a version, as a file."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    version: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    rules: Rules


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was understood. `body` is what goes over the wire."""

    path: Path
    kind: Kind
    agent: str
    version: str | None
    body: Any
    source: str


def read_plan(path: Path) -> Plan:
    """Raises with every problem of the file, each with its line."""
    return load_plan(_bytes(path))


def read_agent(path: Path) -> NewAgent:
    agent = _read(path, NewAgent)
    check_settings(agent.settings)
    return agent


def read_rules(path: Path) -> Rules:
    return _read(path, PolicyFile).rules


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path, model: type[Model]) -> Model:
    source = read_yaml(_bytes(path))
    try:
        return model.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        problems = []
        for found in error.errors(include_url=False):
            place = tuple(found["loc"])
            said = found["msg"].removeprefix("Value error, ")
            mend = "remove it, or look for a spelling mistake" if found["type"] == "extra_forbidden" else ""
            problems.append(Problem(*source.mark(place), words_of(place), said[0].lower() + said[1:], mend))
        raise FileInvalid(problems) from None


def read(path: Path) -> Document:
    """A file of any of the three kinds."""
    raw = _bytes(path)
    data = read_yaml(raw).data
    kind = _kind(path, data)
    source = raw.decode("utf-8")
    if kind is Kind.PLAN:
        plan = read_plan(path)
        return Document(path, kind, plan.agent, None, plan.body(), source)
    if kind is Kind.AGENT:
        agent = read_agent(path)
        return Document(path, kind, agent.name, None, agent.model_dump(mode="json", exclude={"name"}), source)
    policy = _read(path, PolicyFile)
    if policy.agent is None or policy.version is None:
        raise Invalid(f"{path}: a policy names its agent and its version")
    return Document(path, kind, policy.agent, policy.version, policy.rules.model_dump(mode="json"), source)


def _kind(path: Path, data: Any) -> Kind:
    fields = data if isinstance(data, dict) else {}
    for name, kind in (("phases", Kind.PLAN), ("rules", Kind.POLICY), ("owner", Kind.AGENT)):
        if name in fields:
            return kind
    raise Invalid(f"{path}: it is no plan (phases:), no policy (rules:) and no agent (owner:)")


def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """
    Find every mistake, each with its line. Exit status 1 when there is one.

    [bold]phasegate validate plan.yaml agent.yaml policy.yaml[/bold]
    """
    results = [(path, list(_mistakes(path))) for path in paths]
    if as_json:
        print_json(
            [
                {"file": str(path), "valid": not found, "errors": [_told(problem) for problem in found]}
                for path, found in results
            ]
        )
    for path, found in () if as_json else results:
        for problem in found:
            out_line(path, problem)
        if not found:
            good(f"{path} is valid.")
    if any(found for _, found in results):
        raise typer.Exit(Exit.REFUSED)


def _mistakes(path: Path) -> Iterator[Problem]:
    try:
        read(path)
    except FileInvalid as refused:
        yield from refused.problems
    except Invalid as refused:
        for place in refused.places:
            yield Problem(0, 0, place.place, place.problem, place.mend)
        if not refused.places:
            yield Problem(0, 0, "", refused.detail.removeprefix(f"{path}: "))


def _told(problem: Problem) -> dict[str, Any]:
    return {
        "line": problem.line or None,
        "column": problem.column or None,
        "place": problem.place,
        "problem": problem.problem,
        "mend": problem.mend,
    }


def out_line(path: Path, problem: Problem) -> None:
    """As compilers write it, so that editors jump there: `plan.yaml:12:5: place: problem (mend)`."""
    at = f":{problem.line}:{problem.column}" if problem.line else ""
    said = ": ".join(part for part in (problem.place, problem.problem) if part)
    typer.echo(f"{path}{at}: {said}" + (f" ({problem.mend})" if problem.mend else ""))


def diff(files: Files, url: Url = None, key: Key = None, login: As = None, as_json: AsJson = False) -> None:
    """
    Show what `apply` would change. Exit status 1 when it would change something.

    [bold]phasegate diff -f plan.yaml[/bold]
    """
    documents = [read(path) for path in files]
    with through(url, key, login) as door:
        changes = [(document, _changes(door, document)) for document in documents]
    _show_changes(changes, as_json=as_json)
    if any(found for _, found in changes):
        raise typer.Exit(Exit.REFUSED)


def apply(
    files: Files,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Make files the agent, its plan and its policy; shows what that changes. Applying twice changes nothing.

    [bold]phasegate apply -f agent.yaml -f plan.yaml -f policy.yaml --as mara[/bold]
    """
    order = list(Kind)
    documents = sorted((read(path) for path in files), key=lambda document: order.index(document.kind))
    with through(url, key, login) as door:
        changes = []
        for document in documents:
            found = _changes(door, document)
            changes.append((document, found))
            if found and not dry_run:
                _put(door, document)
    _show_changes(changes, as_json=as_json, done=not dry_run)


def print_present(door: Door, kind: Kind, agent: str, version: str | None, *, as_json: bool) -> None:
    """One of the three as a file that `apply` takes back; without a version, the policy of the one in charge."""
    data = _present(door, kind, agent, version)
    if data is None:
        raise NotFound(f"agent {agent} has no {kind} yet")
    if as_json:
        print_json(data)
    else:
        typer.echo(dump_yaml(data), nl=False)


def _changes(door: Door, document: Document) -> list[Change]:
    """What applying would change, in words. An agent that is not there yet is new as a whole."""
    try:
        present = _present(door, document.kind, document.agent, document.version)
    except NotFound:
        if document.kind is Kind.POLICY:
            raise
        present = None
    return diff_data(_comparable(document.kind, present or {}), _comparable(document.kind, _wire(document)))


def _wire(document: Document) -> dict[str, Any]:
    """A document in the form in which `_present` gives the present one."""
    if document.kind is Kind.AGENT:
        return {"name": document.agent, **document.body}
    if document.kind is Kind.POLICY:
        return {"agent": document.agent, "version": document.version, "rules": document.body}
    return dict(document.body)


def _comparable(kind: Kind, data: dict[str, Any]) -> dict[str, Any]:
    """Rules hold sets, whose order says nothing."""
    return _sorted(data) if kind is Kind.POLICY else data


def _sorted(data: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _sorted(value) if isinstance(value, dict) else sorted(value) if isinstance(value, list) else value
        for key, value in data.items()
    }


def _put(door: Door, document: Document) -> None:
    agent = document.agent
    if document.kind is Kind.PLAN:
        headers = {"Content-Type": "application/yaml"}
        door.call("PUT", "agents", agent, "plan", content=document.source.encode(), headers=headers)
    elif document.kind is Kind.POLICY:
        door.call("PUT", "agents", agent, "versions", document.version or "", "policy", json=document.body)
    else:
        try:
            door.call("PUT", "agents", agent, json=document.body)
        except NotFound:
            door.post("agents", body={"name": agent, **document.body})


def _present(door: Door, kind: Kind, agent: str, version: str | None) -> dict[str, Any] | None:
    """What is in force now, in the form of a file."""
    if kind is Kind.PLAN:
        return dict(door.get("agents", agent, "plan")["plan"])
    if kind is Kind.AGENT:
        found = door.get("agents", agent)
        return {name: found[name] for name in ("name", "title", "about", "owner", "second", "settings")}
    version = version or in_charge(door, agent)
    return {
        "agent": agent,
        "version": version,
        "rules": door.get("agents", agent, "versions", version, "policy")["rules"],
    }


def in_charge(door: Door, agent: str) -> str:
    """The stable version."""
    for version in versions(door, agent):
        if version["standing"] == "stable":
            return str(version["label"])
    raise NotFound(f"agent {agent} has no version yet")


def versions(door: Door, agent: str) -> list[dict[str, Any]]:
    """All of them, the newest first."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = door.get("agents", agent, "versions", cursor=cursor)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _show_changes(changes: list[tuple[Document, list[Change]]], *, as_json: bool, done: bool = False) -> None:
    if as_json:
        print_json(
            [
                {
                    "file": str(document.path),
                    "kind": document.kind,
                    "agent": document.agent,
                    "applied": done and bool(found),
                    "changes": [
                        {"place": c.place, "before": c.before, "after": c.after, "words": c.words} for c in found
                    ],
                }
                for document, found in changes
            ]
        )
        return
    for document, found in changes:
        if not found:
            good(f"{document.path}: nothing changes.")
            continue
        good(f"{document.path}: {'changed' if done else 'would change'} the {document.kind} of {document.agent}")
        for change in found:
            good(f"  {change.words}")
