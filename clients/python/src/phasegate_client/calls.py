"""
What each call does, step by step, without doing any of it: retries, the time budget, and the one law of the SDK,
that any doubt means a person.

A call is a generator. It yields `Send`, `Keep` and `Pause`, is handed what came of it or the error that came instead,
and returns its answer. The two clients in `client.py` only carry out the steps, one with threads and one with asyncio.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeVar
from uuid import uuid4

from phasegate_client import answers, requests
from phasegate_client.answers import Expected, Reply, StoredHumanOutput
from phasegate_client.breaker import Breaker
from phasegate_client.decisions import Decision, Reason, hand_to_a_person
from phasegate_client.errors import (
    HandedOver,
    MalformedAnswer,
    PhasegateError,
    Refused,
    TimedOut,
    Unanswered,
    Unavailable,
    Unexpected,
    Unsendable,
)
from phasegate_client.requests import HumanOutput, Proposal, Request, Severity
from phasegate_client.spool import Spool
from phasegate_client.spool_store import Entry

log = logging.getLogger("phasegate_client")

MOST_TRIES = 4
LONGEST_POLL = 30  # seconds; the server allows 60, proxies often cut at 60 too
FOR_THE_DISK = 0.15  # of the budget is left to spool a case that got no answer,
MOST_FOR_THE_DISK = 0.3  # but no more than these seconds

_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Send:
    """Send it and hand back a `Reply`, or the error; after `seconds` at the latest."""

    request: Request
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Keep:
    """Spool them and hand back for each None once it is on disk, or the error; after `seconds` at the latest."""

    entries: tuple[Entry, ...]
    seconds: float


_T = TypeVar("_T")
Step = Send | Pause | Keep
Result = Reply | PhasegateError | list[PhasegateError | None] | None
Call = Generator[Step, Result, _T]


@dataclass(frozen=True, slots=True)
class Calls:
    """`clock` counts seconds from any start; `jitter` draws from 0 to 1. `budget` is in seconds, retries included."""

    agent: str | None
    version: str | None
    budget: float
    raise_errors: bool
    clock: Callable[[], float]
    jitter: Callable[[], float]
    breaker: Breaker
    spool: Spool | None = None

    def decide(self, proposal: Proposal) -> Call[Decision]:
        deadline = self.clock() + self.budget
        try:
            proposal = self._filled_in(proposal)
            self._refuse_handed_over(proposal)
            reply = yield from self._exchange(requests.decide(proposal), self.budget - self._reserve)
            expected = Expected(proposal.agent, proposal.case_id, proposal.version, proposal.attempt)
            return answers.read_decision(reply, expected)
        except Exception as error:  # noqa: BLE001 - the one law: no defect of ours may stop or free the agent
            doubt = self._doubt(error)
        return (yield from self._to_people([(doubt, proposal)], deadline))[0]

    def decide_many(self, proposals: Sequence[Proposal]) -> Call[list[Decision]]:
        """As many requests as it takes, each with the full time. A doubt about one is no doubt about the others."""
        decided: dict[int, Decision] = {}
        asked: dict[int, tuple[Proposal, Request]] = {}
        for number, given in enumerate(proposals):
            proposal, deadline = self._filled_in(given), self.clock() + self.budget
            try:
                self._refuse_handed_over(proposal)
                asked[number] = proposal, requests.decide(proposal)
            except Exception as error:  # noqa: BLE001 - as in decide
                [decided[number]] = yield from self._to_people([(self._doubt(error), proposal)], deadline)
        for numbers in requests.batches({number: request for number, (_, request) in asked.items()}):
            together = [asked[number] for number in numbers]
            decided |= zip(numbers, (yield from self._decide_together(together)), strict=False)
        return [decided[number] for number in range(len(proposals))]

    def _decide_together(self, asked: Sequence[tuple[Proposal, Request]]) -> Call[list[Decision]]:
        deadline = self.clock() + self.budget
        results: Sequence[Decision | PhasegateError]
        try:
            request = requests.together([request for _, request in asked])
            reply = yield from self._exchange(request, self.budget - self._reserve)
            expected = [Expected(one.agent, one.case_id, one.version, one.attempt) for one, _ in asked]
            results = answers.read_decisions(reply, expected)
        except Exception as error:  # noqa: BLE001 - as in decide
            results = [self._doubt(error)] * len(asked)  # told once for all of them
        else:
            results = [one if isinstance(one, Decision) else self._doubt(one) for one in results]
        answered = list(zip(results, (proposal for proposal, _ in asked), strict=False))
        doubts = [(doubt, proposal) for doubt, proposal in answered if not isinstance(doubt, Decision)]
        handed_over = iter((yield from self._to_people(doubts, deadline)))
        return [result if isinstance(result, Decision) else next(handed_over) for result, _ in answered]

    def _refuse_handed_over(self, proposal: Proposal) -> None:
        if self.spool is not None and self.spool.holds(requests.key_of(proposal)):
            raise HandedOver("this case was given to a person, and the server has still to be told")

    def _to_people(self, doubts: Sequence[tuple[PhasegateError, Proposal]], deadline: float) -> Call[list[Decision]]:
        """The one law, and what the server has to be told of it later."""
        decisions = [
            hand_to_a_person(doubt, agent=of.agent, case_id=of.case_id, version=of.version, attempt=of.attempt)
            for doubt, of in doubts
        ]
        told: dict[int, Entry] = {}
        for number, (doubt, proposal) in enumerate(doubts):
            if self.spool is not None and isinstance(doubt, HandedOver):
                decisions[number] = replace(decisions[number], spooled=self.spool.has_kept(requests.key_of(proposal)))
            elif self.spool is not None and not isinstance(doubt, (Refused, Unsendable)):
                try:
                    told[number] = _told_later(proposal)
                except Exception as error:  # noqa: BLE001 - as in decide
                    decisions[number] = _untold(decisions[number], Unexpected(f"{type(error).__name__}: {error}"))
        if not told:
            return decisions
        for number, trouble in zip(told, (yield from self._keep(told.values(), deadline)), strict=False):
            kept = replace(decisions[number], spooled=True)
            decisions[number] = kept if trouble is None else _untold(decisions[number], trouble)
        return decisions

    def observe(self, proposal: Proposal, done: HumanOutput) -> Call[None]:
        """Tell what a version would have answered for a case that is done already, and what was done."""
        deadline = self.clock() + self.budget
        proposal = replace(self._filled_in(proposal), handed_over=True)
        request = requests.decide(proposal)
        try:
            reply = yield from self._exchange(request, self.budget - self._reserve)
            answers.check_receipt(reply, requests.key_of(proposal))
        except Unanswered as trouble:
            if self.spool is None:
                raise
            [not_kept] = yield from self._keep([_entry(request, requests.key_of(proposal))], deadline)
            if not_kept is not None:
                raise not_kept from trouble
        yield from self.add_human_outputs([done], proposal.agent)

    def wait(self, decision: Decision | str, timeout: float | None) -> Call[Decision]:
        """
        Trouble on the way is waited out: the server may be restarting, and the review is kept there. Only an
        answer that asking again would not change ends the waiting early.
        """
        known = decision if isinstance(decision, Decision) else None
        if known is not None and not known.is_waiting:
            return known
        decision_id = decision.id if isinstance(decision, Decision) else decision
        try:
            return (yield from self._poll(decision_id, known, timeout))
        except Unanswered as error:
            doubt = self._doubt(error)
            if known is not None:
                return replace(known, certain=False, error=doubt)
        except Exception as error:  # noqa: BLE001 - as in decide
            doubt = self._doubt(error)
        if known is not None:
            return replace(
                hand_to_a_person(doubt, decision_id=known.id, attempt=known.attempt),
                agent=known.agent,
                case_id=known.case_id,
                version=known.version,
            )
        return hand_to_a_person(doubt, decision_id=decision_id)

    def _poll(self, decision_id: str | None, known: Decision | None, timeout: float | None) -> Call[Decision]:
        expected = _same_as(known) if known else Expected(id=decision_id)
        until = math.inf if timeout is None else self.clock() + timeout
        in_vain = 0
        while True:
            asked_at = self.clock()
            seconds = int(max(0.0, min(until - asked_at, LONGEST_POLL)))
            trouble: Unanswered | None = None
            try:
                request = requests.look_at_decision(decision_id, seconds)
                # Not by way of the breaker: a long poll has pauses of its own, and would be a slow probe.
                reply = yield from self._tries(request, seconds + self.budget)
                known = answers.read_decision(reply, expected)
                if not known.is_waiting:
                    return known
            except Unanswered as error:
                trouble = error
            left = until - self.clock()
            if left <= 0:
                if trouble is not None:
                    raise trouble
                assert known is not None  # no trouble: it was read
                return known
            # Pausing also when a server answers "still waiting" at once keeps this from becoming a busy loop.
            waited_in_full = trouble is None and self.clock() - asked_at >= seconds > 0
            in_vain = 0 if waited_in_full else in_vain + 1
            if in_vain:
                yield Pause(min(self._backoff(in_vain, most=2.0), left))

    def add_human_outputs(
        self, items: Sequence[HumanOutput], agent: str | None, key: str | None = None
    ) -> Call[list[StoredHumanOutput]]:
        key = key if key is not None else str(uuid4())
        stored: list[StoredHumanOutput] = []
        for start in range(0, len(items), requests.LARGEST_BATCH):
            batch = items[start : start + requests.LARGEST_BATCH]
            # Of this batch, however often it is sent: after a lost answer it must not overwrite a later correction.
            of_batch = key if start == 0 else f"{key}:{start}"
            request = requests.add_human_outputs(agent or self.agent, batch, key=of_batch)
            case_ids = [item.case_id for item in batch]
            deadline = self.clock() + self.budget
            try:
                stored += yield from self._send_human_outputs(request, case_ids)
            except (Unanswered, MalformedAnswer) as trouble:
                if self.spool is None:
                    raise
                [not_kept] = yield from self._keep([_entry(request)], deadline)
                if not_kept is not None:
                    raise trouble from not_kept
                log.warning("%d human outputs are spooled: %s", len(batch), trouble)
                stored += [StoredHumanOutput("", case_id, 0, "spooled") for case_id in case_ids]
        return stored

    def _send_human_outputs(self, request: Request, case_ids: list[str]) -> Call[list[StoredHumanOutput]]:
        if self.spool is not None and self.spool.holds_human_outputs:
            raise HandedOver("others are waiting to be sent, and a correction must not overtake them")
        reply = yield from self._exchange(request, self.budget - self._reserve)
        return answers.read_human_outputs(reply, case_ids)

    def report_failure(
        self, decision: Decision | str, severity: Severity, description: str, correct_output: Any, key: str | None
    ) -> Call[dict[str, Any]]:
        decision_id = decision.id if isinstance(decision, Decision) else decision
        key = key if key is not None else str(uuid4())  # of this report, however often it is sent
        request = requests.report_failure(decision_id, severity, description, correct_output, key=key)
        reply = yield from self._exchange(request, self.budget)
        return answers.read_object(reply)

    def show_case(self, case_id: str, agent: str | None) -> Call[dict[str, Any]]:
        reply = yield from self._exchange(requests.show_case(agent or self.agent, case_id), self.budget)
        return answers.read_object(reply)

    @property
    def _reserve(self) -> float:
        return min(MOST_FOR_THE_DISK, FOR_THE_DISK * self.budget) if self.spool is not None else 0.0

    def _filled_in(self, proposal: Proposal) -> Proposal:
        return replace(proposal, agent=proposal.agent or self.agent, version=proposal.version or self.version)

    def _keep(self, entries: Iterable[Entry], deadline: float) -> Call[list[PhasegateError | None]]:
        result = yield Keep(tuple(entries), max(0.0, deadline - self.clock()))
        assert isinstance(result, list)  # a step that keeps says what became of each
        return result

    def _exchange(self, request: Request, budget: float) -> Call[Reply]:
        """By way of the breaker: any answer closes it, none after several others opens it."""
        self.breaker.admit()
        try:
            reply = yield from self._tries(request, budget)
        except Unanswered as error:
            retry_after = error.retry_after if isinstance(error, Unavailable) else None
            if isinstance(error, Unavailable) and error.status == _TOO_MANY_REQUESTS:
                self.breaker.gave_up()  # the server is well, and says that it is us
            else:
                self.breaker.failed(retry_after)
            raise
        except Unexpected:  # a defect on this side says nothing of the server
            self.breaker.gave_up()
            raise
        except PhasegateError:
            self.breaker.succeeded()
            raise
        except BaseException:  # the caller was cancelled
            self.breaker.gave_up()
            raise
        self.breaker.succeeded()
        return reply

    def _tries(self, request: Request, budget: float) -> Call[Reply]:
        """Send until answered, as often as it makes sense within the budget; raise what came last otherwise."""
        deadline = self.clock() + budget
        tries = 0
        trouble: PhasegateError | None = None
        while True:
            result = yield Send(request, max(0.0, deadline - self.clock()))
            assert not isinstance(result, list)  # that comes of keeping
            before, trouble = trouble, answers.trouble_in(result) if isinstance(result, Reply) else result
            if trouble is None:
                assert isinstance(result, Reply)  # a step that is sent is answered or fails
                return result
            if before is not None and isinstance(trouble, TimedOut):
                trouble = before  # what went wrong says more than that the rest of the time was short
            tries += 1
            pause = self._pause_before_retry(trouble, tries)
            if pause is None or pause >= deadline - self.clock():
                raise trouble
            yield Pause(pause)

    def _pause_before_retry(self, trouble: PhasegateError, tries: int) -> float | None:
        """Seconds, or None when trying again is useless."""
        if not isinstance(trouble, Unanswered) or tries >= MOST_TRIES:
            return None
        pause = self._backoff(tries, most=0.5)
        if isinstance(trouble, Unavailable) and trouble.retry_after is not None:
            # The jitter on top keeps all the agents that were turned away from coming back together.
            return trouble.retry_after + pause * 0.1
        return pause

    def _backoff(self, tries: int, *, most: float) -> float:
        """50 ms, doubled with each try up to `most`, of which at least half is kept and the rest is drawn."""
        return float(min(most, 0.05 * 2 ** min(tries - 1, 10)) * (0.5 + self.jitter() / 2))

    def _doubt(self, error: Exception) -> PhasegateError:
        """The error to put in the decision, told to the log; raised when the caller wants errors raised."""
        if isinstance(error, PhasegateError):
            log.warning("handing over to a person: %s", error)
            doubt = error
        else:
            log.error("handing over to a person after a defect in the client", exc_info=error)
            doubt = Unexpected(f"{type(error).__name__}: {error}")
        if self.raise_errors:
            raise doubt from (None if doubt is error else error)
        # Frames kept by a traceback would keep the case's input and output alive as long as the decision.
        return doubt.with_traceback(None)


def _told_later(proposal: Proposal) -> Entry:
    now = datetime.now(timezone.utc)  # noqa: TID251 - the agent's clock; the server will have it much later
    told = replace(proposal, handed_over=True, occurred_at=proposal.occurred_at or now)
    return _entry(requests.decide(told), requests.key_of(told))


def _entry(request: Request, key: str | None = None) -> Entry:
    return Entry(request.path, request.body or b"", key, request.idempotency_key)


def _untold(decision: Decision, trouble: PhasegateError) -> Decision:
    reason = Reason(trouble.code, f"the server will not be told of it: {trouble}")
    return replace(decision, reasons=(*decision.reasons, reason))


def _same_as(known: Decision) -> Expected:
    return Expected(known.agent, known.case_id, known.version, known.attempt, known.id)
