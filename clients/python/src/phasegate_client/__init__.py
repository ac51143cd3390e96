"""
Asks Phasegate, case by case, who answers: the agent, a person, or the agent under a person's eyes.

Its one law: any doubt means a person. `decide` always answers within its time, with `Route.HUMAN` when anything at
all is wrong, so an agent needs no error handling to be safe.
"""

from phasegate_client.answers import StoredHumanOutput
from phasegate_client.breaker import Circuit
from phasegate_client.client import AsyncPhasegate, Phasegate
from phasegate_client.core import Health
from phasegate_client.decisions import Decision, Outcome, Reason, Route, State
from phasegate_client.errors import (
    CircuitOpen,
    Conflict,
    HandedOver,
    Invalid,
    MalformedAnswer,
    NotAllowed,
    NotFound,
    PhasegateError,
    Refused,
    TimedOut,
    Unanswered,
    Unavailable,
    Unexpected,
    UnknownRoute,
    Unreachable,
    Unsendable,
    Unspooled,
)
from phasegate_client.release import __version__
from phasegate_client.requests import HumanOutput, Proposal, Severity
from phasegate_client.run import AsyncRun, Run
from phasegate_client.spool import SpoolState
from phasegate_client.trace import Step, current_step

__all__ = [
    "AsyncPhasegate",
    "AsyncRun",
    "Circuit",
    "CircuitOpen",
    "Conflict",
    "Decision",
    "HandedOver",
    "Health",
    "HumanOutput",
    "Invalid",
    "MalformedAnswer",
    "NotAllowed",
    "NotFound",
    "Outcome",
    "Phasegate",
    "PhasegateError",
    "Proposal",
    "Reason",
    "Refused",
    "Route",
    "Run",
    "Severity",
    "SpoolState",
    "State",
    "Step",
    "StoredHumanOutput",
    "TimedOut",
    "Unanswered",
    "Unavailable",
    "Unexpected",
    "UnknownRoute",
    "Unreachable",
    "Unsendable",
    "Unspooled",
    "__version__",
    "current_step",
]
