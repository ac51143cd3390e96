"""Saved views of the queue: a person's own, and those that leads show to their teams."""

import pytest
from fastapi.testclient import TestClient

from governance.actors import SYSTEM
from governance.people.service import actor_of
from kit.context import Context
from routing.skills import service as skills
from tests import factories
from tests.integration.review_ui import house
from web_app import create_app


@pytest.fixture(autouse=True)
def people(ctx: Context) -> None:
    for login, roles, teams in (("rita", "reviewer", ["north"]), ("lena", "lead", ["north"]), ("olga", "reviewer", [])):
        actor_of(factories.person(ctx, login, roles=(roles,), password=factories.PASSWORD))
        with ctx.db.begin() as session:
            skills.set_person(session, login, teams=teams, skills=(), by=SYSTEM, now=ctx.clock.now())


def test_a_view_is_saved_opened_shown_first_and_removed_on_the_page(ctx: Context) -> None:
    with house.client(ctx, "rita") as rita:
        shown = rita.get("/review/queue?kind=audit&late=1").text
        fields = {"form_token": house.token(shown), "name": "Late audits", "kind": "audit", "late": "1", "opens": "1"}
        saved = rita.post("/review/views", data=fields)
        first = rita.get("/review/queue")
        everything = rita.get("/review/queue?everything=1")
        bad = rita.post("/review/views", data=fields | {"name": "a/b"})
        rita.post("/review/views/remove", data={"form_token": house.token(shown), "name": "Late audits"})
        after = rita.get("/review/queue")

    assert saved.url.query == first.url.query == b"kind=audit&late=1"
    assert 'aria-keyshortcuts="1"' in saved.text
    assert "Late audits, shown first" in everything.text
    assert everything.url.query == b"everything=1"
    assert bad.status_code == 422
    assert (after.url.query, "Late audits" in after.text.split("<main")[1].split("banner")[0]) == (b"", False)


def test_a_lead_shows_a_view_to_a_team_and_nobody_else_may(ctx: Context) -> None:
    keys = {login: factories.bearer(ctx, login=login) for login in ("rita", "lena", "olga")}
    with TestClient(create_app(ctx)) as client:

        def put(who: str, **view: object) -> int:
            return client.put("/v1/queue/views/urgent", json={"urgent": True, **view}, headers=keys[who]).status_code

        said = [put("rita"), put("rita", team="north"), put("lena", team="south"), put("lena", team="north")]
        refused = [put("rita", segment="a"), put("rita", agent="claims", segment="a", kind="audit")]
        seen = {
            who: [(view["name"], view["owner"]) for view in client.get("/v1/queue/views", headers=key).json()["items"]]
            for who, key in keys.items()
        }
        removed = [client.delete("/v1/queue/views/urgent", headers=keys[who]).status_code for who in ("olga", "rita")]

    assert (said, refused) == ([200, 403, 403, 200], [422, 422])
    assert seen == {"rita": [("urgent", "rita"), ("urgent", "lena")], "lena": [("urgent", "lena")], "olga": []}
    assert removed == [404, 204]
