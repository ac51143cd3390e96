"""
What a person can do with a version, each as a form: in a dialog on the agent's page, and on a page of its own for
browsers without scripts and for corrections. A dialog says what happens, to whom, and whether it can be taken back.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from review_ui import words
from review_ui.advance_views import AdvancePanel
from review_ui.pages import Viewer
from rollout.agents.tables import Agent
from rollout.domain.phase import Phase, Standing
from rollout.versions import queries
from rollout.versions.tables import Rollout


@dataclass(frozen=True, slots=True)
class Action:
    """One verb with its form. `reason`: required | optional | none. The way out says what stays."""

    key: str
    button: str
    title: str
    text: tuple[str, ...]
    confirm: str
    keep: str
    icon: str
    kind: str = ""
    confirm_kind: str = "primary"
    reason: str = "required"
    reason_label: str = "Reason, kept in the record"
    reason_hint: str = ""
    choices: tuple[tuple[str, str, str], ...] = ()  # value, label, what it means
    choice_label: str = ""
    choice_name: str = ""
    read: str = ""  # what a signer confirms to have read
    evidence_id: str = ""
    head: bool = False  # stands on top of the page, not in the panel


def of(session: Session, agent: Agent, rollout: Rollout, viewer: Viewer, panel: AdvancePanel | None) -> list[Action]:
    """What this viewer may do with this version now."""
    if rollout.standing == Standing.RETIRED:
        return []
    found = [*_signing(rollout, panel)] if panel is not None else []
    if viewer.may("demote"):
        found += _taking(session, agent, rollout)
    if viewer.may("advance"):
        found.append(_review(agent))
    if viewer.may("advance") or viewer.may("configure") or viewer.may("demote"):
        found.append(_look())
    return found


def _signing(rollout: Rollout, panel: AdvancePanel) -> list[Action]:
    short = words.short(panel.evidence_id)
    what = f"version {rollout.version}, from {words.word(rollout.phase)} to {panel.target}, on evidence {short}"
    found = []
    if panel.may_sign:
        found.append(
            Action(
                "sign",
                f"Sign for evidence {short}",
                f"Sign: advance to {panel.target}",
                (
                    (
                        f"You sign for {what}. With the last signature it takes effect at once, if the evidence still "
                        "says the same then."
                    ),
                    "It can be taken back at any time: Demote works at once and needs no signature.",
                ),
                "Sign",
                "Not now",
                "sign",
                kind="primary",
                reason="optional",
                reason_label="Remark (optional)",
                read="I have read the evidence and know what it does not rule out.",
                evidence_id=panel.evidence_id,
            )
        )
        found.append(
            Action(
                "refuse",
                "Refuse",
                "Refuse to advance",
                (f"You say no to {what}. Nothing changes for the cases. It takes new evidence to ask again.",),
                "Refuse",
                "Not now",
                "x",
                confirm_kind="danger-solid",
                reason_label="Reason, kept with the evidence",
                evidence_id=panel.evidence_id,
            )
        )
    elif panel.may_ask:
        found.append(
            Action(
                "ask",
                "Ask for signatures",
                f"Ask to advance to {panel.target}",
                (f"You ask for {what}. Whoever asks is not the second person to sign.",),
                "Ask for signatures",
                "Not now",
                "sign",
                kind="primary",
                reason="optional",
                reason_label="Why now (optional)",
                evidence_id=panel.evidence_id,
            )
        )
    return found


def _taking(session: Session, agent: Agent, rollout: Rollout) -> list[Action]:
    phase = Phase(rollout.phase)
    found = [_unfreeze(rollout) if rollout.frozen else _freeze(phase)]
    if phase.previous is not None:
        found.append(_demote(rollout, phase))
    if rollout.standing == Standing.CANDIDATE:
        found.append(_stop(rollout))
    elif (earlier := queries.last_retired_stable(session, agent.name)) is not None:
        found.append(_rollback(rollout, earlier))
    return found


def _demote(rollout: Rollout, phase: Phase) -> Action:
    lower = [one for one in reversed(Phase) if one < phase]
    meaning = {
        Phase.EVALUATION: "people do all cases; it is not asked",
        Phase.SHADOW: "people do all cases; it only records",
        Phase.SUPERVISED: "a person rules on every output",
        Phase.CONFIDENCE: "alone only where it is sure, from the first step of the ramp",
    }
    return Action(
        "demote", "Demote", f"Demote version {rollout.version} now",
        ((f"It leaves {words.word(phase.value)} at once. Open reviews that nobody may rule on any more go back to "
         "people. Nothing is lost; to come back it needs new evidence and new signatures."),),
        "Demote", f"Keep {words.word(phase.value)}", "down", kind="danger", confirm_kind="danger-solid",
        reason_hint="For example: three wrong countries since Monday.", head=True,
        choices=tuple((one.value, words.word(one.value), meaning[one]) for one in lower),
        choice_label="To which phase", choice_name="to",
    )  # fmt: skip


def _freeze(phase: Phase) -> Action:
    return Action(
        "freeze", "Freeze", "Freeze this version",
        ("It keeps its phase. Guardrails go on working in both cases, and the freeze can be lifted at any time.",),
        "Freeze", f"Keep {words.word(phase.value)} as it is", "pause", head=True,
        choices=(("routing", "Routing", "every case goes to a person from now on, and nothing advances"),
                 ("advancing", "Only advancing", "it works on as it does now, but nothing advances")),
        choice_label="What stops", choice_name="mode",
    )  # fmt: skip


def _unfreeze(rollout: Rollout) -> Action:
    back = "Cases are routed by its phase again, and it may advance."
    if rollout.frozen == "advancing":
        back = "It may advance again when its gates pass and people sign."
    return Action("unfreeze", "Lift the freeze", "Lift the freeze", (back,), "Lift the freeze", "Keep it frozen",
                  "go", head=True)  # fmt: skip


def _rollback(rollout: Rollout, earlier: Rollout) -> Action:
    return Action(
        "rollback", "Roll back", f"Roll back to version {earlier.version}",
        ((f"Version {rollout.version} retires at once. Version {earlier.version} is in charge again, in "
         f"{words.word(earlier.phase)}, the phase it had."), "A candidate on its way up is left alone."),
        f"Roll back to {earlier.version}", f"Keep {rollout.version}", "back", kind="danger",
        confirm_kind="danger-solid", head=True,
    )  # fmt: skip


def _stop(rollout: Rollout) -> Action:
    return Action(
        "stop", "Stop the candidate", f"Stop candidate {rollout.version}",
        (f"Version {rollout.version} retires and goes no further. The stable version is not touched.",),
        "Stop the candidate", f"Keep {rollout.version}", "x", kind="danger", confirm_kind="danger-solid", head=True,
    )  # fmt: skip


def _review(agent: Agent) -> Action:
    return Action(
        "review", "Hold the review", f"Hold the periodic review of {agent.title}",
        ("You sign by name that you looked at the figures on this page today. Late reviews stop advancing.",),
        "Sign the review", "Not now", "check", reason_label="What was decided",
        reason_hint="For example: keep the threshold; look at fax again next week.",
    )  # fmt: skip


def _look() -> Action:
    return Action("look", "Look now", "Look now", ("Judge it on the numbers of this moment.",), "Look now", "Not now",
                  "eye", reason="none")  # fmt: skip
