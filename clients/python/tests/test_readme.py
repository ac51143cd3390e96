import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

import phasegate_client

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
QUICKSTART, DECORATOR = BLOCKS[:2]
RUN = next(block for block in BLOCKS if "gate.run(" in block)
SHADOW = next(block for block in BLOCKS if "Shadow(" in block)

Stored = Callable[..., dict[str, Any]]


class Office:
    """What the README takes for granted around its lines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
        def serve(request: httpx2.Request) -> httpx2.Response:
            self.told.append(json.loads(request.content))
            return httpx2.Response(200, json=answer)

        transport = httpx2.MockTransport(serve)
        client = functools.partial(phasegate_client.Phasegate, transport=transport)
        monkeypatch.setattr(phasegate_client, "Phasegate", client)
        self.told: list[dict[str, Any]] = []
        self.done: list[tuple[str, str]] = []
        self.form = SimpleNamespace(id="form-1", fields={"pixels": [0, 16]})
        self.names: dict[str, Any] = {
            "key": "secret",
            "form": self.form,
            "output": "7",
            "confidence": 0.97,
            "ticket": SimpleNamespace(id="form-1", fields={}, text="My card is lost"),
            "search": lambda _text: [SimpleNamespace(title="Lost cards", uri="https://example.com/1")],
            "rules_engine": lambda _case: "7",
            "new_agent": lambda _case: "1",
            "read_digit": lambda _form: ("7", 0.97),
            "book": lambda _form, output: self.done.append(("booked", output)),
            "hand_over": lambda _form, decision: self.done.append(("handed over", decision.route.value)),
        }

    def run(self, *blocks: str) -> None:
        exec("\n".join(blocks), self.names)  # noqa: S102 - the README is ours


@pytest.mark.parametrize(
    ("route", "done"),
    [("auto", ("booked", "7")), ("human", ("handed over", "human")), ("shadow", ("handed over", "shadow"))],
)
def test_the_lines_of_the_readme_do_what_it_says(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, route: str, done: tuple[str, str]
) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02", route=route))

    office.run(QUICKSTART)
    office.run(DECORATOR, "read_digit(form)")

    assert office.done == [done, done]


def test_the_readme_uses_what_the_reviewer_approved(monkeypatch: pytest.MonkeyPatch, approved: dict[str, Any]) -> None:
    office = Office(monkeypatch, approved | {"agent": "digit-reader", "version": "2026-03-02"})

    office.run(QUICKSTART)

    assert office.done == [("booked", "7")]


@pytest.mark.parametrize("block", [QUICKSTART, DECORATOR])
def test_the_lines_of_the_readme_are_ten(block: str) -> None:
    assert len([line for line in block.splitlines() if line.strip()]) <= 10


def test_the_run_of_the_readme_is_sent_with_its_steps(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02"))

    office.run(QUICKSTART, RUN)

    look_up, classify = office.told[-1]["trace"][0]["steps"]
    assert look_up["sources"] == [{"title": "Lost cards", "uri": "https://example.com/1"}]
    assert (classify["kind"], office.told[-1]["usage"]) == ("model", {"input_tokens": 812, "cost": 0.004})


def test_the_shadow_of_the_readme_answers_as_the_control(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02"))

    office.run(QUICKSTART, SHADOW, "watched = classify.join(10)")

    assert (office.names["answer"], office.names["watched"]) == ("7", True)
