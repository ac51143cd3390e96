"""
How long a replay of 100,000 recorded cases takes: `python -m bench.replay [--lines 100000]`.

The cases are scikit-learn's bundled digits with the outputs, probabilities and labels of a model trained on the
first third of them, again and again under new ids, 64 pixels each as input; thirteen weeks, all five phases.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_DAYS = 91
_TRAINED_ON = 600
_BUDGET = 120.0  # seconds for 100,000 lines on two cores

_PLAN = """
agent: digits
settle_days: 2
phases:
  evaluation:
    gates: [{metric: suite_score, suite: first, at_least: 0.9}]
  shadow:
    minimum_days: 14
    gates: [{metric: disagreement_rate, at_most: 0.08}]
  supervised:
    minimum_days: 14
    gates: [{metric: override_rate, at_most: 0.08}]
    guardrails: [{metric: override_rate, at_most: 0.2}]
  confidence:
    minimum_days: 14
    ramp: [0.25, 1]
    gates: [{metric: error_rate, at_most: 0.03}]
    guardrails: [{metric: error_rate, at_most: 0.06}]
  full:
    ramp: [1]
    gates: [{metric: error_rate, at_most: 0.03}]
    guardrails: [{metric: error_rate, at_most: 0.06}]
"""


def _rows() -> list[dict[str, Any]]:
    """The digits the model was not trained on, as it read them."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    digits = load_digits()
    model = LogisticRegression(C=0.01, max_iter=2000).fit(digits.data[:_TRAINED_ON], digits.target[:_TRAINED_ON])
    sure = model.predict_proba(digits.data[_TRAINED_ON:])
    truth = digits.target[_TRAINED_ON:]
    return [
        {
            "input": {"image": [int(pixel) for pixel in digits.data[_TRAINED_ON + place]]},
            "output": {"digit": int(sure[place].argmax())},
            "confidence": round(float(sure[place].max()), 6),
            "human_output": {"digit": int(truth[place])},
        }
        for place in range(len(truth))
    ]


def _lines(count: int) -> Iterator[str]:
    rows = _rows()
    step = timedelta(days=_DAYS) / count
    for number in range(count):
        at = (_START + number * step).isoformat()
        segment = ("north", "south", "west")[number % 3]
        yield json.dumps({"case_id": f"d-{number}", **rows[number % len(rows)], "segment": segment, "occurred_at": at})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    count = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        cases, plan, report = (Path(folder) / name for name in ("cases.jsonl", "plan.yaml", "report.json"))
        with cases.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in _lines(count))
        plan.write_text(_PLAN, encoding="utf-8")
        command = [sys.executable, "-m", "cli", "replay", str(cases), "--plan", str(plan), "--report", str(report)]
        began = time.monotonic()
        subprocess.run([*command, "--threshold", "0.9", "--audit-rate", "0.2"], check=True)  # noqa: S603
        seconds = time.monotonic() - began
        found = json.loads(report.read_bytes())
    size = f"{count:,} lines in {seconds:.1f} s, start and report included: {count / seconds:,.0f} lines a second"
    print(f"\n{size}\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    kept = seconds <= _BUDGET * count / 100_000
    print(f"budget {_BUDGET:g} s for 100,000 lines: {'kept' if kept else 'MISSED'}")
    return 0 if kept and found["lines"]["used"] == count else 1


if __name__ == "__main__":
    sys.exit(main())
