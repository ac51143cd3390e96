"""Parked graphs of the real libraries, answered over HTTP alone: posted as they are, resumed with what comes back."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from graphs import Mail, call
from langgraph.types import Command
from people import Desk, Service
from test_langchain_reviews import Inbox

MODES = pytest.mark.parametrize("mode", ["batched", "per_call"])
CALLS = [call("send_email", 1, to="ann", text="hello"), call("send_email", 2, to="bob", text="hello")]


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    with service.http("supervised") as made:
        yield made


def post(http: httpx2.Client, graph: Any, config: Any, agent: str = "supervised") -> list[tuple[str, dict[str, Any]]]:
    """Every interrupt the graph is parked on, with what the service says of it."""
    found = []
    for one in graph.get_state(config).interrupts:
        body = {"id": one.id, "value": one.value, "version": "v1", "confidence": 0.9}
        if getattr(one, "response_schema", None) is not None:
            body["response_schema"] = one.response_schema
        answer = http.post(f"/v1/agents/{agent}/interrupts", json=body)
        assert answer.is_success, answer.text
        found.append((one.id, answer.json()))
    return found


def resume(http: httpx2.Client, graph: Any, config: Any, posted: list[tuple[str, dict[str, Any]]]) -> Any:
    answers = {}
    for name, interrupt in posted:
        answered = http.get(f"/v1/interrupts/{interrupt['id']}", params={"wait": 15}).json()
        assert answered["status"] == "answered", answered
        answers[name] = answered["resume"]
    return graph.invoke(Command(resume=answers), config)


@MODES
def test_each_call_is_answered_as_it_was_ruled(http: httpx2.Client, desk: Desk, mode: str) -> None:
    mail = Mail(CALLS, interrupt_mode=mode)
    mail.start()
    posted = post(http, mail.agent, mail.config)
    assert all(interrupt["dialect"] == mode for _, interrupt in posted)
    shown = desk.rule("reject", note="not without asking")["output"]["args"]["to"]
    edited = {"name": "send_email", "args": {"to": "bob" if shown == "ann" else "ann", "text": "good morning"}}
    desk.rule("edit", output=edited)

    result = resume(http, mail.agent, mail.config, posted)

    assert mail.sent == [(edited["args"]["to"], "good morning")]
    assert any("not without asking" in words for words in mail.model.heard)
    assert result["messages"][-1].content == "done"


@MODES
def test_what_may_go_alone_is_sent_without_a_person(service: Service, mode: str) -> None:
    mail = Mail([*CALLS[:1], call("drop_table", 3, name="people")], interrupt_mode=mode)
    mail.start()

    with service.http("trusted") as http:
        resume(http, mail.agent, mail.config, post(http, mail.agent, mail.config, "trusted"))

    assert mail.sent == [("ann", "hello")]


def test_several_interrupts_of_an_inbox_get_their_own_answers(http: httpx2.Client, desk: Desk) -> None:
    inbox = Inbox("a", "b")
    posted = post(http, inbox.graph, inbox.config)
    for _ in posted:
        desk.rule("approve" if desk.next()["output"]["args"]["text"] == "a" else "reject")

    resume(http, inbox.graph, inbox.config, posted)

    assert inbox.said == {
        "a": {"type": "accept", "args": {"action": "send", "args": {"text": "a"}}},
        "b": {"type": "ignore", "args": None},
    }
