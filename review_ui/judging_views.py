"""Two outputs side by side on the desk, of which nobody says whose they are, and who was right on the People page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence.judgements import Rate
from review_ui.blind_form import blank_fields
from review_ui.forms import OutField
from review_ui.people_views import Figure
from review_ui.shown import Shown, named_fields, show
from review_ui.words import many
from rollout.agents.schemas import AgentSettings
from rollout.domain import words
from routing.judgements.figures import Figures
from routing.judgements.schemas import in_words
from routing.judgements.service import Pair


@dataclass(frozen=True, slots=True)
class PairRow:
    """One field of both outputs, or of the one."""

    label: str
    differs: bool
    shown: tuple[tuple[str, Shown], ...]


@dataclass(frozen=True, slots=True)
class PairView:
    names: tuple[str, ...]
    rows: list[PairRow]
    fields: list[OutField]
    """Empty ones, for what would have been right."""


def pair_view(pair: Pair, settings: AgentSettings) -> PairView:
    """The fields of both in an order that tells nothing: as the agent's settings have it, then by name."""
    outputs = [one.output for one in pair.outputs]
    both = _both(outputs)
    views = named_fields(both, settings.fields.output, "Output")
    rows = [
        PairRow(
            view.label,
            any(_same_field(path, view.path) for path in pair.differing),
            tuple((one.name, show(one.output, view)) for one in pair.outputs),
        )
        for view in views
    ]
    return PairView(tuple(one.name for one in pair.outputs), rows, blank_fields(both, settings))


def _both(outputs: list[Any]) -> Any:
    whole: dict[str, Any] = {}
    for output in outputs:
        if not isinstance(output, dict):
            return max(outputs, key=lambda one: isinstance(one, (dict, list)))
        whole |= output
    return {key: whole[key] for key in sorted(whole)}


def _same_field(differing: str, path: str) -> bool:
    return not differing or not path or path == differing or path.startswith(f"{differing}/")


@dataclass(frozen=True, slots=True)
class JudgedView:
    """
    `counts`: how often each was said. `rows`: by person, how often they are wrong. `open`: what is not judged or left
    out; empty where there is nothing of that. `alone`: that some wait for nobody.
    """

    words: str
    asked: int
    judged: int
    agent: Figure
    people: Figure
    counts: list[tuple[str, int]]
    rows: list[tuple[str, Figure]]
    open: str
    alone: str


def judged_view(found: Figures | None, names: Mapping[str, str], *, for_nobody: int) -> JudgedView | None:
    """None where nobody was ever asked."""
    if found is None:
        return None
    counts = [
        ("The agent alone was right", found.agent_alone),
        ("The person alone was right", found.person_alone),
        ("Both were right in their way", found.both),
        ("Neither was right", found.neither),
        ("Both said the same, and it was right", found.same_right),
        ("Both said the same, and it was wrong", found.same_wrong),
    ]
    rows = [(_name(one.name, names), _figure(one.wrong, one.judged)) for one in found.persons]
    return JudgedView(
        words=in_words(found),
        asked=found.asked,
        judged=found.judged,
        agent=_figure(found.agent, found.judged),
        people=_figure(found.people, found.judged),
        counts=counts,
        rows=rows,
        open=_open(found),
        alone=_alone(for_nobody),
    )


def _alone(for_nobody: int) -> str:
    """None may know whose output is whose, so a small house runs out of people."""
    if not for_nobody:
        return ""
    told = f"{words.plural(for_nobody, 'case')} {'waits' if for_nobody == 1 else 'wait'} to be judged, and nobody may:"
    return f"{told} everybody who could did the case, sent what was done, or ruled on it."


def _name(login: str | None, names: Mapping[str, str]) -> str:
    return "Nobody in particular" if login is None else names.get(login, login)


def _figure(rate: Rate, judged: int) -> Figure:
    seen = "not known" if rate.share is None else "none seen" if rate.share == 0.0 else words.seen(rate.share)
    between = f"{words.at_least(rate.lower)} to {words.at_most(rate.upper)}"
    return Figure(seen, between, f"{many(judged)} judged")


def _open(found: Figures) -> str:
    parts = []
    if found.open:
        parts.append(f"{words.plural(found.open, 'case')} {'waits' if found.open == 1 else 'wait'} to be judged.")
    if found.unjudged:
        parts.append(f"{words.plural(found.unjudged, 'case')} nobody judged in time; the bounds allow for either.")
    if found.left_out:
        parts.append(f"{words.plural(found.left_out, 'case')} drawn with other shares are left out.")
    return " ".join(parts)
