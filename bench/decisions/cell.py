"""
One cell of the matrix: our service and the no-op under the same load, one after the other.

    python -m bench.decisions.cell --database postgresql --connections 64 --seconds 3 --rounds 3
    python -m bench.decisions.cell --database sqlite --no-worker      the web process alone, to see what the rest takes
"""

import argparse
import contextlib
import itertools
import os
import signal
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.decisions import cases, services
from bench.decisions.baselines import PATH
from bench.decisions.load import Job, Load, Request, fire_apart
from bench.decisions.meter import Meter
from bench.decisions.services import Service

_jobs = itertools.count(1)


@dataclass(frozen=True)
class Measured:
    """A load and what it took of the machine; `no_op` is the one of the same round that it is compared with."""

    load: Load
    cores: dict[str, float]
    no_op: Load | None = None

    @property
    def ratio(self) -> float:
        assert self.no_op is not None
        return self.load.decisions / self.no_op.decisions

    @property
    def slower(self) -> float:
        """Its p99 as a multiple of the no-op's."""
        assert self.no_op is not None
        return self.load.p99 / self.no_op.p99


def no_op(ports: Sequence[int], connections: int, seconds: float) -> Load:
    """The no-op under the bodies of our cases."""
    return fire_apart(job(ports, connections, seconds, cases.same_bodies(PATH)))


def ours(
    service: Service,
    connections: int,
    seconds: float,
    requests: Sequence[Request] = (),
    *,
    web_processes: int | None = None,
) -> Measured:
    """Our service under the mixture, or under these requests; on all of its web processes or the first ones."""
    meter = Meter(service.processes())
    wanted = requests or cases.mixture(service.keys)
    load = fire_apart(job(service.ports[:web_processes], connections, seconds, wanted))
    return Measured(load, meter.shares() | {"generator": load.busy})


def pair(
    service: Service,
    baseline: Sequence[int],
    connections: int,
    seconds: float,
    requests: Sequence[Request] = (),
    *,
    web_processes: int | None = None,
) -> Measured:
    """First the no-op, while our service has nothing left to settle, then ours."""
    service.wait_until_settled()
    base = no_op(baseline[:web_processes], connections, seconds)
    found = ours(service, connections, seconds, requests, web_processes=web_processes)
    return Measured(found.load, found.cores, base)


def job(ports: Sequence[int], connections: int, seconds: float, requests: Sequence[Request]) -> Job:
    """A job with case ids that no other has."""
    return Job(ports, connections, seconds, requests, run=f"r{os.getpid()}j{next(_jobs)}x", warm_up=seconds / 4)


@contextlib.contextmanager
def one(database: str, folder: Path, *, web_processes: int = 1) -> Iterator[tuple[Service, list[int]]]:
    """Our service on a database of this kind, and the ports of the no-op beside it."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(services.postgres(folder)) if database == "postgresql" else None
        url = stack.enter_context(services.database(database, folder, server))
        service = stack.enter_context(services.service(url, folder / database, web_processes=web_processes))
        yield service, stack.enter_context(services.noop(folder, web_processes=web_processes))


@contextlib.contextmanager
def stopped(service: Service) -> Iterator[None]:
    """Worker, beat and delivery sleep meanwhile: not as in production, but it shows what they take."""
    groups = [service.pid(name) for name in ("worker", "beat", "delivery")]
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


def words(found: Measured) -> str:
    assert found.no_op is not None
    cores = ", ".join(f"{name} {share:.2f}" for name, share in found.cores.items())
    return (
        f"ours {found.load.decisions:,.0f}/s p50 {1000 * found.load.p50:.2f} ms p99 {1000 * found.load.p99:.2f} ms; "
        f"no-op {found.no_op.decisions:,.0f}/s p50 {1000 * found.no_op.p50:.2f} ms p99 {1000 * found.no_op.p99:.2f} "
        f"ms; ratio {found.ratio:.3f}, p99 {found.slower:.1f} times; cores: {cores}"
        + (f"; UNEXPECTED {found.load.unexpected}" if found.load.unexpected else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=services.DATABASES, default="sqlite")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-worker", action="store_true", help="worker, beat and delivery sleep meanwhile")
    asked = parser.parse_args()
    with services.folder_for_servers() as folder, contextlib.ExitStack() as stack:
        service, baseline = stack.enter_context(one(asked.database, folder, web_processes=asked.processes))
        found = []
        for _ in range(asked.rounds):
            service.wait_until_settled()
            with stopped(service) if asked.no_worker else contextlib.nullcontext():
                base = no_op(baseline, asked.connections, asked.seconds)
                one_load = ours(service, asked.connections, asked.seconds)
            found.append(Measured(one_load.load, one_load.cores, base))
            print(words(found[-1]), flush=True)
        ratio = statistics.median(one.ratio for one in found)
        print(f"median ratio {ratio:.3f}, p99 {statistics.median(one.slower for one in found):.1f} times")
        stored = service.scalar("SELECT count(*) FROM decisions")
        print(f"{sum(one.load.acknowledged for one in found)} acknowledged, {stored} stored")


if __name__ == "__main__":
    main()
