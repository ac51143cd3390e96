"""The steps of a call, on a clock that only moves when a step takes time."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from phasegate_client import calls, errors
from phasegate_client.answers import Reply
from phasegate_client.breaker import FAILURES, LONGEST_PAUSE, Breaker, Circuit
from phasegate_client.calls import Call, Calls, Pause, Result, Send
from phasegate_client.decisions import Decision, Route
from phasegate_client.requests import HumanOutput, Proposal

Stored = Callable[..., dict[str, Any]]

PROPOSAL = Proposal("form-1", "7", 0.97)
REFUSED_CONNECTION = errors.Unreachable("connection refused", never_sent=True)
RESET = errors.Unreachable("connection reset")


class Stage:
    """Plays a call: hands out the results in turn, the last one for ever, and keeps the steps and the time."""

    def __init__(self, *results: Result | tuple[float, Result], agent: str | None = "reader") -> None:
        self.results = [item if isinstance(item, tuple) else (0.0, item) for item in results]
        self.now = 0.0
        self.sent: list[Send] = []
        self.pauses: list[float] = []
        clock, jitter = (lambda: self.now), (lambda: 1.0)
        self.calls = Calls(agent, "v1", 2.0, False, clock, jitter, Breaker(clock, jitter))

    def play(self, call: Call[Any]) -> Any:
        result: Result = None
        while True:
            try:
                step = call.send(result)
            except StopIteration as answered:
                return answered.value
            if isinstance(step, Pause):
                self.pauses.append(step.seconds)
                self.now += step.seconds
                result = None
            else:
                self.sent.append(step)
                took, result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
                self.now += min(took, step.seconds)
                assert len(self.sent) < 1000, "this call never ends"

    def decide(self) -> Decision:
        decision = self.play(self.calls.decide(PROPOSAL))
        assert isinstance(decision, Decision)
        return decision

    def wait(self, decision: Decision | str, timeout: float | None) -> Decision:
        answer = self.play(self.calls.wait(decision, timeout))
        assert isinstance(answer, Decision)
        return answer


def ok(body: Any) -> Reply:
    return Reply(201, json.dumps(body).encode())


class TestDecide:
    def test_answers_what_the_server_decided(self, stored: Stored) -> None:
        stage = Stage(ok(stored()))

        decision = stage.decide()

        assert decision.may_proceed
        assert len(stage.sent) == 1

    @pytest.mark.parametrize("trouble", [REFUSED_CONNECTION, RESET, Reply(500), Reply(503, b"", "0.1")])
    def test_tries_again_with_the_very_same_request(self, stored: Stored, trouble: Result) -> None:
        stage = Stage(trouble, trouble, ok(stored()))

        assert stage.decide().certain
        assert len({step.request for step in stage.sent}) == 1
        assert len(stage.sent) == 3

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 302])
    def test_does_not_try_again_what_would_be_refused_again(self, status: int) -> None:
        stage = Stage(Reply(status))

        decision = stage.decide()

        assert (decision.route, decision.certain) == (Route.HUMAN, False)
        assert len(stage.sent) == 1

    def test_spends_no_more_than_its_budget_in_all(self) -> None:
        stage = Stage((0.9, Reply(500)))

        assert stage.decide().error is not None
        assert stage.now <= 2.0

    def test_gives_each_try_only_what_is_left(self, stored: Stored) -> None:
        stage = Stage((0.5, RESET), ok(stored()))

        stage.decide()

        assert stage.sent[0].seconds == 2.0
        assert stage.sent[1].seconds == pytest.approx(1.5 - stage.pauses[0])

    def test_stops_after_a_few_tries_however_fast_they_fail(self) -> None:
        stage = Stage(REFUSED_CONNECTION)

        stage.decide()

        assert len(stage.sent) == calls.MOST_TRIES

    def test_waits_longer_before_each_try(self) -> None:
        stage = Stage(RESET)

        stage.decide()

        assert stage.pauses == sorted(set(stage.pauses))

    def test_waits_as_long_as_the_server_asks(self, stored: Stored) -> None:
        stage = Stage(Reply(503, b"", "1"), ok(stored()))

        assert stage.decide().certain
        assert stage.pauses[0] >= 1.0

    def test_hands_over_at_once_when_the_server_asks_for_more_time_than_there_is(self) -> None:
        stage = Stage(Reply(503, b"", "30"))

        decision = stage.decide()

        assert decision.route is Route.HUMAN
        assert stage.now == 0.0

    def test_sends_nothing_when_it_cannot_say_what_it_means(self, stored: Stored) -> None:
        stage = Stage(ok(stored()), agent=None)

        decision = stage.decide()

        assert isinstance(decision.error, errors.Unsendable)
        assert stage.sent == []

    def test_names_the_doubt_as_the_reason(self) -> None:
        decision = Stage(errors.TimedOut("no answer within 2 s")).decide()

        assert [(reason.code, reason.words) for reason in decision.reasons] == [("timed_out", "no answer within 2 s")]
        assert decision.case_id == "form-1"
        assert not decision.may_proceed

    def test_names_what_went_wrong_rather_than_that_its_time_ran_out(self) -> None:
        decision = Stage((1.9, Reply(500)), errors.TimedOut("no answer within 0.05 s")).decide()

        assert isinstance(decision.error, errors.Unavailable)

    def test_raises_instead_when_asked_to(self) -> None:
        stage = Stage(Reply(409))
        strict = replace(stage.calls, raise_errors=True)

        with pytest.raises(errors.Conflict):
            stage.play(strict.decide(PROPOSAL))


class TestWait:
    def test_polls_until_a_person_has_ruled(self, waiting: dict[str, Any], approved: dict[str, Any]) -> None:
        stage = Stage(ok(waiting), (30.0, ok(waiting)), (30.0, ok(waiting)), (5.0, ok(approved)))

        decision = stage.wait(stage.decide(), None)

        assert decision.may_proceed
        assert decision.outcome is not None
        assert decision.outcome.decided_by == "rita"
        assert stage.now == 65.0

    def test_asks_for_whole_seconds_and_no_more_than_are_left(self, waiting: dict[str, Any]) -> None:
        stage = Stage(ok(waiting), (30.0, ok(waiting)), (10.0, ok(waiting)), ok(waiting))

        stage.wait(stage.decide(), 40.5)

        assert [step.request.path.partition("?")[2] for step in stage.sent[1:4]] == ["wait=30", "wait=10", ""]
        assert stage.now == pytest.approx(40.5)

    def test_comes_back_still_waiting_when_the_time_is_over(self, waiting: dict[str, Any]) -> None:
        stage = Stage(ok(waiting))

        decision = stage.wait(stage.decide(), 0)

        assert decision.is_waiting
        assert decision.certain
        assert len(stage.sent) == 2

    def test_outlasts_a_server_that_restarts(self, waiting: dict[str, Any], approved: dict[str, Any]) -> None:
        away = [REFUSED_CONNECTION] * 20
        stage = Stage(ok(waiting), RESET, *away, Reply(503), ok(approved))

        assert stage.wait(stage.decide(), 600).may_proceed

    def test_does_not_hammer_a_server_that_answers_still_waiting_at_once(self, waiting: dict[str, Any]) -> None:
        stage = Stage(ok(waiting))

        stage.wait(stage.decide(), 60)

        assert len(stage.sent) < 60

    def test_stays_resumable_when_the_server_is_away_to_the_end(self, waiting: dict[str, Any]) -> None:
        stage = Stage(ok(waiting), REFUSED_CONNECTION)

        decision = stage.wait(stage.decide(), 5)

        assert decision.is_waiting
        assert not decision.certain
        assert decision.error is REFUSED_CONNECTION

    def test_goes_on_from_an_id_alone(self, approved: dict[str, Any]) -> None:
        assert Stage(ok(approved)).wait(approved["id"], 5).may_proceed

    def test_hands_over_when_an_id_alone_finds_nobody(self) -> None:
        decision = Stage(REFUSED_CONNECTION).wait("d-1", 5)

        assert (decision.route, decision.certain, decision.id) == (Route.HUMAN, False, "d-1")

    @pytest.mark.parametrize("answer", [Reply(404), Reply(403), Reply(200, b"<html>"), ok({"route": "auto"})])
    def test_hands_over_on_an_answer_that_waiting_will_not_mend(self, waiting: dict[str, Any], answer: Reply) -> None:
        stage = Stage(ok(waiting), answer)

        decision = stage.wait(stage.decide(), None)

        assert (decision.route, decision.certain, decision.case_id) == (Route.HUMAN, False, "form-1")

    def test_hands_over_when_told_of_another_case(self, waiting: dict[str, Any], approved: dict[str, Any]) -> None:
        stage = Stage(ok(waiting), ok(approved | {"case_id": "form-2"}))

        assert not stage.wait(stage.decide(), None).may_proceed

    @pytest.mark.parametrize("route", ["auto", "human", "shadow", "block"])
    def test_asks_nothing_when_nobody_has_to_rule(self, stored: Stored, route: str) -> None:
        stage = Stage(ok(stored(route=route)))
        decision = stage.decide()

        assert stage.wait(decision, None) is decision
        assert len(stage.sent) == 1


class TestReporting:
    def test_sends_many_human_outputs_in_batches_of_a_thousand(self) -> None:
        items = [HumanOutput(f"form-{number}", "7") for number in range(2001)]
        rows = [{"id": "h", "case_id": item.case_id, "revision": 1, "status": "created"} for item in items]
        stage = Stage(*(ok({"items": rows[start : start + 1000]}) for start in (0, 1000, 2000)))

        stored = stage.play(stage.calls.add_human_outputs(items, None))

        assert [row.case_id for row in stored] == [item.case_id for item in items]
        assert len({send.request.idempotency_key for send in stage.sent}) == len(stage.sent) == 3

    def test_human_outputs_keep_their_key_in_every_try_and_have_the_callers_where_it_gives_one(self) -> None:
        items = [HumanOutput(f"form-{number}", "7") for number in range(1001)]
        rows = [{"id": "h", "case_id": item.case_id, "revision": 1, "status": "created"} for item in items]
        stage = Stage(RESET, ok({"items": rows[:1000]}), ok({"items": rows[1000:]}))

        stage.play(stage.calls.add_human_outputs(items, None, "night-7"))

        assert [send.request.idempotency_key for send in stage.sent] == ["night-7", "night-7", "night-7:1000"]

    @pytest.mark.parametrize("trouble", [REFUSED_CONNECTION, RESET, Reply(500), Reply(503), Reply(429)])
    def test_a_failure_report_that_is_sent_again_is_the_same_report(self, trouble: Result) -> None:
        stage = Stage(trouble, ok({"id": "f-1"}), ok({"id": "f-2"}))

        first = stage.play(stage.calls.report_failure("d-1", "major", "read a 1 as a 7", None, None))
        second = stage.play(stage.calls.report_failure("d-1", "major", "read a 1 as a 7", None, None))

        keys = [send.request.idempotency_key for send in stage.sent]
        assert (first, second) == ({"id": "f-1"}, {"id": "f-2"})
        assert keys[0] == keys[1] != keys[2]

    def test_a_failure_of_a_decision_that_was_never_stored_cannot_be_reported(self) -> None:
        stage = Stage(REFUSED_CONNECTION)
        decision = stage.decide()

        with pytest.raises(errors.Unsendable):
            stage.play(stage.calls.report_failure(decision, "major", "read a 1 as a 7", None, None))


def test_a_defect_on_this_side_neither_closes_the_circuit_nor_holds_the_probe() -> None:
    stage = Stage(REFUSED_CONNECTION)
    for _ in range(FAILURES):
        stage.decide()
    stage.now += LONGEST_PAUSE
    stage.results = [(0.0, errors.Unexpected("the transport is broken"))]
    probe = stage.decide()
    assert isinstance(probe.error, errors.Unexpected)

    assert stage.calls.breaker.state is Circuit.HALF_OPEN
    assert isinstance(stage.decide().error, errors.Unexpected)  # tried again, not turned away
