"""
Composition root of the workers: the context, every task, and the beat table.

`celery -A celery_app worker -Q celery`, the same with `-Q deliver`, and `celery -A celery_app beat`; `phasegate up`
starts all three. Delivery has a worker of its own, so that no slow receiver keeps a guardrail waiting.
"""

from typing import Any

import structlog
from celery import Celery, signals
from celery import Task as CeleryTask

import governance.audit.tasks  # noqa: F401 - importing registers the tasks
import rollout.gates.tasks  # noqa: F401
import routing.archives.tasks
import routing.notifications.tasks
import routing.tasks
import routing.thresholds.tasks  # noqa: F401
from kit import logging as kit_logging
from kit.context import Context, make_context
from kit.messages import publisher
from kit.settings import NoSecret, Settings
from kit.tasks import REGISTRY, Task, routes

log = structlog.get_logger(__name__)

settings = Settings()
try:
    settings.check_secret()  # now, and not when the first task fails for want of it
except NoSecret as missing:
    raise SystemExit(missing.detail) from None
app = Celery("phasegate", broker=settings.redis_url or "redis://127.0.0.1:6379/0")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # a killed worker's task comes back; every task may run twice
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 2},
    timezone="UTC",
    task_routes=routes(),
    beat_schedule={
        known.name: {
            "task": known.name,
            "schedule": known.every * settings.beat_seconds,
            "options": {"expires": 10 * known.every * settings.beat_seconds},
        }
        for known in REGISTRY.values()
        if known.every is not None
    },
)

_held: dict[str, Context] = {}


def context() -> Context:
    """The context of this process, made at first use: a forked child must not share its parent's connections."""
    if "ctx" not in _held:
        ctx = make_context(settings)
        ctx.db.turns.gives_way = True
        ctx.send_through(publisher(settings.redis_url, app.send_task))
        _held["ctx"] = ctx
    return _held["ctx"]


@signals.worker_process_init.connect
def _fresh_context(**_: Any) -> None:
    _held.clear()
    kit_logging.set_up(settings.log_level)


@signals.worker_process_shutdown.connect
def _let_messages_out(**_: Any) -> None:
    if "ctx" in _held:
        _held["ctx"].drain()


def _bind(known: Task) -> None:
    @app.task(name=known.name, bind=True, max_retries=0)
    def run(self: CeleryTask) -> None:  # noqa: ARG001
        try:
            known.run(context())
        except Exception:
            # A task that fails has rolled back; its sweep tries again. The worker itself must live on.
            log.exception("task failed; the next sweep repeats it", task=known.name)


for _known in list(REGISTRY.values()):
    _bind(_known)
