"""The steps of an agent, as a reviewer reads them."""

from typing import Any

import pytest

from review_ui.trace import Step, steps_of


def count(steps: tuple[Step, ...] | list[Step]) -> int:
    return sum(1 + count(step.steps) for step in steps)


@pytest.mark.parametrize("trace", [None, [], ["read"], [None, 7, {}, {"name": {"x": 1}, "error": "boom"}]], ids=repr)
def test_any_list_is_a_trace(trace: Any) -> None:
    assert len(steps_of(trace)) == len(trace or [])


def test_steps_stand_inside_the_step_they_belong_to_and_a_run_that_went_well_is_left_out() -> None:
    ask = {"name": "ask", "kind": "model", "seconds": 0.25, "usage": {"cost": 0.1}}
    look = {"name": "look up", "kind": "tool", "tool": "crm", "input": {"card": 17}, "output": "lost", "steps": [ask]}
    failed = {"name": "check", "error": {"kind": "ValueError", "words": "no such card"}}

    steps = steps_of([{"name": "run", "kind": "run", "traceparent": "00-…", "steps": [look, failed]}])

    assert [(step.name, step.tool, step.failed) for step in steps] == [("look up", "crm", False), ("check", "", True)]
    assert [one.name for one in steps[0].steps] == ["ask"]
    assert [(one.label, one.kind) for one in steps[0].values] == [("Input", "json"), ("Output", "text")]
    assert (steps[0].steps[0].seconds, steps[1].detail) == ("0.2\u00a0s", "no such card")


def test_a_source_is_a_link_only_where_it_is_a_web_address() -> None:
    sources: list[Any] = [
        {"title": "Lost cards", "uri": "https://example.org/lost", "excerpt": "Within a day"},
        {"title": "Trap", "uri": "javascript:alert(1)"},
        "page 4",
    ]

    step = steps_of([{"name": "look up", "sources": sources}])[0]

    assert [(one.title, one.address) for one in step.sources] == [
        ("Lost cards", "https://example.org/lost"), ("Trap", ""), ("page 4", ""),
    ]  # fmt: skip


def test_a_trace_that_is_nested_without_end_is_shown_in_part() -> None:
    deep: dict[str, Any] = {"name": "x"}
    for _ in range(500):
        deep = {"name": "x", "steps": [deep]}

    assert 1 < count(steps_of([deep] * 500)) <= 200
