"""How figures, times and states are written on pages. One decimal for percent, words for what is rare."""

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from rollout.domain.words import NBSP, at_least, at_most, loss, loss_at_least, loss_at_most, loss_seen, percent
from routing.reviews.dealing.queries import COUNTED_UP_TO

DASH = "–"

PHASES = ("evaluation", "shadow", "supervised", "confidence", "full")

# state -> (tone, icon, look); the word is the state itself with a capital
BADGES: dict[str, tuple[str, str, str]] = {
    "pass": ("ok", "pass", ""),
    "fail": ("bad", "fail", ""),
    "inconclusive": ("warn", "wait", ""),
    "no_evidence": ("", "none", "dashed"),
    "error": ("bad", "alert", "open"),
    "advance": ("ok", "go", ""),
    "hold": ("", "pause", ""),
    "demote": ("bad", "down", ""),
    "shadow": ("", "eye", "open"),
    "review": ("accent", "eye", ""),
    "auto": ("ok", "auto", ""),
    "human": ("", "person", ""),
    "block": ("bad", "block", ""),
    "audit": ("", "search", "open"),
    "blind": ("", "hidden", "open"),
    "escalated": ("warn", "up", ""),
    "adjudication": ("accent", "sign", ""),
    "judgement": ("", "hidden", "open"),
    "minor": ("", "flag", ""),
    "major": ("warn", "flag", ""),
    "severe": ("bad", "flag", ""),
    "critical": ("bad", "alert", ""),
    "stable": ("accent", "pass", ""),
    "candidate": ("", "go", "open"),
    "retired": ("", "x", "dashed"),
    "open": ("warn", "alert", ""),
    "investigating": ("accent", "search", ""),
    "closed": ("ok", "check", ""),
    "frozen": ("warn", "pause", ""),
}


def word(state: str) -> str:
    """`no_evidence` as `No evidence`."""
    text = state.replace("_", " ")
    return text[:1].upper() + text[1:]


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def when(at: datetime | None) -> Markup:
    """A moment; the page's script turns it into the reader's zone."""
    if at is None:
        return escape(DASH)
    text = f"{at.day} {at:%b %Y}, {at:%H:%M} UTC"
    return Markup('<time datetime="{}" data-when="moment">{}</time>').format(stamp(at), text)


def clock(at: datetime) -> Markup:
    """A moment of today to the second; the page's script turns it into the reader's zone."""
    return Markup('<time datetime="{}" data-when="clock">{}</time>').format(stamp(at), f"{at:%H:%M:%S} UTC")


def on_day(at: datetime | date | None) -> Markup:
    if at is None:
        return escape(DASH)
    if not isinstance(at, datetime):
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at.day} {at:%b %Y}")
    return Markup('<time datetime="{}" data-when="day">{}</time>').format(stamp(at), f"{at.day} {at:%b %Y}")


def largest_unit(span: timedelta) -> str:
    """A duration in its largest useful unit: `4 min`, `2 h 10 min`, `3 days`."""
    seconds = max(int(span.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:  # noqa: PLR2004 - a minute
        return "less than a minute"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}{NBSP}min"
    if hours < 6 and minutes % 60:  # noqa: PLR2004 - beyond six hours nobody counts minutes
        return f"{hours}{NBSP}h {minutes % 60}{NBSP}min"
    if hours < 48:  # noqa: PLR2004 - two days
        return f"{hours}{NBSP}h"
    return f"{days:,}{NBSP}days"


def away(at: datetime | None, now: datetime) -> Markup:
    """`in 4 min`, `2 days ago`; the moment itself is in the tag."""
    if at is None:
        return escape(DASH)
    span = at - now
    if abs(span) < timedelta(minutes=1):
        text = "now"
    elif span > timedelta():
        text = f"in {largest_unit(span)}"
    else:
        text = f"{largest_unit(-span)} ago"
    return Markup('<time datetime="{}">{}</time>').format(stamp(at), text)


def coming(at: datetime | None, now: datetime) -> Markup:
    """When something is to happen; what is overdue happens now."""
    return away(max(at, now), now) if at is not None else escape(DASH)


def share(value: float | None, kind: str | None = "rate") -> str:
    """What was seen, one decimal of a per cent, or three of a loss. None of them is never written as a rate."""
    if value is None:
        return DASH
    if kind == "loss" and value:
        return loss_seen(value)
    return "none" if value == 0 else f"{value * 100:.1f}{NBSP}%"


def confidence(value: float | None) -> str:
    """At most four decimals, rounded up, so that nothing less is promised."""
    return "none" if value is None else f"{math.ceil(value * 10_000 - 1e-6) / 10_000:g}"


def count(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f}"


def many(number: int) -> str:
    """How many wait, where nobody counts further than a thousand: `1,000+`."""
    return f"{COUNTED_UP_TO:,}+" if number >= COUNTED_UP_TO else f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def bound(value: float | None, direction: str | None, kind: str | None = "rate") -> str:
    """`at most 3.1 %`, or `at most 0.031` for a loss, rounded to the careful side."""
    if value is None:
        return DASH
    if kind == "loss":
        return f"at least {loss_at_least(value)}" if direction == "at_least" else f"at most {loss_at_most(value)}"
    return f"at least {at_least(value)}" if direction == "at_least" else f"at most {at_most(value)}"


def limit(value: float | None, direction: str | None, kind: str | None = "rate") -> str:
    if value is None:
        return DASH
    side = "at least" if direction == "at_least" else "at most"
    return f"{side} {amount(value, kind)}"


def amount(value: float | None, kind: str | None) -> str:
    """A figure in the unit of its metric."""
    if value is None:
        return DASH
    if kind == "days":
        return plural(int(value), "day")
    if kind == "count":
        return f"{value:,.0f}"
    if kind == "suite":
        return f"{value:.4g}"
    if kind == "loss":
        return loss(value)
    return percent(value)


def short(identity: Any) -> str:
    """The part of an id that people say. Time-ordered ids differ at the end."""
    return str(identity).replace("-", "")[-6:]


def initial(text: str) -> str:
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = initial(text.strip())
    return text if not text or text[-1] in ".!?" else f"{text}."


def lines(text: str) -> Markup:
    return Markup("<br>").join(escape(line) for line in text.splitlines())


FILTERS: dict[str, Callable[..., Any]] = {
    "when": when,
    "clock": clock,
    "on_day": on_day,
    "away": away,
    "coming": coming,
    "word": word,
    "share": share,
    "count": count,
    "confidence": confidence,
    "lines": lines,
    "plural": plural,
    "many": many,
    "short": short,
    "initial": initial,
    "sentence": sentence,
    "largest_unit": largest_unit,
    "badge_look": lambda state: BADGES.get(state, ("", "info", "")),
}
