import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate_client import answers, errors
from phasegate_client.answers import Expected, Reply
from phasegate_client.decisions import Decision, Outcome, Reason, Route, State

Stored = Callable[..., dict[str, Any]]
ABOUT_IT = Expected("reader", "form-1", "v1", 1)


def read(body: Any, expected: Expected = ABOUT_IT) -> Decision:
    return answers.read_decision(Reply(201, json.dumps(body).encode()), expected)


def test_a_decision_is_read_whole(stored: Stored) -> None:
    decision = read(stored(audit={"probability": 0.1}, something_new=True))

    assert decision == Decision(
        id="0190a1b2-0000-7000-8000-000000000001",
        agent="reader",
        case_id="form-1",
        version="v1",
        attempt=1,
        route=Route.AUTO,
        reasons=(Reason("above_threshold", "0.97 is above the threshold of 0.9"),),
        policy_revision=3,
        phase="confidence",
        threshold=0.9,
        audit_probability=0.1,
        ramp_share=0.25,
        decided_at=datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=timezone.utc),
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"route": None}, id="no route"),
        pytest.param({"route": "AUTO"}, id="a route in other letters"),
        pytest.param({"route": "autonomous"}, id="a route we do not know"),
        pytest.param({"route": ["auto"]}, id="a route that is a list"),
        pytest.param({"id": None}, id="no id"),
        pytest.param({"case_id": "form-2"}, id="another case"),
        pytest.param({"agent": "writer"}, id="another agent"),
        pytest.param({"version": "v2"}, id="another version"),
        pytest.param({"attempt": 2}, id="another attempt"),
        pytest.param({"attempt": True}, id="an attempt that is a truth"),
        pytest.param({"reasons": None}, id="no reasons"),
        pytest.param({"reasons": ["because"]}, id="a reason without a code"),
        pytest.param({"status": "soon"}, id="a status we do not know"),
        pytest.param({"threshold": "0.9"}, id="a threshold in text"),
        pytest.param({"decided_at": "2026-03-02T08:00:00"}, id="a time without a zone"),
        pytest.param({"decided_at": "yesterday"}, id="a time that is none"),
        pytest.param({"audit": 0.1}, id="an audit that is a number"),
        pytest.param({"outcome": {"state": "waved through", "output": 1}}, id="an outcome we do not know"),
        pytest.param({"outcome": {"state": "approved"}}, id="an approval of nothing"),
    ],
)
def test_a_decision_in_another_shape_is_malformed(stored: Stored, changes: dict[str, Any]) -> None:
    with pytest.raises(errors.MalformedAnswer):
        read(stored(**changes))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_other_json_is_taken_for_a_decision(body: Any) -> None:
    with pytest.raises(errors.MalformedAnswer):
        read(body)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("08:00:00Z", 0), ("08:00:00.25Z", 250_000), ("08:00:00.123456789Z", 123_456), ("09:00:00.1+01:00", 100_000)],
)
def test_every_form_of_a_time_is_read(stored: Stored, text: str, microsecond: int) -> None:
    moment = read(stored(decided_at=f"2026-03-02T{text}")).decided_at

    assert moment == datetime(2026, 3, 2, 8, tzinfo=timezone.utc) + timedelta(microseconds=microsecond)


@pytest.mark.parametrize("route", list(Route))
@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("certain", [True, False])
def test_an_output_may_proceed_in_two_cases_only(route: Route, state: State | None, certain: bool) -> None:
    outcome = None if state is None else Outcome(state, output="7")
    decision = Decision("d", "reader", "form-1", "v1", 1, route, (), certain=certain, outcome=outcome)

    let_by_the_router = route is Route.AUTO and state is None
    let_by_a_person = route in {Route.AUTO, Route.REVIEW} and state in {State.APPROVED, State.EDITED}
    assert decision.may_proceed is (certain and (let_by_the_router or let_by_a_person))
    turns = (decision.may_proceed, decision.is_waiting, decision.is_for_a_person, decision.is_blocked)
    assert sum(turns) == 1
    assert decision.is_blocked is (route is Route.BLOCK)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (401, errors.NotAllowed),
        (403, errors.NotAllowed),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.Invalid),
        (418, errors.Refused),
        (422, errors.Invalid),
        (408, errors.Unavailable),
        (429, errors.Unavailable),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
        (302, errors.MalformedAnswer),
        (204, errors.MalformedAnswer),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[errors.PhasegateError]) -> None:
    assert type(answers.trouble_in(Reply(status, b"<html>"))) is kind


def test_a_refusal_says_what_the_server_said() -> None:
    places = [{"place": "output", "problem": "differs from the stored one", "mend": "send attempt 2"}]
    problem = {"type": "/problems/case-differs", "title": "This case differs", "status": 409, "errors": places}

    refusal = answers.trouble_in(Reply(409, json.dumps(problem).encode()))

    assert isinstance(refusal, errors.Conflict)
    assert refusal.problem == "case-differs"
    assert refusal.places == tuple(places)
    assert str(refusal) == "the server answered 409, This case differs; output: differs from the stored one"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("2", 2.0), ("0.5", 0.5), ("-1", float("inf")), ("Mon, 02 Mar 2026 08:00:00 GMT", float("inf"))],
)
def test_retry_after_is_seconds_or_not_soon(header: str | None, seconds: float | None) -> None:
    trouble = answers.trouble_in(Reply(503, b"", header))

    assert isinstance(trouble, errors.Unavailable)
    assert trouble.retry_after == seconds


def test_human_outputs_are_answered_one_by_one() -> None:
    item = {"id": "h-1", "case_id": "form-1", "revision": 2, "status": "corrected"}
    reply = Reply(201, json.dumps({"items": [item]}).encode())

    assert answers.read_human_outputs(reply, ["form-1"])[0].status == "corrected"
    with pytest.raises(errors.MalformedAnswer):
        answers.read_human_outputs(reply, ["form-1", "form-2"])
