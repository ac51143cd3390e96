"""Starts the service on a fresh database, lives through the weeks, shows the table, and stays up to be looked at."""

import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from phasegate_client import Phasegate
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.stack import Stack, free_port
from demo import report
from demo.books import Books
from demo.digits import Scans, hasty_reader, worthy_reader
from demo.http import Desk
from demo.people import PASSWORD, PEOPLE, Reviewer
from demo.set_up import Keys, make_people, register
from demo.weeks import AGENT, DAYS, START, Weeks
from kit.clock import SharedClock
from kit.errors import Unavailable
from kit.settings import Settings

FOLDER = Path("var") / "demo"


def run(*, port: int, stay: bool) -> int:
    """0 when every expectation held."""
    console = Console()
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    clock = SharedClock(FOLDER / "clock")
    clock.set(START)
    stack = _started(port, console)
    try:
        console.print(f"Phasegate is up at [bold]{stack.url}[/] (web, worker, beat, Valkey; SQLite in {FOLDER})")
        weeks = _prepare(stack, clock, console)
        _live(weeks, console)
        found = report.expectations(weeks)
        report.show(console, weeks, found)
        held = all(expectation.held for expectation in found)
        console.print(f"Thirteen weeks in {time.monotonic() - began:.0f} s.")
        if stay:
            _stay(stack, clock, console)
    finally:
        stack.stop()
        clock.close()
    return 0 if held else 1


def _started(port: int, console: Console) -> Stack:
    def settings(at: int) -> Settings:
        return Settings(
            data_dir=FOLDER,
            database_url=None,
            redis_url=None,
            secret="the demo's key, so that its draws come out the same every time",  # noqa: S106
            clock_file=(FOLDER / "clock").resolve(),
            host="127.0.0.1",
            port=at,
            beat_seconds=1.0,
        )

    try:
        stack = Stack(settings(port))
        stack.start()
    except Unavailable:
        other = free_port("127.0.0.1")
        console.print(f"Port {port} is taken, so the pages are on {other}.")
        stack = Stack(settings(other))
        stack.start()
    return stack


def _prepare(stack: Stack, clock: SharedClock, console: Console) -> Weeks:
    console.print("Training the two readers on the first scans …")
    scans = Scans()
    stable, candidate = worthy_reader(scans), hasty_reader(scans)
    keys: Keys = make_people(stack.settings, clock)
    desks = {login: Desk(stack.url, keys.of[login]) for login in PEOPLE}
    register(desks["admin"], scans, stable)
    books = Books()
    return Weeks(
        books=books,
        clock=clock,
        agent=Phasegate(stack.url, keys.agent, agent=AGENT, timeout=30.0),
        owner=desks["maria"],
        second=desks["paul"],
        admin=desks["admin"],
        reviewers=[Reviewer(login, desks[login], scans, books.note_work) for login in ("amira", "jonas")],
        scans=scans,
        stable=stable,
        candidate=candidate,
    )


def _live(weeks: Weeks, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        task = progress.add_task("Thirteen weeks", total=DAYS, words="")
        noted = 0

        def on_day(day: int, phase: str) -> None:
            nonlocal noted
            for step in weeks.books.steps[noted:]:
                progress.console.print(
                    f"  {step.at:%a %d %b}  {step.version}: {step.left} → {step.entered} by {step.by}"
                )
            noted = len(weeks.books.steps)
            progress.update(task, completed=day + 1, words=f"week {day // 7 + 1}, {phase}")

        weeks.live(on_day)


def _stay(stack: Stack, clock: SharedClock, console: Console) -> None:
    """Keep the service and its clock going until Ctrl-C, so that people can look around and rule on cases."""
    console.print(f"\nLook around: [bold]{stack.url}[/]   password for everybody: [bold]{PASSWORD}[/]")
    for login, (name, roles) in PEOPLE.items():
        console.print(f"  {login:8} {name} ({', '.join(roles)})")
    console.print("Ctrl-C stops it.")
    stopped = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    at, since = clock.now(), time.monotonic()
    while not stopped:
        clock.set(datetime.fromtimestamp(at.timestamp() + time.monotonic() - since, UTC))
        stack.tend()
        time.sleep(0.2)
