from datetime import timedelta

import pytest

from kit.clock import FixedClock
from kit.context import Context
from rollout.domain.phase import Phase
from rollout.versions import queries as version_queries
from rollout.versions.tables import Rollout
from tests.integration.review_ui import house


def rollout(ctx: Context, name: str = "digits", version: str = "1.9.0") -> Rollout:
    with ctx.db.read() as session:
        return version_queries.get_rollout(session, name, version)


def act(client: house.TestClient, verb: str, name: str = "digits", **fields: str) -> house.Any:
    page = client.get(f"/agents/{name}").text
    data = {"form_token": house.token(page), "version": "1.9.0"} | fields
    return client.post(f"/agents/{name}/do/{verb}", data=data)


def test_an_empty_house_teaches_how_to_register_an_agent(ctx: Context) -> None:
    house.people(ctx)
    with house.client(ctx, house.OWNER) as client:
        page = client.get("/agents").text

    assert "No agent yet" in page
    assert "phasegate apply -f agent.yaml" in page
    assert "curl -X POST http://testserver/v1/agents" in page


def test_an_agent_without_a_version_says_how_to_register_one(ctx: Context) -> None:
    house.people(ctx)
    with ctx.db.begin() as session:
        new = house.NewAgent.model_validate({"name": "blank", "title": "Blank", "owner": house.OWNER})
        house.agents.register(session, new, actor=house.admin(ctx), now=ctx.clock.now())
    with house.client(ctx, house.OWNER) as client:
        assert "no version yet" in client.get("/agents").text
        assert "/v1/agents/blank/versions" in client.get("/agents/blank").text
        assert client.get("/agents/blank/plan").status_code == 200


def test_every_agent_stands_in_the_list_with_the_figure_that_decides_and_why_no_further(ctx: Context) -> None:
    house.furnish(ctx)
    with house.client(ctx, house.OWNER) as client:
        page = client.get("/agents").text

    for words in ("Digit reading", "Invoice approval", "Claims triage", "candidate 2.0.0", "no run yet", "Frozen"):
        assert words in page
    assert "Hold the review of Digit reading" in page
    assert "Investigate: A 7 with a bar" in page
    assert "0.0\u00a0%" not in page


def test_the_agents_page_shows_every_gate_with_bound_limit_cases_and_verdict(ctx: Context) -> None:
    house.furnish(ctx)
    with house.client(ctx, house.OWNER) as client:
        page = client.get("/agents/digits").text

    assert "none in 336, so at most 1.3\u00a0%" in page
    assert "at most 10\u00a0%" in page
    assert '<svg class="chart"' in page
    assert "By segment: Worst segment" in page
    assert "Is there a runbook that was tried?" in page
    assert "A 7 with a bar was read as a 1" in page
    assert "Versions side by side" in page


def test_the_owner_and_the_second_person_sign_and_the_version_advances(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    evidence = house.ready_to_advance(ctx)
    with house.client(ctx, house.OWNER) as client:
        assert "Sign: Digit reading to Confidence at 5\u00a0%" in client.get("/agents").text
        assert "0 of 2 signed" in client.get("/agents/digits").text

        response = act(client, "sign", evidence_id=evidence, read="yes")

        assert "It waits for the signature of a second person" in response.text
        assert "1 of 2 signed" in response.text
    assert rollout(ctx).phase == Phase.SUPERVISED

    with house.client(ctx, house.SECOND) as client:
        response = act(client, "sign", evidence_id=evidence, read="yes", reason="fine")

        assert "Signed. Advanced to Confidence." in response.text
    assert rollout(ctx).phase == Phase.CONFIDENCE


def test_nobody_signs_without_saying_that_they_have_read_the_evidence(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    evidence = house.ready_to_advance(ctx)
    with house.client(ctx, house.OWNER) as client:
        response = act(client, "sign", evidence_id=evidence)

        assert response.status_code == 422
        assert "Tick that you have read the evidence" in response.text
        assert "0 of 2 signed" in client.get("/agents/digits").text


def test_a_refusal_needs_a_reason_and_is_kept_with_the_evidence(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    evidence = house.ready_to_advance(ctx)
    with house.client(ctx, house.OWNER) as client:
        assert act(client, "refuse", evidence_id=evidence, reason=" ").status_code == 422

        act(client, "refuse", evidence_id=evidence, reason="not before the holidays")

        page = client.get(f"/agents/digits/evidence/{evidence}").text
        assert "Refused" in page
        assert "not before the holidays" in page
    assert rollout(ctx).phase == Phase.SUPERVISED


def test_aged_evidence_cannot_be_signed(ctx: Context, clock: FixedClock) -> None:
    house.people(ctx)
    house.agent(ctx)
    evidence = house.ready_to_advance(ctx)
    clock.move(timedelta(days=3))
    with house.client(ctx, house.OWNER) as client:
        response = act(client, "sign", evidence_id=evidence, read="yes")

    assert response.status_code == 409
    assert "aged" in response.text.lower()


def test_demoting_works_at_once_and_needs_a_reason(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, house.OWNER) as client:
        refused = act(client, "demote", to="shadow", reason="")
        assert refused.status_code == 422
        assert "Nothing was changed." in refused.text
        assert rollout(ctx).phase == Phase.SUPERVISED

        response = act(client, "demote", to="shadow", reason="wrong on faxes")

        assert "Demoted to Shadow." in response.text
        assert "Wrong on faxes." in response.text
    assert rollout(ctx).phase == Phase.SHADOW


@pytest.mark.parametrize("mode", ["routing", "advancing"])
def test_a_freeze_is_set_and_lifted(ctx: Context, mode: str) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, house.OWNER) as client:
        page = act(client, "freeze", mode=mode, reason="year end").text
        assert rollout(ctx).frozen == mode
        assert "Lift the freeze" in page

        act(client, "unfreeze", reason="it is over")

    assert rollout(ctx).frozen is None


def test_rolling_back_brings_the_earlier_version_back(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx, phase=Phase.SHADOW)
    house.candidate(ctx, "digits", "2.0.0")
    house.move(ctx, "digits", "2.0.0", Phase.SHADOW)
    assert rollout(ctx, version="2.0.0").standing == "stable"
    with house.client(ctx, house.OWNER) as client:
        page = client.get("/agents/digits").text
        assert "Roll back to version 1.9.0" in page

        response = act(client, "rollback", version="2.0.0", reason="worse")

        assert "Rolled back to version 1.9.0." in response.text
    assert rollout(ctx).standing == "stable"


def test_a_review_is_held_on_its_page(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, house.OWNER) as client:
        response = act(client, "review", reason="keep the threshold")

    assert "The review is signed." in response.text


def test_whoever_may_only_read_sees_no_button_and_is_refused(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, "rita") as client:
        page = client.get("/agents/digits").text
        assert "do/demote" not in page
        assert "do/freeze" not in page

        for verb in ("demote", "freeze", "rollback", "look", "sign"):
            response = act(client, verb, reason="because", mode="routing", to="shadow", read="yes",
                           evidence_id="0197a000-0000-7000-8000-000000000000")  # fmt: skip
            assert response.status_code == 403, verb
    assert rollout(ctx).phase == Phase.SUPERVISED


def test_every_form_is_refused_without_the_token_of_this_sign_in(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    house.case(ctx, "form-1")
    nobody = "0197a000-0000-7000-8000-000000000000"
    with house.client(ctx, house.OWNER) as client:
        forms = [
            path.replace("{name}", "digits").replace("{verb}", "demote").replace("{item_id}", nobody)
            for path in post_routes(client)
        ]
        assert len(forms) >= 7
        for path in forms:
            for token in ("", "0" * 43):
                response = client.post(
                    path, data={"form_token": token, "version": "1.9.0", "reason": "x", "to": "shadow"}
                )
                assert response.status_code == 403, path
                assert "nothing was changed" in response.text
    assert rollout(ctx).phase == Phase.SUPERVISED


def post_routes(client: house.TestClient) -> list[str]:
    """Every page route that takes a form, but for signing in, where nobody has a token yet."""
    from review_ui import agent_forms, desk, sign_in

    routers = (agent_forms.router, desk.router, sign_in.router)
    found = [
        route.path  # type: ignore[attr-defined]
        for router in routers
        for route in router.routes
        if "POST" in route.methods  # type: ignore[attr-defined]
    ]
    return [path for path in found if path != "/sign-in"]


def test_a_form_from_another_site_is_refused_even_with_the_token(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, house.OWNER) as client:
        token = house.token(client.get("/agents/digits").text)
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            response = client.post(
                "/agents/digits/do/demote",
                data={"form_token": token, "version": "1.9.0", "reason": "x"},
                headers=headers,
            )
            assert response.status_code == 403
    assert rollout(ctx).phase == Phase.SUPERVISED


@pytest.mark.parametrize(
    "path",
    ["/agents/nobody", "/agents/UPPER", "/agents/%00", "/nowhere", "/agents/digits?version=9",
     "/agents/digits/do/dance",
     "/agents/digits/evidence/not-an-id", "/agents/digits/evidence/0197a000-0000-7000-8000-000000000000",
     "/review/queue?after=nowhere"],
)  # fmt: skip
def test_what_does_not_exist_is_a_page_that_says_so(ctx: Context, path: str) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, "rita") as client:
        response = client.get(path)

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "<h1>" in response.text


def test_the_api_still_answers_with_problems(ctx: Context) -> None:
    with house.client(ctx) as client:
        response = client.get("/v1/agents/nobody", headers={"accept": "text/html"})

    assert response.headers["content-type"] == "application/problem+json"


def test_a_nul_character_in_a_form_is_refused(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, house.OWNER) as client:
        assert act(client, "demote", to="shadow", reason="a\x00b").status_code == 422


def test_the_evidence_of_another_agent_is_not_found(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    house.agent(ctx, "claims", title="Claims")
    evidence = house.ready_to_advance(ctx)
    with house.client(ctx, house.OWNER) as client:
        assert client.get(f"/agents/digits/evidence/{evidence}").status_code == 200
        assert client.get(f"/agents/claims/evidence/{evidence}").status_code == 404


def test_plan_and_policy_are_shown(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    with house.client(ctx, "rita") as client:
        page = client.get("/agents/digits/plan").text

    assert "second_person_for: [confidence]" in page
    assert "&#34;threshold&#34;: 0.9" in page
    assert "advanced from shadow to supervised" in page
