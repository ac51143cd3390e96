"""What the charts and the cost calculator of a threshold promise, for whatever labels there may be."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.thresholds import Groups, calibrate, group_counts
from review_ui import threshold_charts, threshold_costs, words
from review_ui.calibration_views import accepted_by, one_of


@st.composite
def labels(draw: st.DrawFn) -> Groups:
    """Up to thirty confidences with some cases each, of which some are wrong."""
    sure = draw(st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=30, unique=True))
    cases = [draw(st.integers(1, 40)) for _ in sure]
    return group_counts([(c, n, draw(st.integers(0, n))) for c, n in zip(sure, cases, strict=True)])


def numbers(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


@settings(max_examples=40, deadline=None)
@given(labels(), st.integers(0, 1000), st.sampled_from([0.01, 0.05, 0.2]))
def test_everything_is_drawn_inside_its_frame(groups: Groups, present: int, risk: float) -> None:
    course = threshold_charts.course_of(groups, float(groups.confidence[0]), present / 1000, risk)
    worth = threshold_charts.worth_of(groups)
    assert course is not None
    assert worth is not None

    for drawing in (*course.drawings, *worth.drawings):
        frame = drawing.frame
        places = numbers(drawing.line)
        if isinstance(drawing, threshold_charts.CourseDrawing):
            places += [(frame.left, drawing.limit_y)]
            places += [(drawing.chosen.x, drawing.chosen.y)] if drawing.chosen else []
        else:
            places += [(bin_.x, y) for bin_ in drawing.whiskers for y in (bin_.low, bin_.y, bin_.high)]
        assert all(frame.left - 0.1 <= x <= frame.right + 0.1 for x, _ in places)
        assert all(frame.top - 0.1 <= y <= frame.bottom + 0.1 for _, y in places)


@settings(max_examples=40, deadline=None)
@given(labels())
def test_the_tables_end_with_all_labels(groups: Groups) -> None:
    course, worth = threshold_charts.course_of(groups, None, None, 0.05), threshold_charts.worth_of(groups)
    assert course is not None
    assert worth is not None

    assert course.rows[-1].cases == f"{groups.labels:,}"
    assert sum(int(row.cases.replace(",", "")) for row in worth.rows) == groups.labels


def test_without_labels_nothing_is_drawn() -> None:
    nothing = group_counts([])

    assert threshold_charts.course_of(nothing, None, None, 0.05) is None
    assert threshold_charts.worth_of(nothing) is None


@settings(max_examples=40, deadline=None)
@given(labels(), st.integers(0, 29), st.floats(0.5, 1000), st.floats(0, 10))
def test_a_proposal_for_the_money_is_never_below_what_the_labels_allow(
    groups: Groups, place: int, error: float, review: float
) -> None:
    threshold = float(groups.confidence[place % len(groups)])
    form = threshold_costs.asked(f"{error:.2f}", f"{review:.2f}", "1000", "", 0)

    found = threshold_costs.costs_of(form, calibrate(groups), groups.labels, groups, threshold)

    assert found is not None
    shown = [float(column.title.split()[1].rstrip(",")) for column in found.columns]
    assert shown[0] == float(words.confidence(threshold))
    assert all(value > shown[0] for value in shown[1:])


@pytest.mark.parametrize(
    ("delta", "said"), [(0.05, "1 of 20"), (0.025, "1 of 40"), (0.03, "1 of 33"), (0.1, "1 of 10")]
)
def test_a_doubt_is_told_as_one_of_so_many_and_never_too_well(delta: float, said: str) -> None:
    assert one_of(delta) == said


@pytest.mark.parametrize(("value", "said"), [(0.62, "0.62"), (0.62341, "0.6235"), (1.0, "1"), (None, "none")])
def test_a_confidence_is_rounded_up(value: float | None, said: str) -> None:
    assert words.confidence(value) == said


def test_a_threshold_accepts_what_is_as_sure_as_itself() -> None:
    groups = group_counts([(0.9, 10, 1), (0.8, 10, 2)])

    assert [accepted_by(groups, at) for at in (0.95, 0.9, 0.85, 0.8, None)] == [
        (0, 0),
        (10, 1),
        (10, 1),
        (20, 3),
        (0, 0),
    ]
