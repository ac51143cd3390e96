"""What the disk of this machine takes to keep a promise."""

import os
import statistics
import tempfile
import time

_TIMES = 200


def fsync_milliseconds() -> float:
    """The median of writing 4 KB and having them on the disk."""
    with tempfile.TemporaryFile(prefix="phasegate-bench-") as file:
        took = []
        for place in range(_TIMES):
            os.pwrite(file.fileno(), b"x" * 4096, 4096 * place)
            began = time.perf_counter()
            os.fdatasync(file.fileno()) if hasattr(os, "fdatasync") else os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)
