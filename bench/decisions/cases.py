"""The case that is measured, about 1 KB as agents send them, and the agents that send it."""

import json
from typing import Any

from bench.decisions.load import PLACE_OF_ID, Request

SUPERVISED, TRUSTED = "claims", "letters"
"""One agent whose every case is reviewed, and one in the confidence phase: alone, audited or reviewed."""

VERSION = "2026-11-03"
THRESHOLD, AUDIT_RATE = 0.8, 0.1

SCHEMA = {
    "type": "object",
    "required": ["decision", "pay", "currency"],
    "properties": {
        "decision": {"enum": ["pay", "refuse", "ask"]},
        "pay": {"type": "number", "minimum": 0},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "reason": {"type": "string"},
    },
    "additionalProperties": False,
}

_MIXTURE = (
    (SUPERVISED, 0.97),
    (TRUSTED, 0.95),
    (SUPERVISED, 0.62),
    (TRUSTED, 0.91),
    (TRUSTED, 0.88),
    (SUPERVISED, 0.89),
    (TRUSTED, 0.71),
    (TRUSTED, 0.96),
    (SUPERVISED, 0.75),
    (TRUSTED, 0.55),
)
"""
Who sends, and how sure it is. Six of ten go to a person: four supervised, two below the threshold; of the four
that go alone one in ten is audited.
"""


def case(confidence: float, case_id: str = PLACE_OF_ID) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "version": VERSION,
        "input": {
            "claim": "HH-2026-118834",
            "policy": {"number": "4471-2208-19", "since": "2019-03-01", "cover": "household", "limit": 25000},
            "text": (
                "On Sunday evening the pipe under the kitchen sink burst while we were away. When we came back the "
                "floor and the lower cupboards were under water. A plumber came the same night; his bill and "
                "photographs are attached. We ask for the floor, two cupboards and the plumber."
            ),
            "documents": ["bill-0931.pdf", "kitchen-1.jpg", "kitchen-2.jpg"],
        },
        "output": {"decision": "pay", "pay": 1843.5, "currency": "EUR", "reason": "burst pipe is covered"},
        "confidence": confidence,
        "signals": {"logprob": -0.0514, "agreeing_samples": 9, "retrieval": 0.82},
        "segment": "water",
        "action": "pay_claim",
        "amount": 1843.5,
        "risk": "normal",
        "attributes": {"region": "north", "channel": "web", "language": "en"},
        "trace": [
            {"step": "read", "tool": "extract", "ms": 412},
            {"step": "look up", "tool": "policy", "ms": 38},
            {"step": "judge", "model": "m-large", "ms": 1220},
        ],
        "usage": {"input_tokens": 2214, "output_tokens": 187},
    }


def body(confidence: float) -> str:
    return json.dumps(case(confidence), separators=(",", ":"))


def mixture(keys: dict[str, dict[str, str]]) -> list[Request]:
    """The decisions of both agents, each with its key."""
    return [Request(f"/v1/agents/{agent}/decisions", body(confidence), keys[agent]) for agent, confidence in _MIXTURE]


def same_bodies(path: str) -> list[Request]:
    """The same bodies to one address, for what ours is compared with; with a header as long as a key."""
    header = {"Authorization": "Bearer " + "0" * 48}
    return [Request(path, body(confidence), header) for _, confidence in _MIXTURE]


def confidences(agent: str) -> list[float]:
    """Of this agent's cases in the mixture."""
    return [confidence for name, confidence in _MIXTURE if name == agent]
