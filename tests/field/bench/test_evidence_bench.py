"""The benchmark of the evidence engine in small: every part runs, and what it claims can fail."""

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.evidence import __main__ as program
from bench.evidence import alarms, gates, guardrails, library, peers, report, scenarios, schedule, speed, thresholds
from bench.evidence.drawing import Population, calibration_of
from bench.evidence.effort import Effort, random
from evidence import sequences
from evidence.alarms import presets
from rollout.domain.guardrail import judge_guardrail
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Guardrail
from rollout.domain.totals import Cohort, Counts, Totals
from tests.unit.rollout import making

SMALL = Effort().scaled(0.0025, workers=1)


def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "INTERPRETER", Path("/nowhere"))


@pytest.mark.parametrize("part", ["gates", "audits"])
def test_a_part_runs_and_every_claim_of_it_is_judged(part: str, shared: Path) -> None:
    section = program.measure(part, SMALL)
    assert section.claims > 10
    assert not section.left_out
    lines = [line for table in section.tables for line in table.lines]
    assert all((line.met is None) == (line.claim == "none: for comparison") for line in lines)
    assert section.written().count("| met |") == section.claims - len(section.unmet) + len(section.tables)


def test_thresholds_run_on_the_real_data_and_hold_what_they_claim(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_peers(monkeypatch)
    chosen = tuple(one for one in scenarios.SCENARIOS if one.name in {"snips 5 % n=300", "clinc150 5 % n=1000"})
    section = thresholds.run(SMALL.scaled(8), chosen)
    assert section.unmet == []
    assert any("MAPIE" in words for words in section.left_out)
    assert any("sroie" in words for words in section.left_out)


def test_without_the_data_the_parts_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (thresholds, schedule):
        monkeypatch.setattr(module, "DATA", Path("/nowhere"))
        section = module.run(SMALL)
        assert section.left_out
        assert "NOT RUN" in section.written()


def test_every_population_is_the_one_that_was_published(shared: Path) -> None:
    for one in scenarios.SCENARIOS:
        assert scenarios.population(one.population).oracle(one.risk) == pytest.approx(one.oracle, abs=0.001), one.name


def test_the_fast_boundaries_are_the_products_own(shared: Path) -> None:
    stream = schedule._stream("snips", random("test"))
    plan = schedule.PLANS[1]
    assert schedule._thresholds(plan, [stream], 0.05)[0].tolist() == schedule.by_the_product(plan, stream, 0.05)


def test_the_gate_passes_where_the_simulation_says() -> None:
    last, limit, rng = 600, 0.05, random("test", "gates")
    points = gates.product(limit, last)
    bad_at = gates.bad_cases(0.02, last, 20, rng)
    simulated = gates.passing(bad_at, points, 10, last)
    for bad, at in zip(bad_at, simulated, strict=True):
        looks = [
            n
            for n in range(10, last + 1, 10)
            if sequences.crossed(sequences.log_e_below(int((bad <= n).sum()), n, limit), 0.95)
        ]
        assert at == (looks[0] if looks else math.inf)


def test_the_window_rule_is_the_plain_count() -> None:
    last, rng = 400, random("test", "window")
    bad_at = gates.bad_cases(0.06, last, 20, rng)
    for bad, at in zip(bad_at, gates.passing_by_window(bad_at, 0.05, 7, last), strict=True):
        looks = [n for n in range(7, last + 1, 7) if n >= 100 and ((bad > n - 100) & (bad <= n)).sum() < 5]
        assert at == (looks[0] if looks else math.inf)


def test_the_simulated_detector_is_the_engines() -> None:
    bad = random("test", "alarms").random((3, 3_000)) < 0.06
    assert alarms.check_against_the_engine(presets.labelled(0.03), bad) == 0
    other = presets.labelled(0.03, cases_between_alarms=19.0)
    assert not np.array_equal(alarms.detector_alarms(other, bad), alarms.detector_alarms(presets.labelled(0.03), bad))


def test_the_simulated_guardrail_is_the_products() -> None:
    course = guardrails.Course(50, 0.02, 0.06)
    bad = course.bad(3)[:, : guardrails.QUIET_DAYS + 30]
    assert guardrails.check_against_the_product(bad, 50) == 0
    fired = guardrails.first_alarms(bad, 50)
    assert not np.array_equal(guardrails.first_alarms(bad, 50, limit=0.05), fired)

    # The whole of the product: a plan's guardrail judged on the day before the alarm, and on its day.
    rail = Guardrail.model_validate({"metric": "error_rate", "at_most": guardrails.LIMIT})
    for stream, at in zip(bad, fired, strict=True):
        for day in (int(at) - 1, int(at)):
            found = judge_guardrail(rail, making.situation(phase=Phase.FULL, totals=_by_day(stream[:day], 50)))
            assert found.breached is bool(day == at)


def _by_day(bad: np.ndarray, cases: int) -> Totals:
    """One cohort of audits a day, the last of them today."""
    days = (making.TODAY - timedelta(days=len(bad) - 1 - ago) for ago in range(len(bad)))
    return {
        Cohort(Lane.AUDIT, "", day): Counts(cases=cases, agreed=cases - int(one), overridden=int(one))
        for day, one in zip(days, bad, strict=True)
    }


def test_a_guardrail_that_fires_too_often_would_not_meet_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardrails, "first_alarms", lambda bad, _per_day: np.full(len(bad), 80.0))
    section = report.Section("Alarms", "")
    guardrails.false_alarms_and_delays(section, SMALL)
    assert len(section.unmet) == 4


def test_a_claim_that_is_not_met_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = report.Section("Something", "About it.")
    section.table("what").add("a gate", claim="passes", met=False)
    monkeypatch.setattr(program, "measure", lambda _part, _effort: section)
    assert program.main(["--only", "gates"]) == 1
    assert "0 of 1 claims met" in capsys.readouterr().out


def test_a_share_far_above_its_limit_is_not_met() -> None:
    assert report.Share(60, 1_000).at_most(0.05)  # chance may do that
    assert not report.Share(80, 1_000).at_most(0.05)
    assert not report.Share(920, 1_000).at_least(0.95)
    assert str(report.Share(0, 1_000)) == "0 of 1,000 (below 0.30 %)"


def test_the_agent_that_is_timed_is_really_judged() -> None:
    plan, situation = speed.agent()
    found = speed.judge(plan, situation)
    assert [gate.verdict for gate in found.gates]
    assert any(gate.cases for gate in found.gates)


def test_a_rule_without_a_guarantee_would_not_meet_the_claim() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(20_000)
    error = (rng.random(20_000) < 0.4 * (1 - confidence)).astype(np.int64)
    truth = Population("made up", confidence, error)
    drawn = [truth.draw(300, rng) for _ in range(100)]
    above = [truth.automated(peers.plug_in(one, 0.05)).risk > 0.05 for one in drawn]
    assert not report.Share(sum(above), 100).at_most(0.05)
    assert calibration_of(confidence, error).accepted[-1] == 20_000
