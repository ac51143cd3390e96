from datetime import timedelta

import pytest
from sqlalchemy import func, select

from governance.actors import SYSTEM, Actor
from governance.audit.tables import AuditEvent
from governance.people import service
from governance.people.tables import Person, SignIn
from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Conflict, Invalid, NotFound
from tests import factories
from tests.factories import PASSWORD


class TestAddPerson:
    def test_stores_the_person_and_who_added_them(self, ctx: Context) -> None:
        admin = factories.actor(ctx, "root", roles=("admin",))

        with ctx.db.begin() as session:
            service.add_person(
                session, "alice", " Alice ", roles=["reviewer", "owner", "owner"], by=admin, now=ctx.clock.now()
            )

        with ctx.db.read() as session:
            alice = session.get_one(Person, "alice")
        assert (alice.name, alice.roles, alice.password_hash) == ("Alice", ["owner", "reviewer"], None)
        assert _events(ctx, "alice") == [("root", "person.added", {"name": "Alice", "roles": ["owner", "reviewer"]})]

    @pytest.mark.parametrize("login", ["", "Alice", "agent:claims", "system", "a b", "-a", "a" * 129, "ä", "a\n"])
    def test_refuses_what_could_be_mistaken(self, ctx: Context, login: str) -> None:
        with pytest.raises(Invalid, match="login"):
            factories.person(ctx, login or "\x00")

    @pytest.mark.parametrize("login", ["a", "alice@example.org", "a.b-c_d+e", "7", "a" * 128])
    def test_accepts_the_logins_people_have(self, ctx: Context, login: str) -> None:
        assert factories.person(ctx, login).login == login

    def test_refuses_a_login_that_is_taken(self, ctx: Context) -> None:
        factories.person(ctx, "alice")

        with pytest.raises(service.LoginTaken):
            factories.person(ctx, "alice")

    def test_refuses_a_role_that_does_not_exist(self, ctx: Context) -> None:
        with pytest.raises(Invalid, match="there is no role boss"):
            factories.person(ctx, "alice", roles=("boss",))

    @pytest.mark.parametrize("password", ["1234567", "x" * 1025])
    def test_refuses_a_password_that_is_too_short_or_absurdly_long(self, ctx: Context, password: str) -> None:
        with pytest.raises(Invalid, match="password"):
            factories.person(ctx, "alice", password=password)

    def test_never_stores_a_password_as_it_is(self, ctx: Context) -> None:
        alice = factories.person(ctx, "alice", password=PASSWORD)

        assert alice.password_hash is not None
        assert alice.password_hash.startswith("$argon2id$")
        assert PASSWORD not in str(_events(ctx, "alice"))


class TestSignIn:
    def test_gives_a_token_that_stands_for_the_person_until_it_ends(self, ctx: Context, clock: FixedClock) -> None:
        factories.person(ctx, "alice", password=PASSWORD)

        token, row = _sign_in(ctx, "alice", PASSWORD)

        assert token not in row.digest
        assert _who(ctx, token) == "alice"
        clock.move(timedelta(hours=12) - timedelta(microseconds=1))
        assert _who(ctx, token) == "alice"
        clock.move(timedelta(microseconds=1))
        assert _who(ctx, token) is None

    def test_the_login_may_be_typed_in_any_case(self, ctx: Context) -> None:
        factories.person(ctx, "alice", password=PASSWORD)

        token, _ = _sign_in(ctx, " Alice ", PASSWORD)

        assert _who(ctx, token) == "alice"

    @pytest.mark.parametrize(
        ("login", "password"),
        [
            pytest.param("alice", "wrong horse battery", id="wrong password"),
            pytest.param("nobody", PASSWORD, id="no such login"),
            pytest.param("keys-only", PASSWORD, id="no password"),
            pytest.param("gone", PASSWORD, id="disabled"),
            pytest.param("alice", "", id="empty password"),
            pytest.param("alice", "x" * 5000, id="endless password"),
            pytest.param("\x00\ud800", PASSWORD, id="not a login at all"),
        ],
    )
    def test_says_the_same_whatever_does_not_fit(self, ctx: Context, login: str, password: str) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        factories.person(ctx, "keys-only")
        factories.person(ctx, "gone", password=PASSWORD)
        with ctx.db.begin() as session:
            service.disable(session, "gone", by=SYSTEM, now=ctx.clock.now())

        with pytest.raises(service.SignInRefused, match="login and password do not fit together"):
            _sign_in(ctx, login, password)

    def test_checks_a_password_also_where_there_is_none(self, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        checked: list[tuple[str, str]] = []

        class Watching:
            def verify(self, password: str, expected: str) -> bool:
                checked.append((password, expected))
                return False

        monkeypatch.setattr(service, "_passwords", Watching)
        monkeypatch.setattr(service, "_nobodys_hash", lambda: "nobody's")
        factories.person(ctx, "keys-only")

        for login in ("nobody", "keys-only"):
            with pytest.raises(service.SignInRefused):
                _sign_in(ctx, login, PASSWORD)

        assert checked == [(PASSWORD, "nobody's")] * 2

    def test_ten_refusals_lock_the_login_for_a_quarter_of_an_hour(self, ctx: Context, clock: FixedClock) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        factories.person(ctx, "bob", password=PASSWORD)
        for _ in range(9):
            _note_refused(ctx, "alice")
        _sign_in(ctx, "alice", PASSWORD)
        _note_refused(ctx, "Alice")

        with pytest.raises(service.SignInLocked):
            _sign_in(ctx, "alice", PASSWORD)

        _sign_in(ctx, "bob", PASSWORD)
        clock.move(timedelta(minutes=15))
        _sign_in(ctx, "alice", PASSWORD)

    def test_a_password_in_the_wrong_field_is_not_written_down(self, ctx: Context) -> None:
        _note_refused(ctx, "My Secret Password!")

        assert _events(ctx, "(not a login)") == [("nobody", "person.sign_in_refused", {"address": "192.0.2.1"})]

    def test_signing_out_ends_this_sign_in_and_no_other(self, ctx: Context) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        here, _ = _sign_in(ctx, "alice", PASSWORD)
        there, _ = _sign_in(ctx, "alice", PASSWORD)

        with ctx.db.begin() as session:
            service.sign_out(session, here, now=ctx.clock.now())
            service.sign_out(session, "never given", now=ctx.clock.now())

        assert (_who(ctx, here), _who(ctx, there)) == (None, "alice")

    def test_whoever_guesses_from_elsewhere_does_not_lock_the_owner_out(self, ctx: Context) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        for _ in range(service.REFUSALS_ALLOWED):
            _note_refused(ctx, "alice", "198.51.100.7")

        with pytest.raises(service.SignInLocked):
            _sign_in(ctx, "alice", PASSWORD, "198.51.100.7")

        _sign_in(ctx, "alice", PASSWORD)

    def test_guessing_from_very_many_addresses_locks_the_login_after_all(self, ctx: Context, clock: FixedClock) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        for number in range(service.REFUSALS_ANYWHERE):
            _note_refused(ctx, "alice", f"198.51.100.{number}")

        with pytest.raises(service.SignInLocked):
            _sign_in(ctx, "alice", PASSWORD)

        clock.move(service.REFUSALS_WITHIN)
        _sign_in(ctx, "alice", PASSWORD)

    @pytest.mark.parametrize("meanwhile", ["disabled", "another password"])
    def test_what_happened_while_the_password_was_checked_counts(self, ctx: Context, meanwhile: str) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        with ctx.db.read() as session:
            caller = service.look_up(session, "alice", now=ctx.clock.now())
        service.check_password(caller, PASSWORD)
        with ctx.db.begin() as session:
            if meanwhile == "disabled":
                service.disable(session, "alice", by=SYSTEM, now=ctx.clock.now())
            else:
                service.set_password(session, "alice", "another long one", by=SYSTEM, now=ctx.clock.now())

        with pytest.raises(service.SignInRefused), ctx.db.begin() as session:
            service.sign_in(session, caller, now=ctx.clock.now(), hours=12)

    def test_a_new_password_ends_every_sign_in(self, ctx: Context) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        token, _ = _sign_in(ctx, "alice", PASSWORD)

        with ctx.db.begin() as session:
            service.set_password(session, "alice", "another long one", by=SYSTEM, now=ctx.clock.now())

        assert _who(ctx, token) is None
        _sign_in(ctx, "alice", "another long one")
        with pytest.raises(service.SignInRefused):
            _sign_in(ctx, "alice", PASSWORD)

    def test_somebody_who_is_disabled_is_out_at_once_and_can_come_back(self, ctx: Context) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        token, _ = _sign_in(ctx, "alice", PASSWORD)

        with ctx.db.begin() as session:
            service.disable(session, "alice", by=SYSTEM, now=ctx.clock.now())
            service.disable(session, "alice", by=SYSTEM, now=ctx.clock.now())
        gone = _who(ctx, token)
        with ctx.db.begin() as session:
            service.enable(session, "alice", by=SYSTEM, now=ctx.clock.now())
            service.enable(session, "alice", by=SYSTEM, now=ctx.clock.now())

        assert gone is None
        assert _who(ctx, token) is None
        _sign_in(ctx, "alice", PASSWORD)
        verbs = [verb for _, verb, _ in _events(ctx, "alice")]
        assert (verbs.count("person.disabled"), verbs.count("person.enabled")) == (1, 1)

    def test_sign_ins_that_ended_are_cleared_away(self, ctx: Context, clock: FixedClock) -> None:
        factories.person(ctx, "alice", password=PASSWORD)
        _sign_in(ctx, "alice", PASSWORD)
        clock.move(timedelta(hours=13))

        _sign_in(ctx, "alice", PASSWORD)

        with ctx.db.read() as session:
            assert session.scalar(select(func.count()).select_from(SignIn)) == 1


class TestKeys:
    def test_the_secret_is_shown_once_and_stored_as_its_digest(self, ctx: Context) -> None:
        key, secret = factories.key(ctx, agent="claims")

        assert secret.startswith("pgk_")
        assert len(secret) > 40
        assert key.digest == service.digest_of(secret)
        assert key.hint == f"{secret[:8]}…"
        assert secret not in str(_events(ctx, str(key.id)))

    def test_is_an_agents_or_a_persons(self, ctx: Context) -> None:
        factories.person(ctx, "alice")

        for agent, login in ((None, None), ("claims", "alice")):
            with pytest.raises(Invalid, match="either"), ctx.db.begin() as session:
                service.create_key(session, "k", agent=agent, login=login, by=SYSTEM, now=ctx.clock.now())

    def test_is_not_made_for_nobody(self, ctx: Context) -> None:
        with pytest.raises(NotFound, match="login nobody"):
            factories.key(ctx, login="nobody")

    def test_is_not_made_for_somebody_disabled(self, ctx: Context) -> None:
        factories.person(ctx, "alice")
        with ctx.db.begin() as session:
            service.disable(session, "alice", by=SYSTEM, now=ctx.clock.now())

        with pytest.raises(Conflict, match="disabled"):
            factories.key(ctx, login="alice")

    def test_is_revoked_once_on_record(self, ctx: Context) -> None:
        key, _ = factories.key(ctx, agent="claims")

        for _ in range(2):
            with ctx.db.begin() as session:
                service.revoke_key(session, key.id, by=Actor("root", "person", frozenset()), now=ctx.clock.now())

        assert [(who, verb) for who, verb, _ in _events(ctx, str(key.id))] == [
            ("system", "key.created"),
            ("root", "key.revoked"),
        ]


def test_every_change_that_keys_depend_on_is_told(ctx: Context) -> None:
    told: list[str] = []
    ctx.db.listener = told.append
    factories.person(ctx, "alice")
    key, _ = factories.key(ctx, login="alice")
    now = ctx.clock.now()

    with ctx.db.begin() as session:
        service.set_roles(session, "alice", ["lead"], by=SYSTEM, now=now)
    with ctx.db.begin() as session:
        service.disable(session, "alice", by=SYSTEM, now=now)
    with ctx.db.begin() as session:
        service.enable(session, "alice", by=SYSTEM, now=now)
    with ctx.db.begin() as session:
        service.revoke_key(session, key.id, by=SYSTEM, now=now)

    assert told == ["keys:changed"] * 5


def _sign_in(ctx: Context, login: str, password: str, address: str = "192.0.2.1") -> tuple[str, SignIn]:
    with ctx.db.read() as session:
        caller = service.look_up(session, login, now=ctx.clock.now(), address=address)
    service.check_password(caller, password)
    with ctx.db.begin() as session:
        return service.sign_in(session, caller, now=ctx.clock.now(), hours=12)


def _note_refused(ctx: Context, login: str, address: str = "192.0.2.1") -> None:
    with ctx.db.begin() as session:
        service.note_refused_sign_in(session, login, now=ctx.clock.now(), address=address)


def _who(ctx: Context, token: str) -> str | None:
    with ctx.db.read() as session:
        found = service.person_of_token(session, token, now=ctx.clock.now())
    return found[0].login if found is not None else None


def _events(ctx: Context, subject: str) -> list[tuple[str, str, dict[str, object]]]:
    with ctx.db.read() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.id))
        return [(event.actor, event.verb, event.detail) for event in events]
