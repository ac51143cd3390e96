"""
Thirteen weeks of the digit reader, day by day.

In the morning the forms arrive and the agent asks the service about each; in the evening people rule on
what waits and type what they did themselves; then the owner looks, and signs when every gate passes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from phasegate_client import HumanOutput, Phasegate

from demo.books import Books, Found, Handled, Step
from demo.digits import Reader, Scans
from demo.http import Desk
from demo.people import Reviewer, case_id
from kit.clock import SharedClock

AGENT = "digit-reader"
STABLE, CANDIDATE = "1.0.0", "2.0.0"
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAYS = 91
SUITE = range(600, 750)  # scans that neither model was trained on
FIRST_CASE = 750
CASES_A_DAY = 12
CANDIDATE_FROM, CANDIDATE_UNTIL = 40, 60
FAULT_FROM = 74
REPAIRED_AFTER = 3  # days after the demotion


@dataclass(slots=True)
class Weeks:
    """The story and everybody in it."""

    clock: SharedClock
    agent: Phasegate
    owner: Desk
    second: Desk
    admin: Desk
    reviewers: list[Reviewer]
    scans: Scans
    stable: Reader
    candidate: Reader
    books: Books = field(default_factory=Books)
    day: int = 0
    next_case: int = FIRST_CASE
    fault: bool = False
    demoted_on: int | None = None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)  # the status of each version after the last look
    candidate_gates: list[dict[str, Any]] = field(default_factory=list)  # at the last look on fresh evidence

    def live(self, on_day: Callable[[int, str], None]) -> None:
        """All ninety-one days; `on_day(day, phase)` after each."""
        while self.day < DAYS:
            last = self.day == DAYS - 1
            self._milestones()
            phase = self.status(STABLE)["phase"]
            if phase != "evaluation":
                self._morning()
            self._evening(leave_some=last)
            on_day(self.day, phase)
            self.day += 1

    def status(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = self.owner.get(f"/v1/agents/{AGENT}/versions/{version}/rollout")
        return found

    def _at(self, hours: float) -> datetime:
        return START + timedelta(days=self.day, hours=hours)

    def _milestones(self) -> None:
        self.clock.set(self._at(0))
        if self.day == CANDIDATE_FROM:
            body = {"label": CANDIDATE, "about": "Retrained on fewer forms.", "small_change": True}
            self.admin.post(f"/v1/agents/{AGENT}/versions", body)
        if self.day == FAULT_FROM:
            self.fault = True
        if self.demoted_on is not None and self.day == self.demoted_on + REPAIRED_AFTER:
            self.fault = False

    @property
    def _double_keyed(self) -> bool:
        """While the candidate is in shadow, people type every form as well, so that there are pairs."""
        return CANDIDATE_FROM <= self.day < CANDIDATE_UNTIL

    def _morning(self) -> None:
        """The forms arrive, one every forty minutes."""
        typed: list[int] = []
        for place in range(CASES_A_DAY):
            self.clock.set(self._at(0.5 + place * 2 / 3))
            number = self.next_case
            self.next_case += 1
            route = self._handle(number)
            if route in {"shadow", "human"} or self._double_keyed:
                typed.append(number)
        self.clock.set(self._at(9))
        if typed:
            typed_by_people = [
                HumanOutput(case_id(n), {"digit": int(self.scans.typed[n])}, person="amira") for n in typed
            ]
            self.agent.human_outputs(typed_by_people, agent=AGENT)
            for number in typed:
                self.books.note_work(number, "typed")

    def _handle(self, number: int) -> str:
        source = self.scans.source(number)
        image = self.scans.image(number, inverted=self.fault and source == "north")
        reading = self.stable.read(image)
        decision = self._ask(STABLE, number, image, source, reading.digit, reading.confidence)
        self.books.handled.append(
            Handled(
                number=number,
                phase=decision.phase or "",
                route=decision.route.value,
                audited=decision.audit_probability is not None,
                wrong=reading.digit != int(self.scans.digits[number]),
                at=self.clock.now(),
            )
        )
        if self._double_keyed:
            other = self.candidate.read(image)
            self._ask(CANDIDATE, number, image, source, other.digit, other.confidence)
        return str(decision.route.value)

    def _ask(
        self, version: str, number: int, image: list[list[int]], source: str, digit: int, confidence: float
    ) -> Any:
        decision = self.agent.decide(
            agent=AGENT,
            version=version,
            case_id=case_id(number),
            input={"image": image, "source": source},
            output={"digit": digit},
            confidence=confidence,
            segment=source,
            occurred_at=self.clock.now(),
        )
        if not decision.certain:
            self.books.uncertain.append(f"{case_id(number)}: {decision.error}")
        return decision

    def _evening(self, *, leave_some: bool) -> None:
        self.clock.set(self._at(9.5))
        self._wait_until_counted()  # what people typed is compared, and some of it is judged today
        for reviewer in self.reviewers:
            reviewer.work(AGENT, most=0 if leave_some else 200)
        self.clock.set(self._at(10))
        self._wait_until_counted()
        if self.day % 7 == 6:
            self.owner.post(f"/v1/agents/{AGENT}/reviews-held", {"decision": "Keep going", "note": "Figures read."})
        self._find_threshold()
        for version in self._versions():
            self._look(version)

    def _find_threshold(self) -> None:
        """When the labels for the declared look are in, the owner reads what they allow and puts it in force."""
        path = f"/v1/agents/{AGENT}/versions/{STABLE}/calibrations"
        self.owner.post(f"{path}/look")
        for found in self.owner.get(path)["items"]:
            if found["applied_revision"] is not None:
                continue
            self.owner.post(f"{path}/{found['id']}/apply")
            answer = found["answer"]
            self.books.thresholds.append(
                Found(
                    STABLE,
                    found["labels"],
                    answer["errors"],
                    found["threshold"],
                    answer["explanation"],
                    self.clock.now(),
                )
            )

    def _versions(self) -> list[str]:
        return [STABLE, CANDIDATE] if self.day >= CANDIDATE_FROM else [STABLE]

    def _wait_until_counted(self) -> None:
        """The workers compare and count in the background; the owner looks when they are through."""
        for _ in range(1200):
            backlog = self.owner.get("/v1/backlog")
            if not backlog["unsettled_decisions"] and not backlog["unsettled_human_outputs"]:
                return
            time.sleep(0.05)
        raise RuntimeError("the workers did not settle the day's cases within a minute")

    def _look(self, version: str) -> None:
        """
        The owner's look. A guardrail may have fired before it, at a look of the workers, so a fall is told by
        the phase that was known last.
        """
        evidence = self.owner.post(f"/v1/agents/{AGENT}/versions/{version}/rollout/look")
        now = self.status(version)
        before = self.known.get(version, now)
        if version == CANDIDATE and self.day == CANDIDATE_UNTIL + 2:  # settled: see settle_days in the plan
            self.candidate_gates = evidence["gates"]
        if now["phase"] != before["phase"]:
            self._note(version, before, now, "guardrail", self._evidence_of_the_fall(version))
            self.demoted_on = self.demoted_on or self.day
        elif evidence["verdict"] == "advance":
            self._sign(version, now, evidence)
        self.known[version] = self.status(version)

    def _evidence_of_the_fall(self, version: str) -> dict[str, Any]:
        """What the guardrail fired on; the newest evidence is already about the phase below."""
        path = f"/v1/agents/{AGENT}/versions/{version}/rollout"
        history = self.owner.get(f"{path}/history")["items"]
        fall = next(change for change in history if change["kind"] == "demoted")
        found: dict[str, Any] = self.owner.get(f"{path}/evidence/{fall['evidence_id']}")
        return found

    def _sign(self, version: str, before: dict[str, Any], evidence: dict[str, Any]) -> None:
        path = f"/v1/agents/{AGENT}/versions/{version}/rollout/advance"
        body = {"evidence_id": evidence["id"], "reason": "Every gate passes; I have read the evidence."}
        self.owner.post(path, body)
        after = self.status(version)
        by = "maria"
        if (after["phase"], after["ramp_step"]) == (before["phase"], before["ramp_step"]):
            self.second.post(path, body)
            after = self.status(version)
            by = "maria and paul"
        self._note(version, before, after, by, evidence)

    def _note(
        self, version: str, before: dict[str, Any], after: dict[str, Any], by: str, evidence: dict[str, Any]
    ) -> None:
        self.books.steps.append(
            Step(
                version=version,
                left=before["phase"],
                entered=after["phase"],
                share=after["ramp_share"],
                by=by,
                at=self.clock.now(),
                gates=evidence["gates"],
                fired=[guardrail for guardrail in evidence["guardrails"] if guardrail["breached"]],
                evidence_id=evidence["id"],
            )
        )
