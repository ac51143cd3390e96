import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.settings import Settings


def test_a_secret_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var")

    first, second = settings.resolved_secret(), settings.resolved_secret()

    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "var" / "secret").stat().st_mode) == 0o600


def test_processes_that_start_together_get_the_same_secret(tmp_path: Path) -> None:
    settings, together = Settings(data_dir=tmp_path / "var"), threading.Barrier(16)

    def start(_number: int) -> bytes:
        together.wait()
        return settings.resolved_secret()

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(start, range(16)))

    assert len(found) == 1
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret"]


def test_a_given_secret_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var", secret="given")

    assert settings.resolved_secret() == b"given"
    assert not (tmp_path / "var").exists()


def test_an_empty_secret_file_is_an_error_and_not_an_empty_key(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()

    with pytest.raises(RuntimeError, match="is empty"):
        Settings(data_dir=tmp_path).resolved_secret()


def test_without_a_database_it_is_sqlite_in_the_data_directory(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "a folder")

    assert settings.resolved_database_url == f"sqlite:///{tmp_path}/a folder/phasegate.db"


def test_the_environment_speaks_with_our_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHASEGATE_PORT", "9000")
    monkeypatch.setenv("PORT", "1")

    assert Settings().port == 9000
