"""Every published group of vectors is read by some test here, or is named below with the reason why it cannot be."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

PUBLISHED = ("evidence.json", "thresholds.json")

WITHOUT_DATA = {
    "published_dawid_skene": "data/snow2008",
    "published_ltt_coco": "data/ltt_coco",
}
"""Groups whose figures are those of data that is not there; when it comes, they have to be read."""

READ_IN_PART = {
    "river_detectors": "ADWIN of a library that is not a dependency: compared with, not computed again",
}


def groups(shared: Path, file: str) -> set[str]:
    written = json.loads((shared / "vectors" / file).read_text(encoding="utf-8"))
    return {vector["group"] for vector in written["vectors"]}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def constants(call: ast.Call) -> list[str]:
    return [given.value for given in call.args if isinstance(given, ast.Constant) and isinstance(given.value, str)]


def written_tests() -> list[ast.Module]:
    here = Path(__file__)
    return [
        ast.parse(path.read_text(encoding="utf-8")) for path in sorted(here.parent.glob("test_*.py")) if path != here
    ]


def read() -> set[str]:
    """The groups that `vectors(...)` is called with, in code and not in words."""
    return {
        group
        for tree in written_tests()
        for call in calls(tree)
        if isinstance(call.func, ast.Name) and call.func.id == "vectors"
        for group in constants(call)
    }


def test_every_group_is_read_or_named_with_the_reason(shared: Path) -> None:
    published = groups(shared, "evidence.json")

    assert published - read() == set(WITHOUT_DATA)
    assert read() <= published
    assert set(READ_IN_PART) <= read()


@pytest.mark.parametrize("group", WITHOUT_DATA)
def test_what_is_not_read_has_no_data(shared: Path, group: str) -> None:
    assert not (shared / WITHOUT_DATA[group]).exists()


def test_every_function_of_the_thresholds_is_asked_for(shared: Path) -> None:
    """There is one group, told apart by `function`; each test takes the vectors whose function names its word."""
    written = json.loads((shared / "vectors" / "thresholds.json").read_text(encoding="utf-8"))
    words = {
        node.left.value
        for tree in written_tests()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if 'vector["function"]' in ast.unparse(node).replace("'", '"')
    }

    assert {vector["group"] for vector in written["vectors"]} == {"thresholds"}
    unread = [vector["name"] for vector in written["vectors"] if not any(word in vector["function"] for word in words)]
    assert unread == []


def test_there_is_no_other_file_of_vectors_for_evidence(shared: Path) -> None:
    assert {path.name for path in (shared / "vectors").glob("*.json")} == {*PUBLISHED, "rollout.json"}
