"""
What a message says: at a glance how much waits and until when, then which cases, then the links.

Times are by the reader's clock. A message names cases and holds neither inputs nor outputs: it leaves the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from routing.reviews.dealing.queries import COUNTED_UP_TO

_SHORT = {"due": "nearly late", "escalated": "escalated", "urgent": "urgent"}
_LONG = {
    "due": ("{} case is nearly late", "{} cases are nearly late"),
    "escalated": ("{} case reached the second line", "{} cases reached the second line"),
    "urgent": ("{} urgent case waits", "{} urgent cases wait"),
}


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that the wording of one message needs; `links` are whole addresses by what they do."""

    kind: str  # news | confirm
    name: str
    facts: list[dict[str, Any]]
    links: Mapping[str, str]
    zone: str
    quiet: tuple[str, str] | None
    written_at: datetime


def subject(letter: Letter) -> str:
    if letter.kind == "confirm":
        return "Phasegate: confirm this address"
    first = min(_ends(group["first"][0]) for group in letter.facts)
    parts = [f"{_many(group['cases'])} {_SHORT[group['kind']]}" for group in letter.facts]
    return f"Phasegate: {', '.join(parts)}, the first until {_clock(first, letter)}"


def text(letter: Letter) -> str:
    """The e-mail. Plain, so that it reads the same everywhere."""
    if letter.kind == "confirm":
        return "\n".join(
            [
                f"Hello {letter.name},", "",
                "you asked Phasegate to send notifications about waiting cases here. They begin when you confirm it:",
                "", f"  {letter.links['confirm']}", "",
                "The link asks before it acts, works once, and only for a day.",
                "Did you not ask for this? Then do nothing, or take the address back:",
                "", f"  {letter.links['off']}", "",
            ]
        )  # fmt: skip
    lines = [f"Hello {letter.name},", ""]
    for group in letter.facts:
        lines += [f"{_said(group)}:", *(f"  {_case(one, letter)}" for one in group["first"]), *_more(group), ""]
    lines += [
        f"Take the first of them:  {letter.links['take']}",
        "                         (asks before it acts, works once)",
        f"See all that waits:      {letter.links['queue']}", "",
        f"As it was at {_clock(letter.written_at, letter)} ({letter.zone}).", _promise(letter),
        f"Change this:             {letter.links['settings']}",
        f"Turn it off:             {letter.links['off']}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def slack(letter: Letter) -> dict[str, Any]:
    """For an incoming webhook. Names of cases are escaped: `<!channel>` in one of them calls nobody."""
    links = letter.links
    if letter.kind == "confirm":
        lines = [
            f"{_escaped(letter.name)} asked Phasegate to send notifications about waiting cases here.",
            f"<{links['confirm']}|Confirm> · <{links['off']}|Stop it>",
        ]
    else:
        lines = [f"*{_escaped(subject(letter))}*"]
        for group in letter.facts:
            lines += [f"• {_escaped(_case(one, letter))} ({_SHORT[group['kind']]})" for one in group["first"]]
            lines += [f"   {more.strip()}" for more in _more(group)]
        lines.append(
            f"<{links['take']}|Take the first> · <{links['queue']}|See all that waits> · "
            f"<{links['settings']}|Change this> · <{links['off']}|Turn it off>"
        )
    return {"text": "\n".join(lines), "unfurl_links": False}


def webhook(letter: Letter) -> dict[str, Any]:
    """For a program: the facts as they are."""
    kind = "notification.confirm" if letter.kind == "confirm" else "reviews.waiting"
    groups = [{"kind": g["kind"], "cases": g["cases"], "first": g["first"]} for g in letter.facts]
    return {
        "type": kind,
        "timestamp": letter.written_at.isoformat(),
        "data": {"person": letter.name, "subject": subject(letter), "groups": groups, "links": dict(letter.links)},
    }


def _said(group: Mapping[str, Any]) -> str:
    one, many = _LONG[group["kind"]]
    return (one if group["cases"] == 1 else many).format(_many(group["cases"]))


def _many(number: int) -> str:
    return f"{COUNTED_UP_TO:,} or more" if number >= COUNTED_UP_TO else f"{number:,}"


def _case(one: Mapping[str, Any], letter: Letter) -> str:
    segment = f" ({_one_line(one['segment'])})" if one["segment"] else ""
    return f"{one['agent']}: {_one_line(one['case_id'])}{segment}, until {_clock(_ends(one), letter)}"


def _more(group: Mapping[str, Any]) -> list[str]:
    left = group["cases"] - len(group["first"])
    return [f"  and {_many(left) if group['cases'] < COUNTED_UP_TO else 'many'} more"] if left else []


def _promise(letter: Letter) -> str:
    quiet = f", and none from {letter.quiet[0]} until {letter.quiet[1]}" if letter.quiet else ""
    return f"You get one message in five minutes at most{quiet}."


def _ends(one: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(one["ends_at"])


def _clock(at: datetime, letter: Letter) -> str:
    """`14:05`, with the day where it is not the day of the message."""
    zone = ZoneInfo(letter.zone)
    local = at.astimezone(zone)
    if local.date() == letter.written_at.astimezone(zone).date():
        return f"{local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b, %H:%M}"


def _one_line(words: str) -> str:
    return "".join(char if char.isprintable() else " " for char in words)


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
