import math
from datetime import timedelta
from typing import Any

import pytest

from evidence import multiplicity, sequences
from evidence.multiplicity import Standing
from rollout.domain.gate import judge_gate
from rollout.domain.metrics import Direction, Rate
from rollout.domain.phase import Lane, Phase, Severity
from rollout.domain.plan import Gate
from rollout.domain.rate_gate import Asked, weigh
from rollout.domain.situation import Situation, Source
from rollout.domain.totals import Cohort, Counts, Totals
from rollout.domain.verdict import GateResult, Verdict
from tests.unit.rollout.making import NOW, TODAY, counts, gate, plan, situation, suite_run, totals

NBSP = "\u00a0"


def judged(asked: Gate | None = None, **more: Any) -> GateResult:
    return judge_gate(asked or gate(), plan(), situation(**more))


def on(seen: Totals, **more: Any) -> GateResult:
    return judged(gate(**more), totals=seen)


class TestRate:
    def test_passes_on_enough_good_cases(self) -> None:
        result = on(totals(cases=300, overridden=3))

        assert result.verdict is Verdict.PASS
        assert (result.bad, result.cases, result.unsettled, result.cases_needed) == (3, 300, 1, 0)
        assert result.bound is not None
        assert result.bound < 0.05
        assert result.words == f"At most 3.5{NBSP}% overridden, 95{NBSP}% sure. The limit is 5{NBSP}%."
        assert not result.what_would_change

    def test_none_of_many_is_never_nothing(self) -> None:
        result = on(totals(cases=300))

        assert result.words == (
            f"None overridden in 300, so at most 1.4{NBSP}%, 95{NBSP}% sure. The limit is 5{NBSP}%."
        )

    def test_waits_between_the_bounds_and_says_for_how_many_cases(self) -> None:
        result = on(totals(cases=150, overridden=3))

        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.cases_needed is not None
        assert (
            result.what_would_change == f"About {result.cases_needed} more settled cases are needed at the rate seen."
        )
        later = on(totals(cases=150 + result.cases_needed, overridden=math.floor(0.02 * (150 + result.cases_needed))))
        assert later.verdict is Verdict.PASS

    def test_says_when_more_cases_do_not_help(self) -> None:
        result = on(totals(cases=150, overridden=9))

        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.cases_needed is None
        assert result.what_would_change == (
            f"It does not pass at the 6.0{NBSP}% overridden seen so far; that must come clearly below 5{NBSP}%."
        )

    def test_fails_on_harm_before_the_minimum_of_cases(self) -> None:
        result = on(totals(cases=20, overridden=15))

        assert result.verdict is Verdict.FAIL
        assert result.words.startswith("At least 4")

    def test_waits_for_the_minimum_of_cases_however_good(self) -> None:
        assert on(totals(cases=299), minimum_cases=300).verdict is Verdict.INCONCLUSIVE
        assert on(totals(cases=300), minimum_cases=300).verdict is Verdict.PASS
        assert on(totals(cases=299), minimum_cases=300).what_would_change == (
            "1 more settled case is needed; the plan asks for 300."
        )

    def test_counts_a_settled_case_without_a_verdict_as_bad_and_says_so(self) -> None:
        assert on(totals(cases=300, pending=30)).verdict is not Verdict.PASS
        assert on(totals(cases=300, pending=30)).words.endswith("30 of 300 cases have no verdict and count as bad.")
        assert on(totals(cases=300, pending=1)).words.endswith("1 of 300 cases has no verdict and counts as bad.")

    def test_what_nobody_ruled_on_is_not_measured_as_bad_either(self) -> None:
        result = on(totals(cases=300, pending=300))

        assert (result.verdict, result.seen, result.bad, result.pending) == (Verdict.INCONCLUSIVE, None, 300, 300)
        assert result.what_would_change == "People rule on the 300 cases without a verdict."
        assert on(totals(cases=300, overridden=100, pending=100)).seen == 0.5
        some = on(totals(cases=300, pending=9))
        assert some.what_would_change == (
            f"People rule on the 9 cases without a verdict, or about {some.cases_needed} more settled ones "
            "come in as before."
        )

    def test_does_not_count_young_cases(self) -> None:
        young = {Cohort(Lane.REVIEW, "", TODAY - timedelta(days=days)): counts(100) for days in range(8)}

        result = on(young)

        assert result.verdict is Verdict.NO_EVIDENCE
        assert (result.cases, result.unsettled) == (0, 800)
        assert result.words == "No case is settled yet: 800 cases are too young."
        assert result.what_would_change == "A case counts when it is more than 7 days old; the first on 24 Nov 2026."

    def test_counts_a_case_on_the_day_after_it_settled(self) -> None:
        eight_days = TODAY - timedelta(days=8)

        assert on(totals(cases=300, day=eight_days)).cases == 300
        assert on(totals(cases=1, day=eight_days + timedelta(days=1))).cases == 0

    def test_counts_its_own_lane_only(self) -> None:
        seen = {**totals(Lane.AUTO, 500, 100), **totals(Lane.REVIEW, 300)}

        assert on(seen).cases == 300

    def test_counts_all_lanes_where_no_verdict_is_needed(self) -> None:
        seen = {**totals(Lane.AUTO, 500), **totals(Lane.HUMAN, 100, pending=100, invalid_output=5)}

        result = on(seen, metric="invalid_output_rate")

        assert (result.bad, result.cases, result.pending, result.verdict) == (5, 600, 0, Verdict.PASS)

    def test_void_cases_are_not_there(self) -> None:
        result = on({Cohort(Lane.REVIEW, "", TODAY - timedelta(days=9)): counts(50, void=50)})

        assert result.verdict is Verdict.NO_EVIDENCE
        assert result.words == "No case counts: all of them were declared void."

    def test_no_cases_are_no_evidence(self) -> None:
        result = on({})

        assert result.verdict is Verdict.NO_EVIDENCE
        assert result.words == "No case has been counted yet."
        assert result.what_would_change == "It needs decisions of the review lane."

    def test_counts_that_cannot_be_are_an_error(self) -> None:
        result = on({Cohort(Lane.REVIEW, "", TODAY - timedelta(days=9)): Counts(cases=5, agreed=9)})

        assert result.verdict is Verdict.ERROR

    def test_what_was_counted_long_ago_is_stale(self) -> None:
        def seen(days: int) -> GateResult:
            return on({Cohort(Lane.REVIEW, "", TODAY - timedelta(days=days)): counts(300)})

        assert seen(14).verdict is Verdict.PASS
        assert seen(15).verdict is Verdict.NO_EVIDENCE
        assert seen(15).words == "The evidence is stale: the newest case is 15 days old, at most 14 days are allowed."

    def test_more_is_better_is_judged_the_other_way_round(self) -> None:
        def seen(overridden: int) -> GateResult:
            asked = gate("agreement_rate", at_least=0.9)
            return judged(asked, phase=Phase.SHADOW, totals=totals(Lane.SHADOW, 300, overridden))

        assert seen(6).verdict is Verdict.PASS
        assert (
            seen(6).words == f"At least 94.8{NBSP}% equal to people, 95{NBSP}% sure. At least 90{NBSP}% is asked for."
        )
        assert seen(30).verdict is Verdict.INCONCLUSIVE
        assert seen(30).what_would_change.endswith(f"that must come clearly above 90{NBSP}%.")
        assert seen(150).verdict is Verdict.FAIL
        assert seen(150).words.startswith("At most 5")
        assert seen(6).direction is Direction.AT_LEAST


class TestSegments:
    def seen(self, **segments: tuple[int, int]) -> Totals:
        made: dict[Cohort, Counts] = {}
        for name, (cases, bad) in segments.items():
            made |= totals(cases=cases, overridden=bad, segment=name)
        return made

    def test_the_worst_segment_decides(self) -> None:
        result = on(self.seen(a=(300, 0), b=(300, 60), c=(20, 0)), segments="each")

        assert result.verdict is Verdict.FAIL
        assert result.segment == "b"
        assert result.words.startswith('Segment "b": at least ')
        assert [part.verdict for part in result.segments] == [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]

    def test_all_pass_together_and_the_nearest_to_the_limit_is_shown(self) -> None:
        result = on(self.seen(a=(300, 0), b=(300, 3), c=(300, 1)), segments="each")

        assert result.verdict is Verdict.PASS
        assert result.segment == "b"

    def test_a_segment_seen_for_the_first_time_today_holds(self) -> None:
        fresh = {Cohort(Lane.REVIEW, "new", TODAY): counts(3)}

        result = on({**self.seen(a=(300, 0)), **fresh}, segments="each")

        assert (result.verdict, result.segment) == (Verdict.NO_EVIDENCE, "new")

    def test_a_listed_segment_that_was_never_seen_holds(self) -> None:
        result = on(self.seen(a=(300, 0)), segments=["a", "z"])

        assert (result.verdict, result.segment) == (Verdict.NO_EVIDENCE, "z")

    def test_a_segment_that_is_not_listed_is_not_judged(self) -> None:
        assert on(self.seen(a=(300, 0), b=(300, 200)), segments=["a"]).verdict is Verdict.PASS

    def test_cases_without_a_segment_are_one_of_their_own(self) -> None:
        result = on({**self.seen(a=(300, 0)), **totals(cases=300, overridden=100)}, segments="each")

        assert result.segment == ""
        assert result.words.startswith("Without a segment: at least ")

    def test_each_of_none_is_no_evidence(self) -> None:
        result = on({}, segments="each")

        assert result.verdict is Verdict.NO_EVIDENCE
        assert result.segments == ()

    def test_the_least_room_is_taken_from_the_right_side_of_the_limit(self) -> None:
        seen = {**totals(Lane.SHADOW, 300, 1, segment="a"), **totals(Lane.SHADOW, 300, 6, segment="b")}

        result = judged(gate("agreement_rate", at_least=0.9, segments="each"), phase=Phase.SHADOW, totals=seen)

        assert (result.verdict, result.segment) == (Verdict.PASS, "b")


class TestSegmentsTakenTogether:
    SEEN = TestSegments().seen

    def shown(self, seen: Totals, **more: Any) -> dict[str, Standing | None]:
        result = on(seen, **{"segments": "each", **more})
        assert result.shown is None  # it is said of each, not of the gate
        return {str(part.segment): part.shown for part in result.segments}

    def test_each_is_below_above_or_undecided(self) -> None:
        shown = self.shown(self.SEEN(a=(600, 0), b=(300, 60), c=(20, 0)))

        assert shown == {"a": Standing.BELOW, "b": Standing.ABOVE, "c": Standing.UNDECIDED}

    def test_more_is_better_stands_on_the_other_side(self) -> None:
        asked = {"metric": "agreement_rate", "at_least": 0.95, "segments": "each"}
        seen = totals(Lane.SHADOW, 600, 0, segment="a") | totals(Lane.SHADOW, 300, 60, segment="b")
        result = judged(gate(**asked), phase=Phase.SHADOW, totals=seen)

        assert [part.shown for part in result.segments] == [Standing.ABOVE, Standing.BELOW]

    def test_relabelling_segments_changes_nothing(self) -> None:
        figures = [(600, 0), (130, 1), (300, 60), (20, 0), (400, 8), (90, 0)]
        first = self.shown(self.SEEN(**dict(zip("abcdef", figures, strict=True))))
        for order in ("fedcba", "cfabed"):
            again = self.shown(self.SEEN(**dict(zip(order, figures, strict=True))))
            assert [again[name] for name in order] == list(first.values())

    def test_a_family_asks_more_of_each_than_a_segment_alone(self) -> None:
        alone = self.shown(self.SEEN(a=(110, 0)))
        among = self.shown(self.SEEN(a=(110, 0)), segments=["a", *"bcdefghijklmnop"])

        assert alone["a"] is Standing.BELOW
        assert {among[name] for name in among} == {Standing.UNDECIDED}

    def test_it_is_what_the_evidence_engine_says_of_the_counts(self) -> None:
        figures = [(600, 0), (130, 1), (300, 60), (20, 0), (400, 8), (90, 0)]
        shown = self.shown(self.SEEN(**dict(zip("abcdef", figures, strict=True))))
        direct = multiplicity.judge_segments([(bad, cases) for cases, bad in figures], 0.05)

        assert list(shown.values()) == [one.standing for one in direct]

    def test_a_stale_segment_pulls_the_others_down_and_is_itself_undecided(self) -> None:
        old = {Cohort(Lane.REVIEW, "z", TODAY - timedelta(days=200)): counts(5_000)}
        just = sequences.cases_needed(0, 0, 0.05) + 5
        fresh = self.SEEN(a=(just, 0), b=(just, 0))

        assert self.shown(fresh) == {"a": Standing.BELOW, "b": Standing.BELOW}
        assert set(self.shown(fresh | old).values()) == {Standing.UNDECIDED}

    def test_without_segments_nothing_is_shown_of_them(self) -> None:
        assert on(totals(cases=300)).shown is None


class TestSuite:
    SCORE = gate("suite_score", suite="forms", at_least=0.9)
    DROP = gate("suite_regression", suite="forms", at_most=0.01)

    def on(self, asked: Gate, *runs: Any, **more: Any) -> GateResult:
        return judged(asked, suite_runs=tuple(runs), phase=Phase.EVALUATION, **more)

    def test_at_the_limit_it_passes_and_below_it_fails(self) -> None:
        assert self.on(self.SCORE, suite_run(score=0.9)).verdict is Verdict.PASS
        result = self.on(self.SCORE, suite_run(score=math.nextafter(0.9, 0)))
        assert result.verdict is Verdict.FAIL
        assert result.what_would_change == "A version that does better on the suite."

    def test_says_what_was_scored(self) -> None:
        words = self.on(self.SCORE, suite_run(score=0.95)).words

        assert words == f"95.0{NBSP}% right on the suite forms, 300 cases. At least 90{NBSP}% is asked for."

    def test_the_minimum_stored_with_the_suite_counts_where_it_is_stricter(self) -> None:
        result = self.on(self.SCORE, suite_run(score=0.95, minimum=0.96))

        assert (result.verdict, result.limit) == (Verdict.FAIL, 0.96)

    def test_the_newest_run_counts(self) -> None:
        old = suite_run(score=0.99, at=NOW - timedelta(days=9))

        assert self.on(self.SCORE, old, suite_run(score=0.5)).verdict is Verdict.FAIL

    def test_a_drop_at_the_limit_passes_and_beyond_it_fails(self) -> None:
        assert self.on(self.DROP, suite_run(score=0.94, baseline=0.95)).verdict is Verdict.PASS
        result = self.on(self.DROP, suite_run(score=0.9399, baseline=0.95))
        assert result.verdict is Verdict.FAIL
        assert (
            result.words == f"1.1{NBSP}% below the baseline of 95.0{NBSP}% on the suite forms. The limit is 1{NBSP}%."
        )
        assert self.on(self.DROP, suite_run(score=0.96)).words.startswith("Not below the baseline of 95.0")

    @pytest.mark.parametrize(
        ("run", "verdict", "words"),
        [
            ({"version": "v0"}, Verdict.NO_EVIDENCE, "The suite forms was not run for version v1, only for v0."),
            ({"suite": "other"}, Verdict.NO_EVIDENCE, "The suite forms was not run for version v1."),
            ({"finished": False}, Verdict.ERROR, "The run on forms was stopped before its end."),
            ({"current": False}, Verdict.NO_EVIDENCE, "The suite forms has changed since its last run."),
            ({"score": math.nan}, Verdict.ERROR, "The run on forms has a score that is no score."),
            ({"score": 1.5}, Verdict.ERROR, "The run on forms has a score that is no score."),
            ({"cases": 0}, Verdict.NO_EVIDENCE, "The run on forms has 0 cases; the plan asks for 1."),
        ],
    )
    def test_what_is_no_evidence(self, run: dict[str, Any], verdict: Verdict, words: str) -> None:
        for asked in (self.SCORE, self.DROP):
            result = self.on(asked, suite_run(**run))

            assert result.verdict is verdict
            assert result.words.startswith(words)
            assert result.what_would_change

    def test_asks_for_as_many_cases_as_the_plan(self) -> None:
        asked = gate("suite_score", suite="forms", at_least=0.9, minimum_cases=301)

        assert self.on(asked, suite_run()).verdict is Verdict.NO_EVIDENCE

    @pytest.mark.parametrize("baseline", [None, math.nan])
    def test_a_baseline_that_does_not_exist_is_no_evidence(self, baseline: float | None) -> None:
        assert self.on(self.DROP, suite_run(baseline=baseline)).verdict is Verdict.NO_EVIDENCE
        assert self.on(self.SCORE, suite_run(baseline=baseline)).verdict is Verdict.PASS


class TestCountsAndDays:
    def test_open_critical_failures(self) -> None:
        asked = gate("open_critical_failures", at_most=0)

        assert judged(asked).verdict is Verdict.PASS
        assert judged(asked, open_failures={Severity.SEVERE: 4}).verdict is Verdict.PASS
        result = judged(asked, open_failures={Severity.CRITICAL: 1})
        assert (result.verdict, result.value) == (Verdict.FAIL, 1)
        assert result.words == "1 open critical failure. The limit is 0."

    @pytest.mark.parametrize(("hours", "verdict"), [(27 * 24 + 23, Verdict.INCONCLUSIVE), (28 * 24, Verdict.PASS)])
    def test_whole_days_in_the_phase(self, hours: int, verdict: Verdict) -> None:
        asked = gate("days_in_phase", at_least=28)

        assert judged(asked, phase_since=NOW - timedelta(hours=hours)).verdict is verdict

    def test_a_clock_that_went_back_counts_as_no_days(self) -> None:
        result = judged(gate("days_in_phase", at_least=1), phase_since=NOW + timedelta(days=3))

        assert (result.verdict, result.value) == (Verdict.INCONCLUSIVE, 0)
        assert result.what_would_change == "1 day more."


class TestWhatCannotBeJudged:
    @pytest.mark.parametrize(
        ("source", "asked"),
        [
            (Source.TOTALS, gate()),
            (Source.SUITES, TestSuite.SCORE),
            (Source.FAILURES, gate("open_critical_failures", at_most=0)),
        ],
    )
    def test_a_broken_source_is_an_error_of_its_own_gates_only(self, source: Source, asked: Gate) -> None:
        def judge(broken: Source) -> Verdict:
            return judged(asked, broken={broken: "the database did not answer"}).verdict

        assert {broken for broken in Source if judge(broken) is Verdict.ERROR} == {source}
        assert judged(asked, broken={source: "no answer"}).words.startswith("It cannot be judged: no answer.")

    @pytest.mark.parametrize(
        "asked",
        [
            pytest.param(gate("overide_rate"), id="an unknown metric"),
            pytest.param(gate("automation_rate"), id="a metric that only describes"),
            pytest.param(gate(at_most=0.0), id="a limit of nothing"),
            pytest.param(gate(at_most=1.0), id="a limit of all"),
            pytest.param(gate(at_most=None), id="no limit"),
            pytest.param(gate(confidence=1.0), id="a certainty"),
        ],
    )
    def test_a_plan_that_came_around_the_rules(self, asked: Gate) -> None:
        result = judged(asked)

        assert result.verdict is Verdict.ERROR
        assert result.what_would_change


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.1])
def test_at_least_and_at_most_are_mirrors(limit: float) -> None:
    for bad in range(0, 200, 7):
        at_most = weigh(Rate(bad, 400), Asked(Direction.AT_MOST, limit))
        at_least = weigh(Rate(bad, 400), Asked(Direction.AT_LEAST, 1 - limit))

        assert at_most.verdict is at_least.verdict
        assert at_most.bound == pytest.approx(1 - at_least.bound)
        assert at_most.log_e == pytest.approx(at_least.log_e)


def test_at_the_boundary_of_the_bound_the_verdict_turns() -> None:
    """A pass means that the bound shown lies below the limit, so words and verdict never disagree."""
    for bad in range(0, 60, 3):
        weighed = weigh(Rate(bad, 500), Asked(Direction.AT_MOST, 0.05))

        assert (weighed.verdict is Verdict.PASS) == (weighed.bound < 0.05)
        assert (weighed.verdict is Verdict.FAIL) == (weighed.other_bound > 0.05)


def test_judging_does_not_touch_what_it_was_given() -> None:
    before = situation()

    judge_gate(gate(segments="each"), plan(), before)

    assert before == situation()
    assert isinstance(before, Situation)
