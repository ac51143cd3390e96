"""The pictures of `docs/reading-the-evidence.md`, one function each: what was measured in, a picture out."""

import math
from collections.abc import Sequence

import numpy as np

from bench.pictures import measures
from bench.pictures.drawing import WIDTH, Frame, Picture, percent
from evidence import binomial, sequences


def one_agent(seen: measures.OneAgent) -> Picture:
    """The share of the last hundred cases wanders across the limit; the careful figure comes down and stays above."""
    days = np.arange(1, len(seen.bound) + 1)
    under = int((seen.last_hundred[1:] < measures.LIMIT).sum())
    picture = Picture(
        "One agent, two ways of looking",
        f"An agent that is wrong in 6 of 100 cases, looked at on 90 evenings with a limit of 5 %. The share of the "
        f"last 100 cases is below the limit on {under} of them. The figure of the gate falls to "
        f"{percent(seen.bound[-1], 1)} and is never below the limit.",
        400,
    )
    picture.head(
        "One agent that is not good enough, on 90 evenings",
        "6 of 100 answers are wrong; less than 5 is asked for. 50 cases a day.",
    )
    frame = Frame(picture, (1, 90), (0, 0.2), right=WIDTH - 150)
    frame.levels([0, 0.05, 0.1, 0.15, 0.2], percent)
    lucky = [(day, share) for day, share in zip(days[1:], seen.last_hundred[1:], strict=True) if share < measures.LIMIT]
    limit_y = frame.y(measures.LIMIT)
    picture.box((frame.left, limit_y), (frame.right - frame.left, frame.bottom - limit_y), "fill-bad-soft", round_by=0)
    picture.line(frame.places(zip(days[1:], seen.last_hundred[1:], strict=True)), "other")
    for day, share in lucky:
        picture.dot(frame.x(day), frame.y(share), "fill-bad", radius=3.8)
    picture.line(frame.places([(1, measures.LIMIT), (90, measures.LIMIT)]), "limit")
    picture.line(frame.places(zip(days, seen.bound, strict=True)), "ours")
    frame.ticks([1, 15, 30, 45, 60, 75, 90], str, "day")
    end = frame.right + 10
    picture.words(end, frame.y(seen.bound[-1]) - 20, "what the gate", "small is-ours strong")
    picture.words(end, frame.y(seen.bound[-1]) - 3, f"says: {percent(seen.bound[-1], 1)}", "small is-ours strong")
    picture.words(end, limit_y + 5, f"limit {percent(measures.LIMIT)}", "small strong")
    picture.words(end, limit_y + 28, "last 100 cases:", "small is-bad")
    picture.words(end, limit_y + 45, "below it on", "small is-bad")
    picture.words(end, limit_y + 62, f"{under} evenings", "small is-bad strong")
    return picture


_RULES = (
    ("last 100", "other", "the last 100 cases"),
    ("so far", "other dashed", "all cases so far"),
    ("one look", "bad", "ordinary 95 % bound"),
    ("ours", "ours", "Phasegate’s gate"),
)


def repeated_looks(passed: dict[str, measures.Passed]) -> Picture:
    """How the share of agents that were let pass by mistake grows with every look."""
    ends = {name: found.by_day[-1] for name, found in passed.items()}
    picture = Picture(
        "What looking every day does to a rule",
        "Agents with just 5 % wrong at a limit of 5 %, which must not pass. Let pass by the 90th day: by the share of "
        f"the last 100 cases {percent(ends['last 100'])}, of all cases {percent(ends['so far'])}, by an ordinary "
        f"95 % bound {percent(ends['one look'])}, by Phasegate's gate {percent(ends['ours'], 1)}.",
        430,
    )
    picture.head(
        "Every look is one more chance to be fooled",
        "Share of agents let through by mistake, when somebody looks every evening",
    )
    frame = Frame(picture, (1, 90), (0, 1), right=WIDTH - 236, bottom=360)
    frame.levels([0, 0.25, 0.5, 0.75, 1], percent)
    frame.ticks([1, 15, 30, 45, 60, 75, 90], str, "days of looking")
    promised = 0.05
    picture.line(frame.places([(1, promised), (90, promised)]), "limit")
    for name, look, said in _RULES:
        values = passed[name].by_day
        picture.line(frame.places(zip(range(1, len(values) + 1), values, strict=True)), look)
        tone = {"ours": "is-ours strong", "bad": "is-bad"}.get(look, "is-other")
        place = frame.y(ends[name]) + {"last 100": -2, "so far": 8, "ours": 12}.get(name, 0)
        picture.words(frame.right + 12, place, percent(ends[name], 1 if name == "ours" else 0), f"strong {tone}")
        picture.words(frame.right + 70, place, said, f"small {tone}")
    picture.words(frame.x(20), frame.y(promised) - 9, "“95 % sure” promises to stay below this line", "small")
    return picture


def clean_cases() -> Picture:
    """What none wrong in n cases leaves possible, for one planned look and for a look at every case."""
    n = np.unique(np.round(np.geomspace(8, 500, 200)).astype(int))
    always = [sequences.upper_bound(0, int(cases)) for cases in n]
    once = [binomial.upper_bound(0, int(cases)) for cases in n]
    at_50 = sequences.upper_bound(0, 50)
    pass_at = {limit: sequences.cases_to_pass(limit) for limit in (0.05, 0.02)}
    picture = Picture(
        "None wrong is not zero",
        f"With none wrong, the error rate can still be {percent(at_50, 1)} after 50 cases. It is below 5 % after "
        f"{pass_at[0.05]} such cases, below 2 % after {pass_at[0.02]}.",
        430,
    )
    picture.head(
        "None wrong so far: how bad could it still be?", "Largest error rate that the cases leave possible, 95 % sure"
    )
    frame = Frame(picture, (0, 500), (0, 0.25), right=WIDTH - 40, bottom=360)
    frame.levels([0, 0.05, 0.1, 0.15, 0.2, 0.25], percent)
    frame.ticks([0, 50, 100, 200, 300, 400, 500], str, "cases, none of them wrong")
    shown = [(cases, bound) for cases, bound in zip(n, always, strict=True) if bound <= 0.25]
    corners = [
        (frame.right, frame.bottom),
        (frame.left, frame.bottom),
        (frame.left, frame.top),
        (frame.x(shown[0][0]), frame.top),
    ]
    picture.area([*frame.places(shown), *corners], "fill-soft")
    picture.line(frame.places((c, b) for c, b in zip(n, once, strict=True) if b <= 0.25), "other dashed")
    picture.line(frame.places(shown), "ours")
    for limit, needed in pass_at.items():
        assert needed is not None
        picture.dot(frame.x(needed), frame.y(limit), "fill-ours", radius=6)
        beside = frame.x(needed) + 14, frame.y(limit) - 12
        picture.words(*beside, f"{needed} cases, none wrong: below {percent(limit)}", "small halo")
    picture.dot(frame.x(50), frame.y(at_50), "fill-bad", radius=6)
    picture.words(
        frame.x(50) + 16, frame.y(at_50) - 2, f"50 cases, none wrong: up to {percent(at_50, 1)}", "strong is-bad halo"
    )
    _key(
        picture,
        frame.right - 215,
        108,
        [("ours", "looked at all day (the gate)"), ("other dashed", "one look, planned beforehand")],
    )
    return picture


def _key(picture: Picture, x: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
    for index, (look, said) in enumerate(entries):
        line = y + 24 * index
        picture.line([(x - 44, line - 5), (x - 10, line - 5)], look)
        picture.words(x, line, said, "small is-ours strong" if look == "ours" else "small")


def late_verdicts(late: measures.Late) -> Picture:
    """What the desk knows so far is too good for weeks, because complaints come last."""
    days = range(1, 61)
    hidden = [(day, share) for day, share in zip(days, late.arrived[:60], strict=True) if share <= measures.LIMIT]
    picture = Picture(
        "Verdicts that come late",
        "An agent that is wrong in 6 of 100 cases. Counting the verdicts that are there, the share of wrong ones "
        f"begins at {percent(late.arrived[0], 1)} and is below the limit of 5 % for {len(hidden)} days; "
        f"{percent(late.arrived_passes)} of such "
        f"agents pass. Counting settled days with missing verdicts as bad, {percent(late.settled_passes, 1)} pass.",
        410,
    )
    picture.head(
        "Bad news travels slowly",
        "6 of 100 answers are wrong. An approval takes half a day, a complaint a week.",
    )
    frame = Frame(picture, (1, 60), (0, 0.08), right=WIDTH - 205, bottom=340)
    frame.levels([0, 0.02, 0.04, 0.06, 0.08], percent)
    frame.ticks([1, 10, 20, 30, 40, 50, 60], str, "day")
    level = frame.y(measures.LIMIT)
    picture.area([*frame.places(hidden), (frame.x(hidden[-1][0]), level), (frame.left, level)], "fill-bad-soft")
    picture.words(frame.x(15), frame.y(0.026), f"looks good enough for {len(hidden)} days", "small is-bad")
    picture.line([(frame.left, level), (frame.right, level)], "limit")
    counted = [(day, share) for day, share in zip(days, late.settled[:60], strict=True) if not math.isnan(share)]
    picture.line(frame.places(counted), "ours")
    picture.line(frame.places(zip(days, late.arrived[:60], strict=True)), "bad")
    picture.words(frame.x(2), level - 8, f"limit {percent(measures.LIMIT)}", "small strong halo")
    end = frame.right + 12
    top = frame.y(late.settled[59])
    picture.words(end, top - 22, "settled days, missing", "small is-ours strong")
    picture.words(end, top - 4, "verdicts count as bad:", "small is-ours strong")
    picture.words(end, top + 14, f"{percent(late.settled_passes, 1)} pass by mistake", "small is-ours strong")
    low = frame.y(late.arrived[59]) + 40
    picture.words(end, low, "only verdicts that", "small is-bad")
    picture.words(end, low + 18, "are there already:", "small is-bad")
    picture.words(end, low + 36, f"{percent(late.arrived_passes)} pass by mistake", "small is-bad strong")
    return picture


def alarm(found: measures.Alarms) -> Picture:
    """The evidence of harm stays low for as long as all is well, and climbs through the line when it is not."""
    delay = found.one_alarm - measures.JUMP
    picture = Picture(
        "What an alarm does",
        f"An agent gets worse after day {measures.JUMP}: 6 instead of 2 of 100 wrong; the guardrail is at 3 %. The "
        f"evidence of harm is {max(found.one[: measures.JUMP]):.1f} at most before, and crosses the alarm line of "
        f"1,000 after {delay} days.",
        410,
    )
    picture.head(
        f"From 2 to 6 wrong in 100: the alarm comes {delay} days later",
        "50 cases with a verdict a day, a guardrail at 3 %. A typical run out of 2,000.",
    )
    shown = found.one_alarm
    frame = Frame(picture, (1, shown + 4), (-0.5, 4), right=WIDTH - 32, bottom=340)
    frame.levels([0, 1, 2, 3, 4], lambda level: f"{10**level:,}")
    frame.ticks([1, 10, 20, 30, 40, 50, 60, 70], str, "day")
    change = frame.x(measures.JUMP + 0.5)
    picture.box((change, frame.top), (frame.right - change, frame.bottom - frame.top), "fill-bad-soft", round_by=0)
    picture.words(change - 10, frame.bottom - 12, "2 % wrong", "small quiet halo", anchor="end")
    picture.words(change + 10, frame.bottom - 12, "6 % wrong", "small is-bad")
    picture.line([(frame.left, frame.y(3)), (frame.right, frame.y(3))], "limit")
    picture.words(frame.x(2), frame.y(3) - 9, "alarm: one phase back, by itself", "small strong")
    courses = [(day, math.log10(value)) for day, value in enumerate(found.one[:shown], start=1)]
    picture.line(frame.places(courses), "ours")
    picture.words(frame.x(2), frame.y(0.95), "evidence of harm", "small is-ours strong halo")
    picture.dot(frame.x(found.one_alarm), frame.y(courses[found.one_alarm - 1][1]), "fill-bad", radius=6.5)
    return picture


def stated_confidence(groups: Sequence[measures.Stated]) -> Picture:
    """What a model said of itself, and how often it was right when it said so."""
    rows = [found for found in groups if found.confidence >= 0.5][::-1]
    said = "; ".join(f"{percent(g.confidence)}: {percent(1 - g.wrong / g.cases)} of {g.cases:,}" for g in rows)
    picture = Picture(
        "What a confidence is worth",
        f"How sure GPT-4o said it was, and how often it was right: {said}.",
        138 + 48 * len(rows),
    )
    picture.head(
        "It said 90 %. It was right in 69 %.", "GPT-4o on five sets of questions, grouped by how sure it said it was"
    )
    assert round(100 * (1 - next(g.wrong / g.cases for g in rows if g.confidence == 0.9))) == 69
    frame = Frame(picture, (0.3, 1), (0, 1), left=126, right=WIDTH - 152, top=84, bottom=92 + 48 * len(rows))
    for level in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        picture.line([(frame.x(level), frame.top), (frame.x(level), frame.bottom)], "grid")
        picture.words(frame.x(level), frame.bottom + 24, percent(level), "tick", anchor="middle")
    for row, found in enumerate(rows):
        _stated_row(picture, frame, frame.top + 32 + 48 * row, found)
    return picture


def _stated_row(picture: Picture, frame: Frame, y: float, found: measures.Stated) -> None:
    right = 1 - found.wrong / found.cases
    bounds = binomial.interval(found.wrong, found.cases)
    worse = right < found.confidence
    picture.words(28, y + 5, f"said {percent(found.confidence)}", "strong")
    picture.line([(frame.x(right), y), (frame.x(found.confidence), y)], "bad" if worse else "other")
    corner = (frame.x(1 - bounds.upper), y - 6)
    picture.box(corner, (frame.x(1 - bounds.lower) - corner[0], 12), "fill-soft", round_by=6)
    picture.dot(frame.x(right), y, "fill-bad" if worse else "fill-ours", radius=6)
    picture.parts.append(f'<circle cx="{frame.x(found.confidence):.1f}" cy="{y:.1f}" r="6" class="hollow line other"/>')
    side = -1 if worse else 1
    edge = frame.x(1 - bounds.upper) if worse else frame.x(1 - bounds.lower)
    look = "strong halo is-bad" if worse else "strong halo is-ours"
    picture.words(edge + 10 * side, y + 5, percent(right), look, anchor="end" if worse else "start")
    picture.words(WIDTH - 28, y + 5, f"{found.cases:,} answers", "small quiet", anchor="end")


def calibrations(found: dict[str, measures.Calibrated], shown: int = 200) -> Picture:
    """Each dot one calibration of the same agent: where the true error rate of its automated cases came to lie."""
    seen, ours = found["seen"], found["ours"]
    picture = Picture(
        "What a threshold promises",
        f"Thresholds for at most 5 % wrong, chosen on 1,000 labelled cases. By what was seen, {percent(seen.above)} of "
        f"the calibrations leave more than 5 % wrong; Phasegate's do in {percent(ours.above, 1)}. Automated on "
        f"average: {percent(seen.automated.mean())} and {percent(ours.automated.mean())} of the cases.",
        510,
    )
    picture.head(
        "200 calibrations of one agent, each on 1,000 labelled cases",
        "Every dot: how many of the cases above the threshold are really wrong. Asked for: at most 5 %.",
    )
    for top, name, named, words, tone in (
        (92, "seen", "chosen by what was seen", percent(seen.above), "is-bad"),
        (282, "ours", "Phasegate’s threshold", percent(ours.above, 1), "is-ours"),
    ):
        frame = Frame(picture, (0.02, 0.07), (0, 1), left=40, right=WIDTH - 40, top=top, bottom=top + 168)
        said = f"{words} too high, automates {percent(found[name].automated.mean())}"
        picture.words(frame.x(0.05) + 14, top + 16, named, f"small strong {tone}")
        picture.words(frame.x(0.05) + 14, top + 36, said, f"small {tone}")
        _swarm(picture, frame, found[name].error[:shown])
        picture.line([(frame.left, frame.bottom), (frame.right, frame.bottom)], "axis")
    picture.line([(frame.x(0.05), 92), (frame.x(0.05), frame.bottom)], "limit")
    frame.ticks([0.02, 0.03, 0.04, 0.05, 0.06, 0.07], percent, "really wrong among the automated cases")
    return picture


def _swarm(picture: Picture, frame: Frame, errors: measures.Floats) -> None:
    """Dots piled up in columns that begin at the limit, so that no column stands on both sides of it."""
    width = 8.4
    column = np.floor((np.clip(errors, *frame.across) - measures.LIMIT) / (frame.across[1] - frame.across[0])
                      * (frame.right - frame.left) / width - 1e-9).astype(int)  # fmt: skip
    for place, count in zip(*np.unique(column, return_counts=True), strict=True):
        for height in range(count):
            x, y = frame.x(measures.LIMIT) + (place + 0.5) * width, frame.bottom - 6 - width * height
            picture.dot(x, y, "fill-bad" if place >= 0 else "fill-ours", radius=3.6)
