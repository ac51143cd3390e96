"""The whole web process: what holds for every route, whichever room it is from."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from tests import factories
from web_app import create_app


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    factories.person(ctx, "root", roles=("admin",))
    with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
        client.headers = factories.bearer(ctx, login="root")  # type: ignore[assignment]
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/v1/agents/a%00b/decisions", id="the hot path"),
        pytest.param("GET", "/v1/agents/claims/decisions?case_id=%00", id="cases"),
        pytest.param("GET", "/v1/agents/claims/cases/%00", id="a case"),
        pytest.param("GET", "/v1/queue?agent=%00", id="the queue"),
        pytest.param("GET", "/v1/agents/%00/webhooks", id="webhooks"),
        pytest.param("GET", "/v1/agents/claims/versions/%00/rollout", id="rollouts"),
        pytest.param("GET", "/v1/agents/claims/suites/%00", id="suites"),
        pytest.param("GET", "/v1/failures?agent=%00", id="failures"),
        pytest.param("PUT", "/v1/people/%00", id="people"),
        pytest.param("GET", "/v1/nowhere/%00", id="nowhere"),
        pytest.param("POST", "/agents/a%00b/do/demote", id="a form"),
        pytest.param("POST", "/sign-in?next=%00", id="the sign-in"),
    ],
)
def test_a_nul_in_an_address_is_a_422_everywhere(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, path, json={"case_id": "c-1", "version": "v1", "output": 1})

    assert response.status_code == 422, response.text
    if path.startswith("/v1/"):
        assert response.json()["type"] == "/problems/invalid"
        assert "NUL" in response.json()["detail"]


def test_a_page_that_cannot_exist_is_a_page_that_says_so(client: TestClient) -> None:
    response = client.get("/agents/%00", headers={"accept": "text/html"})

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/agents/claims/suites/forms", 401, id="a suite"),
        pytest.param("/v1/agents/suites/decisions", 413, id="an agent of that name"),
        pytest.param("/v1/agents/claims/suites/forms/cases", 413, id="below a suite"),
        pytest.param("/elsewhere/suites/forms", 413, id="elsewhere"),
    ],
)
def test_only_a_suite_may_be_large_and_only_from_a_known_key(client: TestClient, path: str, status: int) -> None:
    length = {"content-length": str(100 * 1024 * 1024), "authorization": "Bearer pgk_nobody"}

    answer = client.post(path, content=b"", headers=length)

    assert answer.status_code == status
