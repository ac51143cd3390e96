"""
The rules of this house that no linter knows. Each is a function that yields what breaks it.

- commits at the edge: nobody but `kit/db.py` commits or rolls back;
- statements in queries: select, insert, update, delete and text stand in `queries.py` and `kit/`;
- async only on the hot path: `async def` stands in governance/people/api.py, routing/hot.py, routing/writer.py,
  routing/waiting.py, routing/answering.py, routing/bulk, web_app.py, kit/asgi.py, kit/http.py, review_ui and the
  client;
- small rooms: files of at most 450 lines, functions of at most 60 (400 and 35 are the aim).
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = ("kit", "evidence", "governance", "rollout", "routing", "review_ui", "cli", "demo")
_STATEMENTS = {"select", "insert", "update", "delete", "text"}
_ASYNC = {
    "governance/people/api.py",  # who calls is asked by every route
    "routing/hot.py",
    "routing/a2i/api.py",
    "routing/interrupts/api.py",
    "routing/writer.py",
    "routing/waiting.py",
    "routing/answering.py",
    "routing/bulk/api.py",
    "routing/bulk/deciding.py",
    "routing/bulk/outbox.py",
    "routing/bulk/recording.py",
    "routing/bulk/stream.py",
    "kit/asgi.py",
    "kit/http.py",
    "review_ui/__init__.py",
    "review_ui/live.py",
}
_FILE_LINES = 450
_FUNCTION_LINES = 60

Rule = Callable[[Path, ast.Module, str], Iterator[tuple[int, str]]]


def commits_at_the_edge(path: Path, tree: ast.Module, _source: str) -> Iterator[tuple[int, str]]:
    """`with ctx.db.begin()` is the only way a transaction ends."""
    if path.as_posix() == "kit/db.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            named = owner.id if isinstance(owner, ast.Name) else ""
            if node.func.attr in {"commit", "rollback"} and named in {"session", "connection", "db"}:
                yield node.lineno, f"{named}.{node.func.attr}(): the edge owns the transaction"


def statements_in_queries(path: Path, tree: ast.Module, _source: str) -> Iterator[tuple[int, str]]:
    """SQL has one home per room."""
    if path.name in {"queries.py", "tables.py"} or path.parts[0] == "kit":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sqlalchemy":
            for name in node.names:
                if name.name in _STATEMENTS:
                    yield node.lineno, f"{name.name} from sqlalchemy: statements stand in queries.py"


def async_on_the_hot_path(path: Path, tree: ast.Module, _source: str) -> Iterator[tuple[int, str]]:
    """Everything else is synchronous: one function serves a route, a task, a page and a test."""
    if path.as_posix() in _ASYNC:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield node.lineno, f"async def {node.name}: only the hot path is async"


def small_rooms(_path: Path, tree: ast.Module, source: str) -> Iterator[tuple[int, str]]:
    """When a room gets crowded, move a wall."""
    if source.count("\n") > _FILE_LINES:
        yield 1, f"{source.count(chr(10))} lines: which two things is this file?"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            length = node.end_lineno - node.lineno
            if length > _FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines: which two things does it do?"


RULES: tuple[Rule, ...] = (commits_at_the_edge, statements_in_queries, async_on_the_hot_path, small_rooms)


def check(path: Path, source: str) -> list[str]:
    """Everything one file breaks, as `path:line: words`."""
    tree = ast.parse(source)
    return [f"{path}:{line}: {words}" for rule in RULES for line, words in rule(path, tree, source)]


def main() -> int:
    found = []
    for package in PACKAGES:
        for path in sorted(Path(package).rglob("*.py")):
            found += check(path, path.read_text(encoding="utf-8"))
    print("\n".join(found) if found else "house rules hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
