"""Reading our own programs sooner."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading() -> Iterator[None]:
    """
    For what is imported inside. It stays until the program ends, and Python looks through it for garbage again and
    again while it grows, which is a third of the time that it takes; so nobody looks meanwhile.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
