"""
Recorded cases over the stream of a running service: whatever breaks on the way, what was answered is stored.

A file goes in parts of one request each. Answers come in the order of the lines, so what has to be sent again after a
break is known; a line that was stored without its answer having arrived is found again, and stays one decision.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx2

from cli import jsonl
from cli.door import Door, problem_in
from cli.jsonl import Broken, Line, Rejects
from cli.output import say
from kit.errors import Place, Unavailable

_LINES = 20_000  # of one request
_BYTES = 64 * 1024 * 1024
_PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0)  # seconds, between tries that bring nothing


@dataclass(slots=True)
class Report:
    """What became of the lines."""

    stored: int = 0
    repeated: int = 0
    refused: int = 0
    routes: dict[str, int] = field(default_factory=dict)
    last_line: int = 0
    """Up to here every line has its answer."""

    @property
    def lines(self) -> int:
        return self.stored + self.repeated + self.refused

    def add(self, line: int, answer: dict[str, Any]) -> None:
        self.last_line = line
        if "route" not in answer:
            self.refused += 1
            return
        self.stored += answer["status"] == 201  # noqa: PLR2004 - the status of a new decision
        self.repeated += answer["status"] == 200  # noqa: PLR2004 - of one that was there
        self.routes[answer["route"]] = self.routes.get(answer["route"], 0) + 1


class _Cut(Exception):
    """The answer ended without its last line, or the service is away."""


def backfill(
    door: Door,
    agent: str,
    lines: Iterator[Line],
    rejects: Rejects,
    *,
    progress: Callable[[int], None] = lambda _lines: None,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Send all lines; raises Unavailable with the last line that was answered when it cannot go on."""
    report, pauses = Report(), list(_PAUSES)
    while part := _part(lines, rejects, report):
        while part:
            before = report.last_line
            try:
                _send(door, agent, part, rejects, report)
            except _Cut as cut:
                pauses = list(_PAUSES) if report.last_line > before else pauses
                if not pauses:
                    words = f"{cut}; every line up to {report.last_line} is stored or refused"
                    raise Unavailable(f"{words}, go on with --from-line {report.last_line + 1}") from None
                say(f"{cut} after line {report.last_line}; going on from there.")
                pause(pauses.pop(0))
            part = [line for line in part if line.number > report.last_line]
            progress(report.lines)
    return report


def _part(lines: Iterator[Line], rejects: Rejects, report: Report) -> list[Line]:
    part: list[Line] = []
    size = 0
    for line in islice(lines, _LINES):
        if len(line.raw) > jsonl.LONGEST:
            place = Place("line", f"it is longer than {jsonl.LONGEST} bytes", "leave out what is not needed")
            rejects.add(line.raw, Broken(line.number, (place,)))
            report.refused += 1
            continue
        part.append(line)
        size += len(line.raw)
        if size > _BYTES:
            break
    return part


def _send(door: Door, agent: str, part: Sequence[Line], rejects: Rejects, report: Report) -> None:
    """One request. The service keeps its answers until they are read, so all may be sent before the first is."""
    path = f"/v1/agents/{quote(agent, safe='')}/decisions:stream"
    body = (line.raw if line.raw.endswith(b"\n") else line.raw + b"\n" for line in part)
    headers = {"Content-Type": "application/x-ndjson"}
    try:
        with door.client.stream("POST", path, content=body, headers=headers) as answer:
            if answer.status_code == 503:  # noqa: PLR2004 - no room now
                raise _Cut("the service is away or full")
            if answer.is_error:
                answer.read()
                raise problem_in(answer)
            for told in map(json.loads, answer.iter_lines()):
                if "done" in told:
                    if not told["done"]:
                        raise _Cut(told["problem"]["detail"])
                    return
                line = part[told["line"] - 1]
                report.add(line.number, told)
                if "problem" in told:
                    rejects.add(line.raw, Broken(line.number, _places(told["problem"])))
    except (httpx2.HTTPError, ValueError) as error:
        raise _Cut(f"the connection broke ({type(error).__name__})") from None
    raise _Cut("the answer was cut off")


def _places(problem: dict[str, Any]) -> tuple[Place, ...]:
    found = tuple(Place(one["place"], one["problem"], one["mend"]) for one in problem.get("errors", ()))
    return found or (Place("line", problem["detail"]),)
