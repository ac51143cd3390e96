"""One calibration in words: what it answers and promises, how it was found, what it rests on, what to beware of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.thresholds import Groups, Halves, Shape, shape
from review_ui import words
from rollout.domain.words import NBSP, percent
from routing.thresholds import records
from routing.thresholds.tables import Calibration

_TIE = 0.25
"""From this share on, one confidence that so many cases have in common is worth a warning."""
_FEWEST_SCHEDULED = 200
_WOULD_HELP = "A better agent would, or one that knows better when it is unsure."
_LOOK_INTO = (
    "The promise is about cases like these; find out which half is like those to come before you put it in force."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one look says. `accepted` of the `labels` are at or above the threshold, `wrong` of these are wrong."""

    title: str
    sentences: list[str]
    promise: str
    labels: int
    accepted: int
    wrong: int
    share: str
    seen: str
    promised: str
    threshold: float | None


@dataclass(frozen=True, slots=True)
class TestRow:
    """One exact test of the calibration; `verdict` is pass or fail."""

    name: str
    down_to: str
    cases: str
    wrong: str
    tolerated: str
    verdict: str


@dataclass(frozen=True, slots=True)
class BandRow:
    range: str
    cases: int
    wrong: int
    share: str


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the promise rests on, and whether the labels speak for it. `tone` is ok or warn."""

    title: str
    words: str
    tone: str
    advice: str
    bands: list[BandRow]


@dataclass(frozen=True, slots=True)
class Caution:
    strong: str
    rest: str


def one_of(delta: float) -> str:
    """`1 of 20`; rounded so that it never promises more."""
    return f"1 of {math.floor(1 / delta + 1e-9):,}"


def share_of(part: float, whole: float) -> str:
    """`71 %` of cases; whole percents, as nothing is promised by them."""
    return f"{100 * part / whole:.0f}{NBSP}%" if whole else words.DASH


def accepted_by(groups: Groups, threshold: float | None) -> tuple[int, int]:
    """Labelled cases at or above a threshold, and the wrong ones among them."""
    above = groups.confidence >= threshold if threshold is not None else groups.confidence > 1
    count = int(above.sum())
    return (int(groups.accepted[count - 1]), int(groups.errors[count - 1])) if count else (0, 0)


def answer_of(row: Calibration, groups: Groups) -> Answer:
    accepted, wrong = accepted_by(groups, row.threshold)
    if row.threshold is None:
        title = "No threshold: every case goes to a person"
        sentences = _why_none(row)
    else:
        title = f"From {words.confidence(row.threshold)} on the agent may act alone"
        of_them = "none" if wrong == 0 else f"{wrong:,}"
        sentences = [f"{accepted:,} of {row.labels:,} labelled cases are that sure, and {of_them} of them wrong."]
        if not accepted:  # a threshold of the first look that lies above the highest confidence kept apart since
            sentences = ["How many of the labelled cases are that sure was not kept apart; they are the very surest."]
    return Answer(
        title,
        sentences,
        _promise(row),
        row.labels,
        accepted,
        wrong,
        share_of(accepted, row.labels) if accepted else words.DASH,
        words.share(wrong / accepted) if accepted else words.DASH,
        f"at most {percent(row.declared['risk'])}",
        row.threshold,
    )


def _promise(row: Calibration) -> str:
    risk, declared = percent(row.declared["risk"]), row.declared
    if row.look:
        series = f"{one_of(declared['delta'] + declared['schedule_delta'])} series of looks like this one"
        return f"In at most {series} is, after any of the looks, more than {risk} of what goes alone wrong."
    one = f"{one_of(declared['delta'])} calibrations like this one"
    return f"In at most {one} is more than {risk} of what goes alone wrong."


def _why_none(row: Calibration) -> list[str]:
    """Why these labels allow none, and what would change it."""
    answer, risk = row.answer, percent(row.declared["risk"])
    if row.look:
        return _why_none_scheduled(row)
    more = answer["more_labels"]
    if answer["reason"] == "too_few_labels":
        missing = (
            f"at least {words.plural(more, 'more')} are needed, all of them right." if more else "more are needed."
        )
        return [f"{words.plural(row.labels, 'label')} are too few for any statement about {risk}: {missing}"]
    test = answer["stopped_by"] or answer["start"]
    top = answer["reason"] == "top_group_fails"
    first = "The most confident group itself" if top else "Even the most confident part"
    found = f"{first} has {test['errors']:,} of {test['accepted']:,} wrong; {test['tolerated']:,} would be tolerated."
    if more is not None:
        return [found, f"About {more:,} more labels would show a threshold, if the agent is as good as it looks here."]
    return [
        found,
        f"More labels alone will not help: where it is surest, it is wrong more often than {risk}. {_WOULD_HELP}",
    ]


def _why_none_scheduled(row: Calibration) -> list[str]:
    blocked, following = row.answer["blocked_by"], row.answer["next_look"]
    said = f"After {row.labels:,} labels no confidence is high enough."
    if row.labels < _FEWEST_SCHEDULED:
        said = f"{row.labels:,} labels are too few: the first answer of a series comes at {_FEWEST_SCHEDULED}."
    elif blocked is not None:
        tolerated = f"{blocked['bound']:,} would be tolerated" if blocked["bound"] >= 0 else "none can be tolerated yet"
        found = f"{blocked['errors']:,} of {blocked['cases']:,} are wrong"
        said = f"At {words.confidence(blocked['confidence'])} and above {found}; at this look {tolerated}."
    if following is None:
        return [said, "That was the last declared look. The next version is calibrated anew."]
    return [said, f"The next look, at {following:,} labels, may find one."]


def tests_of(row: Calibration) -> list[TestRow]:
    """Where the tests began, the last that passed, and the one that stopped them."""
    answer = row.answer
    if row.look:
        blocked = answer["blocked_by"]
        if blocked is None:
            return []
        tolerated = words.count(blocked["bound"]) if blocked["bound"] >= 0 else "none yet"
        at = words.confidence(blocked["confidence"])
        return [
            TestRow(
                "Kept from going lower by", at, f"{blocked['cases']:,}", f"{blocked['errors']:,}", tolerated, "fail"
            )
        ]
    named = [("First test", answer["start"]), ("Last that passed", answer["end"]), ("Stopped by", answer["stopped_by"])]
    kept = [(name, test) for name, test in named if test is not None]
    if answer["start"] is not None and answer["start"] == answer["end"]:
        kept = [("First test, and last that passed", answer["start"]), *kept[2:]]
    elif answer["start"] is not None and answer["start"] == answer["stopped_by"]:
        kept = kept[:1]
    return [_test_row(name, test) for name, test in kept]


def _test_row(name: str, test: Mapping[str, Any]) -> TestRow:
    verdict = "pass" if test["errors"] <= test["tolerated"] else "fail"
    cases, wrong, tolerated = (f"{test[key]:,}" for key in ("accepted", "errors", "tolerated"))
    return TestRow(name, words.confidence(test["confidence"]), cases, wrong, tolerated, verdict)


def why_stopped(row: Calibration) -> str:
    """Why the threshold is not lower."""
    if row.threshold is None:
        return ""
    blocked = row.answer["blocked_by" if row.look else "stopped_by"]
    if blocked is None:
        return "It is as low as it can be: every group was accepted."
    return "It is not lower since the next test down found more wrong ones than it tolerates."


def assumption_of(row: Calibration, groups: Groups) -> Assumption:
    found = shape(groups)
    bands = [_band(band) for band in found.bands] if found is not None else []
    if row.declared["assumes"] == "nothing":
        said = "The promise holds whatever the confidence means, at the price of some automation. "
        said += "But the labels must be like the cases to come."
        return Assumption("Nothing about the confidence", said, "ok", "", bands)
    said = "A case of which the agent is surer is not less often right, and the labels are like the cases to come."
    title = "More confident is not less reliable"
    if found is None or found.falls:
        return Assumption(title, said, "ok", "The labels speak for it: errors become rarer with confidence.", bands)
    return Assumption(title, said, "warn", _strict_advice(found), bands)


def _strict_advice(found: Shape) -> str:
    seen = "the surest fifth is wrong more often than the next one, beyond chance"
    if not found.top_band_worse:
        seen = "errors do not become rarer with confidence"
    return (
        f"The labels speak against it: {seen}. Set the next version up with “assumes: nothing” in its plan. "
        "It cannot be changed for this one: whoever picks the rule after seeing both answers has no promise any more."
    )


def _band(band: Any) -> BandRow:
    lowest, highest = f"{band.lowest:.4g}", f"{band.highest:.4g}"
    told = lowest if lowest == highest else f"{lowest} to {highest}"
    return BandRow(told, band.cases, band.errors, words.share(band.errors / band.cases))


def cautions_of(rows: Sequence[Calibration]) -> list[Caution]:
    """What an owner should know before signing. `rows`: the looks of one segment, the newest first."""
    found = [*_alike(rows[-1].answer.get("exchangeability"))]
    tie = records.groups_of(rows[-1].data["groups"]).largest_tie()
    if tie is not None and tie.share >= _TIE:
        said = f"{share_of(tie.cases, rows[-1].labels)} of cases share the confidence {tie.confidence:g}."
        found.append(
            Caution(said, "Such a group is taken whole or not at all, so the threshold can only jump over it.")
        )
    pending = sum(row.data["pending"] for row in rows)
    if pending:
        said = f"{words.plural(pending, 'case')} nobody has ruled on {'counts' if pending == 1 else 'count'} as wrong."
        found.append(Caution(said, "Verdicts in time would show the agent as it is."))
    return found


def _alike(record: Mapping[str, Any] | None) -> list[Caution]:
    """The first half of the labels against the second."""
    if record is None:
        return []
    errors, below = (_halves(record[name]) for name in ("errors", "below"))
    found = []
    if errors is not None and errors.differ:
        told = f"{_seen(errors.first)} wrong in the first half, {_seen(errors.second)} in the second."
        found.append(Caution("The labels changed while they were collected:", f"{told} {_LOOK_INTO}"))
    if below is not None and below.differ:
        told = f"{_seen(below.first)} below the threshold in the first half, {_seen(below.second)} in the second."
        found.append(Caution("The cases changed while they were collected:", f"{told} {_LOOK_INTO}"))
    return found


def _halves(record: Mapping[str, Any] | None) -> Halves | None:
    if record is None:
        return None
    return Halves(tuple(record["first"]), tuple(record["second"]), record["log_e"])


def _seen(marked: tuple[int, int]) -> str:
    return f"{marked[0]:,} of {marked[1]:,}"
