"""
Looks at the rollouts of a replay: signs what passes, puts thresholds in force as the labels allow them, and remembers
when each gate passed and on what.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cli.replay.house import House
from governance.actors import Actor
from rollout.domain.phase import Phase
from rollout.domain.verdict import Conclusion
from rollout.gates import service as gates
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import queries as version_queries
from rollout.versions.tables import Rollout
from routing.thresholds import service as thresholds

REVIEW_EVERY = timedelta(days=7)

Place = tuple[str, int, int, str]  # version, epoch, ramp step, gate


@dataclass(frozen=True, slots=True)
class Looked:
    """One round over all versions. `stepped`: something moved, so it is worth looking again at once."""

    stepped: bool
    next_look_at: datetime | None


@dataclass(slots=True)
class Looks:
    """`hold`: the owner signs nothing that leads out of this phase."""

    house: House
    hold: Phase | None
    count: int = 0
    passed: dict[Place, dict[str, Any]] = field(default_factory=dict)
    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    thresholds: list[dict[str, Any]] = field(default_factory=list)
    _reviewed_at: datetime | None = None

    def look(self, session: Session) -> Looked:
        """Look at every version that is not retired; sign for those whose evidence says so."""
        self._hold_review(session)
        stepped, wished = False, []
        for rollout in version_queries.rollouts_under_way(session, self.house.agent):
            self.count += 1
            before = rollout.policy_revision
            self._find_thresholds(session, rollout)
            snapshot = gates.look(session, rollout, now=self.house.clock.now())
            self._remember(rollout, snapshot)
            if snapshot.verdict == Conclusion.ADVANCE and not snapshot.body["without_signature"]:
                self._sign(session, rollout, snapshot)
            stepped = stepped or rollout.policy_revision != before
            if rollout.next_look_at is not None:
                wished.append(rollout.next_look_at)
        return Looked(stepped, min(wished, default=None))

    def _find_thresholds(self, session: Session, rollout: Rollout) -> None:
        """Take the looks that the plan declares, and put what the newest one found in force, as an owner would."""
        house, now = self.house, self.house.clock.now()
        taken = thresholds.take_due(session, rollout, secret=house.ctx.secret, now=now)
        for row in {row.segment: row for row in taken}.values():
            policy = thresholds.apply(session, rollout, row, actor=house.owner, now=now)
            self.thresholds.append(
                {
                    "at": now,
                    "version": row.version,
                    "segment": row.segment,
                    "look": row.look,
                    "labels": row.labels,
                    "threshold": row.threshold,
                    "coverage": row.answer["coverage"],
                    "words": row.answer["explanation"],
                    "policy_revision": policy.revision,
                    "calibration_id": row.id,
                }
            )

    def _sign(self, session: Session, rollout: Rollout, snapshot: EvidenceSnapshot) -> None:
        """The owner, and where the plan asks for a second person, that one too."""
        if self.hold is not None and rollout.phase == self.hold and snapshot.body["target"]["phase"] != rollout.phase:
            return
        answered = self._signed(session, rollout, snapshot, self.house.owner)
        if answered.change is None and answered.approval.missing:
            self._signed(session, rollout, snapshot, self.house.second)

    def _signed(self, session: Session, rollout: Rollout, snapshot: EvidenceSnapshot, actor: Actor) -> gates.Answered:
        now = self.house.clock.now()
        reason = "every gate passes (signed by the replay)"
        return gates.sign(session, rollout, snapshot.id, actor=actor, now=now, reason=reason)

    def _hold_review(self, session: Session) -> None:
        now = self.house.clock.now()
        if self._reviewed_at is None or now - self._reviewed_at >= REVIEW_EVERY:
            self._reviewed_at = now
            self.house.hold_review(session)
            session.flush()  # the look that follows has to see it

    def _remember(self, rollout: Rollout, snapshot: EvidenceSnapshot) -> None:
        body = snapshot.body
        self.newest[rollout.version] = {"at": self.house.clock.now(), "evidence_id": snapshot.id, **_summary(body)}
        for gate in body["gates"]:
            if gate["verdict"] != "pass":
                continue
            place = (rollout.version, body["epoch"], body["ramp_step"], gate["name"])
            if place not in self.passed:
                self.passed[place] = {
                    "version": rollout.version,
                    "phase": body["phase"],
                    "epoch": body["epoch"],
                    "ramp_step": body["ramp_step"],
                    "gate": gate["name"],
                    "passed_at": self.house.clock.now(),
                    "evidence_id": snapshot.id,
                    **{key: gate[key] for key in _TOLD},
                }


_TOLD = ("metric", "limit", "bad", "cases", "pending", "seen", "bound", "value", "words")


def _summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the newest look found: enough to say why a version is not further."""
    return {
        "phase": body["phase"],
        "share": body["share"],
        "verdict": body["verdict"],
        "reasons": body["reasons"],
        "gates": [
            {"gate": gate["name"], "verdict": gate["verdict"], **{k: gate[k] for k in _TOLD}} for gate in body["gates"]
        ],
        "guardrails": [
            {
                key: rail[key]
                for key in ("name", "metric", "verdict", "limit", "bad", "cases", "seen", "nearness", "words")
            }
            for rail in body["guardrails"]
        ],
    }
