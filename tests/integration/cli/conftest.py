"""Commands run in this process, on the database of `ctx`, as a terminal would run them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import house
from cli.main import app
from kit.context import Context


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def invoke(*arguments: object, typed: str | None = None) -> Ran:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def phasegate(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`phasegate("status", "--json")` on the database of `ctx`."""
    monkeypatch.setenv("PHASEGATE_DATABASE_URL", ctx.settings.resolved_database_url)
    monkeypatch.setenv("PHASEGATE_DATA_DIR", str(ctx.settings.data_dir))
    monkeypatch.setenv("PHASEGATE_SECRET", ctx.secret.decode())
    monkeypatch.setattr(house.kit_logging, "set_up", lambda _level: None)  # it would log to a stream that is closed
    return invoke
