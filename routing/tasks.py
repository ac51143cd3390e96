"""
The tasks of routing: settle, deliver, give back expired leases, conclude rulings, follow what rollouts did.

Each is started by a message after a commit and found by its sweep in any case.
"""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from kit.context import Context
from kit.tasks import task
from routing import queries, snapshot
from routing.alike import service as alike
from routing.cases import repeats, settling
from routing.delivery import service as delivery
from routing.delivery.courier import Courier
from routing.judgements.asking import Draw
from routing.reviews import concluding, overdue, withdrawing
from routing.reviews import service as reviews

_AT_ONCE, _AT_ONCE_ON_SQLITE = 500, 50  # decisions of one transaction; on SQLite all others wait for its end
_ROUNDS = 200  # what one run settles at most before it lets others work
_PER_MESSAGE = 10.0  # seconds that one receiver may take
_NO_MORE_AFTER = 20.0  # seconds of one run; with the last message it ends within thirty
_ROUNDS_OF_OVERDUE = 50
_OVERDUE_AT_ONCE = 100
_CONCLUDED_AT_ONCE = 100
_KEYS_AT_ONCE = 1000


@task("routing.settle", every=1)
def settle(ctx: Context) -> int:
    """Compare, label and count what changed."""
    done = 0
    limit = _AT_ONCE_ON_SQLITE if ctx.db.dialect == "sqlite" else _AT_ONCE
    for _ in range(_ROUNDS):
        present = _present(ctx)
        draw = Draw(ctx.secret, present.policies)
        with ctx.db.begin() as session:
            result = settling.settle(session, present.agents, now=ctx.clock.now(), limit=limit, draw=draw)
        done += result.decisions
        if not result.more:
            break
    return done


def _present(ctx: Context) -> snapshot.Snapshot:
    """
    Agents as they are now: one may be new or compare otherwise since the last round. Read before anybody else has to
    wait, and only what changed since the last run: a thousand agents are not read quickly.
    """
    present: snapshot.Snapshot = ctx.memory.get("agents", snapshot.EMPTY)
    with ctx.db.read() as session:
        if queries.marks(session) != present.marks:
            present = ctx.memory["agents"] = snapshot.load(session, present)
    return present


@task("routing.deliver", every=1, queue="deliver")
def deliver(ctx: Context) -> int:
    """
    Send webhook messages that are due, for half a minute at most; the next run goes on.

    Two runs at once do no harm: each takes messages that the other has not.
    """
    courier = Courier(allow_private=ctx.settings.webhooks_allow_private, seconds=_PER_MESSAGE)
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < _NO_MORE_AFTER:
        now = ctx.clock.now()
        with ctx.db.begin() as session:
            parcel = delivery.take_due(session, now=now)
        if parcel is None:
            break
        answer = delivery.send(courier, parcel, now=now)
        with ctx.db.begin() as session:
            delivery.record_sent(session, answer, now=ctx.clock.now())
        sent += 1
    return sent


@task("routing.release_expired", every=0.5)
def release_expired(ctx: Context) -> int:
    """Put cases back in the queue whose reviewer walked away."""
    with ctx.db.begin() as session:
        return reviews.release_expired(session, ctx.clock.now())


@task("routing.forget_opened", every=600)
def forget_opened(ctx: Context) -> int:
    """Who had which case before them is kept for a day."""
    with ctx.db.begin() as session:
        return alike.forget_opened(session, ctx.clock.now())


@task("routing.forget_keys", every=600)
def forget_keys(ctx: Context) -> int:
    """Keys of human outputs that are no longer promised to be known. In small steps: others write too."""
    return _in_steps(ctx, repeats.forget_keys, _KEYS_AT_ONCE)


@task("routing.conclude", every=1)
def conclude(ctx: Context) -> int:
    """What follows from rulings that can no longer be undone. In small steps: others write too."""
    return _in_steps(ctx, concluding.conclude_due, _CONCLUDED_AT_ONCE)


def _in_steps(ctx: Context, step: Callable[[Session, datetime, int], int], at_once: int) -> int:
    """Until there is less than a whole step to do, each in a transaction of its own."""
    done = 0
    while True:
        with ctx.db.begin() as session:
            count = step(session, ctx.clock.now(), at_once)
        done += count
        if count < at_once:
            return done


@task("routing.expire", every=1)
def expire(ctx: Context) -> int:
    """Pass on what nobody ruled on in time, and end what waited as long again. In small steps: others write too."""
    done = 0
    for step in (overdue.pass_on, overdue.expire):
        for _ in range(_ROUNDS_OF_OVERDUE):
            with ctx.db.begin() as session:
                count = step(session, ctx.clock.now(), _OVERDUE_AT_ONCE)
            done += count
            if count < _OVERDUE_AT_ONCE:
                break
    return done


@task("routing.follow_rollouts", every=1)
def follow_rollouts(ctx: Context) -> int:
    """After autonomy was taken back: what waited for a ruling goes to people. After break-glass: everyone is told."""
    with ctx.db.begin() as session:
        delivery.tell_of_glass(session, now=ctx.clock.now())
    cancelled = 0
    while True:
        with ctx.db.begin() as session:
            count = withdrawing.cancel_what_nobody_may_rule(session, ctx.clock.now())
        cancelled += count
        if count == 0:
            return cancelled
