import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools import house_rules
from tools.house_rules import PACKAGES, check

ROOT = Path(house_rules.__file__).resolve().parents[1]


def broken(path: str, source: str) -> list[str]:
    """What the rules say of a file, without the place."""
    return [line.split(": ", 1)[1] for line in check(Path(path), source)]


class TestCommitsAtTheEdge:
    @pytest.mark.parametrize("call", ["session.commit()", "session.rollback()", "connection.commit()", "db.rollback()"])
    @pytest.mark.parametrize("path", ["rollout/gates/service.py", "kit/http.py", "review_ui/pages.py"])
    def test_catches_who_ends_a_transaction(self, path: str, call: str) -> None:
        assert broken(path, f"def save(session, connection, db):\n    {call}\n") == [
            f"{call}: the edge owns the transaction"
        ]

    @pytest.mark.parametrize("source", ["with ctx.db.begin() as session:\n    work(session)\n", "repo.commit()\n"])
    def test_lets_the_edge_open_one(self, source: str) -> None:
        assert broken("routing/cases/api.py", source) == []

    def test_lets_the_database_itself(self) -> None:
        assert broken("kit/db.py", "session.commit()\n") == []


class TestStatementsInQueries:
    @pytest.mark.parametrize("name", ["select", "insert", "update", "delete", "text"])
    @pytest.mark.parametrize("module", ["sqlalchemy", "sqlalchemy.sql", "sqlalchemy.dialects.postgresql"])
    def test_catches_a_statement_elsewhere(self, module: str, name: str) -> None:
        assert broken("routing/cases/service.py", f"from {module} import {name}\n") == [
            f"{name} from sqlalchemy: statements stand in queries.py"
        ]

    @pytest.mark.parametrize("path", ["routing/cases/queries.py", "routing/cases/tables.py", "kit/dialects.py"])
    def test_lets_them_stand_where_they_belong(self, path: str) -> None:
        assert broken(path, "from sqlalchemy import select, update\n") == []

    def test_lets_types_be_imported_anywhere(self) -> None:
        assert broken("routing/cases/service.py", "from sqlalchemy.orm import Session\n") == []


class TestAsyncOnTheHotPath:
    def test_catches_it_elsewhere(self) -> None:
        assert broken("routing/cases/api.py", "async def show():\n    ...\n") == [
            "async def show: only the hot path is async"
        ]

    def test_lets_the_hot_path(self) -> None:
        assert broken("routing/hot.py", "async def decide():\n    ...\n") == []


class TestSmallRooms:
    def test_catches_a_crowded_file(self) -> None:
        assert broken("kit/ids.py", "x = 1\n" * 451) == ["451 lines: which two things is this file?"]

    def test_lets_a_full_one(self) -> None:
        assert broken("kit/ids.py", "x = 1\n" * 450) == []

    @pytest.mark.parametrize("word", ["def", "async def"])
    def test_catches_a_long_function(self, word: str) -> None:
        source = f"{word} do():\n" + "    x = 1\n" * 61

        assert "do has 61 lines: which two things does it do?" in broken("routing/hot.py", source)

    def test_lets_a_function_of_sixty(self) -> None:
        assert broken("routing/hot.py", "def do():\n" + "    x = 1\n" * 60) == []


def test_a_fault_is_told_with_its_place() -> None:
    assert check(Path("rollout/x.py"), "\nasync def late():\n    ...\n")[0].startswith("rollout/x.py:2: ")


def test_the_tool_tells_by_its_status_whether_the_house_is_in_order(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "bad.py").write_text("async def bad():\n    ...\n", encoding="utf-8")

    found = subprocess.run(
        [sys.executable, ROOT / "tools" / "house_rules.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout) == (1, "kit/bad.py:1: async def bad: only the hot path is async\n")


def test_nobody_else_in_the_environment_claims_our_packages() -> None:
    claimed = packages_distributions()
    ours = [*PACKAGES, "migrations", "web_app", "celery_app"]

    others = {name: sorted(set(claimed.get(name, [])) - {"phasegate"}) for name in ours}

    assert {name: found for name, found in others.items() if found} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_does_not_ask_for_the_time_or_the_environment(package: str) -> None:
    """A module of ours does nothing when it is imported: no call that reads clock, environment or disk."""
    asks = {"now", "time", "getenv", "open", "read_text", "connect", "create_engine", "begin"}
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {call.func.attr}()"
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "__main__.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in asks
    ]
    assert found == []
