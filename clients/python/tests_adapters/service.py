"""
A real web process of Phasegate on SQLite with agents prepared, for tests and examples that live in another environment.

    .venv/bin/python clients/python/tests_adapters/service.py FOLDER

writes its address and keys to `service.json` in the folder, and serves until it is ended. With the name of an agent
behind the folder of a service that runs, it lets the agent act alone from now on, however that came about.
"""

import json
import os
import sys
from pathlib import Path

import uvicorn
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from cli.stack import free_port
from kit.context import make_context
from kit.settings import Settings
from migrations import chain
from rollout.domain.phase import Phase
from rollout.versions.tables import Rollout
from tests import factories

AGENTS = {
    "supervised": Phase.SUPERVISED,  # a person rules on everything
    "trusted": Phase.FULL,  # alone from a confidence of 0.8 on, and never drops a table
    "promoted": Phase.SUPERVISED,  # until a test says otherwise
    "new": Phase.EVALUATION,  # people do everything
}


def promote(folder: Path, agent: str) -> None:
    ctx = make_context(Settings(data_dir=folder))
    with ctx.db.read() as session:
        row = session.scalars(select(Rollout).where(Rollout.agent == agent)).one()
    factories.change_rollout(ctx, row, phase=Phase.FULL.value)


def serve(folder: Path) -> None:
    settings = Settings(data_dir=folder, port=free_port("127.0.0.1"), log_level="ERROR")
    chain.upgrade(settings.resolved_database_url)
    ctx = make_context(settings)
    factories.person(ctx, "olga", roles=("owner",))
    factories.person(ctx, "rita", roles=("reviewer",))
    keys = {"olga": factories.key(ctx, login="olga")[1], "rita": factories.key(ctx, login="rita")[1]}
    for name, phase in AGENTS.items():
        factories.agent(ctx, name, owner="olga")
        factories.rollout(ctx, name, "v1", phase=phase, blocked_actions=["drop_table"])
        keys[name] = factories.key(ctx, agent=name)[1]
    ctx.db.close()
    os.environ.update(PHASEGATE_DATA_DIR=str(folder), PHASEGATE_LOG_LEVEL="ERROR")
    written = folder / "service.json.new"
    written.write_text(json.dumps({"url": f"http://127.0.0.1:{settings.port}", "keys": keys}), encoding="utf-8")
    written.rename(folder / "service.json")  # whole, or not there
    uvicorn.run("web_app:from_environment", factory=True, port=settings.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    promote(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else serve(Path(sys.argv[1]))
