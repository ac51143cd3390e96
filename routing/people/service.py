"""
What the verdicts of people are worth: how far they agree, whether seeing the output sways them, who was right.

Nothing here says how fast anybody works. People who are measured by speed approve faster, and that is the harm which
these figures are to find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from evidence import binomial
from evidence.agreement.kappa import Share, percent_agreement
from evidence.agreement.reviewers import BlindAgainstAssisted, GoldAnswers, blind_against_assisted, gold_answers
from evidence.reviewers import Explained, Seeded, explained
from governance.actors import Actor
from kit.errors import Invalid, Place
from rollout.reviewers import service as gold
from routing.domain.sampling import ASSISTED, BLIND
from routing.domain.scope import Scope
from routing.people import queries, verdicts
from routing.people.queries import ArmTotal, LaneTotal
from routing.people.verdicts import Agreement, Right
from routing.tallies.queries import RULED, Ruled, ruled

DEFAULT_WINDOW = timedelta(days=90)
LONGEST_WINDOW = timedelta(days=366)
_DOUBT = 0.05


class Blind(NamedTuple):
    """One version: people who had not seen the output (shadow) against those who had (review)."""

    version: str
    found: BlindAgainstAssisted


class Arms(NamedTuple):
    """
    Reviews or audits of one version: those whose reviewer answered before seeing the output against the others. Which
    is which was drawn, so nothing but seeing it differs.

    `equal`: of the answers given before, those that the agent's comparison calls the same as its output. `gave_way`:
    of the answers that differed, those whose reviewer approved the output once they saw it.
    """

    version: str
    kind: str
    found: BlindAgainstAssisted
    equal: Share
    gave_way: Share

    @property
    def corrected(self) -> Share:
        """Overridden in the blind arm: the rate that nobody's habit of agreeing has lowered."""
        return _turned(self.found.blind)

    @property
    def assisted(self) -> Share:
        """Overridden by those who saw the output at once."""
        return _turned(self.found.assisted)


class Reviewer(NamedTuple):
    """
    How often a reviewer overrode what came to them, in reviews and in audits, each with its exact interval.

    `stands_out` is "fewer" or "more" where the reviewer's reviews and those of all others cannot have the same share
    of overrides, with 5 % of doubt over all reviewers together; None where they can.
    """

    person: str
    reviews: Share
    audits: Share
    stands_out: str | None


class Behind(NamedTuple):
    """
    Overrides in reviews or in audits, and the rate of wrong outputs that explains them by what reviewers make of gold
    cases: more than was overridden where they overlook errors, less where they object to what is right.
    """

    kind: str
    seen: Share
    found: Explained


@dataclass(frozen=True, slots=True)
class PeopleReport:
    """`cut`: of the outputs with several verdicts only the newest were looked at."""

    scope: Scope
    agreement: Agreement
    arms: tuple[Arms, ...]
    blind: tuple[Blind, ...]
    reviewers: tuple[Reviewer, ...]
    right: Right
    gold: GoldAnswers
    behind: tuple[Behind, ...]
    cut: bool


def require_reader(actor: Actor, agent: str | None = None) -> None:
    """What is known of persons is for those who answer for them, and for auditors."""
    if not may_read(actor):
        actor.require("advance", agent)


def may_read(actor: Actor) -> bool:
    return actor.allows("advance") or actor.allows("audit")


def scope_of(agent: str, version: str | None, since: datetime | None, until: datetime | None, now: datetime) -> Scope:
    """
    The last 90 days when nothing else is said; a year at most. Whole days in UTC: that of `since`, and that of `until`
    unless it is its first moment.
    """
    until = until or now
    since = since or until - DEFAULT_WINDOW
    if since >= until:
        raise Invalid("from is not before to", places=[Place("from", "it is not before to", "send an earlier time")])
    if until - since > LONGEST_WINDOW:
        place = Place("from", "it is more than a year before to", "ask for a year at most")
        raise Invalid("the window is too long", places=[place])
    end = _midnight(until)
    return Scope(agent, version, _midnight(since), end if end == until else end + timedelta(days=1))


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def report(session: Session, scope: Scope) -> PeopleReport:
    given, cut = queries.several_verdicts(session, scope)
    said = ruled(session, scope.first, scope.end, agent=scope.agent, version=scope.version)
    seeded = gold.seeded(session, scope.agent)
    return PeopleReport(
        scope=scope,
        agreement=verdicts.agreement(given),
        arms=arms_of(queries.arms(session, scope)),
        blind=_blind(queries.lanes(session, scope)),
        reviewers=reviewers_of(said),
        right=verdicts.right(given),
        gold=gold_answers(seeded.caught, seeded.errors, seeded.confirmed, seeded.right),
        behind=_behind(said, seeded),
        cut=cut,
    )


def _turned(agreed: Share) -> Share:
    share = None if agreed.share is None else 1.0 - agreed.share
    return Share(agreed.whole - agreed.part, agreed.whole, share, 1.0 - agreed.upper, 1.0 - agreed.lower)


def arms_of(rows: Sequence[ArmTotal]) -> tuple[Arms, ...]:
    """
    By version and kind. Cases drawn with different probabilities are of different weeks and must not be pooled: where
    the share was changed, those of the probability with the most verdicts are compared.
    """
    drawn: dict[tuple[str, str], dict[float | None, list[ArmTotal]]] = {}
    for row in rows:
        drawn.setdefault((row.version, row.kind), {}).setdefault(row.probability, []).append(row)
    return tuple(
        _arm(version, kind, max(found.values(), key=lambda some: sum(row.times for row in some)))
        for (version, kind), found in drawn.items()
    )


def _arm(version: str, kind: str, rows: Sequence[ArmTotal]) -> Arms:
    def times(arm: str, *, verdict: str | None = None, equal: bool | None = None) -> int:
        return sum(
            row.times
            for row in rows
            if row.arm == arm and verdict in {None, row.verdict} and (equal is None or row.equal is equal)
        )

    return Arms(
        version,
        kind,
        blind_against_assisted(
            (times(BLIND, verdict="agree"), times(BLIND)), (times(ASSISTED, verdict="agree"), times(ASSISTED))
        ),
        equal=percent_agreement(times(BLIND, equal=True), times(BLIND)),
        gave_way=percent_agreement(times(BLIND, verdict="agree", equal=False), times(BLIND, equal=False)),
    )


def _blind(totals: Sequence[LaneTotal]) -> tuple[Blind, ...]:
    """Every version that has a verdict in either lane."""
    counted = {(row.version, row.lane): (row.agreed, row.agreed + row.overridden) for row in totals}
    versions = {version: None for (version, _), (_, cases) in counted.items() if cases}
    return tuple(
        Blind(
            version,
            blind_against_assisted(counted.get((version, "shadow"), (0, 0)), counted.get((version, "review"), (0, 0))),
        )
        for version in versions
    )


def reviewers_of(rows: Sequence[Ruled]) -> tuple[Reviewer, ...]:
    counted: dict[str, dict[tuple[str, str], int]] = {}
    for row in rows:
        counted.setdefault(row.person, {})[row.source, row.verdict] = row.times
    reviews = {person: _overridden(counts, "review") for person, counts in counted.items()}
    everybody = tuple(map(sum, zip(*reviews.values(), strict=True))) if reviews else (0, 0)
    return tuple(
        Reviewer(
            person=person,
            reviews=percent_agreement(*reviews[person]),
            audits=percent_agreement(*_overridden(counts, "audit")),
            stands_out=stands_out(reviews[person], everybody, len(reviews)),
        )
        for person, counts in counted.items()
    )


def _overridden(counts: dict[tuple[str, str], int], source: str) -> tuple[int, int]:
    """Overrides, and all verdicts."""
    overridden = counts.get((source, "override"), 0)
    return overridden, overridden + counts.get((source, "agree"), 0)


def stands_out(own: tuple[int, int], everybody: Sequence[int], reviewers: int) -> str | None:
    others = everybody[0] - own[0], everybody[1] - own[1]
    confidence = 1.0 - _DOUBT / (2 * reviewers)  # half for the reviewer, half for the others
    mine, theirs = binomial.interval(*own, confidence), binomial.interval(*others, confidence)
    if mine.upper < theirs.lower:
        return "fewer"
    return "more" if mine.lower > theirs.upper else None


def _behind(rows: Sequence[Ruled], seeded: Seeded) -> tuple[Behind, ...]:
    """Nothing before gold cases of both kinds were answered."""
    if not seeded.errors or not seeded.right:
        return ()
    found = []
    for kind in RULED:
        overridden = sum(row.times for row in rows if row.source == kind and row.verdict == "override")
        whole = sum(row.times for row in rows if row.source == kind)
        if whole:
            seen = percent_agreement(overridden, whole)
            found.append(Behind(kind, seen, explained(overridden, whole, seeded)))
    return tuple(found)
