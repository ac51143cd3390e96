from typing import cast

import pytest
from sqlalchemy import QueuePool

from governance.people import service as people
from kit.context import Context
from routing.reviews.dealing import queries as dealing
from tests import factories
from tests.integration.review_ui import house


@pytest.fixture
def person(ctx: Context) -> str:
    return factories.person(ctx, "rita", roles=("reviewer",), password=factories.PASSWORD).login


def test_whoever_is_not_signed_in_is_asked_to_and_comes_back_to_the_page_they_wanted(ctx: Context, person: str) -> None:
    with house.client(ctx) as client:
        asked = client.get("/review/queue?page=2")
        assert asked.url.path == "/sign-in"
        assert asked.url.params["next"] == "/review/queue?page=2"

        response = client.post(
            "/sign-in", data={"login": person, "password": factories.PASSWORD, "next": "/review/queue?page=2"}
        )

        assert str(response.url).endswith("/review/queue?page=2")
        assert response.status_code == 200


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/v1/keys", "javascript:x"]
)
def test_signing_in_never_leads_to_another_site(ctx: Context, person: str, wanted: str) -> None:
    with house.client(ctx) as client:
        client.follow_redirects = False

        response = client.post("/sign-in", data={"login": person, "password": factories.PASSWORD, "next": wanted})

        assert response.headers["location"] == "/agents"


def test_a_wrong_password_is_refused_with_a_sentence_that_helps_and_the_login_kept(ctx: Context, person: str) -> None:
    with house.client(ctx) as client:
        response = house.sign_in(client, person, "not this one")

        assert response.status_code == 401
        assert "do not fit together" in response.text
        assert f'value="{person}"' in response.text
        assert "phasegate_session" not in client.cookies


def test_ten_wrong_passwords_lock_the_login(ctx: Context, person: str) -> None:
    with house.client(ctx) as client:
        for _ in range(10):
            house.sign_in(client, person, "not this one")

        assert "wait a quarter of an hour" in house.sign_in(client, person).text.lower()


def test_nobody_holds_the_database_while_a_password_is_checked(
    ctx: Context, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_connections: list[int] = []
    check = people.check_password

    def watched(caller: people.Caller, password: str) -> None:
        open_connections.append(cast("QueuePool", ctx.db.engine.pool).checkedout())
        check(caller, password)

    monkeypatch.setattr(people, "check_password", watched)
    with house.client(ctx) as client:
        refused = house.sign_in(client, person, "not this one")
        let_in = house.sign_in(client, person)

    assert (refused.status_code, let_in.status_code) == (401, 200)
    assert open_connections == [0, 0]


def test_the_cookie_is_kept_from_scripts_and_other_sites(ctx: Context, person: str) -> None:
    with house.client(ctx) as client:
        client.follow_redirects = False

        cookie = house.sign_in(client, person).headers["set-cookie"].lower()

        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie


def test_behind_https_the_cookie_is_secure(ctx: Context, person: str) -> None:
    ctx.settings.secure_cookies = True
    with house.client(ctx) as client:
        client.follow_redirects = False

        assert "; secure" in house.sign_in(client, person).headers["set-cookie"].lower()


def test_signing_out_ends_the_sign_in_and_not_only_the_cookie(ctx: Context, person: str) -> None:
    with house.client(ctx) as client:
        page = house.sign_in(client, person).text
        kept = client.cookies["phasegate_session"]

        client.post("/sign-out", data={"form_token": house.token(page)})

        client.cookies.set("phasegate_session", kept)
        assert client.get("/review/queue").url.path == "/sign-in"


def test_signing_out_gives_back_the_case_on_the_desk_and_those_held_ahead(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    for number in (1, 2):
        house.case(ctx, f"form-{number}")
    with house.client(ctx, "rita") as client:
        form = {"form_token": house.token(client.get("/review").text)}
        client.post("/review/next", data=form, headers={"phasegate-background": "1"})
        with ctx.db.read() as session:
            held = dealing.held_at_all(session, "rita", ctx.clock.now())
        assert held[0] is not None
        assert len(held[1]) == 1

        client.post("/sign-out", data=form)

    with ctx.db.read() as session:
        assert dealing.held_at_all(session, "rita", ctx.clock.now()) == (None, [])


def test_a_sign_in_that_has_ended_asks_again_and_says_that_nothing_was_changed(ctx: Context, person: str) -> None:
    with house.client(ctx, person) as client:
        page = client.get("/review/queue").text
        with ctx.db.begin() as session:
            from governance.people import queries

            queries.delete_sign_ins_of(session, person)

        response = client.post(
            "/review/next",
            data={"form_token": house.token(page)},
            headers={"referer": "http://testserver/review/queue"},
        )

        assert response.url.path == "/sign-in"
        assert response.url.params["next"] == "/review/queue"
        assert "Nothing was changed" in response.text


def test_pages_run_nothing_that_is_not_ours(ctx: Context) -> None:
    with house.client(ctx) as client:
        response = client.get("/sign-in")

    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in response.text
    assert "<script>" not in response.text


def test_static_files_are_kept_for_a_year_under_the_address_that_pages_use(ctx: Context) -> None:
    with house.client(ctx) as client:
        page = client.get("/sign-in").text
        import re

        address = re.search(r'href="(/static/[0-9a-f]{16}/phasegate.css)"', page)
        assert address is not None

        assert "immutable" in client.get(address.group(1)).headers["cache-control"]
        assert client.get("/static/phasegate.css").headers["cache-control"] == "no-cache"
