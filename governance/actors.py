"""
Who is acting, and what they may do. One table says which role carries which verb; nothing else grants.

A verb says what kind of thing is done, not to which thing: that somebody is the *named* owner of this
agent is checked where agents are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from kit.errors import Forbidden

Role = Literal["admin", "owner", "reviewer", "lead", "engineer", "auditor"]
Verb = Literal[
    "decide",  # post outputs to be routed
    "report",  # human outputs and failures
    "read",
    "review",
    "escalated",  # the second line of the queue
    "configure",  # agents, plans, policies, versions, suites
    "advance",  # sign or refuse a step up
    "demote",  # demote, freeze, roll back
    "administer",  # people and keys
    "audit",
]
Kind = Literal["person", "agent", "system"]

ROLES: tuple[Role, ...] = get_args(Role)
VERBS: tuple[Verb, ...] = get_args(Verb)

PERMITTED: Mapping[Verb, frozenset[Role]] = MappingProxyType(
    {
        "decide": frozenset({"engineer", "admin"}),
        "report": frozenset({"engineer", "reviewer", "lead", "owner", "admin"}),
        "read": frozenset(ROLES),
        "review": frozenset({"reviewer", "lead"}),
        "escalated": frozenset({"lead"}),
        "configure": frozenset({"engineer", "owner", "admin"}),
        "advance": frozenset({"owner", "lead"}),
        "demote": frozenset({"owner", "engineer", "lead", "admin"}),
        "administer": frozenset({"admin"}),
        "audit": frozenset({"auditor", "owner", "admin"}),
    }
)
OF_AN_AGENT: frozenset[Verb] = frozenset({"decide", "report", "read"})


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Somebody who does something. `name` stands in every record of it: a person's login, or `agent:<name>`.

    The key of an agent acts for that agent and for no other, so for it the agent must always be named.
    """

    name: str
    kind: Kind
    roles: frozenset[Role]
    agent: str | None = None

    def allows(self, verb: Verb, agent: str | None = None) -> bool:
        if self.kind == "system":
            return True
        if self.kind == "agent":
            return verb in OF_AN_AGENT and agent is not None and agent == self.agent
        return bool(self.roles & PERMITTED[verb])

    def require(self, verb: Verb, agent: str | None = None) -> None:
        """Raise Forbidden, in words that say what would help, unless this actor may do it."""
        if self.allows(verb, agent):
            return
        needed = _one_of(PERMITTED[verb])
        if self.kind == "agent" and verb in OF_AN_AGENT:
            what = f"agent {agent}" if agent is not None else "all agents"
            raise Forbidden(
                f"this is the key of agent {self.agent} and may not {verb} for {what}; "
                f"use that agent's own key, or the key of a person with the role {needed}"
            )
        if self.kind == "agent":
            raise Forbidden(
                f"this is the key of agent {self.agent} and may not {verb}; a person with the role {needed} may"
            )
        held = f"has the role {', '.join(sorted(self.roles))}" if self.roles else "has no role"
        raise Forbidden(f"{self.name} {held} and may not {verb}; it takes the role {needed}, which an admin can give")


SYSTEM = Actor("system", "system", frozenset())


def of_agent(agent: str) -> Actor:
    """The actor behind an agent's own key. Cut to what every `…_by` column holds."""
    return Actor(f"agent:{agent}"[:128], "agent", frozenset(), agent)


def name_of(actor: Actor | str) -> str:
    return actor if isinstance(actor, str) else actor.name


def _one_of(roles: frozenset[Role]) -> str:
    *most, last = (role for role in ROLES if role in roles)
    return f"{', '.join(most)} or {last}" if most else last
