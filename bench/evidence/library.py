"""
MAPIE's own controller on the same draws, in an environment of its own: an optional peer.

Run as a script by the interpreter of `.venv-bench`, it knows numpy and MAPIE only. It reads calibrations from a
file and prints the thresholds as JSON; `run` starts it.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

INTERPRETER = Path(__file__).resolve().parents[2] / ".venv-bench" / "bin" / "python"
CONFIGURATIONS = ("bonferroni_holm", "fixed_sequence", "fixed_sequence clipped")


def version() -> str | None:
    """The library's version; None where it is not installed."""
    if not INTERPRETER.exists():
        return None
    asked = [str(INTERPRETER), "-c", "import importlib.metadata as m; print(m.version('mapie'))"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.strip() or None


def run(draws: list[tuple[Any, float, Any]], delta: float) -> list[dict[str, float]]:
    """For each draw of (calibration, risk, clipped grid) the threshold of every configuration; inf for none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "draws.npz"
        arrays = {"delta": np.array(delta), "risks": np.array([risk for _, risk, _ in draws])}
        for place, (drawn, _, grid) in enumerate(draws):
            good = drawn.cases - drawn.errors
            arrays[f"confidence{place}"] = np.repeat(np.tile(drawn.confidence, 2), np.concatenate([good, drawn.errors]))
            arrays[f"right{place}"] = np.repeat([1, 0], [good.sum(), drawn.errors.sum()])
            arrays[f"grid{place}"] = grid
        np.savez(file, **arrays)
        found = subprocess.run(  # noqa: S603
            [str(INTERPRETER), __file__, str(file)], capture_output=True, text=True, check=True
        )
    return [dict(one) for one in json.loads(found.stdout)]


def _thresholds(confidence: Any, right: Any, risk: float, delta: float, grids: dict[str, Any]) -> dict[str, float]:
    from mapie.risk_control import BinaryClassificationController  # type: ignore[import-not-found]

    found = {}
    for name in CONFIGURATIONS:
        method, _, clipped = name.partition(" ")
        grid = grids["clipped" if clipped else "default"]
        best = None
        if len(grid):
            controller = BinaryClassificationController(
                lambda one: np.column_stack([1 - one, one]),
                risk="precision",
                target_level=1 - risk,
                confidence_level=1 - delta,
                list_predict_params=grid,
                fwer_method=method,
            )
            best = controller.calibrate(confidence, right).best_predict_param
        found[name] = float("inf") if best is None else float(best)
    return found


def main() -> None:
    """The child's side."""
    warnings.simplefilter("ignore")  # it warns of every calibration without a threshold
    draws = np.load(sys.argv[1])
    delta, default = float(draws["delta"]), np.linspace(0, 0.99, 100)
    found = [
        _thresholds(
            draws[f"confidence{place}"],
            draws[f"right{place}"],
            float(risk),
            delta,
            {"default": default, "clipped": draws[f"grid{place}"]},
        )
        for place, risk in enumerate(draws["risks"])
    ]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
