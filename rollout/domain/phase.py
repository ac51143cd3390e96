"""The five phases, and the few words that every room uses for where a version stands."""

from enum import StrEnum


class Phase(StrEnum):
    """How far a version is trusted. Ordered: `Phase.SHADOW < Phase.FULL` means less autonomy."""

    EVALUATION = "evaluation"
    SHADOW = "shadow"
    SUPERVISED = "supervised"
    CONFIDENCE = "confidence"
    FULL = "full"

    @property
    def place(self) -> int:
        """0 for evaluation up to 4 for full."""
        return _PLACES[self]

    @property
    def next(self) -> "Phase | None":
        return _ORDER[self.place + 1] if self.place + 1 < len(_ORDER) else None

    @property
    def previous(self) -> "Phase | None":
        return _ORDER[self.place - 1] if self.place else None

    # StrEnum would compare by the alphabet, in which `confidence` comes first.
    def __lt__(self, other: str) -> bool:
        return self.place < Phase(other).place

    def __le__(self, other: str) -> bool:
        return self.place <= Phase(other).place

    def __gt__(self, other: str) -> bool:
        return self.place > Phase(other).place

    def __ge__(self, other: str) -> bool:
        return self.place >= Phase(other).place


_ORDER = tuple(Phase)
_PLACES = {phase: place for place, phase in enumerate(_ORDER)}


class Route(StrEnum):
    """Who answers one case."""

    SHADOW = "shadow"
    REVIEW = "review"
    AUTO = "auto"
    HUMAN = "human"
    BLOCK = "block"


class Lane(StrEnum):
    """How a decision is counted: its route, with the automated ones drawn for audit apart."""

    SHADOW = "shadow"
    REVIEW = "review"
    AUDIT = "audit"
    AUTO = "auto"
    HUMAN = "human"
    BLOCK = "block"


class Standing(StrEnum):
    STABLE = "stable"
    CANDIDATE = "candidate"
    RETIRED = "retired"


class FreezeMode(StrEnum):
    """`routing`: every case goes to a person, and nothing advances. `advancing`: only advancing stops."""

    ROUTING = "routing"
    ADVANCING = "advancing"


class Severity(StrEnum):
    """Of a reported failure; a difference between two answers is at most severe."""

    MINOR = "minor"
    MAJOR = "major"
    SEVERE = "severe"
    CRITICAL = "critical"
