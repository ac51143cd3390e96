from routing.domain.reach import House, Need, Reach, Reviewer, changes, reach

ANYBODY = Reviewer("ann")
NORTH = Reviewer("nora", frozenset({"north"}), frozenset({"polish", "german"}))
LEAD = Reviewer("lena", frozenset({"north"}), lead=True)
OTHER_LEAD = Reviewer("luis", lead=True)
SECOND_LEAD = Reviewer("lotte", frozenset({"north"}), lead=True)
BOTH = (1, 2)


def of(who: Reviewer, *needs: Need, others: tuple[Reviewer, ...] = (), levels: tuple[int, ...] = BOTH) -> Reach:
    return reach(who, levels, needs, [who, *others])


def test_without_teams_and_skills_everybody_works_everything() -> None:
    assert of(ANYBODY) == Reach(BOTH)
    assert of(ANYBODY).allows(1, "claims", "north")


def test_who_is_not_in_the_team_or_lacks_a_skill_is_not_dealt_the_cases() -> None:
    need = Need("claims", team="north", skills=frozenset({"polish"}))

    assert not of(ANYBODY, need, others=(NORTH,)).allows(1, "claims", "")
    assert not of(LEAD, need, others=(NORTH,)).allows(1, "claims", "")
    assert of(NORTH, need).allows(1, "claims", "anything")
    assert of(ANYBODY, need, others=(NORTH,)).allows(1, "refunds", "")


def test_what_is_said_of_a_segment_replaces_what_is_said_of_its_agent() -> None:
    needs = (Need("claims", team="north"), Need("claims", "pl"), Need("claims", "de", skills=frozenset({"german"})))
    found = of(ANYBODY, *needs, others=(NORTH,))

    assert [found.allows(1, "claims", segment) for segment in ("", "fr", "pl", "de")] == [False, False, True, False]


def test_the_second_line_is_the_leads_of_the_team_whatever_their_skills() -> None:
    need = Need("claims", team="north", skills=frozenset({"polish"}))
    leads = (LEAD, SECOND_LEAD, OTHER_LEAD)

    assert of(LEAD, need, others=(NORTH, *leads)).allows(2, "claims", "")
    assert not of(OTHER_LEAD, need, others=(NORTH, LEAD, SECOND_LEAD)).allows(2, "claims", "")


def test_a_team_with_fewer_than_two_leads_has_all_of_them() -> None:
    need = Need("claims", team="north")

    assert of(OTHER_LEAD, need, others=(NORTH, LEAD)).allows(2, "claims", "")


def test_what_nobody_can_work_goes_to_the_leads() -> None:
    need = Need("claims", skills=frozenset({"latin"}))

    assert of(LEAD, need, others=(NORTH, OTHER_LEAD)).allows(1, "claims", "")
    assert not of(NORTH, need, others=(LEAD,)).allows(1, "claims", "")


def test_a_change_tells_who_is_dealt_what_then_and_which_queues_it_leaves_to_nobody() -> None:
    polish = Need("claims", "pl", skills=frozenset({"polish"}))
    before = House([NORTH, ANYBODY, LEAD], [])

    [fewer] = changes(before, House(before.staff, [polish]))
    assert (fewer.before, fewer.after, fewer.left) == ({"nora", "ann", "lena"}, {"nora"}, False)

    [unskilled] = changes(House(before.staff, [polish]), House([Reviewer("nora"), ANYBODY, LEAD], [polish]))
    assert (unskilled.after, unskilled.left) == ({"lena"}, True)

    [alone] = changes(House([NORTH], [polish]), House([Reviewer("nora")], [polish]))
    assert (alone.after, alone.left) == (frozenset(), True)
