"""What one ruled on oneself, to look at afterwards; and what stays closed."""

from datetime import timedelta
from uuid import UUID

import pytest

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from rollout.domain.phase import Phase
from routing import snapshot, tasks
from routing.cases.tables import Label
from routing.domain.sampling import BLIND
from routing.gold.tables import GoldCase, GoldDeal
from routing.judgements.service import Judged
from routing.reviews import judging
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import words
from tests.integration.routing import desk

RITA = Actor("rita", "person", frozenset({"reviewer"}))


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def read(ctx: Context, address: str, login: str = "rita", status: int = 200) -> str:
    with house.client(ctx, login) as client:
        answer = client.get(address)
    assert answer.status_code == status, answer.text
    return words(answer.text)


def ruled(ctx: Context, case_id: str, ruling: str = "approve", *, agent: str = "digits", **said: object) -> ReviewItem:
    stored = house.case(ctx, case_id, agent)
    item = desk.claim(ctx, RITA, desk.item_of(ctx, stored.decision.id).id)
    desk.rule(ctx, RITA, item, ruling, **said)
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    clock.move(timedelta(minutes=1))
    return item


def said_by_another(ctx: Context, item: ReviewItem, source: str, verdict: str, note: str = "") -> None:
    with ctx.db.begin() as session:
        label = Label(
            decision_id=item.decision_id, verdict=verdict, severity="major", source=source, source_id=new_id(),
            person="ravi", note=note, at=ctx.clock.now(),
        )  # fmt: skip
        session.add(label)


def test_before_the_first_ruling_the_list_says_what_will_stand_there(ctx: Context) -> None:
    assert "You have ruled on nothing yet" in read(ctx, "/review/past")


def test_a_past_case_shows_what_was_shown_the_own_ruling_and_what_came_of_it_and_can_not_be_changed(
    ctx: Context,
) -> None:
    ruled(ctx, "form-1", "reject", reason_code="unreadable", note="Torn across the middle.")
    item = ruled(ctx, "form-2", "edit", output={"digit": 1})
    said_by_another(ctx, item, "audit", "agree", "It is a 7 with a bar.")

    listed = read(ctx, "/review/past")
    assert listed.index("form-2") < listed.index("form-1")
    assert "Not readable" in listed

    page = read(ctx, f"/review/past/{item.id}")
    assert "A past case, as it was when you ruled on it" in page
    assert "Nothing here can be changed." in page
    assert "B-17" in page
    assert "<del>7</del> <ins>1</ins>" in page
    assert "Somebody looked at it again in an audit: the output is right.</strong> You had said otherwise." in page
    assert "It is a 7 with a bar." in page
    assert "ravi" not in page.lower()
    assert 'action="/review/' not in page
    assert f'href="/review/past/{item.id}"' in read(ctx, "/review/me")  # where it stands among what did not hold


def test_a_judgement_stands_there_and_whose_was_whose_is_told_when_it_can_be_undone_no_more(ctx: Context) -> None:
    judged = house.ALL_SHOWN | {"judged_differing_share": 1.0}
    settings = house.DIGITS | {"undo_seconds": 30, "supervision": judged}
    house.agent(ctx, "letters", phase=Phase.SHADOW, settings=settings)
    house.case(ctx, "form-1", "letters")
    factories.human_output(ctx, "form-1", {"digit": 1}, agent="letters", person="paul")
    tasks.settle(ctx)
    item = desk.claim_next(ctx, RITA)
    assert item is not None
    with ctx.db.begin() as session:
        letters = snapshot.load(session).agents["letters"]
        said = Judged("neither", item.fingerprint, {"digit": 4}, "It is a 4.")
        judging.judge(session, item.id, said, agent=letters, actor=RITA, now=ctx.clock.now())

    before = read(ctx, f"/review/past/{item.id}")
    assert "neither is right" in read(ctx, "/review/past")
    for shown in ("Judged", "Neither is right", "It is a 4.", ">A<span", ">B<span", "can still be undone"):
        assert shown in before
    assert "was a person" not in before

    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    clock.move(timedelta(seconds=31))
    tasks.conclude(ctx)
    tasks.settle(ctx)
    after = read(ctx, f"/review/past/{item.id}")
    assert "was a person" in after
    assert "Somebody did the case" not in after


def test_nobody_else_opens_it_nor_who_took_the_ruling_back(ctx: Context) -> None:
    item = ruled(ctx, "form-1")

    read(ctx, f"/review/past/{item.id}", login="ravi", status=404)
    read(ctx, f"/review/past/{new_id()}", status=404)

    house.agent(ctx, "letters", settings=house.DIGITS | {"undo_seconds": 30})
    stored = house.case(ctx, "form-2", "letters")
    item = desk.claim(ctx, RITA, desk.item_of(ctx, stored.decision.id).id)
    desk.rule(ctx, RITA, item)
    assert "form-2" in read(ctx, "/review/past")
    read(ctx, f"/review/past/{item.id}")
    desk.undo(ctx, RITA, item)

    read(ctx, f"/review/past/{item.id}", status=404)
    listed = read(ctx, "/review/past")
    assert "form-1" in listed
    assert "form-2" not in listed


def test_a_ruling_on_a_case_that_was_replaced_before_it_was_passed_on_came_to_nothing(ctx: Context) -> None:
    house.agent(ctx, "letters", settings=house.DIGITS | {"undo_seconds": 90})
    item = ruled(ctx, "form-1", agent="letters")
    house.case(ctx, "form-1", "letters", attempt=2)

    page = read(ctx, f"/review/past/{item.id}")

    assert "Nothing: the case ended before your ruling was passed on." in page
    assert "Your ruling was taken." not in page


def test_what_others_say_stays_closed_while_somebody_is_asked_who_is_to_know_nothing_of_it(ctx: Context) -> None:
    item = ruled(ctx, "form-1")
    said_by_another(ctx, item, "second", "override")
    again = dict.fromkeys(("claimed_by", "claimed_at", "claimed_until", "ended_at"))
    kept = {name: getattr(item, name) for name in ReviewItem.__table__.columns.keys()}  # noqa: SIM118 - of columns
    with ctx.db.begin() as session:
        session.add(ReviewItem(**kept | again | {"id": new_id(), "kind": "adjudication", "level": 2}))

    assert "A second reviewer" not in read(ctx, f"/review/past/{item.id}")

    with ctx.db.begin() as session:
        for row in session.query(ReviewItem).filter_by(kind="adjudication"):
            row.state, row.ended_at = "approved", ctx.clock.now()

    assert "A second reviewer looked at it, knowing nothing of the first" in read(ctx, f"/review/past/{item.id}")


def test_a_case_that_waits_for_them_blind_in_another_attempt_is_closed(ctx: Context) -> None:
    item = ruled(ctx, "form-1")
    other = house.case(ctx, "form-1", attempt=2)
    with ctx.db.begin() as session:
        session.get_one(ReviewItem, desk.item_of(ctx, other.decision.id).id).arm = BLIND

    assert "Your own answer comes first" in read(ctx, f"/review/past/{item.id}", status=409)


def test_a_gold_case_is_a_case_like_any_other_until_its_result_is_told(ctx: Context) -> None:
    item = ruled(ctx, "form-1")
    gold = _as_gold(ctx, item)

    real = read(ctx, f"/review/past/{ruled(ctx, 'form-2').id}").replace("form-2", "form-1")
    page = read(ctx, f"/review/past/{item.id}")
    assert "Your ruling was taken." in page
    assert _plain(page) == _plain(real)
    assert "gold" not in page.lower()

    with ctx.db.begin() as session:
        session.get_one(GoldDeal, gold).said = "right"

    assert "a gold case" in read(ctx, "/review/past")
    assert "Gold case form-1" in read(ctx, f"/review/past/{item.id}")


def _as_gold(ctx: Context, item: ReviewItem) -> UUID:
    """The item as if it had been a gold case, which only the router deals."""
    with ctx.db.begin() as session:
        row = session.get_one(ReviewItem, item.id)
        row.kind, row.shown_as = "gold", "review"
        decision = {"id": str(item.decision_id), "agent": "digits", "case_id": "form-1", "version": "1.9.0"}
        decision |= {"input": {"image": house.DIGIT, "form": "B-17", "source": "https://example.org/forms/17"}}
        decision |= {"output": {"digit": 7}, "segment": "paper", "reasons": [], "signals": {"margin": 0.18}}
        case = GoldCase(
            agent="digits", case_id="g", output={"digit": 7}, output_is="right", why="", digest="0" * 64,
            made_by="emil", made_at=ctx.clock.now(),
        )  # fmt: skip
        session.add(case)
        session.flush()
        session.query(Label).filter_by(decision_id=item.decision_id).delete()
        deal = GoldDeal(
            item_id=item.id, gold_case_id=case.id, agent="digits", login="rita", before_item_id=new_id(),
            probability=0.05, case_id="form-1", decision_id=item.decision_id, decision=decision,
            dealt_at=ctx.clock.now(), ruling="approve", answered_at=ctx.clock.now(),
        )  # fmt: skip
        session.add(deal)
        return item.id


def _plain(page: str) -> str:
    """Without what is of the one case, and what the router would have copied into a real deal."""
    return page[page.index("Your ruling</h2>") : page.index("What the agent said")]
