"""The months ahead get their partitions."""

from kit import partitions
from kit.clock import SystemClock
from kit.context import Context
from kit.tasks import task
from routing.archives import queries

_HOURLY = 1800  # beats of two seconds


@task("routing.make_months", every=_HOURLY)
def make_months(ctx: Context) -> list[str]:
    """
    Give this month and the next two their partitions; the names of those that were made.

    By the machine's clock, whatever clock the house goes by: ids are made by it.
    """
    made = []
    for month in partitions.coming(SystemClock().now()):
        with ctx.db.begin() as session:
            made += [partitions.name_of("decisions", month)] if queries.make_month(session, month) else []
    return made
