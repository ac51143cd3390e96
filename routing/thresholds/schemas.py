"""What goes over the wire about calibrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit.wire import Out


class CalibrationOut(Out):
    """
    One look: what was declared, what the labels allowed, and whether it is in force.

    `answer` explains itself: where the tests started, the last one that passed, and the one that did not; without a
    threshold, `reason` says why and `more_labels` how many more it would probably take.
    """

    id: UUID
    agent: str
    version: str
    segment: str
    look: int
    labels: int
    threshold: float | None
    declared: dict[str, Any]
    answer: dict[str, Any]
    digest: str
    at: datetime
    applied_revision: int | None
    applied_at: datetime | None
    applied_by: str | None


class CalibrationRecord(CalibrationOut):
    """With the labels it rests on, and whether the answer, computed from them again, is the stored one."""

    data: dict[str, Any]
    agrees: bool


class CalibrationsOut(Out):
    items: list[CalibrationOut]
    next_labels: int | None
    settled_labels: int
