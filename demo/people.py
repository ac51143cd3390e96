"""The people of the demo: who they are, how they sign in, and how they rule on what the agent proposes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo.digits import Scans
from demo.http import Desk

PASSWORD = "forms-and-digits"  # noqa: S105 - printed on the screen; the demo listens on loopback only

PEOPLE: dict[str, tuple[str, list[str]]] = {
    "admin": ("Ada Admin", ["admin", "engineer"]),
    "maria": ("Maria Keller", ["owner"]),
    "paul": ("Paul Reuter", ["lead", "reviewer"]),
    "amira": ("Amira Haddad", ["reviewer"]),
    "jonas": ("Jonas Ortiz", ["reviewer"]),
}


@dataclass(slots=True)
class Reviewer:
    """Takes the next case, reads the scan, and rules; types what the set's human label says, slips included."""

    login: str
    desk: Desk
    scans: Scans
    note: Callable[[int, str], None]  # number of the case, what was said of it

    def work(self, agent: str, most: int | None = None) -> int:
        """Rule until nothing waits (or `most` cases were ruled); how many."""
        ruled = 0
        while most is None or ruled < most:
            held = self.desk.post("/v1/queue/claim", {"agent": agent})
            if held is None:
                break
            self._rule(held)
            ruled += 1
        return ruled

    def _rule(self, held: dict[str, Any]) -> None:
        if held["pair"] is not None:
            self._judge(held)
            return
        typed = int(self.scans.typed[number_of(held["case_id"])])
        if held["answer_first"]:
            held = self.desk.post(f"/v1/reviews/{held['id']}/answer", {"output": {"digit": typed}})
        said: dict[str, Any] = {"ruling": "approve", "fingerprint": held["fingerprint"]}
        if held["output"]["digit"] != typed:
            said |= {"ruling": "edit", "output": {"digit": typed}}
        self.desk.post(f"/v1/reviews/{held['id']}/ruling", said)
        self.note(number_of(held["case_id"]), "edited" if said["ruling"] == "edit" else "approved")

    def _judge(self, held: dict[str, Any]) -> None:
        """Which of two readings is right; this time nobody slips."""
        digit = int(self.scans.digits[number_of(held["case_id"])])
        shown = held["pair"]["outputs"]
        right = [one["name"] for one in shown if one["output"]["digit"] == digit]
        said: dict[str, Any] = {"fingerprint": held["fingerprint"]}
        if not right:
            said |= {"right": "neither", "output": {"digit": digit}}
        else:
            said["right"] = "both" if len(right) == len(shown) else right[0]
        self.desk.post(f"/v1/reviews/{held['id']}/judgement", said)
        self.note(number_of(held["case_id"]), "judged")


def case_id(number: int) -> str:
    return f"form-{number:04d}"


def number_of(case: str) -> int:
    return int(case.removeprefix("form-"))
