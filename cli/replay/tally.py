"""What the report is made of, counted as the cases go by: by version and stay in a phase."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence.comparing import Comparison

_AUTOMATED = frozenset({"auto", "audit"})


@dataclass(slots=True)
class Automated:
    """
    Cases that went through without a person, against what people did for them.

    Their answers are known here because the work is recorded; the router and the gates never saw them, but for
    the cases that were drawn for an audit.
    """

    cases: int = 0
    wrong: int = 0
    severe: int = 0
    not_comparable: int = 0
    audited: int = 0
    audited_wrong: int = 0

    @property
    def compared(self) -> int:
        return self.cases - self.not_comparable

    @property
    def error_rate(self) -> float | None:
        return self.wrong / self.compared if self.compared else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "compared": self.compared,
            "wrong": self.wrong,
            "severe": self.severe,
            "error_rate": self.error_rate,
            "audited": self.audited,
            "audited_wrong": self.audited_wrong,
        }

    def add(self, other: "Automated") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Stay:
    """One stay of a version in a phase. `rulings` counts what people said of queued outputs."""

    version: str
    phase: str
    epoch: int
    first_at: datetime
    last_at: datetime
    lanes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rulings: Counter[str] = field(default_factory=Counter)
    automated: Automated = field(default_factory=Automated)

    @property
    def cases(self) -> int:
        return self.lanes.total()

    @property
    def routes(self) -> dict[str, int]:
        """By route: an audit is an automated case that is looked at afterwards."""
        names = ("shadow", "review", "auto", "human", "block")
        counts = {name: self.lanes[name] + (self.lanes["audit"] if name == "auto" else 0) for name in names}
        return {name: count for name, count in counts.items() if count}

    @property
    def automation_rate(self) -> float | None:
        return self.automated.cases / self.cases if self.cases else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "phase": self.phase,
            "epoch": self.epoch,
            "first_case_at": self.first_at,
            "last_case_at": self.last_at,
            "cases": self.cases,
            "routes": self.routes,
            "reasons": dict(self.reasons.most_common()),
            "reviews_needed": self.lanes["review"],
            "audits_needed": self.lanes["audit"],
            "rulings": dict(self.rulings),
            "automation_rate": self.automation_rate,
            "automated": self.automated.to_dict(),
        }


class Tally:
    """All stays, in the order in which they began."""

    def __init__(self) -> None:
        self._stays: dict[tuple[str, str | None, int | None], Stay] = {}

    @property
    def stays(self) -> list[Stay]:
        return list(self._stays.values())

    @property
    def automated(self) -> Automated:
        whole = Automated()
        for stay in self._stays.values():
            whole.add(stay.automated)
        return whole

    def stay(self, row: Mapping[str, Any]) -> Stay:
        """The stay that a decision's row belongs to."""
        key = row["version"], row["phase"], row["epoch"]
        found = self._stays.get(key)
        if found is None:
            at = row["decided_at"]
            found = self._stays[key] = Stay(row["version"], row["phase"] or "none", row["epoch"] or 0, at, at)
        return found

    def count(self, row: Mapping[str, Any], compared: Comparison) -> None:
        """One decision, and how its output compares with what a person did."""
        stay = self.stay(row)
        lane = row["lane"]
        stay.lanes[lane] += 1
        stay.last_at = max(stay.last_at, row["decided_at"])
        for reason in row["reasons"]:
            stay.reasons[reason["code"]] += 1
        if lane not in _AUTOMATED:
            return
        wrong = compared.kind == "different"
        counts = stay.automated
        counts.cases += 1
        counts.wrong += wrong
        counts.severe += wrong and compared.severity == "severe"
        counts.not_comparable += compared.kind not in {"equal", "different"}
        if lane == "audit":
            counts.audited += 1
            counts.audited_wrong += wrong
