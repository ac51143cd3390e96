"""What an agent's graph asks, on the desk: its arguments as fields, and only the answers that it takes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kit.context import Context
from routing.interrupts.schemas import InterruptIn
from routing.interrupts.service import cases_of
from tests.integration.review_ui import house
from tests.integration.review_ui.test_desk import outcome, rule, take

PAY = {"name": "pay", "args": {"amount": 5, "to": "Ann"}, "description": "Pay Ann?"}
AMOUNTS = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 9}, "memo": {"type": "string"}}}


@pytest.fixture
def rita(ctx: Context) -> Iterator[TestClient]:
    house.people(ctx)
    house.agent(ctx, settings=house.AT_ONCE)
    with house.client(ctx, "rita") as client:
        yield client


def ask(ctx: Context, *allowed: str, **config: Any) -> str:
    """An interrupt with one action; its case id."""
    configs = [{"action_name": "pay", "allowed_decisions": list(allowed)} | config]
    value = {"action_requests": [PAY], "review_configs": configs}
    [case] = cases_of(InterruptIn(id="i-1", version="1.9.0", confidence=0.42, value=value))
    body = case.model_dump(exclude_none=True)
    house.case(ctx, body.pop("case_id"), **body)
    return "interrupt:i-1:0"


def test_a_graph_that_takes_no_approval_is_offered_none_and_is_answered_in_words(
    ctx: Context, rita: TestClient
) -> None:
    case_id = ask(ctx, "respond")

    page = take(rita)
    pressed = rule(rita, page, "approve", respond="Ask her first.")
    untold = rule(rita, page, "respond", respond="  ")
    done = rule(rita, page, "respond", respond="Ask her first.")

    assert 'data-cmd="approve"' not in page
    assert 'name="out:' not in page
    assert "takes no rejection" in page
    assert "an answer stands in the tool" in pressed
    assert "Ask her first.</textarea>" in pressed
    assert "there is no answer yet" in untold
    assert "Answered in the tool" in done
    assert outcome(ctx, case_id).outcome_output == {"respond": "Ask her first."}


def test_arguments_are_fields_by_their_schema_and_checked_by_it(ctx: Context, rita: TestClient) -> None:
    case_id = ask(ctx, "approve", "edit", "reject", args_schema=AMOUNTS)

    page = take(rita)
    refused = rule(rita, page, "approve", **{"out:/args/amount": "50"})
    rule(rita, page, "approve", **{"out:/args/amount": "4", "out:/args/memo": "half", "out:/args/to": "Ann"})

    assert sorted(re.findall(r'name="out:([^"]+)"', page)) == ["/args/amount", "/args/memo", "/args/to"]
    assert page.index("Pay Ann?") < page.index("Input as it came") < page.index("dialect")
    assert 'name="respond"' not in page
    assert "takes no rejection" not in page
    assert "50 is greater than the maximum of 9" in refused
    stored = outcome(ctx, case_id)
    assert stored.outcome_output == {"name": "pay", "args": {"amount": 4, "memo": "half", "to": "Ann"}}


def test_where_no_edit_is_taken_the_arguments_are_shown_and_cannot_be_changed(ctx: Context, rita: TestClient) -> None:
    case_id = ask(ctx, "approve", "reject")

    page = take(rita)
    refused = rule(rita, page, "approve", **{"out:/args/amount": "4"})
    rule(rita, page, "approve")

    assert 'data-cmd="edit"' not in page
    assert 'name="out:' not in page
    assert "does not take edited arguments" in refused
    assert outcome(ctx, case_id).outcome == "approved"


@pytest.mark.parametrize(
    ("args", "more"), [("in words", {}), (None, {}), ([5], {}), ({"amount": 5}, {"args_schema": {"required": 5}})]
)
def test_what_only_looks_like_an_interrupt_is_a_case_like_any_other(
    ctx: Context, rita: TestClient, args: Any, more: dict[str, Any]
) -> None:
    asked = {"id": "q1", "dialect": "batched", "place": 0, "of": 1, "allowed": ["approve"]} | more
    house.case(ctx, "interrupt:q1:0", input={"interrupt": asked}, output={"name": "pay", "args": args})

    page = take(rita)

    assert "interrupt:q1:0" in page
    assert 'data-cmd="approve"' in page
    assert "Approved" in rule(rita, page, "approve")
