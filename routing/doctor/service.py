"""
Recounts what was counted and looks for what cannot be true; `repair` rebuilds what can be derived from decisions.

Totals and the other counts are the only things that are kept twice: they are rebuilt exactly. A decision that is
counted wrongly goes back to settling. What is missing altogether (a review item, a case) is told and never invented.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from rollout.domain.totals import Counts
from rollout.gates import service as gates
from routing.doctor import queries
from routing.doctor.queries import Cohort
from routing.skills import service as skills
from routing.tallies import queries as tallies
from routing.tallies.queries import KEPT, Kept, Key, Sums

SETTLED_WITHIN = timedelta(minutes=5)
"""A decision that waits longer tells that no worker settles."""

_CHUNK = 500
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: whether it holds, in words; the first few things that break it; what repair did."""

    check: str
    ok: bool
    words: str
    count: int = 0
    examples: tuple[str, ...] = field(default=())
    repaired: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "ok": self.ok,
            "words": self.words,
            "count": self.count,
            "examples": list(self.examples),
            "repaired": self.repaired,
        }


def _unstaffed(session: Session) -> tuple[int, list[str]]:
    found = skills.unstaffed(session)
    return len(found), [queue.words for queue in found[:_EXAMPLES]]


_LISTED = (
    ("counted_as_labelled", queries.counted_wrongly,
     "every settled decision is counted as its label says",
     "decisions are counted otherwise than their label says"),
    ("reviews_queued", queries.without_item,
     "every decision to be looked at has exactly one first review item",
     "decisions should be looked at and are in no queue"),
    ("items_belong", queries.without_decision,
     "every review item belongs to a decision of its kind",
     "review items belong to no decision of their kind"),
    ("superseded_closed", queries.open_on_superseded,
     "no review is open on a superseded decision",
     "reviews are open on decisions that were superseded"),
    ("rulings_are_outcomes", queries.ended_otherwise,
     "every ruling is the outcome of its decision",
     "rulings are not the outcome of their decisions"),
    ("written_as_recorded", queries.written_otherwise,
     "every output that a person wrote is the one that the audit log has the digest of",
     "outputs that people wrote are not those that the audit log has the digest of"),
    ("reviews_go_their_way", queries.in_trouble,
     "no review is in the way of its own end",
     "reviews could not be concluded, passed on or ended; they are tried again, and the log has more"),
    ("one_current_human_output", queries.cases_without_one_current_output,
     "every case with human outputs has exactly one in force",
     "cases have not exactly one human output in force"),
    ("attempts_in_order", queries.attempts_with_gaps,
     "attempts follow each other, and only the last one is in force",
     "cases have attempts that do not follow each other"),
    ("decisions_keyed", queries.without_key,
     "every decision is the one of its case",
     "decisions are not known by their case, which could be decided again"),
    ("months_made", queries.beyond_all_months,
     "every decision lies in the partition of its month",
     "decisions were stored for whose month there is no partition; does beat run?"),
    ("kinds_counted", queries.kinds_counted_wrongly,
     "every case is counted once by its attributes",
     "days hold cases that are not counted once by their attributes"),
    ("queues_staffed", _unstaffed,
     "every queue has somebody with the team and skills that it takes",
     "queues take a team or skills that nobody has; their leads get the cases"),
    ("verdicts_together", queries.several_marked_wrongly,
     "every decision with several verdicts is among those that people are compared by",
     "decisions are wrongly said to have several verdicts, or not to have them"),
    ("labels_counted", queries.labels_not_counted,
     "every label on a settled decision is counted",
     "labels on settled decisions are not counted"),
    ("labels_belong", queries.labels_without_decision,
     "every label belongs to a decision", "labels belong to no decision"),
)  # fmt: skip


def examine(session: Session, *, now: datetime) -> list[Finding]:
    """Every check, each on one moment. Writes nothing."""
    found = [totals_finding(*queries.counted_and_stored(session))]
    found.append(tallies_finding({kept.name: _both(session, kept) for kept in KEPT}))
    for check, look, good, bad in _LISTED:
        count, examples = look(session)
        words = good if not count else f"{count:,} {bad}"
        found.append(Finding(check, not count, words, count, tuple(str(example) for example in examples)))
    return [*found, _evidence(session), _backlog(session, now)]


def repair(session: Session, *, now: datetime) -> dict[str, str]:
    """
    Rebuild the totals and give back what is counted or queued wrongly, in the caller's one transaction.

    Returns what was done, by the name of the check; nothing for what was in order.
    """
    done = {}
    if ended := queries.end_open_on_superseded(session, now):
        done["superseded_closed"] = f"{ended:,} reviews were ended as superseded"
    queries.lock_totals(session)
    tallies.lock(session)
    counted, stored = queries.counted_and_stored(session)
    if wrong := differences(counted, stored):
        queries.replace_totals(session, counted)
        done["totals"] = f"{len(wrong):,} cohorts were rebuilt from the decisions"
    if rebuilt := sum(_rebuild(session, kept) for kept in KEPT):
        done["tallies"] = f"{rebuilt:,} counts by day were rebuilt from the decisions and their labels"
    if marked := queries.mark_unsettled(session):
        done["counted_as_labelled"] = f"{marked:,} decisions go back to settling"
    return done


def _both(session: Session, kept: Kept) -> tuple[Sums, Sums]:
    """What is recounted, and what is stored."""
    return tallies.recounted(session, kept), tallies.stored(session, kept)


def _rebuild(session: Session, kept: Kept) -> int:
    counted, stored = _both(session, kept)
    wrong = wrong_keys(counted, stored)
    if wrong:
        tallies.replace(session, kept, counted)
    return len(wrong)


def tallies_finding(found: Mapping[str, tuple[Sums, Sums]]) -> Finding:
    wrong = [
        f"{name}, {', '.join(map(str, key))}: {stored.get(key, 'nothing')} instead of {counted.get(key, 'nothing')}"
        for name, (counted, stored) in found.items()
        for key in wrong_keys(counted, stored)
    ]
    if not wrong:
        return Finding("tallies", ok=True, words="draws, work and verdicts by day equal a recount")
    words = f"{len(wrong):,} counts of draws, work or verdicts by day differ from a recount"
    return Finding("tallies", ok=False, words=words, count=len(wrong), examples=tuple(wrong[:_EXAMPLES]))


def wrong_keys(counted: Sums, stored: Sums) -> list[Key]:
    """A row of nothing but zeros is as good as none."""
    keys = {key for sums in (counted, stored) for key, figures in sums.items() if any(figures)}
    return sorted(key for key in keys if counted.get(key) != stored.get(key))


def totals_finding(counted: dict[Cohort, Counts], stored: dict[Cohort, Counts]) -> Finding:
    wrong = differences(counted, stored)
    if not wrong:
        cases = sum(counts.cases for counts in counted.values())
        return Finding("totals", ok=True, words=f"totals equal a recount of {cases:,} decisions")
    examples = tuple(_words(cohort, counted, stored) for cohort in wrong[:_EXAMPLES])
    words = f"{len(wrong):,} cohorts of the totals differ from a recount of the decisions"
    return Finding("totals", ok=False, words=words, count=len(wrong), examples=examples)


def differences(counted: dict[Cohort, Counts], stored: dict[Cohort, Counts]) -> list[Cohort]:
    """A cohort of nothing but zeros is as good as none."""
    nothing = Counts()
    cohorts = sorted({*counted, *stored}, key=str)
    return [cohort for cohort in cohorts if counted.get(cohort, nothing) != stored.get(cohort, nothing)]


def _words(cohort: Cohort, counted: dict[Cohort, Counts], stored: dict[Cohort, Counts]) -> str:
    rollout_id, epoch, lane, segment, day = cohort
    right, wrong = counted.get(cohort, Counts()), stored.get(cohort, Counts())
    parts = [
        f"{name} {getattr(wrong, name)} instead of {getattr(right, name)}"
        for name in Counts.__dataclass_fields__
        if getattr(wrong, name) != getattr(right, name)
    ]
    where = f"rollout {rollout_id}, epoch {epoch}, lane {lane}, segment “{segment}”, {day}"
    return f"{where}: {', '.join(parts)}"


def _evidence(session: Session) -> Finding:
    """What a rollout was judged on still says what it said: its digest is over its body."""
    count, wrong, after = 0, list[UUID](), None
    while rows := queries.evidence_after(session, after, _CHUNK):
        count += len(rows)
        wrong += [row.id for row in rows if gates.digest_of(row.body) != row.digest]
        after = rows[-1].id
        session.expunge_all()
    words = (
        f"{count:,} evidence snapshots are as they were stored"
        if not wrong
        else (f"{len(wrong):,} evidence snapshots are not what was stored")
    )
    return Finding("evidence", not wrong, words, len(wrong), _few(wrong))


def _backlog(session: Session, now: datetime) -> Finding:
    count, since = queries.backlog(session)
    if count == 0 or since is None:
        return Finding("settled", ok=True, words="everything is settled")
    waited = now - since
    minutes = max(int(waited.total_seconds() // 60), 0)
    words = f"{count:,} decisions wait to be settled, the oldest for {minutes:,} min"
    if waited <= SETTLED_WITHIN:
        return Finding("settled", ok=True, words=words, count=count)
    return Finding("settled", ok=False, words=f"{words}; is a worker running, with beat?", count=count)


def _few(ids: Sequence[UUID]) -> tuple[str, ...]:
    return tuple(str(one) for one in ids[:_EXAMPLES])
