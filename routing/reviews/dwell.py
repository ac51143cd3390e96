"""How long it takes at least to have read a case."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rollout.agents.schemas import DeskSettings
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem, Ruling

_ON_THE_WAY = 1.0  # seconds
LONGEST = 20.0  # seconds; whoever reads longer than that is not held up by it


def least_seconds(decision: Decision, desk: DeskSettings, outputs: Sequence[Any] | None = None) -> float:
    """Nobody has read a case sooner, so nobody can have ruled on it. `outputs`: where not the agent's own is shown."""
    outputs = [decision.output] if outputs is None else outputs
    written = sum(len(json.dumps(one, indent=2, ensure_ascii=False, default=str)) for one in outputs)
    length = written + _letters(decision.input)
    return max(desk.least_seconds, min(length / 1000 * desk.seconds_per_1000_characters, LONGEST))


def was_read(item: ReviewItem, decision: Decision, desk: DeskSettings, now: datetime) -> bool:
    """Whether who holds it has held it so long."""
    return item.claimed_at is not None and (now - item.claimed_at).total_seconds() >= least_seconds(decision, desk)


def is_unread(ruling: Ruling, decision: Decision, desk: DeskSettings) -> bool:
    """
    Whether a verdict was given sooner, beyond what the way to the page and back can take. What was read from a file
    took no time, and is not meant; to pass a case on is no verdict.
    """
    if ruling.verdict not in {"agree", "override"} or ruling.bulk or not 0.0 < ruling.held_seconds < LONGEST:
        return False
    least = least_seconds(decision, desk)
    return ruling.held_seconds < least - min(least / 2, _ON_THE_WAY)


def _letters(value: Any) -> int:
    """How much there is to read: no pictures, and no tables of numbers that are drawn as pictures."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(_letters(one) for one in value.values())
    return sum(_letters(one) for one in value) if isinstance(value, list) else 0
