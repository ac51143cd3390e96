"""
What can go wrong between an agent and Phasegate.

    PhasegateError
    ├── Unsendable         never left this process: not JSON, a time without a zone, no agent named
    ├── Unanswered         no usable answer came; it may or may not have been stored, asking again is harmless
    │   ├── Unreachable    refused, reset, no such host
    │   ├── TimedOut       nothing within the time allowed
    │   ├── Unavailable    answered 5xx, 408, 425 or 429
    │   ├── CircuitOpen    not even asked: several calls before got no answer
    │   └── HandedOver     not even asked: a person has the case, and the server does not know yet
    ├── MalformedAnswer    an answer came, and it is not what the API promises
    │   └── UnknownRoute   a route word this release does not know
    ├── Refused            answered 4xx: asking again will not help
    │   ├── Invalid        400, 413, 415, 422
    │   ├── NotAllowed     401, 403
    │   ├── NotFound       404
    │   └── Conflict       409, such as another body for a case already decided
    ├── Unspooled          what could not be sent could not be kept on disk either
    └── Unexpected         a defect, here or in a transport

`decide` and `wait` do not raise these unless asked to: they answer `Route.HUMAN` and keep the error in
`decision.error`. Everything else raises them, because a human output or a failure report lost in silence is lost.
"""

from __future__ import annotations

from typing import ClassVar


class PhasegateError(Exception):
    """Root of all the errors of this package. `code` is stable and is the code of the reason of a decision."""

    code: ClassVar[str] = "error"


class Unsendable(PhasegateError):
    code = "unsendable"


class Unanswered(PhasegateError):
    code = "unanswered"


class Unreachable(Unanswered):
    """`never_sent` when it is certain that the server has not seen the request."""

    code = "unreachable"

    def __init__(self, message: str, never_sent: bool = False) -> None:
        super().__init__(message, never_sent)
        self.message, self.never_sent = message, never_sent

    def __str__(self) -> str:
        return self.message


class TimedOut(Unanswered):
    code = "timed_out"


class Unavailable(Unanswered):
    """`retry_after` is in seconds: None when the server did not say, infinite when it said so unreadably."""

    code = "unavailable"

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, status, retry_after)
        self.message, self.status, self.retry_after = message, status, retry_after

    def __str__(self) -> str:
        return self.message


class CircuitOpen(Unanswered):
    """Nothing was sent."""

    code = "circuit_open"


class HandedOver(Unanswered):
    """Nothing was sent. To get another answer now would have the case done twice."""

    code = "handed_over"


class MalformedAnswer(PhasegateError):
    code = "malformed_answer"


class UnknownRoute(MalformedAnswer):
    code = "unknown_route"


class Refused(PhasegateError):
    """
    The server's problem+json as it came: `problem` is its code (`case-differs`), `places` its list of
    `{place, problem, mend}`. Both are empty when something other than Phasegate answered.
    """

    code = "refused"

    def __init__(
        self, message: str, status: int, problem: str = "", places: tuple[dict[str, object], ...] = ()
    ) -> None:
        super().__init__(message, status, problem, places)
        self.message, self.status, self.problem, self.places = message, status, problem, places

    def __str__(self) -> str:
        return self.message


class Invalid(Refused):
    code = "refused_invalid"


class NotAllowed(Refused):
    code = "refused_not_allowed"


class NotFound(Refused):
    code = "refused_not_found"


class Conflict(Refused):
    code = "refused_conflict"


class Unspooled(PhasegateError):
    code = "unspooled"


class Unexpected(PhasegateError):
    code = "unexpected"
