"""The comparison section of an agent, as written in YAML, checked once and made ready for many comparisons.

    default: {compare: json, leaves: text}
    fields:
      /total: {compare: number, absolute: 0.01, weight: 3, severity: severe}
      /lines: {compare: list, by: sku}
      /lines/*/amount: number
    ignore: [/trace_id, {path: /note, when: both_empty}]
    clean: [{path: /iban, redact: true}]

Nothing given means: field by field, exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator

from evidence.comparing.paths import ANY, parse_path
from evidence.comparing.result import Severity
from evidence.comparing.rules import (
    TAGS,
    AnyRule,
    CleanRule,
    CustomRule,
    IgnoreRule,
    JsonRule,
    ListRule,
    NumberRule,
    Rule,
    Strict,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong where; `place` leads through keys and positions from the top of the comparison section."""

    place: tuple[str | int, ...]
    words: str

    def __str__(self) -> str:
        where = " > ".join(str(part) for part in self.place)
        return f"{where}: {self.words}" if where else self.words


class ComparisonConfigError(ValueError):
    """The comparison section cannot be used; `problems` names every place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class Node:
    """One step of the paths of fields and ignore rules, as a tree that is walked beside the output."""

    rule: AnyRule | None = None
    ignores: list[IgnoreRule] = field(default_factory=list)
    literal: "dict[str, Node]" = field(default_factory=dict)
    any: "Node | None" = None

    def under(self, segments: tuple[str, ...]) -> "Node":
        node = self
        for segment in segments:
            if segment == ANY:
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.literal.setdefault(segment, Node())
        return node


def step(nodes: tuple[Node, ...], segment: str) -> tuple[Node, ...]:
    """The nodes that fit one level down, the more literal path first."""
    if not nodes:
        return nodes
    fitting = []
    for node in nodes:
        if segment in node.literal:
            fitting.append(node.literal[segment])
        if node.any is not None:
            fitting.append(node.any)
    return tuple(fitting)


def own_rule(nodes: tuple[Node, ...]) -> AnyRule | None:
    return next((node.rule for node in nodes if node.rule is not None), None)


def _path_alone(rule: Any) -> Any:
    return {"path": rule} if isinstance(rule, str) else rule


class _Section(Strict):
    default: Rule = JsonRule(compare="json")
    fields: dict[str, Rule] = Field(default_factory=dict)
    ignore: list[IgnoreRule] = Field(default_factory=list)
    clean: list[CleanRule] = Field(default_factory=list)

    @field_validator("ignore", mode="before")
    @classmethod
    def _short(cls, ignore: Any) -> Any:
        return [_path_alone(rule) for rule in ignore] if isinstance(ignore, list) else ignore


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonConfig:
    """Ready for use; two of them say the same when `written` is the same."""

    default: AnyRule
    severity: Severity
    clean: tuple[CleanRule, ...]
    tree: Node = field(repr=False)
    quick: bool
    """Whether two outputs that are the same text, whole number or truth value are equal without looking further."""
    written: Mapping[str, Any]
    """The section as it was understood, for storing and for diffs."""

    @classmethod
    def parse(cls, obj: Any = None) -> Self:
        """Of the YAML or JSON section, of the name of one comparator, or of nothing."""
        section = _section(_unfolded(obj))
        tree = _tree(section)
        problems = tuple(_unreachable(section, tree))
        if problems:
            raise ComparisonConfigError(problems)
        return cls(
            default=section.default,
            severity=section.default.severity or Severity.MAJOR,
            clean=tuple(section.clean),
            tree=tree,
            quick=_quick(section, tree),
            written=section.model_dump(mode="json", exclude_defaults=True),
        )


def comparison_schema() -> dict[str, Any]:
    """JSON Schema of the comparison section, for editors."""
    return _Section.model_json_schema()


def _unfolded(obj: Any) -> Any:
    if obj is None:
        return {}
    return {"default": obj} if isinstance(obj, str) else obj


def _section(obj: Any) -> _Section:
    try:
        return _Section.model_validate(obj)
    except ValidationError as error:
        found = [_problem(obj, item["loc"], item["type"], item["msg"]) for item in error.errors()]
        raise ComparisonConfigError(tuple(found)) from None


def _problem(obj: Any, loc: tuple[str | int, ...], kind: str, message: str) -> Problem:
    """As pydantic tells it, without the names of its own union branches in the place."""
    place: list[str | int] = []
    for part in loc:
        try:
            obj = obj[part]
        except (LookupError, TypeError):
            if part in TAGS:
                continue
            obj = None
        place.append(part)
    words = {
        "extra_forbidden": "there is no such option here",
        "missing": "is needed here",
        "union_tag_not_found": "say how to compare, for example compare: exact",
        "union_tag_invalid": f"compare must be one of {', '.join(sorted(TAGS))}",
        "model_type": "must be an object",
        "model_attributes_type": "must be an object or the name of a comparator",
    }.get(kind, message.removeprefix("Value error, "))
    return Problem(tuple(place), words)


def _tree(section: _Section) -> Node:
    tree = Node(rule=section.default)
    for path in section.fields:
        try:
            segments = parse_path(path)
        except ValueError as error:
            raise ComparisonConfigError((Problem(("fields", path), str(error)),)) from None
        if not segments:
            words = "the whole output is compared by default, not by a field"
            raise ComparisonConfigError((Problem(("fields", path), words),))
        tree.under(segments).rule = section.fields[path]
    for rule in section.ignore:
        tree.under(parse_path(rule.path)).ignores.append(rule)
    return tree


def _unreachable(section: _Section, tree: Node) -> "list[Problem]":
    """Paths below something that is compared whole would silently do nothing, so they are refused."""
    places: list[tuple[tuple[str | int, ...], str]] = [(("fields", path), path) for path in section.fields]
    places += [(("ignore", position, "path"), rule.path) for position, rule in enumerate(section.ignore)]
    problems = []
    for place, path in places:
        whole = _compared_whole_above(parse_path(path), tree)
        if whole is not None:
            words = f"is never reached: {whole[0] or 'the output'} is compared whole, by {whole[1].compare}"
            problems.append(Problem(place, words))
    return problems


def _compared_whole_above(segments: tuple[str, ...], tree: Node) -> tuple[str, AnyRule] | None:
    nodes: tuple[Node, ...] = (tree,)
    fallback, path = JsonRule(compare="json"), ""
    current: AnyRule = fallback
    for segment in segments:
        own = own_rule(nodes)
        current = own or (isinstance(current, ListRule) and current.items) or fallback
        if not isinstance(current, JsonRule | ListRule):
            return path, current
        nodes, path = step(nodes, segment), f"{path}/{segment}"
    return None


def _quick(section: _Section, tree: Node) -> bool:
    """Two strings, whole numbers or truth values that are the same are equal under every rule but two."""
    rule = section.default.leaves if isinstance(section.default, JsonRule) else section.default
    reads_nan = isinstance(rule, NumberRule) and rule.strings
    return not tree.ignores and not isinstance(rule, CustomRule) and not reads_nan
