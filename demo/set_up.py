"""Makes the people, the agent, its plan, its policy, its suite and its first version: what an engineer does once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.digits import Reader, Scans
from demo.http import Desk
from demo.people import PASSWORD, PEOPLE
from demo.weeks import AGENT, STABLE, SUITE
from governance.people import service as people
from kit.clock import Clock
from kit.context import make_context
from kit.settings import Settings

PLAN = Path(__file__).with_name("plan.yaml")

_OUTPUT_SCHEMA = {
    "type": "object",
    "properties": {"digit": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["digit"],
    "additionalProperties": False,
}
_SETTINGS: dict[str, Any] = {
    "output_schema": _OUTPUT_SCHEMA,
    "comparison": {"fields": {"/digit": {"compare": "exact", "severity": "major"}}},
    "fields": {
        "input": [
            {"path": "/image", "label": "Scan", "show": "image"},
            {"path": "/source", "label": "Office", "show": "text"},
        ],
        "output": [{"path": "/digit", "label": "Digit", "show": "number"}],
    },
    "reasons": [
        {"code": "wrong_digit", "words": "Wrong digit", "severity": "major"},
        {"code": "unreadable", "words": "Scan is unreadable", "severity": "minor"},
        {"code": "scanner_fault", "words": "Scanner fault", "severity": "major"},
    ],
    "undo_seconds": 0,  # the clock of the demo stands while people rule: no window would ever end
}
_RULES: dict[str, Any] = {
    # No threshold: the labels of shadow and supervised production find it, and the owner puts it in force.
    "audit_rate": 0.75,  # in its first weeks alone, three of four readings are checked afterwards
    "scope": {"segments": ["north", "south", "west"]},
    "review_within_hours": 24,
}


@dataclass(frozen=True, slots=True)
class Keys:
    """What each of them calls the service with."""

    agent: str
    of: dict[str, str]  # login -> key


def make_people(settings: Settings, clock: Clock) -> Keys:
    """The people and their keys, on the database itself: nobody can sign in before there is anybody."""
    ctx = make_context(settings, clock=clock)
    now = clock.now()
    with ctx.db.begin() as session:
        for login, (name, roles) in PEOPLE.items():
            people.add_person(session, login, name, roles=roles, password=PASSWORD, by="demo", now=now)
        keys = {
            login: people.create_key(session, f"{login}'s key", login=login, by="demo", now=now)[1] for login in PEOPLE
        }
        _, agent = people.create_key(session, "digit reader", agent=AGENT, by="demo", now=now)
    ctx.db.close()
    return Keys(agent, keys)


def register(admin: Desk, scans: Scans, stable: Reader) -> None:
    """The agent with everything it needs to begin, over HTTP."""
    admin.post(
        "/v1/agents",
        {
            "name": AGENT,
            "title": "Digit reader",
            "about": "Reads handwritten digits from paper forms.",
            "owner": "maria",
            "second": "paul",
            "settings": _SETTINGS,
        },
    )
    admin.send_text("PUT", f"/v1/agents/{AGENT}/plan", PLAN.read_text(encoding="utf-8"), "application/yaml")
    lines = [
        json.dumps({"id": f"scan-{n}", "input": {"image": scans.image(n)}, "expected": {"digit": int(scans.digits[n])}})
        for n in SUITE
    ]
    admin.send_text("POST", f"/v1/agents/{AGENT}/suites/forms", "\n".join(lines), "application/x-ndjson")
    admin.post(f"/v1/agents/{AGENT}/versions", {"label": STABLE, "about": "Support vector machine.", "rules": _RULES})
    evaluate(admin, scans, stable, STABLE)
    for item in ("owner-named", "correction-path"):
        path = f"/v1/agents/{AGENT}/versions/{STABLE}/readiness/{item}"
        admin.put(path, {"answer": "yes", "link": "https://intranet.example/digit-reader", "owner": "maria"})


def evaluate(admin: Desk, scans: Scans, reader: Reader, version: str) -> None:
    """Run a version on the suite: it reads the scans, the service scores what it read."""
    outputs = [{"case": f"scan-{n}", "output": {"digit": reader.read(scans.image(n)).digit}} for n in SUITE]
    admin.post(f"/v1/agents/{AGENT}/evaluation-runs", {"suite": "forms", "version": version, "outputs": outputs})
