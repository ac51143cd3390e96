"""How many runs, and how many processes share them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

T = TypeVar("T")
R = TypeVar("R")

SEED = 20260105


@dataclass(frozen=True)
class Effort:
    """Runs of each part. The more, the smaller the standard errors; the claims stay the same."""

    gates: int = 20_000
    delays: int = 4_000
    thresholds: int = 2_000
    library: int = 25
    schedule: int = 600
    alarms: int = 4_000
    audits: int = 4_000
    workers: int = 2

    def scaled(self, share: float, *, workers: int | None = None) -> "Effort":
        """The same with a `share` of the runs, at least two of each."""
        runs = {one.name: max(2, round(share * getattr(self, one.name))) for one in fields(self)}
        return replace(self, **runs | {"workers": workers or self.workers})

    def spread(self, work: Callable[[T], R], jobs: Iterable[T]) -> list[R]:
        """`work` done on every job, in the order of the jobs, by all workers."""
        if self.workers == 1:
            return [work(job) for job in jobs]
        with ProcessPoolExecutor(self.workers) as pool:
            return list(pool.map(work, jobs))


def random(*words: object) -> np.random.Generator:
    """A generator of its own for every piece of work, so that leaving one out changes no other."""
    return np.random.default_rng([SEED, *"/".join(map(str, words)).encode()])
