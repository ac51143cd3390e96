"""`phasegate analyse threshold`: from which confidence on an agent may act alone."""

import math
from typing import Annotated, Any, NamedTuple

import typer

from cli.analysing.columns import Row, read
from cli.analysing.shared import Confidence, File, end, refusing
from cli.output import AsJson, good, print_json, print_table
from evidence.thresholds import Answer, Groups, calibrate, calibrate_segments, group
from rollout.domain import words
from rollout.domain.threshold_plan import Assumption
from routing.thresholds.records import MODES, answer_record

_WORTH_A_WORD = 0.1
"""Cases that share a confidence are told of when they are more than this share."""


class _Labelled(NamedTuple):
    confidence: float | None
    wrong: bool
    segment: str


def threshold(
    file: File,
    risk: Annotated[float, typer.Option(help="Of what goes alone, at most this share may be wrong.")] = 0.05,
    confidence: Confidence = 0.95,
    assumes: Annotated[
        Assumption,
        typer.Option(help="higher_is_safer: a higher confidence is not less reliable. nothing: nobody knows."),
    ] = Assumption.HIGHER_IS_SAFER,
    confidence_column: Annotated[str, typer.Option(help="What the agent was sure of, 0 to 1.")] = "confidence",
    correct_column: Annotated[str, typer.Option(help="Whether its output was right.")] = "correct",
    segment_column: Annotated[str | None, typer.Option(help="Thresholds of their own for segments that can.")] = None,
    as_json: AsJson = False,
) -> None:
    """
    From which confidence on an agent may act alone, or why nowhere.

    One look, planned beforehand: run it once, on labels that nothing was tuned on.

    [bold]phasegate analyse threshold outputs.csv --risk 0.05[/bold]
    """
    found = read(
        file,
        lambda row: _labelled(row, confidence_column, correct_column, segment_column),
        [column for column in (confidence_column, correct_column, segment_column) if column],
    )
    usable = [row for row in found.taken if row.confidence is not None]
    terms: dict[str, Any] = {"risk": risk, "delta": round(1.0 - confidence, 12), "mode": MODES[assumes]}
    answer = refusing(lambda: calibrate(_group(usable), **terms))
    names = sorted({row.segment for row in usable}) if segment_column else []
    own = {name: _group([row for row in usable if row.segment == name]) for name in names}
    segments = calibrate_segments(own, **terms)
    without = len(found.taken) - len(usable)
    if as_json:
        told = {name: None if one is None else answer_record(one) for name, one in segments.items()}
        print_json({**answer_record(answer), "without_confidence": without, "segments": told,
                    "broken": [row.to_dict() for row in found.broken]})  # fmt: skip
    else:
        _show_threshold(answer, confidence, without)
        if names:
            _show_segments(segments, {name: groups.labels for name, groups in own.items()})
    end(found.broken, yes=answer.threshold is not None, as_json=as_json)


def _labelled(row: Row, confidence: str, correct: str, segment: str | None) -> _Labelled:
    """A confidence that is none is no mistake of the file: such a case never goes alone, and is counted."""
    given = row.cell(confidence)
    try:
        sure = math.nan if given is None or isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        sure = math.nan
    usable = sure if 0.0 <= sure <= 1.0 else None
    return _Labelled(usable, not row.right(correct), str(row.cell(segment) or "") if segment else "")


def _group(rows: list[_Labelled]) -> Groups:
    return group([row.confidence for row in rows if row.confidence is not None], [row.wrong for row in rows])


def _show_threshold(answer: Answer, confidence: float, without: int) -> None:
    good(f"{words.plural(answer.labels, 'label')}, {answer.errors:,} of them wrong.")
    if without:
        good(f"{words.plural(without, 'case')} without a usable confidence: such cases go to a person.")
    if answer.threshold is None:
        more = f" About {answer.more_labels:,} more labels may be enough." if answer.more_labels else ""
        good(f"No threshold: {answer.explanation}.{more}")
        return
    end = answer.end
    sure = words.sure(confidence)
    good(f"Threshold {answer.threshold:.12g}: {words.seen(answer.coverage)} of the labelled cases would go alone.")
    if end is not None:
        good(f"We are {sure} that of those at most {words.percent(answer.risk)} are wrong (seen: {end.errors:,} of "
             f"{end.accepted:,}). Not lower: {answer.explanation}.")  # fmt: skip
    if answer.tie is not None and answer.tie.cases > 1 and answer.tie.share > _WORTH_A_WORD:
        good(f"{words.seen(answer.tie.share)} of the cases share the confidence {answer.tie.confidence:g}; they go "
             "alone together or not at all.")  # fmt: skip
    if answer.shape is not None and not answer.shape.falls:
        good("More confident is not more reliable here. Plan the next one with --assumes nothing, on new labels.")


def _show_segments(segments: dict[str, Answer | None], labels: dict[str, int]) -> None:
    rows = []
    for name, answer in segments.items():
        if answer is None:
            rows.append((name or "–", f"{labels[name]:,}", "the common one", "too few labels for its own"))
        elif answer.threshold is None:
            rows.append((name or "–", f"{labels[name]:,}", "none", answer.explanation))
        else:
            rows.append((name or "–", f"{labels[name]:,}", f"{answer.threshold:.12g}", answer.explanation))
    print_table("Segments", ("segment", "labels", "threshold", "why"), rows, right=(1,))
