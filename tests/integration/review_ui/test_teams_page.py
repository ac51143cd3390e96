"""The page of teams and skills: what it tells, and what it asks before it stores."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from governance.audit.tables import AuditEvent
from kit.context import Context
from routing.domain.reach import Need
from routing.skills import service as skills
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import words


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def send(client: TestClient, address: str, **said: str) -> tuple[int, str]:
    form = {"form_token": house.fields(client.get("/teams/people/rita").text)["form_token"]} | said
    answer = client.post(address, data=form)
    return answer.status_code, words(answer.text)


def needs(ctx: Context) -> list[Need]:
    with ctx.db.read() as session:
        return skills.needs_of(session, "digits")


def verbs(ctx: Context) -> list[tuple[str, str]]:
    with ctx.db.read() as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.verb.like("%s_set")).order_by(AuditEvent.id))
        return [(row.actor, row.verb) for row in rows]


def test_where_nothing_is_arranged_the_page_teaches(ctx: Context) -> None:
    with house.client(ctx, house.SECOND) as lead:
        page = words(lead.get("/teams").text)
        team = lead.get("/team").text

    assert "so everybody who reviews is dealt every case" in page
    assert "Begin with a person in the list below" in page
    assert 'href="/teams"' in team


def test_a_lead_arranges_people_and_queues_with_plain_forms_and_it_is_in_the_audit_log(ctx: Context) -> None:
    house.case(ctx, "form-1")
    with house.client(ctx, house.SECOND) as lead:
        status, page = send(lead, "/teams/people/rita", teams="north, south", skills="polish")
        assert (status, "Nobody is dealt anything else than before." in page) == (200, True)

        status, page = send(lead, "/teams/queue", agent="digits", segment="paper", team="north", skills="polish")

    assert status == 200
    assert "1 waiting case of digits / paper: now dealt to Rita" not in page  # she was dealt it before
    assert "1 waiting case of digits / paper: no longer to" in page
    assert "Everything; of digits all but paper." in page
    assert needs(ctx) == [Need("digits", "paper", "north", frozenset({"polish"}))]
    assert verbs(ctx) == [(house.SECOND, "person.skills_set"), (house.SECOND, "agent.queues_set")]


def test_what_leaves_cases_to_nobody_is_asked_once_more_before_it_is_stored(ctx: Context) -> None:
    house.case(ctx, "form-1")
    with house.client(ctx, house.SECOND) as lead:
        said = {"agent": "digits", "segment": "", "team": "nroth", "skills": ""}
        status, page = send(lead, "/teams/queue", **said)
        assert status == 409
        assert "Nothing is saved yet." in page
        assert "1 waiting case of digits will be seen by nobody but leads" in page
        assert needs(ctx) == []

        status, page = send(lead, "/teams/queue", **said, sure="1")
        assert (status, "Nobody has what it takes: 1 waiting case is left to leads." in page) == (200, True)

        status, page = send(lead, "/teams/queue/forget", **said)

    assert (status, needs(ctx)) == (200, [])


MANY = " ".join(f"tag-{number}" for number in range(101))
REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("/teams/people/rita", {"teams": "North Pole", "skills": ""}, "“North” is no team: write it in small letters"),
    ("/teams/people/rita", {"teams": "", "skills": "c++"}, "“c++” is no skill:"),
    ("/teams/people/rita", {"teams": MANY, "skills": MANY}, "These are 101, and at most 50 can be kept."),
    ("/teams/people/rita", {"teams": "", "skills": MANY}, "These are 101, and at most 100 can be kept."),
    ("/teams/queue", {"agent": "digits", "skills": MANY}, "These are 101, and at most 20 can be kept."),
    (
        "/teams/queue",
        {"agent": "digits", "segment": "s" * 129, "team": "north"},
        "A segment has at most 128 characters",
    ),
    ("/teams/queue", {"agent": "digits"}, "Name a team or a skill; a queue that takes neither"),
    ("/teams/queue", {"agent": "none", "team": "north"}, "There is no such agent; choose one."),
    ("/teams/queue", {"agent": "digits", "team": "north south"}, "These are 2, and at most 1 can be kept."),
    ("/teams/queue", {"agent": "digits", "segment": "web", "team": "north"}, "It is said already what this queue"),
]


def test_what_cannot_be_is_told_beside_its_field(ctx: Context) -> None:
    with house.client(ctx, house.SECOND) as lead:
        send(lead, "/teams/queue", agent="digits", segment="web", skills="polish", sure="1")
        for address, said, told in REFUSED:
            status, page = send(lead, address, **said)
            assert status == 422
            assert told in page

    assert len(needs(ctx)) == 1


def test_who_answers_for_people_may_look_and_only_leads_and_admins_may_change(ctx: Context) -> None:
    with house.client(ctx, house.OWNER) as owner:
        page = owner.get("/teams").text
        assert "Who works what" in page
        assert "/teams/people/rita" not in page
        assert owner.get("/teams/people/rita").status_code == 403
    with house.client(ctx, "rita") as rita:
        assert rita.get("/teams").status_code == 403
