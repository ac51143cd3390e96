import json
import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from phasegate_client import requests
from phasegate_client.errors import Unsendable
from phasegate_client.requests import HumanOutput, Proposal


def proposal(**changes: Any) -> Proposal:
    return Proposal(**({"case_id": "form-1", "output": "7", "agent": "reader", "version": "v1"} | changes))


def body_of(request: requests.Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def test_a_decision_asks_with_what_was_given_and_nothing_else() -> None:
    request = requests.decide(proposal(confidence=0.9, segment="north"))

    assert (request.method, request.path) == ("POST", "/v1/agents/reader/decisions")
    assert body_of(request) == {
        "case_id": "form-1", "version": "v1", "output": "7", "attempt": 1, "confidence": 0.9, "segment": "north",
    }  # fmt: skip


def test_an_empty_output_is_an_output() -> None:
    assert body_of(requests.decide(proposal(output=None)))["output"] is None


def test_the_same_proposal_is_the_same_to_the_byte() -> None:
    first, second = (requests.decide(proposal(input={"b": 1, "a": [0.1]})) for _ in range(2))

    assert first == second


def test_times_go_out_in_utc() -> None:
    moment = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=1)))

    assert body_of(requests.decide(proposal(occurred_at=moment)))["occurred_at"] == "2026-03-02T08:30:00Z"


def test_a_decimal_amount_is_a_number() -> None:
    assert body_of(requests.decide(proposal(amount=Decimal("1000.10"))))["amount"] == 1000.1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"occurred_at": datetime(2026, 3, 2)}, id="a time without a zone"),  # noqa: DTZ001
        pytest.param({"agent": None}, id="no agent"),
        pytest.param({"version": None}, id="no version"),
        pytest.param({"case_id": ""}, id="no case"),
        pytest.param({"case_id": 7}, id="a case id that is not text"),
        pytest.param({"output": {"amount": math.nan}}, id="an output that JSON would change"),
        pytest.param({"agent": ".."}, id="an agent that would be a step in the path"),
    ],
)
def test_what_cannot_be_said_rightly_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsendable):
        requests.decide(proposal(**changes))


def test_names_in_a_path_cannot_leave_their_segment() -> None:
    assert requests.show_case("a/b", "x?y#z%").path == "/v1/agents/a%2Fb/cases/x%3Fy%23z%25"


def test_one_human_output_goes_alone_and_many_go_as_items() -> None:
    items = [HumanOutput("form-1", "7", person="rita"), HumanOutput("form-2", None)]

    assert body_of(requests.add_human_outputs("reader", items[:1], key="k")) == {
        "case_id": "form-1", "output": "7", "person": "rita",
    }  # fmt: skip
    many = requests.add_human_outputs("reader", items, key="k")
    assert body_of(many)["items"][1] == {"case_id": "form-2", "output": None}


def test_all_but_a_decision_need_a_key_to_be_the_same_when_repeated() -> None:
    assert requests.report_failure("d-1", "major", "read a 1 as a 7", key="ticket-7").idempotency_key == "ticket-7"
    assert requests.add_human_outputs("reader", [HumanOutput("form-1", "7")], key="k-1").idempotency_key == "k-1"
    assert requests.decide(proposal()).idempotency_key is None


@pytest.mark.parametrize("key", ["", " ticket", "ticket\n7", "Störung", "x" * 201])
def test_a_key_that_no_header_can_hold_is_refused_before_it_is_sent(key: str) -> None:
    with pytest.raises(Unsendable):
        requests.report_failure("d-1", "major", "read a 1 as a 7", key=key)
