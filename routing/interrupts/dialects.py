"""
The dialects in which agent graphs stop and ask a person, and how what was decided answers in each of them. No I/O.

    agent_inbox   `HumanInterrupt`, alone or as a list of one       answered by a list of one `HumanResponse`
    batched       `HITLRequest` of LangChain 1.x, several actions   answered by `{"decisions": […]}`, by position
    per_call      `ToolApprovalRequest`, one action                 answered by a single decision

An action is approved only as it was decided on. What else these libraries put beside what is read here is left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from evidence.comparing.schema import OutputSchema, OutputSchemaError
from routing.cases.prepare import same
from routing.cases.tables import Decision

Dialect = Literal["agent_inbox", "batched", "per_call"]
Word = Literal["approve", "edit", "reject", "respond"]
WORDS: tuple[Word, ...] = ("approve", "edit", "reject", "respond")
_INBOX: dict[str, Word] = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}
OURS = "phasegate"
"""Under this key our own adapters name the decision that an interrupt of theirs waits for."""


class Unknown(ValueError):
    """Not one of the dialects, in words that say what is missing."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One action that a graph asks about, and which answers it takes."""

    name: str
    args: Any
    description: str
    allowed: tuple[Word, ...]
    args_schema: dict[str, Any] | None = None
    """What the arguments must fit when somebody edits them."""

    @property
    def action(self) -> dict[str, Any]:
        """As it is decided on, shown to reviewers and edited by them."""
        return {"name": self.name, "args": self.args}


@dataclass(frozen=True, slots=True)
class Question:
    dialect: Dialect
    asks: tuple[Ask, ...]


def read(value: Any, response_schema: Any = None) -> Question:
    """What an interrupt asks."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Mapping):
        raise Unknown("it is no object, nor a list of one")
    if isinstance(value.get(OURS), Mapping):
        raise Unknown("it waits for a decision of Phasegate already; wait for that one")
    if value.get("type") == "tool_approval":
        ask = _ask(value, "name", _allowed_by(response_schema))
        return Question("per_call", (replace(ask, args_schema=_edited_args(response_schema)),))
    if "action_requests" in value:
        return Question("batched", _batched(value))
    if isinstance(value.get("action_request"), Mapping):
        config = value.get("config")
        flags = config if isinstance(config, Mapping) else {}
        allowed = tuple(word for flag, word in _INBOX.items() if flags.get(flag) is True)
        if not allowed:
            raise Unknown("its config allows no answer")
        ask = _ask(value["action_request"], "action", allowed, description=value.get("description"))
        return Question("agent_inbox", (ask,))
    raise Unknown("it has neither action_request nor action_requests, nor the type tool_approval")


def _batched(value: Mapping[str, Any]) -> tuple[Ask, ...]:
    requests, configs = value["action_requests"], value.get("review_configs") or []
    if not isinstance(requests, list) or not requests or not isinstance(configs, list):
        raise Unknown("action_requests is no list of actions, or review_configs no list")
    known = {
        config.get("action_name"): config
        for config in configs
        if isinstance(config, Mapping) and isinstance(config.get("action_name"), str)
    }
    asks = [_ask(one, "name", lambda name: _known(known.get(name, {}).get("allowed_decisions"))) for one in requests]
    return tuple(replace(ask, args_schema=_args_schema(ask.name, known.get(ask.name, {}))) for ask in asks)


def _args_schema(name: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    schema = config.get("args_schema")
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise Unknown(f"the args_schema of {name} is no object")
    try:
        OutputSchema(schema)
    except OutputSchemaError as wrong:
        raise Unknown(f"the args_schema of {name} cannot be read: {wrong}") from None
    return schema


def _ask(given: Any, name_at: str, allowed: Any, *, description: Any = None) -> Ask:
    name = given.get(name_at) if isinstance(given, Mapping) else None
    if not isinstance(name, str) or not name:
        raise Unknown(f"an action has no {name_at}")
    if not isinstance(given.get("args"), Mapping):
        raise Unknown(f"the args of {name} are no object")
    words = description if description is not None else given.get("description")
    taken = allowed(name) if callable(allowed) else allowed
    return Ask(name, given["args"], words if isinstance(words, str) else "", taken)


def _allowed_by(schema: Any) -> tuple[Word, ...]:
    """The answers a JSON Schema allows, by the values of their `type`; all of them when it names none."""
    if not isinstance(schema, Mapping):
        return WORDS
    if (branches := _branches(schema)) is not None:
        return _known(list(branches))
    said = _inside(schema, "properties", "type")
    if not isinstance(said, Mapping):
        return WORDS
    return _known([said["const"]] if "const" in said else said.get("enum"))


def _edited_args(schema: Any) -> dict[str, Any] | None:
    """
    What the arguments of an edit must fit, by the schema of the answer. None where that does not say it in words that
    we can read; the graph holds its answer against it again.
    """
    branches = _branches(schema)
    found = schema if branches is None else {"$ref": branches.get("edit")}
    for name in ("edited_action", "args"):
        found = _inside(_meant(schema, found), "properties", name)
    found = _meant(schema, found)
    if not isinstance(found, dict):
        return None
    if "#/$defs/" in str(found):
        found = found | {"$defs": _inside(schema, "$defs")}
    try:
        OutputSchema(found)
    except OutputSchemaError:
        return None
    return found


def _branches(schema: Any) -> Mapping[str, Any] | None:
    """Where the schema of each answer stands, by its `type`."""
    found = _inside(schema, "discriminator", "mapping")
    return found if isinstance(found, Mapping) else None


def _meant(root: Any, schema: Any) -> Any:
    """What stands there, or what it refers to."""
    name = _inside(schema, "$ref")
    return _inside(root, "$defs", name.removeprefix("#/$defs/")) if isinstance(name, str) else schema


def _inside(given: Any, *names: str) -> Any:
    for name in names:
        given = given.get(name) if isinstance(given, Mapping) else None
    return given


def _known(given: Any) -> tuple[Word, ...]:
    found = tuple(word for word in WORDS if word in given) if isinstance(given, list) else ()
    return found or WORDS


def resume_value(question: Question, decisions: Sequence[Decision]) -> Any:
    """What the graph is resumed with; None when it takes none of what would be true."""
    answers = [_answer(question.dialect, ask, row) for ask, row in zip(question.asks, decisions, strict=True)]
    if any(answer is None for answer in answers):
        return None
    if question.dialect == "batched":
        return {"decisions": answers}
    return answers if question.dialect == "agent_inbox" else answers[0]


def _answer(dialect: Dialect, ask: Ask, row: Decision) -> dict[str, Any] | None:
    said = _said(ask, row)
    if said["type"] == "approve" and "approve" not in ask.allowed and "edit" in ask.allowed:
        said = {"type": "edit", "edited_action": ask.action}  # it is the same: the call as it was asked about
    if said["type"] not in ask.allowed and said["type"] != "reject":
        words = f"a reviewer decided on {said['type']!r}, which this graph does not accept: {said}"
        said = {"type": "reject", "message": words}
    if dialect == "agent_inbox":
        return _inbox_answer(ask, said)
    return said if said["type"] in ask.allowed else None


def _said(ask: Ask, row: Decision) -> dict[str, Any]:
    """
    In the words of LangChain 1.x. A reviewer edits the arguments, or writes `{"respond": "…"}` to answer in the tool's
    place.
    """
    if row.outcome is None and row.route == "auto":
        return {"type": "approve"}
    if row.outcome not in {"approved", "edited"}:
        return {"type": "reject", "message": _why_not(row)}
    output = row.outcome_output
    if same(output, ask.action):
        return {"type": "approve"}
    if isinstance(output, Mapping) and isinstance(output.get("respond"), str):
        return {"type": "respond", "message": output["respond"]}
    # The policy was asked about this tool, and may block another one.
    if not isinstance(output, Mapping) or output.get("name") != ask.name or not isinstance(output.get("args"), Mapping):
        return {"type": "reject", "message": f"the reviewer's edit is no call of {ask.name!r}: {output!r}"}
    return {"type": "edit", "edited_action": {"name": ask.name, "args": output["args"]}}


def _why_not(row: Decision) -> str:
    words = "; ".join(reason["words"] for reason in row.reasons)
    if row.outcome is None:
        return f"this must not be done: {words}" if row.route == "block" else f"a person does this case: {words}"
    detail = row.outcome_detail or {}
    return detail.get("note") or f"{row.outcome} ({detail.get('reason_code') or 'no reason given'})"


def _inbox_answer(ask: Ask, said: Mapping[str, Any]) -> dict[str, Any] | None:
    if said["type"] == "approve":
        return {"type": "accept", "args": {"action": ask.name, "args": ask.args}}
    if said["type"] == "edit":
        edited = said["edited_action"]
        return {"type": "edit", "args": {"action": edited["name"], "args": edited["args"]}}
    if said["type"] == "reject" and "reject" in ask.allowed:
        return {"type": "ignore", "args": None}
    # Where nothing may be ignored, a rejection is told in words.
    return {"type": "response", "args": said["message"]} if "respond" in ask.allowed else None
