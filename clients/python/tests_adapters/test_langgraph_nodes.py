"""`decide_or_interrupt` in the nodes of real graphs, against a real service."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from graphs import State, thread
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from people import Desk, Service, soon

from phasegate_client import AsyncPhasegate, Phasegate, Route
from phasegate_client.adapters.langgraph import (
    Governed,
    adecide_or_interrupt,
    answer_interrupts,
    decide_or_interrupt,
)

_cases = count(1)


def graph_of(node: Callable[[State], Any]) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node)  # type: ignore[call-overload]
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=InMemorySaver())


class Payments:
    """A node that pays if it may. Like a model, it computes something else each time it is run."""

    def __init__(self, gate: Phasegate, *, same: bool = False) -> None:
        self.gate, self.same = gate, same
        self.runs = 0
        self.paid: list[Any] = []
        self.seen: list[Governed] = []
        self.case_id = f"payment-{next(_cases)}"
        self.graph, self.config = graph_of(self.pay), thread()

    def pay(self, state: State) -> State:
        self.runs += 1
        output = {"pay": 1 if self.same else self.runs}
        governed = decide_or_interrupt(self.gate, case_id=self.case_id, output=output, confidence=0.9)
        self.seen.append(governed)
        if governed.may_proceed:
            self.paid.append(governed.output)
        return {"output": governed.output}

    def start(self) -> Any:
        return self.graph.invoke({}, self.config)

    def resume(self, value: Any = "look again") -> Any:
        return self.graph.invoke(Command(resume=value), self.config)

    def parked_on(self) -> tuple[Any, ...]:
        return self.graph.get_state(self.config).interrupts  # type: ignore[no-any-return]


def test_an_auto_goes_on_without_an_interrupt(trusted: Phasegate) -> None:
    payments = Payments(trusted)

    payments.start()

    assert (payments.paid, payments.runs, payments.parked_on()) == ([{"pay": 1}], 1, ())


def test_a_human_decision_goes_on_too_and_pays_nothing(service: Service) -> None:
    with service.gate("new") as gate:
        payments = Payments(gate)
        payments.start()

    assert (payments.paid, payments.seen[0].decision.route, payments.parked_on()) == ([], Route.HUMAN, ())


def test_a_review_parks_the_graph_in_the_newest_dialect(gate: Phasegate, desk: Desk) -> None:
    payments = Payments(gate)

    payments.start()

    value = payments.parked_on()[0].value
    item = desk.next()
    assert (value["type"], value["name"], value["args"]) == ("tool_approval", "supervised", {"pay": 1})
    assert value["phasegate"]["decision_id"] == item["decision_id"]


def test_what_was_approved_is_paid_though_the_node_now_computes_something_else(gate: Phasegate, desk: Desk) -> None:
    payments = Payments(gate)
    payments.start()
    desk.rule("approve")

    payments.resume()

    assert (payments.paid, payments.runs) == ([{"pay": 1}], 2)


def test_the_reviewers_edit_is_paid(gate: Phasegate, desk: Desk) -> None:
    payments = Payments(gate)
    payments.start()
    desk.rule("edit", output={"pay": 7})

    payments.resume()

    assert payments.paid == [{"pay": 7}]


def test_a_rejection_holds_though_the_node_runs_again_and_the_policy_would_now_say_auto(service: Service) -> None:
    with service.gate("promoted") as gate, Desk(service, "promoted") as desk:
        cases = [Payments(gate, same=same) for same in (True, False)]
        for payments in cases:
            payments.start()
            desk.rule("reject", note="never paid")
        service.promote("promoted")
        soon(lambda: _now(gate) is Route.AUTO, "the policy is in force")

        for payments in cases:
            payments.resume({"type": "approve"})

    for payments in cases:
        assert (payments.paid, payments.runs, payments.parked_on()) == ([], 2, ())
        assert payments.seen[0].decision.route is Route.REVIEW


def _now(gate: Phasegate) -> Route:
    """What the route of such a case is now."""
    return gate.decide(case_id=f"now-{next(_cases)}", output={"pay": 1}, confidence=0.9).route


def test_resuming_without_a_ruling_parks_again(gate: Phasegate, desk: Desk) -> None:
    payments = Payments(gate)
    payments.start()

    payments.resume({"type": "approve"})

    assert payments.paid == []
    assert len(payments.parked_on()) == 1
    desk.rule("approve")
    payments.resume()
    assert payments.paid == [{"pay": 1}]


def test_a_later_interrupt_of_the_node_never_gets_an_answer_that_was_ours(gate: Phasegate, desk: Desk) -> None:
    answers = []

    def node(state: State) -> State:
        decide_or_interrupt(gate, case_id=f"two-{case}", output="yes")
        answers.append(interrupt("what colour?"))
        return {}

    case, graph, config = next(_cases), graph_of(node), thread()
    graph.invoke({}, config)
    graph.invoke(Command(resume="too early"), config)
    desk.rule("approve")
    graph.invoke(Command(resume="now"), config)
    assert graph.get_state(config).interrupts[0].value == "what colour?"

    graph.invoke(Command(resume="green"), config)

    assert answers == ["green"]


def test_without_phasegate_a_person_does_the_case(service: Service) -> None:
    with Phasegate("http://127.0.0.1:9", "nobody", agent="supervised", version="v1", timeout=0.2) as gate:
        payments = Payments(gate)
        payments.start()

    assert (payments.paid, payments.seen[0].decision.certain, payments.parked_on()) == ([], False, ())


def test_a_doubt_stays_one_when_the_node_runs_again(service: Service, trusted: Phasegate) -> None:
    nowhere = Phasegate("http://127.0.0.1:9", "nobody", agent="trusted", version="v1", timeout=0.2)
    gates, routes, case = [nowhere, trusted], [], next(_cases)

    def node(state: State) -> State:
        routes.append(decide_or_interrupt(gates.pop(0), case_id=f"doubt-{case}", output="yes", confidence=0.9))
        interrupt("anything else?")
        return {}

    graph, config = graph_of(node), thread()
    graph.invoke({}, config)
    graph.invoke(Command(resume="no"), config)

    assert [(one.decision.route, one.decision.certain) for one in routes] == [(Route.HUMAN, False)] * 2


def test_the_bridge_wakes_a_parked_node_once_a_person_has_ruled(gate: Phasegate, desk: Desk) -> None:
    payments = Payments(gate)
    payments.start()
    early = answer_interrupts(payments.graph, payments.config, gate, timeout=0)
    desk.rule("approve")

    answered = answer_interrupts(payments.graph, payments.config, gate, timeout=20)

    assert (early.result, len(early.open)) == (None, 1)
    assert (answered.result, answered.open, payments.paid) == ({"output": {"pay": 1}}, (), [{"pay": 1}])


def test_asynchronous_nodes_do_the_same(service: Service, desk: Desk) -> None:
    async def live() -> list[Any]:
        paid = []
        case = next(_cases)
        async with AsyncPhasegate(
            service.url, service.keys["supervised"], agent="supervised", version="v1", timeout=20.0
        ) as gate:

            async def node(state: State) -> State:
                governed = await adecide_or_interrupt(gate, case_id=f"async-{case}", output="yes")
                if governed.may_proceed:
                    paid.append(governed.output)
                return {}

            graph, config = graph_of(node), thread()
            await graph.ainvoke({}, config)
            await asyncio.to_thread(desk.rule, "edit", output="no")
            await graph.ainvoke(Command(resume="look"), config)
        return paid

    assert asyncio.run(live()) == ["no"]
