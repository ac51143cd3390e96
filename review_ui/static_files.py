"""
The stylesheet and scripts, under addresses that change with their content.

`/static/<digest>/…` may be kept for a year; the bare `/static/…` is asked for again each time. Scripts import
one another by relative addresses, so the digest in the path covers them too.
"""

import hashlib
from functools import lru_cache
from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).resolve().parent / "static"
_YEAR = 31_536_000


@lru_cache(maxsize=1)
def digest() -> str:
    """Of all files together."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def asset(name: str) -> str:
    return f"/static/{digest()}/{name}"


class Static(StaticFiles):
    """Static files that know their digest."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    def lookup_path(self, path: str) -> tuple[str, stat_result | None]:
        return super().lookup_path(path.removeprefix(f"{digest()}/"))

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        fixed = f"/{digest()}/" in scope["path"]
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable" if fixed else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
