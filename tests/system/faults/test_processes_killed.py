"""Web process and workers are killed outright while cases, rulings and human outputs come in."""

from pathlib import Path

import pytest

from tests.system.scene import EVERYBODY, scene, settings_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

VICTIMS = (("web",), ("worker",), ("web", "worker"), ("delivery",), EVERYBODY)


def test_web_and_workers_are_killed_again_and_again_under_load_and_nothing_is_lost(
    tmp_path: Path, empty_url: str
) -> None:
    """
    Each kill comes once everybody has begun new work, while the time in which a ruling can be undone runs out. A worker
    that settles, and the one that sends, die in the middle of a task: they are held up there until they are dead.
    """
    answered, working = [], []
    with scene(settings_for(tmp_path, empty_url), undo_seconds=1) as it:
        with it.load.running():
            for victims in VICTIMS:
                working.append(it.everybody_works(f"everybody is at work before {victims} are killed"))
                with it.in_the_middle(*victims):
                    it.kill(*victims)
                if "web" in victims:
                    answered.append(it.answers_again())
            it.soon(lambda: all(it.stack.child(name).alive for name in EVERYBODY), "all are back")
            it.answers_again()
        it.nothing_lost_nothing_twice()
        assert len(it.receiver.seen) > len(it.receiver.contents()), "no sender died between sending and noting it"
        print(
            f"{len(VICTIMS)} kills, {it.decided()} cases, {len(it.load.ruled)} rulings, {len(it.receiver.seen)} "
            f"messages; ten more cases at most {max(answered):.1f} s after web was killed, everybody at work at most "
            f"{max(working):.1f} s after a kill; {it.told()}"
        )
