"""`phasegate status`, and every step of a version: advance, break-glass, demote, freeze, unfreeze, rollback."""

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.door import As, Door, Key, Url, through
from cli.files import versions
from cli.output import AsJson, Exit, good, print_json, print_table, say
from kit.errors import Invalid, Place
from rollout.domain import words
from rollout.domain.phase import FreezeMode, Phase

Agent = Annotated[str, typer.Argument(help="The agent's name.")]
Version = Annotated[
    str | None, typer.Argument(help="Its version; may be left out while only one is under way.", show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why, in a sentence that an auditor understands.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Return when it is in force in every web process; status 1 when it is not.")
]
Within = Annotated[float, typer.Option(help="With --wait: for so many seconds at most, up to 30.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_MARKS = {
    "pass": "pass",
    "fail": "FAIL",
    "inconclusive": "not sure yet",
    "no_evidence": "no evidence",
    "error": "ERROR",
}


class Way(StrEnum):
    """How far break-glass goes."""

    NEXT_PHASE = "next_phase"
    LAST_RAMP_STEP = "last_ramp_step"


def status(
    agent: Annotated[str | None, typer.Argument(help="Without it: all agents.")] = None,
    version: Version = None,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Where an agent stands, why it is not further, and when it will be looked at again.

    [bold]phasegate status[/bold] lists all agents, [bold]phasegate status claims[/bold] shows one with every gate.
    """
    with through(url, key, login) as door:
        if agent is None:
            _list_agents(door, as_json=as_json)
            return
        labels = [version] if version else _under_way(door, agent)
        found = [door.get("agents", agent, "versions", label, "rollout") for label in labels]
    if as_json:
        print_json(found[0] if version else found)
        return
    for one in found:
        _show(one)
    if not found:
        good(f"Agent {agent} has no version yet.")


def advance(
    agent: Agent,
    version: Version = None,
    evidence: Annotated[str | None, typer.Option(help="The evidence you read. Else: what a look finds now.")] = None,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Kept with the signature.")] = "",
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Look, show the evidence, and sign for the step it carries. The last signature takes the step.

    Exit status 1 when the evidence does not carry it, or another signature is still waited for.

    [bold]phasegate advance claims --as mara -m "agreed in the weekly review"[/bold]
    """
    with through(url, key, login) as door:
        path = _path(door, agent, version)
        shown = door.get(*path, "evidence", evidence) if evidence else door.post(*path, "look")
        if not as_json:
            _show_evidence(shown)
        if shown["verdict"] != "advance":
            if as_json:
                print_json({"step": None, "evidence": shown})
            raise typer.Exit(Exit.REFUSED)
        _ask(f"Sign for {_step(shown['target'])}?", yes=yes or as_json)
        answered = door.post(*path, "advance", body={"evidence_id": shown["id"], "reason": reason})
    if as_json:
        print_json({"step": answered["step"], "approval": answered["approval"], "evidence": shown})
    elif answered["step"] is not None:
        good(f"Version {shown['version']} of {agent} goes to {_step(shown['target'])}.")
    else:
        good(answered["approval"]["words"])
    if answered["step"] is None:
        raise typer.Exit(Exit.REFUSED)


def demote(
    agent: Agent,
    reason: Reason,
    version: Version = None,
    to: Annotated[Phase | None, typer.Option(help="A lower phase. Else: one phase back.")] = None,
    seen: Annotated[
        Phase | None, typer.Option("--from", help="The phase you saw; from another one nothing is taken.")
    ] = None,
    wait: Wait = False,
    within: Within = 5.0,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Take autonomy back, at once and without evidence.

    [bold]phasegate demote claims -m "wrong amounts since this morning"[/bold]
    """
    with through(url, key, login) as door:
        path = _path(door, agent, version)
        body = {"reason": reason, "from": seen or door.get(*path)["phase"]} | ({"to": to} if to else {})
        change = door.call("POST", *path, "demote", json=body, params=_waiting(wait, within))
    _show_change(agent, change, as_json=as_json)


def break_glass(
    agent: Agent,
    reason: Reason,
    hours: Annotated[float, typer.Option(help="For how long, at most 24; then it ends by itself.")],
    version: Version = None,
    to: Annotated[Way, typer.Option(help="The next phase, or the last ramp step of this one.")] = Way.NEXT_PHASE,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    For a few hours more autonomy than the evidence carries. Everybody is told, and a failure is left to be reviewed.

    [bold]phasegate break-glass claims v7 --as mara --hours 4 -m "half of the reviewers are ill"[/bold]
    """
    with through(url, key, login) as door:
        body = {"reason": reason, "hours": hours, "to": to}
        change = door.post(*_path(door, agent, version), "break-glass", body=body)
    if as_json:
        print_json(change)
        return
    good(f"Version {change['version']} of {agent} is in {_where(change)} until {_time(change['glass_until'])}.")
    say("It goes back by itself. The webhooks of the agent are told, and a failure waits to be reviewed.")


def freeze(
    agent: Agent,
    reason: Reason,
    version: Version = None,
    mode: Annotated[
        FreezeMode, typer.Option(help="routing: every case goes to a person. advancing: only the way up is closed.")
    ] = FreezeMode.ROUTING,
    wait: Wait = False,
    within: Within = 5.0,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Stop a version where it stands: [bold]phasegate freeze claims -m "the upstream data is wrong" --wait[/bold].

    With --wait it returns when no web process routes otherwise any more, and says so; else who has not said it yet.
    """
    with through(url, key, login) as door:
        body, path = {"reason": reason, "mode": mode}, _path(door, agent, version)
        change = door.call("POST", *path, "freeze", json=body, params=_waiting(wait, within))
    _show_change(agent, change, as_json=as_json)


def unfreeze(
    agent: Agent,
    reason: Reason,
    version: Version = None,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """Lift a freeze; the version goes on in the phase it has."""
    with through(url, key, login) as door:
        change = door.post(*_path(door, agent, version), "unfreeze", body={"reason": reason})
    _show_change(agent, change, as_json=as_json)


def rollback(
    agent: Agent,
    reason: Reason,
    wait: Wait = False,
    within: Within = 5.0,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    The version in charge goes, the one before comes back with its phase.

    [bold]phasegate rollback claims -m "v7 misreads the new form"[/bold]
    """
    with through(url, key, login) as door:
        body = {"reason": reason}
        restored = door.call("POST", "agents", agent, "rollback", json=body, params=_waiting(wait, within))
    if as_json:
        print_json(restored)
    else:
        good(f"Version {restored['version']} of {agent} is in charge again, in {restored['phase']}.")
    _show_in_force(restored["in_force"], as_json=as_json)


def _list_agents(door: Door, *, as_json: bool) -> None:
    columns = ("agent", "version", "standing", "phase", "owner")
    rows = [
        {"agent": agent["name"], "owner": agent["owner"]}
        | {"version": version.get("label"), "standing": version.get("standing"), "phase": version.get("phase")}
        for agent in _agents(door)
        for version in [v for v in versions(door, agent["name"]) if v["standing"] != "retired"] or [{}]
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table("", columns, [[row[column] for column in columns] for row in rows])
        good(f"False alarms: {door.get('false-alarms')['words']}")
    else:
        good("There is no agent yet: phasegate apply -f agent.yaml")


def _agents(door: Door) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = door.get("agents", cursor=cursor)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _under_way(door: Door, agent: str) -> list[str]:
    return [str(version["label"]) for version in versions(door, agent) if version["standing"] != "retired"]


def _path(door: Door, agent: str, version: str | None) -> tuple[str, ...]:
    """Where the rollout stands in the API. Between two versions nobody guesses which one was meant."""
    if version is None:
        found = _under_way(door, agent)
        if len(found) != 1:
            said = f"{' and '.join(found)} are under way" if found else "there is none yet"
            place = Place("VERSION", said, f"phasegate … {agent} {found[0]}" if found else "register a version first")
            raise Invalid(f"which version of {agent}?", places=[place])
        version = found[0]
    return ("agents", agent, "versions", version, "rollout")


def _ask(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("nobody is here to be asked; say --yes")
    if not typer.confirm(question):
        raise typer.Exit(Exit.REFUSED)


def _show(found: dict[str, Any]) -> None:
    share = f" at {words.percent(found['ramp_share'])}" if found["ramp_share"] < 1 else ""
    frozen = f", frozen ({found['frozen']})" if found["frozen"] else ""
    good(
        f"{found['agent']} {found['version']} ({found['standing']}): {found['phase']}{share}{frozen}, "
        f"{words.plural(found['days_in_phase'], 'day')} in the phase"
    )
    if found["glass"] is not None:
        glass = found["glass"]
        good(
            f"  Break-glass by {glass['by']} until {_time(glass['until'])}: {glass['reason']} "
            f"Then it goes back to {_step(glass['back_to'])}."
        )
    _show_evidence(found)
    for closed in found["closed_segments"]:
        good(f"  {closed['words']}")
    if found["approval"] is not None:
        good(f"  {found['approval']['words']}")
    good(f"  Looked at {_time(found['looked_at'])}, next {_time(found['next_look_at'])}.")
    good("")


def _show_evidence(found: dict[str, Any]) -> None:
    """Gates and guardrails as one table, then what stands against a step."""
    rows = [
        ("gate", part["name"], _MARKS.get(part["verdict"], part["verdict"]), part["words"]) for part in found["gates"]
    ]
    rows += [("guardrail", part["name"], _guard(part), part["words"]) for part in found["guardrails"]]
    if rows:
        print_table("", ("", "", "", "evidence"), rows)
    for gate in found["gates"]:
        if gate.get("forecast"):
            good(f"  {gate['name']}: {gate['forecast']['words']}")
        if said := _shown_together(gate["segments"]):
            good(f"  {gate['name']}: {said}")
    for reason in found["reasons"]:
        change = f" {reason['what_would_change']}" if reason["what_would_change"] else ""
        good(f"  {reason['words']}{change}")


def _shown_together(segments: list[dict[str, Any]]) -> str:
    """Where the segments of a gate are shown to stand when all of them are taken together; empty if they were not."""
    judged = [part for part in segments if part.get("shown")]
    if not judged:
        return ""
    said = []
    for standing, title in (("below", "shown to be below the limit"), ("above", "shown to be above it")):
        names = [part["segment"] or "without a segment" for part in judged if part["shown"] == standing]
        said.append(f"{title}: {', '.join(names) or 'none'}")
    return f"{words.plural(len(judged), 'segment')} taken together, {'; '.join(said)}."


def _guard(part: dict[str, Any]) -> str:
    if part["breached"]:
        return "BREACHED"
    if part["closes"]:
        return "CLOSES"
    return "ERROR" if part["verdict"] == "error" else "holds"


def _step(target: dict[str, Any]) -> str:
    share = f" at {words.percent(target['share'])}" if target["share"] < 1 else ""
    return f"{target['phase']}{share}"


def _where(change: dict[str, Any]) -> str:
    share = f" at {words.percent(change['share'])}" if change["share"] is not None else ""
    return f"{change['entered']}{share}"


def _show_change(agent: str, change: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(change)
    else:
        where = f" to {change['entered']}" if change["entered"] else ""
        good(f"Version {change['version']} of {agent} is {change['kind']}{where}.")
    _show_in_force(change.get("in_force"), as_json=as_json)


def _waiting(wait: bool, within: float) -> dict[str, Any]:
    return {"wait": True, "within": within} if wait else {}


def _show_in_force(in_force: dict[str, Any] | None, *, as_json: bool) -> None:
    """How far it has come; a status of 1 where somebody waited and it is not in force everywhere."""
    if in_force is None:
        if not as_json:
            say("The web processes follow within a second. With --wait this command returns when they have.")
        return
    if not as_json:
        good(in_force["words"])
    if not in_force["done"]:
        raise typer.Exit(Exit.REFUSED)


def _time(value: str | None) -> str:
    return words.moment(datetime.fromisoformat(value)) if value else "not yet"
