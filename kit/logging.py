"""Structured logs: one JSON object a line on stderr, or readable lines on a terminal."""

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog


class NeverFails:
    """A stream whose lines may be lost: on a full disk the work must go on, and who was waiting must be told."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def set_up(level: str = "INFO") -> None:
    """Configure once per process, by its composition root."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", NeverFails(sys.stderr))),
        cache_logger_on_first_use=True,
    )
