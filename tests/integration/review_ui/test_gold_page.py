"""The tab Gold: what there is to deal, and the forms that make more of it."""

import pytest
from sqlalchemy import select

from kit.context import Context
from kit.ids import new_id
from routing.gold.tables import GoldCase, GoldDeal, GoldReport
from tests import factories
from tests.integration.review_ui import house

PAGE = "/agents/digits/gold"
BY_HAND = {"case_id": "form-90", "input": '{"form": "B-17"}', "output": '{"digit": 6}', "output_is": "wrong",
           "correct_output": '{"digit": 0}', "why": "It is a nought."}  # fmt: skip


@pytest.fixture(autouse=True)
def agent(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def cases(ctx: Context) -> list[GoldCase]:
    with ctx.db.read() as session:
        return list(session.scalars(select(GoldCase).order_by(GoldCase.id)))


def test_is_for_owners_and_leads_and_teaches_when_it_is_empty(ctx: Context) -> None:
    with house.client(ctx, house.OWNER) as client:
        page = client.get(PAGE).text
        assert "No gold case yet" in page
        assert "None is dealt before there is an output that is right and one that is wrong" in page
        assert f'href="{PAGE}"' in client.get("/agents/digits").text
    with house.client(ctx, "rita") as client:
        assert client.get(PAGE).status_code == 403
        assert f'href="{PAGE}"' not in client.get("/agents/digits").text


def test_makes_and_retires_cases_and_says_beside_the_field_what_cannot_be(ctx: Context) -> None:
    decision = house.case(ctx, "form-1").decision
    factories.human_output(ctx, "form-1", {"digit": 1}, agent="digits")
    with house.client(ctx, house.OWNER) as client:
        form = {"form_token": house.token(client.get(PAGE).text)}

        def refused(**typed: str) -> str:
            answer = client.post(PAGE, data=form | typed)
            assert answer.status_code == 422, answer.text
            return answer.text

        assert "It is not the id of a decision" in refused(decision_id="form-1", why="?")
        assert "Nobody has said it of this decision" in refused(decision_id=str(decision.id), why="?")
        assert "It is not valid JSON" in refused(**BY_HAND | {"output": "{"})
        assert "calls it equal to the output" in refused(**BY_HAND | {"correct_output": '{"digit": 6}'})
        assert cases(ctx) == []

        given = {"decision_id": str(decision.id), "output_is": "wrong", "why": "A one."}
        for typed in (given, BY_HAND, BY_HAND):
            assert client.post(PAGE, data=form | typed, follow_redirects=False).status_code == 303
        made = cases(ctx)
        assert [(case.case_id, case.correct_output) for case in made] == [
            ("form-1", {"digit": 1}), ("form-90", {"digit": 0})
        ]  # fmt: skip
        client.post(f"{PAGE}/{made[0].id}/retire", data=form)

        assert "form-90" in client.get(PAGE).text
        assert ">form-1<" not in client.get(PAGE).text.replace("\n", "")
        assert "form-1" in client.get(f"{PAGE}?state=retired").text
    assert [case.retired_by for case in cases(ctx)] == [house.OWNER, None]


def test_shows_who_passed_on_and_what_reviewers_reported(ctx: Context) -> None:
    now, item, decision = ctx.clock.now(), new_id(), new_id()
    with ctx.db.begin() as session:
        case = GoldCase(
            agent="digits", case_id="form-90", output={"digit": 6}, output_is="wrong", correct_output={"digit": 0},
            why="A nought.", digest="0" * 64, made_by=house.OWNER, made_at=now,
        )  # fmt: skip
        session.add(case)
        session.flush()
        deal = GoldDeal(
            item_id=item, gold_case_id=case.id, agent="digits", login="rita", before_item_id=new_id(),
            probability=0.05, case_id="form-17", decision_id=decision, decision={}, dealt_at=now, ruling="escalate",
            answered_at=now,
        )  # fmt: skip
        report = GoldReport(
            id=new_id(), decision_id=decision, agent="digits", severity="severe", description="It is a six after all.",
            correct_output={"digit": 6}, reported_by="rita", reported_at=now,
        )  # fmt: skip
        session.add_all([deal, report])

    with house.client(ctx, house.OWNER) as client:
        page = " ".join(client.get(PAGE).text.replace("\xa0", " ").split())

    assert '<th scope="row">Rita<small>passed on 1</small></th>' in page
    assert "1 passed it on" in page
    assert "1 failure of gold cases, counted nowhere" in page
    for words in ("shown as form-17", "It is a six after all.", "1 report"):
        assert words in page
