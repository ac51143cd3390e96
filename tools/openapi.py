"""
Writes docs/openapi.json from the code, or with --check says whether it is what the code says.

The application is built around a context whose database is never opened, so this needs no server.
"""

import difflib
import json
import sys
import tempfile
from pathlib import Path

from kit.context import make_context
from kit.settings import Settings
from web_app import create_app

DOCUMENT = Path("docs/openapi.json")
_SHOWN = 40  # lines of the difference


def text() -> str:
    """The document with its keys sorted, so that a change of the code is all that a diff shows."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=f"sqlite:///{folder}/never-opened.db")
        ctx = make_context(settings)
        try:
            document = create_app(ctx).openapi()
        finally:
            ctx.db.close()
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def difference() -> list[str]:
    """How the stored document differs from the code; empty when it does not."""
    stored = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    return list(difflib.unified_diff(stored.splitlines(), text().splitlines(), str(DOCUMENT), "the code", lineterm=""))


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        lines = difference()
        for line in lines[:_SHOWN]:
            print(line)
        if lines:
            print(f"{DOCUMENT} is not what the code says; write it anew: python -m tools.openapi")
        return 1 if lines else 0
    if sys.argv[1:]:
        print("usage: python -m tools.openapi [--check]")
        return 2
    DOCUMENT.write_text(text(), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
