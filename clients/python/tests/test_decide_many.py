"""Many cases in few requests: each has a decision, and a doubt of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from phasegate_client import errors
from phasegate_client.answers import Reply
from phasegate_client.breaker import Breaker
from phasegate_client.calls import Calls, Result, Send
from phasegate_client.decisions import Decision, Route
from phasegate_client.requests import LARGEST_BATCH, Proposal

Stored = Callable[..., dict[str, Any]]
RESET = errors.Unreachable("connection reset")


class Stage:
    """Hands out the results in turn, the last one for ever, and keeps what was sent; pauses take no time."""

    def __init__(self, *results: Result) -> None:
        self.results = list(results)
        self.sent: list[Send] = []
        clock, jitter = (lambda: 0.0), (lambda: 1.0)
        self.calls = Calls("reader", "v1", 2.0, False, clock, jitter, Breaker(clock, jitter))

    def decide(self, asked: list[Proposal]) -> list[Decision]:
        call, result = self.calls.decide_many(asked), None
        while True:
            try:
                step = call.send(result)
            except StopIteration as answered:
                decisions: list[Decision] = answered.value
                return decisions
            result = None
            if isinstance(step, Send):
                self.sent.append(step)
                result = self.results.pop(0) if len(self.results) > 1 else self.results[0]


def ok(body: Any) -> Reply:
    return Reply(200, json.dumps(body).encode())


def proposals(*case_ids: str) -> list[Proposal]:
    return [Proposal(case_id, "7", 0.97) for case_id in case_ids]


def items(*given: dict[str, Any]) -> Reply:
    found = [
        {"status": 201, "decision": one} if "route" in one else {"status": one["status"], "problem": one}
        for one in given
    ]
    return ok({"items": found})


def ask(stage: Stage, asked: list[Proposal]) -> list[Decision]:
    return stage.decide(asked)


def test_each_gets_its_own_decision_in_order(stored: Stored) -> None:
    stage = Stage(items(stored(case_id="a"), stored(case_id="b", route="shadow")))

    first, second = ask(stage, proposals("a", "b"))

    assert (first.case_id, first.may_proceed) == ("a", True)
    assert (second.case_id, second.route, second.certain) == ("b", Route.SHADOW, True)
    (sent,) = stage.sent
    assert sent.request.path == "/v1/agents/reader/decisions:batch"
    assert [item["case_id"] for item in json.loads(sent.request.body or b"")["items"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        pytest.param({"status": 409, "type": "/problems/case-differs"}, errors.Conflict, id="a conflict"),
        pytest.param({"status": 422}, errors.Invalid, id="a refusal"),
        pytest.param({"status": 503}, errors.Unavailable, id="not stored"),
        pytest.param({"status": 200}, errors.MalformedAnswer, id="no decision"),
    ],
)
def test_a_doubt_about_one_hands_only_that_one_to_a_person(
    stored: Stored, item: dict[str, Any], kind: type[Exception]
) -> None:
    good, bad = ask(Stage(items(stored(case_id="a"), item)), proposals("a", "b"))

    assert good.may_proceed
    assert (bad.case_id, bad.route, bad.certain, type(bad.error)) == ("b", Route.HUMAN, False, kind)


def test_an_answer_about_another_case_is_a_doubt(stored: Stored) -> None:
    mixed_up = ask(Stage(items(stored(case_id="b"), stored(case_id="a"))), proposals("a", "b"))

    assert [decision.route for decision in mixed_up] == [Route.HUMAN] * 2


def test_an_unknown_route_is_a_doubt(stored: Stored) -> None:
    (decision,) = ask(Stage(items(stored(case_id="a", route="teleport"))), proposals("a"))

    assert (decision.route, type(decision.error)) == (Route.HUMAN, errors.UnknownRoute)


@pytest.mark.parametrize("result", [RESET, Reply(500), Reply(404), Reply(200, b"<html>"), ok({"items": []})])
def test_without_an_answer_a_person_does_all_of_them(result: Any) -> None:
    decisions = ask(Stage(result), proposals("a", "b"))

    assert [(one.case_id, one.route, one.certain) for one in decisions] == [
        ("a", Route.HUMAN, False),
        ("b", Route.HUMAN, False),
    ]


def test_a_lost_answer_is_asked_for_again_with_the_same_request(stored: Stored) -> None:
    stage = Stage(RESET, items(stored(case_id="a")))

    assert ask(stage, proposals("a"))[0].certain
    assert len({step.request for step in stage.sent}) == 1


def test_what_cannot_be_sent_harms_no_other(stored: Stored) -> None:
    asked = [Proposal("a", object()), *proposals("b"), Proposal("", "7")]

    first, second, third = ask(Stage(items(stored(case_id="b"))), asked)

    assert (type(first.error), second.certain, type(third.error)) == (errors.Unsendable, True, errors.Unsendable)


def test_more_than_a_request_takes_go_in_several(stored: Stored) -> None:
    names = [f"c-{n}" for n in range(LARGEST_BATCH + 1)]
    several = Stage(items(*(stored(case_id=name) for name in names[:-1])), items(stored(case_id=names[-1])))

    decisions = ask(several, proposals(*names))

    assert [decision.case_id for decision in decisions] == names
    assert len(several.sent) == 2


def test_each_agent_has_a_request_of_its_own(stored: Stored) -> None:
    stage = Stage(items(stored(case_id="a")), items(stored(case_id="b", agent="writer")))

    decisions = ask(stage, [*proposals("a"), Proposal("b", "7", 0.97, agent="writer")])

    assert [decision.certain for decision in decisions] == [True, True]
    assert stage.sent[1].request.path == "/v1/agents/writer/decisions:batch"


def test_long_cases_go_in_several(stored: Stored) -> None:
    long = [Proposal(name, "x" * 2_000_000) for name in ("a", "b")]
    stage = Stage(items(stored(case_id="a")), items(stored(case_id="b")))

    assert [decision.certain for decision in ask(stage, long)] == [True, True]
    assert len(stage.sent) == 2


def test_none_at_all_asks_for_nothing() -> None:
    stage = Stage(RESET)

    assert (ask(stage, []), stage.sent) == ([], [])
