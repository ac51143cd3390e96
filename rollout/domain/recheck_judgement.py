"""
Recomputes the conclusion of a stored snapshot from the gates, guardrails and answers in it.

The record does not carry the whole situation: whether it was frozen, outside a window, or too young is told by its
reasons alone. What it carries must fit: harm demotes, nothing but passes advances, every verdict has its reason.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rollout.domain.judge import GATE_CODES
from rollout.domain.metrics import Kind
from rollout.domain.phase import Phase
from rollout.domain.recheck import Record
from rollout.domain.verdict import Conclusion, Verdict, digest_of

_JUDGED = (
    "verdict", "reasons", "gates", "guardrails", "readiness", "target", "without_signature", "version", "phase",
    "epoch", "ramp_step", "share", "days_in_phase", "settle_days", "plan_digest", "plan_id", "rules_digest", "engine",
)  # fmt: skip
_WHATEVER = object()
_SHOWN_ONLY: Mapping[str, Mapping[str, Any]] = {"gates": {"forecast": _WHATEVER}, "guardrails": {}}
"""Computed when it is handed out, and no part of what was stored."""
_LATER: Mapping[str, Mapping[str, Any]] = {
    "gates": {"weights": None, "days": [], "seeded": None, "corrected_limit": None},
    "guardrails": {"calibrated": None, "segment": None, "closes": [], "segments": []},
}
"""What the first release did not write, with what is handed out in its place."""
_SINCE: Mapping[str, Mapping[str, Any]] = {"gates": {"shown": None}, "guardrails": {}}
"""The same, of later ones."""
_OF_EVIDENCE = {"guardrail_breached", "segment_closed", "guardrail_error", *GATE_CODES.values()}


class Checked(NamedTuple):
    """One thing a snapshot says of the whole, and whether that follows from the rest of it."""

    name: str
    says: str
    agrees: bool


def recheck_judgement(body: Record) -> tuple[Checked, ...]:
    """Of a snapshot as it is handed out, with its digest: readiness, conclusion, reasons, and the digest of it all."""
    done = sum(bool(item["done"]) for item in body["readiness"])
    checks: tuple[tuple[str, str, Callable[[Record], bool]], ...] = (
        ("readiness", f"{done} of {len(body['readiness'])} done", _readiness),
        ("conclusion", body["verdict"], _conclusion),
        ("reasons", ", ".join(reason["code"] for reason in body["reasons"]), _reasons),
        ("digest", body["digest"][:12], _digest),
    )
    return tuple(Checked(name, says, _follows(check, body)) for name, says, check in checks)


def _follows(check: Callable[[Record], bool], body: Record) -> bool:
    try:
        return check(body)
    except (ValueError, KeyError, TypeError, AttributeError):  # no judge can have written this
        return False


def _readiness(body: Record) -> bool:
    """Only a yes with a link to its evidence is done."""
    return all(item["done"] is (item["answer"] == "yes" and bool(item["link"].strip())) for item in body["readiness"])


def _conclusion(body: Record) -> bool:
    verdict, phase = Conclusion(body["verdict"]), Phase(body["phase"])
    if not 0 < body["share"] <= 1 or not _days_are_one(body) or len(set(_open_failures(body))) > 1:
        return False
    if verdict is Conclusion.ADVANCE:
        return _may_advance(body, phase)
    if body["without_signature"]:
        return False
    breached = _breached(body)
    if verdict is Conclusion.DEMOTE:
        return bool(breached) and phase.previous is not None and _is_entry(body["target"], phase.previous)
    stays = not breached or phase.previous is None or _codes(body) == ["retired"] or _paid_already(body)
    return body["target"] is None and stays


def _may_advance(body: Record, phase: Phase) -> bool:
    target = body["target"]
    leaves = target["phase"] != phase
    if leaves:
        goes = (
            phase.next is not None and _is_entry(target, phase.next) and all(one["done"] for one in body["readiness"])
        )
    else:
        goes = target["ramp_step"] == body["ramp_step"] + 1 and 0 < target["share"] <= 1
    return bool(
        goes
        and not (leaves and body["without_signature"])
        and bool(body["gates"])
        and all(gate["verdict"] == Verdict.PASS for gate in body["gates"])
        and not any(
            part["breached"] or part["verdict"] == Verdict.ERROR or part.get("closes") for part in body["guardrails"]
        )
        and not any(_open_failures(body))
    )


def _is_entry(target: Record, phase: Phase) -> bool:
    return bool(target["phase"] == phase and target["ramp_step"] == 0 and 0 < target["share"] <= 1)


def _days_are_one(body: Record) -> bool:
    said = [gate["value"] for gate in body["gates"] if gate["kind"] == Kind.DAYS and gate["value"] is not None]
    return all(days == body["days_in_phase"] for days in said)


def _open_failures(body: Record) -> list[float]:
    parts = [*body["gates"], *body["guardrails"]]
    return [part["value"] for part in parts if part["kind"] == Kind.COUNT and part["value"] is not None]


def _breached(body: Record) -> list[Record]:
    return [part for part in body["guardrails"] if part["breached"]]


def _codes(body: Record) -> list[str]:
    return [reason["code"] for reason in body["reasons"]]


def _about(body: Record) -> list[tuple[str, str | None]]:
    return [(reason["code"], reason["about"]) for reason in body["reasons"]]


def _paid_already(body: Record) -> bool:
    """Open failures that have cost a phase hold, and do not demote again."""
    breached = _breached(body)
    counted = bool(breached) and all(part["kind"] == Kind.COUNT for part in breached)
    return counted and _about(body) == [("critical_failure_open", part["name"]) for part in breached]


def _reasons(body: Record) -> bool:
    """Whether every verdict that decides is told as a reason, and no other."""
    verdict, codes = Conclusion(body["verdict"]), _codes(body)
    if verdict is Conclusion.ADVANCE:
        return codes == ["all_pass"]
    if verdict is Conclusion.DEMOTE:
        return _about(body) == [("guardrail_breached", part["name"]) for part in _breached(body)]
    if codes == ["retired"] or _paid_already(body):
        return True
    if codes == ["no_plan"]:
        return not (body["gates"] or body["guardrails"] or body["readiness"] or body["plan_digest"])
    told = [one for one in _about(body) if one[0] in _OF_EVIDENCE]
    failures = _open_failures(body)
    return (
        bool(codes)
        and "all_pass" not in codes
        and Counter(told) == Counter(_expected(body))
        and ("no_gates" in codes) is (not body["gates"] and "last_phase" not in codes)
        and ("last_phase" not in codes or body["phase"] == Phase.FULL)
        and (not failures or (max(failures) > 0) is ("critical_failure_open" in codes))
        and _open_items(body)
    )


def _expected(body: Record) -> Iterator[tuple[str, str | None]]:
    codes: Mapping[str, str] = {verdict.value: code for verdict, code in GATE_CODES.items()}
    for gate in body["gates"]:
        if gate["verdict"] != Verdict.PASS:
            yield codes[gate["verdict"]], gate["name"]
    for part in body["guardrails"]:
        if part["breached"]:
            yield "guardrail_breached", part["name"]
        if part.get("closes"):
            yield "segment_closed", part["name"]
        if part["verdict"] == Verdict.ERROR:
            yield "guardrail_error", part["name"]


def _open_items(body: Record) -> bool:
    """A step inside a phase asks for none of them, one out of it for all."""
    told = [about for code, about in _about(body) if code == "readiness_open"]
    return not told or told == [item["key"] for item in body["readiness"] if not item["done"]]


def _digest(body: Record) -> bool:
    """As the release wrote it: what came later is handed out for older records too, and was not in them."""
    said = {name: body[name] for name in _JUDGED if name in body}
    said = _before(said, _SHOWN_ONLY)
    before = _before(said, _SINCE)
    first = _before(before, _LATER)
    if first.get("engine") is None:
        first.pop("engine", None)
    return body["digest"] in {digest_of(said), digest_of(before), digest_of(first)}


def _before(said: Record, names: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {**said, **{kind: [_without(part, names[kind]) for part in said[kind]] for kind in names}}


def _without(part: Record, blank: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in part.items() if name not in blank or blank[name] not in (value, _WHATEVER)}
    if isinstance(kept.get("segments"), list | tuple):
        kept["segments"] = [_without(inner, blank) for inner in kept["segments"]]
    return kept
