"""What an agent's settings are where nobody said anything."""

from rollout.agents.schemas import AgentSettings


def test_shares_and_times_are_those_that_reviewers_are_told_of() -> None:
    said_nothing = AgentSettings()

    assert said_nothing.supervision.model_dump() == {
        "blind_share": 0.10,
        "gold_share": 0.05,
        "second_opinion_share": 0.05,
        "judged_differing_share": 0.20,
        "judged_same_share": 0.05,
        "bulk_most": 20,
    }
    assert (said_nothing.undo_seconds, said_nothing.second_line_at, said_nothing.review_fallback) == (10, 0.5, "human")
    assert (said_nothing.desk.least_seconds, said_nothing.desk.seconds_per_1000_characters) == (0.8, 2.0)
    assert said_nothing.desk.see_all_for_risks == ("high", "critical")
