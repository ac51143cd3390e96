"""The guides say what was measured, show pictures that everybody can read, and link to what is there."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.pictures import measures, scenes

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))
OWNERS_PAGE = (DOCS / "reading-the-evidence.md").read_text(encoding="utf-8")
MEASURED = (DOCS / "pictures" / "measured.md").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"


def figures(text: str) -> list[list[str]]:
    """The cells of all tables, with all kinds of spaces and bold letters alike."""
    rows = [re.sub(r"[\s\u00a0\u202f*]+", " ", line) for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
class TestPictures:
    def test_a_picture_tells_those_who_do_not_see_it(self, picture: Path) -> None:
        root = ET.parse(picture).getroot()  # noqa: S314 - our own file

        assert [len(root.findtext(f"{SVG}{part}") or "") > 10 for part in ("title", "desc")] == [True, True]

    def test_a_picture_keeps_its_words_inside(self, picture: Path) -> None:
        root = ET.parse(picture).getroot()  # noqa: S314
        width, height = float(root.attrib["width"]), float(root.attrib["height"])

        places = [(float(word.attrib["x"]), float(word.attrib["y"])) for word in root.iter(f"{SVG}text")]

        assert places
        assert [place for place in places if not (0 <= place[0] <= width and 0 <= place[1] <= height)] == []

    def test_a_picture_is_shown_with_words_in_its_place(self, picture: Path) -> None:
        assert re.search(rf"!\[[^]]{{30,}}\]\(pictures/{picture.name}\)", OWNERS_PAGE)


class TestFigures:
    def test_the_page_repeats_the_looks_as_measured(self) -> None:
        shown, measured = (
            [row for row in figures(page) if re.match(r"(the )?(share|exact|ordinary|Phasegate|gate)", row[0])]
            for page in (OWNERS_PAGE, MEASURED)
        )

        assert len(shown) == 4
        assert [[_rounded(cell) for cell in row[1:]] for row in shown] == [
            [_rounded(cell) for cell in row[1:]] for row in measured
        ]

    def test_the_page_repeats_the_waits_as_measured(self) -> None:
        waits = [row[1:] for row in figures(MEASURED) if " / " in row[1]]

        assert waits
        assert [row[1:] for row in figures(OWNERS_PAGE) if len(row) > 1 and " / " in row[1]] == waits

    @pytest.mark.parametrize(
        ("name", "drawn"),
        [("clean-cases", scenes.clean_cases), ("one-agent", lambda: scenes.one_agent(measures.one_agent()))],
    )
    def test_a_picture_is_what_the_product_computes_today(self, name: str, drawn: object) -> None:
        assert callable(drawn)
        assert drawn().svg() == (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8")


def _rounded(cell: str) -> str:
    return cell.replace(".0 %", " %")
