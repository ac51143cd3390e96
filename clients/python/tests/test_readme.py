import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

import phasegate_client

README = Path(__file__).parent.parent / "README.md"
QUICKSTART, DECORATOR = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[:2]

Stored = Callable[..., dict[str, Any]]


class Office:
    """What the README takes for granted around its lines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
        transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=answer))
        client = functools.partial(phasegate_client.Phasegate, transport=transport)
        monkeypatch.setattr(phasegate_client, "Phasegate", client)
        self.done: list[tuple[str, str]] = []
        self.form = SimpleNamespace(id="form-1", fields={"pixels": [0, 16]})
        self.names: dict[str, Any] = {
            "key": "secret",
            "form": self.form,
            "output": "7",
            "confidence": 0.97,
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
