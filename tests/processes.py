"""What processes took of the machine."""

from contextlib import suppress

import psutil


def processor_time(pid: int) -> float:
    """Seconds that this process and all it started have worked so far, which a busy machine makes little longer."""
    up, seconds = psutil.Process(pid), 0.0
    for one in (up, *up.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            seconds += sum(one.cpu_times()[:2])
    return seconds
