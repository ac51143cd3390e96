"""One confidence from several signals, on recorded outputs of real agents."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.signal_choice import Choice, choose_confidence, folds_by_key
from evidence.signals import Scale, Signal, fit_signals

STATED = Signal("stated_confidence", Scale.PROBABILITY)
TOKEN = Signal("chosen_token_confidence", Scale.PROBABILITY)
LLAMA_70B, LLAMA_8B = "Meta-Llama-3.1-70B-Instruct", "Meta-Llama-3.1-8B-Instruct"


@pytest.fixture
def answers(shared: Path) -> dict[str, list[dict[str, str]]]:
    path = shared / "data" / "llm_confidence" / "llm-confidence-correct.csv"
    by_model: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_model.setdefault(row["llm"], []).append(row)
    return by_model


def number(text: str) -> float | None:
    """A confidence, or None for what is none: empty, words, or outside [0, 1]."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def columns_of(rows: list[dict[str, str]]) -> tuple[dict[str, list[float | None]], Any]:
    columns = {signal.name: [number(row[signal.name]) for row in rows] for signal in (STATED, TOKEN)}
    return columns, np.array([row["correct"] == "TRUE" for row in rows])


def chosen(rows: list[dict[str, str]], target: float) -> Choice:
    columns, right = columns_of(rows)
    present = [signal for signal in (STATED, TOKEN) if any(value is not None for value in columns[signal.name])]
    folds = folds_by_key([row["qset"] + row["question_id"] for row in rows])
    return choose_confidence(present, columns, right, np.arange(len(rows)), folds, target=target)


def test_what_a_model_says_and_what_its_tokens_say_is_more_than_either(answers: dict[str, Any]) -> None:
    found = chosen(answers[LLAMA_70B], 0.15)

    assert found.combined is not None
    assert found.best_single == TOKEN.name
    assert found.gain == pytest.approx(0.104, abs=0.02)  # 56.3 % of cases against 45.9 %
    assert found.gain_low == pytest.approx(0.082, abs=0.02)
    combined, singles = found.scores[-1], found.scores[:-1]
    assert all(combined.area < single.area and combined.log_loss < single.log_loss for single in singles)
    assert found.combined.signals[1].missing_coefficient is not None  # three in ten have no token confidence


def test_better_over_all_but_worse_at_the_target_is_not_chosen(answers: dict[str, Any]) -> None:
    found = chosen(answers[LLAMA_8B], 0.10)

    combined, token = found.scores[-1], found.scores[1]
    assert combined.area < token.area
    assert combined.log_loss < token.log_loss
    assert combined.automated < token.automated  # 14.7 % against 20.5 %
    assert found.combined is None


def test_where_only_one_signal_was_recorded_it_stays(answers: dict[str, Any]) -> None:
    others = set(answers) - {LLAMA_70B, LLAMA_8B}

    assert len(others) == 9
    for model in others:
        found = chosen(answers[model], 0.10)
        assert (found.combined, found.best_single) == (None, STATED.name), model


def test_the_gain_is_there_on_answers_that_nobody_has_seen(answers: dict[str, Any]) -> None:
    rows = answers[LLAMA_70B]
    order = np.random.default_rng(3).permutation(len(rows))
    older, newer = ([rows[i] for i in part] for part in np.array_split(order, 2))
    (old_columns, old_right), (new_columns, new_right) = columns_of(older), columns_of(newer)

    def automated(signals: list[Signal]) -> float:
        record = fit_signals(signals, old_columns, old_right, np.arange(len(older)))
        confidence = np.array([-1.0 if value is None else value for value in record.apply(new_columns)])
        ranked = np.argsort(-confidence, kind="stable")
        wrong = np.cumsum(~new_right[ranked])
        return float(np.max(np.flatnonzero(wrong <= 0.15 * np.arange(1, len(ranked) + 1)), initial=-1) + 1) / len(newer)

    assert automated([STATED, TOKEN]) > max(automated([STATED]), automated([TOKEN])) + 0.05


@pytest.mark.parametrize(("name", "target", "gain"), [("banking77", 0.02, 0.042), ("banking77", 0.05, 0.014)])
def test_the_runner_up_label_adds_a_little_on_intents(shared: Path, name: str, target: float, gain: float) -> None:
    with (shared / "data" / name / "agent_test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {
        "first": [float(row["confidence"]) for row in rows],
        "second": [float(row["second_confidence"]) for row in rows],
        "words": [len(row["text"].split()) for row in rows],
    }
    signals = [Signal("first", Scale.PROBABILITY), Signal("second", Scale.PROBABILITY), Signal("words", Scale.POSITIVE)]
    right, folds = [row["correct"] == "1" for row in rows], folds_by_key([row["id"] for row in rows])

    found = choose_confidence(signals, columns, right, np.arange(len(rows)), folds, target=target)

    assert found.combined is not None
    assert found.best_single == "first"
    assert found.gain == pytest.approx(gain, abs=0.01)
