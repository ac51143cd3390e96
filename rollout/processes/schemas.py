"""What is told of how far a change has come."""

from pydantic import Field

from kit.wire import Out


class SilentOut(Out):
    """A web process that has not said that it follows."""

    host: str
    pid: int
    seconds: float = Field(description="How long ago it gave its last sign of life, by the clocks of the hosts.")


class InForceOut(Out):
    """
    Whether a change is in force everywhere. `done` is true when every web process has it in force and has answered
    everything that it decided before; until then nobody can say what the processes under `silent` still answer.
    """

    done: bool
    processes: int
    acknowledged: int
    waited_seconds: float
    silent: list[SilentOut]
    words: str
