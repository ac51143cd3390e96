import pytest

from rollout.domain.yaml_tree import LARGEST, FileInvalid, Problem, plain, read_yaml, words_of


def refused(text: str | bytes) -> Problem:
    with pytest.raises(FileInvalid) as told:
        read_yaml(text)
    return told.value.problems[0]


def test_remembers_where_everything_stands() -> None:
    source = read_yaml("agent: x\nphases:\n  shadow:\n    gates:\n      - metric: m\n      - {metric: n}\n")

    assert source.data["phases"]["shadow"]["gates"][1] == {"metric": "n"}
    assert source.mark(("phases", "shadow", "gates", 1, "metric")) == (6, 10)
    assert source.mark(("phases", "shadow", "gates", 7, "metric")) == (4, 5)
    assert words_of(("phases", "shadow", "gates", 1, "metric")) == "phases.shadow.gates[1].metric"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17:00", "17:00"),
        ("no", "no"),
        ("012", 12),
        ("0x1F", "0x1F"),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("-7", -7),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("True", True),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


def test_a_quoted_scalar_is_text() -> None:
    assert read_yaml("a: '5'\nb: \"true\"\nc: |\n  7\n").data == {"a": "5", "b": "true", "c": "7\n"}


def test_json_is_read_too_with_tabs_between_its_tokens() -> None:
    assert read_yaml('{"a":\t1,\n\t"b": [1.5, null]}').data == {"a": 1, "b": [1.5, None]}


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1").data == {"a": 1}


def test_nothing_reads_as_nothing() -> None:
    assert read_yaml("# only a comment\n").data is None
    assert read_yaml("").mark(()) == (1, 1)


def test_all_duplicate_keys_are_told_with_both_lines() -> None:
    with pytest.raises(FileInvalid, match="and 1 more") as told:
        read_yaml("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n")

    assert [(found.line, found.place, found.problem) for found in told.value.problems] == [
        (4, "b.c", '"c" stands twice, on lines 3 and 4'),
        (5, "a", '"a" stands twice, on lines 1 and 5'),
    ]
    assert [place.place for place in told.value.places] == ["line 4, b.c", "line 5, a"]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        pytest.param("a:\n\tb: 1", 2, 1, "a tab cannot indent", id="a tab"),
        pytest.param("a: 1\nb: c: d", 2, 5, "this is not YAML: mapping values", id="two colons"),
        pytest.param("a: 1\nb: [1", 2, 6, "this is not YAML: expected ','", id="an open bracket"),
        pytest.param("%YAML 3.0\n---\na: 1", 1, 1, "this is not YAML: found incompatible", id="another YAML"),
        pytest.param(b"a: 1\nb: \xff", 2, 4, "this is not UTF-8", id="another encoding"),
        pytest.param("a: 1\nb: \ud800", 2, 4, "this is not UTF-8", id="half a character"),
        pytest.param("a: 1\nb: \x00", 2, 4, "the character U+0000 is not allowed", id="a NUL"),
        pytest.param('a: 1\nb: "\\0"', 2, 4, "the character U+0000 is not allowed", id="an escaped NUL"),
        pytest.param('a: 1\n"\\0": 1', 2, 1, "the character U+0000 is not allowed", id="a NUL in a key"),
        pytest.param("a: &x 1\nb: *x", 1, 4, "anchors (&) and aliases (*) are not read", id="an anchor"),
        pytest.param("a: 1\nb: *x", 2, 4, "anchors (&) and aliases (*) are not read", id="an alias"),
        pytest.param("a: !!python/object:os.system x", 1, 4, "tags (!) are not read", id="a tag"),
        pytest.param("? [a]\n: 1", 1, 3, "a key must be a word", id="a list as a key"),
        pytest.param("a: 1\n---\nb: 1", 2, 1, "a second document begins here", id="two documents"),
        pytest.param("[" * 5000, 1, 21, "this is nested more than 20 deep", id="brackets all the way"),
        pytest.param("{a: " * 500, 1, 81, "this is nested more than 20 deep", id="braces all the way"),
        pytest.param("x" * (LARGEST + 1), 1, 1, "the file has 131,073 bytes", id="too much"),
    ],
)
def test_what_is_not_read_is_refused_with_its_line(text: str | bytes, line: int, column: int, problem: str) -> None:
    found = refused(text)

    assert (found.line, found.column) == (line, column)
    assert found.problem.startswith(problem)
    assert found.mend


def test_a_bomb_of_aliases_goes_off_nowhere() -> None:
    layers = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]

    assert refused("\n".join(layers)).line == 1


def test_a_problem_reads_as_one_line() -> None:
    assert str(refused("a: 1\na: 2")) == 'line 2, column 1: a: "a" stands twice, on lines 1 and 2 (remove one of them)'
    assert str(Problem(0, 0, "agent", "agent is missing")) == "agent: agent is missing"
