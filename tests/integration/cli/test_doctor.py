"""The doctor finds what cannot be true, and rebuilds exactly what can be derived."""

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from kit.context import Context
from rollout.domain.phase import Phase
from rollout.gates import service as gates
from rollout.gates.tables import EvidenceSnapshot, Total
from rollout.versions.tables import Rollout
from routing import tasks
from routing.cases.tables import Decision, HumanOutput, Label
from routing.doctor import service
from routing.reviews.tables import ReviewItem, Ruling
from tests import factories
from tests.integration.cli.conftest import Run
from tests.integration.routing import desk


@pytest.fixture
def worked(ctx: Context) -> Context:
    """A house with work of every lane behind it: shadow with answers, reviews, audits, a second attempt, a look."""
    factories.agent(ctx, output_schema={"type": "string"})
    row = factories.rollout(ctx, phase=Phase.SHADOW)
    for number in range(12):
        segment = "north" if number % 2 else ""
        factories.decision(ctx, f"s-{number}", segment=segment, confidence="high" if number == 3 else 0.9)
        factories.human_output(ctx, f"s-{number}", "no" if number % 4 == 0 else "yes")
    row = factories.change_rollout(ctx, row, phase="confidence", epoch=2, rules={"threshold": 0.8, "audit_rate": 0.5})
    for number in range(20):
        factories.decision(ctx, f"c-{number}", confidence=0.95 if number % 2 else 0.5)
    factories.decision(ctx, "c-0", confidence=0.4, attempt=2)
    tasks.settle(ctx)
    with ctx.db.begin() as session:
        gates.look(session, session.get_one(Rollout, row.id), now=ctx.clock.now())
    return ctx


def totals(ctx: Context) -> list[tuple[Any, ...]]:
    columns = list(Total.__table__.columns)
    with ctx.db.read() as session:
        return sorted(session.execute(select(*columns)).all(), key=str)


def broken(ctx: Context) -> set[str]:
    with ctx.db.read() as session:
        return {found.check for found in service.examine(session, now=ctx.clock.now()) if not found.ok}


def repair(ctx: Context) -> dict[str, str]:
    with ctx.db.begin() as session:
        done = service.repair(session, now=ctx.clock.now())
    tasks.settle(ctx)
    return done


def change(ctx: Context, statement: Any) -> None:
    with ctx.db.begin() as session:
        session.execute(statement.execution_options(synchronize_session=False))


def test_nothing_is_wrong_with_a_house_at_work(worked: Context) -> None:
    assert broken(worked) == set()
    lanes = {row[2] for row in totals(worked)}
    assert {"shadow", "review", "auto", "audit"} <= lanes


@pytest.mark.parametrize(
    "statement",
    [
        update(Total).values(cases=Total.cases + 1),
        update(Total).where(Total.lane == "shadow").values(agreed=0, overridden=Total.overridden + Total.agreed),
        update(Total).where(Total.segment == "north").values(invalid_confidence=9),
        delete(Total).where(Total.lane == "review"),
        delete(Total),
    ],
    ids=["one too many", "agreement became override", "another count", "a lane is gone", "all gone"],
)
def test_corrupted_totals_are_found_and_rebuilt_exactly(worked: Context, statement: Any) -> None:
    before = totals(worked)
    change(worked, statement)
    assert broken(worked) == {"totals"}

    assert set(repair(worked)) == {"totals"}

    assert totals(worked) == before
    assert broken(worked) == set()
    assert repair(worked) == {}


def test_what_a_person_wrote_and_somebody_changed_afterwards_is_told(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    alice = factories.actor(ctx, "alice", roles=("reviewer",))
    for number, output in enumerate((12.0, {"z": 12.0, "a": [1e22, 0.1, "é"]})):
        item = desk.item_of(ctx, factories.decision(ctx, f"c-{number}").id)
        desk.claim(ctx, alice, item.id)
        desk.rule(ctx, alice, item, "edit", output=output)
    assert broken(ctx) == set()

    change(ctx, update(Ruling).where(Ruling.item_id == item.id).values(output={"z": 13}))

    with ctx.db.read() as session:
        [found] = [one for one in service.examine(session, now=ctx.clock.now()) if not one.ok]
    assert (found.check, found.examples) == ("written_as_recorded", (f"item {item.id}, by alice",))


def test_a_cohort_that_no_decision_explains_is_removed(worked: Context) -> None:
    before = totals(worked)
    with worked.db.begin() as session:
        first = session.scalars(select(Total)).first()
        assert first is not None
        values = {column.key: getattr(first, column.key) for column in Total.__table__.columns}
        session.add(Total(**{**values, "segment": "invented"}))
    assert broken(worked) == {"totals"}
    repair(worked)
    assert totals(worked) == before


def test_a_decision_counted_otherwise_than_labelled_goes_back_to_settling(worked: Context) -> None:
    before = totals(worked)
    change(worked, update(Decision).where(Decision.case_id == "s-1").values(counted_as="override"))
    assert broken(worked) == {"totals", "counted_as_labelled"}
    repair(worked)
    assert broken(worked) == set()
    assert totals(worked) == before


def test_a_review_decision_without_its_item_is_told_and_never_invented(worked: Context) -> None:
    review = select(Decision.id).where(Decision.case_id == "c-2").scalar_subquery()
    change(worked, delete(ReviewItem).where(ReviewItem.decision_id == review))
    assert broken(worked) == {"reviews_queued"}
    repair(worked)
    assert broken(worked) == {"reviews_queued"}


def test_an_open_review_of_a_superseded_decision_is_ended(worked: Context) -> None:
    first = select(Decision.id).where(Decision.case_id == "c-0", Decision.attempt == 1).scalar_subquery()
    change(worked, update(ReviewItem).where(ReviewItem.decision_id == first).values(state="waiting", ended_at=None))
    assert broken(worked) == {"superseded_closed"}
    assert set(repair(worked)) == {"superseded_closed"}
    assert broken(worked) == set()


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        (update(HumanOutput).where(HumanOutput.case_id == "s-1").values(superseded=True), "one_current_human_output"),
        (
            update(Decision).where(Decision.case_id == "c-0", Decision.attempt == 2).values(attempt=3),
            "attempts_in_order",
        ),
        (update(EvidenceSnapshot).values(body={"verdict": "advance"}), "evidence"),
        (
            update(ReviewItem).where(ReviewItem.case_id == "c-2").values(state="approved"),
            "rulings_are_outcomes",
        ),
        (update(Decision).where(Decision.case_id == "c-2").values(lane="auto"), "items_belong"),
    ],
    ids=["no answer in force", "an attempt is missing", "evidence was altered", "a ruling was lost", "another lane"],
)
def test_what_cannot_be_true_is_told(worked: Context, statement: Any, check: str) -> None:
    change(worked, statement)
    assert check in broken(worked)


def test_a_label_of_no_decision_is_told(worked: Context) -> None:
    with worked.db.begin() as session:
        label = session.scalars(select(Label)).first()
        assert label is not None
        session.execute(delete(Decision).where(Decision.id == label.decision_id))
    assert "labels_belong" in broken(worked)


def test_work_that_nobody_settles_is_told_after_five_minutes(worked: Context) -> None:
    from datetime import timedelta

    factories.decision(worked, "late")
    assert broken(worked) == set()
    worked.clock.move(timedelta(minutes=6))  # type: ignore[attr-defined]
    assert broken(worked) == {"settled"}


def test_the_command_says_what_is_wrong_repairs_it_and_then_is_content(worked: Context, phasegate: Run) -> None:
    change(worked, update(Total).values(cases=Total.cases + 1))

    told = phasegate("doctor")
    assert told.status == 1
    assert "differ from a recount" in told.out

    repaired = phasegate("doctor", "--repair", "--json")
    assert repaired.status == 0
    assert repaired.json["ok"] is True
    assert {check["check"]: check["repaired"] for check in repaired.json["checks"]}["totals"]

    assert phasegate("doctor").status == 0


def test_an_altered_audit_log_is_told(worked: Context, phasegate: Run) -> None:
    from governance.audit.tables import AuditEvent

    assert phasegate("doctor", "--repair").status == 0  # seals
    change(worked, update(AuditEvent).where(AuditEvent.place == 3).values(actor="somebody else"))
    told = phasegate("doctor", "--json")
    assert told.status == 1
    assert [check["check"] for check in told.json["checks"] if not check["ok"]] == ["audit"]


def test_a_redis_that_is_away_is_told(worked: Context, phasegate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHASEGATE_REDIS_URL", "redis://127.0.0.1:1/0")
    told = phasegate("doctor", "--json")
    assert told.status == 1
    assert [check["check"] for check in told.json["checks"] if not check["ok"]] == ["redis"]


def test_a_comparison_that_failed_after_a_first_answer_is_counted_as_settling_has_it(
    worked: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evidence.comparing import Comparison, Kind
    from routing.cases import settling

    monkeypatch.setattr(settling, "compare", lambda *_, **__: Comparison(Kind.ERROR))
    factories.human_output(worked, "s-1", "another answer")
    tasks.settle(worked)
    assert broken(worked) == set()
    assert repair(worked) == {}
