"""What `make test` says last."""

from pathlib import Path

from tools.run_tests import not_run

REPORT = """<testsuites><testsuite>
<testcase name="a"/>
<testcase name="b"><skipped type="pytest.skip" message="NO CHROMIUM: the pages are NOT tested"/></testcase>
<testcase name="c"><skipped type="pytest.skip" message="NO CHROMIUM: the pages are NOT tested"/></testcase>
<testcase name="d"><skipped type="pytest.xfail" message="known"/></testcase>
</testsuite></testsuites>"""


def test_what_was_left_out_is_counted_and_named_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "quick.xml").write_text("<testsuites/>")
    (tmp_path / "slow.xml").write_text(REPORT)

    assert not_run([tmp_path / "quick.xml"]) == ["NOT RUN: nothing, every selected test was."]
    assert not_run([tmp_path / "slow.xml", tmp_path / "gone.xml"]) == [
        "NOT RUN: 2 of the tests: NO CHROMIUM: the pages are NOT tested",
        "NOT RUN: unknown, the gone tests left no report",
    ]
