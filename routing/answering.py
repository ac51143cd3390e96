"""
Which answers are still on their way out, and since which policy.

A change of policy is in force in a process once it holds the new one *and* everything decided by an older one has been
answered. The writer says which calls it was given decisions of; the outermost layer of the application says when
their answers are out.
"""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send


class Answers:
    """The calls of this process whose decisions are with the writer or stored, and whose answer is not out yet."""

    def __init__(self) -> None:
        self._open: set[Call] = set()

    def call(self) -> "Call":
        """`with answers.call():` around one call, or one part of a long one, until its answer was handed over."""
        return Call(self._open)

    def begin(self, sequence: int) -> None:
        """A case is handed to the writer, to be decided by the policies as of `sequence` or by newer ones."""
        call = _call.get()
        if call is not None and call.since is None:
            call.since = sequence
            self._open.add(call)

    def settled(self, sequence: int) -> int:
        """The newest policy, up to `sequence`, before which everything that was decided has been answered."""
        waiting = [call.since for call in self._open.copy() if call.since is not None]  # a copy: other threads ask
        return min([sequence, *waiting])


class Call:
    """One request; `since` is the newest policy in force when its first case was handed to the writer."""

    __slots__ = ("_before", "_open", "since")

    def __init__(self, calls: "set[Call]") -> None:
        self._open = calls
        self._before: Call | None = None
        self.since: int | None = None

    def __enter__(self) -> None:
        self._before = _call.get()
        _call.set(self)

    def __exit__(self, *_: object) -> None:
        _call.set(self._before)
        self._open.discard(self)


_call: ContextVar[Call | None] = ContextVar("call", default=None)


class Answering:
    """
    The outermost layer: a call is answered when it has left here, whatever became of it.

    Plain calls to decide go past it and do the same by themselves.
    """

    def __init__(self, app: ASGIApp, *, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        with self._answers.call():
            await self._app(scope, receive, send)
