"""
One root, seven kinds, no HTTP in them.

    Problem
    ├── Invalid          the request cannot be understood or is not allowed to mean this
    ├── Unauthenticated  nobody, or nobody we know
    ├── Forbidden        known, and may not
    ├── NotFound         there is no such thing (or it is not theirs to see)
    ├── Gone             there was such a thing, and it is kept elsewhere now
    ├── Conflict         the thing is not in a state that allows this
    └── Unavailable      we could not do it now; trying again may help

A feature's error subclasses a kind and sets `code`, which is part of the API (`/problems/<code>`).
`kit/wire.py` has the one table from kinds to HTTP status.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where bad input is bad, what is wrong there, and what would mend it."""

    place: str
    problem: str
    mend: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


class Problem(Exception):
    """Root of everything that we tell a caller went wrong."""

    code: ClassVar[str] = "problem"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, *, places: Sequence[Place] = (), **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.places = tuple(places)
        self.extra = extra


class Invalid(Problem):
    code = "invalid"
    title = "The request is not valid"


class TooLarge(Invalid):
    code = "too-large"
    title = "The request is too large"


class Unauthenticated(Problem):
    code = "unauthenticated"
    title = "Who are you?"


class Forbidden(Problem):
    code = "forbidden"
    title = "Not allowed"


class NotFound(Problem):
    code = "not-found"
    title = "There is no such thing"


class Gone(Problem):
    code = "gone"
    title = "It is not here any more"


class Conflict(Problem):
    code = "conflict"
    title = "Not possible in the present state"


class Unavailable(Problem):
    code = "unavailable"
    title = "Not possible right now"

    def __init__(self, detail: str, *, retry_after: int = 1, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after
