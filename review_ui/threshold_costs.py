"""What a threshold costs and saves in a month: a calculator in a form that is only ever read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evidence import calibration
from evidence.thresholds import Answer, Groups, Prices, Step, balance, cheapest_threshold, with_costs
from evidence.thresholds.costs import probability_to_automate
from review_ui import words
from review_ui.calibration_views import accepted_by
from review_ui.numbers import typed_number

_MOST = 1e9
_FIELDS = ("error", "review", "cases", "people")


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the form, by field, and what is wrong with it."""

    error: str
    review: str
    cases: str
    people: str
    errors: Mapping[str, str]

    @property
    def given(self) -> bool:
        return bool(self.error and self.review and self.cases)


@dataclass(frozen=True, slots=True)
class Column:
    """One threshold in a month. Amounts are in whatever currency the form was filled in."""

    title: str
    alone: str
    reviewed: str
    saved: str
    wrong: str
    wrong_at_most: str
    lost: str
    lost_at_most: str
    gained: str
    gained_at_least: str


@dataclass(frozen=True, slots=True)
class Costs:
    sentence: str
    advice: str
    columns: list[Column]


def asked(error: str, review: str, cases: str, people: str, usual_cases: int) -> Asked:
    """The form as it came; the cases of a month are filled in from the present pace."""
    wrong = {name: told for name, text in zip(_FIELDS, (error, review, cases, people), strict=True)
             if text.strip() and (told := _flaw(name, text))}  # fmt: skip
    told = cases or (str(usual_cases) if usual_cases else "")
    return Asked(error.strip(), review.strip(), told.strip(), people.strip(), wrong)


def _flaw(name: str, text: str) -> str:
    value = typed_number(text)
    if value is None or not 0 <= value <= _MOST:
        return "It is not a number. Write 40 or 2.50."
    if name == "error" and value == 0:
        return "An error that costs nothing needs no threshold. Write what one costs."
    if name == "people" and value > 100:  # noqa: PLR2004 - percent
        return "It is more than 100 %."
    if name == "cases" and value != int(value):
        return "Write a whole number."
    return ""


def costs_of(form: Asked, first: Answer, labels: int, groups: Groups, threshold: float | None) -> Costs | None:
    """
    None while the form is not filled in. `first` is the answer of the first look, which has the risk.

    `threshold` is the one that the labels allow after the newest; what is cheapest may lie above it, never below.
    """
    if form.errors or not form.given:
        return None
    error, review, cases, people = (
        typed_number(text) or 0.0 for text in (form.error, form.review, form.cases, form.people)
    )
    prices = Prices(error, review, people / 100)
    needed = probability_to_automate(prices)
    sentence = f"For the money alone a case is worth leaving to the agent where it is right at least {_chance(needed)}."
    if threshold is None:
        return Costs(
            sentence, "These labels allow no threshold, so nothing goes alone: nothing saved, nothing lost.", []
        )
    cheapest, advice = _cheapest(groups, prices, threshold)
    wanted = with_costs(threshold, cheapest)
    shown = [(threshold, "allowed"), *([(wanted, "cheapest")] if wanted is not None and wanted > threshold else [])]
    columns = [
        _column(f"From {words.confidence(at)}, {name}", _answer(first, labels, groups, at), int(cases), prices)
        for at, name in shown
    ]
    return Costs(sentence, advice, columns)


def _chance(needed: float) -> str:
    return f"{math.ceil(needed * 1000 - 1e-9) / 10:g} times in 100"


def _cheapest(groups: Groups, prices: Prices, threshold: float) -> tuple[float | None, str]:
    """The lowest confidence that is worth its money, and what that means beside the one that is allowed."""
    said = np.repeat(groups.confidence, groups.cases)
    wrong = zip(groups.cases.tolist(), groups.wrong.tolist(), strict=True)
    rights = np.concatenate([np.repeat(np.array([1, 0]), [n - k, k]) for n, k in wrong])
    fitted = calibration.calibrate(said, rights)
    if fitted.calibrator is None:
        return threshold, f"What a confidence is worth cannot be told: {fitted.reason}. So no cheaper one is proposed."
    cheapest = cheapest_threshold(groups.confidence, fitted.calibrator.apply(groups.confidence), prices)
    if cheapest is None:
        return None, "An error costs so much that no confidence here is worth it. Reviewing everything is cheapest."
    if cheapest > threshold:
        return (
            cheapest,
            f"A higher threshold, {words.confidence(cheapest)}, gains more. Raising it in the rules is always free.",
        )
    return (
        cheapest,
        "For the money alone it could be lower. It is not: nothing is promised below what the labels allow.",
    )


def _answer(first: Answer, labels: int, groups: Groups, threshold: float) -> Answer:
    """The newest look in the form that `balance` reads, at this threshold."""
    accepted, wrong = accepted_by(groups, threshold)
    end = Step(threshold, accepted, wrong, wrong) if accepted else None
    return replace(first, labels=labels, threshold=threshold, end=end)


def _column(title: str, answer: Answer, cases: int, prices: Prices) -> Column:
    found = balance(answer, cases, prices)
    lost, lost_at_most = (found.saved_on_reviews - gained for gained in (found.gained, found.gained_at_least))
    return Column(
        title, _amount(found.automated), _amount(found.reviewed), _amount(found.saved_on_reviews), _few(found.wrong),
        _few(found.wrong_at_most), _amount(lost), _amount(lost_at_most), _amount(found.gained),
        _amount(found.gained_at_least),
    )  # fmt: skip


def _amount(value: float) -> str:
    """In whole units, with a real minus, and no minus before a nought."""
    return f"{round(value):,}".replace("-", "\u2212")


def _few(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - below ten a tenth matters
