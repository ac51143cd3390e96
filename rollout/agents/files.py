"""
Agents, plans and rules as files: several YAML documents in one file, each with its `kind`.

The files and the pages are two doors to the same thing. Every problem is told with its line.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from rollout.agents.schemas import AgentIn, AgentName, NewAgent
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import dump_plan, dump_yaml, load_plan, plan_from_data
from rollout.domain.policy import Rules
from rollout.domain.yaml_tree import FileInvalid, Problem, Source, read_yaml, words_of

_SEPARATOR = re.compile(r"---(\s.*)?")
_KIND_OF_PLAN = re.compile(r"""kind:\s*["']?plan["']?\s*(#.*)?""")
KINDS = ("agent", "plan", "policy")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class AgentFile:
    agent: NewAgent
    line: int


@dataclass(frozen=True, slots=True)
class PlanFile:
    """`source` is the plan's own text, as it is applied."""

    plan: Plan
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class PolicyFile:
    agent: str
    version: str
    rules: Rules
    line: int


File = AgentFile | PlanFile | PolicyFile


class _PolicyDocument(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agent: AgentName
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    rules: Rules


def parse(text: str) -> list[File]:
    """Every document of a file, agents first. Raises `FileInvalid` with the problems of all documents."""
    found: list[File] = []
    problems: list[Problem] = []
    for start, document in _documents(text):
        try:
            found.append(_file(start, document))
        except FileInvalid as refused:
            problems += refused.problems
    if problems:
        raise FileInvalid(problems)
    if not found:
        raise FileInvalid([Problem(1, 1, "", "there is nothing in this file", f"begin with kind: {KINDS[0]}")])
    order = (AgentFile, PlanFile, PolicyFile)
    return sorted(found, key=lambda file: order.index(type(file)))


def export_agent(name: str, agent: AgentIn) -> str:
    return dump_yaml({"kind": "agent", "name": name, **agent.model_dump(mode="json", exclude_none=True)})


def export_plan(plan: Plan) -> str:
    return "kind: plan\n" + dump_plan(plan)


def export_policy(agent: str, version: str, rules: Rules) -> str:
    body = rules.model_dump(mode="json")
    for group in (body, body["scope"]):
        group.update({name: sorted(value) for name, value in group.items() if isinstance(value, list)})
    return dump_yaml({"kind": "policy", "agent": agent, "version": version, "rules": body})


def join(documents: Iterable[str]) -> str:
    return "---\n".join(documents)


def _documents(text: str) -> list[tuple[int, str]]:
    """Each document with the lines before it left empty, so that its own lines keep their numbers."""
    documents: list[tuple[int, str]] = []
    start, lines = 0, text.removeprefix("\ufeff").splitlines(keepends=True)
    ends = [at for at, line in enumerate(lines) if _SEPARATOR.fullmatch(line.rstrip("\r\n"))]
    for end in [*ends, len(lines)]:
        body = lines[start:end]
        if any(line.strip() and not line.lstrip().startswith("#") for line in body):
            documents.append((start, "\n" * start + "".join(body)))
        start = end + 1
    return documents


def _file(start: int, document: str) -> File:
    source = read_yaml(document)
    line = start + 1
    if not isinstance(source.data, dict):
        raise FileInvalid([Problem(line, 1, "", "this is a document without fields", f"begin with kind: {KINDS[0]}")])
    kind = source.data.get("kind", "plan" if "phases" in source.data else None)
    data = {key: value for key, value in source.data.items() if key != "kind"}
    if kind == "agent":
        return AgentFile(_checked(NewAgent, source, data), line)
    if kind == "policy":
        policy = _checked(_PolicyDocument, source, data)
        return PolicyFile(policy.agent, policy.version, policy.rules, line)
    if kind == "plan":
        return _plan(document, data, line)
    mark = source.mark(("kind",))
    said = "kind is missing" if kind is None else f"there is no kind {kind!r}"
    raise FileInvalid([Problem(mark.line or line, mark.column or 1, "kind", said, f"write one of {', '.join(KINDS)}")])


def _plan(document: str, data: dict[str, Any], line: int) -> PlanFile:
    """Without its `kind`. Where that is no line of its own, the plan is read as data, and its lines are lost."""
    lines = document.splitlines(keepends=True)
    text = "".join("\n" if _KIND_OF_PLAN.fullmatch(one.rstrip("\r\n")) else one for one in lines)
    if "kind" in read_yaml(text).data:
        plan = plan_from_data(data)
        return PlanFile(plan, dump_plan(plan), line)
    return PlanFile(load_plan(text), text.lstrip("\n"), line)


def _checked(model: type[Model], source: Source, data: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise FileInvalid([_problem(source, item) for item in error.errors(include_url=False)]) from None


def _problem(source: Source, item: Any) -> Problem:
    path = tuple(item["loc"])
    mend = "remove it, or look for a spelling mistake" if item["type"] == "extra_forbidden" else ""
    said = item["msg"].removeprefix("Value error, ")
    return Problem(*source.mark(path), words_of(path), said[:1].lower() + said[1:], mend)
