"""
Draws the pictures of the guides anew and says what was measured for them: `python -m bench.pictures`.

Everything is seeded. The pictures of recorded outputs need the data beside the repository (`--data FOLDER`).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from bench.pictures import figures, measures, scenes
from bench.pictures.drawing import Picture

_ROOT = Path(__file__).resolve().parents[2]
_RECORDED = {"stated-confidence", "calibrations"}


def _pictures(data: Path) -> dict[str, Callable[[], Picture]]:
    """How to draw each, by name; those of `_RECORDED` read what is in `data`."""
    return {
        "one-agent": lambda: scenes.one_agent(measures.one_agent()),
        "repeated-looks": lambda: scenes.repeated_looks(measures.repeated_looks(0.05)),
        "clean-cases": scenes.clean_cases,
        "late-verdicts": lambda: scenes.late_verdicts(measures.late_verdicts()),
        "alarm": lambda: scenes.alarm(measures.alarms()),
        "stated-confidence": lambda: scenes.stated_confidence(measures.stated(data / measures.STATED)),
        "calibrations": lambda: scenes.calibrations(measures.calibrations(measures.recorded(data / "banking77"))),
    }


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="recorded outputs")
    reader.add_argument("--only", choices=_pictures(Path()), help="one picture, and no figures")
    wanted = reader.parse_args()
    pictures = _pictures(wanted.data)
    names = [wanted.only] if wanted.only else list(pictures)
    without = not wanted.data.is_dir()
    for name in names:
        if not (without and name in _RECORDED):
            _write(name, pictures[name]())
    if without:
        reader.exit(1, f"{', '.join(sorted(_RECORDED))} and the figures are as they were: no recorded outputs here\n")
    if not wanted.only:
        (_ROOT / "docs" / "pictures" / "measured.md").write_text(figures.page(wanted.data), encoding="utf-8")


def _write(name: str, picture: Picture) -> None:
    (_ROOT / "docs" / "pictures" / f"{name}.svg").write_text(picture.svg(), encoding="utf-8")
    print(f"{name}: {picture.told}")


if __name__ == "__main__":
    main()
