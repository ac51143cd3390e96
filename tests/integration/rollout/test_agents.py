"""Registering agents, changing them, and the settings of their work."""

from typing import Any

import pytest

from governance.people import service as people
from kit.context import Context
from kit.errors import Forbidden
from rollout.agents import queries, service
from rollout.agents.schemas import AgentSettings, NewAgent
from rollout.agents.service import AgentExists, NotSomebodyWhoSigns, SettingsInvalid
from rollout.agents.tables import Agent
from tests import factories
from tests.integration.rollout.house import RITA, House, build
from tests.racing import together


@pytest.fixture
def house(ctx: Context) -> House:
    return build(ctx, planned=False)


def register(house: House, name: str = "writer", owner: str = "alice", **more: Any) -> Agent:
    new = NewAgent(name=name, title=name.title(), owner=owner, **more)
    with house.ctx.db.begin() as session:
        return service.register(session, new, actor=house.erin, now=house.clock.now())


def test_a_name_is_taken_once(house: House) -> None:
    with pytest.raises(AgentExists):
        register(house, "reader")


def test_the_owner_is_a_person_who_may_sign(house: House) -> None:
    factories.person(house.ctx, "rita", roles=("reviewer",))
    gone = factories.person(house.ctx, "greg")
    with house.ctx.db.begin() as session:
        people.disable(session, gone.login, by=house.erin, now=house.clock.now())

    for nobody, why in (("nemo", "no person"), ("rita", "may not sign"), ("greg", "disabled")):
        with pytest.raises(NotSomebodyWhoSigns, match=why):
            register(house, owner=nobody)


def test_the_owner_is_not_the_second_person_too(house: House) -> None:
    with pytest.raises(NotSomebodyWhoSigns, match="owner"):
        register(house, second="alice")


def test_settings_that_cannot_work_are_refused_with_their_places(house: House) -> None:
    settings = AgentSettings(output_schema={"type": "objekt"}, comparison={"fields": {"total": "number"}})

    with pytest.raises(SettingsInvalid) as refused:
        register(house, settings=settings)

    places = {place.place for place in refused.value.places}
    assert any(place.startswith("settings.comparison.fields") for place in places)
    assert any(place.startswith("settings.output_schema") for place in places)


def test_a_change_is_recorded_and_the_same_again_is_none(house: House) -> None:
    told: list[str] = []
    house.ctx.send_task = told.append

    def change(title: str) -> int:
        with house.ctx.db.begin() as session:
            agent = queries.get_agent(session, "reader")
            wanted = service.as_edited(agent)
            wanted.title = title
            return service.change(session, agent, wanted, actor=house.alice, now=house.clock.now()).revision

    first, second = change("Reads forms"), change("Reads forms")

    assert (first, second) == (2, 2)
    assert told == ["policies:changed"]


def test_two_who_change_at_once_do_not_overwrite_each_other(house: House) -> None:
    def change(title: str) -> None:
        with house.ctx.db.begin() as session:
            agent = queries.get_agent(session, "reader")
            wanted = service.as_edited(agent)
            wanted.title = title
            service.change(session, agent, wanted, actor=house.alice, now=house.clock.now())

    results = together(lambda: change("one"), lambda: change("two"))

    failed = [type(result).__name__ for result in results if result is not None]
    with house.ctx.db.read() as session:
        assert queries.get_agent(session, "reader").revision == 3 - len(failed)
    assert failed in ([], ["StaleDataError"])


def test_a_reviewer_changes_no_agent(house: House) -> None:
    with house.ctx.db.begin() as session:
        agent = queries.get_agent(session, "reader")
        with pytest.raises(Forbidden):
            service.change(session, agent, service.as_edited(agent), actor=RITA, now=house.clock.now())
