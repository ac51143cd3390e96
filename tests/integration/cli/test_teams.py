"""Teams and skills from the command line."""

from kit.context import Context
from tests import factories
from tests.integration.cli.conftest import Run


def test_teams_and_skills_are_said_and_shown_and_a_queue_that_nobody_can_work_is_told(
    ctx: Context, phasegate: Run
) -> None:
    factories.agent(ctx)
    factories.person(ctx, "rita", roles=("reviewer",))

    alone = phasegate("teams", "queue", "claims", "--segment", "pl", "-t", "north", "-s", "polish")
    given = phasegate("teams", "person", "rita", "-t", "north", "-s", "polish")
    wrong = phasegate("teams", "person", "rita", "-t", "The North")
    shown = phasegate("teams", "list", "--json")
    back = phasegate("teams", "queue", "claims", "--segment", "pl", "--everybody")

    assert [ran.status for ran in (alone, given, wrong, shown, back)] == [0, 0, 1, 0, 0]
    assert "Nobody has it (claims / pl: team north, skill polish)" in alone.err
    assert "teams.0" in wrong.err
    assert '"able": [' in shown.out
    assert "rita" in shown.out
