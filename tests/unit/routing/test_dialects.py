"""What an interrupt asks in each dialect, and how what was decided answers in the same one."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.comparing.schema import OutputSchema
from routing.cases.tables import Decision
from routing.interrupts import dialects
from routing.interrupts.dialects import Question, Unknown

ARGS = {"to": "ann@example.org", "amount": 5}
CALL = {"name": "pay", "args": ARGS}
EDITED = {"name": "pay", "args": {"to": "ann@example.org", "amount": 4}}
ALL = {"allow_accept": True, "allow_edit": True, "allow_ignore": True, "allow_respond": True}


def inbox(**config: bool) -> dict[str, Any]:
    return {"action_request": {"action": "pay", "args": ARGS}, "config": config, "description": "Pay?"}


def batched(*calls: Any, **allowed: Any) -> dict[str, Any]:
    configs = [{"action_name": name, "allowed_decisions": words} for name, words in allowed.items()]
    return {"action_requests": list(calls or [CALL]), "review_configs": configs}


def per_call() -> dict[str, Any]:
    return {"type": "tool_approval", "tool_call_id": "t-1", **CALL, "description": "Pay?"}


def decided(outcome: str | None = "approved", output: Any = CALL, *, route: str = "review", note: str = "") -> Decision:
    row = {
        "route": route,
        "outcome": outcome,
        "outcome_output": output if outcome in {"approved", "edited"} else None,
        "outcome_detail": {"by": "ann", "reason_code": "wrong", "note": note} if outcome else None,
        "reasons": [{"code": "a", "words": "It is so."}],
    }
    return cast("Decision", SimpleNamespace(**row))


def answer(value: Any, *rows: Decision, schema: Any = None) -> Any:
    return dialects.resume_value(dialects.read(value, schema), rows)


@pytest.mark.parametrize(
    ("row", "in_inbox", "in_langchain"),
    [
        pytest.param(
            decided(), {"type": "accept", "args": {"action": "pay", "args": ARGS}}, {"type": "approve"}, id="approved"
        ),
        pytest.param(
            decided(None, route="auto"),
            {"type": "accept", "args": {"action": "pay", "args": ARGS}},
            {"type": "approve"},
            id="it may go alone",
        ),
        pytest.param(
            decided("edited", EDITED),
            {"type": "edit", "args": {"action": "pay", "args": EDITED["args"]}},
            {"type": "edit", "edited_action": EDITED},
            id="edited",
        ),
        pytest.param(
            decided("edited", {"respond": "Not today."}),
            {"type": "response", "args": "Not today."},
            {"type": "respond", "message": "Not today."},
            id="answered in the tool's place",
        ),
        pytest.param(
            decided("rejected", note="Too much."),
            {"type": "ignore", "args": None},
            {"type": "reject", "message": "Too much."},
            id="rejected",
        ),
        pytest.param(
            decided("expired"),
            {"type": "ignore", "args": None},
            {"type": "reject", "message": "expired (wrong)"},
            id="nobody ruled in time, which is told as such",
        ),
        pytest.param(
            decided(None, route="human"),
            {"type": "ignore", "args": None},
            {"type": "reject", "message": "a person does this case: It is so."},
            id="a person does it",
        ),
        pytest.param(
            decided(None, route="block"),
            {"type": "ignore", "args": None},
            {"type": "reject", "message": "this must not be done: It is so."},
            id="blocked",
        ),
    ],
)
def test_every_end_is_told_in_the_dialect_of_the_question(row: Decision, in_inbox: Any, in_langchain: Any) -> None:
    assert answer(inbox(**ALL), row) == [in_inbox]
    assert answer([inbox(**ALL)], row) == [in_inbox]
    assert answer(batched(), row) == {"decisions": [in_langchain]}
    assert answer(per_call(), row) == in_langchain


def test_a_batch_is_answered_by_position() -> None:
    other = {"name": "write", "args": {}}
    rows = (decided(), decided("approved", other), decided("rejected", note="No."))

    found = answer(batched(CALL, other, CALL), *rows)

    assert [one["type"] for one in found["decisions"]] == ["approve", "approve", "reject"]


@pytest.mark.parametrize(
    "output",
    [
        pytest.param({"name": "delete", "args": ARGS}, id="another tool, which the policy may block"),
        pytest.param({"name": "pay", "args": "all"}, id="no arguments"),
        pytest.param("yes", id="a text"),
    ],
)
def test_an_edit_that_is_no_call_of_this_tool_is_told_as_a_rejection(output: Any) -> None:
    assert answer(per_call(), decided("edited", output))["type"] == "reject"


class TestWhatTheGraphDoesNotAccept:
    def test_an_edit_becomes_a_rejection_that_says_so(self) -> None:
        found = answer(batched(pay=["approve", "reject"]), decided("edited", EDITED))

        assert found["decisions"][0]["type"] == "reject"
        assert "does not accept" in found["decisions"][0]["message"]

    def test_a_rejection_is_told_in_words_to_an_inbox_that_may_ignore_nothing(self) -> None:
        found = answer(inbox(allow_accept=True, allow_respond=True), decided("rejected", note="No."))

        assert found == [{"type": "response", "args": "No."}]

    @pytest.mark.parametrize(
        ("value", "schema"),
        [
            pytest.param(inbox(allow_accept=True), None, id="an inbox"),
            pytest.param(batched(pay=["approve", "edit"]), None, id="a batch"),
            pytest.param(per_call(), {"properties": {"type": {"const": "approve"}}}, id="one call, by its schema"),
            pytest.param(per_call(), {"discriminator": {"mapping": {"approve": "#"}}}, id="one call, by its mapping"),
        ],
    )
    def test_never_becomes_an_approval(self, value: Any, schema: Any) -> None:
        assert answer(value, decided("rejected"), schema=schema) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("Go on?", "no object", id="a text"),
        pytest.param([inbox(**ALL)] * 2, "no object", id="a list of two"),
        pytest.param({"question": "Go on?"}, "neither", id="another kind of interrupt"),
        pytest.param(inbox(), "allows no answer", id="an inbox that allows nothing"),
        pytest.param(batched({"name": "", "args": {}}), "has no name", id="an action without a name"),
        pytest.param(batched({"name": "pay", "args": [1]}), "no object", id="arguments that are a list"),
        pytest.param({"action_requests": []}, "no list of actions", id="a batch of none"),
        pytest.param(per_call() | {"phasegate": {"decision_id": "1"}}, "waits for a decision", id="our own"),
    ],
)
def test_what_is_in_none_of_the_dialects_is_refused(value: Any, words: str) -> None:
    with pytest.raises(Unknown, match=words):
        dialects.read(value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["pay", "tool_approval", "approve"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from([
            "type", "name", "args", "action_request", "action", "config", "allow_accept", "action_requests",
            "review_configs", "action_name", "allowed_decisions", "properties", "discriminator", "mapping", "enum",
            "edit", "edited_action", "$ref", "$defs",
        ]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(_json, _json)
def test_nothing_that_is_sent_breaks_it(value: Any, schema: Any) -> None:
    try:
        found = dialects.read(value, schema)
    except Unknown:
        return
    rejected = [decided("rejected")] * len(found.asks)
    assert isinstance(found, Question)
    assert "approve" not in str(dialects.resume_value(found, rejected))


def test_an_approval_is_told_as_the_same_call_where_the_graph_takes_edits_alone() -> None:
    edit = {"type": "edit", "edited_action": CALL}

    assert answer(inbox(allow_edit=True), decided()) == [{"type": "edit", "args": {"action": "pay", "args": ARGS}}]
    assert answer(batched(pay=["edit", "reject"]), decided()) == {"decisions": [edit]}


def branches(args: Any, **defs: Any) -> dict[str, Any]:
    """The schema of an answer to one call, as LangChain writes it."""
    edited = {"type": "object", "properties": {"name": {"const": "pay"}, "args": args}}
    edit = {"type": "object", "properties": {"type": {"const": "edit"}, "edited_action": {"$ref": "#/$defs/Edited"}}}
    mapping = {"approve": "#/$defs/Approve", "edit": "#/$defs/Edit", "reject": "#/$defs/Reject"}
    return {"$defs": {"Edit": edit, "Edited": edited} | defs, "discriminator": {"mapping": mapping}}


AMOUNTS = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        pytest.param(branches({"$ref": "#/$defs/pay"}, pay=AMOUNTS), AMOUNTS, id="of the tool"),
        pytest.param(branches(AMOUNTS), AMOUNTS, id="written where it is used"),
        pytest.param(branches(AMOUNTS)["$defs"]["Edit"] | {"$defs": branches(AMOUNTS)["$defs"]}, AMOUNTS,
                     id="where only edits are taken"),
        pytest.param(branches({"type": 7}), None, id="that cannot be read"),
        pytest.param(branches({"$ref": "#/$defs/pay"}), None, id="that is not there"),
        pytest.param(branches(AMOUNTS) | {"$defs": []}, None, id="among definitions that are none"),
        pytest.param({"discriminator": {"mapping": {"approve": "#"}}}, None, id="where no edits are taken"),
        pytest.param({"type": "object"}, None, id="that says nothing"),
        pytest.param(None, None, id="that is none"),
    ],
)  # fmt: skip
def test_the_arguments_of_one_call_have_the_schema_that_the_answer_gives_them(schema: Any, kept: Any) -> None:
    [ask] = dialects.read(per_call(), schema).asks

    assert ask.args_schema == kept


def test_what_a_schema_of_arguments_refers_to_is_kept_with_it() -> None:
    whom = {"type": "object", "required": ["street"]}
    refers = {"type": "object", "properties": {"to": {"$ref": "#/$defs/Whom"}}}

    [ask] = dialects.read(per_call(), branches({"$ref": "#/$defs/pay"}, pay=refers, Whom=whom)).asks

    [problem] = OutputSchema(ask.args_schema).problems({"to": {}})
    assert problem.path == "/to"


def test_the_schema_of_arguments_is_kept_by_tool_and_one_that_is_none_is_refused() -> None:
    def asked(schema: Any) -> Any:
        config = {"action_name": "pay", "allowed_decisions": ["edit"], "args_schema": schema}
        return {"action_requests": [CALL, {"name": "write", "args": {}}], "review_configs": [config]}

    paying, writing = dialects.read(asked({"type": "object"})).asks

    assert (paying.args_schema, paying.allowed, writing.args_schema) == ({"type": "object"}, ("edit",), None)
    for wrong, words in ((7, "is no object"), ({"type": 7}, "cannot be read")):
        with pytest.raises(Unknown, match=f"args_schema of pay {words}"):
            dialects.read(asked(wrong))
