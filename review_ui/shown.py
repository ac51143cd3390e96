"""
How the fields of a case are shown. An agent names its fields; whatever it leaves out is shown too, since
nobody may rule on what they have not seen. A value that is not what its field says is shown as JSON.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from evidence.comparing.paths import parse_path, pointer
from review_ui.pictures import Picture, picture
from rollout.agents.schemas import FieldView

LONG = 120
MOST_COLUMNS = 12
MOST_ROWS = 200
LONGEST_PATH = 200
MISSING = object()


@dataclass(frozen=True, slots=True)
class Shown:
    """One field, ready for its template: `kind` chooses the block, the rest fills it."""

    path: str
    label: str
    kind: str  # text longtext image json table link number date missing
    text: str = ""
    image: Picture | None = None
    address: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    more_rows: int = 0
    at: datetime | None = None
    sensitive: bool = False
    """A picture that is blurred until somebody asks for it."""


def at_path(value: Any, path: str) -> Any:
    """What stands at a JSON pointer (`/lines/0/amount`), or MISSING."""
    for part in _parts(path):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 7 and int(part) < len(value):  # noqa: PLR2004
            value = value[int(part)]
        else:
            return MISSING
    return value


def named_fields(value: Any, named: Sequence[FieldView], whole: str) -> list[FieldView]:
    """The fields that the settings name, in that order, then every top-level field that none of them touches."""
    fields = list(named)
    if any(not view.path for view in fields):
        return fields
    if not isinstance(value, dict):
        return fields or [FieldView(path="", label=whole, show=guess(value))]
    named_paths = [_parts(view.path) for view in fields]
    rest = [(pointer((key,)), key) for key in value if not _all_named(key, value[key], named_paths)]
    if any(len(place) > LONGEST_PATH for place, _ in rest):
        return [*fields, FieldView(path="", label="All of it", show="json")]
    return fields + [FieldView(path=place, label=label_of(key), show=guess(value[key])) for place, key in rest]


def _parts(path: str) -> tuple[str, ...]:
    """The segments of a pointer; one that is too deep leads nowhere."""
    try:
        return parse_path(path)
    except ValueError:
        return ("", path)


def _all_named(key: str, inner: Any, named: Sequence[tuple[str, ...]]) -> bool:
    """Whether the agent's fields show everything under this key, itself or each of its parts."""
    below = [path[1:] for path in named if path[0] == key]
    if any(not rest for rest in below):
        return True
    parts = inner if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
    return bool(parts) and {str(part) for part in parts} <= {rest[0] for rest in below if len(rest) == 1}


def label_of(key: str) -> str:
    """`net_amount` as `Net amount`."""
    words = re.sub(r"[_\-\s]+", " ", key).strip()[:100] or "–"
    return words[:1].upper() + words[1:]


def guess(value: Any) -> Any:
    """How a field is shown that nobody described."""
    if isinstance(value, bool) or value is None:
        return "text"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        if value.startswith("data:image/"):
            return "image"
        return "longtext" if len(value) > LONG or "\n" in value else "text"
    return "table" if _is_table(value) else "json"


def show_all(value: Any, named: Sequence[FieldView], whole: str) -> list[Shown]:
    return [show(value, view) for view in named_fields(value, named, whole)]


def show(value: Any, view: FieldView) -> Shown:
    """One field. Whatever does not fit its description falls back to JSON, and never raises."""
    found = at_path(value, view.path)
    if found is MISSING:
        return Shown(view.path, view.label, "missing")
    made = _SHOWS[view.show](found, view)
    return made if made is not None else Shown(view.path, view.label, "json", text=pretty(found))


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def plain(value: Any) -> str:
    """A scalar as people write it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _text(value: Any, view: FieldView) -> Shown | None:
    if not _is_scalar(value):
        return None
    text = plain(value)
    kind = "longtext" if "\n" in text or len(text) > LONG else "text"
    return Shown(view.path, view.label, kind, text=text)


def _longtext(value: Any, view: FieldView) -> Shown | None:
    return Shown(view.path, view.label, "longtext", text=plain(value)) if _is_scalar(value) else None


def _image(value: Any, view: FieldView) -> Shown | None:
    found = picture(value)
    if found is not None:
        return Shown(view.path, view.label, "image", image=found, sensitive=view.sensitive)
    return _link(value, view) if isinstance(value, str) and value.startswith("https://") else None


def _json(_value: Any, _view: FieldView) -> Shown | None:
    return None


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) and row for row in value)


def _table(value: Any, view: FieldView) -> Shown | None:
    if not _is_table(value):
        return None
    columns = _unique(key for row in value for key in row)
    if len(columns) > MOST_COLUMNS:
        return None
    rows = tuple(tuple(_cell(row.get(key, MISSING)) for key in columns) for row in value[:MOST_ROWS])
    return Shown(
        view.path,
        view.label,
        "table",
        columns=tuple(label_of(key) for key in columns),
        rows=rows,
        more_rows=max(len(value) - MOST_ROWS, 0),
    )


def _cell(value: Any) -> str:
    return "" if value is MISSING else plain(value)


def _unique(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))


def _link(value: Any, view: FieldView) -> Shown | None:
    """Only web addresses; anything else that looks like one could run something."""
    if not isinstance(value, str) or any(ord(char) <= 32 for char in value):  # noqa: PLR2004 - controls and space
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return Shown(view.path, view.label, "link", text=value, address=value)


def _number(value: Any, view: FieldView) -> Shown | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _text(value, view)
    text = f"{value:,}" if isinstance(value, int) else plain(value)
    return Shown(view.path, view.label, "number", text=text.replace("-", "\u2212", 1) if value < 0 else text)


def _date(value: Any, view: FieldView) -> Shown | None:
    """A day, or a moment with its zone; as text where it is neither."""
    if not isinstance(value, str):
        return _text(value, view)
    try:
        if len(value) == 10:  # noqa: PLR2004 - of an ISO day
            day = date.fromisoformat(value)
            return Shown(view.path, view.label, "text", text=f"{day.day} {day:%b %Y}")
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _text(value, view)
    if moment.tzinfo is None:
        return _text(value, view)
    return Shown(view.path, view.label, "date", text=value, at=moment)


_SHOWS = {
    "text": _text,
    "longtext": _longtext,
    "image": _image,
    "json": _json,
    "table": _table,
    "link": _link,
    "number": _number,
    "date": _date,
}


_A_DOCUMENT = 400  # characters


def beside(fields: Sequence[Shown]) -> list[list[Shown]]:
    """Documents that follow one another stand side by side; everything else stands alone."""
    groups: list[list[Shown]] = []
    for one in fields:
        if groups and _is_document(one) and _is_document(groups[-1][-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _is_document(one: Shown) -> bool:
    return one.kind == "image" or (one.kind in {"longtext", "json"} and len(one.text) >= _A_DOCUMENT)
