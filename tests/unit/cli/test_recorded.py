"""Files of other tools, record by record: what they say in the form the API takes, or what is wrong and where."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli.recorded import files
from cli.recorded.fields import Fields, pairs
from cli.recorded.files import Form, Found, form_of
from cli.recorded.label_studio import from_label_studio
from kit.errors import Invalid

KNOWN = frozenset({"case_id", "output", "person", "occurred_at"})


def fields(*columns: str, schema: Any = None) -> Fields:
    return Fields(KNOWN, pairs(columns), schema)


def bodies(found: list[Found]) -> list[Any]:
    """What was understood, and of the rest what is wrong."""
    return [
        (one.number, one.wrong.places[0].place, one.wrong.places[0].problem) if one.wrong else json.loads(one.raw)
        for one in found
    ]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", Form.CSV),
        ("a.CSV.gz", Form.CSV),
        ("a.tsv", Form.CSV),
        ("a.json", Form.LABEL_STUDIO),
        ("a.jsonl.gz", Form.JSONL),
        ("a", Form.JSONL),
    ],
)
def test_the_name_says_the_form(name: str, form: Form) -> None:
    assert form_of(Path(name)) is form


class TestCsv:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "paid.csv"

    def test_columns_are_called_as_the_fields(self, path: Path) -> None:
        path.write_text('case_id,output.total,output.lines:json,person\n1,"12,5","[1, 2]",ann\n2,7,,\n', "utf-8-sig")

        assert bodies(list(files.from_csv(path, fields()))) == [
            {"case_id": "1", "output": {"total": "12,5", "lines": [1, 2]}, "person": "ann"},
            {"case_id": "2", "output": {"total": "7"}},
        ]

    def test_other_columns_are_named_and_the_rest_is_left_out(self, path: Path) -> None:
        path.write_text("invoice,sum,colour,person\n1,12.5,red,ann\n", encoding="utf-8")
        asked = fields("case_id=invoice", "output.total:json=sum", "output.text=sum")

        assert bodies(list(files.from_csv(path, asked))) == [
            {"case_id": "1", "output": {"total": 12.5, "text": "12.5"}, "person": "ann"}
        ]

    def test_the_output_schema_says_what_is_no_text(self, path: Path) -> None:
        schema = {"properties": {"total": {"type": "number"}, "code": {"type": "string"}, "ok": {"type": ["boolean"]}}}
        path.write_text("case_id,output.total,output.code,output.ok\n1,12.50,007,true\n", encoding="utf-8")

        assert bodies(list(files.from_csv(path, fields(schema=schema)))) == [
            {"case_id": "1", "output": {"total": 12.5, "code": "007", "ok": True}}
        ]

    def test_a_bad_row_is_told_by_line_and_column_and_kept_as_it_was(self, path: Path) -> None:
        path.write_text('case_id,output.total:json\n"1\n",2\n3,four\n4\n5,6\n', encoding="utf-8")
        found = list(files.from_csv(path, fields()))

        assert bodies(found) == [
            {"case_id": "1\n", "output": {"total": 2}},
            (4, "output.total", "'four' is no JSON"),
            (5, "row", "it has 1 cells, the header 2"),
            {"case_id": "5", "output": {"total": 6}},
        ]
        assert json.loads(found[1].raw) == {"case_id": "3", "output.total:json": "four"}

    def test_what_is_wrong_is_told_by_the_name_in_the_file(self, path: Path) -> None:
        path.write_text("invoice,sum\n1,x\n", encoding="utf-8")
        asked = fields("case_id=invoice", "output:json=sum")
        (found,) = files.from_csv(path, asked)

        assert found.wrong is not None
        assert asked.told(found.wrong).places[0].place == "output (column sum)"

    @pytest.mark.parametrize(
        ("text", "columns", "said"),
        [
            pytest.param("case_id,colour\n", (), "column 'colour' is none of our fields", id="unknown"),
            pytest.param("case_id,case_id\n", (), "two columns are called 'case_id'", id="twice"),
            pytest.param("case_id\n", ("output=sum",), "there is no column sum", id="named and not there"),
        ],
    )
    def test_a_header_that_says_nothing_to_us_is_refused(
        self, path: Path, text: str, columns: tuple[str, ...], said: str
    ) -> None:
        path.write_text(text, encoding="utf-8")

        with pytest.raises(Invalid, match=said):
            list(files.from_csv(path, fields(*columns)))

    def test_two_columns_for_one_place_are_refused(self, path: Path) -> None:
        path.write_text("case_id,output,output.total\n1,2,3\n", encoding="utf-8")

        assert bodies(list(files.from_csv(path, fields())))[0][2] == "two columns are for this place"

    def test_what_is_no_utf8_is_refused_as_a_file(self, path: Path) -> None:
        path.write_bytes(b"case_id,output\n1,caf\xe9\n")

        with pytest.raises(Invalid, match="no CSV in UTF-8"):
            list(files.from_csv(path, fields()))


def result(name: str, kind: str, **value: Any) -> dict[str, Any]:
    return {"id": "r", "from_name": name, "to_name": "text", "type": kind, "value": value}


def task(case_id: Any, *annotations: Any) -> dict[str, Any]:
    return {"id": 9, "data": {"case_id": case_id, "text": "…"}, "annotations": list(annotations), "predictions": []}


def annotation(*results: Any, **more: Any) -> dict[str, Any]:
    return {"id": 1, "completed_by": 7, "result": list(results), "created_at": "2026-01-05T09:00:00.5Z"} | more


class TestLabelStudio:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "project.json"

    def read(self, path: Path, tasks: Any, *columns: str, schema: Any = None) -> list[Any]:
        path.write_text(json.dumps(tasks, indent=2), encoding="utf-8")
        found = list(from_label_studio(path, fields(*columns, schema=schema)))
        return bodies([one for one in found if one.wrong or one.raw])

    def test_an_annotation_is_what_a_person_did(self, path: Path) -> None:
        said = annotation(
            result("tone", "choices", choices=["angry"]),
            result("topics", "choices", choices=["bill", "late"]),
            result("stars", "rating", rating=4),
            result("reply", "textarea", text=["Dear"]),
            result("parts", "labels", start=0, end=4, text="Dear", labels=["greeting"]),
        )

        (body,) = self.read(path, [task(17, said)])

        assert body == {
            "case_id": "17",
            "output": {
                "tone": "angry",
                "topics": ["bill", "late"],
                "stars": 4,
                "reply": "Dear",
                "parts": [{"start": 0, "end": 4, "text": "Dear", "labels": ["greeting"]}],
            },
            "person": "annotator 7",
            "occurred_at": "2026-01-05T09:00:00.5Z",
        }

    def test_the_output_schema_says_what_is_a_list(self, path: Path) -> None:
        said = annotation(result("topics", "choices", choices=["bill"]))
        schema = {"properties": {"topics": {"type": "array"}}}

        assert self.read(path, [task("a", said)], schema=schema)[0]["output"] == {"topics": ["bill"]}

    def test_nothing_is_an_answer_of_a_control_that_was_named(self, path: Path) -> None:
        empty, tone = annotation(), annotation(result("tone", "choices", choices=["a"]))
        spans = {"properties": {"boxes": {"type": "array"}, "tone": {"type": "string"}}}

        [alone, both] = self.read(path, [task("a", empty), task("b", empty, empty)], "output=boxes")
        [beside] = self.read(path, [task("a", tone)], "output.boxes=boxes", "output.tone=tone", schema=spans)
        [one] = self.read(path, [task("a", empty)], "output=boxes", schema={"type": "string"})
        [differ] = self.read(path, [task("a", empty, annotation(result("boxes", "labels", start=1)))], "output=boxes")

        assert (alone["output"], both["output"]) == ([], [])
        assert beside["output"] == {"boxes": [], "tone": "a"}
        assert one[1:] == ("task 9, boxes", "the task has no such value")
        assert differ[1:] == ("task 9, annotations", "2 annotations differ")

    def test_values_go_where_somebody_sends_them(self, path: Path) -> None:
        said = annotation(result("tone", "choices", choices=["angry"]), completed_by={"email": "ann@example.org"})
        tasks = [{"data": {"doc": "d-1"}, "annotations": [said]}]

        (body,) = self.read(path, tasks, "case_id=data.doc", "output=tone")

        assert (body["case_id"], body["output"], body["person"]) == ("d-1", "angry", "ann@example.org")

    def test_the_ground_truth_counts_and_what_was_cancelled_does_not(self, path: Path) -> None:
        yes, no = (annotation(result("tone", "choices", choices=[word])) for word in ("yes", "no"))
        tasks = [
            task("truth", yes, no | {"ground_truth": True}),
            task("cancelled", yes | {"was_cancelled": True}, no),
            task("agree", yes, yes),
            task("nobody", yes | {"was_cancelled": True}),
            task("differ", yes, no),
        ]

        *good, differ = self.read(path, tasks)

        assert [(one["case_id"], one["output"]["tone"]) for one in good] == [
            ("truth", "no"),
            ("cancelled", "no"),
            ("agree", "yes"),
        ]
        assert differ[1:] == ("task 9, annotations", "2 annotations differ")

    @pytest.mark.parametrize(
        ("wrong", "place", "problem"),
        [
            pytest.param(
                {"id": 1, "case_id": "a", "tone": "x"}, "task no. 2, annotations", "there are none", id="the short form"
            ),
            pytest.param({"data": {}, "tone": "x"}, "task no. 2, annotations", "there are none", id="no annotations"),
            pytest.param(task("a", annotation()), "task 9, annotations", "nothing was said in them", id="empty"),
            pytest.param(
                {"data": {"x": 1}, "annotations": [annotation(result("tone", "choices", choices=["a"]))]},
                "task no. 2, data.case_id",
                "the task has no such value",
                id="no case",
            ),
            pytest.param(
                task("a", annotation({"type": "relation", "from_id": "a", "to_id": "b"})),
                "task 9, annotations",
                "a 'relation' belongs to no control",
                id="a relation",
            ),
        ],
    )
    def test_what_cannot_be_read_is_told_by_its_line(self, path: Path, wrong: Any, place: str, problem: str) -> None:
        good = task("b", annotation(result("tone", "choices", choices=["a"])))
        path.write_text(f"[\n{json.dumps(good)},\n\n{json.dumps(wrong)}\n]\n", encoding="utf-8")

        first, second = bodies(list(from_label_studio(path, fields())))

        assert first["case_id"] == "b"
        assert second == (4, place, problem)

    def test_a_key_that_stands_twice_is_refused_with_its_task(self, path: Path) -> None:
        path.write_text('[{"data": {}, "data": {}, "annotations": []}]', encoding="utf-8")

        (found,) = from_label_studio(path, fields())

        assert found.wrong is not None

    def test_what_was_kept_aside_is_read_again(self, tmp_path: Path) -> None:
        tasks = [task(n, annotation(result("tone", "choices", choices=["a"]))) for n in range(3)]
        path = tmp_path / "project.rejected.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, tasks)).encode()))

        assert [body["case_id"] for body in bodies(list(from_label_studio(path, fields())))] == ["0", "1", "2"]

    def test_a_list_that_is_cut_is_refused_where_it_ends(self, path: Path) -> None:
        path.write_text('[\n{"data": {"case_id": "a"}, "annotations": []},\n{"data": {', encoding="utf-8")

        found = from_label_studio(path, fields())

        assert next(found).raw == b""
        with pytest.raises(Invalid) as refused:
            next(found)
        assert refused.value.places[0].place == "line 3"

    def test_a_long_list_is_read_task_by_task(self, path: Path) -> None:
        said = annotation(result("reply", "textarea", text=["x" * 300_000]))
        path.write_text(json.dumps([task(n, said) for n in range(4)]), encoding="utf-8")

        found = from_label_studio(path, fields())

        assert len(json.loads(next(found).raw)["output"]["reply"]) == 300_000
        assert [json.loads(one.raw)["case_id"] for one in found] == ["1", "2", "3"]


@pytest.mark.parametrize("pair", ["case_id", "=x", "case_id=", ""])
def test_a_pair_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(Invalid):
        pairs([pair])


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="there is no field colour"):
        fields().field("colour.red")
