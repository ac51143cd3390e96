"""
LangGraph: a person between two steps of a graph, and the way out of a parked graph.

Inside a node, `decide_or_interrupt` asks who acts. LangGraph runs a node again from its start when it is resumed; what
was decided is kept in the checkpoint and never asked for again, and neither is the output it was decided on, whatever
the node computes the second time.

Outside, `answer_interrupts` takes the interrupts of a parked graph, ours and those of other libraries in any dialect
of `hitl`, makes a decision of each action, waits for the people, and resumes the graph with what they said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.errors import is_invalid_resume
from langgraph.func import task
from langgraph.types import Command, interrupt

from phasegate_client.adapters import _kept, hitl
from phasegate_client.adapters._flow import Flow, run, run_async
from phasegate_client.client import AsyncPhasegate, Phasegate
from phasegate_client.decisions import Decision
from phasegate_client.governed import output_of
from phasegate_client.json_text import as_json

Describe = Callable[[hitl.Ask], Mapping[str, Any]]
"""What an action is, in further arguments of `decide`: confidence, segment, amount …"""


@dataclass(frozen=True, slots=True)
class Governed:
    """A decision with the output to act on: the one that was decided on, or the reviewer's edit of it."""

    decision: Decision
    output: Any

    @property
    def may_proceed(self) -> bool:
        return self.decision.may_proceed


def decide_or_interrupt(gate: Phasegate, *, output: Any, **about: Any) -> Governed:
    """
    Who acts? Takes the arguments of `gate.decide`, and parks the graph while a person has to rule.

    What the graph is resumed with is only a reason to look again; the ruling is the one that Phasegate has.
    Needs a checkpointer. In a node that asks several times, ask in the same order whenever it runs.
    """
    return run(_deciding(gate, output, about))


async def adecide_or_interrupt(gate: AsyncPhasegate, *, output: Any, **about: Any) -> Governed:
    """The same for asynchronous nodes; they can be interrupted on Python 3.11 or later."""
    return await run_async(_deciding(gate, output, about))


def _deciding(gate: Phasegate | AsyncPhasegate, output: Any, about: Mapping[str, Any]) -> Flow[Governed]:
    is_async = isinstance(gate, AsyncPhasegate)
    kept = yield _once(is_async, lambda: gate.decide(output=output, **about), output)
    while (decision := _kept.decision(kept)).is_waiting:
        ask = hitl.Ask(decision.agent or "", kept["output"], f"Case {decision.case_id}: {decision.why}")
        interrupt(hitl.request(ask, decision))
        kept = yield _once(is_async, lambda: gate.wait(decision, timeout=0), kept["output"])
    return Governed(decision, output_of(decision, kept["output"]))


def _once(is_async: bool, call: Callable[[], Any], output: Any) -> Any:
    """
    The decision in a task of LangGraph's: whenever the node runs again it comes from the checkpoint.

    Looks are kept too: the second run must meet as many interrupts as the first, or a later one of the node would be
    given an answer that was meant for ours.
    """

    def phasegate() -> dict[str, Any]:
        return _kept.keep(call(), output)

    async def aphasegate() -> dict[str, Any]:
        return _kept.keep(await call(), output)

    return task(aphasegate)() if is_async else task(phasegate)().result()


@dataclass(frozen=True, slots=True)
class Open:
    """An interrupt that is still there, and its decisions so far, none when it is in no dialect we know."""

    interrupt: Any
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What the graph returned last (None when it was not resumed), and what it is still parked on."""

    result: Any
    open: tuple[Open, ...]


def answer_interrupts(
    graph: Any, config: Mapping[str, Any], gate: Phasegate, *, describe: Describe | None = None,
    timeout: float | None = None,
) -> Answered:  # fmt: skip
    """
    Answer a parked graph's interrupts until it ends, or is parked on something nobody has ruled on in `timeout`.

    Each action becomes a decision whose action is the tool's name, so scope and blocked actions of the policy apply
    to tools. `auto` goes on at once; `human`, `shadow` and `block` are told to the graph as a rejection. Where no
    certain answer was to be had the graph stays parked. Calling it again goes on, also in another process.

    Reviewers are offered the answers that the graph takes alone, unless `describe` names the case otherwise.
    """
    calls = _Graph(lambda: graph.get_state(config), lambda command: graph.invoke(command, config))
    return run(_answering(calls, gate, describe or _plainly, timeout))


async def aanswer_interrupts(
    graph: Any, config: Mapping[str, Any], gate: AsyncPhasegate, *, describe: Describe | None = None,
    timeout: float | None = None,
) -> Answered:  # fmt: skip
    """The same for asyncio."""
    calls = _Graph(lambda: graph.aget_state(config), lambda command: graph.ainvoke(command, config))
    return await run_async(_answering(calls, gate, describe or _plainly, timeout))


@dataclass(frozen=True, slots=True)
class _Graph:
    """A compiled graph in one of its threads; the calls return values, or awaitables of them."""

    state: Callable[[], Any]
    resume: Callable[[Command[Any]], Any]


@dataclass(slots=True)
class _Round:
    """What is known of the interrupts a graph is parked on."""

    answers: dict[str, Any] = field(default_factory=dict)
    edits: set[str] = field(default_factory=set)
    open: list[Open] = field(default_factory=list)

    def batches(self) -> Iterator[dict[str, Any]]:
        """
        Edits one by one and first: an edit may not fit the tool, and refused among other answers it would leave
        tools that have run on record as if they had not.
        """
        for name in sorted(self.edits):
            yield {name: self.answers[name]}
        if rest := {name: value for name, value in self.answers.items() if name not in self.edits}:
            yield rest


def _answering(
    graph: _Graph, gate: Phasegate | AsyncPhasegate, describe: Describe, timeout: float | None
) -> Flow[Answered]:
    until = None if timeout is None else time.monotonic() + timeout
    result: Any = None
    while True:
        state = yield graph.state()
        found = yield from _rule_on(state.interrupts, gate, describe, until)
        if not found.answers:
            return Answered(result, tuple(found.open))
        for batch in found.batches():
            result = yield from _resume(graph, batch)


def _resume(graph: _Graph, batch: dict[str, Any]) -> Flow[Any]:
    try:
        return (yield graph.resume(Command(resume=batch)))
    except ValueError as error:  # of pydantic, when an edit does not fit the tool
        if not is_invalid_resume(error):
            raise
        words = f"a reviewer changed this call to one that the tool does not take: {error}"
    return (yield graph.resume(Command(resume={name: {"type": "reject", "message": words} for name in batch})))


def _rule_on(
    interrupts: Any, gate: Phasegate | AsyncPhasegate, describe: Describe, until: float | None
) -> Flow[_Round]:
    """Everything is asked before anything is waited for, so that it all lies in the queue at once."""
    asked: list[tuple[Any, hitl.Question, list[Decision]]] = []
    found = _Round()
    for one in interrupts:
        question = hitl.read(one.value, getattr(one, "response_schema", None))
        if question is None:
            found.open.append(Open(one))
            continue
        decisions = []
        for place, ask in enumerate(question.asks):
            kept = question.kept(one.id, place)
            decisions.append((yield _decide(gate, ask, describe, question.case_id(one.id, place), kept)))
        asked.append((one, question, decisions))
    for one, question, decisions in asked:
        for place, decision in enumerate(decisions):
            if decision.is_waiting:
                left = None if until is None else max(0.0, until - time.monotonic())
                decisions[place] = yield gate.wait(decision, left)
        _note(found, one, question, decisions)
    return found


def _decide(
    gate: Phasegate | AsyncPhasegate, ask: hitl.Ask, describe: Describe, case_id: str, kept: Mapping[str, Any]
) -> Any:
    if ask.decision_id is not None:
        return gate.wait(ask.decision_id, timeout=0)
    about = {"case_id": case_id, "action": ask.name, "input": {"asked": ask.description}} | dict(describe(ask))
    if about["case_id"] == case_id and isinstance(about["input"], Mapping):
        about["input"] = {**about["input"], "interrupt": kept}
    return gate.decide(output=as_json(ask.action, "the action"), **about)


def _note(found: _Round, one: Any, question: hitl.Question, decisions: list[Decision]) -> None:
    ruled = all(decision.certain and not decision.is_waiting for decision in decisions)
    answers = (
        [hitl.answer(ask, decision) for ask, decision in zip(question.asks, decisions, strict=True)] if ruled else []
    )
    said = [answer for answer in answers if answer is not None]
    if not ruled or len(said) < len(answers):
        found.open.append(Open(one, tuple(decisions)))
        return
    found.answers[one.id] = question.resume_value(said)
    if any(answer["type"] == "edit" for answer in said):
        found.edits.add(one.id)


def _plainly(_ask: hitl.Ask) -> Mapping[str, Any]:
    return {}
