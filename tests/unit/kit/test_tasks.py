import pytest

from kit import tasks
from kit.context import Context


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, tasks.Task]:
    empty: dict[str, tasks.Task] = {}
    monkeypatch.setattr(tasks, "REGISTRY", empty)
    return empty


def _work(_ctx: Context) -> int:
    return 7


def test_a_task_is_known_by_its_name_and_stays_a_plain_function(registry: dict[str, tasks.Task]) -> None:
    same = tasks.task("tests.work", every=2)(_work)

    assert same is _work
    assert registry["tests.work"] == tasks.Task("tests.work", _work, 2)


def test_a_task_without_a_beat_runs_only_on_request(registry: dict[str, tasks.Task]) -> None:
    tasks.task("tests.work")(_work)

    assert registry["tests.work"].every is None


def test_two_modules_cannot_use_one_name() -> None:
    tasks.task("tests.work")(_work)

    def other(_ctx: Context) -> None: ...

    other.__module__ = "somewhere.else"
    with pytest.raises(ValueError, match=r"two tasks are called tests\.work"):
        tasks.task("tests.work")(other)
