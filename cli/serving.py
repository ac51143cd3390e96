"""`phasegate up`: the whole service on this machine, until Ctrl-C. `phasegate demo`: the same with a real agent."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from cli.output import good, say
from cli.stack import Stack
from kit.settings import Settings

_TEND_EVERY = 0.5  # seconds
_ROOT = Path(__file__).resolve().parent.parent


def up(
    host: Annotated[str | None, typer.Option(help="Where to listen. Else: PHASEGATE_HOST, or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Celery processes.")] = 2,
) -> None:
    """
    Start the service: web process, worker and beat; migrates the database first.

    Without PHASEGATE_DATABASE_URL it uses an SQLite file in PHASEGATE_DATA_DIR (./var), without
    PHASEGATE_REDIS_URL it brings its own Valkey. What dies is started again. Ctrl-C stops all of it.
    """
    changed = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = Settings().model_copy(update=changed)
    began = time.monotonic()
    try:
        with _one_stop_signal() as asked, Stack(settings, workers=workers, say=say) as stack:
            _greet(stack, time.monotonic() - began)
            while not asked():
                stack.tend()
                time.sleep(_TEND_EVERY)
    except _AskedToStop:
        pass
    say("Stopped.")


def demo(context: typer.Context) -> None:
    """A real agent on real data through all five phases, in minutes. [bold]--exit[/bold] ends by itself."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "demo", *context.args], cwd=_ROOT))  # noqa: S603


class _AskedToStop(BaseException):
    """Ctrl-C or SIGTERM; like KeyboardInterrupt it is no error."""


@contextmanager
def _one_stop_signal() -> Iterator[Callable[[], bool]]:
    """
    The first one stops us, also in the middle of starting; a second must not leave half of the service running.

    Whether it came is to be asked as well: where it interrupts the clearing away of objects, Python only prints what
    is raised, and goes on.
    """
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            say("Stopping…")
            raise _AskedToStop

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greet(stack: Stack, seconds: float) -> None:
    good(f"Phasegate is up after {seconds:.1f} s.")
    good(f"  Pages     {stack.url}")
    good(f"  API       {stack.url}/docs")
    good(f"  Data      {stack.folder}")
    good(f"  Logs      {stack.logs}")
    from cli.first_admin import first_admin  # it reads as much again as all of this, and nobody waits for it

    first_admin(stack.settings)
    good("  Ctrl-C stops it.")
