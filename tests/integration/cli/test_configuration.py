"""Agents, plans and policies as files: validate, diff, apply, export, and what the pages' API says of the same."""

from pathlib import Path

import pytest

from kit.context import Context
from rollout.plans import queries as plan_queries
from rollout.versions import queries as version_queries
from tests import factories
from tests.integration.cli.conftest import Run

PLAN = """
agent: claims
settle_days: 2
phases:
  evaluation:
    gates: [{metric: suite_score, suite: first, at_least: 0.8}]
  shadow:
    gates: [{metric: disagreement_rate, at_most: 0.1}]
  supervised:
    gates: [{metric: override_rate, at_most: 0.1}]
    guardrails: [{metric: override_rate, at_most: 0.2}]
  confidence:
    gates: [{metric: error_rate, at_most: 0.05}]
    guardrails: [{metric: error_rate, at_most: 0.08}]
  full:
    gates: [{metric: error_rate, at_most: 0.05}]
    guardrails: [{metric: error_rate, at_most: 0.08}]
"""
AGENT = """
name: claims
title: Claims
owner: mara
settings:
  output_schema: {type: string}
"""
POLICY = """
agent: claims
version: v1
rules:
  threshold: 0.9
  scope: {segments: [north, south]}
"""


@pytest.fixture
def files(ctx: Context, tmp_path: Path) -> Path:
    factories.person(ctx, "mara")
    for name, text in {"plan": PLAN, "agent": AGENT, "policy": POLICY}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_valid_files_of_all_three_kinds_are_valid(files: Path, phasegate: Run) -> None:
    ran = phasegate("validate", files / "plan.yaml", files / "agent.yaml", files / "policy.yaml")
    assert ran.status == 0, ran.out
    assert ran.out.count("is valid.") == 3


def test_every_mistake_is_told_with_file_line_column_and_mend(files: Path, phasegate: Run) -> None:
    path = files / "plan.yaml"
    path.write_text(PLAN.replace("override_rate, at_most: 0.1}", "overide_rate, at_most: 0.1}"), encoding="utf-8")
    ran = phasegate("validate", path)
    assert ran.status == 1
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "overide" in text)
    assert ran.out.startswith(f"{path}:{line}:")
    assert "did you mean override_rate" in ran.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("agent", "owner: mara", "owner: mara\nowners: mara", "owners"),
        ("agent", "type: string", "type: strin", "settings.output_schema"),
        ("policy", "threshold: 0.9", "threshold: 9", "rules.threshold"),
        ("policy", "version: v1\n", "", ""),
    ],
)
def test_agents_and_policies_are_checked_too(
    files: Path, phasegate: Run, name: str, old: str, new: str, place: str
) -> None:
    path = files / f"{name}.yaml"
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    ran = phasegate("validate", path, "--json")
    assert ran.status == 1
    assert ran.json[0]["errors"][0]["place"].startswith(place)


def test_a_file_that_is_nothing_of_ours_is_refused(files: Path, phasegate: Run) -> None:
    (files / "x.yaml").write_text("a: b\n")
    assert "it is no plan" in phasegate("validate", files / "x.yaml").out


def test_a_file_that_is_not_there_is_a_wrong_usage(phasegate: Run) -> None:
    assert phasegate("validate", "/nowhere.yaml").status == 2


def test_applying_all_three_makes_agent_plan_and_rules_and_twice_changes_nothing(
    ctx: Context, files: Path, phasegate: Run
) -> None:
    first = phasegate("apply", "-f", files / "plan.yaml", "-f", files / "agent.yaml", "--as", "mara")
    assert first.status == 0, first.err
    factories.rollout(ctx, "claims", "v1")
    assert phasegate("apply", "-f", files / "policy.yaml", "--as", "mara").status == 0
    with ctx.db.read() as session:
        plan = plan_queries.newest(session, "claims")
        assert plan is not None
        assert plan.created_by == "mara"
        rollout = version_queries.get_rollout(session, "claims", "v1")
        policy = version_queries.get_policy(session, rollout.id, rollout.policy_revision)
    assert policy.body["rules"]["threshold"] == 0.9

    everything = [part for name in ("agent", "plan", "policy") for part in ("-f", files / f"{name}.yaml")]
    again = phasegate("apply", *everything, "--json")
    assert [result["changes"] for result in again.json] == [[], [], []]
    assert phasegate("diff", *everything).status == 0


def test_a_diff_tells_in_words_what_apply_would_change_and_changes_nothing(
    ctx: Context, files: Path, phasegate: Run
) -> None:
    phasegate("apply", "-f", files / "agent.yaml", "-f", files / "plan.yaml", "--as", "mara")
    (files / "plan.yaml").write_text(PLAN.replace("settle_days: 2", "settle_days: 5"), encoding="utf-8")
    ran = phasegate("diff", "-f", files / "plan.yaml")
    assert ran.status == 1
    assert "settle_days was 2, becomes 5" in ran.out
    assert phasegate("apply", "--dry-run", "-f", files / "plan.yaml").status == 0
    with ctx.db.read() as session:
        plan = plan_queries.newest(session, "claims")
    assert plan is not None
    assert plan.revision == 1


def test_what_is_exported_applies_back_without_a_change(files: Path, phasegate: Run) -> None:
    phasegate("apply", "-f", files / "agent.yaml", "-f", files / "plan.yaml", "--as", "mara")
    for kind in ("plan", "agent"):
        path = files / f"exported-{kind}.yaml"
        path.write_text(phasegate("export", "claims", "--kind", kind).out, encoding="utf-8")
        assert phasegate("diff", "-f", path).status == 0


def test_who_may_not_configure_is_refused_in_words(ctx: Context, files: Path, phasegate: Run) -> None:
    factories.person(ctx, "rita", roles=("reviewer",))
    ran = phasegate("apply", "-f", files / "agent.yaml", "--as", "rita")
    assert ran.status == 1
    assert "may not configure" in ran.err


def test_exporting_what_is_not_there_is_not_found(phasegate: Run) -> None:
    assert phasegate("export", "nobody").status == 3
