"""What is in the package when it is built, and whether it can be used without anything else of this repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from phasegate_client import __version__

HERE = Path(__file__).parent.parent
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def test_a_wheel_has_its_types_its_adapters_and_its_licence(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", "77")
    source = shutil.copytree(HERE / "src", tmp_path / "source" / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(HERE / name, source.parent)
    made = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _BUILD, str(tmp_path)], cwd=source.parent, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr

    wheel = tmp_path / f"phasegate_client-{__version__}-py3-none-any.whl"
    names = set(ZipFile(wheel).namelist())
    ours = {str(path.relative_to(HERE / "src")) for path in (HERE / "src/phasegate_client").rglob("*.py")}
    assert {"phasegate_client/py.typed", *ours} <= names
    assert f"phasegate_client-{__version__}.dist-info/licenses/LICENSE" in names

    used = "import phasegate_client.adapters.asgi as it; print(it.__file__, it.AsyncPhasegate('http://x.test', 'k'))"
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", used], env=os.environ | {"PYTHONPATH": str(wheel)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.startswith(str(wheel)), told.stderr
