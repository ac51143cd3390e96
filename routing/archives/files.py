"""
The files of archives: JSON lines, compressed. The first line says what the file is, each other one holds a decision
with its labels, comparisons, review items, blind answers, second opinions, judgements, rulings and the human outputs of
its case, as they stood in the database.
"""

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from kit.errors import Unavailable

FORMAT = "phasegate-decisions/1"
ENDING = ".jsonl.gz"
_PARTIAL = ".partial"
_BLOCK = 1 << 20


class ArchiveUnreadable(Unavailable):
    code = "archive-unreadable"
    title = "The file of an archive is not what was written"


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was read back: how many lines it has but the first, bytes, digest."""

    lines: int
    size: int
    sha256: str


def line_of(document: dict[str, Any]) -> bytes:
    """The same document always becomes the same bytes, so that lines can be held against rows."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_SUBCLASS)


def write(path: Path, head: dict[str, Any], lines: Iterable[bytes]) -> Written | None:
    """
    Write the file under another name, force it to the disk, read it back, and only then give it its name.

    None, and no file, where there are no lines.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + _PARTIAL)
    try:
        written = _proven(partial, head, lines)
        if written is not None:
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # a full disk must not be filled further by each run
        raise
    if written is None:
        partial.unlink()
    else:
        _sync_folder(path.parent)
    return written


def _proven(partial: Path, head: dict[str, Any], lines: Iterable[bytes]) -> Written | None:
    """Written and read back; None where there are no lines."""
    count, digest = 0, hashlib.sha256()
    with partial.open("wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
            packed.write(line_of({"format": FORMAT, **head}) + b"\n")
            for line in lines:
                packed.write(line + b"\n")
                digest.update(line)
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
    if not count:
        return None
    again, found = hashlib.sha256(), 0
    for line in _lines(partial):
        again.update(line)
        found += 1
    if (found, again.digest()) != (count, digest.digest()):
        raise ArchiveUnreadable(f"{partial} does not read back as it was written; nothing was dropped")
    return Written(count, partial.stat().st_size, sha256_of(partial))


def _sync_folder(folder: Path) -> None:
    """The name must survive a power cut as well as the bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as error:
        raise ArchiveUnreadable(f"{path} cannot be read: {error.strerror}") from None


def check(path: Path, sha256: str) -> None:
    """ArchiveUnreadable where the file is missing, or is not the one that was registered."""
    if sha256_of(path) != sha256:
        raise ArchiveUnreadable(f"{path} is not the file that was registered: its digest is another")


def all_in(folder: Path) -> Iterator[Path]:
    """Whole and half-written ones."""
    for ending in (ENDING, ENDING + _PARTIAL):
        yield from folder.glob(f"*{ending}")


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as packed:
        next(packed)  # what the file is
        for line in packed:
            yield line.rstrip(b"\n")


def chunks(path: Path, size: int) -> Iterator[list[bytes]]:
    """The lines, so many at a time."""
    chunk: list[bytes] = []
    for line in _lines(path):
        chunk.append(line)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def document(line: bytes) -> dict[str, Any]:
    return cast("dict[str, Any]", orjson.loads(line))


def find(path: Path, *, decision_id: str | None = None, case_id: str | None = None) -> Iterator[dict[str, Any]]:
    """The documents of a decision or of a case; reads the whole file, which takes seconds for a million."""
    for line in _lines(path):
        wanted = decision_id if decision_id is not None else case_id
        if wanted is not None and orjson.dumps(wanted)[1:-1] not in line:
            continue
        decision = (found := document(line))["decision"]
        if decision["id"] == decision_id or (case_id is not None and decision["case_id"] == case_id):
            yield found
