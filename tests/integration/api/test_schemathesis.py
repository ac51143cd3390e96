"""Made-up requests for every operation of the document: no 500, and every answer is what the document says."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from starlette.testclient import TestClient

from kit.context import Context
from tests.integration.api import furnished
from web_app import create_app

EXAMPLES = 5  # for each operation and each kind of generation
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@schemathesis.serializer("application/x-ndjson", "application/yaml")
def as_text(_context: object, value: object) -> bytes:
    """Made-up text goes out as it is, everything else as one line of JSON."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx), raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as written", "not as written"]
)
def test_every_operation_answers_as_the_document_says(ctx: Context, client: TestClient, mode: GenerationMode) -> None:
    ids = furnished.furnish(ctx, client)
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())

    tried = [_try(client, found.ok(), mode, ids) for found in schema.get_all_operations()]

    assert sum(tried) > len(tried) * EXAMPLES / 4  # made and sent, not silently left out


def _try(client: TestClient, operation: schemathesis.APIOperation, mode: GenerationMode, ids: dict[str, str]) -> int:
    """Send some requests of one operation, most of them about things that exist; how many were sent."""
    sent = 0

    @settings(
        derandomize=True,
        database=None,
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def requests(case: schemathesis.Case) -> None:
        nonlocal sent
        if sent % 4 and mode is GenerationMode.POSITIVE:
            case.path_parameters = {**(case.path_parameters or {}), **_known(operation.path, ids)}
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = 0  # a long poll would hold the test, not find anything
        arguments = case.as_transport_kwargs(base_url="http://testserver")
        arguments.pop("cookies", None)
        response = client.request(**arguments)
        sent += 1
        case.validate_response(response, checks=CHECKS)

    try:
        requests()
    except Unsatisfiable:  # an operation without parameters cannot be called other than written
        return sent
    except Exception as error:
        error.add_note(f"{operation.method.upper()} {operation.path}")
        raise
    return sent


def _known(path: str, ids: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if f"{{{name}}}" in path or f"{{{name}:path}}" in path}
