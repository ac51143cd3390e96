"""
Checks all that is counted against the decisions without a lock, however many there are: a chunk of decisions at a
time, each in a short transaction of its own, beside a service at work.

What differs after that was perhaps counted meanwhile. So it is looked at once more, day by day, totals and decisions
in one view; only what differs there is wrong.
"""

import json
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from kit.context import Context
from rollout.domain.totals import Counts
from routing.doctor import queries
from routing.doctor.queries import Cohort
from routing.doctor.service import Finding, differences, tallies_finding, totals_finding, wrong_keys
from routing.tallies import queries as tallies
from routing.tallies.queries import KEPT, Kept, Key, Sums

ROWS = 20_000
_SAVED_EVERY = 10  # chunks


@dataclass(slots=True)
class _Progress:
    """How far the reading has come; small, since it holds cohorts and no decisions."""

    after: UUID | None = None
    counted: dict[Cohort, Counts] = field(default_factory=dict)
    tallied: dict[str, Sums] = field(default_factory=lambda: {kept.name: {} for kept in KEPT})

    def add(self, found: dict[Cohort, Counts]) -> None:
        for cohort, counts in found.items():
            self.counted[cohort] = self.counted.get(cohort, Counts()) + counts

    def add_tallies(self, kept: Kept, found: Sums) -> None:
        sums = self.tallied[kept.name]
        for key, figures in found.items():
            before = sums.get(key)
            sums[key] = figures if before is None else tuple(map(sum, zip(before, figures, strict=True)))

    def save(self, path: Path) -> None:
        """All or nothing: what is half written is never read."""
        rows = [[str(c[0]), *c[1:4], c[4].isoformat(), *astuple(n)] for c, n in self.counted.items()]
        tallied = {
            name: [[*map(_plain, key), *figures] for key, figures in sums.items()]
            for name, sums in self.tallied.items()
        }
        draft = path.with_suffix(".draft")
        found = {"after": str(self.after), "counted": rows, "tallied": tallied}
        draft.write_text(json.dumps(found), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "_Progress":
        if not path.exists():
            return cls()
        saved = json.loads(path.read_text(encoding="utf-8"))
        counted = {
            (UUID(row[0]), row[1], row[2], row[3], date.fromisoformat(row[4])): Counts(*row[5:])
            for row in saved["counted"]
        }
        if saved.get("tallied", {}).keys() != {kept.name for kept in KEPT}:
            return cls()  # of a release that counted less
        tallied = {kept.name: dict(_read(kept, row) for row in saved["tallied"][kept.name]) for kept in KEPT}
        return cls(UUID(saved["after"]), counted, tallied)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)


def _read(kept: Kept, row: list[Any]) -> tuple[Key, tuple[int, ...]]:
    made: dict[type, Callable[[str], Any]] = {UUID: UUID, date: date.fromisoformat}
    kinds = [kept.table.c[name].type.python_type for name in kept.keys]
    key = tuple(made[kind](value) if kind in made else value for kind, value in zip(kinds, row, strict=False))
    return key, tuple(row[len(key) :])


def recount(ctx: Context, *, rows: int = ROWS, told: Callable[[int], None] = lambda _cases: None) -> list[Finding]:
    """
    Recount all decisions, and the labels on them. Broken off, it goes on where it was: what was counted before and has
    changed since is among what is looked at twice.
    """
    path = ctx.settings.data_dir / "recount.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    progress, chunks = _Progress.load(path), 0
    while True:
        with ctx.db.read() as session:
            stop = queries.next_stop(session, progress.after, rows)
            if stop is None:
                break
            progress.add(queries.recount_between(session, progress.after, stop))
            for kept in KEPT:
                progress.add_tallies(kept, tallies.recounted(session, kept, *tallies.between(progress.after, stop)))
        progress.after, chunks = stop, chunks + 1
        told(sum(counts.cases for counts in progress.counted.values()))
        if chunks % _SAVED_EVERY == 0:
            progress.save(path)
    counted, stored = _looked_at_twice(ctx, progress)
    found = [totals_finding(counted, stored), tallies_finding(_tallies_looked_at_twice(ctx, progress))]
    path.unlink(missing_ok=True)
    return found


def _looked_at_twice(ctx: Context, progress: _Progress) -> tuple[dict[Cohort, Counts], dict[Cohort, Counts]]:
    with ctx.db.read() as session:
        archived, stored = queries.archived_and_stored(session)
    progress.add(archived)
    counted = progress.counted
    for rollout_id, day in sorted({(cohort[0], cohort[4]) for cohort in differences(counted, stored)}):
        with ctx.db.read() as session:
            right, said = queries.counted_and_stored_on(session, rollout_id, day)
        for cohorts, again in ((counted, right), (stored, said)):
            for cohort in [one for one in cohorts if (one[0], one[4]) == (rollout_id, day)]:
                del cohorts[cohort]
            cohorts.update(again)
    return counted, stored


def _tallies_looked_at_twice(ctx: Context, progress: _Progress) -> dict[str, tuple[Sums, Sums]]:
    """What was recounted and what is stored, of each table."""
    found = {}
    for kept in KEPT:
        counted, day = progress.tallied[kept.name], kept.keys.index("day")
        with ctx.db.read() as session:
            stored = tallies.stored(session, kept)
        for rollout_id, on in sorted({(key[0], key[day]) for key in wrong_keys(counted, stored)}):
            with ctx.db.read() as session:
                right = tallies.recounted(session, kept, *tallies.on_day(rollout_id, on))
                said = tallies.stored(session, kept, rollout_id=rollout_id, day=on)
            for sums, again in ((counted, right), (stored, said)):
                for key in [one for one in sums if (one[0], one[day]) == (rollout_id, on)]:
                    del sums[key]
                sums.update(again)
        found[kept.name] = counted, stored
    return found
