"""The list of commands: what it says of them, and that nobody waits for those that were not asked for."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import begin
from cli.commands import COMMANDS, load
from cli.main import app

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"alembic", "celery", "fastapi", "httpx2", "numpy", "pydantic", "scipy", "sqlalchemy"}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_list_says_of_a_command_is_how_its_own_help_begins(name: str) -> None:
    assert " ".join(load(name).help.split("\n\n")[0].split()) == COMMANDS[name].about


def test_help_names_every_command_and_imports_none_of_them() -> None:
    told = CliRunner().invoke(app, ["--help"]).stdout
    program = "import sys, cli.main; cli.main.app(['--help'], standalone_mode=False); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [line.split()[1] for line in told.splitlines() if line.startswith("│ ") and line[2].isalpha()] == [*COMMANDS]
    loaded = {module.strip() for module in done.stdout.splitlines()}
    assert "cli.commands" in loaded
    assert loaded & HEAVY == set()
    assert {one for one in loaded if one.startswith("cli.")} <= {
        "cli.main",
        "cli.commands",
        "cli.reading",
        "cli.output",
    }


def test_a_program_is_read_before_the_gate_opens_and_begins_after_it(tmp_path: Path) -> None:
    (tmp_path / "read.py").write_text("print('read', flush=True)")
    (tmp_path / "begun.py").write_text(
        "import os, sys, gc; print(os.path.exists('opened'), gc.isenabled(), *sys.argv[1:])"
    )
    argv = [sys.executable, "-m", "cli.begin", str(tmp_path / "gate"), "read", "begun", "--port", "8000"]
    environment = {"PYTHONPATH": str(ROOT)}
    with (
        begin.closed(tmp_path / "gate") as let_begin,
        subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        (tmp_path / "opened").touch()
        let_begin()
        assert process.stdout.read() == "True True --port 8000\n"
