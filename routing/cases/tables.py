"""Decisions, what people did for the same cases, the comparisons of both, and the verdict labels."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.attributes import flag_modified

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table

VERDICTS = frozenset({"agree", "override", "severe", "minor"})
"""What a decision is counted as when somebody said whether it was right; else it is void, pending or nothing."""

SAID = ("agree", "override")
"""The verdicts of labels that say whether an output was right."""

AUTOMATED = frozenset({"confidence", "full"})
"""The phases in which a threshold says who answers."""

THRESHOLDED = frozenset({"review", "auto", "audit"})
"""The lanes of a case whose confidence was held against a threshold; what went elsewhere never came that far."""

FAILURE = "failure"
"""The source of a label that follows from a reported failure."""

RANKS = {
    FAILURE: 4,
    "adjudication": 3,
    "judgement": 3,
    "review": 2,
    "audit": 2,
    "bulk": 2,
    "human_output": 1,
    "cancelled": 0,
    "superseded": 0,
    "second": -1,
    "extra_judgement": -1,
}
"""
Which label counts, by source: a reported failure over what somebody ruled between two, over a ruling, over a
comparison with a human output, and the newest only among equals; but a failure never makes it better, see
`settling.that_counts`. Agents post human outputs, so those must not overturn what a reviewer ruled; that a decision was
cancelled or superseded says only why nobody will. A second opinion says how good the first one was, and never counts
itself; nor does a judgement of a case that was drawn because the agent and the person differed, see
`routing.domain.judging`.
"""


def rank_of(source: str) -> int:
    """One that this release does not know, of a newer one, never counts before one that it knows."""
    return RANKS.get(source, -1)


class Decision(Table):
    """
    The stored answer of the router for one output. What was answered never changes; what came of it
    (outcome, label) is added.

    `unsettled` is set by whatever may change the label and cleared by the settling task, which compares,
    labels, and moves this row's contribution in the totals from `counted_as` to what it is now.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        Index(None, "agent", "decided_at"),
        Index(
            "ix_decisions_unsettled",
            "id",
            postgresql_where=text("unsettled"),
            sqlite_where=text("unsettled"),
        ),
        Index(
            "ix_decisions_several_verdicts",
            "agent",
            "decided_at",
            "id",  # so that the newest are found without reading any
            postgresql_where=text("several_verdicts"),
            sqlite_where=text("several_verdicts"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},  # by month, see kit.partitions
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(String(128))
    case_id: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(128))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    body_digest: Mapped[str] = mapped_column(String(64))  # of the request, to tell a retry from another case

    input: Mapped[Any] = mapped_column(Json, nullable=True)
    output: Mapped[Any] = mapped_column(Json, nullable=True)
    confidence: Mapped[float | None]  # None where it was missing or not a number in 0..1
    confidence_given: Mapped[str | None] = mapped_column(String(64))  # what came instead of a valid one
    segment: Mapped[str] = mapped_column(String(128), default="")
    action: Mapped[str | None] = mapped_column(String(128))
    amount: Mapped[float | None]
    risk: Mapped[str | None] = mapped_column(String(32))
    attributes: Mapped[dict[str, Any] | None]
    signals: Mapped[dict[str, Any] | None]
    trace: Mapped[list[Any] | None]
    usage: Mapped[dict[str, Any] | None]
    occurred_at: Mapped[datetime | None]

    route: Mapped[str] = mapped_column(String(16))
    lane: Mapped[str] = mapped_column(String(16))
    reasons: Mapped[list[Any]]
    rollout_id: Mapped[UUID | None]  # None for a version nobody registered
    policy_revision: Mapped[int | None]
    phase: Mapped[str | None] = mapped_column(String(16))
    epoch: Mapped[int | None]
    threshold: Mapped[float | None]
    ramp_share: Mapped[float | None]
    audit_probability: Mapped[float | None]
    output_valid: Mapped[bool | None] = mapped_column(Boolean)  # None: the agent has no output schema
    decided_at: Mapped[datetime]

    outcome: Mapped[str | None] = mapped_column(String(16))  # approved, edited, … see Outcome; None while open
    outcome_output: Mapped[Any] = mapped_column(Json, nullable=True)
    outcome_at: Mapped[datetime | None]
    outcome_detail: Mapped[dict[str, Any] | None]  # by, reason_code, note of the ruling
    superseded_by: Mapped[UUID | None]
    label: Mapped[str | None] = mapped_column(String(16))  # agree | override | void
    label_severity: Mapped[str | None] = mapped_column(String(16))
    label_source: Mapped[str | None] = mapped_column(String(16))  # review | audit | human_output | failure
    unsettled: Mapped[bool] = mapped_column(Boolean, default=True)
    counted_as: Mapped[str | None] = mapped_column(String(64))  # its present contribution to the totals
    # Whether two labels or more say that it was right or wrong: what people are held against each other by.
    several_verdicts: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())

    def mark_unsettled(self) -> None:
        """
        Have it settled again. Written also when it was read as unsettled: a settling that ran meanwhile has
        cleared the mark without having seen what this transaction adds.
        """
        self.unsettled = True
        flag_modified(self, "unsettled")


class Unsettled(NamedTuple):
    """
    What settling looks at of a decision. Inputs and traces are large, and cost more to read than all the rest; and an
    object that follows its changes costs as much again.
    """

    id: UUID
    agent: str
    case_id: str
    version: str
    attempt: int
    output: Any
    output_valid: bool | None
    confidence_given: str | None
    rollout_id: UUID | None
    epoch: int | None
    lane: str
    segment: str
    decided_at: datetime
    superseded_by: UUID | None
    counted_as: str | None
    phase: str | None
    confidence: float | None
    threshold: float | None
    risk: str | None
    audit_probability: float | None
    ramp_share: float | None
    attributes: dict[str, Any] | None
    occurred_at: datetime | None


Counted = Decision | Unsettled
"""What of a decision is enough to count it."""


class DecisionKey(Table):
    """
    Which decision a case got from a version at an attempt: nobody is decided twice.

    Apart from the decisions, since those lie in partitions by month and this must hold over all of them; and it
    stays when a month is archived, so that a late retry is never taken for a new case.
    """

    __tablename__ = "decision_keys"
    __table_args__ = (
        # In the order of storing already, so a few pages say where an id is; only archived ones are looked for by it.
        Index(
            "ix_decision_keys_decision_id",
            "decision_id",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": True},
        ).ddl_if(dialect="postgresql"),
        {"sqlite_with_rowid": False},
    )

    agent: Mapped[str] = mapped_column(String(128), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(128), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    decision_id: Mapped[UUID]


class HumanOutput(Table):
    """What a person did for a case without the agent's help. A correction is a new revision."""

    __tablename__ = "human_outputs"
    __table_args__ = (
        Index(None, "agent", "case_id", "revision", unique=True),
        Index(
            "ix_human_outputs_unsettled",
            "id",
            postgresql_where=text("unsettled"),
            sqlite_where=text("unsettled"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(String(128))
    case_id: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int]
    output: Mapped[Any] = mapped_column(Json, nullable=True)
    person: Mapped[str | None] = mapped_column(String(128))  # who did the work, as the poster says
    posted_by: Mapped[str] = mapped_column(String(128))  # whose key or session it came with
    occurred_at: Mapped[datetime | None]
    stored_at: Mapped[datetime]
    superseded: Mapped[bool] = mapped_column(Boolean, default=False)
    # Cleared by the settling task, in a transaction of its own: whichever of output and human output is
    # settled later sees the other one stored.
    unsettled: Mapped[bool] = mapped_column(Boolean, default=True)


class AnsweredKey(Table):
    """
    How a request with this Idempotency-Key was answered, so that it is answered so again and changes nothing more.

    Of human outputs only: a failure's id follows from its key, and a decision's key is its case. Written with what the
    request stored, in one transaction, and kept for `repeats.KEPT_FOR`.
    """

    __tablename__ = "answered_keys"
    __table_args__ = (Index(None, "answered_at"),)

    agent: Mapped[str] = mapped_column(String(128), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))  # of the request, to tell a repeat from another one
    answer: Mapped[list[Any]]
    answered_at: Mapped[datetime]


class ComparisonRow(Table):
    """One comparison of a version's output with what a person did; kept also when a correction replaces it."""

    __tablename__ = "comparisons"
    __table_args__ = (Index(None, "decision_id", "human_output_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID]
    human_output_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(16))  # equal | different | ignored | invalid_output | error
    severity: Mapped[str | None] = mapped_column(String(16))
    score: Mapped[float]
    differences: Mapped[list[Any]]
    compared_at: Mapped[datetime]


class Label(Table):
    """A verdict on a decision with its provenance. One counts (see `RANKS`), all are kept."""

    __tablename__ = "labels"
    __table_args__ = (Index(None, "decision_id", "at"), Index(None, "source_id", "decision_id", unique=True))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID]
    verdict: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str | None] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[UUID]  # the ruling, comparison, failure or superseding decision behind it
    person: Mapped[str | None] = mapped_column(String(128))
    note: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    counted: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=false()
    )  # among the verdicts of its day
