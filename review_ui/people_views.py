"""What the page about people shows: figures in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from evidence.agreement.kappa import Coefficient, Share
from rollout.domain import words
from routing.people.schemas import arms_words, blind_words
from routing.people.service import Arms, Blind, PeopleReport
from routing.people.verdicts import Agreement

_COMMON = (0.8, 0.6, 0.4)
_ENOUGH = 30
_SURE = words.sure(0.95)
"""How sure the bounds of a share are, all of them."""
_STRENGTH = ("people see these cases nearly alike", "people see most of these cases alike",
             "people often see these cases differently", "people hardly agree more than by guessing")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A share in words: what was seen, and between which bounds it lies."""

    seen: str
    between: str
    counts: str


@dataclass(frozen=True, slots=True)
class AgreementView:
    words: str
    beyond: str
    beyond_name: str
    why_not: str


@dataclass(frozen=True, slots=True)
class SwayRow:
    """People who had not seen the output beside people who had, of a version; then what else is known of them."""

    version: str
    kind: str
    figures: tuple[Figure, ...]
    words: str
    shown: bool


@dataclass(frozen=True, slots=True)
class BehindRow:
    """Overridden, and the wrong outputs that explain it."""

    kind: str
    overridden: Figure
    wrong: str
    between: str


@dataclass(frozen=True, slots=True)
class GoldView:
    """What reviewers together make of gold cases; None in its place where nobody was asked."""

    errors: Figure
    right: Figure
    rows: list[BehindRow]


@dataclass(frozen=True, slots=True)
class RightView:
    agent: int
    person: int
    both_right: int
    both_wrong: int
    words: str


def figure(share: Share) -> Figure:
    if share.share is None:
        return Figure("–", "", "none yet")
    between = f"{words.at_least(share.lower)} to {words.at_most(share.upper)}"
    seen = "none seen" if share.part == 0 else words.seen(share.share)
    return Figure(seen, between, f"{share.part:,} of {share.whole:,}")


def agreement_view(found: Agreement) -> AgreementView | None:
    """None where no output has the verdicts of two people."""
    if found.same.share is None:
        return None
    same = figure(found.same)
    read = found.ac1 if found.advised == "ac1" else found.alpha
    told = f"Of {words.plural(found.same.whole, 'output')} that two or more people gave a verdict on, "
    told += f"they said the same of {found.same.part:,} ({same.seen}; {same.between}, {_SURE})."
    return AgreementView(
        words=told,
        beyond=_beyond(read),
        beyond_name="Gwet's AC1" if found.advised == "ac1" else "Krippendorff's alpha",
        why_not=read.reason or "",
    )


def strength(found: Agreement) -> str:
    """What the coefficient means, in words; of a few outputs it means little."""
    if found.same.whole < _ENOUGH:
        return "too few outputs to call that much or little"
    read = found.ac1 if found.advised == "ac1" else found.alpha
    if read.value is None:
        return ""
    place = next((at for at, least in enumerate(_COMMON) if read.value >= least), len(_COMMON))
    return _STRENGTH[place]


def blind_rows(found: Sequence[Blind]) -> list[SwayRow]:
    """Agreed without having seen the output (shadow), and having seen it (review)."""
    return [
        SwayRow(
            row.version, "", (figure(row.found.blind), figure(row.found.assisted)), blind_words(row), row.found.shown
        )
        for row in found
    ]


def arms_rows(found: Sequence[Arms]) -> list[SwayRow]:
    """Overridden in the blind arm and in the assisted one; the same answer before, and gave way."""
    rows = []
    for row in found:
        figures = tuple(figure(share) for share in (row.corrected, row.assisted, row.equal, row.gave_way))
        kind = "reviews" if row.kind == "review" else "audits"
        rows.append(SwayRow(row.version, kind, figures, arms_words(row), row.found.shown))
    return rows


def gold_view(report: PeopleReport) -> GoldView | None:
    if report.gold.sensitivity.share is None and report.gold.specificity.share is None:
        return None
    rows = [
        BehindRow(
            "Reviews" if row.kind == "review" else "Audits",
            figure(row.seen),
            "–" if row.found.rate is None else words.seen(row.found.rate),
            f"{words.at_least(row.found.lower)} to {words.at_most(row.found.upper)}",
        )
        for row in report.behind
    ]
    return GoldView(figure(report.gold.sensitivity), figure(report.gold.specificity), rows)


def right_view(report: PeopleReport) -> RightView | None:
    """None where no verdict was ever looked at by somebody else."""
    found = report.right
    share = found.differed.agent_share
    if not (share.whole or found.both_right or found.both_wrong):
        return None
    told = "Where the two differed, nobody else has said who was right yet."
    if share.share is not None:
        between = f"{words.at_least(share.lower)} and {words.at_most(share.upper)}"
        told = f"Where the two differed, the agent was right in {share.part:,} of {words.plural(share.whole, 'case')}: "
        told += f"between {between} of such cases, {_SURE}."
    return RightView(found.differed.agent_only, found.differed.person_only, found.both_right, found.both_wrong, told)


def _beyond(found: Coefficient) -> str:
    return "–" if found.value is None else f"{found.value:.2f}"
