"""Sending many recorded cases to a service that breaks off again and again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli import backfilling
from cli.backfilling import backfill
from cli.door import Door
from cli.jsonl import Line, Rejects
from kit.errors import Forbidden, Unavailable

Answer = Callable[[list[str]], httpx2.Response]


class Service:
    """Answers each request with the next of the given answers, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.got: list[list[str]] = []
        self.door = Door(httpx2.Client(base_url="http://there", transport=httpx2.MockTransport(self.handle)))

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        sent = request.read().decode().splitlines()
        self.got.append([json.loads(line)["case_id"] for line in sent])
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(sent)


def answered(*told: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, content=b"".join(json.dumps(one).encode() + b"\n" for one in told))


def line(number: int, status: int = 201) -> dict[str, Any]:
    return {"line": number, "status": status, "case_id": "c", "decision_id": "d", "route": "shadow"}


def whole(sent: list[str]) -> httpx2.Response:
    return answered(*(line(n + 1) for n in range(len(sent))), {"done": True})


def cut_after(count: int, *ending: dict[str, Any]) -> Answer:
    return lambda _sent: answered(*(line(n + 1) for n in range(count)), *ending)


def unreachable(_sent: list[str]) -> httpx2.Response:
    raise httpx2.ConnectError("nobody there")


def lines(count: int) -> list[Line]:
    return [Line(n * 2, 0, b'{"case_id": "c-%d"}\n' % n) for n in range(1, count + 1)]  # every other line is blank


@pytest.fixture
def rejects(tmp_path: Path) -> Rejects:
    return Rejects(tmp_path / "cases.jsonl")


def run(service: Service, rejects: Rejects, count: int = 5) -> tuple[backfilling.Report, list[float]]:
    pauses: list[float] = []
    report = backfill(service.door, "claims", iter(lines(count)), rejects, pause=pauses.append)
    return report, pauses


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(cut_after(2), id="cut off"),
        pytest.param(cut_after(2, {"done": False, "problem": {"detail": "away"}}), id="ended early"),
        pytest.param(unreachable, id="unreachable"),
        pytest.param(lambda _sent: httpx2.Response(503), id="full"),
    ],
)
def test_after_a_break_only_what_was_not_answered_is_sent_again(rejects: Rejects, broken: Answer) -> None:
    service = Service(broken, whole)

    report, pauses = run(service, rejects)

    begun = 2 if broken is not unreachable and len(service.got[1]) == 3 else 0
    assert service.got[1] == [f"c-{n}" for n in range(begun + 1, 6)]
    assert (report.stored, report.last_line, len(pauses)) == (5, 10, 1)


def test_a_file_goes_in_parts(rejects: Rejects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "_LINES", 2)
    service = Service(whole)

    report, _ = run(service, rejects)

    assert [len(got) for got in service.got] == [2, 2, 1]
    assert report.stored == 5


def test_one_who_never_gets_on_gives_up_and_says_where(rejects: Rejects) -> None:
    service = Service(cut_after(2), cut_after(0))

    with pytest.raises(Unavailable, match="up to 4 is stored or refused, go on with --from-line 5"):
        run(service, rejects)


def test_as_long_as_it_gets_on_it_goes_on(rejects: Rejects) -> None:
    report, pauses = run(Service(cut_after(1)), rejects, count=20)

    assert (report.stored, len(pauses)) == (20, 20)


def test_a_refused_line_is_kept_aside_under_its_number_in_the_file(rejects: Rejects) -> None:
    bad = {
        "line": 2,
        "status": 422,
        "problem": {"detail": "x", "errors": [{"place": "a", "problem": "b", "mend": "c"}]},
    }
    with rejects:
        report, _ = run(Service(lambda _sent: answered(line(1), bad, line(3, 200), {"done": True})), rejects, count=3)

    assert (report.stored, report.repeated, report.refused, report.routes) == (1, 1, 1, {"shadow": 2})
    assert [broken.to_dict()["line"] for broken in rejects.found] == [4]
    assert rejects.path.read_bytes() == b'{"case_id": "c-2"}\n'


def test_a_key_that_may_not_ends_it_at_once(rejects: Rejects) -> None:
    service = Service(lambda _sent: httpx2.Response(403, json={"detail": "no"}))

    with pytest.raises(Forbidden):
        run(service, rejects)
    assert len(service.got) == 1
