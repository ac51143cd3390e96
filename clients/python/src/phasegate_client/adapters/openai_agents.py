"""
OpenAI Agents SDK: Phasegate decides which tool calls need a person, and answers a run that is interrupted for one.

    @function_tool(needs_approval=needs_approval(gate, "refund", case_id=lambda context: context.ticket))
    async def refund(ticket: str, amount: float) -> str: ...

    result = await Runner.run(agent, "…", context=context)
    while result.interruptions:
        state = result.to_state()
        if await settle(gate, state, case_id=context.ticket, timeout=3600):
            return state.to_string()  # still open: keep it, and settle it later, in this process or another
        result = await Runner.run(agent, state)

A call is decided on as the case `case_id:call id:fingerprint of its name and arguments`. Asking again gets the stored
decision, so nothing but the state needs keeping; and a call whose name or arguments have changed since it was
approved is another case, and not approved. The SDK itself, which keeps approvals by call id, ends a run in which the
model uses one id for two different calls.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents import RunContextWrapper, RunState, ToolApprovalItem

from phasegate_client.client import AsyncPhasegate
from phasegate_client.decisions import Decision, Route
from phasegate_client.json_text import encode

NeedsApproval = Callable[[RunContextWrapper[Any], dict[str, Any], str], Awaitable[bool]]
Describe = Callable[["Call"], Mapping[str, Any]]
"""What a call is, in further arguments of `decide`: confidence, segment, amount …"""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model. `arguments` is the text itself where it is not a JSON object."""

    tool: str
    arguments: Any
    id: str

    @property
    def action(self) -> dict[str, Any]:
        """As it is decided on, and shown to reviewers."""
        return {"name": self.tool, "args": self.arguments}

    @property
    def fingerprint(self) -> str:
        text = json.dumps(self.action, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def needs_approval(
    gate: AsyncPhasegate, tool: str, *, case_id: Callable[[Any], str], describe: Describe | None = None
) -> NeedsApproval:
    """
    For `function_tool(needs_approval=…)` of the tool of this name: only `auto` goes without.

    `case_id` finds the case in the run's own context (`Runner.run(…, context=…)`). Give `settle` the same, and the
    same `describe`.
    """

    async def ask(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        call = Call(tool, arguments, call_id)
        decision = await _decide(gate, call, case_id(context.context), describe)
        return not (decision.certain and decision.route is Route.AUTO)

    return ask


async def settle(
    gate: AsyncPhasegate,
    state: RunState[Any, Any],
    *,
    case_id: str,
    describe: Describe | None = None,
    timeout: float | None = None,
) -> tuple[Decision, ...]:
    """
    Approve or reject the state's interruptions as they were ruled on, and give back the decisions still open.

    The SDK knows no edits: an edited call is rejected, and the model told what the reviewer wants instead. Where no
    certain answer was to be had, the interruption stays open.
    """
    until = None if timeout is None else time.monotonic() + timeout
    asked = [(item, _call(item)) for item in state.get_interruptions()]
    decisions = [await _decide(gate, call, case_id, describe) for _, call in asked]
    still_open = []
    for (item, call), decision in zip(asked, decisions, strict=True):
        ruled = decision
        if decision.is_waiting:
            ruled = await gate.wait(decision, None if until is None else max(0.0, until - time.monotonic()))
        if ruled.is_waiting or not ruled.certain:
            still_open.append(ruled)
        else:
            _answer(state, item, call, ruled)
    return tuple(still_open)


async def _decide(gate: AsyncPhasegate, call: Call, case_id: str, describe: Describe | None) -> Decision:
    about = {"action": call.tool} | dict(describe(call) if describe else {})
    case = f"{case_id}:{call.id}:{call.fingerprint[:16]}"
    return await gate.decide(case_id=case, output=call.action, **about)


def _answer(state: RunState[Any, Any], item: ToolApprovalItem, call: Call, ruled: Decision) -> None:
    wanted = call.action if ruled.outcome is None else ruled.outcome.output
    if ruled.may_proceed and encode({"": wanted}) == encode({"": call.action}):
        state.approve(item)
    elif ruled.may_proceed:
        state.reject(item, rejection_message=f"A reviewer wants this instead: {json.dumps(wanted)}")
    else:
        state.reject(item, rejection_message=_why_not(ruled))


def _why_not(decision: Decision) -> str:
    if decision.outcome is not None:
        words = decision.outcome.note or decision.outcome.reason_code
        return f"A reviewer has not allowed this call: {words or decision.outcome.state.value}"
    if decision.route is Route.BLOCK:
        return f"This must not be done: {decision.why}"
    return f"A person does this instead: {decision.why}"


def _call(item: ToolApprovalItem) -> Call:
    text = item.arguments or ""
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = text
    return Call(item.name or "", arguments, item.call_id or "")
