"""The page of the threshold in all its states, and putting one in force from it."""

from typing import Any

import pytest
from sqlalchemy import select, update

from kit.clock import FixedClock
from kit.context import Context
from rollout.agents.tables import Agent
from rollout.domain.phase import Phase, Standing
from rollout.versions.tables import Rollout
from routing.thresholds.tables import Calibration
from tests import factories
from tests.integration.review_ui import house, labelled

ADDRESS = f"/agents/{labelled.AGENT}/threshold"
SMALL = "{risk: 0.1, confidence: 0.9, first_labels: 100}"
SERIES = "{risk: 0.1, confidence: 0.9, first_labels: 100, every: 100, until: 300}"
NARROW = {"errors": 0.2, "a_day": 100}


def page(ctx: Context, query: str = "", *, login: str = house.OWNER, status: int = 200) -> str:
    with house.client(ctx, login) as client:
        response = client.get(ADDRESS + query)
    assert response.status_code == status, response.text
    return " ".join(response.text.replace("\u00a0", " ").split())


def furnish(ctx: Context, section: str = SMALL, count: int = 100, **more: Any) -> None:
    house.people(ctx)
    known = {"phase", "threshold"} & set(more)
    labelled.agent(ctx, section, **{name: more.pop(name) for name in known})
    labelled.work(ctx, count, **NARROW | more)
    labelled.look(ctx)


def apply(client: house.TestClient, calibration: Calibration, **fields: str) -> Any:
    form = client.get(ADDRESS).text
    data = {"form_token": house.token(form), "version": labelled.VERSION} | fields
    return client.post(f"{ADDRESS}/{calibration.id}/apply", data=data)


class TestEmptyStates:
    def test_an_agent_without_a_version_says_what_a_threshold_needs(self, ctx: Context) -> None:
        house.people(ctx)
        factories.agent(ctx, labelled.AGENT, owner=house.OWNER)

        assert "No version yet" in page(ctx)

    def test_a_plan_that_asks_for_none_shows_the_lines_to_add(self, ctx: Context) -> None:
        house.people(ctx)
        labelled.agent(ctx, "", threshold=0.9)

        shown = page(ctx)

        assert "No threshold is looked for" in shown
        for line in ("threshold:", "risk: 0.05", "confidence: 0.95", "first_labels: 300"):
            assert line in shown
        assert "Rests on no calibration" in shown

    def test_before_the_first_look_the_way_to_it_is_shown_with_its_day(self, ctx: Context) -> None:
        furnish(ctx, count=80, a_day=20)

        shown = page(ctx)

        assert "Not looked yet" in shown
        assert "80 of 100 settled labels" in shown
        assert "At the present pace on" in shown

    def test_a_pace_of_nothing_names_no_day(self, ctx: Context) -> None:
        house.people(ctx)
        labelled.agent(ctx, SMALL)

        assert "At the present pace they will not come in" in page(ctx)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"phase": Phase.EVALUATION.value}, "Labels come in from Shadow on"),
            ({"standing": Standing.RETIRED.value}, "The version is retired; no label comes in"),
        ],
    )
    def test_where_no_label_comes_in_the_reason_is_told(self, ctx: Context, change: dict[str, str], said: str) -> None:
        house.people(ctx)
        labelled.agent(ctx, SMALL)
        with ctx.db.begin() as session:
            session.execute(update(Rollout).values(**change))

        assert said in page(ctx, f"?version={labelled.VERSION}")

    def test_an_unknown_segment_and_an_unknown_agent_are_not_there(self, ctx: Context) -> None:
        house.people(ctx)
        labelled.agent(ctx, SMALL)

        page(ctx, "?segment=north", status=404)
        with house.client(ctx, house.OWNER) as client:
            assert client.get("/agents/nobody/threshold").status_code == 404


class TestTheAnswer:
    def test_it_is_told_in_plain_words_with_its_promise_and_its_tests(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        assert row.threshold is not None
        accepted, wrong = row.answer["end"]["accepted"], row.answer["end"]["errors"]

        shown = page(ctx)

        assert f"From {row.threshold:g} on the agent may act alone" in shown
        assert f"{accepted} of 100 labelled cases are that sure, and {wrong or 'none'} of them wrong." in shown
        assert "In at most 1 of 10 calibrations like this one is more than 10 % of what goes alone wrong." in shown
        assert "The labels speak for it: errors become rarer with confidence." in shown
        assert "expected calibration error, 10 bins of equal width, 100 labels" in shown
        assert "Computed again: agrees" in shown

    def test_every_chart_has_its_table(self, ctx: Context) -> None:
        furnish(ctx)

        shown = page(ctx)

        assert shown.count('<svg class="chart"') == 4  # two charts, each wide and narrow
        for name in ("Numbers behind the chart of thresholds", "Numbers behind the chart of confidences"):
            assert name in shown
        assert "NaN" not in shown
        assert "nan" not in shown.replace("finance", "")

    def test_no_threshold_since_the_agent_is_wrong_where_it_is_surest(self, ctx: Context) -> None:
        furnish(ctx, errors=0.3, flat=True, count=100)

        shown = page(ctx)

        assert "No threshold: every case goes to a person" in shown
        assert "More labels alone will not help" in shown
        assert "Nothing to do: what is in force is what the labels allow." in shown

    def test_no_threshold_for_want_of_labels_says_how_many_more(self, ctx: Context) -> None:
        furnish(ctx, "{risk: 0.05, confidence: 0.95, first_labels: 100}", errors=0.35)
        (row,) = labelled.calibrations(ctx)
        assert row.threshold is None

        assert f"About {row.answer['more_labels']:,} more labels would show a threshold" in page(ctx)

    def test_the_strict_mode_is_advised_where_the_surest_are_wrong_more_often(self, ctx: Context) -> None:
        furnish(ctx, errors=0.3, turned=True)

        shown = page(ctx)

        assert "The labels speak against it" in shown
        assert "“assumes: nothing”" in shown

    def test_the_strict_mode_rests_on_nothing_about_the_confidence(self, ctx: Context) -> None:
        furnish(ctx, "{risk: 0.1, confidence: 0.9, first_labels: 100, assumes: nothing}")

        shown = page(ctx)

        assert "Nothing about the confidence." in shown
        assert "The labels speak" not in shown

    def test_cases_that_share_a_confidence_are_warned_of(self, ctx: Context) -> None:
        furnish(ctx, always=0.9)

        shown = page(ctx)

        assert "100 % of cases share the confidence 0.9." in shown
        assert "No line is drawn through these labels: all 100 labels share the confidence 0.9" in shown

    def test_cases_that_nobody_ruled_on_count_as_wrong_and_the_page_says_so(self, ctx: Context) -> None:
        furnish(ctx, ruled=False)

        assert "100 cases nobody has ruled on count as wrong." in page(ctx)

    def test_labels_that_changed_while_they_were_collected_are_warned_of(self, ctx: Context) -> None:
        house.people(ctx)
        labelled.agent(ctx, SMALL)
        labelled.work(ctx, 50, errors=0.0, a_day=50)
        labelled.work(ctx, 50, errors=0.6, flat=True, start=50, a_day=50)
        labelled.look(ctx)

        assert "The labels changed while they were collected:" in page(ctx)

    def test_an_altered_record_is_told(self, ctx: Context) -> None:
        furnish(ctx)
        with ctx.db.begin() as session:
            row = session.scalars(select(Calibration)).one()
            row.answer = {**row.answer, "labels": 99}

        shown = page(ctx)

        assert "Computed again: differs" in shown
        assert "do not rely on it" in shown


class TestInForce:
    def test_the_owner_puts_it_in_force_and_sees_that_it_rests_on_the_look(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        with house.client(ctx, house.OWNER) as client:
            confirm = client.get(f"{ADDRESS}/{row.id}/apply?version={labelled.VERSION}").text
            assert "Nothing changes today: in Shadow no case goes alone." in confirm

            response = apply(client, row)

        assert response.status_code == 200
        assert f"from {row.threshold:g} on." in response.text
        assert "As allowed" in response.text
        assert labelled.rules(ctx)["threshold"] == row.threshold
        assert "Rests on the look at 100 labels, put in force by Maria" in " ".join(response.text.split())

    def test_pressing_twice_is_told_and_changes_nothing(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        with house.client(ctx, house.OWNER) as client:
            apply(client, row)

            again = apply(client, row)

        assert again.status_code == 409
        assert "in force already" in again.text

    @pytest.mark.parametrize("login", ["rita", "emil"])
    def test_others_see_who_can_and_are_refused(self, ctx: Context, login: str) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        with house.client(ctx, login) as client:
            shown = client.get(ADDRESS).text
            refused = apply(client, row) if 'name="form_token"' in shown else None

        assert "Maria or Ines can put" in " ".join(shown.split())
        assert "do-apply" not in shown
        assert refused is None or refused.status_code == 403
        assert labelled.rules(ctx)["threshold"] is None

    def test_a_post_without_the_form_token_changes_nothing(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        with house.client(ctx, house.OWNER) as client:
            assert apply(client, row, form_token="x").status_code == 403

        assert labelled.rules(ctx)["threshold"] is None

    def test_a_lower_one_in_force_is_warned_of(self, ctx: Context) -> None:
        furnish(ctx, threshold=0.3, errors=0.4)
        (row,) = labelled.calibrations(ctx)

        shown = page(ctx)

        assert row.threshold is not None
        assert "The threshold in force rests on too little." in shown
        assert f"they promise something from {row.threshold:g} on" in shown
        assert "in force: 0.3" in shown

    def test_one_in_force_where_the_labels_allow_none_can_be_closed(self, ctx: Context) -> None:
        furnish(ctx, errors=0.3, flat=True, threshold=0.3)
        (row,) = labelled.calibrations(ctx)
        assert "what goes alone has no promise" in page(ctx)
        with house.client(ctx, house.OWNER) as client:
            assert "Close it" in client.get(ADDRESS).text

            response = apply(client, row)

        assert "no case goes alone." in response.text
        assert labelled.rules(ctx)["threshold"] is None

    def test_in_confidence_the_confirmation_says_that_it_takes_effect_at_once(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        with ctx.db.begin() as session:
            session.execute(update(Rollout).values(phase=Phase.CONFIDENCE.value))
        with house.client(ctx, house.OWNER) as client:
            confirm = client.get(f"{ADDRESS}/{row.id}/apply?version={labelled.VERSION}").text

        assert "It takes effect with the next case" in confirm

    def test_a_retired_version_has_no_button(self, ctx: Context) -> None:
        furnish(ctx)
        with ctx.db.begin() as session:
            session.execute(update(Rollout).values(standing=Standing.RETIRED.value))

        shown = page(ctx, f"?version={labelled.VERSION}")

        assert "This version is retired. Its record stays." in shown
        assert "do-apply" not in shown

    def test_without_a_second_person_only_the_owner_is_named(self, ctx: Context) -> None:
        furnish(ctx)
        with ctx.db.begin() as session:
            session.execute(update(Agent).values(second=None))

        assert "Maria can put" in page(ctx, login="emil")


class TestSeries:
    def test_earlier_looks_stay_listed_and_the_next_one_is_named(self, ctx: Context) -> None:
        furnish(ctx, SERIES, count=240)

        shown = page(ctx)

        assert "Look 2" in shown
        assert "First look" in shown
        assert "240 of 300 settled labels" in shown
        assert "series of looks like this one" in shown or "No threshold" in shown

    def test_at_the_horizon_it_is_frozen(self, ctx: Context) -> None:
        furnish(ctx, SERIES, count=300)
        newest = labelled.calibrations(ctx)[0]
        assert newest.threshold is not None

        shown = page(ctx)

        assert "Frozen at 300 labels, the declared horizon." in shown
        assert f"From {newest.threshold:g} on the agent may act alone" in shown
        assert "In at most 1 of 10 series of looks like this one" in shown
        assert "Computed again: agrees" in shown

    def test_an_older_look_is_not_put_in_force(self, ctx: Context) -> None:
        furnish(ctx, SERIES, count=300)
        oldest = labelled.calibrations(ctx)[-1]
        with house.client(ctx, house.OWNER) as client:
            assert apply(client, oldest).status_code == 409


def test_each_segment_has_its_own_answer(ctx: Context, clock: FixedClock) -> None:
    del clock
    house.people(ctx)
    labelled.agent(ctx, "{risk: 0.1, first_labels: 400, segments: [north, south]}", threshold=0.97)
    labelled.work(ctx, 400, errors=0.2, segment="north", a_day=200)
    labelled.look(ctx)
    north = next(row for row in labelled.calibrations(ctx) if row.segment == "north")

    shown, south = page(ctx, "?segment=north"), page(ctx, "?segment=south")

    assert "What the labels of segment north allow" in shown
    assert "it is the threshold of all cases" in shown.lower()
    assert "Not looked yet" in south
    assert "0 of 400 settled labels" in south
    with house.client(ctx, house.OWNER) as client:
        response = apply(client, north)
    assert "segment=north" in str(response.url)
    assert labelled.rules(ctx)["thresholds"] == {"north": north.threshold}


class TestCosts:
    def test_they_are_worked_out_from_the_address_alone(self, ctx: Context) -> None:
        furnish(ctx)
        (row,) = labelled.calibrations(ctx)
        alone = round(1000 * row.answer["end"]["accepted"] / 100)

        shown = page(ctx, "?error=40&review=2&cases=1,000&people=1")

        assert "right at least 94 times in 100" in shown
        assert f"{alone:,}</td>" in shown
        assert f"{2 * alone:,}</td>" in shown

    def test_a_dear_error_proposes_a_higher_threshold_and_never_a_lower_one(self, ctx: Context) -> None:
        furnish(ctx)

        dear, cheap = page(ctx, "?error=40&review=2&cases=1000"), page(ctx, "?error=3&review=2&cases=1000")

        assert ", cheapest" in dear or "no confidence here is worth it" in dear
        assert "nothing is promised below what the labels allow" in cheap
        assert ", cheapest" not in cheap

    def test_without_a_threshold_nothing_is_saved_and_nothing_lost(self, ctx: Context) -> None:
        furnish(ctx, errors=0.3, flat=True)

        assert "nothing saved, nothing lost" in page(ctx, "?error=40&review=2&cases=1000")

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("error=forty&review=2&cases=10", "It is not a number."),
            ("error=nan&review=2&cases=10", "It is not a number."),
            ("error=-4&review=2&cases=10", "It is not a number."),
            ("error=1e99&review=2&cases=10", "It is not a number."),
            ("error=0&review=2&cases=10", "An error that costs nothing needs no threshold."),
            ("error=4&review=2&cases=1.5", "Write a whole number."),
            ("error=4&review=2&cases=10&people=101", "It is more than 100 %."),
        ],
    )
    def test_what_is_no_number_is_told_beside_its_field(self, ctx: Context, query: str, said: str) -> None:
        furnish(ctx)

        shown = page(ctx, f"?{query}", status=422)

        assert said in shown
        assert "Gained" not in shown


def test_the_record_is_there_as_json_for_whoever_is_signed_in(ctx: Context) -> None:
    furnish(ctx)
    (row,) = labelled.calibrations(ctx)
    with house.client(ctx, "rita") as client:
        record = client.get(f"{ADDRESS}/{row.id}/record?version={labelled.VERSION}").json()
        nowhere = client.get(f"/agents/{labelled.AGENT}/threshold/{factories.new_id()}/record?version=3.1.0")

    assert (record["id"], record["agrees"], record["data"]["looks"]) == (str(row.id), True, [])
    assert sum(cases for _, cases, _ in record["data"]["groups"]) == 100
    assert nowhere.status_code == 404


def test_the_agents_page_leads_there(ctx: Context) -> None:
    furnish(ctx, count=0)
    with house.client(ctx, house.OWNER) as client:
        assert f'href="{ADDRESS}?version={labelled.VERSION}"' in client.get(f"/agents/{labelled.AGENT}").text
