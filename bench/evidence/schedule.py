"""Thresholds that are set anew while labels come in: thirty declared looks, and how often any of them is wrong."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from bench.evidence import peers
from bench.evidence.drawing import Floats, Ints, calibration_of
from bench.evidence.effort import Effort, random
from bench.evidence.report import Mean, Section, Share
from bench.evidence.scenarios import DATA, population
from evidence.thresholds import Mode, Schedule, begin, calibrate, counts_on, group, look, start_on

LOOKS = tuple(range(100, 3001, 100))
SHOWN = (300, 1000, 3000)
FEWEST = 200
BLOCK = 50


class Plan(NamedTuple):
    """A way of setting thresholds anew, and the coverages that were published for it."""

    name: str
    delta: float
    go_live: int | None
    open_ended: bool
    published: dict[tuple[str, float], tuple[float, float, float]]

    def schedule(self, start: int, risk: float) -> Schedule:
        looks = None if self.open_ended else tuple(one for one in LOOKS if one > (self.go_live or 0))
        return Schedule(start=start, looks=looks, risk=risk, delta=self.delta, go_live=self.go_live)


DATASETS = (("banking77", 0.05), ("clinc150", 0.05), ("snips", 0.05), ("banking77", 0.02))
GO_LIVE_DELTA = 0.02
PLANS = (
    Plan(
        "thirty looks",
        0.05,
        None,
        open_ended=False,
        published=dict(
            zip(
                DATASETS,
                ((0.510, 0.856, 0.882), (0.313, 0.750, 0.778), (0.144, 0.422, 0.483), (0.000, 0.449, 0.703)),
                strict=True,
            )
        ),
    ),
    Plan(
        "go-live at 300, then looks",
        0.03,
        300,
        open_ended=False,
        published=dict(
            zip(
                DATASETS,
                ((0.733, 0.853, 0.880), (0.556, 0.745, 0.776), (0.157, 0.411, 0.479), (0.095, 0.383, 0.697)),
                strict=True,
            )
        ),
    ),
    Plan(
        "looks without a horizon",
        0.05,
        None,
        open_ended=True,
        published=dict(
            zip(
                DATASETS,
                ((0.604, 0.850, 0.875), (0.378, 0.742, 0.770), (0.159, 0.410, 0.467), (0.000, 0.435, 0.669)),
                strict=True,
            )
        ),
    ),
)
AGAIN = {"FST30 at every look (not allowed)": peers.fst30, "plug-in at every look (no guarantee)": peers.plug_in}


class Stream(NamedTuple):
    """The labels of one run in the order they came in."""

    confidence: Floats
    error: Ints


def _stream(name: str, rng: np.random.Generator) -> Stream:
    cases = population(name)
    chosen = rng.integers(0, len(cases.error), LOOKS[-1])
    return Stream(cases.confidence[chosen], cases.error[chosen])


def _counts(stream: Stream, grid: Floats) -> tuple[Ints, Ints]:
    """Cases and errors at or above each grid point at each look; both of shape (looks, grid)."""
    place = np.searchsorted(-grid, -stream.confidence)
    block = np.arange(LOOKS[-1]) // LOOKS[0]
    size = (len(LOOKS), len(grid) + 1)
    flat = block * size[1] + place
    cases = np.bincount(flat, minlength=size[0] * size[1]).reshape(size)
    errors = np.bincount(flat, weights=stream.error, minlength=size[0] * size[1]).astype(np.int64).reshape(size)
    return cases.cumsum(axis=0).cumsum(axis=1)[:, :-1], errors.cumsum(axis=0).cumsum(axis=1)[:, :-1]


def crossings(cases: Ints, errors: Ints, budgets: Floats, risk: float) -> np.ndarray:
    """
    Whether each path has crossed its boundary by each look; `cases` and `errors` of shape (looks, paths).

    All paths at once, where the product carries one point at a time: the same boundary, and held against the
    product's in `differing`.
    """
    highest = math.ceil(risk * int(cases[-1].max())) + 1
    running = np.zeros((cases.shape[1], highest))
    running[:, 0] = 1.0
    used, before = np.zeros(cases.shape[1]), np.zeros(cases.shape[1], dtype=np.int64)
    crossed = np.zeros(cases.shape, dtype=bool)
    number = np.arange(highest)
    for place, budget in enumerate(budgets):
        running = _carried(running, cases[place] - before, risk)
        before = cases[place]
        chance = np.cumsum(running, axis=1)
        allowed = (number < risk * before[:, None]) & (used[:, None] + chance <= budget)
        bound = allowed.sum(axis=1) - 1
        used += np.where(bound >= 0, chance[np.arange(len(bound)), np.maximum(bound, 0)], 0.0)
        running[number <= bound[:, None]] = 0.0
        crossed[place] = errors[place] <= bound
    return np.logical_or.accumulate(crossed, axis=0)


def _carried(running: Floats, more: Ints, risk: float) -> Floats:
    table = _added(int(more.max()), risk)
    carried = running * table[more, 0, None]
    for errors in range(1, min(table.shape[1], running.shape[1])):
        carried[:, errors:] += running[:, :-errors] * table[more, errors, None]
    return carried


@lru_cache
def _added(most: int, risk: float) -> Floats:
    """The chance of so many errors in so many further cases, shape (most + 1, errors), cut where it is negligible."""
    width = int(stats.binom.isf(1e-18, most, risk)) + 2 if most else 1
    return np.asarray(stats.binom.pmf(np.arange(width)[None, :], np.arange(most + 1)[:, None], risk))


def _thresholds(plan: Plan, streams: list[Stream], risk: float) -> Floats:
    """The threshold after each look of each run, inf for none; shape (runs, looks)."""
    found = np.full((len(streams), len(LOOKS)), np.inf)
    grid = np.array(Schedule(start=0).grid)
    starts = [start_on(grid, stream.confidence[:FEWEST]) for stream in streams]
    opened = np.array([_go_live(plan, stream, risk) for stream in streams])
    used = [place for place, labels in enumerate(LOOKS) if labels > (plan.go_live or 0)]
    budgets = np.array([plan.schedule(0, risk).spent(LOOKS[place]) * plan.delta for place in used])
    counted = [_counts(stream, grid[start:]) for stream, start in zip(streams, starts, strict=True)]
    cases, errors = (np.concatenate([one[part] for one in counted], axis=1)[used] for part in (0, 1))
    crossed = np.split(crossings(cases, errors, budgets, risk), np.cumsum([one[0].shape[1] for one in counted])[:-1], 1)
    for run, (done, start) in enumerate(zip(crossed, starts, strict=True)):
        passed = np.logical_and.accumulate(done | (grid[start:] >= opened[run]), axis=1).sum(axis=1)
        lowest = np.where(passed > 0, grid[start + np.maximum(passed, 1) - 1], np.inf)
        found[run, used] = np.minimum(lowest, opened[run])
    if plan.go_live:
        found[:, LOOKS.index(plan.go_live)] = opened
    found[:, np.array(LOOKS) < FEWEST] = np.inf
    return found


def _go_live(plan: Plan, stream: Stream, risk: float) -> float:
    if plan.go_live is None:
        return math.inf
    groups = group(stream.confidence[: plan.go_live], stream.error[: plan.go_live])
    found = calibrate(groups, risk=risk, delta=GO_LIVE_DELTA, mode=Mode.LEARNED_START).threshold
    return math.inf if found is None else found


def by_the_product(plan: Plan, stream: Stream, risk: float) -> list[float]:
    """The same for one run by the product's own functions, look by look."""
    grid = Schedule(start=0).grid
    schedule = plan.schedule(start_on(grid, stream.confidence[:FEWEST]), risk)
    groups = group(stream.confidence[: plan.go_live or 0], stream.error[: plan.go_live or 0])
    answer = calibrate(groups, risk=risk, delta=GO_LIVE_DELTA) if plan.go_live else None
    state = begin(schedule, answer)
    found = []
    for labels in LOOKS:
        threshold = answer.threshold if answer and labels == plan.go_live else None
        if labels > (plan.go_live or 0):
            counts = counts_on(grid, group(stream.confidence[:labels], stream.error[:labels]))
            state, standing = look(schedule, state, labels, counts)
            threshold = standing.threshold
        found.append(math.inf if threshold is None else threshold)
    return found


def _by_rule(name: str, streams: list[Stream], risk: float) -> Floats:
    rule = AGAIN[name]
    return np.array(
        [
            [
                rule(calibration_of(stream.confidence[:labels], stream.error[:labels]), risk)
                if labels >= FEWEST
                else math.inf
                for labels in LOOKS
            ]
            for stream in streams
        ]
    )


Runs = tuple[list[bool], list[list[float]]]


def _block(job: tuple[str, str, float, int, int]) -> Runs:
    """Which runs are ever above the limit, and their coverages at the looks that are shown."""
    way, name, risk, block, runs = job
    rng = random("schedule", name, risk, block)
    streams = [_stream(name, rng) for _ in range(runs)]
    plan = next((one for one in PLANS if one.name == way), None)
    thresholds = _thresholds(plan, streams, risk) if plan else _by_rule(way, streams, risk)
    truth = population(name)
    done = [[truth.automated(threshold) for threshold in run] for run in thresholds.tolist()]
    shown = [LOOKS.index(labels) for labels in SHOWN]
    above = [any(one.risk > risk + 1e-12 for one in run) for run in done]
    return above, [[run[place].coverage for place in shown] for run in done]


def _differing(job: tuple[Plan, str, float]) -> int:
    plan, name, risk = job
    stream = _stream(name, random("schedule", "check", name, risk))
    ours = _thresholds(plan, [stream], risk)[0].tolist()
    return sum(a != b for a, b in zip(ours, by_the_product(plan, stream, risk), strict=True))


def _jobs(ways: list[str], runs: int) -> list[tuple[str, str, float, int, int]]:
    starts = range(0, runs, BLOCK)
    return [
        (way, name, risk, start, min(BLOCK, runs - start))
        for way in ways
        for name, risk in DATASETS
        for start in starts
    ]


def run(effort: Effort) -> Section:
    section = Section(
        "Thresholds set anew at thirty looks",
        f"Every 100 labels up to 3,000, drawn with replacement; {effort.schedule:,} runs. Ever above: at some of the "
        "looks the true share of wrong outputs among the automated exceeds the target. Coverage may be .01 less than "
        "published for the plan, and three standard errors.",
    )
    if not DATA.is_dir():
        section.left_out.append("all of it, for the folder ../shared/data is not here")
        return section
    table = section.table("plan", "data", "ever above", *(f"coverage at {labels} (published)" for labels in SHOWN))
    jobs = _jobs([plan.name for plan in PLANS] + list(AGAIN), effort.schedule)
    found: dict[tuple[str, str, float], list[Runs]] = {}
    for job, runs in zip(jobs, effort.spread(_block, jobs), strict=True):
        found.setdefault(job[:3], []).append(runs)
    for (way, name, risk), blocks in found.items():
        above = [one for block in blocks for one in block[0]]
        coverages = np.array([row for block in blocks for row in block[1]])
        share, means = Share(sum(above), len(above)), [Mean.of(column) for column in coverages.T]
        plan = next((one for one in PLANS if one.name == way), None)
        data = f"{name} {100 * risk:.0f} %"
        if plan is None:
            table.add(way, data, share, *means)
            continue
        published = plan.published[name, risk]
        reached = all(mean.at_least(wanted - 0.01) for mean, wanted in zip(means, published, strict=True))
        cells = [f"{mean} ({wanted:.3f})" for mean, wanted in zip(means, published, strict=True)]
        claim = "ever above in at most 5 %; coverage as published less .01"
        table.add(way, data, share, *cells, claim=claim, met=share.at_most(0.05) and reached)
    _check(section, effort)
    return section


def _check(section: Section, effort: Effort) -> None:
    table = section.table("simulated against the product's own looks, one stream each", "thresholds that differ")
    jobs = [(plan, *DATASETS[place]) for place, plan in enumerate(PLANS)]
    for (plan, name, risk), different in zip(jobs, effort.spread(_differing, jobs), strict=True):
        table.add(f"{plan.name}, {name} {100 * risk:.0f} %", different, claim="none differs", met=different == 0)
