"""The spool by itself: files, bounds, torn writes, other processes."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from phasegate_client.errors import Unspooled
from phasegate_client.spool import Spool
from phasegate_client.spool_store import Entry

SERVER = "http://phasegate.test"


def decision(number: int, size: int = 10) -> Entry:
    return Entry("/v1/agents/reader/decisions", b'{"n":"' + b"x" * size + b'"}', f'["reader","c-{number}","v1",1]')


def human_output(number: int) -> Entry:
    body = json.dumps({"n": number}).encode()
    return Entry("/v1/agents/reader/human-outputs", body, idempotency_key=f"key-{number}")


@pytest.fixture
def spool_in(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    made: list[Spool] = []

    def make(entries: int = 100, size: int = 100_000) -> Spool:
        made.append(Spool(tmp_path, SERVER, entries=entries, size=size))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


Make = Callable[..., Spool]
PROMISED = {"synchronous": 3, "journal_mode": "delete", "locking_mode": "exclusive"}  # 3 is EXTRA, 2 were FULL


def keep(spool: Spool, *entries: Entry) -> None:
    for entry in entries:
        spool.append(entry).result(10)


def refusal(spool: Spool, entry: Entry) -> str:
    with pytest.raises(Unspooled) as refused:
        spool.append(entry).result(10)
    return str(refused.value)


def drain(spool: Spool) -> list[Entry]:
    entries = []
    while (kept := spool.first()) is not None:
        entries.append(kept.entry)
        spool.settle(kept)
    return entries


class TestKeeping:
    def test_gives_back_what_it_was_given_in_order_after_a_restart(self, spool_in: Make) -> None:
        entries = [decision(1), human_output(1), decision(2), human_output(2)]
        first = spool_in()
        keep(first, *entries)
        first.close()

        second = spool_in()

        assert second.state().waiting == 4
        assert second.holds(str(entries[0].key))
        assert second.holds_human_outputs
        assert drain(second) == entries
        assert (second.state().waiting, second.state().size, second.holds_human_outputs) == (0, 0, False)

    def test_keeps_a_decision_once_and_every_human_output(self, spool_in: Make) -> None:
        spool = spool_in()
        keep(spool, decision(1), decision(1), human_output(1), human_output(2), human_output(1))

        assert drain(spool) == [decision(1), human_output(1), human_output(2), human_output(1)]

    def test_is_for_one_server(self, tmp_path: Path) -> None:
        one, other = Spool(tmp_path, SERVER), Spool(tmp_path, "http://staging.test")
        keep(one, decision(1))

        assert (one.state().waiting, other.state().waiting) == (1, 0)
        assert one.folder != other.folder
        one.close()
        other.close()

    def test_nobody_else_may_read_the_cases(self, spool_in: Make) -> None:
        assert spool_in().folder.stat().st_mode & 0o077 == 0

    def test_a_file_is_the_clients_alone_and_every_commit_of_it_reaches_the_disk(self, spool_in: Make) -> None:
        """Asked of the open connection: `synchronous` is no matter of the file, so another one would not know."""
        spool = spool_in()
        with spool._file() as store:
            said = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in PROMISED}

        assert said == PROMISED


class TestBounds:
    def test_refuses_the_newest_when_there_are_too_many(self, spool_in: Make, caplog: pytest.LogCaptureFixture) -> None:
        spool = spool_in(entries=2)
        keep(spool, decision(1), decision(2))

        assert refusal(spool, decision(3)).startswith("it is full: 2 entries")
        assert (spool.state().refused, spool.state().waiting) == (1, 2)
        assert "(1 so far): it is full" in caplog.text
        assert [entry.key for entry in drain(spool)] == [decision(1).key, decision(2).key]

    def test_refuses_what_is_too_large_for_what_is_left(self, spool_in: Make) -> None:
        spool = spool_in(size=1000)
        keep(spool, decision(1, 700))

        assert "this one has 7" in refusal(spool, decision(2, 700))
        keep(spool, decision(3, 100))
        assert spool.state().waiting == 2

    def test_has_room_again_when_something_was_delivered(self, spool_in: Make) -> None:
        spool = spool_in(entries=1)
        keep(spool, decision(1))
        drain(spool)

        keep(spool, decision(2))

    def test_counts_what_it_finds_from_before(self, spool_in: Make) -> None:
        first = spool_in()
        keep(first, decision(1), decision(2))
        first.close()

        assert refusal(spool_in(entries=2), decision(3)).startswith("it is full")

    @pytest.mark.parametrize(("entries", "size"), [(0, 1), (1, 0)])
    def test_a_spool_without_room_is_a_mistake(self, tmp_path: Path, entries: int, size: int) -> None:
        with pytest.raises(ValueError, match="room"):
            Spool(tmp_path, SERVER, entries=entries, size=size)


class TestTroubleWithTheDisk:
    def test_a_folder_that_cannot_be_made_is_told_with_each_entry(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        spool = Spool(tmp_path / "file" / "spool", SERVER)

        assert "file" in refusal(spool, decision(1))
        assert spool.state().trouble is not None

    def test_a_full_disk_loses_nothing_that_was_kept(self, spool_in: Make) -> None:
        spool = spool_in(size=10**9)
        keep(spool, decision(1))
        with spool._file() as store:
            pages = store._db.execute("PRAGMA page_count").fetchone()[0]
            store._db.execute(f"PRAGMA max_page_count = {pages + 2}")

        assert "full" in refusal(spool, decision(2, 100_000))

        keep(spool, decision(3))
        assert drain(spool) == [decision(1), decision(3)]

    def test_a_file_that_cannot_be_read_is_put_aside(self, spool_in: Make, caplog: pytest.LogCaptureFixture) -> None:
        first = spool_in()
        first.close()
        (first.folder / "spool-0.db").write_bytes(b"no database at all" * 1000)

        second = spool_in()
        keep(second, decision(1))

        assert drain(second) == [decision(1)]
        assert len(list(second.folder.glob("spool-0.broken-*"))) == 1
        assert "put aside" in caplog.text

    def test_a_closed_one_takes_nothing(self, spool_in: Make) -> None:
        spool = spool_in()
        spool.close()

        assert refusal(spool, decision(1)) == "the client is closed"


class TestOtherProcesses:
    def test_two_clients_have_a_file_each(self, spool_in: Make) -> None:
        one, other = spool_in(), spool_in()
        keep(one, decision(1))
        keep(other, decision(2))

        assert drain(one) == [decision(1)]
        assert drain(other) == [decision(2)]

    def test_what_one_left_behind_the_other_takes_over(self, spool_in: Make) -> None:
        first, second = spool_in(), spool_in()
        keep(first, decision(1))
        keep(second, decision(2), human_output(2))
        second.close()

        first.adopt()

        assert first.state().waiting == 3
        assert drain(first) == [decision(1), decision(2), human_output(2)]
        assert spool_in().state().waiting == 0

    def test_files_of_a_release_without_keys_are_read_and_taken_over(self, spool_in: Make) -> None:
        spool = spool_in()
        spool.close()
        for number in (0, 1):
            with closing(sqlite3.connect(spool.folder / f"spool-{number}.db")) as older, older:
                older.execute("DROP TABLE IF EXISTS waiting")
                older.execute(OF_AN_EARLIER_RELEASE)
                older.execute("INSERT INTO waiting (path, body, kept_at) VALUES ('/v1/x', ?, '')", (b"%d" % number,))

        newer = spool_in()
        newer.adopt()

        assert drain(newer) == [Entry("/v1/x", b"0"), Entry("/v1/x", b"1")]

    def test_what_is_in_use_or_does_not_fit_stays_where_it_is(self, spool_in: Make) -> None:
        first, second = spool_in(entries=1), spool_in()
        keep(second, decision(2), decision(3))
        first.adopt()
        second.close()
        first.adopt()

        assert first.state().waiting == 0
        assert len(drain(spool_in())) == 2

    def test_a_broken_file_of_another_process_harms_nobody(self, spool_in: Make) -> None:
        first = spool_in()
        (first.folder / "spool-7.db").write_bytes(b"no database at all" * 1000)

        first.adopt()
        keep(first, decision(1))

        assert drain(first) == [decision(1)]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_forked_child_has_a_file_of_its_own(self, spool_in: Make) -> None:
        spool = spool_in()
        keep(spool, decision(1))
        child = os.fork()
        if child == 0:
            try:
                keep(spool, decision(2))
                spool.close()
                os._exit(0)
            finally:
                os._exit(1)
        keep(spool, decision(3))
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        spool.adopt()
        assert {entry.key for entry in drain(spool)} == {decision(n).key for n in (1, 2, 3)}


OF_AN_EARLIER_RELEASE = """
    CREATE TABLE waiting (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, path TEXT NOT NULL,
                          body BLOB NOT NULL, tries INTEGER NOT NULL DEFAULT 0, kept_at TEXT NOT NULL)
"""

KEEP_FOR_EVER = """
    import sys
    from phasegate_client.spool import Spool
    from phasegate_client.spool_store import Entry

    spool = Spool(sys.argv[1], sys.argv[2], entries=100_000, size=10**9)
    for number in range(100_000):
        spool.append(Entry("/v1/x", b"%d " % number * 2000)).result()
        print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 20, 57])
def test_what_was_acknowledged_survives_a_kill_in_the_middle(spool_in: Make, tmp_path: Path, acknowledged: int) -> None:
    script = textwrap.dedent(KEEP_FOR_EVER)
    command = [sys.executable, "-c", script, str(tmp_path), SERVER]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert process.stdout is not None
    with process.stdout as told:
        for _ in range(acknowledged):
            last = int(told.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        last = max([last, *(int(line) for line in told.read().split())])

    entries = drain(spool_in(entries=100_000, size=10**9))

    numbers = [int(entry.body.split()[0]) for entry in entries]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) - 1 in {last, last + 1}, "all that was acknowledged, and at most the one under way"


def test_a_torn_journal_is_rolled_back(spool_in: Make, tmp_path: Path) -> None:
    first = spool_in()
    keep(first, decision(1))
    first.close()
    path = first.folder / "spool-0.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")  # what is written is on disk before it is committed
    writer.execute("BEGIN")
    for number in range(100):
        writer.execute(
            "INSERT INTO waiting (path, body, kept_at) VALUES ('/x', ?, '')", (b"x" * 5000 + b"%d" % number,)
        )
    torn, journal = path.read_bytes(), Path(f"{path}-journal").read_bytes()
    writer.close()
    path.write_bytes(torn)
    Path(f"{path}-journal").write_bytes(journal)

    assert drain(spool_in()) == [decision(1)]
