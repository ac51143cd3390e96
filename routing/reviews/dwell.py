"""How long it takes at least to have read a case."""

import json
from collections.abc import Callable, Sequence
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


def is_unread(
    ruling: Ruling, decision: Decision, desk: DeskSettings, ruled_before: Callable[[], datetime | None]
) -> bool:
    """
    Whether an output was let through sooner, beyond what the way to the page and back can take. An obvious error is
    seen at once, and what was read from a file took no time, so neither is meant.

    Both since they took the case and since they ruled on another (`ruled_before`): a case that was shown ahead, or had
    been before them once, was read before it was taken. Where nothing says since when, nothing is said.
    """
    if ruling.verdict != "agree" or ruling.bulk or not 0.0 < ruling.held_seconds < LONGEST:
        return False
    least = least_seconds(decision, desk)
    least -= min(least / 2, _ON_THE_WAY)
    if ruling.held_seconds >= least:
        return False
    before = ruled_before()
    return before is not None and (ruling.at - before).total_seconds() < least


def _letters(value: Any) -> int:
    """How much there is to read: no pictures, and no tables of numbers that are drawn as pictures."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(_letters(one) for one in value.values())
    return sum(_letters(one) for one in value) if isinstance(value, list) else 0
