from itertools import product

import pytest

from governance.actors import OF_AN_AGENT, PERMITTED, ROLES, SYSTEM, VERBS, Actor, Role, Verb, of_agent
from kit.errors import Forbidden


def _person(*roles: Role) -> Actor:
    return Actor("alice", "person", frozenset(roles))


@pytest.mark.parametrize(("role", "verb"), list(product(ROLES, VERBS)))
def test_a_person_may_do_what_the_table_says_of_a_role_and_nothing_else(role: Role, verb: Verb) -> None:
    assert _person(role).allows(verb) is (role in PERMITTED[verb])


@pytest.mark.parametrize("verb", VERBS)
def test_somebody_without_a_role_may_do_nothing(verb: Verb) -> None:
    assert not _person().allows(verb)


def test_roles_add_up() -> None:
    both = _person("auditor", "reviewer")

    assert both.allows("audit")
    assert both.allows("review")


def test_every_verb_can_be_done_by_somebody() -> None:
    assert set(PERMITTED) == set(VERBS)
    assert all(PERMITTED.values())


@pytest.mark.parametrize(
    ("verb", "roles"),
    [
        ("advance", {"owner", "lead"}),
        ("demote", {"owner", "engineer", "lead", "admin"}),
        ("escalated", {"lead"}),
        ("administer", {"admin"}),
        ("review", {"reviewer", "lead"}),
    ],
)
def test_the_verbs_that_matter_most_belong_to(verb: Verb, roles: set[str]) -> None:
    assert PERMITTED[verb] == roles


def test_an_auditor_reads_and_changes_nothing() -> None:
    assert {verb for verb in VERBS if _person("auditor").allows(verb)} == {"read", "audit"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_key_of_an_agent_acts_for_it_alone(verb: Verb) -> None:
    claims = of_agent("claims")

    assert claims.allows(verb, "claims") is (verb in OF_AN_AGENT)
    assert not claims.allows(verb, "loans")
    assert not claims.allows(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_the_system_may_do_everything(verb: Verb) -> None:
    SYSTEM.require(verb, "claims")


@pytest.mark.parametrize(
    ("actor", "verb", "agent", "words"),
    [
        (_person("reviewer"), "advance", None, "alice has the role reviewer and may not advance"),
        (_person("reviewer"), "advance", None, "it takes the role owner or lead, which an admin can give"),
        (_person(), "read", None, "alice has no role and may not read"),
        (of_agent("claims"), "decide", "loans", "key of agent claims and may not decide for agent loans"),
        (of_agent("claims"), "read", None, "may not read for all agents; use that agent's own key"),
        (of_agent("claims"), "demote", "claims", "a person with the role admin, owner, lead or engineer may"),
    ],
)
def test_a_refusal_says_who_what_and_what_would_help(actor: Actor, verb: Verb, agent: str | None, words: str) -> None:
    with pytest.raises(Forbidden) as refused:
        actor.require(verb, agent)

    assert words in refused.value.detail


def test_no_login_can_be_taken_for_an_agent() -> None:
    assert of_agent("claims").name == "agent:claims"
    assert len(of_agent("x" * 128).name) == 128
