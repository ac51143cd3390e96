"""
The dialects in which LangGraph graphs ask a person, and how a decision answers in each of them. No I/O, no LangGraph.

    agent_inbox   `HumanInterrupt`, alone or as a list of one       answered by a list of one `HumanResponse`
    batched       `HITLRequest` of LangChain 1.x, several actions   answered by `{"decisions": […]}`, by position
    per_call      `ToolApprovalRequest`, one action                 answered by a single decision

All are read; we ask in the newest, `per_call`. Only what a decision lets proceed is ever approved, and it is approved
as it was decided on: where the graph asks about something else than the reviewer saw, it is told to use that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from phasegate_client.decisions import Decision, Route
from phasegate_client.json_text import as_json, encode

Dialect = Literal["agent_inbox", "batched", "per_call"]
Answer = dict[str, Any]
"""`{"type": "approve" | "edit" | "reject" | "respond", …}`, as LangChain 1.x has it."""

OURS = "phasegate"
"""The key in the value of an interrupt of ours under which its decision is named."""

_WORDS = ("approve", "edit", "reject", "respond")
_EVERYTHING = frozenset(_WORDS)
_INBOX_WORDS = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_respond": "respond",
    "allow_ignore": "reject",
}
_SAID = "reject as a response"  # where an inbox may ignore nothing, a rejection is told in words


@dataclass(frozen=True, slots=True)
class Ask:
    """One action a graph asks about. `decision_id` is set when it has been decided on already."""

    name: str
    args: Any
    description: str = ""
    allowed: frozenset[str] = _EVERYTHING
    decision_id: str | None = None
    args_schema: Mapping[str, Any] | None = None
    """What the arguments must fit when somebody edits them."""

    @property
    def action(self) -> dict[str, Any]:
        """The action as it is decided on, shown to reviewers and edited by them."""
        return {"name": self.name, "args": self.args}


@dataclass(frozen=True, slots=True)
class Question:
    """What one interrupt asks."""

    dialect: Dialect
    asks: tuple[Ask, ...]

    def resume_value(self, answers: Sequence[Answer]) -> Any:
        """What the graph is resumed with, one answer for each ask."""
        if self.dialect == "batched":
            return {"decisions": list(answers)}
        if self.dialect == "agent_inbox":
            return [_inbox_answer(self.asks[0], answers[0])]
        return answers[0]

    def case_id(self, interrupt_id: str, place: int) -> str:
        """Of one of its actions, as the service names it."""
        return f"interrupt:{interrupt_id}:{place}"

    def kept(self, interrupt_id: str, place: int) -> dict[str, Any]:
        """
        What the case of one of its actions keeps of it, in its input under `interrupt`: by that the service offers
        reviewers only what the graph takes, and refuses all else. A rejection is always taken.
        """
        ask = self.asks[place]
        allowed = ask.allowed - {"reject"} if _SAID in ask.allowed else ask.allowed
        kept = {"id": interrupt_id, "dialect": self.dialect, "place": place, "of": len(self.asks)}
        kept |= {"allowed": [word for word in _WORDS if word in allowed]}
        return kept if ask.args_schema is None else kept | {"args_schema": ask.args_schema}


def read(value: Any, response_schema: Any = None) -> Question | None:
    """What an interrupt asks; None when it is in none of the dialects."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "tool_approval" and isinstance(value.get("name"), str):
        return Question("per_call", (_per_call_ask(value, response_schema),))
    if isinstance(value.get("action_requests"), list) and value["action_requests"]:
        return _batched_question(value["action_requests"], value.get("review_configs") or [])
    if isinstance(value.get("action_request"), Mapping) and isinstance(value["action_request"].get("action"), str):
        return Question("agent_inbox", (_inbox_ask(value),))
    return None


def answer(ask: Ask, decision: Decision) -> Answer | None:
    """
    What the graph is told. None when it allows no such answer: then nobody may answer for it.

    A reviewer edits the action, or writes `{"respond": "…"}` to answer in the tool's place.
    """
    said = _said(ask, decision)
    if said["type"] == "approve" and "approve" not in ask.allowed and "edit" in ask.allowed:
        said = {"type": "edit", "edited_action": ask.action}  # it is the same: the call as it was asked about
    if said["type"] not in ask.allowed:
        said = _rejection(f"a reviewer decided on {said['type']!r}, which this graph does not accept: {said}")
    return said if said["type"] in ask.allowed else None


def request(ask: Ask, decision: Decision) -> dict[str, Any]:
    """The value of an interrupt of ours, in the newest dialect."""
    return {
        "type": "tool_approval",
        "tool_call_id": decision.id,
        "name": ask.name,
        "args": ask.args if isinstance(ask.args, dict) else {"output": ask.args},
        "description": ask.description,
        OURS: {"decision_id": decision.id, "case_id": decision.case_id, "agent": decision.agent},
    }


def _said(ask: Ask, decision: Decision) -> Answer:
    if not decision.may_proceed:
        return _rejection(_why_not(decision))
    if decision.outcome is None:
        return {"type": "approve"}
    output = decision.outcome.output
    if ask.decision_id is not None or _same(output, ask.action):
        return {"type": "approve"}
    return _edit(ask, output)


def _edit(ask: Ask, output: Any) -> Answer:
    if isinstance(output, Mapping) and isinstance(output.get("respond"), str):
        return {"type": "respond", "message": output["respond"]}
    if not (
        isinstance(output, Mapping) and isinstance(output.get("name"), str) and isinstance(output.get("args"), Mapping)
    ):
        return _rejection(f"the reviewer's edit is no action: {output!r}")
    if output["name"] != ask.name:  # the policy was asked about this tool, and may block the other
        return _rejection(f"the reviewer's edit is of another tool than {ask.name!r}: {output!r}")
    return {"type": "edit", "edited_action": {"name": output["name"], "args": dict(output["args"])}}


def _same(output: Any, action: Any) -> bool:
    """As JSON: to Python, True is 1 as well."""
    return encode({"": output}) == encode({"": as_json(action, "the action")})


def _rejection(message: str) -> Answer:
    return {"type": "reject", "message": message}


def _why_not(decision: Decision) -> str:
    if decision.route is Route.BLOCK:
        return f"this must not be done: {decision.why}"
    if decision.outcome is None:
        return f"a person does this case: {decision.why}"
    outcome = decision.outcome
    return outcome.note or f"{outcome.state.value} ({outcome.reason_code or 'no reason given'})"


def _per_call_ask(value: Mapping[str, Any], schema: Any) -> Ask:
    ours = value.get(OURS)
    decision_id = ours.get("decision_id") if isinstance(ours, Mapping) else None
    return Ask(value["name"], value.get("args"), _text(value), _allowed_by(schema), decision_id, _edited_args(schema))


def _allowed_by(schema: Any) -> frozenset[str]:
    """The answers a JSON schema allows, by the values of their `type`; all of them when it names none."""
    if not isinstance(schema, Mapping):
        return _EVERYTHING
    mapping = _inside(schema, "discriminator", "mapping")
    if isinstance(mapping, Mapping):
        return frozenset(mapping)
    said = _inside(schema, "properties", "type") or {}
    words = [said["const"]] if "const" in said else said.get("enum", ())
    return frozenset(words) or _EVERYTHING


def _edited_args(schema: Any) -> Mapping[str, Any] | None:
    """What the arguments of an edit must fit, where the schema of the answer says it."""
    mapping = _inside(schema, "discriminator", "mapping")
    found = {"$ref": mapping.get("edit")} if isinstance(mapping, Mapping) else schema
    for name in ("edited_action", "args"):
        found = _inside(_meant(schema, found), "properties", name)
    found = _meant(schema, found)
    if not isinstance(found, Mapping):
        return None
    return {**found, "$defs": _inside(schema, "$defs")} if "#/$defs/" in str(found) else found


def _meant(root: Any, schema: Any) -> Any:
    """What stands there, or what it refers to."""
    name = _inside(schema, "$ref")
    return _inside(root, "$defs", name.removeprefix("#/$defs/")) if isinstance(name, str) else schema


def _inside(given: Any, *names: str) -> Any:
    for name in names:
        given = given.get(name) if isinstance(given, Mapping) else None
    return given


def _batched_question(requests: Iterable[Mapping[str, Any]], configs: Iterable[Mapping[str, Any]]) -> Question:
    known = {config.get("action_name"): config for config in configs}
    return Question("batched", tuple(_batched_ask(one, known.get(one.get("name"), {})) for one in requests))


def _batched_ask(one: Mapping[str, Any], config: Mapping[str, Any]) -> Ask:
    allowed, schema = frozenset(config.get("allowed_decisions") or ()) or _EVERYTHING, config.get("args_schema")
    kept = schema if isinstance(schema, Mapping) else None
    return Ask(str(one.get("name")), one.get("args"), _text(one), allowed, args_schema=kept)


def _inbox_ask(value: Mapping[str, Any]) -> Ask:
    asked, config = value["action_request"], value.get("config") or {}
    allowed = {word for flag, word in _INBOX_WORDS.items() if config.get(flag)}
    if "reject" not in allowed and "respond" in allowed:
        allowed |= {"reject", _SAID}
    return Ask(asked["action"], asked.get("args"), _text(value), frozenset(allowed))


def _inbox_answer(ask: Ask, said: Answer) -> dict[str, Any]:
    if said["type"] == "approve":
        return {"type": "accept", "args": {"action": ask.name, "args": ask.args}}
    if said["type"] == "edit":
        edited = said["edited_action"]
        return {"type": "edit", "args": {"action": edited["name"], "args": edited["args"]}}
    if said["type"] == "reject" and _SAID not in ask.allowed:
        return {"type": "ignore", "args": None}
    return {"type": "response", "args": said["message"]}


def _text(value: Mapping[str, Any]) -> str:
    text = value.get("description")
    return text if isinstance(text, str) else ""
