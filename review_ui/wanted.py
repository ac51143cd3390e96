"""Which part of the queue a page shows or a desk works, as an address."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from review_ui import words
from routing.reviews.dealing.lines import Narrow
from routing.reviews.schemas import KINDS

ESCALATED = "escalated"
"""What the second line is called where kinds are chosen."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the queue that a desk works; all of it, where nothing is named."""

    agent: str = ""
    segment: str = ""
    kind: str = ""
    urgent: bool = False

    @classmethod
    def of(cls, agent: str, segment: str, kind: str = "", *, urgent: bool = False) -> Self:
        """A segment is one of an agent, and worked with all its kinds."""
        segment = segment if agent else ""
        known = kind == ESCALATED or (kind in KINDS and not segment)
        return cls(agent, segment, kind if known else "", urgent)

    @property
    def narrowed(self) -> bool:
        return bool(self.segment or self.kind or self.urgent)

    @property
    def in_words(self) -> str:
        """What of the agent's, or of all agents', it is."""
        return ", ".join(narrowed_to(self.segment, self.kind, urgent=self.urgent))

    @property
    def query(self) -> str:
        said = {"agent": self.agent, "segment": self.segment, "kind": self.kind, "urgent": "1" if self.urgent else ""}
        return urlencode({name: value for name, value in said.items() if value})

    @property
    def narrow(self) -> Narrow:
        return Narrow(
            agent=self.agent or None,
            segment=self.segment or None,
            kind=self.kind if self.kind in KINDS else None,
            level=2 if self.kind == ESCALATED else None,
            urgent=self.urgent,
        )

    def address(self, item: UUID | None = None) -> str:
        asked = "&".join(filter(None, (self.query, f"item={item}" if item is not None else "")))
        return f"/review?{asked}" if asked else "/review"


def narrowed_to(segment: str, kind: str, *, urgent: bool, late: bool = False) -> list[str]:
    """What a part of the queue is narrowed to, in words."""
    kinds = f"{words.word(kind).lower()}s" if kind in KINDS else kind
    return [*filter(None, (segment, kinds)), *(["urgent only"] if urgent else []), *(["late only"] if late else [])]


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

    @property
    def in_words(self) -> str:
        """What the heading says of it."""
        kind = "" if self.too_narrow else self.kind
        said = narrowed_to(self.segment, kind, urgent=self.urgent, late=self.late)
        return "" if self.case else ", ".join([*filter(None, [self.agent]), *said])

    def address(self, *, after: str = "", before: str = "") -> str:
        said = {"agent": self.agent, "segment": self.segment, "kind": self.kind}
        said |= {"urgent": "1" if self.urgent else "", "late": "1" if self.late else ""}
        said |= {"case": self.case, "after": after, "before": before}
        asked = urlencode({name: value for name, value in said.items() if value})
        return f"/review/queue?{asked or 'everything=1'}"

    @property
    def part(self) -> Part:
        """What the desk goes on with when a case of this view was taken."""
        return Part.of(self.agent, self.segment, self.kind, urgent=self.urgent)

    def narrow(self, now: datetime) -> Narrow:
        if self.case:
            return Narrow(case_id=self.case)
        return replace(self.part.narrow, due_before=now if self.late else None)
