"""`phasegate analyse` on recorded outputs of real agents and real people's labels."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from phasegate_client import confidence

from tests.integration.cli.conftest import Ran, invoke

ANNOTATORS = ("annotator1", "annotator2", "annotator3")


def analyse(*arguments: object) -> Any:
    """The answer as a script gets it."""
    return run(*arguments).json


def run(*arguments: object) -> Ran:
    return invoke("analyse", *arguments, "--json")


def people(names: tuple[str, ...]) -> list[str]:
    return [part for name in names for part in ("--people", name)]


@pytest.fixture
def answers(shared: Path, tmp_path: Path) -> Path:
    """What three people and gpt-3.5 said of which of two answers is better."""
    rows = json.loads((shared / "data/pandalm/testset-v1.json").read_text(encoding="utf-8"))
    gpt = json.loads((shared / "data/pandalm/gpt-3.5-turbo-testset-v1.json").read_text(encoding="utf-8"))
    said = {row["idx"]: row["gpt_result"] for row in gpt}
    path = tmp_path / "answers.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            wanted = {name: row[name] for name in ANNOTATORS} | {"id": row["idx"], "agent": said[row["idx"]]}
            file.write(json.dumps(wanted) + "\n")
    return path


def test_a_threshold_for_banking77_at_five_percent(shared: Path) -> None:
    ran = run("threshold", shared / "data/banking77/agent_oof.csv", "--risk", 0.05)

    assert ran.status == 0
    assert (ran.json["labels"], ran.json["errors"]) == (13_083, 1_182)
    assert ran.json["threshold"] == pytest.approx(0.452, abs=0.01)
    assert ran.json["coverage"] == pytest.approx(0.898, abs=0.01)


def test_the_threshold_holds_on_cases_that_it_has_not_seen(shared: Path) -> None:
    threshold = analyse("threshold", shared / "data/banking77/agent_oof.csv")["threshold"]

    with (shared / "data/banking77/agent_test.csv").open(encoding="utf-8", newline="") as file:
        alone = [row["correct"] for row in csv.DictReader(file) if float(row["confidence"]) >= threshold]

    assert len(alone) > 2_000
    assert alone.count("0") / len(alone) <= 0.05


def test_people_of_pandalm_agree_as_published(answers: Path) -> None:
    found = analyse("agreement", answers, "--item-column", "id", *people(ANNOTATORS))

    assert [pair["kappa"]["value"] for pair in found["pairs"]] == pytest.approx([0.852, 0.879, 0.862], abs=1e-3)
    assert found["alpha"]["value"] == pytest.approx(0.864, abs=1e-3)


def test_gpt_is_shown_to_be_worse_than_the_people_of_pandalm(answers: Path) -> None:
    ran = run("noninferiority", answers, *people(ANNOTATORS), "--margin", 0.05)

    assert ran.status == 1
    assert (ran.json["comparison"], ran.json["items"]) == ("worse", 999)
    assert ran.json["mean"] == pytest.approx(-0.237, abs=1e-3)


def test_a_person_is_no_worse_than_the_other_two(answers: Path) -> None:
    ran = run("noninferiority", answers, *people(ANNOTATORS[1:]), "--agent-column", ANNOTATORS[0], "--margin", 0.1)

    assert (ran.status, ran.json["comparison"]) == (0, "not_worse")


@pytest.mark.parametrize(
    ("file", "alpha"), [("dices_350_crowdsourced_votes.csv", 0.161), ("dices_990_votes.csv", 0.143)]
)
def test_people_of_dices_hardly_agree(shared: Path, tmp_path: Path, file: str, alpha: float) -> None:
    path = tmp_path / "votes.csv"
    with (shared / "data/dices" / file).open(encoding="utf-8") as rows, path.open("w", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["item", "person", "label"])
        for row in csv.DictReader(rows):
            writer.writerows([row["conversation_id"], at, vote] for at, vote in enumerate(row["votes_YNU"]))

    found = analyse("agreement", path)

    assert found["alpha"]["value"] == pytest.approx(alpha, abs=1e-3)
    assert found["interval"]["interval"]["upper"] < 0.25
    assert found["advised"] == "alpha"
    assert found["likely"] is not None


def test_two_confidences_of_a_model_are_one_better_one(shared: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "llama.csv", tmp_path / "record.json"
    source = shared / "data/llm_confidence/llm-confidence-correct.csv"
    with source.open(encoding="utf-8", newline="") as rows, path.open("w", encoding="utf-8", newline="") as file:
        read = csv.DictReader(rows)
        writer = csv.DictWriter(file, read.fieldnames or ())
        writer.writeheader()
        writer.writerows(row for row in read if row["llm"] == "Meta-Llama-3.1-70B-Instruct")

    signals = ("--signal", "stated_confidence:probability", "--signal", "chosen_token_confidence:probability")
    ran = run("signals", path, "--target", 0.15, "--share", 0.9, "--out", out, *signals)

    assert ran.json["gain_low"] > 0
    record = confidence.read_record(out.read_bytes())
    sure = confidence.combine(record, {"stated_confidence": 1.0, "chosen_token_confidence": 1.0})
    unsure = confidence.combine(record, {"stated_confidence": 0.5, "chosen_token_confidence": 0.5})
    assert sure is not None
    assert unsure is not None
    assert sure > 0.9 > unsure
