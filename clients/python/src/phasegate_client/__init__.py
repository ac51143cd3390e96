"""
Asks Phasegate, case by case, who answers: the agent, a person, or the agent under a person's eyes.

Its one law: any doubt means a person. `decide` always answers within its time, with `Route.HUMAN` when anything at
all is wrong, so an agent needs no error handling to be safe.
"""

from phasegate_client.answers import StoredHumanOutput
from phasegate_client.client import AsyncPhasegate, Phasegate
from phasegate_client.decisions import Decision, Outcome, Reason, Route, State
from phasegate_client.errors import (
    Conflict,
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
)
from phasegate_client.requests import HumanOutput, Severity

__all__ = [
    "AsyncPhasegate",
    "Conflict",
    "Decision",
    "HumanOutput",
    "Invalid",
    "MalformedAnswer",
    "NotAllowed",
    "NotFound",
    "Outcome",
    "Phasegate",
    "PhasegateError",
    "Reason",
    "Refused",
    "Route",
    "Severity",
    "State",
    "StoredHumanOutput",
    "TimedOut",
    "Unanswered",
    "Unavailable",
    "Unexpected",
    "UnknownRoute",
    "Unreachable",
    "Unsendable",
]
