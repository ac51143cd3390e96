"""How the agent's page shows gates on losses, corrected ones, and when one that is not sure yet could pass."""

import pytest

from kit.context import Context
from tests.integration.review_ui import house

NBSP = "\u00a0"
GATES = """\
      - {metric: override_loss, at_most: 0.06, minimum_cases: 40, segments: each}
      - {metric: override_rate, name: as reviewers see it, at_most: 0.15, corrected_for_reviewers: true}
"""


@pytest.fixture
def page(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> str:
    """A version whose reviewers override two of 24 a day for a fortnight, where the plan bears one in ten."""
    first = "      - {metric: override_rate, at_most: 0.1, minimum_cases: 40}\n"
    assert first in house.PLAN
    monkeypatch.setattr(house, "PLAN", house.PLAN.replace(first, first + GATES))
    house.people(ctx)
    house.agent(ctx)
    house.days_of_work(ctx, bad_a_day=2)
    with house.client(ctx, house.OWNER) as client:
        shown = client.get("/agents/digits")
    assert shown.status_code == 200
    return shown.text


def test_a_gate_that_is_not_sure_yet_says_when_it_could_pass(page: str) -> None:
    assert "at the present 24 cases a day, if it stays as good as so far" in page


def test_a_loss_is_written_as_a_loss_and_not_as_a_share(page: str) -> None:
    assert "Loss per reviewed case" in page
    assert "<td>at most 0.06</td>" in page
    assert f"at most 6{NBSP}%" not in page
    assert "By segment: Loss per reviewed case" in page


def test_a_corrected_gate_without_gold_cases_says_what_is_missing(page: str) -> None:
    assert "Nothing is known of how many errors reviewers overlook" in page
    assert "Reviewers answer gold cases" in page
