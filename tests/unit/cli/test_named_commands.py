"""What our words tell people to type exists: every `phasegate …` of the guides, the pages and the program."""

import ast
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import load
from cli.main import app
from cli.measures import COLUMNS, line
from rollout.domain.metrics import METRICS

ROOT = Path(__file__).resolve().parents[3]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "migrations/NOTES.md"]
ROOMS = ("kit", "evidence", "governance", "rollout", "routing", "review_ui", "cli", "demo", "migrations")
PROGRAM = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
PROGRAM += [ROOT / "web_app.py", ROOT / "celery_app.py"]
PAGES = sorted((ROOT / "templates").rglob("*.html"))
FILES = [path for path in (*GUIDES, *PROGRAM, *PAGES) if "phasegate " in path.read_text(encoding="utf-8")]

# A command, and the rest of its line up to where a code span, a link or markup ends it.
NAMED = re.compile(r"\bphasegate ((?:[a-z][a-z-]*)(?:[^\n`\[\]<>|·;]|\\\n)*)")
PROSE = {"is", "audit"}  # "phasegate is already up", and the name in front of a signature


def said(path: Path) -> Iterator[str]:
    """The words of a file that people read: all of a guide or page, the string literals of a program."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield unescape(text)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def commands(path: Path) -> list[str]:
    """The commands that a file names, each with the rest of its line."""
    found = [match[1] for text in said(path) for match in NAMED.finditer(text)]
    return [command for command in found if command.split()[0] not in PROSE]


def wrong(command: str) -> str | None:
    """What of a line to type does not exist; None where all of it does."""
    words = re.split(r"[\s\"'()]+", command.split(" # ", maxsplit=1)[0])
    here: Any = typer.main.get_command(app)
    while getattr(here, "commands", None) and words and not words[0].startswith("-"):
        name = words.pop(0).rstrip(".,:…")
        if not name:  # a group, spoken of as a whole
            return None
        if name not in here.commands:
            return f"{here.name or 'phasegate'} {name}"
        here = here.commands[name] if here.name else load(name)
        if command.split(name, 1)[1].startswith((".", ",", ":")):
            return None
    known = {option for parameter in here.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = [word.split("=")[0].rstrip(".,:") for word in words if re.match(r"--?[a-z]", word)]
    missing = [option for option in asked if option not in {*known, "--help", "-h"}]
    return f"{here.name} {' '.join(missing)}" if missing else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists_with_its_options(path: Path) -> None:
    assert [missing for command in commands(path) if (missing := wrong(command))] == []


def test_commands_are_found_where_they_are_named() -> None:
    named = {command.split()[0] for path in FILES for command in commands(path)}

    assert {"up", "doctor", "migrate", "replay", "analyse", "keys", "users", "metrics", "validate"} <= named
    assert any("--repair" in command for command in commands(ROOT / "rollout/domain/counted_gate.py"))


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("doctor --repair", None),
        ("doctor --recall", "doctor --recall"),
        ("archive --dry-run", None),
        ("archive --wet-run", "archive --wet-run"),
        ("doctor --repair.", None),
        ("keys add --person ada", None),
        ("analyse gate --bad 3 --cases 200", None),
        ("analyse gate --worse 3", "gate --worse"),
        ("analyse nothing", "analyse nothing"),
        ("mend", "phasegate mend"),
    ],
)
def test_a_command_that_is_not_there_is_told(command: str, missing: str | None) -> None:
    assert wrong(command) == missing


def test_the_owners_guide_lists_every_metric_as_it_is() -> None:
    guide = (ROOT / "docs/owner.md").read_text(encoding="utf-8")
    table = guide.split("## What a plan can ask about")[1].split("\n## ")[0]
    rows = [
        tuple(cell.strip().strip("`") for cell in row.strip("|").split("|"))
        for row in table.splitlines()
        if row.startswith("|") and not row.startswith("|--")
    ]

    assert rows == [COLUMNS, *(line(metric) for metric in METRICS.values())]


def test_the_metrics_are_told_to_people_and_to_scripts() -> None:
    told, listed = (CliRunner().invoke(app, ["metrics", *options]) for options in ([], ["--json"]))

    assert (told.exit_code, listed.exit_code) == (0, 0)
    assert all(name in told.stdout for name in METRICS)
    by_name = {one["name"]: one for one in json.loads(listed.stdout)}
    assert list(by_name) == list(METRICS)
    assert by_name["error_rate"] == {
        "name": "error_rate",
        "kind": "rate",
        "unit": "share",
        "about": METRICS["error_rate"].about,
        "better": "at_most",
        "phases": ["confidence", "full"],
        "decisions": "decisions of the audit lane",
        "uses": ["gate", "guardrail"],
    }
