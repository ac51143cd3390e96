"""`phasegate analyse signals`: one confidence from several signals, or the best of them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import orjson
import typer

from cli.analysing.columns import Row, columns_of, read
from cli.analysing.shared import File, end, refusing
from cli.output import AsJson, good, print_json, print_table
from evidence.signal_choice import Choice, choose_confidence, folds_by_key
from evidence.signals import CombinedConfidence, Scale, Signal, fit_signals, older_and_newer
from kit.errors import Invalid, Place
from rollout.domain import words
from routing.thresholds.records import plain

RECORD = "phasegate.confidence"
"""What the file of a combined confidence calls itself; clients refuse any other."""


class _Case(NamedTuple):
    values: dict[str, float | None]
    right: bool
    at: float
    key: str


def signals(
    file: File,
    signal: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN[:SCALE]", help="Repeat for each. Scale: probability, positive, or plain."),
    ] = None,
    target: Annotated[float, typer.Option(help="The share of wrong ones that the threshold will be asked for.")] = 0.05,
    share: Annotated[
        float, typer.Option(help="Of the labels, the oldest so many are used; the rest stay clean.")
    ] = 0.5,
    correct_column: Annotated[str, typer.Option(help="Whether the output was right.")] = "correct",
    time_column: Annotated[
        str | None, typer.Option(help="When it was decided. Else: the lines are in the order of time.")
    ] = None,
    key_column: Annotated[
        str | None, typer.Option(help="What belongs together, as one customer. Else: every line for itself.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the record that agents apply.")] = None,
    as_json: AsJson = False,
) -> None:
    """
    One confidence from several signals, where that is better than the best of them alone.

    The labels used here must not calibrate the threshold: only the oldest --share of them is used.

    [bold]phasegate analyse signals outputs.jsonl --signal logprob --signal judge:probability --out record.json[/bold]
    """
    wanted = _signals(file, signal)
    names = [one.name for one in wanted]
    columns = [*names, *(column for column in (correct_column, time_column, key_column) if column)]
    found = read(file, lambda row: _case(row, names, correct_column, time_column, key_column), columns)
    if not 0.0 < share < 1.0:
        raise Invalid("--share must lie between 0 and 1", places=[Place("--share", "it leaves nothing", "say 0.5")])
    split = older_and_newer([case.at for case in found.taken], share)
    used = [found.taken[place] for place in split.older.tolist()]
    choice, record = refusing(lambda: _choose(wanted, used, target))
    clean = len(split.newer)
    body = None if record is None else record_body(record)
    if out is not None and body is not None:
        out.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
    if as_json:
        print_json({"reason": choice.reason, "best_single": choice.best_single, "scores": plain(choice.scores),
                    "gain": choice.gain, "gain_low": choice.gain_low, "labels_missing": choice.labels_missing,
                    "used": len(used), "left_for_the_threshold": clean, "record": body,
                    "broken": [row.to_dict() for row in found.broken]})  # fmt: skip
    else:
        _show_choice(choice, record, len(used), clean, out)
    end(found.broken, yes=record is not None, as_json=as_json)


def _signals(file: Path, given: list[str] | None) -> list[Signal]:
    if not given:
        there = ", ".join(columns_of(file)) or "none"
        place = Place("--signal", "no signal is named", f"name columns; there are: {there}")
        raise Invalid("which signals?", places=[place])
    found = []
    for one in given:
        name, colon, scale = one.rpartition(":")
        try:
            found.append(Signal(name, Scale(scale)) if colon else Signal(one))
        except ValueError:
            place = Place("--signal", f"{scale!r} is no scale", f"one of {', '.join(Scale)}")
            raise Invalid(f"{one}: unknown scale", places=[place]) from None
    return found


def _case(row: Row, names: list[str], correct: str, time: str | None, key: str | None) -> _Case:
    at = row.moment(time).timestamp() if time else float(row.number)
    return _Case(
        values={name: row.number_or_none(name) for name in names},
        right=row.right(correct),
        at=at,
        key=row.text(key) if key else str(row.number),
    )


def _choose(wanted: list[Signal], cases: list[_Case], target: float) -> tuple[Choice, CombinedConfidence | None]:
    """The choice, and the record to apply: of all signals, or of the best one alone, on the same footing."""
    columns = {one.name: [case.values[one.name] for case in cases] for one in wanted}
    right, times = [case.right for case in cases], [case.at for case in cases]
    folds = folds_by_key([case.key for case in cases])
    choice = choose_confidence(wanted, columns, right, times, folds, target=target)
    if choice.combined is not None or choice.best_single is None or choice.labels_missing:
        return choice, choice.combined
    single = [one for one in wanted if one.name == choice.best_single]
    return choice, fit_signals(single, columns, right, times)


def record_body(record: CombinedConfidence) -> dict[str, Any]:
    """What agents read: all numbers of the record, and its version."""
    return {"kind": RECORD, "format": 1, "version": record.version, **asdict(record)}


def _show_choice(choice: Choice, record: CombinedConfidence | None, used: int, clean: int, out: Path | None) -> None:
    if choice.scores:
        rows = [
            (score.name, words.seen(score.automated), f"{score.area:.4f}", f"{score.log_loss:.4f}")
            for score in choice.scores
        ]
        print_table("Out of fold", ("confidence", "automated", "area", "log-loss"), rows, right=(1, 2, 3))
    good(f"{choice.reason}.")
    if choice.labels_missing:
        good(f"At least {words.plural(choice.labels_missing, 'more label')} are needed.")
    if record is None:
        return
    good(f"Version {record.version}: {', '.join(term.name for term in record.signals)}; fitted to "
         f"{words.plural(record.labels, 'label')}.")  # fmt: skip
    good(f"The {used:,} oldest labels are spent: they must not calibrate the threshold. {clean:,} newer ones may.")
    if out is not None:
        good(f"The record is in {out}; agents apply it with phasegate_client.confidence.combine.")
