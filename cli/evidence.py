"""`phasegate evidence`: the stored evidence of a version, and whether a verdict follows from its own record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

import evidence
from cli.door import As, Door, Key, Url, through
from cli.output import AsJson, Exit, good, print_json, print_table
from kit.errors import NotFound
from rollout.domain import words
from rollout.domain.recheck import recheck, recheck_guardrail
from rollout.domain.recheck_judgement import recheck_judgement
from routing.thresholds import records

app = typer.Typer(no_args_is_help=True)

_UNKNOWN_ENGINE = "rules that did not say their number yet"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One judged thing: what its record says, and whether that follows from the figures in it."""

    kind: str
    name: str
    verdict: str
    agrees: bool

    @property
    def row(self) -> tuple[str, str, str, str]:
        return self.kind, self.name, self.verdict, "agrees" if self.agrees else "DOES NOT AGREE"


@app.command("list")
def list_evidence(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many, the newest first.")] = 20,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    The evidence snapshots of a version, the newest first.

    [bold]phasegate evidence list claims v7[/bold]
    """
    with through(url, key, login) as door:
        page = door.get("agents", agent, "versions", version, "rollout", "evidence", limit=limit)
    if as_json:
        print_json(page)
    elif page["items"]:
        columns = ("id", "taken", "phase", "verdict", "gates", "rules")
        print_table("", columns, [_line(one) for one in page["items"]])
    else:
        good(f"Version {version} of {agent} has not been judged yet.")


@app.command("show")
def show_evidence(
    evidence_id: Annotated[str, typer.Argument(metavar="ID", help="Of an evidence snapshot, or of a calibration.")],
    recompute: Annotated[bool, typer.Option("--recompute", help="Compute it again from its own record.")] = False,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    What a snapshot says; with --recompute, whether that follows from the counts and parameters in it.

    Every gate and guardrail is judged once more by the rules of this program, from the record alone, and so is what
    was concluded from them; of a calibration, the threshold is looked for again in its labels. The digest of the whole
    is computed again too. Exit status 1 when one does not agree: the record was altered, or the rules have changed
    since.

    [bold]phasegate evidence show 0198c7a2-… --recompute[/bold]
    """
    with through(url, key, login) as door:
        found, is_calibration = _find(door, evidence_id)
    again = _calibration(found) if is_calibration else _snapshot(found)
    agrees = all(one.agrees for one in again)
    if as_json:
        print_json(found | ({"recomputed": [_plain(one) for one in again], "agrees": agrees} if recompute else {}))
    else:
        _show_calibration(found) if is_calibration else _show_snapshot(found)
        if recompute:
            _show_recomputed(found, again, agrees=agrees)
    if recompute and not agrees:
        raise typer.Exit(Exit.REFUSED)


def _find(door: Door, wanted: str) -> tuple[dict[str, Any], bool]:
    """A snapshot, or else a calibration."""
    try:
        return door.get("evidence", wanted), False
    except NotFound:
        pass
    try:
        return door.get("calibrations", wanted), True
    except NotFound:
        raise NotFound(f"there is neither evidence nor a calibration {wanted}") from None


def _snapshot(found: Mapping[str, Any]) -> list[Recomputed]:
    """Every gate and guardrail, and then what was concluded from all of them."""
    gates = [Recomputed("gate", part["name"], part["verdict"], recheck(part)) for part in found["gates"]]
    rails = [
        Recomputed("guardrail", part["name"], part["verdict"], recheck_guardrail(part)) for part in found["guardrails"]
    ]
    whole = [Recomputed("snapshot", one.name, one.says, one.agrees) for one in recheck_judgement(found)]
    return gates + rails + whole


def _calibration(found: Mapping[str, Any]) -> list[Recomputed]:
    """From the labels in it, by the rules of this program; what the service says of it does not count."""
    said = "no threshold" if found["threshold"] is None else f"threshold {found['threshold']:g}"
    try:
        agrees = records.follows(found)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # no look can have written this
        agrees = False
    return [Recomputed("calibration", found["segment"] or "all cases", said, agrees)]


def _plain(one: Recomputed) -> dict[str, Any]:
    return {"kind": one.kind, "name": one.name, "verdict": one.verdict, "agrees": one.agrees}


def _line(one: Mapping[str, Any]) -> tuple[str, ...]:
    passed = sum(gate["verdict"] == "pass" for gate in one["gates"])
    gates = f"{passed} of {len(one['gates'])} pass" if one["gates"] else "none"
    return one["id"], _time(one["at"]), one["phase"], one["verdict"], gates, one["engine"] or ""


def _show_snapshot(found: Mapping[str, Any]) -> None:
    share = f" at {words.percent(found['share'])}" if found["share"] < 1 else ""
    good(
        f"{found['agent']} {found['version']}: {found['phase']}{share}, {words.plural(found['days_in_phase'], 'day')} "
        f"in the phase. It was taken on {_time(found['at'])} and says {found['verdict']}."
    )
    rows = [("gate", gate["name"], gate["verdict"], _counts(gate), gate["words"]) for gate in found["gates"]]
    rows += [
        ("segment", part["segment"] or "–", part["verdict"], _counts(part), "")
        for gate in found["gates"]
        for part in gate["segments"]
    ]
    rows += [("guardrail", part["name"], part["verdict"], _counts(part), part["words"]) for part in found["guardrails"]]
    if rows:
        print_table("", ("", "", "verdict", "counts", "evidence"), rows)
    for reason in found["reasons"]:
        change = f" {reason['what_would_change']}" if reason["what_would_change"] else ""
        good(f"  {reason['words']}{change}")
    good(f"  Judged by {_rules(found['engine'])}. Plan {found['plan_digest'][:12]}, digest {found['digest'][:12]}.")


def _show_calibration(found: Mapping[str, Any]) -> None:
    where = f'segment "{found["segment"]}"' if found["segment"] else "all cases"
    good(
        f"{found['agent']} {found['version']}: look {found['look']} at the threshold of {where}, on "
        f"{words.plural(found['labels'], 'label')}, taken on {_time(found['at'])}."
    )
    good(f"  {found['answer'].get('explanation') or found['answer'].get('reason') or ''}")


def _show_recomputed(found: Mapping[str, Any], again: list[Recomputed], *, agrees: bool) -> None:
    print_table("", ("", "", "says", "computed again"), [one.row for one in again])
    if agrees:
        good("Everything follows from its own record.")
        return
    good("Not everything follows from its own record: it was altered, or written by other rules.")
    if "engine" in found and found["engine"] != evidence.__version__:
        good(f"It was judged by {_rules(found['engine'])}; these are rules {evidence.__version__}.")


def _rules(engine: str | None) -> str:
    return f"rules {engine}" if engine else _UNKNOWN_ENGINE


def _counts(part: Mapping[str, Any]) -> str:
    if part["kind"] in {"rate", "loss"}:
        return f"{part['bad']:,} of {part['cases']:,}"
    return "" if part["value"] is None else f"{part['value']:g}"


def _time(value: str) -> str:
    at = datetime.fromisoformat(value)
    return f"{at:%Y-%m-%d %H:%M} UTC"
