"""What the verbs of the review desk refuse with."""

from kit.errors import Conflict


class AlreadyHeld(Conflict):
    code = "already-held"
    title = "Somebody else holds this case"


class NotHeld(Conflict):
    code = "not-held"
    title = "You do not hold this case"


class ShownOtherwise(Conflict):
    code = "shown-otherwise"
    title = "The case is not what you were shown"


class NotForYou(Conflict):
    code = "not-for-you"
    title = "Somebody else rules on this case"


class AlreadyEnded(Conflict):
    code = "already-ended"
    title = "This review has ended"


class NothingToUndo(Conflict):
    code = "nothing-to-undo"
    title = "There is no ruling to undo"


class NotYours(Conflict):
    code = "not-yours"
    title = "Somebody else gave this ruling"


class TooLateToUndo(Conflict):
    code = "too-late-to-undo"
    title = "This ruling can no longer be undone"


class LastLine(Conflict):
    code = "last-line"
    title = "There is nobody to escalate to"
