"""
What requests and answers are made of, for the API, the pages, the workers and the commands alike: strict bodies, times,
problems, cursors, entity tags. It knows no web framework: `kit.http` is where that is met.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from kit import errors
from kit.errors import Place, Problem

STATUS: dict[type[Problem], int] = {
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.Conflict: 409,
    errors.Unavailable: 503,
}


class Strict(BaseModel):
    """Base of every request body: unknown fields are refused, by name."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


_YEARS = range(1900, 2201)
_MENDS = {
    "extra_forbidden": "remove it, or look for a spelling mistake",
    "missing": "send it, too",
    "timezone_aware": "send a time with its zone, as in 2026-01-05T09:00:00Z",
    "moment_out_of_range": f"send a time in the years {_YEARS[0]} to {_YEARS[-1]}, with its zone",
}
_ANY_MEND = "look up what fits here in /openapi.json"


def _in_utc(given: datetime) -> datetime:
    """Both databases store a time in UTC; at the calendar's edge there may be none."""
    try:
        moment = given.astimezone(UTC)
    except OverflowError:
        raise _out_of_range() from None
    if moment.year not in _YEARS:
        raise _out_of_range()
    return moment


def _out_of_range() -> PydanticCustomError:
    return PydanticCustomError("moment_out_of_range", "it is too far from the present to be a time of work")


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a request: with a zone, of which UTC is made, and of a year in which work may have happened."""


class Out(BaseModel):
    """Base of every answer; made from rows or domain values."""

    model_config = ConfigDict(from_attributes=True)


def status_of(problem: Problem) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(problem, kind))


def problem_body(code: str, title: str, status: int, detail: str, places: Sequence[Place] = ()) -> dict[str, Any]:
    """RFC 9457, with `errors` naming the place of each thing that is wrong and its mend."""
    body: dict[str, Any] = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    if places:
        body["errors"] = [place.to_dict() for place in places]
    return body


def problem_of(problem: Problem) -> dict[str, Any]:
    """The body that tells of it."""
    body = problem_body(problem.code, problem.title, status_of(problem), problem.detail, problem.places)
    return body | problem.extra


def invalid_from(found: Sequence[Any], *, skip: tuple[str, ...] = ()) -> errors.Invalid:
    """Pydantic's list of errors as one Invalid with places and mends."""
    places = []
    for item in found:
        location = [str(part) for part in item["loc"]]
        if location and location[0] in skip:
            location = location[1:] or location
        mend = _MENDS.get(item["type"], _ANY_MEND)
        places.append(Place(".".join(location) or "body", item["msg"][0].lower() + item["msg"][1:], mend))
    detail = "; ".join(f"{place.place}: {place.problem}" for place in places[:3])
    return errors.Invalid(detail, places=places)


def too_large(limit: int) -> errors.TooLarge:
    """The refusal of a body over so many bytes."""
    place = Place("body", f"larger than {limit} bytes", "send less at once, or a link to large documents")
    return errors.TooLarge(f"the body is larger than {limit} bytes", places=[place])


def entity_tag(value: Any) -> str:
    """A strong entity tag over the JSON form of a value."""
    digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
    return f'"{digest[:20]}"'


def encode_cursor(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The position inside a cursor; an invented cursor is refused."""
    if not cursor:
        return None
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        position = ""
    if not position or "\x00" in position:
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise errors.Invalid("cursor: it is not one of ours", places=[place])
    return position
