"""The first person of an installation: `phasegate up` adds one where there is none."""

import sys

from cli.output import good
from cli.people import make_password
from governance.actors import SYSTEM
from governance.people import queries, service
from kit.context import make_context
from kit.settings import Settings


def first_admin(settings: Settings) -> None:
    """Somebody has to be able to sign in. A password is printed on a terminal only, never into a log."""
    ctx = make_context(settings)
    try:
        with ctx.db.read() as session:
            if queries.people(session, limit=1):
                return
        if not sys.stdout.isatty():
            good("  Nobody can sign in yet. Make the first admin: phasegate users add LOGIN --admin")
            return
        password = make_password()
        with ctx.db.begin() as session:
            service.add_person(
                session, "admin", "Administrator", roles=["admin"], password=password, by=SYSTEM, now=ctx.clock.now()
            )
    finally:
        ctx.db.close()
    good(f"  Sign in   admin, password {password} (shown this once; phasegate users password admin sets another)")
