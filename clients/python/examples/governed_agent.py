"""The shortest governed agent: compute, decide, act on what may proceed, hand over what is for people, or stop."""

import os

from phasegate_client import Phasegate

gate = Phasegate(os.environ["PHASEGATE_URL"], os.environ["PHASEGATE_KEY"], agent="supervised", version="v1")


@gate.governed(
    describe=lambda ticket: {"case_id": ticket["id"], "input": ticket},
    act=lambda ticket, intent: print(f"{ticket['id']}: forwarded as {intent}"),
    hand_over=lambda ticket, decision: print(f"{ticket['id']}: a person does it, {decision.why}"),
    stop=lambda ticket, decision: print(f"{ticket['id']}: nobody does it, {decision.why}"),
    wait=60,
)
def classify(ticket):
    return ("lost card" if "card" in ticket["text"] else "other"), 0.93


if __name__ == "__main__":
    classify({"id": f"T-{os.getpid()}", "text": "My card is lost"})
