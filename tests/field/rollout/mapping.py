"""
How the cases of other tools are held against our engine.

Each suite has a function `hold`: it maps one case, asserts what ours answers, and returns `None` where that is the
same answer, or the deliberate divergence, which docs/divergences.md explains under the same name. A case of a kind
that it does not know raises `Unmapped`, so that nothing is passed over.
"""

from enum import StrEnum
from typing import Any

Case = dict[str, Any]


class Unmapped(Exception):
    """A case of a kind that nobody has thought about yet."""

    def __init__(self, case: Case) -> None:
        super().__init__(f"this case is held against nothing: {case}")


class Divergence(StrEnum):
    """Where ours answers something else on purpose."""

    NOTHING_ASKED = "nothing asked is not a pass"
    NOT_SHOWN = "not shown is neither good nor bad"
    NOTHING_CAME = "nothing came is no evidence"
    NO_NUMBER = "no number is an error"
    WORST_DECIDES = "the worst segment decides"
    OTHER_FIELDS = "no limits on failed measurements"
    CANNOT_FAIL = "a limit that cannot fail is refused"
    DEFAULT_LOOK = "looking has a default"
    ONE_STEP = "one step at a look"
    ALWAYS_SIGNED = "a phase is always signed for"
    LOOKS_GO_ON = "looking goes on"
    NO_DATES = "no dates in windows"
    NO_TRANSITION = "always open has no end"
    CHAIN_HOLDS = "the chain of phases has no gap"
    NO_POLICY = "no policy for no data"
    ERROR_IS_ERROR = "a failed comparison is an error"
    ERRORS_ARE_NO_OUTPUTS = "an agent's error is no output"
    ALWAYS_RECORDED = "shadow is always recorded"
    NOT_IN_LINE = "people are not called by the shadow"
