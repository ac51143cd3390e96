"""`phasegate analyse`: answers on recorded files, their exit status, and what becomes of lines that are no good."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phasegate_client import confidence

from tests.integration.cli.conftest import Ran, invoke


def analyse(command: str, *arguments: object) -> Ran:
    return invoke("analyse", command, *arguments)


def table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def outputs(path: Path, cases: int = 300, *, wrong_below: float = 0.3, segments: bool = False) -> Path:
    """Cases of all confidences, wrong where the agent is not sure."""
    rows = [((place + 0.5) / cases, int((place + 0.5) / cases >= wrong_below)) for place in range(cases)]
    if not segments:
        return table(path, ("confidence", "correct"), rows)
    return table(path, ("confidence", "correct", "kind"), [(*row, f"k{at % 2}") for at, row in enumerate(rows)])


class TestThreshold:
    def test_is_found_and_said_in_words(self, tmp_path: Path) -> None:
        ran = analyse("threshold", outputs(tmp_path / "o.csv"))

        assert ran.status == 0
        assert "300 labels, 90 of them wrong." in ran.out
        assert "of those at most 5\xa0% are wrong" in ran.out

    def test_is_told_to_scripts_with_all_that_explains_it(self, tmp_path: Path) -> None:
        found = analyse("threshold", outputs(tmp_path / "o.csv"), "--json").json

        assert 0.2 < found["threshold"] < 0.3
        assert found["end"]["errors"] <= found["end"]["tolerated"]
        assert found["broken"] == []

    def test_no_threshold_is_a_no_with_its_reason(self, tmp_path: Path) -> None:
        ran = analyse("threshold", outputs(tmp_path / "o.csv", 40, wrong_below=0.0))

        assert ran.status == 1
        assert "No threshold: 40 labels are too few for any statement: 19 more are needed at least." in ran.out

    def test_a_case_without_a_confidence_goes_to_a_person_and_is_counted(self, tmp_path: Path) -> None:
        rows = [{"confidence": 0.9, "correct": True}] * 100
        odd = [{"confidence": given, "correct": False} for given in (None, "high", 1.5, -1, True)]

        found = analyse("threshold", lines(tmp_path / "o.jsonl", *rows, *odd), "--json")

        assert found.status == 0
        assert (found.json["labels"], found.json["without_confidence"]) == (100, 5)

    def test_a_broken_line_is_told_by_its_number_and_left_out(self, tmp_path: Path) -> None:
        path = outputs(tmp_path / "o.csv")
        with path.open("a", encoding="utf-8") as file:
            file.write("0.9,maybe\n0.9\n")

        ran = analyse("threshold", path)

        assert ran.status == 1
        assert "Threshold" in ran.out
        assert "line 302: correct: 'maybe' is neither right nor wrong (write true or false, or 1 or 0)" in ran.err
        assert "line 303: line: it has 1 cells, the header 2" in ran.err

    def test_segments_with_enough_labels_have_their_own(self, tmp_path: Path) -> None:
        path = outputs(tmp_path / "o.csv", 1_000, segments=True)

        found = analyse("threshold", path, "--segment-column", "kind", "--json").json

        assert set(found["segments"]) == {"k0", "k1"}
        assert all(one["delta"] == pytest.approx(0.025) for one in found["segments"].values())
        assert "k0" in analyse("threshold", path, "--segment-column", "kind").out

    def test_assuming_nothing_is_the_stricter_procedure(self, tmp_path: Path) -> None:
        path = outputs(tmp_path / "o.csv")

        assert analyse("threshold", path, "--assumes", "nothing", "--json").json["mode"] == "fixed_start"

    @pytest.mark.parametrize(
        ("arguments", "status", "word"),
        [
            (["--confidence-column", "sure"], 1, "there are: confidence, correct"),
            (["--risk", "0"], 1, "risk must lie strictly between 0 and 1"),
            (["--confidence", "1"], 1, "delta must lie strictly between 0 and 1"),
            (["--assumes", "luck"], 2, "assumes"),
        ],
    )
    def test_nonsense_is_refused_in_words(self, tmp_path: Path, arguments: list[str], status: int, word: str) -> None:
        ran = analyse("threshold", outputs(tmp_path / "o.csv"), *arguments)

        assert ran.status == status
        assert word in " ".join(ran.err.split())

    def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        assert analyse("threshold", tmp_path / "none.csv").status == 3

    @pytest.mark.parametrize(
        ("name", "held"),
        [
            ("empty.csv", b""), ("header.csv", b"confidence,correct\n"), ("latin.csv", b"confidence,correct\n\xff,1\n"),
            ("twice.csv", b"correct,correct\n1,1\n"), ("list.jsonl", b"[1]\n"), ("cut.jsonl", b'{"confidence": \n'),
        ],
    )  # fmt: skip
    def test_a_file_with_nothing_in_it_is_refused(self, tmp_path: Path, name: str, held: bytes) -> None:
        path = tmp_path / name
        path.write_bytes(held)

        assert analyse("threshold", path).status == 1


class TestSignals:
    def recorded(self, path: Path, cases: int = 1_600, *, useful: bool = True) -> Path:
        draw = np.random.default_rng(3)
        one, other = draw.normal(size=(2, cases))
        right = draw.random(cases) < 1 / (1 + np.exp(-(1.0 + 1.6 * one + (1.6 * other if useful else 0.0))))
        start = datetime(2026, 1, 5, tzinfo=UTC)
        times = [(start + timedelta(minutes=place)).isoformat() for place in range(cases)]
        rows = zip(one.round(4), other.round(4), right.astype(int), times, strict=True)
        return table(path, ("one", "other", "correct", "at"), list(rows))

    def both(self, path: Path, *more: object) -> Ran:
        return analyse(
            "signals", path, "--signal", "one", "--signal", "other", "--time-column", "at", "--target", "0.1", *more
        )

    def test_the_combination_is_chosen_where_it_is_better_and_written(self, tmp_path: Path) -> None:
        path, out = self.recorded(tmp_path / "s.csv"), tmp_path / "record.json"

        ran = self.both(path, "--out", out)

        assert ran.status == 0
        assert "the combination is better" in ran.out
        assert all(name in ran.out for name in ("one", "other", "combined"))
        record = confidence.read_record(out.read_bytes())
        assert [term.name for term in record.signals] == ["one", "other"]
        assert (confidence.combine(record, {"one": 2.0, "other": 2.0}) or 0) > 0.9

    def test_only_the_older_labels_are_spent(self, tmp_path: Path) -> None:
        found = self.both(self.recorded(tmp_path / "s.csv"), "--json").json

        assert (found["used"], found["left_for_the_threshold"]) == (800, 800)
        assert found["record"]["seen_until"] == (datetime(2026, 1, 5, 13, 19, tzinfo=UTC)).timestamp()

    def test_the_best_single_signal_stays_where_no_gain_is_shown(self, tmp_path: Path) -> None:
        ran = self.both(self.recorded(tmp_path / "s.csv", useful=False), "--json")

        assert ran.json["best_single"] == "one"
        assert [term["name"] for term in ran.json["record"]["signals"]] == ["one"]

    def test_too_few_labels_choose_nothing_and_write_nothing(self, tmp_path: Path) -> None:
        path, out = self.recorded(tmp_path / "s.csv", cases=30), tmp_path / "record.json"

        ran = self.both(path, "--out", out)

        assert ran.status == 1
        assert "more labels" in ran.out
        assert not out.exists()

    def test_signals_have_to_be_named(self, tmp_path: Path) -> None:
        ran = analyse("signals", self.recorded(tmp_path / "s.csv"))

        assert ran.status == 1
        assert "there are: one, other, correct, at" in ran.err

    @pytest.mark.parametrize("signal", ["one:log", "elsewhere"])
    def test_a_signal_that_is_none_is_refused(self, tmp_path: Path, signal: str) -> None:
        assert analyse("signals", self.recorded(tmp_path / "s.csv"), "--signal", signal).status == 1

    def test_a_gap_is_no_mistake_and_text_is(self, tmp_path: Path) -> None:
        rows = [(place, "NA" if place % 3 == 0 else place % 7, place % 2) for place in range(200)]
        path = table(tmp_path / "s.csv", ("one", "other", "correct"), [*rows, (1, "long", 1)])

        found = analyse("signals", path, "--signal", "one", "--signal", "other", "--json").json

        assert [(one["line"], one["errors"][0]["place"]) for one in found["broken"]] == [(202, "other")]


class TestAgreement:
    def test_of_one_line_a_label(self, tmp_path: Path) -> None:
        rows = [(item, person, "yes" if item < 10 else "no") for item in range(20) for person in ("ana", "ben")]
        rows[1] = (0, "ben", "no")

        found = analyse("agreement", table(tmp_path / "a.csv", ("item", "person", "label"), rows), "--json").json

        assert (found["same"]["part"], found["same"]["whole"]) == (19, 20)
        assert found["pairs"][0]["kappa"]["value"] == pytest.approx(0.9)
        assert found["likely"] is None  # two labels an item are too few for it

    def test_of_one_column_a_person(self, tmp_path: Path) -> None:
        rows = [{"id": item, "ana": item % 2, "ben": item % 2, "cy": item % 2 if item else None} for item in range(20)]

        ran = analyse("agreement", lines(tmp_path / "a.jsonl", *rows), "--item-column", "id",
                      "--people", "ana", "--people", "ben", "--people", "cy")  # fmt: skip

        assert ran.status == 0
        assert "On 20 of 20 items" in ran.out
        assert "Fleiss" not in ran.out  # one item has fewer labels

    def test_what_is_not_defined_says_why(self, tmp_path: Path) -> None:
        rows = [(item, person, "yes") for item in range(5) for person in ("ana", "ben")]

        ran = analyse("agreement", table(tmp_path / "a.csv", ("item", "person", "label"), rows))

        assert "only one category was used" in ran.out
        assert "Read AC1" in ran.out

    def test_of_single_labels_is_no_agreement(self, tmp_path: Path) -> None:
        path = table(tmp_path / "a.csv", ("item", "person", "label"), [(1, "ana", "yes"), (2, "ben", "no")])

        ran = analyse("agreement", path)

        assert ran.status == 1
        assert "No item has two labels" in ran.out

    def test_three_labels_an_item_weigh_people_by_their_skill(self, tmp_path: Path) -> None:
        people = ("ana", "ben", "cy")
        rows = [(item, person, "yes" if item % 2 else "no") for item in range(20) for person in people]

        found = analyse("agreement", table(tmp_path / "a.csv", ("item", "person", "label"), rows), "--json").json

        assert found["likely"] == pytest.approx({"no": 0.5, "yes": 0.5}, abs=0.01)

    def test_one_person_agrees_with_nobody(self, tmp_path: Path) -> None:
        path = table(tmp_path / "a.csv", ("item", "ana"), [(1, "yes")])

        assert analyse("agreement", path, "--people", "ana").status == 1


class TestNoninferiority:
    def items(self, path: Path, agent: str, cases: int = 400) -> Path:
        rows = [(agent, "a", "a" if place % 10 else "b", place // 40) for place in range(cases)]
        return table(path, ("agent", "ana", "ben", "day"), rows)

    def test_an_agent_that_agrees_as_people_do_is_no_worse(self, tmp_path: Path) -> None:
        path = self.items(tmp_path / "n.csv", "a", 2_000)

        ran = analyse("noninferiority", path, "--people", "ana", "--people", "ben", "--day-column", "day")

        assert ran.status == 0
        assert "not worse than people" in ran.out

    def test_an_agent_that_never_does_is_worse(self, tmp_path: Path) -> None:
        ran = analyse("noninferiority", self.items(tmp_path / "n.csv", "z"), "--people", "ana", "--people", "ben")

        assert ran.status == 1
        assert "worse than people by more than the margin" in ran.out

    def test_items_of_one_person_are_counted_and_left_out(self, tmp_path: Path) -> None:
        path = table(tmp_path / "n.csv", ("agent", "ana", "ben"), [("a", "a", ""), ("a", "", "")])

        ran = analyse("noninferiority", path, "--people", "ana", "--people", "ben", "--json")

        assert ran.status == 1
        assert (ran.json["comparison"], ran.json["fewer_than_two_people"]) == ("no_evidence", 2)

    def test_asks_for_two_people(self, tmp_path: Path) -> None:
        assert analyse("noninferiority", self.items(tmp_path / "n.csv", "a"), "--people", "ana").status == 1

    def test_a_margin_that_is_none_is_refused(self, tmp_path: Path) -> None:
        path = self.items(tmp_path / "n.csv", "a")

        ran = analyse("noninferiority", path, "--people", "ana", "--people", "ben", "--margin", "0")

        assert ran.status == 1
        assert "margin must lie strictly between 0 and 1" in ran.err


class TestGate:
    def test_passes_on_enough_good_cases(self) -> None:
        ran = analyse("gate", "--bad", 2, "--cases", 300, "--limit", 0.05)

        assert ran.status == 0
        assert "The gate passes." in ran.out

    def test_is_never_passed_by_nothing(self) -> None:
        ran = analyse("gate", "--bad", 0, "--cases", 0, "--limit", 0.05)

        assert ran.status == 1
        assert "at most 100.0\xa0%" in ran.out
        assert "No forecast" in ran.out

    def test_says_when_it_could_pass(self) -> None:
        found = analyse("gate", "--bad", 3, "--cases", 200, "--limit", 0.05, "--per-day", 40, "--json")

        assert found.status == 1
        assert found.json["e_value"] < 20.0
        assert found.json["upper_bound"] > 0.05
        assert 0 < found.json["forecast"]["days"]["median"] < 10

    def test_waits_for_its_minimum_of_cases_and_days(self) -> None:
        good = ("--bad", 0, "--cases", 300, "--limit", 0.05)

        assert analyse("gate", *good, "--minimum-cases", 301).status == 1
        assert analyse("gate", *good, "--minimum-days", 7, "--days-so-far", 6, "--per-day", 10).status == 1
        assert analyse("gate", *good, "--minimum-days", 7, "--days-so-far", 7, "--per-day", 10).status == 0

    def test_a_huge_count_does_not_overflow(self) -> None:
        found = analyse("gate", "--bad", 0, "--cases", 10**8, "--limit", 0.5, "--json")

        assert (found.status, found.json["passed"], found.json["e_value"]) == (0, True, None)
        assert found.json["log_e_value"] > 700
        assert analyse("gate", "--bad", 0, "--cases", 10**8, "--limit", 0.5).status == 0

    @pytest.mark.parametrize("arguments", [(5, 3, 0.05), (0, 10, 0), (0, 10, 1)])
    def test_nonsense_is_refused(self, arguments: tuple[float, float, float]) -> None:
        bad, cases, limit = arguments

        ran = analyse("gate", "--bad", bad, "--cases", cases, "--limit", limit)

        assert ran.status == 1
        assert "must" in ran.err


class TestStaffing:
    def week(self, path: Path, weeks: int = 2) -> Path:
        """Thirty reviews in the hour from ten on Mondays, and one at the end of each week."""
        monday = datetime(2026, 1, 5, tzinfo=UTC)
        times = [monday + timedelta(weeks=w, hours=10, minutes=2 * m) for w in range(weeks) for m in range(30)]
        ends = [monday + timedelta(weeks=w, hours=at) for w in range(weeks) for at in (0, 167)]
        return table(path, ("arrived_at",), [(at.isoformat(),) for at in [*times, *ends]])

    def test_of_a_steady_rate(self) -> None:
        ran = analyse("staffing", "--arrivals", 30, "--minutes-per-review", 6)

        assert ran.status == 0
        assert "4 reviewers needed" in ran.out

    def test_too_few_reviewers_are_unstable(self) -> None:
        ran = analyse("staffing", "--arrivals", 30, "--minutes-per-review", 6, "--reviewers", 3, "--json")

        assert ran.status == 1
        assert ran.json == {"needed": 4, "reviewers": 3, "stable": False, "late": 1.0, "mean_wait_minutes": None}

    def test_of_a_recorded_week(self, tmp_path: Path) -> None:
        path = self.week(tmp_path / "w.csv")

        found = analyse("staffing", path, "--minutes-per-review", 6, "--json")

        assert found.status == 0
        assert found.json["hours"][10]["arrivals"] == pytest.approx(30.0)
        assert [hour["needed"] for hour in found.json["hours"]][9:12] == [0, 4, 0]
        assert "most needed at once: 4" in analyse("staffing", path, "--minutes-per-review", 6).out

    def test_unstable_hours_are_marked(self, tmp_path: Path) -> None:
        ran = analyse("staffing", self.week(tmp_path / "w.csv"), "--minutes-per-review", 6, "--reviewers", 1)

        assert ran.status == 1
        assert "4 !" in ran.out
        assert "in 1 hour more arrives" in ran.out

    def test_hours_are_those_of_the_zone(self, tmp_path: Path) -> None:
        found = analyse("staffing", self.week(tmp_path / "w.csv"), "--minutes-per-review", 6, "--json",
                        "--zone", "Asia/Tokyo").json  # fmt: skip

        assert found["hours"][19]["arrivals"] == pytest.approx(30.0)

    def test_less_than_a_week_is_refused(self, tmp_path: Path) -> None:
        path = table(tmp_path / "w.csv", ("arrived_at",), [("2026-01-05T10:00:00Z",), ("2026-01-06T10:00:00Z",)])

        ran = analyse("staffing", path, "--minutes-per-review", 6)

        assert ran.status == 1
        assert "less than a week" in ran.err

    def test_a_time_without_a_zone_is_told_by_its_line(self, tmp_path: Path) -> None:
        path = self.week(tmp_path / "w.csv")
        path.write_text(path.read_text() + "2026-01-05T10:00:00\nsoon\n", encoding="utf-8")

        found = analyse("staffing", path, "--minutes-per-review", 6, "--json")

        assert found.status == 1
        assert len(found.json["broken"]) == 2

    def test_a_file_or_a_rate(self, tmp_path: Path) -> None:
        assert analyse("staffing", "--minutes-per-review", 6).status == 1
        assert (
            analyse("staffing", self.week(tmp_path / "w.csv"), "--arrivals", 3, "--minutes-per-review", 6).status == 1
        )
        assert analyse("staffing", "--arrivals", 3).status == 2


@pytest.mark.parametrize("command", ["threshold", "signals", "agreement", "noninferiority", "gate", "staffing"])
def test_every_command_shows_how_it_is_used(command: str) -> None:
    ran = analyse(command, "--help")

    assert ran.status == 0
    assert f"phasegate analyse {command}" in ran.out
