"""`phasegate analyse staffing`: how many reviewers it takes, for a steady rate or for a recorded week."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.analysing.columns import Read, read
from cli.analysing.shared import end, refusing
from cli.output import AsJson, Exit, good, print_json, print_table
from evidence.staffing import HOURS_OF_A_WEEK, HourOfWeek, erlang_c, reviewers_needed, week
from kit.errors import Invalid, Place
from rollout.domain import words
from routing.staffing.week import WEEK, Arrivals, arrivals_per_hour, zone_of

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR = timedelta(hours=1)
_MINUTES = 60.0
_SHORT_FILE = "it spans less than a week, so some hours of the week were not seen"


def staffing(
    minutes_per_review: Annotated[float, typer.Option(min=0.01, help="How long a review takes.")],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="One line for each review that came.")] = None,
    arrivals: Annotated[float | None, typer.Option(min=0.0, help="Reviews an hour, instead of a file.")] = None,
    within_minutes: Annotated[
        float, typer.Option(min=0.0, help="Somebody starts on a review within this time …")
    ] = 60.0,
    share: Annotated[float, typer.Option(help="… for this share of them.")] = 0.9,
    reviewers: Annotated[int | None, typer.Option(min=0, help="How many are there; else as many as needed.")] = None,
    time_column: Annotated[str, typer.Option(help="When a review came, with its zone.")] = "arrived_at",
    zone: Annotated[str, typer.Option(help="The zone of the hours.")] = "UTC",
    as_json: AsJson = False,
) -> None:
    """
    Reviewers needed. Exit status 1 where those who are there cannot keep up.

    [bold]phasegate analyse staffing --arrivals 30 --minutes-per-review 6[/bold]
    [bold]phasegate analyse staffing reviews.csv --minutes-per-review 6 --reviewers 4 --zone Europe/Zurich[/bold]
    """
    if (file is None) is (arrivals is None):
        place = Place("FILE", "there is a file and a rate, or neither", "give a FILE, or --arrivals")
        raise Invalid("what arrives?", places=[place])
    service, within = _MINUTES / minutes_per_review, within_minutes / _MINUTES
    if arrivals is not None:
        rate = arrivals
        _steady(rate, service, within, refusing(lambda: reviewers_needed(rate, service, within, share)), reviewers,
                as_json=as_json)  # fmt: skip
        return
    taken = read(file or Path(), lambda row: row.moment(time_column), [time_column])
    per_hour = _per_hour(taken, zone)
    needed = refusing(lambda: [reviewers_needed(hour, service, within, share) for hour in per_hour])
    servers = needed if reviewers is None else [reviewers] * HOURS_OF_A_WEEK
    hours = week(per_hour, servers, service, within, share)
    if as_json:
        print_json({"hours": [_plain(hour) for hour in hours], "most_needed": max(needed),
                    "unstable_hours": sum(not hour.stable for hour in hours),
                    "broken": [row.to_dict() for row in taken.broken]})  # fmt: skip
    else:
        _show(hours, len(taken.taken))
    end(taken.broken, yes=all(hour.stable for hour in hours), as_json=as_json)


def _steady(
    arrivals: float, service: float, within: float, needed: int, reviewers: int | None, *, as_json: bool
) -> None:
    queue = erlang_c(arrivals, service, needed if reviewers is None else reviewers)
    late = queue.waits_beyond(within)
    if as_json:
        print_json({"needed": needed, "reviewers": queue.servers, "stable": queue.stable, "late": late,
                    "mean_wait_minutes": None if queue.mean_wait is None else queue.mean_wait * _MINUTES})  # fmt: skip
    else:
        good(f"{words.plural(needed, 'reviewer')} needed; the work alone keeps {queue.load:.1f} busy.")
        if not queue.stable:
            good(f"Unstable: {words.plural(queue.servers, 'reviewer')} cannot keep up, so the queue grows without end.")
        else:
            wait, most = (queue.mean_wait or 0.0) * _MINUTES, words.at_most(late)
            good(f"With {queue.servers:,}: a mean wait of {wait:.1f} min, at most {most} wait longer than promised.")
    if not queue.stable:
        raise typer.Exit(Exit.REFUSED)


def _per_hour(taken: Read[datetime], zone: str) -> list[float]:
    """Over the weeks that the file spans, from the hour of its first line to that of its last."""
    begins = [at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for at in taken.taken]
    since, until = min(begins), max(begins) + _HOUR
    if until - since < WEEK:
        raise Invalid(f"the file is too short: {_SHORT_FILE}", places=[Place("FILE", _SHORT_FILE, "give --arrivals")])
    return arrivals_per_hour((Arrivals(at, 1) for at in begins), since, until, zone_of(zone))


def _plain(hour: HourOfWeek) -> dict[str, object]:
    return {
        "day": _DAYS[hour.hour // 24],
        "hour": hour.hour % 24,
        "arrivals": hour.arrivals,
        "needed": hour.needed,
        "reviewers": hour.queue.servers,
        "stable": hour.stable,
        "late": hour.late,
    }


def _show(hours: tuple[HourOfWeek, ...], came: int) -> None:
    """Hours down, days across: how many are needed, with a mark where those who are there cannot keep up."""
    good(f"{words.plural(came, 'review')}; most needed at once: {max(hour.needed for hour in hours):,}.")
    rows = []
    for hour in range(24):
        row = [hours[day * 24 + hour] for day in range(len(_DAYS))]
        rows.append((f"{hour:02d}:00", *(f"{one.needed:,}{'' if one.stable else ' !'}" for one in row)))
    print_table("Reviewers needed", ("", *_DAYS), rows, right=range(1, 8))
    unstable = sum(not hour.stable for hour in hours)
    if unstable:
        good(f"! Unstable: in {words.plural(unstable, 'hour')} more arrives than those who are there can do.")
