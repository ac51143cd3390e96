"""`phasegate evidence`: what a snapshot says, and whether its verdicts follow from its own record."""

from typing import Any
from uuid import UUID, uuid4

import pytest

import evidence
from cli import evidence as cli_evidence
from cli import house as cli_house
from kit.context import Context
from kit.ids import new_id
from rollout.domain.phase import Phase
from rollout.gates import service as gates
from rollout.gates.tables import EvidenceSnapshot
from routing.thresholds import records
from routing.thresholds.tables import Calibration
from tests import factories
from tests.integration.cli.conftest import Run
from tests.integration.rollout.house import House, build, plan_data, served


@pytest.fixture
def house(ctx: Context) -> House:
    """A version in supervised whose gates are a rate, a loss, and a rate corrected for reviewers."""
    data = plan_data()
    data["phases"]["supervised"]["gates"] += [
        {"metric": "override_loss", "at_most": 0.1, "segments": "each"},
        {"name": "corrected", "metric": "override_rate", "at_most": 0.1, "corrected_for_reviewers": True},
    ]
    house = build(ctx, planned=False)
    house.apply(data)
    house.register()
    house.climb(Phase.SUPERVISED)
    house.count(cases=400, overridden=6, severe=1)
    house.days(3)
    return house


@pytest.fixture
def taken(house: House) -> EvidenceSnapshot:
    return house.look()


def alter(ctx: Context, evidence_id: UUID, change: dict[str, Any]) -> None:
    """One number of the first gate, as somebody with the database in their hands could."""
    with ctx.db.begin() as session:
        row = session.get(EvidenceSnapshot, evidence_id)
        assert row is not None
        first, *others = row.body["gates"]
        row.body = row.body | {"gates": [first | change, *others]}


def test_lists_the_snapshots_of_a_version(taken: EvidenceSnapshot, phasegate: Run) -> None:
    ran = phasegate("evidence", "list", "reader", "v1")

    assert ran.status == 0
    assert str(taken.id) in ran.out
    assert "2 of 3 pass" in ran.out
    assert str(taken.id) == phasegate("evidence", "list", "reader", "v1", "--json").json["items"][0]["id"]
    assert phasegate("evidence", "list", "reader", "v9").status == 3


def test_a_version_that_was_never_judged(house: House, phasegate: Run) -> None:
    house.register("v2")

    assert "has not been judged yet" in phasegate("evidence", "list", "reader", "v2").out


def test_shows_what_a_snapshot_says_and_by_which_rules(taken: EvidenceSnapshot, phasegate: Run) -> None:
    ran = phasegate("evidence", "show", taken.id)

    assert ran.status == 0
    assert "override_loss" in ran.out
    assert "6 of 400" in ran.out
    assert f"Judged by rules {evidence.__version__}" in ran.out
    assert "agrees" not in ran.out


def test_every_verdict_follows_from_its_own_record(taken: EvidenceSnapshot, phasegate: Run) -> None:
    ran = phasegate("evidence", "show", taken.id, "--recompute")

    assert ran.status == 0
    assert "Everything follows from its own record." in ran.out
    said = phasegate("evidence", "show", taken.id, "--recompute", "--json").json
    assert said["agrees"] is True
    kinds = ["gate", "gate", "gate", "guardrail", "guardrail", *["snapshot"] * 4]
    assert [one["kind"] for one in said["recomputed"]] == kinds
    assert [one["name"] for one in said["recomputed"][-4:]] == ["readiness", "conclusion", "reasons", "digest"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param({"verdict": "demote"}, {"conclusion", "reasons", "digest"}, id="a demotion without harm"),
        pytest.param({"verdict": "advance"}, {"conclusion", "reasons", "digest"}, id="over a gate that does not pass"),
        pytest.param({"reasons": []}, {"reasons", "digest"}, id="no reason"),
        pytest.param({"without_signature": True}, {"conclusion", "digest"}, id="without a signature"),
        pytest.param({"settle_days": 0}, {"digest"}, id="what nothing follows from"),
        pytest.param({"plan_digest": "0" * 64}, {"digest"}, id="another plan"),
    ],
)
def test_an_altered_conclusion_is_found_out(
    house: House, taken: EvidenceSnapshot, phasegate: Run, change: dict[str, Any], found: set[str]
) -> None:
    with house.ctx.db.begin() as session:
        row = session.get(EvidenceSnapshot, taken.id)
        assert row is not None
        row.body = row.body | change

    ran = phasegate("evidence", "show", taken.id, "--recompute", "--json")

    assert ran.status == 1
    assert {one["name"] for one in ran.json["recomputed"] if not one["agrees"]} == found


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"bad": 5}, id="one override less"),
        pytest.param({"verdict": "fail"}, id="another verdict"),
        pytest.param({"bad": 500}, id="more bad ones than cases"),
        pytest.param({"limit": None}, id="no limit"),
    ],
)
def test_an_altered_record_is_found_out(
    house: House, taken: EvidenceSnapshot, phasegate: Run, change: dict[str, Any]
) -> None:
    alter(house.ctx, taken.id, change)

    ran = phasegate("evidence", "show", taken.id, "--recompute")

    assert ran.status == 1
    assert "DOES NOT AGREE" in ran.out
    assert "Not everything follows" in ran.out
    assert phasegate("evidence", "show", taken.id).status == 0


def _of_before(part: dict[str, Any]) -> dict[str, Any]:
    """As the first release wrote it."""
    later = {"weights", "seeded", "corrected_limit", "shown", "calibrated", "closes"}
    later |= {"segment", "segments"} if "breached" in part else {"days"}
    return {name: value for name, value in part.items() if name not in later}


def test_a_snapshot_of_before_the_rules_had_a_number(house: House, taken: EvidenceSnapshot, phasegate: Run) -> None:
    with house.ctx.db.begin() as session:
        row = session.get(EvidenceSnapshot, taken.id)
        assert row is not None
        row.body = {name: value for name, value in row.body.items() if name != "engine"} | {
            "gates": [_of_before(gate) for gate in row.body["gates"][:1]],
            "guardrails": [_of_before(part) for part in row.body["guardrails"]],
            "reasons": [row.body["reasons"][0] | {"code": "outside_window", "about": None}],
        }
        row.digest = gates.digest_of(row.body)

    ran = phasegate("evidence", "show", taken.id, "--recompute")

    assert ran.status == 0
    assert "did not say their number yet" in ran.out


def test_what_is_not_there(house: House, phasegate: Run) -> None:
    ran = phasegate("evidence", "show", uuid4())

    assert ran.status == 3
    assert "neither evidence nor a calibration" in ran.err
    assert phasegate("evidence", "show", "nonsense").status == 1


@pytest.mark.parametrize(("threshold", "status"), [(None, 0), (0.99, 1)])
def test_a_calibration_is_computed_again_too(
    house: House, phasegate: Run, threshold: float | None, status: int
) -> None:
    declared = {"risk": 0.1, "delta": 0.05, "assumes": "nothing"}
    data = {"groups": [[0.9, 400, 2], [0.5, 100, 40]], "looks": []}
    answer = records.again(declared, data) | ({"threshold": threshold} if threshold else {})
    rollout = house.rollout()
    row = Calibration(
        id=new_id(),
        rollout_id=rollout.id,
        agent="reader",
        version="v1",
        segment="",
        look=1,
        labels=500,
        threshold=answer["threshold"],
        declared=declared,
        data=data,
        answer=answer,
        digest=records.digest_of(declared, data, answer),
        at=house.clock.now(),
    )
    with house.ctx.db.begin() as session:
        session.add(row)
        session.flush()
        calibration_id = row.id

    ran = phasegate("evidence", "show", calibration_id, "--recompute")

    assert ran.status == status, ran.out
    assert "500 labels" in ran.out


def test_the_word_of_the_service_on_a_calibration_does_not_count() -> None:
    declared = {"risk": 0.1, "delta": 0.05, "assumes": "nothing"}
    data = {"groups": [[0.9, 400, 2], [0.5, 100, 40]], "looks": []}
    answer = records.again(declared, data)
    found = {
        "declared": declared, "data": data, "answer": answer, "digest": records.digest_of(declared, data, answer),
        "threshold": answer["threshold"], "labels": answer["labels"], "segment": "", "agrees": False,
    }  # fmt: skip
    fewer = found | {"data": data | {"groups": [[0.9, 400, 1], [0.5, 100, 40]]}, "agrees": True}

    assert cli_evidence._calibration(found)[0].agrees
    assert not cli_evidence._calibration(fewer)[0].agrees
    assert not cli_evidence._calibration(found | {"threshold": 0.5, "agrees": True})[0].agrees
    assert not cli_evidence._calibration(found | {"data": {}, "agrees": True})[0].agrees


def test_the_key_of_another_agent_finds_nothing_by_the_id(house: House, taken: EvidenceSnapshot) -> None:
    factories.agent(house.ctx, "letters", owner="alice")

    with served(house.ctx) as client:
        own = client.get(f"/v1/evidence/{taken.id}", headers=factories.bearer(house.ctx, agent="reader"))
        other = client.get(f"/v1/evidence/{taken.id}", headers=factories.bearer(house.ctx, agent="letters"))
        nowhere = client.get(f"/v1/evidence/{uuid4()}", headers=factories.bearer(house.ctx, login="erin"))

    assert own.status_code == 200
    assert (own.json()["agent"], own.json()["engine"]) == ("reader", evidence.__version__)
    assert (other.status_code, nowhere.status_code) == (404, 404)


def test_the_status_says_when_a_gate_could_pass(house: House, phasegate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cli_house.make_context
    monkeypatch.setattr(cli_house, "make_context", lambda settings: real(settings, clock=house.ctx.clock))
    house.count(cases=200, overridden=40)
    house.days(3)
    taken = house.look()
    assert taken.body["gates"][0]["verdict"] == "inconclusive"

    ran = phasegate("status", "reader")

    assert ran.status == 0
    assert "override_rate: " in ran.out
    assert "if it stays as good as so far" in ran.out
