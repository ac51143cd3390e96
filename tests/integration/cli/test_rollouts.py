"""Steps of a version from the command line, straight on the database and over HTTP alike."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from cli.stack import free_port
from kit.clock import FixedClock
from kit.context import Context
from rollout.agents import queries as agent_queries
from rollout.domain.phase import Phase
from rollout.plans import service as plans
from rollout.versions import queries
from rollout.versions import service as versions
from routing import tasks
from tests import factories
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_configuration import PLAN
from web_app import create_app


@pytest.fixture
def shadowed(ctx: Context, clock: FixedClock) -> Context:
    """An agent in shadow whose outputs agreed with people for a month: its gate passes."""
    factories.person(ctx, "mara")
    factories.person(ctx, "eli", roles=("engineer",))
    factories.agent(ctx, owner="mara")
    with ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "claims")
        mara = factories.people.actor_of(factories.people.queries.get_person(session, "mara"))
        plans.apply(session, agent, PLAN, actor=mara, now=ctx.clock.now())
        rollout = versions.register(session, agent, "v1", actor=mara, now=ctx.clock.now())
        versions.steps.enter_phase(
            session, rollout, Phase.SHADOW, "advanced", actor=mara, now=ctx.clock.now(), reason="a test"
        )
    for day in range(10):
        for number in range(20):
            factories.decision(ctx, f"{day}-{number}")
            factories.human_output(ctx, f"{day}-{number}")
        clock.move(timedelta(days=1))
    tasks.settle(ctx)
    with ctx.db.begin() as session:
        from rollout.oversight import service as oversight

        agent = agent_queries.get_agent(session, "claims")
        oversight.hold_review(session, agent, decision="go on", actor=mara, now=ctx.clock.now())
    return ctx


@pytest.fixture
def stopped_clock(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of this process look at the clock of `ctx`."""
    from cli import house

    real = house.make_context
    monkeypatch.setattr(house, "make_context", lambda settings: real(settings, clock=ctx.clock))


@contextmanager
def serving(ctx: Context) -> Iterator[str]:
    """The web process of `ctx` on a port of its own."""
    port = free_port("127.0.0.1")
    server = uvicorn.Server(uvicorn.Config(create_app(ctx), port=port, log_level="error", lifespan="on"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def phase(ctx: Context) -> str:
    with ctx.db.read() as session:
        return queries.get_rollout(session, "claims", "v1").phase


@pytest.mark.usefixtures("stopped_clock")
def test_status_of_all_agents_and_of_one(shadowed: Context, phasegate: Run) -> None:
    rows = phasegate("status", "--json").json
    assert [(row["agent"], row["version"], row["phase"]) for row in rows] == [("claims", "v1", "shadow")]
    shown = phasegate("status", "claims")
    assert shown.status == 0
    assert "shadow" in shown.out
    assert phasegate("status", "nobody").status == 3


@pytest.mark.usefixtures("stopped_clock")
def test_the_owner_advances_on_fresh_evidence(shadowed: Context, phasegate: Run) -> None:
    ran = phasegate("advance", "claims", "--as", "mara", "--yes", "-m", "agreed in the review")
    assert ran.status == 0, ran.out + ran.err
    assert "disagreement_rate" in ran.out
    assert phase(shadowed) == "supervised"


@pytest.mark.usefixtures("stopped_clock")
def test_what_the_evidence_does_not_carry_is_not_signed(shadowed: Context, phasegate: Run) -> None:
    phasegate("advance", "claims", "--as", "mara", "--yes")
    ran = phasegate("advance", "claims", "v1", "--as", "mara", "--json")
    assert ran.status == 1
    assert ran.json["step"] is None
    assert phase(shadowed) == "supervised"


@pytest.mark.usefixtures("stopped_clock")
def test_an_engineer_may_ask_but_the_step_waits_for_the_owner(shadowed: Context, phasegate: Run) -> None:
    ran = phasegate("advance", "claims", "--as", "eli", "--yes")
    assert ran.status == 1
    assert "owner" in ran.out
    assert phase(shadowed) == "shadow"


@pytest.mark.usefixtures("stopped_clock")
def test_nobody_is_asked_where_nobody_is(shadowed: Context, phasegate: Run) -> None:
    ran = phasegate("advance", "claims", "--as", "mara")
    assert ran.status == 1
    assert "say --yes" in ran.err


@pytest.mark.usefixtures("stopped_clock")
def test_demote_freeze_and_unfreeze(shadowed: Context, phasegate: Run) -> None:
    assert phasegate("freeze", "claims", "-m", "bad input").status == 0
    again = phasegate("freeze", "claims", "-m", "bad input")
    assert again.status == 1
    assert phasegate("unfreeze", "claims", "-m", "mended").status == 0
    assert phasegate("demote", "claims", "-m", "wrong amounts").status == 0
    assert phase(shadowed) == "evaluation"


@pytest.mark.usefixtures("stopped_clock")
def test_a_demotion_from_a_phase_that_was_left_takes_nothing(shadowed: Context, phasegate: Run) -> None:
    ran = phasegate("demote", "claims", "-m", "wrong amounts", "--from", "supervised")
    assert ran.status == 1
    assert "is in shadow and not in supervised any more" in ran.err
    assert phase(shadowed) == "shadow"


@pytest.mark.usefixtures("stopped_clock")
def test_break_glass_is_for_the_owner_and_says_when_it_ends(shadowed: Context, phasegate: Run) -> None:
    for login in ("eli", None):
        refused = phasegate(
            "break-glass", "claims", "v1", "--reason", "ill", "--hours", 4, *(["--as", login] if login else [])
        )
        assert refused.status == 1
        assert "for mara or an admin" in refused.err
    assert phasegate("break-glass", "claims", "--as", "mara", "--hours", 4).status == 2
    assert phasegate("break-glass", "claims", "--as", "mara", "--reason", "ill", "--hours", 25).status == 1

    ran = phasegate("break-glass", "claims", "v1", "--as", "mara", "--reason", "reviewers are ill", "--hours", 4)

    assert ran.status == 0, ran.out + ran.err
    assert "is in supervised until 15 Jan, 13:00 UTC" in ran.out
    assert phase(shadowed) == "supervised"
    assert "Break-glass by mara until 15 Jan, 13:00 UTC: reviewers are ill" in " ".join(
        phasegate("status", "claims").out.split()
    )
    again = phasegate("break-glass", "claims", "--as", "mara", "--reason", "ill", "--hours", 4, "--json")
    assert "open for version v1" in again.err


@pytest.mark.usefixtures("stopped_clock")
def test_a_rollback_without_an_earlier_version_is_refused(shadowed: Context, phasegate: Run) -> None:
    ran = phasegate("rollback", "claims", "-m", "bad")
    assert ran.status == 1
    assert "no earlier stable version" in ran.err


@pytest.mark.usefixtures("stopped_clock")
def test_between_two_versions_nobody_guesses(shadowed: Context, phasegate: Run) -> None:
    factories.rollout(shadowed, "claims", "v2", phase=Phase.SHADOW, standing=factories.Standing.CANDIDATE)
    ran = phasegate("demote", "claims", "-m", "bad")
    assert ran.status == 1
    assert "v2 and v1 are under way" in ran.err
    assert phase(shadowed) == "shadow"


def test_over_http_the_same_is_done_with_a_key(shadowed: Context, phasegate: Run) -> None:
    _, secret = factories.key(shadowed, login="mara")
    with serving(shadowed) as url:
        ran = phasegate("advance", "claims", "--yes", "--url", url, "--key", secret)
        assert ran.status == 0, ran.out + ran.err
        assert phase(shadowed) == "supervised"
        assert phasegate("status", "claims", "--url", url, "--key", "pgk_wrong").status == 1
        assert phasegate("status", "nobody", "--url", url, "--key", secret).status == 3


def test_a_service_that_is_away_is_told(phasegate: Run) -> None:
    assert phasegate("status", "--url", "http://127.0.0.1:1", "--key", "pgk_x").status == 4


def test_an_import_stores_what_is_good_and_keeps_aside_what_is_broken(
    shadowed: Context, phasegate: Run, tmp_path: Path
) -> None:
    path = tmp_path / "answers.jsonl"
    good = [f'{{"case_id": "0-{number}", "output": "no"}}' for number in range(3)]
    bad = [
        '{"case_id": "x", "output": 1, "output": 2}',
        '{"case_id": "y"',
        '{"output": 1}',
        '{"case_id":"z","output":NaN}',
    ]
    path.write_text("\n".join([good[0], bad[0], "", good[1], *bad[1:], good[2], good[2]]) + "\n", encoding="utf-8")
    ran = phasegate("import", path, "--agent", "claims", "--json")
    assert ran.status == 1
    result = ran.json[0]
    assert (result["corrected"], result["unchanged"]) == (3, 1)
    assert [broken["line"] for broken in result["broken"]] == [2, 5, 6, 7]
    assert Path(result["broken_kept_in"]).read_text().splitlines() == bad
    again = phasegate("import", path, "--agent", "claims", "--json").json[0]
    assert again["unchanged"] == 4


def test_cases_are_imported_through_the_router(shadowed: Context, phasegate: Run, tmp_path: Path) -> None:
    _, secret = factories.key(shadowed, agent="claims")
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"case_id": "n-1", "version": "v1", "output": "yes"}\n{"case_id": "0-0", "version": "v1", "output": 5}\n'
    )
    with serving(shadowed) as url:
        ran = phasegate("import", path, "--agent", "claims", "--what", "cases", "--url", url, "--key", secret, "--json")
    assert ran.json[0]["shadow"] == 1
    assert [broken["line"] for broken in ran.json[0]["broken"]] == [2]
    assert phasegate("import", path, "--agent", "claims", "--what", "cases").status == 1


def test_many_cases_come_from_a_compressed_file_and_may_come_again(
    shadowed: Context, phasegate: Run, tmp_path: Path
) -> None:
    _, secret = factories.key(shadowed, agent="claims")
    path = tmp_path / "cases.jsonl.gz"
    lines = [f'{{"case_id": "n-{n}", "version": "v1", "output": "yes"}}' for n in range(3000)]
    path.write_bytes(gzip.compress("\n".join([*lines[:1000], "", "{", *lines[1000:]]).encode()))
    options = ("--agent", "claims", "--what", "cases", "--key", secret, "--json")
    with serving(shadowed) as url:
        first = phasegate("import", path, "--url", url, *options)
        again = phasegate("import", path, "--from-line", 2003, "--url", url, *options)

    assert (first.status, first.json[0]["stored"], first.json[0]["shadow"]) == (1, 3000, 3000)
    assert [broken["line"] for broken in first.json[0]["broken"]] == [1002]
    assert (again.status, again.json[0]["stored"], again.json[0]["there already"]) == (0, 0, 1000)
