"""What a row of each export says, from stored rows. No database here: which rows belong together, `service` finds."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kit import json_patch
from rollout.failures.tables import Failure
from routing.cases.tables import VERDICTS, Decision, HumanOutput, Label
from routing.domain.judging import JUDGE
from routing.reviews.tables import ReviewItem, Ruling

Row = dict[str, Any]

RULING = ("ruling_id", "at", "case_id", "version", "segment", "decision_id", "item_id", "kind", "level", "arm",
          "ruling", "reason_code", "note", "by", "held_seconds", "bulk", "undone_at", "verdict", "severity",
          "fingerprint", "output:json", "edited_output:json", "patch:json")  # fmt: skip
LABEL = ("label_id", "at", "case_id", "version", "segment", "decision_id", "lane", "verdict", "severity", "source",
         "source_id", "person", "note", "counts")  # fmt: skip
TRAINING = ("decision_id", "decided_at", "case_id", "version", "attempt", "segment", "lane", "input:json",
            "output:json", "confidence", "verdict", "severity", "source", "correct_output:json", "correct_from",
            "probability", "weight")  # fmt: skip

_EVERY_ONE = frozenset({"shadow", "review", "human"})
"""The lanes in which a person does or sees every case."""


def ruling_row(ruling: Ruling, item: ReviewItem, decision: Decision, label: Label | None) -> Row:
    """
    A ruling beside what was ruled on. An edit also as JSON Patch: what the reviewer changed, and nothing else; so is
    what a judge wrote down where neither of two was right. It has a verdict once it can be undone no more.
    """
    edited = ruling.ruling == "edit" or (ruling.ruling == JUDGE and ruling.output is not None)
    return {
        "ruling_id": ruling.id,
        "at": ruling.at,
        "case_id": item.case_id,
        "version": item.version,
        "segment": item.segment,
        "decision_id": item.decision_id,
        "item_id": item.id,
        "kind": item.kind,
        "level": item.level,
        "arm": item.arm,
        "ruling": ruling.ruling,
        "reason_code": ruling.reason_code,
        "note": ruling.note,
        "by": ruling.login,
        "held_seconds": ruling.held_seconds,
        "bulk": ruling.bulk,
        "undone_at": ruling.undone_at,
        "verdict": label.verdict if label is not None else None,
        "severity": label.severity if label is not None else None,
        "fingerprint": ruling.fingerprint,
        "output": decision.output,
        "edited_output": ruling.output if edited else None,
        "patch": json_patch.diff(decision.output, ruling.output) if edited else None,
    }


def label_that_counts(decision: Decision, labels: Sequence[Label]) -> Label | None:
    """The one that settling took, of labels in the order in which they were given; the decision bears its verdict."""
    wanted = decision.label, decision.label_severity, decision.label_source
    told = ((label, (label.verdict, label.severity, label.source)) for label in reversed(labels))
    return next((label for label, said in told if said == wanted), None)


def reported_as_right(labels: Sequence[Label], failures: Mapping[UUID, Failure]) -> Failure | None:
    """The newest failure that says what would have been right, though another label may count."""
    found = (failures.get(label.source_id) for label in reversed(labels))
    return next((one for one in found if one is not None and one.correct_output is not None), None)


def label_rows(decision: Decision, labels: Sequence[Label]) -> list[Row]:
    """Every label of a decision, with its provenance."""
    that_counts = label_that_counts(decision, labels)
    return [
        {
            "label_id": label.id,
            "at": label.at,
            "case_id": decision.case_id,
            "version": decision.version,
            "segment": decision.segment,
            "decision_id": decision.id,
            "lane": decision.lane,
            "verdict": label.verdict,
            "severity": label.severity,
            "source": label.source,
            "source_id": label.source_id,
            "person": label.person,
            "note": label.note,
            "counts": label is that_counts,
        }
        for label in labels
    ]


def training_row(
    decision: Decision, label: Label, ruling: Ruling | None, failure: Failure | None, human: HumanOutput | None
) -> Row:
    """What came in, what the agent made of it, what was right, and how probable it was that anybody looked."""
    correct, correct_from = correct_output(decision, ruling, failure, human)
    looked = probability(decision)
    return {
        "decision_id": decision.id,
        "decided_at": decision.decided_at,
        "case_id": decision.case_id,
        "version": decision.version,
        "attempt": decision.attempt,
        "segment": decision.segment,
        "lane": decision.lane,
        "input": decision.input,
        "output": decision.output,
        "confidence": decision.confidence,
        "verdict": label.verdict,
        "severity": label.severity,
        "source": label.source,
        "correct_output": correct,
        "correct_from": correct_from,
        "probability": looked,
        "weight": 1 / looked if looked else None,
    }


def correct_output(
    decision: Decision, ruling: Ruling | None, failure: Failure | None, human: HumanOutput | None
) -> tuple[Any, str | None]:
    """
    The right output and where it is known from; nothing where nobody said: that an output was rejected does not say
    what it should have been. What a person did without the agent's help then stands in, if there is such and nobody
    judged it wrong.
    """
    if ruling is not None and ruling.ruling == "approve":
        return decision.output, "approval"
    if ruling is not None and ruling.ruling == "edit":
        return ruling.output, "edit"
    if ruling is not None and ruling.ruling == JUDGE and (ruling.verdict == "agree" or ruling.output is not None):
        return (decision.output if ruling.verdict == "agree" else ruling.output), "judgement"
    if failure is not None and failure.correct_output is not None:
        return failure.correct_output, "failure"
    return (human.output, "human_output") if human is not None else (None, None)


def probability(decision: Decision) -> float | None:
    """
    With which probability somebody was to look at this case. Nothing where nobody drew it: a case of the automated
    lane that is known to be wrong because it was reported stands for no other one, nor does a later attempt of a case
    that had its verdict already.
    """
    if decision.counted_as not in VERDICTS:
        return None
    if decision.lane == "audit":
        return decision.audit_probability
    return 1.0 if decision.lane in _EVERY_ONE else None
