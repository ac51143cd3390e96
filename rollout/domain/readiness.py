"""The checklist of a phase. An unknown is a no, and so is a yes that shows nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from rollout.domain.plan import Category, PhasePlan, ReadinessItem
from rollout.domain.situation import Answer, Answered


@dataclass(frozen=True, slots=True)
class ReadinessResult:
    key: str
    category: Category
    question: str
    answer: Answer
    done: bool
    words: str
    link: str = ""
    owner: str = ""
    due: date | None = None


def judge_readiness(plan: PhasePlan, answers: Mapping[str, Answered]) -> tuple[ReadinessResult, ...]:
    """Every item of the phase, in the order of the plan."""
    return tuple(_judge(item, answers.get(item.key, Answered(Answer.UNKNOWN))) for item in plan.readiness)


def _judge(item: ReadinessItem, given: Answered) -> ReadinessResult:
    done = given.answer is Answer.YES and bool(given.link.strip())
    return ReadinessResult(
        key=item.key,
        category=item.category,
        question=item.question,
        answer=given.answer,
        done=done,
        words=_words(given),
        link=given.link,
        owner=given.owner,
        due=given.due,
    )


def _words(given: Answered) -> str:
    if given.answer is Answer.YES:
        return "Yes." if given.link.strip() else "Yes, but without a link to its evidence, which is not yet a yes."
    said = "No." if given.answer is Answer.NO else "Not answered, which counts as a no."
    if given.owner:
        said += f" {given.owner} sees to it"
        said += f", until {given.due.isoformat()}." if given.due else "."
    return said
