"""Who is dealt which cases, by teams and skills."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from governance.actors import SYSTEM, Actor
from governance.audit.tables import AuditEvent
from governance.people.service import actor_of
from kit.clock import FixedClock
from kit.context import Context
from routing.doctor import service as doctor
from routing.domain.reach import Need
from routing.reviews import queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills
from tests import factories
from tests.integration.review_ui import house as pages
from tests.integration.routing.desk import ahead, claim, claim_next, conclude, rows, rule
from web_app import create_app

POLISH = Need("claims", "pl", skills=frozenset({"polish"}))


@pytest.fixture(autouse=True)
def house(ctx: Context, clock: FixedClock) -> None:
    """Cases of two agents, a second apart; of the first, one in three has the segment pl."""
    for name in ("claims", "refunds"):
        factories.agent(ctx, name)
        factories.rollout(ctx, name)
    for number, (agent, segment) in enumerate(
        [("claims", "pl"), ("claims", ""), ("claims", "de"), ("refunds", "")] * 2
    ):
        factories.decision(ctx, f"c-{number}", agent=agent, segment=segment)
        clock.move(timedelta(seconds=1))


@pytest.fixture
def ann(ctx: Context) -> Actor:
    return factories.actor(ctx, "ann", roles=("reviewer",))


@pytest.fixture
def pola(ctx: Context) -> Actor:
    found = factories.actor(ctx, "pola", roles=("reviewer",))
    give(ctx, "pola", can=("polish",))
    return found


def give(ctx: Context, login: str, *, teams: tuple[str, ...] = (), can: tuple[str, ...] = ()) -> None:
    with ctx.db.begin() as session:
        skills.set_person(session, login, teams=teams, skills=can, by=SYSTEM, now=ctx.clock.now())


def take(ctx: Context, agent: str, *needs: Need) -> None:
    with ctx.db.begin() as session:
        skills.set_queues(session, agent, needs, by=SYSTEM, now=ctx.clock.now())


def seen(ctx: Context, actor: Actor, **narrowed: str) -> list[str]:
    with ctx.db.read() as session:
        reach = service.reach_of(session, actor)
        found = dealing.open_page(session, reach=reach, limit=50, narrow=Narrow(**narrowed))  # type: ignore[arg-type]
        return [item.case_id for item in found]


def dealt(ctx: Context, actor: Actor) -> list[str]:
    first = claim_next(ctx, actor)
    return [first.case_id, *ahead(ctx, actor, 9)] if first is not None else []


def test_a_claim_deals_only_what_the_skills_of_a_person_allow(ctx: Context, ann: Actor, pola: Actor) -> None:
    take(ctx, "claims", POLISH)

    assert dealt(ctx, ann) == ["c-1", "c-2", "c-3", "c-5", "c-6", "c-7"]
    assert dealt(ctx, pola) == ["c-0", "c-4"]


def test_a_queue_of_a_team_is_the_teams(ctx: Context, ann: Actor, pola: Actor) -> None:
    give(ctx, "pola", teams=("north",))
    take(ctx, "claims", Need("claims", team="north"), Need("claims", "de"))

    assert dealt(ctx, ann) == ["c-2", "c-3", "c-6", "c-7"]
    assert dealt(ctx, pola) == ["c-0", "c-1", "c-4", "c-5"]


@pytest.mark.usefixtures("pola")
def test_what_is_not_theirs_is_neither_shown_nor_found_nor_claimed_by_name(ctx: Context, ann: Actor) -> None:
    take(ctx, "claims", POLISH)
    [others] = [item for item in rows(ctx, ReviewItem) if item.case_id == "c-0"]

    assert seen(ctx, ann) == ["c-1", "c-2", "c-3", "c-5", "c-6", "c-7"]
    assert seen(ctx, ann, case_id="c-0") == seen(ctx, ann, agent="claims", segment="pl") == []
    assert seen(ctx, ann, kind="review", agent="claims") == ["c-1", "c-2", "c-5", "c-6"]
    with ctx.db.read() as session:
        assert queries.waiting_counts(session, service.reach_of(session, ann)) == {"claims": 4, "refunds": 2}
    with pytest.raises(service.NotForYou):
        claim(ctx, ann, others.id)


def test_what_a_person_passes_on_goes_to_the_leads_of_the_team(ctx: Context, clock: FixedClock, pola: Actor) -> None:
    leads = [factories.actor(ctx, login, roles=("lead",)) for login in ("lena", "lotte", "luis")]
    for login in ("pola", "lena", "lotte"):
        give(ctx, login, teams=("north",))
    take(ctx, "claims", Need("claims", "pl", team="north"))
    item = claim_next(ctx, pola, narrow=Narrow("claims", "pl"))
    assert item is not None
    rule(ctx, pola, item, "escalate")
    clock.move(timedelta(minutes=1))
    conclude(ctx)

    assert [seen(ctx, lead, agent="claims", segment="pl") for lead in leads] == [["c-0", "c-4"], ["c-0", "c-4"], []]


def test_what_nobody_can_work_goes_to_the_leads_who_are_told(ctx: Context, ann: Actor) -> None:
    lead = actor_of(factories.person(ctx, "lena", roles=("lead",), password=factories.PASSWORD))
    take(ctx, "claims", POLISH)

    assert (seen(ctx, ann)[:2], seen(ctx, lead)[:2]) == (["c-1", "c-2"], ["c-0", "c-1"])
    with ctx.db.read() as session:
        [found] = [one for one in doctor.examine(session, now=ctx.clock.now()) if one.check == "queues_staffed"]
    assert (found.ok, found.examples) == (False, ("claims / pl: skill polish",))
    with pages.client(ctx, "lena") as client:
        assert "claims / pl: skill polish" in client.get("/review/queue").text


@pytest.mark.usefixtures("ann", "pola")
def test_leads_and_admins_arrange_it_over_the_api_and_it_is_on_record(ctx: Context) -> None:
    factories.person(ctx, "lena", roles=("lead",))
    lead, reviewer = (factories.bearer(ctx, login=login) for login in ("lena", "ann"))
    queues = {"queues": [{"segment": "de", "team": "north", "skills": ["german"]}]}
    with TestClient(create_app(ctx)) as client:
        refused = [
            client.put("/v1/people/ann/skills", json={}, headers=reviewer).status_code,
            client.put("/v1/agents/claims/queues", json={}, headers=reviewer).status_code,
            client.put("/v1/agents/nobody/queues", json={}, headers=lead).status_code,
            client.put("/v1/people/nobody/skills", json={}, headers=lead).status_code,
            client.put("/v1/agents/claims/queues", json={"queues": [{}, {}]}, headers=lead).status_code,
        ]
        client.put("/v1/people/ann/skills", json={"teams": ["north"], "skills": ["german"]}, headers=lead)
        told = client.put("/v1/agents/claims/queues", json=queues, headers=lead).json()
        again = client.put("/v1/agents/claims/queues", json=queues, headers=lead).json()

    assert refused == [403, 403, 404, 404, 422]
    assert told["queues"] == [
        {"agent": "claims", "segment": "de", "team": "north", "skills": ["german"], "able": ["ann"], "leads": ["lena"]}
    ]
    assert again == told
    done = {event.verb for event in rows(ctx, AuditEvent) if event.actor == "lena"}
    assert done == {"person.skills_set", "agent.queues_set"}
