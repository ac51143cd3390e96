"""Agents: registering them, and changing who owns them and how their work is compared and shown."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from evidence.comparing import ComparisonConfig, ComparisonConfigError, OutputSchema, OutputSchemaError
from governance.actors import Actor
from governance.audit import service as audit
from governance.people import queries as people_queries
from governance.people import service as people
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, NotFound, Place
from rollout.agents import queries
from rollout.agents.schemas import AgentIn, AgentSettings, NewAgent
from rollout.agents.tables import Agent

POLICIES_CHANGED = "policies:changed"
"""Told to every web process: what it holds in memory about agents and policies is old."""


class AgentExists(Conflict):
    code = "agent-exists"
    title = "There is already an agent of this name"


class SettingsInvalid(Invalid):
    code = "settings-invalid"
    title = "The settings of the agent are not valid"


class NotSomebodyWhoSigns(Invalid):
    code = "not-somebody-who-signs"
    title = "This person cannot sign for an agent"


def register(session: Session, new: NewAgent, *, actor: Actor, now: datetime) -> Agent:
    """A new agent. It has no version yet, so nothing is routed to it."""
    actor.require("configure", new.name)
    if queries.find_agent(session, new.name) is not None:
        raise AgentExists(f"there is already an agent called {new.name}")
    _check(session, new)
    agent = Agent(
        name=new.name,
        title=new.title,
        about=new.about,
        owner=new.owner,
        second=new.second,
        settings=new.settings.model_dump(mode="json"),
        created_at=now,
    )
    session.add(agent)
    audit.record(session, actor, "agent.registered", new.name, now=now, agent=new.name, **_detail(new))
    send_after_commit(session, POLICIES_CHANGED)
    return agent


def change(session: Session, agent: Agent, wanted: AgentIn, *, actor: Actor, now: datetime) -> Agent:
    """Take over what differs. Whoever is owner afterwards signs from then on; old signatures keep their names."""
    actor.require("configure", agent.name)
    _check(session, wanted)
    before = _detail(as_edited(agent))
    after = _detail(wanted)
    if before == after:
        return agent
    agent.title, agent.about = wanted.title, wanted.about
    agent.owner, agent.second = wanted.owner, wanted.second
    agent.settings = wanted.settings.model_dump(mode="json")
    changed = {key: {"before": before[key], "after": after[key]} for key in after if before[key] != after[key]}
    session.flush()  # a change made in the same moment by somebody else surfaces here, before we record ours
    audit.record(session, actor, "agent.changed", agent.name, now=now, agent=agent.name, changed=changed)
    send_after_commit(session, POLICIES_CHANGED)
    return agent


def get_agent(session: Session, name: str) -> Agent:
    """The agent, or NotFound."""
    return queries.get_agent(session, name)


def settings_of(agent: Agent) -> AgentSettings:
    return AgentSettings.model_validate(agent.settings)


def comparison_of(agent: Agent) -> ComparisonConfig:
    """How this agent's outputs are compared with what people did."""
    return ComparisonConfig.parse(settings_of(agent).comparison)


def output_schema_of(agent: Agent) -> OutputSchema | None:
    schema = settings_of(agent).output_schema
    return OutputSchema(schema) if schema is not None else None


def as_edited(agent: Agent) -> AgentIn:
    """The present state in the form in which it is edited; its entity tag is over this."""
    return AgentIn(
        title=agent.title,
        about=agent.about,
        owner=agent.owner,
        second=agent.second,
        settings=settings_of(agent),
    )


def _detail(agent: AgentIn) -> dict[str, Any]:
    return agent.model_dump(mode="json", include={"title", "about", "owner", "second", "settings"})


def _check(session: Session, wanted: AgentIn) -> None:
    _check_signer(session, "owner", wanted.owner)
    if wanted.second is not None:
        _check_signer(session, "second", wanted.second)
    if wanted.second == wanted.owner:
        place = Place("second", "it is the owner", "name another person, or nobody")
        raise NotSomebodyWhoSigns("second: the owner cannot be the second person too", places=[place])
    check_settings(wanted.settings)


def check_settings(settings: AgentSettings) -> None:
    """Refuse a schema that is none, and comparison rules that cannot be read."""
    places = []
    try:
        ComparisonConfig.parse(settings.comparison)
    except ComparisonConfigError as refused:
        for found in refused.problems:
            inside = ".".join(str(part) for part in ("settings.comparison", *found.place))
            places.append(Place(inside, found.words, "see the guide on comparing"))
    if settings.output_schema is not None:
        try:
            OutputSchema(settings.output_schema)
        except OutputSchemaError as refused:
            inside = f"settings.output_schema{refused.place.replace('/', '.')}"
            places.append(Place(inside, refused.words, "write JSON Schema, draft 2020-12 or earlier"))
    if places:
        raise SettingsInvalid(f"{places[0].place}: {places[0].problem}", places=places)


def _check_signer(session: Session, place: str, login: str) -> None:
    """The owner is a person who could sign: known, not disabled, with a role that may."""
    try:
        person = people_queries.get_person(session, login)
    except NotFound:
        raise _no_signer(place, f"there is no person with the login {login}", "add the person first") from None
    if person.disabled_at is not None:
        raise _no_signer(place, f"{login} is disabled", "name somebody who is here")
    if not people.actor_of(person).allows("advance"):
        raise _no_signer(place, f"{login} may not sign", "give the person the role owner or lead")


def _no_signer(place: str, problem: str, mend: str) -> NotSomebodyWhoSigns:
    return NotSomebodyWhoSigns(f"{place}: {problem}; {mend}", places=[Place(place, problem, mend)])
