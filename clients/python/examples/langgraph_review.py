"""A LangGraph with a person in between: the graph is parked until the case is ruled on, and goes on with the ruling."""

import os
from typing import TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from phasegate_client import Phasegate
from phasegate_client.adapters.langgraph import answer_interrupts, decide_or_interrupt

gate = Phasegate(os.environ["PHASEGATE_URL"], os.environ["PHASEGATE_KEY"], agent="supervised", version="v1")


class Claim(TypedDict, total=False):
    id: str
    text: str
    proposed: dict[str, float]


def assess(state: Claim) -> Claim:
    return {"proposed": {"pay": 40.0}}  # a model would do this


def pay(state: Claim) -> Claim:
    governed = decide_or_interrupt(gate, case_id=state["id"], output=state["proposed"], input=state["text"])
    if governed.may_proceed:
        print(f"{state['id']}: paid {governed.output['pay']}")
    else:
        print(f"{state['id']}: not paid, {governed.decision.why}")
    return {}


builder = StateGraph(Claim)
builder.add_node(assess)
builder.add_node(pay)
builder.add_edge(START, "assess")
builder.add_edge("assess", "pay")
builder.add_edge("pay", END)
graph = builder.compile(checkpointer=InMemorySaver())  # in production one that outlives the process

if __name__ == "__main__":
    thread: RunnableConfig = {"configurable": {"thread_id": "claim-1"}}
    graph.invoke(Claim(id=f"C-{os.getpid()}", text="A broken window"), thread)
    print(f"parked on {len(graph.get_state(thread).interrupts)} interrupt")
    answer_interrupts(graph, thread, gate, timeout=60)
