"""The populations in ../shared/data, and the scenarios on them that the procedures were chosen on."""

import csv
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.evidence.drawing import Population

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

_HAIKU, _SONNET_37, _SONNET_4 = "claude-3-haiku-20240307", "claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514"
_LLAMA, _O3 = "Meta-Llama-3.1-8B-Instruct", "o3-2025-04-16"
_STATED: dict[str, tuple[str, tuple[str, ...]]] = {
    "Llama-3.1-8B sciq": (_LLAMA, ("sciq_test",)),
    "Claude-3-haiku sciq": (_HAIKU, ("sciq_test",)),
    "Sonnet-4 boolq": (_SONNET_4, ("boolq_valid",)),
    "o3 boolq": (_O3, ("boolq_valid",)),
    "o3 halu_eval": (_O3, ("halu_eval_qa",)),
    "Claude-3.7 mix": (_SONNET_37, ("boolq_valid", "sat_en", "sciq_test")),
}


class Scenario(NamedTuple):
    """One population, target and number of labels; what was published for it, to see that it is the same."""

    population: str
    risk: float
    labels: int
    oracle: float
    learned: float
    """Coverage of BLS-FST when the procedures were chosen."""

    @property
    def name(self) -> str:
        return f"{self.population} {100 * self.risk:.0f} % n={self.labels}"


SCENARIOS = tuple(
    Scenario(*row)
    for row in (
        ("banking77", 0.05, 300, 0.907, 0.792),
        ("banking77", 0.05, 1000, 0.907, 0.869),
        ("banking77", 0.05, 3000, 0.907, 0.888),
        ("banking77", 0.02, 300, 0.778, 0.265),
        ("banking77", 0.02, 1000, 0.778, 0.621),
        ("banking77", 0.02, 3000, 0.778, 0.724),
        ("banking77", 0.01, 1000, 0.644, 0.186),
        ("banking77", 0.01, 3000, 0.644, 0.479),
        ("clinc150", 0.05, 300, 0.803, 0.643),
        ("clinc150", 0.05, 1000, 0.803, 0.764),
        ("clinc150", 0.05, 3000, 0.803, 0.784),
        ("clinc150", 0.02, 300, 0.685, 0.136),
        ("clinc150", 0.02, 1000, 0.685, 0.380),
        ("clinc150", 0.02, 3000, 0.685, 0.600),
        ("snips", 0.05, 300, 0.542, 0.292),
        ("snips", 0.05, 1000, 0.542, 0.461),
        ("snips", 0.05, 3000, 0.542, 0.499),
        ("snips", 0.02, 1000, 0.389, 0.171),
        ("snips", 0.02, 3000, 0.389, 0.322),
        ("Llama-3.1-8B sciq", 0.05, 300, 0.634, 0.025),
        ("Llama-3.1-8B sciq", 0.05, 1000, 0.634, 0.033),
        ("Claude-3-haiku sciq", 0.05, 1000, 0.617, 0.047),
        ("Sonnet-4 boolq", 0.10, 300, 0.627, 0.031),
        ("Sonnet-4 boolq", 0.10, 1000, 0.627, 0.045),
        ("o3 boolq", 0.10, 300, 0.759, 0.220),
        ("o3 boolq", 0.10, 1000, 0.759, 0.512),
        ("o3 halu_eval", 0.10, 1000, 0.473, 0.143),
        ("Claude-3.7 mix", 0.10, 1000, 0.461, 0.400),
    )
)
ABSENT = (
    "4 of the 32 scenarios that the procedures were chosen on, sroie_total (5 and 10 %, n=300) and llmbar_gpt4 (5 and "
    "10 %, n=300): their data are not in ../shared/data. All means here are over the other 28, for which the published "
    "relative coverages of BLS-FST, FST30s, FST30 and SGR average .581, .566, .561 and .384 (over all 32: .583, .568, "
    ".562 and .382)"
)
NEVER = {"pandalm": (0.05, 0.10), "tau_airline": (0.05, 0.10)}
"""Populations whose outputs are wrong too often for any threshold; what is asked of a rule is to say so."""


@lru_cache
def population(name: str) -> Population:
    """By the name that it has in the scenarios. Needs the files in ../shared/data."""
    if name in _STATED:
        return _stated(name, *_STATED[name])
    return {"banking77": _banking77, "clinc150": _clinc150, "snips": _snips, "pandalm": _pandalm, "tau_airline": _tau}[
        name
    ]()


def _made(name: str, cases: list[tuple[float, bool]]) -> Population:
    confidence, error = zip(*cases, strict=True)
    return Population(name, np.array(confidence, dtype=np.float64), np.array(error, dtype=np.int64))


def _rows(*path: str) -> list[dict[str, str]]:
    with DATA.joinpath(*path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _banking77() -> Population:
    """The out-of-fold predictions on all 13,083 queries."""
    rows = _rows("banking77", "agent_oof.csv")
    return _made("banking77", [(float(row["confidence"]), row["correct"] != "1") for row in rows])


def _clinc150() -> Population:
    rows = _rows("clinc150", "agent_test.csv")
    return _made("clinc150", [(float(row["confidence"]), row["correct"] != "1") for row in rows])


def _snips() -> Population:
    """The whole object right or wrong, on the confidence of the whole object."""
    lines = DATA.joinpath("snips", "agent_outputs.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return _made("snips", [(row["confidence"]["overall"], row["correct"] != 1) for row in rows])


def _stated(name: str, model: str, sets: tuple[str, ...]) -> Population:
    """What a model said of itself, rounded as it said it: heavy ties."""
    rows = _rows("llm_confidence", "llm-confidence-correct.csv")
    chosen = [row for row in rows if row["llm"] == model and row["qset"] in sets]
    return _made(name, [(float(row["stated_confidence"]), row["correct"] != "TRUE") for row in chosen])


def _pandalm() -> Population:
    """One AI judge against the majority of three people; sure (1) where the other AI judge says the same, else 0."""
    folder = DATA / "pandalm"
    people = json.loads(folder.joinpath("testset-v1.json").read_text(encoding="utf-8"))
    first = json.loads(folder.joinpath("gpt-3.5-turbo-testset-v1.json").read_text(encoding="utf-8"))
    other = json.loads(folder.joinpath("pandalm-7b-testset-v1.json").read_text(encoding="utf-8"))
    said = {row["idx"]: str(row["gpt_result"]) for row in first}
    seconded = {row["idx"]: str(row["pandalm_result"]) for row in other}
    cases = []
    for row in people:
        votes = Counter(str(row[f"annotator{person}"]) for person in (1, 2, 3))
        ruling, count = votes.most_common(1)[0]
        if count > 1:
            agree = said[row["idx"]] == seconded[row["idx"]]
            cases.append((float(agree), said[row["idx"]] != ruling))
    return _made("pandalm", cases)


def _tau() -> Population:
    """The first trial of each task only, for trials of one task depend on each other; surer the fewer the messages."""
    lines = DATA.joinpath("tau_airline", "trials.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return _made("tau_airline", [(1 / (1 + row["n_messages"]), row["reward"] < 1) for row in rows if row["trial"] == 0])
