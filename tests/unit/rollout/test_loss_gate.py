"""Gates on losses by severity, and what their records say."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.domain.gate import judge_gate
from rollout.domain.metrics import METRICS, Kind, Use
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Gate
from rollout.domain.plan_yaml import PlanInvalid, dump_plan, load_plan, plan_from_data
from rollout.domain.recheck import recheck
from rollout.domain.totals import Cohort, Totals
from rollout.domain.verdict import GateResult, Verdict
from tests.unit.rollout.making import TODAY, counts, gate, plan, plan_data, situation, totals

NBSP = "\u00a0"


def loss(**more: Any) -> Gate:
    return gate("override_loss", **({"at_most": 0.05} | more))


def on(seen: Totals, **more: Any) -> GateResult:
    return judge_gate(loss(**more), plan(), situation(totals=seen))


def days(number: int, cases: int = 40, segment: str = "", **more: int) -> Totals:
    """So many settled days alike, and one case of today."""
    made = {
        Cohort(Lane.REVIEW, segment, TODAY - timedelta(days=8 + day)): counts(cases, **more) for day in range(number)
    }
    return made | {Cohort(Lane.REVIEW, segment, TODAY): counts(1)}


class TestVerdict:
    def test_small_losses_pass_where_the_same_number_of_overrides_does_not(self) -> None:
        seen = days(20, overridden=4, minor=4)

        result = on(seen)

        assert result.verdict is Verdict.PASS
        assert judge_gate(gate("override_rate"), plan(), situation(totals=seen)).verdict is Verdict.FAIL
        assert (result.bad, result.cases, result.pending, result.unsettled) == (80, 800, 0, 1)
        assert result.seen == pytest.approx(0.01)
        assert result.bound is not None
        assert 0.01 < result.bound < 0.05
        assert result.words.endswith(f"loss per reviewed case, 95{NBSP}% sure. The limit is 0.05.")

    def test_large_losses_fail(self) -> None:
        result = on(days(20, overridden=8, severe=6))

        assert result.verdict is Verdict.FAIL
        assert result.other_bound is not None
        assert result.other_bound > 0.05
        assert result.words.startswith("At least 0.1")
        assert "must come clearly below 0.05" in result.what_would_change

    def test_the_weights_decide(self) -> None:
        seen = days(20, overridden=2)  # all of them major

        bounds = [on(seen, weights={"minor": 0.0, "major": major}).bound for major in (0.1, 0.5, 1.0)]
        assert bounds == sorted(bounds)
        assert len(set(bounds)) == 3

    def test_a_case_without_a_verdict_counts_as_a_loss_of_one_and_not_as_harm(self) -> None:
        result = on(days(20, pending=3))

        assert result.verdict is Verdict.INCONCLUSIVE
        assert (result.bad, result.pending, result.seen) == (60, 60, 0.0)
        assert "60 of 800 cases have no verdict and count as a loss of 1." in result.words
        assert result.what_would_change.startswith("People rule on the 60 cases without a verdict")
        assert on(days(20)).verdict is Verdict.PASS

    def test_no_case_is_no_evidence(self) -> None:
        assert on({}).verdict is Verdict.NO_EVIDENCE
        assert on(totals(cases=10, void=10)).verdict is Verdict.NO_EVIDENCE

    def test_no_loss_is_shown_with_its_bound(self) -> None:
        result = on(days(20))

        assert result.words.startswith("No loss in 800 cases, so at most 0.0")
        assert "at most 0.000" not in result.words

    def test_few_cases_do_not_pass(self) -> None:
        result = on(days(3), minimum_cases=200)

        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.cases_needed == 80
        assert result.what_would_change == "80 more settled cases are needed; the plan asks for 200."

    def test_says_about_how_many_cases_it_takes(self) -> None:
        short = on(days(4, overridden=2, minor=2), at_most=0.03)

        assert short.verdict is Verdict.INCONCLUSIVE
        assert short.cases_needed is not None
        more = -(-short.cases_needed // 40)
        assert on(days(4 + more + 1, overridden=2, minor=2), at_most=0.03).verdict is Verdict.PASS

    def test_every_segment_is_judged_for_itself(self) -> None:
        seen = days(20, segment="a") | days(20, segment="b", overridden=8, severe=8)

        result = on(seen, segments="each")

        assert result.verdict is Verdict.FAIL
        assert [(part.segment, part.verdict) for part in result.segments] == [
            ("a", Verdict.PASS),
            ("b", Verdict.FAIL),
        ]
        assert result.words.startswith('Segment "b": at least')

    def test_days_are_bet_on_in_their_order_however_the_totals_are_kept(self) -> None:
        seen = days(10, overridden=1) | days(1, overridden=9, severe=9)

        assert on(dict(reversed(seen.items()))) == on(seen)


class TestRecord:
    @pytest.mark.parametrize(
        "seen",
        [
            pytest.param(days(20, overridden=4, minor=4), id="passes"),
            pytest.param(days(20, overridden=8, severe=6), id="fails"),
            pytest.param(days(3, overridden=1, pending=2, void=1), id="not sure yet"),
            pytest.param({}, id="no evidence"),
        ],
    )
    def test_a_verdict_follows_from_its_record(self, seen: Totals) -> None:
        assert recheck(on(seen).to_dict())
        assert recheck(on(seen, segments="each").to_dict())

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"weights": [0.2, 0.5, 1.0]}, id="weights"),
            pytest.param({"bound": 0.001}, id="bound"),
            pytest.param({"verdict": "fail"}, id="verdict"),
            pytest.param({"cases": 801}, id="cases"),
            pytest.param({"bad": 79}, id="bad"),
            pytest.param({"limit": 0.06}, id="limit"),
        ],
    )
    def test_an_altered_record_does_not_agree_with_itself(self, change: dict[str, Any]) -> None:
        assert not recheck(on(days(20, overridden=4, minor=4)).to_dict() | change)

    def test_an_altered_day_does_not_agree(self) -> None:
        record = on(days(20, overridden=4, minor=4)).to_dict()
        record["days"][3][2], record["days"][3][3] = 3, 1

        assert not recheck(record)

    def test_a_record_of_a_rate_written_before_there_were_losses_is_still_good(self) -> None:
        record = judge_gate(gate("override_rate"), plan(), situation()).to_dict()
        for name in ("weights", "days", "seeded", "corrected_limit"):
            del record[name]

        assert recheck(record)


def told(**fields: Any) -> list[tuple[str, str]]:
    data = plan_data()
    data["phases"]["supervised"]["gates"] = [{"metric": "override_loss", "at_most": 0.05} | fields]
    try:
        plan_from_data(data)
    except PlanInvalid as refused:
        return [(problem.place, problem.problem) for problem in refused.problems]
    return []


class TestPlan:
    def test_a_phase_may_rest_on_a_loss_alone(self) -> None:
        assert told() == []

    def test_the_weights_are_filled_in_and_written_out(self) -> None:
        data = plan_data()
        data["phases"]["supervised"]["gates"] = [{"metric": "override_loss", "at_most": 0.05, "weights": {"minor": 0}}]
        read = plan_from_data(data)

        assert read.phases.supervised.gates[0].weights.in_order == (0.0, 0.5, 1.0)  # type: ignore[union-attr]
        assert read.phases.supervised.gates[0].confidence == 0.95
        assert load_plan(dump_plan(read)) == read
        assert type(read).from_body(read.body()) == read
        assert "major: 0.5" in dump_plan(read)

    @pytest.mark.parametrize(
        ("fields", "place", "problem"),
        [
            ({"weights": {"minor": 0.6}}, "weights.major", "a major difference counts 0.5, less than a minor one"),
            ({"weights": {"severe": 0.2}}, "weights.severe", "a severe difference counts 0.2, less than a major one"),
            ({"weights": {"severe": 50}}, "weights.severe", "50 is not between 0 and 1"),
            ({"weights": {"minor": -0.1}}, "weights.minor", "-0.1 is not between 0 and 1"),
            ({"weights": {"grave": 1}}, "weights.grave", 'there is no field "grave"'),
            ({"weights": {"minor": "a"}}, "weights.minor", "a number is expected"),
            ({"weights": 0.5}, "weights", "a group of fields is expected"),
            ({"weights": {"minor": 0, "major": 0, "severe": 0.05}}, "weights.severe", "passes anything"),
            ({"at_most": 5}, "at_most", "5 is not a mean loss"),
            ({"at_most": 1}, "at_most", "passes whatever happens"),
            ({"at_most": 0}, "at_most", "can never be shown"),
            ({"at_most": 1e-8}, "at_most", "so it would never pass"),
            ({"at_most": 1e-300}, "at_most", "so it would never pass"),
            ({"at_most": None, "at_least": 0.1}, "at_least", "less is better"),
            ({"confidence": 95}, "confidence", "95 is more than 1"),
            ({"suite": "forms"}, "suite", "not measured on a suite"),
            ({"corrected_for_reviewers": True}, "corrected_for_reviewers", "cannot be corrected"),
            ({"metric": "override_rate", "weights": {"minor": 0}}, "weights", "does not weigh by severity"),
        ],
    )
    def test_what_makes_no_sense_is_told_with_its_place(self, fields: dict[str, Any], place: str, problem: str) -> None:
        found = told(**fields)

        assert len(found) == 1
        assert found[0][0] == f"phases.supervised.gates[0].{place}"
        assert problem in found[0][1]

    def test_a_loss_is_no_guardrail(self) -> None:
        losses = [metric for metric in METRICS.values() if metric.kind is Kind.LOSS]

        assert len(losses) == 3
        assert all(metric.uses == {Use.GATE} for metric in losses)
        assert all(Phase.EVALUATION not in metric.phases for metric in losses)
