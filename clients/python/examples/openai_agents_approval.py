"""A tool of the OpenAI Agents SDK that runs only when Phasegate, or a person at its desk, lets it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from phasegate_client import AsyncPhasegate
from phasegate_client.adapters.openai_agents import needs_approval, settle

gate = AsyncPhasegate(os.environ["PHASEGATE_URL"], os.environ["PHASEGATE_KEY"], agent="supervised", version="v1")


@function_tool(needs_approval=needs_approval(gate, "refund", case_id=lambda context: context["ticket"]))
async def refund(amount: float) -> str:
    """Pay money back."""
    print(f"refunded {amount}")
    return "done"


class Stand(Model):
    """Stands in for a model: calls the tool once, then says so. Yours is a name such as "gpt-5"."""

    calls = 0

    async def get_response(self, *_args: Any, **_kwargs: Any) -> ModelResponse:
        self.calls += 1
        if self.calls == 1:
            given = json.dumps({"amount": 12.5})
            call = ResponseFunctionToolCall(type="function_call", call_id="call_1", name="refund", arguments=given)
            return ModelResponse(output=[call], usage=Usage(), response_id=None)
        text = ResponseOutputText(type="output_text", text="The refund is on its way.", annotations=[])
        said = ResponseOutputMessage(id="1", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


async def main() -> None:
    context = {"ticket": f"R-{os.getpid()}"}
    agent = Agent(name="support", model=Stand(), tools=[refund])
    config = RunConfig(tracing_disabled=True)
    async with gate:
        result = await Runner.run(agent, "Give me my money back", context=context, run_config=config)
        while result.interruptions:
            state = result.to_state()  # state.to_string() may be kept, and settled in another process
            if await settle(gate, state, case_id=context["ticket"], timeout=60):
                break  # nobody has ruled
            result = await Runner.run(agent, state, run_config=config)
        print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
