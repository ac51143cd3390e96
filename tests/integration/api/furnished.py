"""
A house with something behind every path of the API, and requests made from the OpenAPI document.

A new endpoint is covered by itself; one with a new path parameter needs a value for it in `furnish`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from starlette.testclient import TestClient

from governance.actors import ROLES
from kit.context import Context
from kit.ids import new_id
from migrations.tables import metadata
from rollout.domain.phase import Phase
from rollout.domain.threshold_plan import ThresholdPlan
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions.tables import Rollout
from routing.thresholds import records
from routing.thresholds.tables import Calibration
from tests import factories

ALL_ROLES = tuple(role for role in ROLES if role != "auditor")
_METHODS = {"get", "put", "post", "delete", "patch"}
_PARSED = "application/json"
_FORMATS = {"uri": "https://example.org/", "uuid": "00000000-0000-4000-8000-000000000000"}
_SCALARS = {"integer": 1, "number": 1, "boolean": False}


def furnish(ctx: Context, client: TestClient) -> dict[str, str]:
    """Fill the house through its own API, as its root; the values of all path parameters."""
    factories.person(ctx, "root", roles=ALL_ROLES)
    client.headers = factories.bearer(ctx, login="root")  # type: ignore[assignment]
    factories.agent(ctx, owner="root")
    factories.agent(ctx, "letters")
    rollout = factories.rollout(ctx, phase=Phase.SUPERVISED)
    ids = {"agent": "claims", "version": "v1", "name": "forms", "item": "owner_named"}
    case = {"version": "v1", "input": {"text": "Good morning"}, "output": "yes", "confidence": 0.9}
    for number in range(4):
        made = _post(client, "agents/claims/decisions", case | {"case_id": f"c-{number}"})
    ids |= {"decision_id": made["id"], "case_id": made["case_id"]}
    ids["item_id"] = client.get("/v1/queue").json()["items"][0]["id"]
    failure = {"severity": "major", "description": "It was wrong.", "correct_output": "no"}
    ids["failure_id"] = _post(client, f"decisions/{ids['decision_id']}/failures", failure)["id"]
    gold = {"decision_id": ids["decision_id"], "output_is": "wrong", "correct_output": "no", "why": "It was not."}
    ids["gold_case_id"] = _post(client, "agents/claims/gold-cases", gold)["id"]
    ids["webhook_id"] = _post(client, "agents/claims/webhooks", {"url": "https://example.org/told"})["id"]
    loop = {"HumanLoopName": "loop-1", "HumanLoopInput": {"InputContent": '{"initialValue": "yes"}'}, "Version": "v1"}
    ids["human_loop"] = _post(client, "agents/claims/human-loops", loop)["HumanLoopName"]
    call = {"type": "tool_approval", "tool_call_id": "t-1", "name": "pay", "args": {}}
    ids["interrupt_id"] = _post(client, "agents/claims/interrupts", {"id": "i-1", "value": call, "version": "v1"})["id"]
    line = b'{"id": "a", "input": 1, "expected": "yes"}\n'
    told = client.post("/v1/agents/claims/suites/forms", content=line, headers={"content-type": "application/x-ndjson"})
    assert told.status_code == 201, told.text
    run = {"suite": "forms", "version": "v1", "outputs": [{"case": "a", "output": "yes"}]}
    ids["run_id"] = _post(client, "agents/claims/evaluation-runs", run)["id"]
    ids["login"] = "root"
    ids["key_id"] = str(factories.key(ctx, agent="claims")[0].id)
    client.post("/v1/agents/claims/versions/v1/rollout/look")
    with ctx.db.read() as session:
        evidence = session.scalars(select(EvidenceSnapshot).where(EvidenceSnapshot.rollout_id == rollout.id)).first()
    ids["calibration_id"] = str(_calibration(ctx, rollout))
    ids["evidence_id"] = str(evidence.id) if evidence is not None else ids["decision_id"]
    return ids


def _calibration(ctx: Context, rollout: Rollout) -> UUID:
    """A look at a hundred labels of which none is wrong, without the labels: they would fill every table."""
    plan = ThresholdPlan(risk=0.05, confidence=0.95, first_labels=100)
    declared = {**plan.model_dump(mode="json"), "delta": plan.go_live_delta, "schedule_delta": plan.schedule_delta}
    data = {"groups": [[0.9, 60, 0], [0.5, 40, 0]], "looks": [], "pending": 0}
    answer = records.again(declared, data)
    row_id = new_id()
    with ctx.db.begin() as session:
        session.add(
            Calibration(
                id=row_id, rollout_id=rollout.id, agent=rollout.agent, version=rollout.version, segment="", look=0,
                labels=answer["labels"], threshold=answer["threshold"], declared=declared, data=data, answer=answer,
                digest=records.digest_of(declared, data, answer), at=ctx.clock.now(),
            )
        )  # fmt: skip
    return row_id


def _post(client: TestClient, path: str, body: Any) -> Any:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def rows(ctx: Context) -> dict[str, int]:
    """How many rows every table has."""
    with ctx.db.read() as session:
        return {table.name: len(session.execute(select(table)).all()) for table in metadata.sorted_tables}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the document says."""

    method: str
    path: str
    schemas: dict[str, Any]  # of the body, by media type
    components: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def address(self, ids: dict[str, str]) -> str:
        return self.path.format_map(ids)

    def body(self) -> tuple[Any, str]:
        """The least that the schema allows, and its media type."""
        media_type, schema = next(iter(self.schemas.items()))
        return least(schema, self.components), media_type

    def moments(self) -> Iterator[str]:
        """The fields of the body that hold a time."""
        for schema in _variants(self.schemas.get(_PARSED, {}), self.components):
            for name, field in schema.get("properties", {}).items():
                if any(one.get("format") == "date-time" for one in _variants(field, self.components)):
                    yield name


def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            method.upper(),
            path,
            {kind: held["schema"] for kind, held in said.get("requestBody", {}).get("content", {}).items()},
            document["components"],
        )
        for path, said_of in document["paths"].items()
        for method, said in said_of.items()
        if method in _METHODS
    ]


def _variants(schema: Any, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _variants(components["schemas"][schema["$ref"].rpartition("/")[2]], components)
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _variants(one, components)
    else:
        yield schema


def least(schema: Any, components: dict[str, Any]) -> Any:
    """The smallest value of a schema."""
    schema = next(_variants(schema, components))
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: least(schema["properties"][name], components) for name in schema.get("required", ())}
    if schema.get("type") == "array":
        return [least(schema["items"], components)] * schema.get("minItems", 0)
    text = _FORMATS.get(schema.get("format", ""), "x" * max(1, schema.get("minLength", 1)))
    return _SCALARS.get(schema.get("type", ""), text)
