"""Agents that wait for a person: long polls that are open and answered by nobody."""

import contextlib
import json
import select
import time
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

from sqlalchemy import select as sql

from bench.decisions import cases
from bench.decisions.baselines import PATH
from bench.decisions.meter import Meter
from bench.decisions.services import Service
from bench.decisions.wire import Wire, ask, first_answers, request
from routing.reviews.tables import ReviewItem

_AGENT = cases.SUPERVISED
_AT_A_TIME = 500
_BEFORE_RULING = 0.05  # seconds that the long poll has to be parked
_LONGEST = 60
_ASLEEP = 0.15  # of a core, while nothing happens
_SETTLE = 60  # half seconds at most


def waiting_decisions(service: Service, count: int) -> list[UUID]:
    """New decisions of the supervised agent; a person must rule on each."""
    wire, found = Wire(service.ports[0]), list[UUID]()
    while len(found) < count:
        items = [cases.case(0.9, f"w-{uuid4()}") for _ in range(min(_AT_A_TIME, count - len(found)))]
        path = f"/v1/agents/{_AGENT}/decisions:batch"
        said = json.loads(ask(wire, "POST", path, service.keys[_AGENT], json.dumps({"items": items}).encode()))
        found += [UUID(item["decision"]["id"]) for item in said["items"]]
    wire.close()
    return found


def tell_of_rulings(service: Service, port: int) -> None:
    """The agent wants to be told: with every ruling goes a message, as in production. The no-op takes it."""
    wire, address = Wire(service.ports[0]), f"http://127.0.0.1:{port}{PATH}"
    path = f"/v1/agents/{_AGENT}/webhooks"
    ask(wire, "POST", path, service.keys["emil"], json.dumps({"url": address}).encode())
    wire.close()


@contextlib.contextmanager
def parked(service: Service, decisions: Sequence[UUID], *, port: int) -> Iterator[list[Wire]]:
    """A waiter for each, all in one web process; checks that they still wait in the end."""
    wires = [Wire(port) for _ in decisions]
    for wire, decision in zip(wires, decisions, strict=True):
        wire.send(_wait(service, decision))
    _until_asleep(service)
    try:
        yield wires
        answered = _readable(wires)
        assert not answered, f"{answered} waiters were answered"
    finally:
        for wire in wires:
            wire.close()


def _until_asleep(service: Service) -> None:
    """Each was looked for once; from then on they take next to nothing."""
    for _ in range(_SETTLE):
        meter = Meter({"web": service.processes()["web"]})
        time.sleep(0.5)
        if meter.shares()["web"] < _ASLEEP:
            return
    raise TimeoutError(f"the waiters keep the web process busy: {meter.shares()['web']:.2f} of a core")


def _readable(wires: Sequence[Wire]) -> int:
    poll = select.poll()
    for wire in wires:
        poll.register(wire, select.POLLIN)
    return len(poll.poll(0))


def _wait(service: Service, decision: UUID) -> bytes:
    return request("GET", f"/v1/decisions/{decision}?wait={_LONGEST}", service.keys[_AGENT])


def wake(service: Service, decision: UUID, *, waiter_port: int) -> tuple[float, float]:
    """
    Seconds until the one who waits for this decision is told, from the answer that the reviewer got, and from the
    sending of the ruling.
    """
    rita, waiter, desk = service.keys["rita"], Wire(waiter_port), Wire(service.ports[0])
    with service.ctx.db.read() as session:
        item = session.scalars(sql(ReviewItem.id).where(ReviewItem.decision_id == decision)).one()
    waiter.send(_wait(service, decision))
    held = json.loads(ask(desk, "POST", f"/v1/reviews/{item}/claim", rita))
    ruling = json.dumps({"ruling": "approve", "fingerprint": held["fingerprint"]}).encode()
    time.sleep(_BEFORE_RULING)
    desk.send(request("POST", f"/v1/reviews/{item}/ruling", rita, length=len(ruling)) + ruling)
    at = first_answers(desk, waiter)
    assert desk.status == "201", desk.answer[:300]
    assert json.loads(waiter.body)["status"] == "final", waiter.answer[:300]
    waiter.close()
    desk.close()
    return max(0.0, at[waiter] - at[desk]), at[waiter] - desk.sent_at
