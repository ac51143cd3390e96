"""Sealing, every beat."""

from sqlalchemy.exc import IntegrityError

from governance.audit import service
from kit.context import Context
from kit.tasks import task

_BATCHES = 50  # a run ends after so many, so that it stays shorter than its message lives


@task("audit.seal", every=1)
def seal(ctx: Context) -> int:
    """Give events their places in the tree until none is left; returns how many were given."""
    sealed = 0
    for _ in range(_BATCHES):
        now = ctx.clock.now()
        with ctx.db.read() as session:
            batch = service.next_batch(session, ctx.secret, now=now)
        if batch is None:
            break
        try:
            with ctx.db.begin() as session:
                sealed += service.store(session, batch)
        except IntegrityError:
            break  # another sealer was faster, and what it left the next sweep takes
    return sealed
