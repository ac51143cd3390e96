"""What was acknowledged is there: a benchmark that loses rows is worth nothing."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from bench.decisions.cell import Measured
from bench.decisions.services import Service
from bench.evidence.report import Section

_COUNTS = {
    "decisions": "SELECT count(*) FROM decisions",
    "keys": "SELECT count(*) FROM decision_keys",
    "for_people": "SELECT count(*) FROM decisions WHERE route = 'review' OR lane = 'audit'",
    "items": "SELECT count(*) FROM review_items",
    "events": "SELECT count(*) FROM audit_events WHERE verb = 'decision.stored'",
    "rulings": "SELECT count(*) FROM rulings",
    "messages": "SELECT count(*) FROM outbox",
    "unfinished": "SELECT (SELECT count(*) FROM decisions WHERE unsettled)"
    " + (SELECT count(*) FROM audit_events WHERE place IS NULL)",
}


@dataclass(frozen=True)
class Rows:
    """How many there are of each; see `_COUNTS`. A case is there once: its key is the primary key of `keys`."""

    decisions: int = 0
    keys: int = 0
    for_people: int = 0
    items: int = 0
    events: int = 0
    rulings: int = 0
    messages: int = 0
    unfinished: int = 0

    @classmethod
    def of(cls, service: Service) -> "Rows":
        return cls(**{name: int(service.scalar(statement)) for name, statement in _COUNTS.items()})

    def since(self, before: "Rows") -> "Rows":
        """What came; unfinished is what is unfinished now."""
        added = Rows(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))
        return replace(added, unfinished=self.unfinished)

    def agree_with(self, acknowledged: int) -> bool:
        """Whether there is exactly what belongs to so many acknowledged decisions."""
        once = {self.decisions, self.keys, self.events} == {acknowledged}
        return once and self.items == self.for_people and self.messages == self.rulings and not self.unfinished


def check(
    section: Section,
    service: Service,
    words: str,
    loads: Sequence[Measured],
    *,
    more: int = 0,
    before: Rows | None = None,
) -> None:
    """
    What the `loads` were told is held against the rows once the worker has caught up; one claim.

    `more`: decisions that were acknowledged besides. `before`: what was there before all of it.
    """
    caught_up = service.wait_until_settled()
    unexpected = [one.load.unexpected for one in loads if one.load.unexpected]
    acknowledged = more + sum(one.load.acknowledged for one in loads)
    rows = Rows.of(service).since(before or Rows())
    table = section.table(
        "database", "other answers", "acknowledged", "stored", "keys", "for a person / review items", "audit events",
        "rulings / messages", "unsettled, unsealed", "caught up after s",
        note="Rows of all loads of this part, once the workers had caught up.",
    )  # fmt: skip
    table.add(
        words, ", ".join(map(str, unexpected)) or "none", f"{acknowledged:,}", f"{rows.decisions:,}", f"{rows.keys:,}",
        f"{rows.for_people:,} / {rows.items:,}", f"{rows.events:,}", f"{rows.rulings:,} / {rows.messages:,}",
        rows.unfinished, f"{caught_up:.1f}",
        claim="all agree", met=rows.agree_with(acknowledged) and not unexpected,
    )  # fmt: skip
