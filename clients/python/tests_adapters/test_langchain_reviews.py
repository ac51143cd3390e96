"""Parked LangChain agents, answered through decisions, in each dialect of the real libraries."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from graphs import Mail, State, call, thread
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from people import Desk, Service

from phasegate_client import AsyncPhasegate, Phasegate
from phasegate_client.adapters.langgraph import aanswer_interrupts, answer_interrupts

MODES = pytest.mark.parametrize("mode", ["batched", "per_call"])
CALLS = [call("send_email", 1, to="ann", text="hello"), call("send_email", 2, to="bob", text="hello")]


def answer(mail: Mail, gate: Phasegate, **options: Any) -> Any:
    return answer_interrupts(mail.agent, mail.config, gate, **{"timeout": 20} | options)


@MODES
def test_what_is_approved_is_sent(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS[:1], interrupt_mode=mode)
    mail.start()
    early = answer(mail, gate, timeout=0)
    shown = desk.rule("approve")

    answered = answer(mail, gate)

    assert len(early.open) == 1
    assert (shown["action"], shown["output"]) == ("send_email", {"name": "send_email", "args": CALLS[0]["args"]})
    assert (mail.sent, answered.open) == ([("ann", "hello")], ())
    assert answered.result["messages"][-1].content == "done"


@MODES
def test_each_call_has_its_own_ruling(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS, interrupt_mode=mode)
    mail.start()
    answer(mail, gate, timeout=0)
    shown = desk.next()["output"]["args"]["to"]
    desk.rule("reject", note="not without asking")
    desk.rule("approve")

    answered = answer(mail, gate)

    assert (mail.sent, answered.open) == ([("bob" if shown == "ann" else "ann", "hello")], ())
    assert any("not without asking" in words for words in mail.model.heard)


@MODES
def test_an_edit_is_what_is_sent(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS[:1], interrupt_mode=mode)
    mail.start()
    answer(mail, gate, timeout=0)
    edited = {"name": "send_email", "args": {"to": "ann", "text": "good morning"}}
    desk.rule("edit", output=edited)

    answer(mail, gate)

    assert mail.sent == [("ann", "good morning")]


@MODES
def test_reviewers_are_offered_what_the_graph_takes_alone(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS[:1], allowed=["approve"], interrupt_mode=mode)
    mail.start()
    answer(mail, gate, timeout=0)

    assert "does not take edited arguments" in desk.refused("edit", output={"name": "send_email", "args": {}})
    assert "does not take an answer in the tool's place" in desk.refused("edit", output={"respond": "I called her"})
    desk.rule("approve")
    answer(mail, gate)
    assert mail.sent == [("ann", "hello")]


def test_an_edit_must_be_of_the_same_tool_and_fit_its_arguments(gate: Phasegate, desk: Desk) -> None:
    mail = Mail(CALLS[:1], interrupt_mode="per_call")
    mail.start()
    answer(mail, gate, timeout=0)

    assert "no call of 'send_email'" in desk.refused("edit", output={"name": "drop_table", "args": {"name": "mails"}})
    assert "do not fit the schema" in desk.refused("edit", output={"name": "send_email", "args": {"to": ["ann"]}})
    desk.rule("reject")
    answer(mail, gate)
    assert mail.sent == []


@MODES
def test_an_edit_that_names_another_tool_runs_nothing(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail, about = Mail(CALLS[:1], interrupt_mode=mode), {"case_id": f"mail-{uuid4()}"}  # not known for an interrupt's
    mail.start()
    answer(mail, gate, timeout=0, describe=lambda _ask: about)
    desk.rule("edit", output={"name": "drop_table", "args": {"name": "mails"}})

    answer(mail, gate, describe=lambda _ask: about)

    assert mail.sent == []
    assert any("of another tool than 'send_email'" in words for words in mail.model.heard)


@MODES
def test_a_reviewer_may_answer_in_the_tools_place(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS[:1], interrupt_mode=mode)
    mail.start()
    answer(mail, gate, timeout=0)
    desk.rule("edit", output={"respond": "I have called her"})

    answer(mail, gate)

    assert mail.sent == []
    assert "I have called her" in mail.model.heard


def test_an_edit_that_does_not_fit_the_tool_runs_nothing(gate: Phasegate, desk: Desk) -> None:
    mail, ids = Mail(CALLS, interrupt_mode="per_call"), {"ann": f"mail-{uuid4()}", "bob": f"mail-{uuid4()}"}
    mail.start()
    answer(mail, gate, timeout=0, describe=lambda ask: {"case_id": ids[ask.args["to"]]})
    desk.rule("edit", output={"name": "send_email", "args": {"to": ["ann"]}})
    desk.rule("approve")

    answered = answer(mail, gate, describe=lambda ask: {"case_id": ids[ask.args["to"]]})

    assert (len(mail.sent), answered.open) == (1, ())
    assert any("does not take" in words for words in mail.model.heard)


@MODES
def test_what_the_policy_lets_go_alone_is_sent_at_once_and_what_it_blocks_never(trusted: Phasegate, mode: str) -> None:
    mail = Mail([CALLS[0], call("drop_table", 2, name="mails")], interrupt_mode=mode)
    mail.start()

    answered = answer(mail, trusted, describe=lambda _ask: {"confidence": 0.9})

    assert (mail.sent, answered.open) == ([("ann", "hello")], ())
    assert any("must not be done" in words for words in mail.model.heard)


@MODES
def test_where_a_person_does_the_case_the_graph_is_told_so(service: Service, mode: str) -> None:
    mail = Mail(CALLS[:1], interrupt_mode=mode)
    mail.start()
    with service.gate("new") as gate:
        answered = answer(mail, gate)

    assert (mail.sent, answered.open) == ([], ())
    assert any("a person does this case" in words for words in mail.model.heard)


@MODES
def test_an_edit_the_graph_does_not_allow_is_a_rejection(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail, about = Mail(CALLS[:1], allowed=["approve", "reject"], interrupt_mode=mode), {"case_id": f"mail-{uuid4()}"}
    mail.start()
    answer(mail, gate, timeout=0, describe=lambda _ask: about)
    desk.rule("edit", output={"name": "send_email", "args": {"to": "eve", "text": ""}})

    answered = answer(mail, gate, describe=lambda _ask: about)

    assert (mail.sent, answered.open) == ([], ())
    assert any("does not accept" in words for words in mail.model.heard)


def test_an_approval_runs_the_call_as_it_was_where_the_graph_takes_edits_alone(gate: Phasegate, desk: Desk) -> None:
    mail = Mail(CALLS[:1], allowed=["edit", "reject"])
    mail.start()
    answer(mail, gate, timeout=0)
    desk.rule("approve")

    answered = answer(mail, gate)

    assert (mail.sent, answered.open) == ([("ann", "hello")], ())


@MODES
def test_where_the_graph_takes_no_answer_that_fits_it_stays_parked(gate: Phasegate, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS[:1], allowed=["approve"], interrupt_mode=mode)
    mail.start()
    answer(mail, gate, timeout=0)
    desk.rule("reject")

    answered = answer(mail, gate)

    assert (mail.sent, len(answered.open)) == ([], 1)


def test_without_a_certain_answer_the_graph_stays_parked() -> None:
    mail = Mail(CALLS[:1])
    mail.start()
    with Phasegate("http://127.0.0.1:9", "nobody", agent="supervised", version="v1", timeout=0.2) as nowhere:
        answered = answer(mail, nowhere)

    assert (mail.sent, answered.result, len(answered.open)) == ([], None, 1)
    assert mail.agent.get_state(mail.config).interrupts


class Inbox:
    """A graph that asks in agent-inbox's words, several times at once."""

    def __init__(self, *texts: str, **config: bool) -> None:
        self.said: dict[str, Any] = {}
        self.config = thread()
        allow = {"allow_accept": True, "allow_edit": True, "allow_respond": False, "allow_ignore": True} | config

        def ask(state: dict[str, Any]) -> State:
            asked = {"action_request": {"action": "send", "args": {"text": state["text"]}}, "config": allow,
                     "description": f"Send *{state['text']}*?"}  # fmt: skip
            self.said[state["text"]] = interrupt([asked])[0]
            return {}

        builder = StateGraph(State)
        builder.add_node("ask", ask)  # type: ignore[type-var]
        builder.add_conditional_edges(START, lambda _state: [Send("ask", {"text": text}) for text in texts])
        builder.add_edge("ask", END)
        self.graph: Any = builder.compile(checkpointer=InMemorySaver())
        self.graph.invoke({}, self.config)


def test_each_of_several_interrupts_gets_its_own_answer(gate: Phasegate, desk: Desk) -> None:
    inbox = Inbox("a", "b", "c")
    answer_interrupts(inbox.graph, inbox.config, gate, timeout=0)
    rulings: dict[str, dict[str, Any]] = {
        "a": {"ruling": "approve"},
        "b": {"ruling": "edit", "output": {"name": "send", "args": {"text": "B"}}},
        "c": {"ruling": "reject"},
    }
    for _ in rulings:
        desk.rule(**rulings[desk.next()["output"]["args"]["text"]])

    answered = answer_interrupts(inbox.graph, inbox.config, gate, timeout=20)

    assert answered.open == ()
    assert inbox.said == {
        "a": {"type": "accept", "args": {"action": "send", "args": {"text": "a"}}},
        "b": {"type": "edit", "args": {"action": "send", "args": {"text": "B"}}},
        "c": {"type": "ignore", "args": None},
    }


def test_an_inbox_that_may_ignore_nothing_hears_a_rejection_in_words(gate: Phasegate, desk: Desk) -> None:
    inbox = Inbox("a", allow_ignore=False, allow_respond=True)
    answer_interrupts(inbox.graph, inbox.config, gate, timeout=0)
    desk.rule("reject", note="not today")

    answer_interrupts(inbox.graph, inbox.config, gate, timeout=20)

    assert inbox.said["a"] == {"type": "response", "args": "not today"}


def test_an_interrupt_in_no_known_dialect_is_left_alone(gate: Phasegate) -> None:
    def node(state: State) -> State:
        interrupt("what colour?")
        return {}

    builder, config = StateGraph(State), thread()
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke({}, config)  # type: ignore[arg-type]

    answered = answer_interrupts(graph, config, gate, timeout=0)

    assert [one.interrupt.value for one in answered.open] == ["what colour?"]


def test_asynchronous_graphs_are_answered_too(service: Service, desk: Desk) -> None:
    mail = Mail(CALLS[:1])

    async def live() -> Any:
        gate: AsyncPhasegate
        async with service.async_gate() as gate:
            await mail.agent.ainvoke({"messages": [("user", "go on")]}, mail.config)
            ruling = asyncio.create_task(asyncio.to_thread(desk.rule, "approve"))
            answered = await aanswer_interrupts(mail.agent, mail.config, gate, timeout=20)
            await ruling
            return answered

    assert asyncio.run(live()).open == ()
    assert mail.sent == [("ann", "hello")]
