"""
Says whether the migration chain goes up, down and up again, and whether it makes the tables that the code has.

On SQLite and on PostgreSQL: the one of PHASEGATE_TEST_DATABASE_URL, or one from the wheel.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from alembic.script import ScriptDirectory

from migrations import chain
from tests import servers

NOTES = Path("migrations/NOTES.md")


def faults_of(url: str) -> Iterator[str]:
    """What is wrong with the chain on one empty database."""
    chain.upgrade(url)
    yield from (f"the code and the chain differ: {difference}" for difference in chain.differences(url))
    chain.downgrade(url, "base")
    chain.upgrade(url)
    yield from (f"after going down and up again: {difference}" for difference in chain.differences(url))


def faults_of_scripts() -> Iterator[str]:
    """One chain without forks, and one line in the notes for every revision."""
    scripts = ScriptDirectory(str(Path(chain.__file__).parent))
    heads = scripts.get_heads()
    if len(heads) != 1:
        yield f"the chain has {len(heads)} ends: {', '.join(heads)}; two people made a revision at once"
    notes = NOTES.read_text(encoding="utf-8")
    for script in scripts.walk_revisions():
        if script.revision not in notes:
            yield f"revision {script.revision} has no line in {NOTES}"


def main() -> int:
    found = list(faults_of_scripts())
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        server = opened.enter_context(servers.postgres("migrations"))
        postgres = opened.enter_context(servers.database(server, "phasegate_check_migrations"))
        for name, url in (("SQLite", f"sqlite:///{folder}/check.db"), ("PostgreSQL", postgres)):
            found += [f"{name}: {fault}" for fault in faults_of(url)]
    print("\n".join(found) if found else "the migrations make the tables, on SQLite and PostgreSQL")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
