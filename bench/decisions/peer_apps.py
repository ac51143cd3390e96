"""
What others offer for a case that waits for a person, each behind the same FastAPI and uvicorn as ours.

One call: the case is parked durably, so that a person can be asked and the work goes on after a restart. They run
with the interpreter of `.venv-bench-decisions` and know nothing of our service. The database address comes from
`BENCH_DATABASE_URL`.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any, TypedDict

from fastapi import FastAPI

PATH = "/parked"
_CONNECTIONS = 20


class _State(TypedDict):
    case: dict[str, Any]
    ruling: Any


def langgraph() -> FastAPI:
    """A graph of one node that calls `interrupt`, with the PostgreSQL checkpointer; durability as it is by default."""
    return _langgraph("async")


def langgraph_exit() -> FastAPI:
    """The same with `durability="exit"`: one checkpoint, when the graph stops at the interrupt."""
    return _langgraph("exit")


def _langgraph(durability: str) -> FastAPI:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    def ask(state: _State) -> dict[str, Any]:
        return {"ruling": interrupt({"case": state["case"]})}

    graph = StateGraph(_State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    held: dict[str, Any] = {}

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        url = os.environ["BENCH_DATABASE_URL"]
        async with AsyncConnectionPool(url, min_size=4, max_size=_CONNECTIONS, kwargs=options) as pool:
            checkpointer = AsyncPostgresSaver(pool)
            await checkpointer.setup()
            held["graph"] = graph.compile(checkpointer=checkpointer)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH, status_code=201)
    async def park(body: dict[str, Any]) -> dict[str, str]:
        config = {"configurable": {"thread_id": body["case_id"]}}
        stopped = await held["graph"].ainvoke({"case": body}, config, durability=durability)
        return {"status": "waiting" if stopped["__interrupt__"] else "done"}

    return app


def dbos() -> FastAPI:
    """A workflow that waits for a message; started means that it stands in the database."""
    from dbos import DBOS, DBOSConfig, SetWorkflowID

    config: DBOSConfig = {
        "name": "parked",
        "system_database_url": os.environ["BENCH_DATABASE_URL"],
        "sys_db_pool_size": _CONNECTIONS,
        "enable_otlp": False,
        "log_level": "WARNING",
    }
    DBOS(config=config)

    @DBOS.workflow()
    async def reviewed(case: dict[str, Any]) -> Any:
        return {"case": case["case_id"], "ruling": await DBOS.recv_async("ruling", timeout_seconds=3600)}

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        DBOS.launch()
        yield
        os._exit(0)  # the workflows that wait would be waited for

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH, status_code=201)
    async def park(body: dict[str, Any]) -> dict[str, str]:
        with SetWorkflowID(body["case_id"]):
            await DBOS.start_workflow_async(reviewed, body)
        return {"status": "waiting"}

    return app
