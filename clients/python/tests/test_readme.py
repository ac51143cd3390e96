import ast
import asyncio
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

HERE = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
QUICKSTART, DECORATOR = BLOCKS[:2]
RUN = ("async with", "spool=", "gate.run(", "Shadow(", "gate.observe(", "decide_many(", "report_failure(")
"""One word of each of the others."""


def block_with(words: str) -> str:
    [block] = [block for block in BLOCKS if words in block]
    return block


def ten_lines_of(page: str) -> str:
    """Of another page of the repository."""
    text = (HERE.parent.parent / page).read_text(encoding="utf-8")
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "gate.decide(" in block)


Stored = Callable[..., dict[str, Any]]


class Office:
    """What the README takes for granted around its lines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], folder: Path = HERE) -> None:
        def serve(request: httpx2.Request) -> httpx2.Response:
            body = json.loads(request.content or b"null")
            self.told.append(body)
            return httpx2.Response(200, json=self._answer(request.url.path, body, answer))

        def client(kind: Any, *args: Any, **given: Any) -> Any:
            own = {"transport": httpx2.MockTransport(serve)} | ({"spool": folder} if "spool" in given else {})
            return kind(*args, **given | own)

        for kind in (phasegate_client.Phasegate, phasegate_client.AsyncPhasegate):
            monkeypatch.setattr(phasegate_client, kind.__name__, functools.partial(client, kind))
        self.told: list[Any] = []
        self.done: list[tuple[str, str]] = []
        self.form = SimpleNamespace(id="form-1", fields={"pixels": [0, 16]})
        self.names: dict[str, Any] = {
            "key": "secret",
            "url": "https://phasegate.example.com",
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
            "stop": lambda _form, decision: self.done.append(("stopped", decision.route.value)),
            "AsyncPhasegate": phasegate_client.AsyncPhasegate,
            "HumanOutput": phasegate_client.HumanOutput,
            "Proposal": phasegate_client.Proposal,
        }

    @staticmethod
    def _answer(path: str, body: Any, decision: dict[str, Any]) -> dict[str, Any]:
        items = body.get("items", [body]) if isinstance(body, dict) else []
        if path.endswith("decisions:batch"):
            return {"items": [{"status": 201, "decision": decision | {"case_id": one["case_id"]}} for one in items]}
        if path.endswith("human-outputs"):
            rows = [{"id": "h", "case_id": one["case_id"], "revision": 1, "status": "created"} for one in items]
            return {"items": rows}
        return decision | ({"case_id": body["case_id"]} if path.endswith("decisions") else {})

    def run(self, *blocks: str) -> None:
        code = compile("\n".join(blocks), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if (awaited := eval(code, self.names)) is not None:  # noqa: S307 - the README is ours
            asyncio.run(awaited)


@pytest.mark.parametrize(
    ("route", "done"),
    [("auto", [("booked", "7")]), ("human", [("handed over", "human")]), ("shadow", [("handed over", "shadow")])],
)
def test_the_lines_of_the_readme_do_what_it_says(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, route: str, done: list[tuple[str, str]]
) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02", route=route))

    office.run(QUICKSTART)
    office.run(DECORATOR, "read_digit(form)")

    assert office.done == done * 2


def test_what_is_blocked_is_nobodys_in_the_lines_of_the_readme(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02", route="block"))

    office.run(QUICKSTART)
    office.run(DECORATOR, "read_digit(form)")

    assert office.done == [("stopped", "block")]


@pytest.mark.parametrize(
    ("route", "done"), [("auto", "acted"), ("human", "handed over"), ("block", None), ("review", "acted")]
)
@pytest.mark.parametrize(
    ("page", "agent"),
    [("docs/agent-engineer.md", "triage"), ("README.md", "digit-reader")],
    ids=["guide", "front page"],
)
def test_the_ten_lines_of_the_other_pages_do_the_same(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, approved: dict[str, Any], page: str, agent: str, route: str,
    done: str | None,
) -> None:  # fmt: skip
    answer = approved if route == "review" else stored(route=route)
    office = Office(monkeypatch, answer | {"agent": agent, "version": "1.0.0"})
    seen: list[str] = []
    office.names |= {
        "classify": lambda _text: ("lost_card", 0.93),
        "read": lambda _scan: ("7", 0.93),
        "scan": "form-1.png",
        "form": "form-1",
        "forward": lambda _ticket, _output: seen.append("acted"),
        "book": lambda _form, _output: seen.append("acted"),
        "hand_over": lambda _case, why: seen.append("handed over" if isinstance(why, str) else ""),
    }
    lines = ten_lines_of(page)

    office.run(lines)

    assert seen == ([] if done is None else [done])
    assert len([line for line in lines.splitlines() if line.strip()]) <= 10


def test_the_readme_uses_what_the_reviewer_approved(monkeypatch: pytest.MonkeyPatch, approved: dict[str, Any]) -> None:
    office = Office(monkeypatch, approved | {"agent": "digit-reader", "version": "2026-03-02"})

    office.run(QUICKSTART)

    assert office.done == [("booked", "7")]


@pytest.mark.parametrize("block", [QUICKSTART, DECORATOR])
def test_the_lines_of_the_readme_are_ten(block: str) -> None:
    assert len([line for line in block.splitlines() if line.strip()]) <= 10


def test_the_run_of_the_readme_is_sent_with_its_steps(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02"))

    office.run(QUICKSTART, block_with("gate.run("))

    look_up, classify = office.told[-1]["trace"][0]["steps"]
    assert look_up["sources"] == [{"title": "Lost cards", "uri": "https://example.com/1"}]
    assert (classify["kind"], office.told[-1]["usage"]) == ("model", {"input_tokens": 812, "cost": 0.004})


def test_the_shadow_of_the_readme_answers_as_the_control(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02"))

    office.run(QUICKSTART, block_with("Shadow("), "watched = classify.join(10)")

    assert (office.names["answer"], office.names["watched"]) == ("7", True)


def test_the_asyncio_of_the_readme_waits_for_the_ruling(
    monkeypatch: pytest.MonkeyPatch, approved: dict[str, Any]
) -> None:
    office = Office(monkeypatch, approved | {"agent": "digit-reader", "version": "2026-03-02"})

    office.run(block_with("async with"))

    assert office.names["decision"].may_proceed


def test_the_spool_of_the_readme_keeps_and_delivers(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, tmp_path: Path
) -> None:
    office = Office(monkeypatch, stored(), tmp_path)

    office.run("from phasegate_client import Phasegate", block_with("spool="), "left = gate.flush(5)\ngate.close()")

    assert office.names["left"] == 0


def test_the_other_calls_of_the_readme_are_taken(monkeypatch: pytest.MonkeyPatch, stored: Stored) -> None:
    office = Office(monkeypatch, stored(agent="digit-reader", version="2026-03-02"))

    office.run(QUICKSTART, *map(block_with, ("gate.observe(", "decide_many(", "report_failure(")))

    assert [one.may_proceed for one in office.names["decisions"]] == [True, True]


def test_every_block_of_the_readme_is_run() -> None:
    assert [block for block in BLOCKS[2:] if not any(words in block for words in RUN)] == []
