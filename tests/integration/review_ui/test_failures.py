from typing import Any

import pytest

from kit.context import Context
from rollout.evaluation import queries as suite_queries
from rollout.failures import queries, service
from rollout.failures.tables import Failure
from rollout.versions import queries as version_queries
from tests import factories
from tests.integration.review_ui import house


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


@pytest.fixture
def failure(ctx: Context) -> Failure:
    return report(ctx)


def report(ctx: Context, **fields: Any) -> Failure:
    with ctx.db.begin() as session:
        told: dict[str, Any] = {
            "agent": "digits",
            "version": "1.9.0",
            "rollout_id": version_queries.get_rollout(session, "digits", "1.9.0").id,
            "severity": "critical",
            "description": "A 7 with a bar was read as a 1.\nOn three <forms>.",
            "case_id": "form-77",
            "shown_input": {"form": "B-17"},
        } | fields
        return service.report(session, actor=house.admin(ctx), now=ctx.clock.now(), **told)


def now(ctx: Context, failure: Failure) -> Failure:
    with ctx.db.read() as session:
        return queries.get_failure(session, failure.id)


def address(failure: Failure, verb: str = "") -> str:
    return f"/agents/{failure.agent}/failures/{failure.id}" + (f"/{verb}" if verb else "")


def post(client: house.TestClient, failure: Failure, verb: str, **fields: str) -> Any:
    token = house.token(client.get(address(failure)).text)
    return client.post(address(failure, verb), data={"form_token": token} | fields)


def test_the_page_says_what_happened_and_to_which_case(ctx: Context, failure: Failure) -> None:
    with house.client(ctx, house.OWNER) as client:
        page = client.get(address(failure)).text

    for words in ("A 7 with a bar was read as a 1.<br>On three &lt;forms&gt;.", "form-77", "Critical", "B-17", "1.9.0"):
        assert words in page


def test_the_list_of_agents_and_the_agents_page_lead_there(ctx: Context, failure: Failure) -> None:
    with house.client(ctx, house.OWNER) as client:
        for page in ("/agents", "/agents/digits"):
            assert f'href="{address(failure)}"' in client.get(page).text


def test_what_is_known_is_written_down_and_it_stays_open(ctx: Context, failure: Failure) -> None:
    with house.client(ctx, house.OWNER) as client:
        page = post(client, failure, "investigate", cause="The scanner crops the bar.").text

    assert "still counts as open" in page
    assert "The scanner crops the bar." in page
    assert (now(ctx, failure).state, now(ctx, failure).cause) == ("investigating", "The scanner crops the bar.")


def test_it_is_closed_with_its_cause(ctx: Context, failure: Failure) -> None:
    with house.client(ctx, house.OWNER) as client:
        page = post(client, failure, "close", cause="Cropped bar; the scanner was set right.").text
        again = client.post(address(failure, "close"), data={"form_token": house.token(page), "cause": "again"})

    assert "Closed. The cause is on record." in page
    assert "Cropped bar; the scanner was set right." in page
    assert 'name="cause"' not in page
    assert again.status_code == 409
    assert now(ctx, failure).state == "closed"


@pytest.mark.parametrize("verb", ["investigate", "close"])
def test_without_a_cause_nothing_changes_and_the_field_says_so(ctx: Context, failure: Failure, verb: str) -> None:
    with house.client(ctx, house.OWNER) as client:
        response = post(client, failure, verb, cause="  ")

    assert response.status_code == 422
    assert "Nothing was changed." in response.text
    assert now(ctx, failure).state == "open"


def test_a_suite_learns_it_as_a_case(ctx: Context, failure: Failure) -> None:
    with house.client(ctx, "emil") as client:
        page = post(client, failure, "case", suite="known-digits", correct_output='{"digit": 7}').text

    assert "Suite known-digits has it as a case now, in revision 1." in page
    with ctx.db.read() as session:
        suite = suite_queries.get_suite(session, "digits", "known-digits")
        case = suite_queries.suite_cases(session, suite.id)[0]
    assert (case.key, case.input, case.expected) == (f"failure-{failure.id}", {"form": "B-17"}, {"digit": 7})
    assert now(ctx, failure).suite == "known-digits"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"suite": "Known digits", "correct_output": "7"}, "with a-z, 0-9", id="name"),
        pytest.param({"suite": "known", "correct_output": '{"digit": '}, "not valid JSON", id="json"),
        pytest.param({"suite": "known", "correct_output": ""}, "not known", id="no right answer"),
    ],
)
def test_what_a_suite_cannot_learn_is_said_beside_the_field_and_the_draft_is_kept(
    ctx: Context, failure: Failure, fields: dict[str, str], said: str
) -> None:
    with house.client(ctx, house.OWNER) as client:
        response = post(client, failure, "case", **fields)

    assert response.status_code == 422
    assert said in response.text
    assert f'value="{fields["suite"]}"' in response.text
    assert now(ctx, failure).suite is None


def test_without_its_input_there_is_no_case_to_learn(ctx: Context) -> None:
    failure = report(ctx, shown_input=None)
    with house.client(ctx, house.OWNER) as client:
        page = client.get(address(failure)).text

    assert "reported without its input" in page
    assert 'name="suite"' not in page


@pytest.mark.parametrize("verb", ["investigate", "close", "case"])
def test_a_reviewer_reads_it_and_changes_nothing(ctx: Context, failure: Failure, verb: str) -> None:
    with house.client(ctx, "rita") as client:
        page = client.get(address(failure)).text
        token = house.token(page)
        response = client.post(
            address(failure, verb),
            data={"form_token": token, "cause": "x", "suite": "known", "correct_output": "7"},
        )

    assert "An engineer, owner or admin" in page
    assert 'name="cause"' not in page
    assert response.status_code == 403
    assert now(ctx, failure).state == "open"


@pytest.mark.parametrize("verb", ["investigate", "close", "case"])
def test_a_form_from_elsewhere_changes_nothing(ctx: Context, failure: Failure, verb: str) -> None:
    with house.client(ctx, house.OWNER) as client:
        response = client.post(
            address(failure, verb), data={"form_token": "another", "cause": "x", "suite": "k", "correct_output": "7"}
        )

    assert response.status_code == 403
    assert (now(ctx, failure).state, now(ctx, failure).suite) == ("open", None)


@pytest.mark.parametrize("verb", ["investigate", "close", "case"])
def test_of_a_case_that_is_closed_to_somebody_nothing_is_learned_by_changing_it(ctx: Context, verb: str) -> None:
    house.agent(ctx, "letters", title="Letters", settings=house.DIGITS | {"supervision": {"blind_share": 1.0}})
    house.case(ctx, "letter-1", name="letters")
    rollout = {"agent": "letters", "rollout_id": None, "case_id": "letter-1"}
    closed = report(ctx, **rollout)
    factories.person(ctx, "both", roles=("engineer", "reviewer"), password=factories.PASSWORD)
    with house.client(ctx, "both") as client:
        form = {"form_token": house.token(client.get("/queue").text), "cause": "x", "suite": "k", "correct_output": "7"}
        response = client.post(address(closed, verb), data=form)

    assert response.status_code == 409
    assert (now(ctx, closed).state, now(ctx, closed).suite) == ("open", None)


def test_under_another_agents_name_it_does_not_exist(ctx: Context, failure: Failure) -> None:
    house.agent(ctx, "invoices", title="Invoices", version="0.1.0")
    with house.client(ctx, house.OWNER) as client:
        assert client.get(f"/agents/invoices/failures/{failure.id}").status_code == 404
