"""How long and how often each thing is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Rounds are interleaved with the no-op; the figure is their median."""

    seconds: float = 2.0
    rounds: int = 3
    connections: tuple[int, ...] = (1, 8, 64, 256)
    agents: int = 1000
    stored: int = 1_000_000
    wakes: int = 100
    waiters: int = 2000
    batch: int = 500


QUICK = Effort(seconds=1.0, rounds=1, connections=(1, 64), agents=200, stored=20_000, wakes=30)
LARGE = 10_000_000
"""Stored decisions with `--large`."""
