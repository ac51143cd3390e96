"""Tool approvals of the real OpenAI Agents SDK, with a model that says what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import count, repeat
from typing import Any

import pytest
from agents import Agent, Model, ModelBehaviorError, ModelResponse, RunConfig, Runner, RunState, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from people import Desk, Service

from phasegate_client import AsyncPhasegate, Decision
from phasegate_client.adapters.openai_agents import Call, needs_approval, settle

QUIET = RunConfig(tracing_disabled=True)
_tickets = count(1)


class Scripted(Model):
    """Calls its tools as the script says, then says `done`."""

    def __init__(self, *calls: tuple[str, dict[str, Any]]) -> None:
        self.turns = [list(calls)] if calls else []
        self.heard: list[Any] = []
        self.ids: Iterable[str] = [f"call_{n}" for n in range(9)]  # begun anew at each turn

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        self.heard = input
        calls = self.turns.pop(0) if self.turns else []
        output: list[Any] = [
            ResponseFunctionToolCall(type="function_call", call_id=one, name=name, arguments=json.dumps(given))
            for one, (name, given) in zip(self.ids, calls, strict=False)
        ]
        if not calls:
            text = ResponseOutputText(type="output_text", text="done", annotations=[])
            output = [
                ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
            ]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    def was_told(self, words: str) -> bool:
        return words in json.dumps(self.heard)


class Till:
    """An agent with a tool that pays refunds, and what it has paid."""

    def __init__(self, gate: AsyncPhasegate, *calls: tuple[str, dict[str, Any]], confidence: float = 0.9) -> None:
        self.gate, self.confidence = gate, confidence
        self.ticket = f"ticket-{next(_tickets)}"
        self.paid: list[float] = []
        self.model = Scripted(*calls)

        def policy(tool: str) -> Any:
            return needs_approval(gate, tool, case_id=lambda context: context["ticket"], describe=self.describe)

        @function_tool(needs_approval=policy("refund"))
        async def refund(amount: float) -> str:
            """Pay a refund."""
            self.paid.append(amount)
            return "paid"

        @function_tool(needs_approval=policy("drop_table"))
        async def drop_table(name: str) -> str:
            """Delete everything."""
            self.paid.append(-1.0)
            return "gone"

        self.agent = Agent(name="till", model=self.model, tools=[refund, drop_table])

    def describe(self, _call: Call) -> dict[str, Any]:
        return {"confidence": self.confidence}

    async def start(self) -> Any:
        return await Runner.run(self.agent, "go on", context={"ticket": self.ticket}, run_config=QUIET)

    async def settle(self, state: Any, timeout: float = 20.0) -> tuple[Decision, ...]:
        return await settle(self.gate, state, case_id=self.ticket, describe=self.describe, timeout=timeout)

    async def resume(self, state: Any) -> Any:
        return await Runner.run(self.agent, state, run_config=QUIET)


def live(service: Service, agent: str, story: Callable[[AsyncPhasegate], Awaitable[None]]) -> None:
    async def run() -> None:
        async with service.async_gate(agent) as gate:
            await story(gate)

    asyncio.run(run())


async def rule(desk: Desk, ruling: str, **said: Any) -> dict[str, Any]:
    return await asyncio.to_thread(lambda: desk.rule(ruling, **said))


def test_what_may_go_alone_needs_no_approval(service: Service) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))

        result = await till.start()

        assert (till.paid, result.interruptions, result.final_output) == ([5.0], [], "done")

    live(service, "trusted", story)


def test_what_is_approved_runs_once(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        result = await till.start()
        state = result.to_state()
        early = await till.settle(state, timeout=0)
        assert (till.paid, len(result.interruptions), len(early)) == ([], 1, 1)
        shown = await rule(desk, "approve")
        assert (shown["action"], shown["output"]) == ("refund", {"name": "refund", "args": {"amount": 5.0}})

        still_open = await till.settle(state)
        result = await till.resume(state)

        assert (till.paid, still_open, result.final_output) == ([5.0], (), "done")

    live(service, "supervised", story)


def test_a_rejection_reaches_the_model_in_the_reviewers_words(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        state = (await till.start()).to_state()
        await rule(desk, "reject", note="not without a receipt")

        await till.settle(state)
        await till.resume(state)

        assert (till.paid, till.model.was_told("not without a receipt")) == ([], True)

    live(service, "supervised", story)


def test_an_edit_does_not_run_and_the_model_hears_what_is_wanted(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 500.0}))
        state = (await till.start()).to_state()
        await rule(desk, "edit", output={"name": "refund", "args": {"amount": 5.0}})

        await till.settle(state)
        await till.resume(state)

        assert (till.paid, till.model.was_told("A reviewer wants this instead")) == ([], True)

    live(service, "supervised", story)


def test_each_of_several_calls_has_its_own_ruling(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 1.0}), ("refund", {"amount": 2.0}))
        state = (await till.start()).to_state()
        first = await rule(desk, "reject")
        await rule(desk, "approve")

        await till.settle(state)
        await till.resume(state)

        assert till.paid == [3.0 - first["output"]["args"]["amount"]]

    live(service, "supervised", story)


def test_a_state_is_settled_in_another_process(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        kept = (await till.start()).to_state().to_string()
        await rule(desk, "approve")
        state = await RunState.from_string(till.agent, kept)

        still_open = await till.settle(state)
        await till.resume(state)

        assert (till.paid, still_open) == ([5.0], ())

    live(service, "supervised", story)


def test_a_call_that_was_changed_since_its_approval_does_not_count_as_approved(service: Service, desk: Desk) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        kept = (await till.start()).to_state().to_json()
        await rule(desk, "approve")
        changed = json.loads(json.dumps(kept).replace(r"{\"amount\": 5.0}", r"{\"amount\": 5000.0}"))
        assert changed != kept

        state = await RunState.from_json(till.agent, changed)
        still_open = await till.settle(state, timeout=0)

        assert len(still_open) == 1
        assert till.paid == []

    live(service, "supervised", story)


def test_a_call_id_that_comes_again_with_other_arguments_does_not_run_on_the_old_approval(
    service: Service, desk: Desk
) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        till.model.turns.append([("refund", {"amount": 5000.0})])  # call_0 again
        kept = (await till.start()).to_state().to_string()
        await rule(desk, "approve")
        state = await RunState.from_string(till.agent, kept)
        await till.settle(state)

        with pytest.raises(ModelBehaviorError, match="reused a completed tool call ID"):
            await till.resume(state)

        assert till.paid == [5.0]

    live(service, "supervised", story)


def test_one_call_id_for_two_calls_at_once_runs_neither(service: Service) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}), ("refund", {"amount": 5000.0}))
        till.model.ids = repeat("call_0")

        with pytest.raises(ModelBehaviorError, match="tool call ID"):
            await till.start()

        assert till.paid == []

    live(service, "trusted", story)


def test_a_blocked_tool_never_runs(service: Service) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("drop_table", {"name": "refunds"}))
        state = (await till.start()).to_state()

        still_open = await till.settle(state)
        await till.resume(state)

        assert (till.paid, still_open, till.model.was_told("must not be done")) == ([], (), True)

    live(service, "trusted", story)


def test_where_a_person_does_the_case_the_model_is_told_so(service: Service) -> None:
    async def story(gate: AsyncPhasegate) -> None:
        till = Till(gate, ("refund", {"amount": 5.0}))
        state = (await till.start()).to_state()

        await till.settle(state)
        await till.resume(state)

        assert (till.paid, till.model.was_told("A person does this instead")) == ([], True)

    live(service, "new", story)


def test_without_a_certain_answer_nothing_runs_and_nothing_is_rejected() -> None:
    async def story() -> None:
        async with AsyncPhasegate("http://127.0.0.1:9", "nobody", agent="x", version="v1", timeout=0.2) as gate:
            till = Till(gate, ("refund", {"amount": 5.0}))
            state = (await till.start()).to_state()
            still_open = await till.settle(state)
            result = await till.resume(state)

            assert ([one.certain for one in still_open], till.paid, len(result.interruptions)) == ([False], [], 1)

    asyncio.run(story())


@pytest.mark.parametrize(
    "other", [Call("refund", {"amount": 5.01}, "call_1"), Call("refund2", {"amount": 5}, "call_1")]
)
def test_a_fingerprint_is_of_name_and_arguments(other: Call) -> None:
    one = Call("refund", {"amount": 5, "to": "ann"}, "call_1")

    assert one.fingerprint == Call("refund", {"to": "ann", "amount": 5}, "call_2").fingerprint
    assert one.fingerprint != other.fingerprint
