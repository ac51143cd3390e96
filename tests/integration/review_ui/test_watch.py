"""The page that watches a version at work."""

from datetime import timedelta

import pytest

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from tests import factories
from tests.integration.review_ui import house

ADDRESS = "/agents/claims/watch"


@pytest.fixture
def claims(ctx: Context) -> Context:
    house.people(ctx)
    factories.agent(ctx, owner=house.OWNER, comparison={"default": "text"})
    return ctx


def page(ctx: Context) -> str:
    with house.client(ctx, house.OWNER) as client:
        answer = client.get(ADDRESS)
    assert answer.status_code == 200
    return answer.text


def work(ctx: Context, name: str, cases: int, channel: str) -> None:
    factories.store(
        ctx,
        *(factories.case(f"{name}-{n}", confidence=0.9, attributes={"channel": channel}) for n in range(cases)),
    )
    REGISTRY["routing.settle"].run(ctx)


def test_without_a_version_it_says_what_will_be_watched(claims: Context) -> None:
    assert "No version yet" in page(claims)


def test_before_anything_goes_alone_the_empty_page_teaches(claims: Context) -> None:
    factories.rollout(claims, phase=Phase.SHADOW)
    shown = page(claims)

    assert "Nothing goes alone yet" in shown
    assert "Nothing to compare with yet" in shown
    assert "Nothing was drawn yet" in shown
    assert "0 guardrails together" in shown
    assert f'href="{ADDRESS}?version=v1" aria-current="page">Watch</a>' in shown


def test_audits_that_nobody_ruled_on_promise_nothing(claims: Context, clock: FixedClock) -> None:
    factories.rollout(claims, phase=Phase.CONFIDENCE, threshold=0.8, audit_rate=1.0)
    work(claims, "c", 20, "mail")
    clock.move(timedelta(hours=1))
    shown = page(claims)

    assert "Nobody has ruled on an audit yet" in shown
    assert "as far as is known all of them may be wrong" in shown


def test_it_says_how_many_are_wrong_at_most_and_what_has_changed(claims: Context, clock: FixedClock) -> None:
    factories.rollout(claims, phase=Phase.CONFIDENCE, threshold=0.8, audit_rate=1.0)
    for day in range(14):
        work(claims, f"d{day}", 30, "mail" if day < 7 else "fax")
        factories.human_output(claims, f"d{day}-0", output="no" if day == 3 else "yes")
        clock.move(timedelta(days=1))
    REGISTRY["routing.settle"].run(claims)
    shown = page(claims)

    assert "of 420 outputs wrong, 95" in shown
    assert "406 audits are not ruled on yet" in shown
    assert "Fax was none of the cases and is 100.0" in shown
    assert "Drawn for an audit" in shown


def test_a_value_that_looks_like_markup_stays_text(claims: Context, clock: FixedClock) -> None:
    factories.rollout(claims, phase=Phase.SHADOW)
    for day in range(8):
        work(claims, f"d{day}", 20, "<b>mail</b>")
        clock.move(timedelta(days=1))
    shown = page(claims)

    assert "&lt;b&gt;mail&lt;/b&gt;" in shown
    assert "<b>mail</b>" not in shown


def test_a_closed_segment_is_told_with_what_opens_it(claims: Context) -> None:
    factories.rollout(claims, phase=Phase.CONFIDENCE, threshold=0.8, thresholds={"scans": None})

    assert "Segment scans is closed since" in page(claims)
    with house.client(claims, house.OWNER) as client:
        assert "Segment scans is closed since" in client.get("/agents/claims").text


def test_nobody_reads_it_without_signing_in(claims: Context) -> None:
    with house.client(claims) as client:
        assert client.get(ADDRESS, follow_redirects=False).status_code == 303
