import pytest

from governance.actors import SYSTEM, Actor, of_agent
from governance.people import keyring as rings
from governance.people import service
from governance.people.keyring import Keyring
from kit.context import Context
from tests import factories


class Seconds:
    """A stopwatch that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def ring(ctx: Context, seconds: Seconds) -> Keyring:
    return Keyring(ctx, monotonic=seconds)


def test_a_key_made_in_this_process_is_known_at_once_from_memory(ctx: Context, ring: Keyring) -> None:
    _, secret = factories.key(ctx, agent="claims")

    assert ring.known(f"Bearer {secret}") == of_agent("claims")


def test_a_persons_key_has_the_roles_the_person_has_now(ctx: Context, ring: Keyring) -> None:
    factories.person(ctx, "alice", roles=("reviewer",))
    _, secret = factories.key(ctx, login="alice")

    before = ring.actor(f"Bearer {secret}")
    with ctx.db.begin() as session:
        service.set_roles(session, "alice", ["lead"], by=SYSTEM, now=ctx.clock.now())
    after = ring.actor(f"Bearer {secret}")

    assert before == Actor("alice", "person", frozenset({"reviewer"}))
    assert after.roles == {"lead"}


class TestAnotherProcess:
    """What happened elsewhere is not told to this ring: its context hears nothing."""

    @pytest.fixture(autouse=True)
    def _deaf(self, ctx: Context, ring: Keyring) -> None:
        assert ring.known(None) is None  # there must be a ring before it can be made deaf
        ctx.listeners.clear()

    def test_made_a_key_and_it_works_at_its_first_use(self, ctx: Context, ring: Keyring) -> None:
        _, secret = factories.key(ctx, agent="claims")

        assert ring.known(f"Bearer {secret}") is None
        assert ring.actor(f"Bearer {secret}") == of_agent("claims")
        assert ring.known(f"Bearer {secret}") == of_agent("claims")

    def test_made_one_a_moment_after_a_wrong_key_was_tried(self, ctx: Context, ring: Keyring) -> None:
        with pytest.raises(rings.KeyUnknown):
            ring.actor("Bearer wrong")
        _, secret = factories.key(ctx, agent="claims")

        assert ring.actor(f"Bearer {secret}") == of_agent("claims")

    def test_is_asked_by_a_flood_of_wrong_keys_so_often_a_second(
        self, ctx: Context, ring: Keyring, seconds: Seconds
    ) -> None:
        _, secret = factories.key(ctx, agent="claims")
        for number in range(50):
            with pytest.raises(rings.KeyUnknown):
                ring.actor(f"Bearer wrong-{number}")

        seconds.now += 0.9
        with pytest.raises(rings.KeyUnknown, match="try in a second"):
            ring.actor(f"Bearer {secret}")
        seconds.now += 0.1
        found = ring.actor(f"Bearer {secret}")

        assert found == of_agent("claims")

    def test_is_asked_once_a_second_by_who_keeps_using_a_wrong_key(self, ring: Keyring) -> None:
        for _ in range(200):
            with pytest.raises(rings.KeyUnknown):
                ring.actor("Bearer wrong")

        with pytest.raises(rings.KeyUnknown):  # and nobody else is kept from trying
            ring.actor("Bearer other")

    def test_revoked_a_key_before_this_one_ever_saw_it(self, ctx: Context, ring: Keyring) -> None:
        key, secret = factories.key(ctx, agent="claims")
        with ctx.db.begin() as session:
            service.revoke_key(session, key.id, by=SYSTEM, now=ctx.clock.now())

        with pytest.raises(rings.KeyRevoked, match="was revoked"):
            ring.actor(f"Bearer {secret}")

    def test_revoked_a_key_and_it_is_gone_with_the_next_refresh(self, ctx: Context, ring: Keyring) -> None:
        key, secret = factories.key(ctx, agent="claims")
        ring.actor(f"Bearer {secret}")
        with ctx.db.begin() as session:
            service.revoke_key(session, key.id, by=SYSTEM, now=ctx.clock.now())

        with ctx.db.read() as session:
            ring.refresh(session)

        assert ring.known(f"Bearer {secret}") is None
        with pytest.raises(rings.KeyRevoked, match="was revoked"):
            ring.actor(f"Bearer {secret}")


def test_the_key_of_somebody_disabled_is_worth_nothing(ctx: Context, ring: Keyring) -> None:
    factories.person(ctx, "alice")
    _, secret = factories.key(ctx, login="alice")

    with ctx.db.begin() as session:
        service.disable(session, "alice", by=SYSTEM, now=ctx.clock.now())

    with pytest.raises(rings.KeyRevoked, match="its person is disabled"):
        ring.actor(f"Bearer {secret}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "pgk_abc"])
def test_without_a_key_it_says_how_to_send_one(ring: Keyring, header: str | None) -> None:
    assert ring.known(header) is None
    with pytest.raises(rings.KeyMissing, match="Authorization: Bearer"):
        ring.actor(header)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(ctx: Context, ring: Keyring, scheme: str) -> None:
    _, secret = factories.key(ctx, agent="claims")

    assert ring.actor(f"{scheme} {secret}") == of_agent("claims")
