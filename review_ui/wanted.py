"""Which part of the queue a page shows or a desk works, as an address."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from routing.reviews.dealing.lines import Narrow
from routing.reviews.schemas import KINDS


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the queue that a desk works; all of it, where nothing is named."""

    agent: str = ""
    segment: str = ""

    @classmethod
    def of(cls, agent: str, segment: str) -> Self:
        """A segment is one of an agent."""
        return cls(agent, segment if agent else "")

    def address(self, item: UUID | None = None) -> str:
        said = {"agent": self.agent, "segment": self.segment, "item": str(item or "")}
        asked = urlencode({name: value for name, value in said.items() if value})
        return f"/review?{asked}" if asked else "/review"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the queue is looked at; as an address it is a saved view."""

    agent: str = ""
    segment: str = ""  # of that agent
    kind: str = ""
    urgent: bool = False
    late: bool = False
    case: str = ""  # wherever it waits

    @property
    def narrowed(self) -> bool:
        return bool(self.segment or self.kind or self.urgent or self.late or self.case)

    @property
    def too_narrow(self) -> bool:
        """The queue is not kept by segment and kind at once: the segment is shown, of any kind."""
        return bool(self.segment) and self.kind in KINDS

    def address(self, *, after: str = "", before: str = "") -> str:
        said = {"agent": self.agent, "segment": self.segment, "kind": self.kind}
        said |= {"urgent": "1" if self.urgent else "", "late": "1" if self.late else ""}
        said |= {"case": self.case, "after": after, "before": before}
        asked = urlencode({name: value for name, value in said.items() if value})
        return f"/review/queue?{asked or 'everything=1'}"

    @property
    def part(self) -> Part:
        """What the desk goes on with when a case of this view was taken."""
        return Part(self.agent, self.segment)

    def narrow(self, now: datetime) -> Narrow:
        if self.case:
            return Narrow(case_id=self.case)
        return Narrow(
            agent=self.agent or None,
            segment=self.segment or None,
            kind=self.kind if self.kind in KINDS and not self.segment else None,
            urgent=self.urgent,
            due_before=now if self.late else None,
        )
