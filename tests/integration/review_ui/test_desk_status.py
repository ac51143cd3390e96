"""The line above the case: how the queue stands, and how much somebody did."""

import re
from datetime import timedelta

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from tests.integration.review_ui import house
from tests.integration.routing import desk

RITA = Actor("rita", "person", frozenset({"reviewer"}))


def test_the_line_says_what_one_did_in_an_hour_and_what_is_late_also_behind_something_urgent(ctx: Context) -> None:
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    house.people(ctx)
    house.agent(ctx, review_risks=["high"])
    first, _ = [desk.item_of(ctx, house.case(ctx, f"form-{number}").decision.id) for number in (1, 2)]
    with house.client(ctx, "rita") as client:

        def status() -> str:
            line = client.get("/review").text.partition('data-region="status"')[2].partition('class="ring"')[0]
            return " ".join(re.sub(r"<[^>]*>", " ", line).split())

        fresh = status()
        assert "2 left" in fresh
        assert "On time the first is due in 24 h" in fresh
        assert "in the last hour" not in fresh

        desk.claim(ctx, RITA, first.id)
        desk.rule(ctx, RITA, first)
        assert "You: 1 in the last hour" in status()

        clock.move(timedelta(hours=25))
        house.sign_in(client, "rita")
        house.case(ctx, "form-3", risk="high")  # in front, and due tomorrow
        later = status()
        assert "2 left" in later
        assert "Late the first was due 1 h" in later
        assert "in the last hour" not in later
