"""The shortest governed agent: compute, decide, act on what may proceed, hand over what is for people, or stop."""

import os

from phasegate_client import Decision, Phasegate

gate = Phasegate(os.environ["PHASEGATE_URL"], os.environ["PHASEGATE_KEY"], agent="supervised", version="v1")

Ticket = dict[str, str]


def describe(ticket: Ticket) -> dict[str, object]:
    return {"case_id": ticket["id"], "input": ticket}


def forward(ticket: Ticket, intent: str) -> None:
    print(f"{ticket['id']}: forwarded as {intent}")


def hand_over(ticket: Ticket, decision: Decision) -> None:
    print(f"{ticket['id']}: a person does it, {decision.why}")


def stop(ticket: Ticket, decision: Decision) -> None:
    print(f"{ticket['id']}: nobody does it, {decision.why}")


@gate.governed(describe=describe, act=forward, hand_over=hand_over, stop=stop, wait=60)
def classify(ticket: Ticket) -> tuple[str, float]:
    return ("lost card" if "card" in ticket["text"] else "other"), 0.93


if __name__ == "__main__":
    classify({"id": f"T-{os.getpid()}", "text": "My card is lost"})
