"""Valkey, over which tasks are started and web processes are told of changes, is killed under load."""

from pathlib import Path

import pytest

from tests.system.scene import scene, settings_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_without_it_cases_and_rulings_are_answered_as_before_and_settled_once_it_is_back(
    tmp_path: Path, empty_url: str
) -> None:
    with scene(settings_for(tmp_path, empty_url)) as it:
        with it.load.running():
            it.everybody_works("the load is up")
            it.load.fresh()
            it.kill("valkey")
            answered, ruled = it.decided(), len(it.load.ruled)
            it.soon(
                lambda: it.decided() > answered + 50 and len(it.load.ruled) > ruled + 5,
                "answers without it",
                tend=False,
            )
            assert not it.stack.child("valkey").alive
            without = f"{it.decided() - answered} cases and {len(it.load.ruled) - ruled} rulings without it"
            assert not it.load.heard, "callers noticed nothing"
            slowest = it.load.slowest
            it.soon(lambda: it.stack.child("valkey").alive, "it is back")
            settled = it.everybody_works("workers have found it again")
        it.nothing_lost_nothing_twice()
        print(f"{without}, the slowest after {slowest:.1f} s; settled and sent {settled:.1f} s after it was back")
