"""Agents, plans and rules as files."""

import pytest

from rollout.agents.files import AgentFile, PlanFile, PolicyFile, export_agent, export_plan, export_policy, join, parse
from rollout.agents.schemas import AgentIn, AgentSettings
from rollout.domain.plan_yaml import dump_plan
from rollout.domain.policy import Rules, Scope
from rollout.domain.yaml_tree import FileInvalid
from tests.unit.rollout import making

AGENT = AgentIn(
    title="Reader: of forms",
    owner="alice",
    second="bob",
    settings=AgentSettings(comparison={"fields": {"/total": "number"}}, output_schema={"type": "object"}),
)
RULES = Rules(threshold=0.8, scope=Scope(segments=frozenset({"north", "no", "1"})))


def test_what_is_exported_reads_back_the_same() -> None:
    plan = making.plan()
    text = join([export_policy("reader", "v1", RULES), export_plan(plan), export_agent("reader", AGENT)])

    agent, planned, policy = parse(text)

    assert isinstance(agent, AgentFile)
    assert isinstance(planned, PlanFile)
    assert isinstance(policy, PolicyFile)
    assert agent.agent.model_dump(exclude={"name"}) == AGENT.model_dump()
    assert planned.plan == plan
    assert (policy.agent, policy.version, policy.rules) == ("reader", "v1", RULES)


def test_a_plan_alone_needs_no_kind() -> None:
    (found,) = parse(dump_plan(making.plan()))

    assert isinstance(found, PlanFile)


def test_a_plan_is_applied_without_its_kind() -> None:
    (found,) = parse("kind: plan # ours\n" + dump_plan(making.plan()))

    assert isinstance(found, PlanFile)
    assert "kind" not in found.source


def test_every_document_tells_its_problems_with_the_lines_of_the_file() -> None:
    text = (
        "kind: agent\n"
        "name: reader\n"
        "title: Reader\n"
        "ownr: alice\n"
        "---\n"
        "# the rules\n"
        "kind: policy\n"
        "agent: reader\n"
        "version: v1\n"
        "rules: {threshold: 1.5}\n"
        "---\n"
        "kind: plam\n"
    )

    with pytest.raises(FileInvalid) as refused:
        parse(text)

    told = {(problem.line, problem.place) for problem in refused.value.problems}
    assert {(4, "ownr"), (10, "rules.threshold"), (12, "kind")} <= told


def test_problems_of_a_plan_keep_their_lines() -> None:
    with pytest.raises(FileInvalid) as refused:
        parse("kind: agent\nname: reader\ntitle: R\nowner: alice\n---\nkind: plan\nagent: reader\nphasez: {}\n")

    assert 8 in {problem.line for problem in refused.value.problems}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"], ids=["empty", "a comment", "only separators"])
def test_a_file_without_anything_is_refused(text: str) -> None:
    with pytest.raises(FileInvalid, match="nothing"):
        parse(text)


def test_a_list_is_no_document() -> None:
    with pytest.raises(FileInvalid, match="without fields"):
        parse("- a\n")
