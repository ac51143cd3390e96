"""
A case in the shapes of Amazon A2I: status, output.json, status event.

A human loop is a case that was sent as one, or whose output met the activation conditions of its policy; its reasons
say so for ever. `answerContent` only ever holds what may be used downstream, so a loop whose output was rejected has
failed: consumers of A2I know that state, and none of them knows a rejection.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from routing.cases.tables import Decision
from routing.domain import inference
from routing.domain.activation import Evaluation
from routing.domain.decide import CONDITIONS_MET, HUMAN_LOOP
from routing.reviews.tables import Ruling

STATUS_CHANGE = "human_loop.status_change"
STOPPED = "stopped"
"""The reason of a case that was cancelled because its loop was stopped."""
_USED = frozenset({"approved", "edited"})
_DETAIL_TYPE = "SageMaker A2I HumanLoop Status Change"


def is_loop(row: Decision) -> bool:
    return bool(_codes(row) & {HUMAN_LOOP, CONDITIONS_MET})


def was_sent(row: Decision) -> bool:
    """It was started as a loop by the caller, as those of A2I's custom task types are."""
    return HUMAN_LOOP in _codes(row)


def _codes(row: Decision) -> set[str]:
    return {reason["code"] for reason in row.reasons}


def status(row: Decision) -> str:
    if row.outcome is None:
        return "InProgress" if row.route == "review" else "Failed"
    if row.outcome in _USED:
        return "Completed"
    return "Stopped" if (row.outcome_detail or {}).get("reason_code") == STOPPED else "Failed"


def failure(row: Decision) -> tuple[str | None, str | None]:
    """Code and words of a loop that has failed."""
    if status(row) != "Failed":
        return None, None
    if row.outcome is None:  # no person rules: what called for one of them stands behind why
        first = row.reasons[0]
        return "".join(part.capitalize() for part in first["code"].split("_")), first["words"]
    detail = row.outcome_detail or {}
    words = [detail.get("reason_code"), detail.get("note")]
    return row.outcome.capitalize(), ": ".join(word for word in words if word) or row.outcome


def flow_arn(row: Decision) -> str:
    return f"phasegate:agents/{row.agent}/versions/{row.version}"


def loop_arn(row: Decision) -> str:
    return f"phasegate:agents/{row.agent}/human-loops/{row.case_id}"


def output_place(row: Decision) -> str | None:
    """Where output.json is, once there is one."""
    if status(row) != "Completed":
        return None
    return f"/v1/agents/{quote(row.agent, safe='')}/human-loops/{quote(row.case_id, safe='')}/output.json"


def described(row: Decision) -> dict[str, Any]:
    code, words = failure(row)
    place = output_place(row)
    return {
        "HumanLoopName": row.case_id,
        "HumanLoopArn": loop_arn(row),
        "FlowDefinitionArn": flow_arn(row),
        "HumanLoopStatus": status(row),
        "FailureCode": code,
        "FailureReason": words,
        "HumanLoopOutput": {"OutputS3Uri": place} if place is not None else None,
        "CreationTime": row.decided_at,
        "DecisionId": row.id,
    }


def output(row: Decision, ruling: Ruling, evaluation: Evaluation | None) -> dict[str, Any]:
    """output.json of a loop that is completed; `evaluation`: where its conditions called a person."""
    source = inference.source_of(row.output) if evaluation is not None else None
    found: dict[str, Any] = {"awsManagedHumanLoopRequestSource": source} if source is not None else {}
    return found | {
        "flowDefinitionArn": flow_arn(row),
        "humanAnswers": [_answer(row, ruling, source)],
        "humanLoopName": row.case_id,
        "inputContent": _input_content(row, evaluation) if evaluation is not None else row.input,
    }


def _answer(row: Decision, ruling: Ruling, source: str | None) -> dict[str, Any]:
    content = row.outcome_output
    if source is not None:
        content = {source: inference.lowered(content)}
    elif not isinstance(content, dict):
        content = {"output": content}  # theirs is always an object
    begun = ruling.at.timestamp() - ruling.held_seconds
    return {
        "acceptanceTime": _time(datetime.fromtimestamp(begun, tz=ruling.at.tzinfo)),
        "answerContent": content,
        "submissionTime": _time(ruling.at),
        "timeSpentInSeconds": round(ruling.held_seconds, 3),
        "workerId": ruling.login,
        "workerMetadata": {
            "identityData": {"identityProviderType": "Phasegate", "issuer": "phasegate", "sub": ruling.login}
        },
    }


def _input_content(row: Decision, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "aiServiceRequest": inference.lowered(row.input),
        "aiServiceResponse": inference.lowered(row.output),
        "humanTaskActivationConditionResults": evaluation.report,
        "selectedAiServiceResponse": inference.lowered(evaluation.selected),
    }


def event(row: Decision, event_id: UUID, now: datetime) -> dict[str, Any]:
    """The status event, as EventBridge would have brought it; `account` and `region` say nothing here."""
    code, words = failure(row)
    place = output_place(row)
    detail = {
        "creationTime": _time(row.decided_at),
        "failureCode": code,
        "failureReason": words,
        "flowDefinitionArn": flow_arn(row),
        "humanLoopArn": loop_arn(row),
        "humanLoopName": row.case_id,
        "humanLoopOutput": {"outputS3Uri": place} if place is not None else None,
        "humanLoopStatus": status(row),
    }
    return {
        "version": "0",
        "id": str(event_id),
        "detail-type": _DETAIL_TYPE,
        "source": "phasegate",
        "account": "",
        "time": _time(now),
        "region": "",
        "resources": [loop_arn(row)],
        "detail": {name: value for name, value in detail.items() if value is not None},
    }


def _time(moment: datetime) -> str:
    """With milliseconds and a Z, as theirs are."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
