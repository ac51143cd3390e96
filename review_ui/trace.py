"""
The steps an agent took, its tools and its sources, as a reviewer reads them. Any list is a trace; the names that
tracing tools use are understood, and steps inside a step stand inside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from review_ui.shown import LONG, Shown, label_of, plain, pretty, show
from rollout.agents.schemas import FieldView

_MOST_STEPS = 200
_DEEPEST = 8  # levels of steps inside steps
_MOST_SOURCES = 50
_KNOWN = {"name", "step", "tool", "type", "seconds", "error", "status", "kind", "started_at", "steps", "cut"}
_KNOWN |= {"traceparent", "input", "output", "sources"}


@dataclass(frozen=True, slots=True)
class Tab:
    """One piece of evidence."""

    key: str
    label: str
    fields: list[Shown] = field(default_factory=list)
    steps: list["Step"] = field(default_factory=list)

    @property
    def must(self) -> bool:
        """Whether it holds something that no other piece does."""
        return self.key != "all"


@dataclass(frozen=True, slots=True)
class Source:
    """What a step looked up. `address` is a web address or empty."""

    title: str
    address: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step, with what went in and came out, and the steps inside it."""

    name: str
    tool: str
    detail: str
    seconds: str
    failed: bool
    values: tuple[Shown, ...] = ()
    sources: tuple[Source, ...] = ()
    steps: tuple["Step", ...] = ()


def steps_of(trace: list[Any] | None) -> list[Step]:
    """At most 200 steps, eight levels deep; of a run that went well only the steps are of interest."""
    return list(_steps(trace or [], _Room(_MOST_STEPS), 1))


@dataclass(slots=True)
class _Room:
    """For how many more steps there is room."""

    left: int

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def _steps(trace: list[Any], room: _Room, depth: int) -> Iterator[Step]:
    for entry in trace[:_MOST_STEPS]:
        if not isinstance(entry, dict):
            if room.take():
                yield Step(plain(entry)[:LONG], "", "", "", failed=False)
            continue
        inner = entry.get("steps")
        inner = inner if isinstance(inner, list) and depth <= _DEEPEST else []
        if inner and entry.get("kind") == "run" and not entry.get("error"):
            yield from _steps(inner, room, depth + 1)
        elif room.take():
            yield _step(entry, tuple(_steps(inner, room, depth + 1)))


def _step(entry: dict[str, Any], inner: tuple[Step, ...]) -> Step:
    name = next((entry[key] for key in ("name", "step", "tool", "type") if entry.get(key)), "Step")
    detail = ", ".join(f"{label_of(key).lower()} {plain(value)}" for key, value in entry.items() if key not in _KNOWN)
    seconds, error, tool = entry.get("seconds"), entry.get("error"), entry.get("tool")
    if isinstance(error, dict) and error.get("words"):
        detail = f"{plain(error['words'])}{', ' if detail else ''}{detail}"
    elif isinstance(error, str):
        detail = f"{error}{', ' if detail else ''}{detail}"
    return Step(
        plain(name)[:200],
        plain(tool)[:100] if tool and tool != name else "",
        detail[:600],
        f"{seconds:.1f}\u00a0s" if isinstance(seconds, (int, float)) else "",
        failed=bool(error) or entry.get("status") in {"error", "failed"},
        values=tuple(
            _value(key, entry[key]) for key in ("input", "output") if entry.get(key) not in (None, "", {}, [])
        ),
        sources=tuple(_sources(entry.get("sources"))),
        steps=inner,
    )


def _value(key: str, value: Any) -> Shown:
    if isinstance(value, str):
        return Shown(key, label_of(key), "longtext" if len(value) > LONG or "\n" in value else "text", text=value)
    return Shown(key, label_of(key), "json", text=pretty(value))


def _sources(said: Any) -> Iterator[Source]:
    for one in said[:_MOST_SOURCES] if isinstance(said, list) else ():
        if not isinstance(one, dict):
            yield Source(plain(one)[:300], "", "")
            continue
        uri = one.get("uri") or one.get("url") or ""
        link = show(uri, FieldView(path="", label="Source", show="link"))
        title = plain(one.get("title") or uri or "Source")[:300]
        yield Source(title, link.address, plain(one.get("excerpt") or "")[:2000])
