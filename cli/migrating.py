"""`phasegate migrate`: brings the database to the schema of this release, and nothing else."""

from cli.output import good
from kit.db import Database
from kit.errors import Conflict
from kit.settings import Settings
from migrations import chain


class TooNew(Conflict):
    code = "too-new"
    title = "The database is newer than this program"


def migrate() -> None:
    """
    Bring the database of the settings to this release's schema, in one transaction: all of it, or nothing.

    Run it once per release, before the new processes start. `phasegate up` does it by itself. Exit status 0 when the
    database is there, also when it was before; 1 when it belongs to a newer release; 4 when it does not answer.
    """
    url = Settings().resolved_database_url
    before, target = _revision(url), chain.head()
    if before == target:
        good(f"The database is at {target} already.")
        return
    if before is not None and not chain.knows(before):
        raise TooNew(f"it is at {before}, this program goes up to {target}; install the release that made it")
    chain.upgrade(url)
    good(f"Migrated from {before or 'nothing'} to {_revision(url)}.")


def _revision(url: str) -> str | None:
    db = Database(url)
    try:
        return chain.current(db)
    finally:
        db.close()
