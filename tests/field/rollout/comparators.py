"""Comparators that somebody might install: one as the published case has it, one that breaks."""

from typing import Any


def as_text(output: Any, human_output: Any, _options: dict[str, Any]) -> bool:
    return str(output) == str(human_output)


def broken(output: Any, _human_output: Any, _options: dict[str, Any]) -> bool:
    raise ValueError(f"cannot compare {output}")
