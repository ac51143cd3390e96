"""One digest for a JSON value, however a database or a file gave it back, so that anybody can tell a changed one."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def sha256_of(value: Any) -> str:
    """
    Hex, of the value as JSON in UTF-8: keys sorted, no spaces, nothing escaped that need not be, and a number without
    fraction written as an integer, since some databases know no difference between 12.0 and 12.
    """
    written = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case float() if value.is_integer():
            return int(Decimal(repr(value)))  # its digits, as a database with decimal numbers keeps them: 1e22, 1e308
    return value
