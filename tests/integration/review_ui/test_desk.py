import html
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from review_ui import queue
from routing.cases.tables import Decision
from routing.reviews.dealing import queries as dealing
from tests import factories
from tests.integration.review_ui import house

BACKGROUND = {"phasegate-background": "1", "accept": "*/*"}


@pytest.fixture
def rita(ctx: Context) -> Iterator[TestClient]:
    """A reviewer at the desk, with two cases of one agent waiting."""
    house.people(ctx)
    house.agent(ctx)
    house.case(ctx, "form-1")
    house.case(ctx, "form-2", output={"digit": 3, "remark": "smudged"})
    with house.client(ctx, "rita") as client:
        yield client


def take(client: TestClient) -> str:
    page = client.get("/review").text
    return client.post("/review/next", data={"form_token": house.token(page), "agent": ""}).text


def item_of(page: str) -> str:
    import re

    found = re.search(r'data-item="([^"]+)"', page)
    assert found is not None, "no case is shown"
    return found.group(1)


def rule(client: TestClient, page: str, ruling: str, **fields: str) -> str:
    form = house.fields(page) | {"ruling": ruling} | fields
    return client.post(f"/review/{item_of(page)}/rule", data=form).text


def outcome(ctx: Context, case_id: str) -> Decision:
    from sqlalchemy import select

    with ctx.db.read() as session:
        row = session.scalar(select(Decision).where(Decision.case_id == case_id))
        assert row is not None
        return row


def test_looking_at_the_desk_takes_no_case(ctx: Context, rita: TestClient) -> None:
    page = rita.get("/review").text

    assert "2 cases wait" in page
    with ctx.db.read() as session:
        assert dealing.held_by(session, "rita", ctx.clock.now()) is None


def test_the_next_case_shows_the_scan_as_a_picture_and_keeps_the_confidence_out_of_the_first_view(
    rita: TestClient,
) -> None:
    page = take(rita)

    assert "form-1" in page
    assert 'src="data:image/png;base64,' in page
    assert "data-crisp" in page
    assert 'rel="noopener noreferrer"' in page
    before, _, after = page.partition("<details")
    assert "0.42" not in before
    assert "Confidence 0.42" in after


def test_an_approval_is_stored_and_the_next_case_is_there(ctx: Context, rita: TestClient) -> None:
    page = rule(rita, take(rita), "approve", **{"out:/digit": "7"})

    assert outcome(ctx, "form-1").outcome == "approved"
    assert "form-2" in page
    assert "Approved." in page


def test_an_approval_whose_answer_got_lost_is_sent_again_and_the_next_case_is_there(
    ctx: Context, rita: TestClient
) -> None:
    first = take(rita)
    rule(rita, first, "approve", **{"out:/digit": "7"})

    page = rule(rita, first, "approve", **{"out:/digit": "7"})

    assert outcome(ctx, "form-1").outcome == "approved"
    assert "form-2" in page
    assert "Approved." in page


def test_an_approval_with_a_changed_field_is_an_edit(ctx: Context, rita: TestClient) -> None:
    rule(rita, take(rita), "approve", **{"out:/digit": "9"})

    stored = outcome(ctx, "form-1")
    assert stored.outcome == "edited"
    assert stored.outcome_output == {"digit": 9}


def test_fields_that_nobody_touched_stay_as_the_agent_said_them(ctx: Context, rita: TestClient) -> None:
    page = rule(rita, take(rita), "approve", **{"out:/digit": "7"})

    rule(rita, page, "approve", **{"out:/digit": "4", "out:/remark": "smudged"})

    assert outcome(ctx, "form-2").outcome_output == {"digit": 4, "remark": "smudged"}


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [("eleven", "not a number"), ("12", "9"), ("", "It is empty")],
    ids=["not a number", "above the maximum", "nothing where something is required"],
)
def test_an_edit_that_cannot_be_stored_keeps_the_draft_and_says_why_beside_the_field(
    ctx: Context, rita: TestClient, typed: str, complaint: str
) -> None:
    page = take(rita)

    response = rita.post(
        f"/review/{item_of(page)}/rule",
        data=house.fields(page) | {"ruling": "approve", "out:/digit": typed, "note": "see page 2"},
    )

    assert response.status_code == 422
    assert outcome(ctx, "form-1").outcome is None
    assert f'value="{typed}" data-was="7"' in " ".join(response.text.split())
    assert 'aria-invalid="true"' in response.text
    assert complaint in response.text.partition('id="out-1-e"')[2][:300]
    assert 'value="see page 2"' in response.text


def test_a_rejection_carries_its_reason_and_note(ctx: Context, rita: TestClient) -> None:
    page = rule(rita, take(rita), "reject:unreadable", note="coffee")

    stored = outcome(ctx, "form-1")
    assert stored.outcome == "rejected"
    assert stored.outcome_detail == {"by": "rita", "reason_code": "unreadable", "note": "coffee"}
    assert "Rejected: not readable." in page


def test_a_rejection_without_a_known_reason_is_not_stored(ctx: Context, rita: TestClient) -> None:
    page = take(rita)

    response = rita.post(f"/review/{item_of(page)}/rule", data=house.fields(page) | {"ruling": "reject:because"})

    assert response.status_code == 422
    assert "a reject needs a reason" in response.text
    assert outcome(ctx, "form-1").outcome is None


def test_an_escalated_case_waits_in_the_second_line(ctx: Context, rita: TestClient) -> None:
    rule(rita, take(rita), "escalate")

    with house.client(ctx, house.SECOND) as lead:
        page = take(lead)
        assert "form-1" in page
        assert "Escalated" in page


def test_a_case_that_was_given_back_is_not_handed_to_the_same_person_at_once(ctx: Context, rita: TestClient) -> None:
    page = take(rita)
    form = {"form_token": house.token(page), "agent": ""}

    given = rita.post(f"/review/{item_of(page)}/release", data=form, headers=BACKGROUND).text

    assert 'aria-label="Case form-2"' in given
    rita.post(f"/review/{item_of(given)}/renew", data=form, headers=BACKGROUND)
    with house.client(ctx, "ravi") as other:
        assert 'aria-label="Case form-1"' in take(other)


def test_a_case_that_was_given_back_comes_again_when_nothing_else_is_left(rita: TestClient) -> None:
    page = take(rita)
    form = {"form_token": house.token(page), "agent": ""}
    given = rita.post(f"/review/{item_of(page)}/release", data=form).text

    assert 'aria-label="Case form-2"' in given
    assert 'aria-label="Case form-1"' in rule(rita, given, "approve")


def test_two_people_never_hold_one_case(ctx: Context, rita: TestClient) -> None:
    mine = take(rita)
    with house.client(ctx, "ravi") as ravi:
        theirs = take(ravi)
        assert item_of(mine) != item_of(theirs)

        response = ravi.post(f"/review/{item_of(mine)}/claim", data={"form_token": house.token(theirs)})

        assert response.status_code == 409
        assert "rita holds case form-1" in response.text.lower()


def test_a_lost_case_is_told_to_the_script_with_who_has_it(ctx: Context, rita: TestClient, clock: FixedClock) -> None:
    from datetime import timedelta

    page = take(rita)
    clock.move(timedelta(hours=1))
    with house.client(ctx, "ravi") as ravi:
        assert "form-1" in take(ravi)

    answer = rita.post(f"/review/{item_of(page)}/renew", data={"form_token": house.token(page)}, headers=BACKGROUND)

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["held_by"] == "ravi"


def test_a_sign_of_life_renews_the_lease(ctx: Context, rita: TestClient, clock: FixedClock) -> None:
    from datetime import timedelta

    page = take(rita)
    clock.move(timedelta(minutes=8))

    answer = rita.post(f"/review/{item_of(page)}/renew", data={"form_token": house.token(page)}, headers=BACKGROUND)

    assert 'data-seconds="600"' in answer.text


def test_in_the_background_a_ruling_is_answered_with_the_next_case_alone(rita: TestClient) -> None:
    page = take(rita)

    answer = rita.post(
        f"/review/{item_of(page)}/rule",
        data=house.fields(page) | {"ruling": "approve", "out:/digit": "7"},
        headers=BACKGROUND,
    )

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "form-2" in answer.text
    assert 'data-ruled="Approved. 1 left."' in answer.text


def test_an_approval_of_something_else_than_what_is_stored_does_not_count(ctx: Context, rita: TestClient) -> None:
    page = take(rita)

    response = rita.post(
        f"/review/{item_of(page)}/rule",
        data=house.fields(page) | {"ruling": "approve", "fingerprint": "0" * 64},
    )

    assert response.status_code == 409
    assert outcome(ctx, "form-1").outcome is None


def test_the_queue_shows_who_holds_what(ctx: Context, rita: TestClient) -> None:
    take(rita)

    with house.client(ctx, "ravi") as ravi:
        page = ravi.get("/review/queue").text

    assert "form-1" in page
    assert "form-2" in page
    assert '<td data-held data-by="rita">rita<small>' in page
    assert 'aria-label="Claim form-2"' in page
    assert re.search(r'disabled\s+aria-label="Claim form-1"', page)


def test_a_case_is_found_by_its_id_however_far_back_it_waits(rita: TestClient) -> None:
    found = rita.get("/review/queue?case=form-2&kind=audit").text
    nothing = rita.get("/review/queue?case=form-").text

    assert 'aria-label="Claim form-2"' in found
    assert 'aria-label="Claim form-1"' not in found
    assert "No case with the id form- waits" in nothing


def test_the_pages_of_the_queue_go_on_behind_the_last_case_and_back(
    rita: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAGE", 1)

    def leads_to(page: str, label: str) -> str:
        return html.unescape(re.search(rf'href="([^"]+)">{label}</a>', page).group(1))  # type: ignore[union-attr]

    front = rita.get("/review/queue?agent=digits").text
    second = rita.get(leads_to(front, "Later")).text
    assert 'aria-label="Claim form-1"' in front
    assert 'aria-label="Claim form-2"' in second
    assert ">Earlier</a>" not in front

    back = rita.get(leads_to(second, "Earlier"))
    assert 'aria-label="Claim form-1"' in back.text
    assert str(back.url).endswith("/review/queue?agent=digits"), "the front has one address"


def test_every_kind_that_may_come_to_a_person_is_offered_to_narrow_by(ctx: Context, rita: TestClient) -> None:
    def kinds(page: str) -> list[str]:
        return re.findall(r'<option value="(\w+)"', page.split('id="kind"')[1].split("</select>", maxsplit=1)[0])

    with house.client(ctx, house.SECOND) as lead:
        assert kinds(lead.get("/review/queue").text) == ["review", "audit", "judgement", "adjudication", "escalated"]
    shown = rita.get("/review/queue?kind=judgement")
    assert kinds(shown.text) == ["review", "audit", "judgement"]
    assert (shown.status_code, "form-1" in shown.text) == (200, False)


def test_a_case_is_not_looked_for_by_segment_and_kind_at_once_and_the_page_says_so(rita: TestClient) -> None:
    assert "A segment is shown with all its kinds" in rita.get("/review/queue?agent=forms&segment=a&kind=audit").text


def test_a_chosen_case_comes_to_the_desk_out_of_turn(ctx: Context, rita: TestClient) -> None:
    take(rita)
    queue = rita.get("/review/queue").text
    address = re.search(r'action="(/review/[0-9a-f-]{36}/claim)">', queue)
    assert address is not None

    page = rita.post(address.group(1), data={"form_token": house.token(queue)}).text

    assert '<h1 id="case-h" tabindex="-1">form-2</h1>' in page


def test_the_desk_goes_on_in_the_segment_from_whose_view_it_was_opened(ctx: Context, rita: TestClient) -> None:
    for number in (1, 2):
        house.case(ctx, f"fax-{number}", segment="fax")
    queue = rita.get("/review/queue?agent=digits&segment=fax").text
    fields = house.fields(queue)
    assert (fields["agent"], fields["segment"]) == ("digits", "fax")
    assert "2 cases wait for a person: digits, fax. The most urgent" in queue

    page = rita.post("/review/next", data=fields).text
    assert 'aria-label="Case fax-1"' in page
    answer = rita.post(
        f"/review/{item_of(page)}/rule", data=house.fields(page) | {"ruling": "approve"}, headers=BACKGROUND
    ).text

    assert 'aria-label="Case fax-2"' in answer
    assert 'data-ruled="Approved. 1 left."' in answer
    assert 'data-ahead=""' in answer
    page = rule(rita, answer, "approve")
    assert "Nothing waits here: fax" in page
    assert "Open digits (2)" in page


def test_the_desk_goes_on_in_the_kind_and_the_urgency_of_a_view_and_says_so(ctx: Context, rita: TestClient) -> None:
    factories.rollout(ctx, "digits", "2.0.0", review_risks=["high"])
    for number in (1, 2):
        house.case(ctx, f"risky-{number}", version="2.0.0", risk="high")
    queue = rita.get("/review/queue?kind=review&urgent=1").text
    form = {"form_token": house.token(queue), "kind": "review", "urgent": "1"}
    assert "2 cases wait for a person: reviews, urgent only. The most urgent" in queue

    page = rita.post("/review/next", data=form).text
    assert 'aria-label="Case risky-1"' in page
    assert "<b>All agents</b>, reviews, urgent only" in page
    page = rule(rita, page, "approve")
    assert "1 left" in page.replace("<b data-left>", "").replace("</b>", "")
    page = rule(rita, rita.post("/review/next", data=form).text, "approve")
    assert "Nothing waits here: reviews, urgent only" in page
    assert "Nothing waits here: audits" in rita.get("/review?kind=audit").text
    assert 'aria-label="Case form-1"' in take(rita)


def test_a_case_that_ended_while_it_was_shown_as_the_next_one_is_told_of(ctx: Context, rita: TestClient) -> None:
    house.case(ctx, "form-3")
    page = take(rita)
    first = rita.post("/review/next", data=house.fields(page), headers=BACKGROUND).text
    ahead = re.search(r'data-ahead="(\S+) ', first)
    assert ahead is not None
    house.case(ctx, "form-2", version="1.9.0", attempt=2, output={"digit": 5})

    fields = house.fields(page) | {"ruling": "approve", "shown": ahead.group(1)}
    answer = rita.post(f"/review/{item_of(page)}/rule", data=fields, headers=BACKGROUND).text

    assert 'data-gone="The review of case form-2 has ended: superseded."' in answer
    assert 'aria-label="Case form-3"' in answer


def test_whoever_may_not_review_is_told_what_it_takes(ctx: Context) -> None:
    house.people(ctx)
    with house.client(ctx, "emil") as client:
        for path in ("/review", "/review/queue"):
            response = client.get(path)

            assert response.status_code == 403
            assert "it takes the role reviewer or lead" in response.text
            assert 'href="/review/queue"' not in response.text


def test_an_empty_queue_says_what_belongs_there(ctx: Context) -> None:
    house.people(ctx)
    with house.client(ctx, "rita") as client:
        assert "The queue is empty" in client.get("/review").text
        assert "Nobody waits for you" in client.get("/review/queue").text


@pytest.mark.parametrize("ctx", ["sqlite"], indirect=True)  # how a case is shown does not depend on the database
@pytest.mark.parametrize(
    "output",
    [7, "seven", None, True, [1, 2], {"a.b": 1, "": 2}, {"deep": {"er": [{"x": 1}, {"y": None}]}}, {}, 1.5e300],
    ids=repr,
)
@pytest.mark.parametrize(
    "given", [None, "text", {"image": "data:image/svg+xml;base64,PHN2Zz4="}, [[1, "x"]], {"image": [[1, -1]]}], ids=repr
)
def test_whatever_an_agent_sends_can_be_shown_and_approved(ctx: Context, output: object, given: object) -> None:
    house.people(ctx)
    house.agent(ctx, settings=house.DIGITS | {"output_schema": None})
    house.case(ctx, "odd", output=output, input=given)
    with house.client(ctx, "rita") as client:
        page = take(client)
        assert 'aria-label="Case odd"' in page
        assert "svg+xml" not in page.partition('<h2 class="label"')[2].partition("<img")[2][:60]

        rule(client, page, "approve")

    assert outcome(ctx, "odd").outcome == "approved"


def test_text_of_a_case_is_never_markup(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>"
    house.case(
        ctx,
        "<b>case</b>",
        output={"digit": 1, "remark": evil[:40]},
        input={"form": evil, "source": "javascript:alert(1)", evil: [{evil: evil}]},
        segment=evil,
        trace=[{"name": evil}],
        signals={evil: evil},
    )
    with house.client(ctx, "rita") as client:
        page = take(client) + client.get("/review/queue").text

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>case" not in page
    assert 'href="javascript' not in page


def test_a_case_that_somebody_else_holds_is_not_shown_by_way_of_a_mistake(ctx: Context, rita: TestClient) -> None:
    mine = take(rita)
    with house.client(ctx, "ravi") as ravi:
        theirs = take(ravi)
        form = {"form_token": house.token(theirs), "ruling": "", "fingerprint": ""}

        answer = ravi.post(f"/review/{item_of(mine)}/rule", data=form)

    assert answer.status_code == 409
    assert "form-1" not in answer.text.replace("case form-1", "")


def test_true_in_place_of_one_is_an_edit(ctx: Context, rita: TestClient) -> None:
    rule(rita, take(rita), "approve")
    house.case(ctx, "form-9", output={"digit": 5, "flags": {"signed": 1}})
    rule(rita, take(rita), "approve")

    page = take(rita)
    rule(rita, page, "approve", **{"out:/flags": '{"signed": true}'})

    assert outcome(ctx, "form-9").outcome == "edited"
