"""Users and keys from the command line."""

from cli.main import app
from governance.people import queries, service
from kit.context import Context
from tests import factories
from tests.integration.cli.conftest import Run


def test_help_tells_every_command_and_what_the_exit_status_means(phasegate: Run) -> None:
    ran = phasegate("--help")
    assert ran.status == 0
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert {"up", "demo", "apply", "replay", "users", "keys", "doctor"} <= set(names)
    assert all(str(name) in ran.out for name in names)
    assert "Exit status" in ran.out


def test_a_wrong_option_is_a_wrong_usage(phasegate: Run) -> None:
    assert phasegate("status", "--no-such-option").status == 2


def test_a_person_is_added_with_a_password_from_a_pipe_and_can_sign_in(ctx: Context, phasegate: Run) -> None:
    ran = phasegate("users", "add", "mara", "--name", "Mara Lind", "-r", "owner", typed="a long password\n")
    assert ran.status == 0, ran.err
    with ctx.db.begin() as session:
        caller = service.look_up(session, "mara", now=ctx.clock.now())
        service.check_password(caller, "a long password")
        _, sign_in = service.sign_in(session, caller, now=ctx.clock.now(), hours=1)
    assert sign_in.login == "mara"


def test_a_person_without_a_role_is_refused_with_the_mend(phasegate: Run) -> None:
    ran = phasegate("users", "add", "mara", "--no-password")
    assert ran.status == 1
    assert "choose from admin" in ran.err


def test_the_same_login_twice_is_refused(phasegate: Run) -> None:
    assert phasegate("users", "add", "mara", "--admin", "--no-password").status == 0
    again = phasegate("users", "add", "mara", "--admin", "--no-password")
    assert again.status == 1
    assert "already a person" in again.err


def test_nobody_is_not_found(phasegate: Run) -> None:
    assert phasegate("users", "disable", "nobody").status == 3


def test_users_are_listed_as_json_for_scripts(ctx: Context, phasegate: Run) -> None:
    factories.person(ctx, "mara", roles=("owner", "reviewer"))
    assert [(p["login"], p["roles"]) for p in phasegate("users", "list", "--json").json] == [
        ("mara", ["owner", "reviewer"])
    ]


def test_disabling_says_who_did_it_in_the_audit_log(ctx: Context, phasegate: Run) -> None:
    from governance.audit import queries as audit_queries

    factories.person(ctx, "mara")
    factories.person(ctx, "boss", roles=("admin",))
    assert phasegate("users", "disable", "mara", "--as", "boss").status == 0
    with ctx.db.read() as session:
        assert queries.get_person(session, "mara").disabled_at is not None
        event = audit_queries.events_of(session, subject="mara", limit=1)[0]
    assert (event.actor, event.verb) == ("boss", "person.disabled")


def test_a_key_is_printed_once_and_works(ctx: Context, phasegate: Run) -> None:
    missing = phasegate("keys", "add", "production", "--agent", "claims")
    assert missing.status != 0
    assert "there is no agent “claims”" in missing.err
    factories.agent(ctx)
    ran = phasegate("keys", "add", "production", "--agent", "claims")
    secret = ran.out.strip()
    with ctx.db.read() as session:
        digests = [key.digest for key in queries.keys(session)]
    assert digests == [service.digest_of(secret)]
    assert secret not in phasegate("keys", "list").out


def test_a_revoked_key_stays_in_the_list_as_revoked(ctx: Context, phasegate: Run) -> None:
    factories.agent(ctx)
    made = phasegate("keys", "add", "production", "--agent", "claims", "--json").json
    assert phasegate("keys", "revoke", made["id"]).status == 0
    listed = phasegate("keys", "list", "--json").json
    assert listed[0]["revoked_at"] is not None
    assert "secret" not in listed[0]
