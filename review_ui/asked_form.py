"""
What an agent's graph asks about an action, as a form: its arguments one by one, and only the answers it takes.

Every other case has the agent's output as its form, and takes all rulings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evidence.comparing.paths import pointer
from kit.errors import Invalid, Place
from review_ui.forms import OutField, out_fields, schema_at
from review_ui.pages import Posted
from review_ui.shown import LONGEST_PATH, MISSING, at_path, guess, label_of
from rollout.agents.schemas import AgentSettings, FieldView
from routing.cases.tables import Decision
from routing.interrupts.asked import RESPOND, asked_of, takes
from routing.interrupts.schemas import Asked

_MOST_ARGUMENTS = 100


@dataclass(frozen=True, slots=True)
class Takes:
    """What can be told to who waits. Rejecting is always open; a graph that takes no rejection stays stopped."""

    approve: bool = True
    edit: bool = True
    respond: bool = False
    reject: bool = True


EVERYTHING = Takes()


def takes_of(decision: Decision) -> Takes:
    asked = asked_of(decision)
    if asked is None:
        return EVERYTHING
    return Takes(
        approve=takes(asked, "approve"),
        edit=takes(asked, "edit"),
        respond=takes(asked, "respond"),
        reject=takes(asked, "reject"),
    )


def fields_of(decision: Decision, settings: AgentSettings) -> list[OutField]:
    """The rows of the output; where a graph asks, of the arguments, which are shown alone where it takes no edit."""
    asked = asked_of(decision)
    if asked is None:
        return out_fields(decision.output, settings.fields.output, settings.output_schema)
    named = [view for view in settings.fields.output if at_path(decision.output, view.path) is not MISSING]
    schema = settings.output_schema if schema_at(settings.output_schema, "/args") else None
    if asked.args_schema is not None:
        schema = {"properties": {"args": asked.args_schema}}
    rows = out_fields(decision.output, named or _views(decision.output["args"], asked), schema)
    return [replace(one, control="none") if one.path == "/name" or not takes(asked, "edit") else one for one in rows]


def evidence_of(decision: Decision) -> Any:
    """What is shown as the case: its input, of an interrupt without what only its answer needs."""
    if asked_of(decision) is None:
        return decision.input
    return {key: value for key, value in decision.input.items() if key != "interrupt"}


def _views(args: Any, asked: Asked) -> Sequence[FieldView]:
    """The tool's name, then the arguments that its schema knows, those too that were left out, then all others."""
    tool = FieldView(path="/name", label="Tool")
    known = (asked.args_schema or {}).get("properties")
    keys = list({**(known if isinstance(known, dict) else {}), **args})
    paths = [pointer(("args", key)) for key in keys]
    if not keys or len(keys) > _MOST_ARGUMENTS or any(len(path) > LONGEST_PATH for path in paths):
        return [tool, FieldView(path="/args", label="Arguments", show="json")]
    shown = [guess(args[key]) if key in args else "text" for key in keys]
    rows = zip(paths, keys, shown, strict=True)
    return [tool, *(FieldView(path=path, label=label_of(key), show=show) for path, key, show in rows)]


def response(form: Posted) -> dict[str, str]:
    """What somebody answers in the tool's place, as an output."""
    words = form.text(RESPOND).strip()
    if not words:
        place = Place(RESPOND, "it is empty", "write what the agent is told in the tool's place")
        raise Invalid("there is no answer yet: write what the agent is told in the tool's place", places=[place])
    return {RESPOND: words}


def require_no_response(form: Posted) -> None:
    """Raises Invalid where somebody wrote an answer and presses Approve: the tool would run after all."""
    if form.text(RESPOND).strip():
        words = "an answer stands in the tool's place; send it, or clear it to approve the call"
        raise Invalid(words, places=[Place(RESPOND, "it is not sent by approving", "send it, or clear it")])
