import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import PlanInvalid, dump_plan, load_plan, plan_from_data, plan_json_schema
from tests.unit.rollout.making import plan, plan_data

EXAMPLE = (Path(__file__).parents[3] / "docs/examples/plan.yaml").read_text(encoding="utf-8")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PlanInvalid) as told:
        load_plan(text)
    return [str(problem) for problem in told.value.problems]


def changed(*pairs: tuple[str, str]) -> str:
    text = EXAMPLE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def line_of(words: str) -> int:
    return EXAMPLE[: EXAMPLE.index(words)].count("\n") + 1


def test_the_example_is_a_plan() -> None:
    example = load_plan(EXAMPLE)

    assert example.agent == "digit-reader"
    assert example.phase(Phase.CONFIDENCE).steps == (0.05, 0.25, 0.5, 1.0)
    assert example.phase(Phase.SHADOW).steps == (1.0,)
    assert {item.category.value for _, item in example.readiness()} == {
        "evaluation", "operations", "data", "security", "performance", "governance",
    }  # fmt: skip


def test_a_plan_written_out_reads_back_as_the_same_plan() -> None:
    example = load_plan(EXAMPLE)

    assert load_plan(dump_plan(example)) == example
    assert Plan.from_body(example.body()) == example
    assert load_plan(json.dumps(example.body())) == example
    assert plan_from_data(example.body()) == example


@given(st.text(max_size=60, alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"))))
def test_any_text_survives_writing_and_reading(about: str) -> None:
    written = plan(about=about.replace("\ufeff", ""))

    assert load_plan(dump_plan(written)) == written


@pytest.mark.parametrize("name", ["17:00", "no", "1e3", "null", "~", "12", ".5", "a: b", "- x", "#1", " x "])
def test_text_that_looks_like_something_else_is_quoted(name: str) -> None:
    written = plan(name=name)

    assert load_plan(dump_plan(written)).name == name


def test_what_was_left_out_is_written_out() -> None:
    gate = plan().phase(Phase.SHADOW).gates[0]
    guardrail = plan().phase(Phase.SHADOW).guardrails[0]

    assert (gate.confidence, gate.minimum_cases) == (0.95, 100)
    assert guardrail.false_alarm_days == 1000
    assert "minimum_cases: 100" in dump_plan(plan())


def test_the_digest_is_that_of_what_the_plan_asks() -> None:
    assert plan().digest == load_plan(dump_plan(plan())).digest
    assert plan().digest != plan(settle_days=8).digest


def test_every_problem_is_told_at_once_with_its_line() -> None:
    found = problems(
        changed(
            ("agent: digit-reader", "agent: Digit Reader"),
            ("at_least: 0.94", "at_leest: 0.94"),
            ("at_most: 0.10", "at_most: 10"),
            ("timezone: Europe/Berlin", "timezone: Europe/Berln"),
            ("    question: May the", "    questin: May the"),
            ("ramp: [0.25, 1]", "ramp: [0.25, 0.2]"),
        )
    )

    assert [problem.split(": (")[0].split(" (")[0] for problem in found] == [
        f'line {line_of("agent:")}, column 1: agent: agent is "Digit Reader": that is not how one is written',
        f'line {line_of("timezone")}, column 5: windows[0].timezone: there is no time zone "Europe/Berln"',
        (
            f"line {line_of('at_least: 0.94')}, column 9: phases.evaluation.gates[0].at_leest: "
            'there is no field "at_leest" in phases.evaluation.gates[0]'
        ),
        f"line {line_of('- key: data-allowed')}, column 9: phases.evaluation.readiness[1]: question is missing",
        (
            f"line {line_of('question: May')}, column 9: phases.evaluation.readiness[1].questin: "
            'there is no field "questin" in phases.evaluation.readiness[1]'
        ),
        (
            f"line {line_of('at_most: 0.10')}, column 9: phases.shadow.gates[0].at_most: "
            "10 is not a share between 0 and 1"
        ),
        f"line {line_of('ramp: [0.25')}, column 18: phases.full.ramp[1]: the ramp does not grow from 0.25 to 0.2",
        (
            f"line {line_of('ramp: [0.25')}, column 18: phases.full.ramp[1]: "
            "the ramp ends at 0.2, so the phase could never be left"
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("settle_days: 7", 'settle_days: "7"', 'settle_days is "7", and a whole number is expected (write 0 to 180'),
        ("settle_days: 7", "settle_days: 7.5", "settle_days is 7.5, and a whole number is expected"),
        ("settle_days: 7", "settle_days: true", "settle_days is true, and a whole number is expected"),
        ("settle_days: 7", "settle_days: 181", "settle_days is 181: it should be less than or equal to 180"),
        ("settle_days: 7", "settle_days: [7]", "settle_days is a list, and a whole number"),
        ("settle_days: 7", "settle_days: {a: 7}", "settle_days is a group of fields, and a whole number"),
        ("settle_days: 7", "settle_days:", "settle_days is empty, and a whole number"),
        ("settle_days: 7", "setle_days: 7", 'there is no field "setle_days" in a plan (did you mean settle_days?)'),
        ("settle_days: 7", "zzz: 7", 'there is no field "zzz" in a plan (remove it; known here: agent,'),
        ("stale_after_days: 14", "stale_after_days: 0", "(write 1 to 365 days)"),
        ("owner: true", "owner: false", "owner is false: it must be true (remove the line: the named owner"),
        ("from: 09:00", "from: 9:00", 'from is "9:00": that is not how one is written (write a time such as'),
        ("[mon, tue, wed, thu]", "[mon, tuesday]", "windows[0].days[1]: days is \"tuesday\": it must be 'mon'"),
        ("segments: each", "segments: 3", "segments is 3, and each or a list is expected (write each, or a list"),
        ("segments: each", "segments: ech", 'segments is "ech", and each or a list is expected'),
        ("at_most: 0.10", "at_most: 1e999", "at_most is Infinity, and a number that is not infinite is expected"),
        ("at_most: 0.10", "at_most: 10 %", 'at_most is "10 %", and a number is expected (write a number such as 0.05'),
        ("ramp: [0.25, 1]", "ramp: 1", "ramp is 1, and a list is expected"),
        ("ramp: [0.25, 1]", "ramp: [a]", 'ramp[0]: ramp is "a", and a number is expected'),
        ("weekly_days: 90", "weekly_days: x" + "y" * 99, f'weekly_days is "x{"y" * 55}…, and a whole number'),
        ("category: data", "category: dates", "category is \"dates\": it must be 'evaluation'"),
        ("key: runbook", "key: Run Book", 'key is "Run Book": that is not how one is written (write a short name'),
        ("  shadow:\n    minimum_days: 14", "  shadow:\n    ramp: [1]", 'there is no field "ramp" in phases.shadow'),
    ],
)
def test_a_wrong_shape_is_told_in_words(old: str, new: str, told: str) -> None:
    found = problems(changed((old, new)))

    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["line 1, column 1: this is not a plan: it has no fields (begin with agent: and phases:)"]),
        ("[]", ["line 1, column 1: this is not a plan: it has no fields (begin with agent: and phases:)"]),
        ("agent: x", ["line 1, column 1: phases is missing (add phases: here)"]),
        (
            "agent: x\nphases: 3",
            [("line 2, column 1: phases: phases is 3, and a group of fields is expected "
             "(write the fields below it, indented)")],
        ),
    ],
)  # fmt: skip
def test_what_is_no_plan_at_all(text: str, told: list[str]) -> None:
    assert problems(text) == told


def test_a_malformed_part_does_not_hide_what_is_missing_elsewhere() -> None:
    found = problems("agent: x\nphases:\n  shadow: []\n  confidence: {gates: 3}\n  full: {guardrails: [{}]}\n")

    assert any("phases.confidence.guardrails: confidence has no guardrail" in problem for problem in found)
    assert not any("full has no guardrail" in problem for problem in found)  # it has one, a malformed one


def test_a_gate_that_is_no_group_of_fields_is_told() -> None:
    data = plan_data()
    data["phases"]["shadow"] |= {"gates": [3], "guardrails": ["x"]}

    with pytest.raises(PlanInvalid) as told:
        plan_from_data(data)

    assert [problem.problem for problem in told.value.problems] == [
        "gates is 3, and a group of fields is expected",
        'guardrails is "x", and a group of fields is expected',
    ]


def test_yaml_that_cannot_be_read_is_an_invalid_plan() -> None:
    assert problems("a: 1\na: 2")[0].startswith("line 2, column 1: a:")


def test_a_plan_that_came_as_data_has_places_but_no_lines() -> None:
    with pytest.raises(PlanInvalid) as told:
        plan_from_data(plan_data(settle_days=-1))

    assert [place.place for place in told.value.places] == ["settle_days"]


FIELDS = st.sampled_from(["agent", "phases", "shadow", "gates", "metric", "ramp", "full", "windows", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("each"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_data_is_a_plan_or_told(data: Any) -> None:
    with pytest.raises(PlanInvalid) as told:
        plan_from_data(data)

    assert all(problem.problem for problem in told.value.problems)


WRITTEN = json.dumps(load_plan(EXAMPLE).body())


def _swapped(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = json.loads(WRITTEN)
    inner: Any = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return dict(data)


PLACES = st.sampled_from(
    [
        ("agent",), ("phases",), ("approvals",), ("windows",), ("oversight",), ("small_change_may_start_in",),
        ("approvals", "second_person_for"), ("windows", 0), ("windows", 0, "days"), ("windows", 0, "timezone"),
        ("phases", "shadow"), ("phases", "shadow", "gates"), ("phases", "shadow", "gates", 0),
        ("phases", "shadow", "gates", 0, "metric"), ("phases", "shadow", "gates", 0, "segments"),
        ("phases", "full", "ramp"), ("phases", "full", "guardrails"), ("phases", "full", "readiness"),
        ("phases", "evaluation", "readiness", 0), ("phases", "evaluation", "gates", 0, "at_least"),
    ]
)  # fmt: skip


@given(PLACES, ANYTHING)
@settings(max_examples=40)
def test_any_value_at_any_place_is_read_or_told(path: tuple[str | int, ...], value: Any) -> None:
    try:
        plan_from_data(_swapped(path, value))
    except PlanInvalid as told:
        assert told.problems  # noqa: PT017 - both ends are good, only an exception of another kind is not


class TestSchemaForEditors:
    def test_accepts_what_we_accept(self) -> None:
        validator = jsonschema_rs.validator_for(plan_json_schema())

        assert validator.is_valid(load_plan(EXAMPLE).body())
        assert validator.is_valid(plan_data())

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda data: data.update(x=1), id="an unknown field"),
            pytest.param(lambda data: data.pop("agent"), id="a missing field"),
            pytest.param(lambda data: data["phases"]["shadow"].update(ramp=[1]), id="a ramp in shadow"),
            pytest.param(lambda data: data["phases"]["full"]["gates"][0].update(metric="x"), id="an unknown metric"),
        ],
    )
    def test_refuses_what_we_refuse(self, spoil: Callable[[dict[str, Any]], object]) -> None:
        data = plan_data()
        spoil(data)

        assert not jsonschema_rs.validator_for(plan_json_schema()).is_valid(data)
        with pytest.raises(PlanInvalid):
            plan_from_data(data)
