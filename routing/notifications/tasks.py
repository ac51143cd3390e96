"""Two sweeps: write what is to be told, and send what was written."""

import time
from datetime import timedelta

from kit.context import Context
from kit.tasks import task
from routing.notifications import news, queries, sending
from routing.notifications.service import SEND

_PER_MESSAGE = 10.0  # seconds that one receiver may take
_NO_MORE_AFTER = 10.0  # seconds of one run; agents' webhooks go through the same worker


@task("routing.notify", every=5)
def notify(ctx: Context) -> int:
    """Note what is new, then write to everybody whose time has come, each in a transaction of their own."""
    now = ctx.clock.now()
    with ctx.db.begin() as session:
        news.note(session, before=timedelta(minutes=ctx.settings.notify_before_minutes), now=now)
    with ctx.db.read() as session:
        logins = queries.listeners_due(session, now, queries.newest_notice(session))
    written = 0
    for login in logins:
        with ctx.db.begin() as session:
            written += news.tell(session, login, now=now) is not None
    return written


@task(SEND, every=5, queue="deliver")
def send_notifications(ctx: Context) -> int:
    """Send what is due. Two runs at once do no harm: each takes messages that the other has not."""
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < _NO_MORE_AFTER:
        now = ctx.clock.now()
        with ctx.db.begin() as session:
            parcel = sending.take_due(session, secret=ctx.secret, base=ctx.settings.base_url, now=now)
        if parcel is None:
            break
        answer = sending.send(parcel, ctx.settings, seconds=_PER_MESSAGE, now=now)
        with ctx.db.begin() as session:
            sending.record_sent(session, answer, now=ctx.clock.now())
        sent += 1
    return sent
