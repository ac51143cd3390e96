"""Which decisions a figure speaks of."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """
    Those of an agent, of one version or all, made from `since` to before `until`, both of them midnight in UTC:
    verdicts are counted by day.
    """

    agent: str
    version: str | None
    since: datetime
    until: datetime

    @property
    def first(self) -> date:
        return self.since.date()

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.until.date()
