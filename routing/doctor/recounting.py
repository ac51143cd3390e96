"""
Checks the totals against the decisions without a lock, however many there are: a chunk of decisions at a time, each
in a short transaction of its own, beside a service at work.

What differs after that was perhaps counted meanwhile. So it is looked at once more, day by day, totals and decisions
in one view; only what differs there is wrong.
"""

import json
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

from kit.context import Context
from rollout.domain.totals import Counts
from routing.doctor import queries
from routing.doctor.queries import Cohort
from routing.doctor.service import Finding, differences, totals_finding

ROWS = 20_000
_SAVED_EVERY = 10  # chunks


@dataclass(slots=True)
class _Progress:
    """How far the reading has come; small, since it holds cohorts and no decisions."""

    after: UUID | None = None
    counted: dict[Cohort, Counts] = field(default_factory=dict)

    def add(self, found: dict[Cohort, Counts]) -> None:
        for cohort, counts in found.items():
            self.counted[cohort] = self.counted.get(cohort, Counts()) + counts

    def save(self, path: Path) -> None:
        """All or nothing: what is half written is never read."""
        rows = [[str(c[0]), *c[1:4], c[4].isoformat(), *astuple(n)] for c, n in self.counted.items()]
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps({"after": str(self.after), "counted": rows}), encoding="utf-8")
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
        return cls(UUID(saved["after"]), counted)


def recount(ctx: Context, *, rows: int = ROWS, told: Callable[[int], None] = lambda _cases: None) -> Finding:
    """
    Recount all decisions. Broken off, it goes on where it was: what was counted before and has changed since is among
    what is looked at twice.
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
        progress.after, chunks = stop, chunks + 1
        told(sum(counts.cases for counts in progress.counted.values()))
        if chunks % _SAVED_EVERY == 0:
            progress.save(path)
    counted, stored = _looked_at_twice(ctx, progress)
    path.unlink(missing_ok=True)
    return totals_finding(counted, stored)


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
