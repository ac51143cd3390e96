"""What goes over the wire about answers given before the output was seen."""

from typing import Any

from kit.wire import Strict


class AnswerIn(Strict):
    """What the output should be, in the reviewer's own words; it must fit the agent's output schema."""

    output: Any
