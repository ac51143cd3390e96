"""Small real graphs and agents, with a model that says what it is told to."""

from collections.abc import Sequence
from itertools import count
from typing import Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

_threads = count(1)


def thread() -> dict[str, Any]:
    """The configuration of a new thread."""
    return {"configurable": {"thread_id": f"thread-{next(_threads)}"}}


class Scripted(BaseChatModel):
    """Calls its tools as the script says, then says `done`."""

    turns: list[list[dict[str, Any]]]
    heard: list[str] = []  # noqa: RUF012 - pydantic copies it

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "Scripted":  # type: ignore[override]
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.heard[:] = [str(message.content) for message in messages]
        said = sum(isinstance(message, AIMessage) for message in messages)
        calls = self.turns[said] if said < len(self.turns) else []
        message = AIMessage(content="" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


class Mail:
    """An agent that sends mail, and what it has sent."""

    def __init__(self, calls: list[dict[str, Any]], allowed: list[str] | None = None, **middleware: Any) -> None:
        config: Any = {"allowed_decisions": allowed} if allowed else True
        self.sent: list[tuple[str, str]] = []

        @tool
        def send_email(to: str, text: str) -> str:
            """Send a mail."""
            self.sent.append((to, text))
            return "sent"

        @tool
        def drop_table(name: str) -> str:
            """Delete everything."""
            self.sent.append(("dropped", name))
            return "gone"

        self.model = Scripted(turns=[calls])
        self.agent: Any = create_agent(
            self.model, [send_email, drop_table], checkpointer=InMemorySaver(),
            middleware=[HumanInTheLoopMiddleware({"send_email": config, "drop_table": True}, **middleware)],
        )  # fmt: skip
        self.config = thread()

    def start(self) -> None:
        self.agent.invoke({"messages": [("user", "go on")]}, self.config)


def call(tool_name: str, number: int = 1, **args: Any) -> dict[str, Any]:
    return {"name": tool_name, "args": args, "id": f"call_{number}"}


class State(TypedDict, total=False):
    case_id: str
    output: Any
    done: list[Any]
