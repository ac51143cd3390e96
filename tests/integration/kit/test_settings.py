import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.context import make_context
from kit.settings import NoSecret, Settings

ROOT = Path(__file__).resolve().parents[3]


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


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_for_many_hosts_needs_a_given_secret_and_no_host_makes_its_own(tmp_path: Path, scheme: str) -> None:
    settings = Settings(data_dir=tmp_path / "var", database_url=f"{scheme}://somewhere/phasegate")

    with pytest.raises(NoSecret, match="PHASEGATE_SECRET must be set"):
        settings.resolved_secret()
    with pytest.raises(NoSecret):
        make_context(settings)

    assert not (tmp_path / "var").exists()
    assert settings.model_copy(update={"secret": "given"}).resolved_secret() == b"given"


@pytest.mark.parametrize(
    "command",
    [
        ["uvicorn", "--factory", "web_app:from_environment", "--port", "0"],
        ["celery", "--app", "celery_app", "worker"],
        ["celery", "--app", "celery_app", "beat"],
        ["cli", "up", "--port", "0"],
        ["cli", "users", "list"],
    ],
    ids=" ".join,
)
def test_no_process_starts_on_such_a_database_without_one(tmp_path: Path, command: list[str]) -> None:
    environment = {**os.environ, "PHASEGATE_DATABASE_URL": "postgresql://127.0.0.1:1/none", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode not in {0, None}
    assert "PHASEGATE_SECRET must be set" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "var" / "secret").exists()


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
