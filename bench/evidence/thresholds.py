"""Thresholds on real data: what they automate, how often they are above the limit, and what others do on the same."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from bench.evidence import library, peers
from bench.evidence.drawing import Calibration, Ints
from bench.evidence.effort import Effort, random
from bench.evidence.report import SLACK, Mean, Section, Share
from bench.evidence.scenarios import ABSENT, DATA, NEVER, SCENARIOS, Scenario, population
from evidence.binomial import design_points
from evidence.thresholds import Groups, Mode, calibrate, group_counts, starts
from evidence.thresholds.chain import Exact, walk

DELTA = 0.05
TARGET = 0.575
Procedure = Callable[[Calibration, float], float]


def ours(mode: Mode, drawn: Calibration, risk: float) -> float:
    """
    The product's one-shot calibration, from the pieces that `calibrate` is made of.

    The exact tests of a number of labels are computed once for all draws, and what `calibrate` tells besides the
    threshold is left out; that both give the same thresholds is checked on some of the draws.
    """
    groups = Groups(drawn.confidence, drawn.accepted, drawn.wrong)
    points = _points(groups.labels, risk)
    if not len(points):
        return math.inf
    exact = Exact(points, np.searchsorted(points, groups.accepted, side="right") - 1)
    start = (starts.learned_start if mode is Mode.LEARNED_START else starts.fixed_start)(groups, exact)
    end = walk(groups, exact, start).end
    return end.confidence if end else math.inf


@lru_cache
def _points(labels: int, risk: float) -> Ints:
    return design_points(labels, risk, DELTA)


def by_calibrate(mode: Mode, drawn: Calibration, risk: float) -> float:
    """The same by `calibrate` itself."""
    groups = group_counts(zip(drawn.confidence.tolist(), drawn.cases.tolist(), drawn.errors.tolist(), strict=True))
    found = calibrate(groups, risk=risk, delta=DELTA, mode=mode).threshold
    return math.inf if found is None else found


DEFAULT, STRICT = "ours: learned start (BLS-FST)", "ours: fixed start (FST30s)"
HOLM, SEQUENCE, CLIPPED = "MAPIE Holm", "MAPIE sequence", "MAPIE sequence, grid clipped"
PROCEDURES: dict[str, Procedure] = {
    DEFAULT: partial(ours, Mode.LEARNED_START),
    STRICT: partial(ours, Mode.FIXED_START),
    "FST30": peers.fst30,
    "nested exact band": peers.nested_band,
    "SGR": peers.sgr,
    "LTT, Bonferroni 20": partial(peers.bonferroni, points=20),
    "LTT, Bonferroni 100": partial(peers.bonferroni, points=100),
    CLIPPED: partial(peers.controller, correction="fixed_sequence", clipped=True),
    SEQUENCE: partial(peers.controller, correction="fixed_sequence"),
    HOLM: partial(peers.controller, correction="bonferroni_holm"),
    "plug-in (no guarantee)": peers.plug_in,
}
OURS = (DEFAULT, STRICT)
OF_LIBRARY = dict(zip(library.CONFIGURATIONS, (HOLM, SEQUENCE, CLIPPED), strict=True))


class Measured(NamedTuple):
    """One procedure in one scenario: its coverage, and how many of the calibrations are above the limit."""

    coverage: Mean
    above: Share
    none: Share
    ahead: Mean
    """By how much it covers more than the product's default, calibration by calibration."""


Found = dict[str, Measured]


def _draws(name: str, risk: float, labels: int, draws: int) -> list[Calibration]:
    rng = random("thresholds", name, risk, labels)
    return [population(name).draw(labels, rng) for _ in range(draws)]


def _one_scenario(job: tuple[str, float, int, int]) -> Found:
    name, risk = job[:2]
    truth, drawn = population(name), _draws(*job)
    found, default = {}, np.zeros(len(drawn))
    for procedure, rule in PROCEDURES.items():
        thresholds = [rule(one, risk) for one in drawn]
        done = [truth.automated(threshold) for threshold in thresholds]
        coverage = np.array([one.coverage for one in done])
        if procedure == DEFAULT:  # the first
            default = coverage
        found[procedure] = Measured(
            Mean.of(coverage),
            Share(sum(one.risk > risk + 1e-12 for one in done), len(done)),
            Share(sum(map(math.isinf, thresholds)), len(done)),
            Mean.of(coverage - default),
        )
    return found


def per_scenario(section: Section, found: list[Found], chosen: tuple[Scenario, ...]) -> None:
    """Both modes of the product in every scenario, with all their claims."""
    table = section.table(
        "scenario",
        "oracle (published)",
        "learned start: coverage (published)",
        "above the limit",
        "fixed start: coverage",
        "above the limit ",
        "best valid MAPIE",
        "MAPIE ahead by",
        note="**Scenario by scenario.** Coverage: the share of all cases that is automated. Oracle: all labels known. "
        "MAPIE is the better of its Holm and sequence corrections, with its own grid or with the grid clipped by us to "
        "thresholds that enough cases reach.",
    )
    for scenario, measured in zip(chosen, found, strict=True):
        oracle = population(scenario.population).oracle(scenario.risk)
        best = max((measured[name] for name in (HOLM, SEQUENCE, CLIPPED)), key=lambda one: one.ahead.mean)
        default, strict = measured[DEFAULT], measured[STRICT]
        near = best.ahead.mean - SLACK * best.ahead.slack <= 0.02
        met = default.above.at_most(DELTA) and strict.above.at_most(DELTA) and near
        table.add(
            scenario.name,
            f"{oracle:.3f} ({scenario.oracle:.3f})",
            f"{default.coverage} ({scenario.learned:.3f})",
            default.above,
            strict.coverage,
            strict.above,
            best.coverage,
            f"{best.ahead.mean:+.3f} ± {best.ahead.error:.3f}",
            claim="both at most 5 % above; at most .02 less than MAPIE",
            met=met,
        )
    _same_populations(section, chosen)


def _same_populations(section: Section, chosen: tuple[Scenario, ...]) -> None:
    table = section.table("populations", "largest difference of an oracle to the published one")
    most = max(abs(population(one.population).oracle(one.risk) - one.oracle) for one in chosen)
    table.add(len({one.population for one in chosen}), f"{most:.4f} (exact)", claim="below .001", met=most < 0.001)


def overall(section: Section, found: list[Found], chosen: tuple[Scenario, ...]) -> None:
    """Every procedure over all scenarios."""
    table = section.table(
        "procedure",
        "relative coverage",
        *(f"n={labels}" for labels in (300, 1000, 3000)),
        "most above the limit",
        "above on average",
        "no threshold",
        note=f"**All procedures, the same draws**, mean over {len(chosen)} scenarios of coverage / oracle.",
    )
    for name in PROCEDURES:
        relative = [
            one[name].coverage.relative_to(scenario.oracle) for one, scenario in zip(found, chosen, strict=True)
        ]
        mean = Mean.over(relative)
        by_labels = [
            Mean.over([one for one, scenario in zip(relative, chosen, strict=True) if scenario.labels == labels])
            for labels in (300, 1000, 3000)
        ]
        above = [one[name].above for one in found]
        claim, met = None, None
        if name in OURS:
            claim, met = "above: at most 5 % everywhere", all(one.at_most(DELTA) for one in above)
        if name == DEFAULT:
            claim, met = f"{claim}; coverage at least {TARGET}", bool(met) and mean.at_least(TARGET)
        most = max(above, key=lambda one: one.rate)
        average = f"{100 * np.mean([one.rate for one in above]):.2f} %"
        none = f"{100 * np.mean([one[name].none.rate for one in found]):.0f} %"
        table.add(name, mean, *by_labels, most, average, none, claim=claim, met=met)


def no_threshold(section: Section, effort: Effort) -> None:
    """Populations that cannot be automated at all."""
    table = section.table(
        "population",
        "target",
        "labels",
        "wrong altogether",
        "oracle",
        "learned start: a threshold is given",
        "fixed start: a threshold is given",
        note="**Where the honest answer is no.** pandalm: gpt-3.5 against the majority of three people (items without "
        "one left out), sure where the second AI judge agrees. tau_airline: the first of the four dependent trials of "
        "each task, surer the fewer messages. Neither comes with a confidence.",
    )
    for name, risks in NEVER.items():
        truth = population(name)
        for risk in risks:
            drawn = _draws(name, risk, 300, effort.thresholds)
            given = [
                Share(sum(math.isfinite(PROCEDURES[mode](one, risk)) for one in drawn), len(drawn)) for mode in OURS
            ]
            met = all(one.at_most(DELTA) for one in given) and truth.oracle(risk) == 0
            wrong = f"{100 * truth.error.mean():.1f} %"
            oracle = f"{truth.oracle(risk):.3f}"
            claim = "oracle 0, and a threshold in at most 5 %"
            table.add(name, f"{100 * risk:.0f} %", 300, wrong, oracle, *given, claim=claim, met=met)


def _differing(job: tuple[str, float, int, int]) -> list[int]:
    """For both modes on how many draws `calibrate` gives another threshold."""
    drawn = _draws(*job)
    return [sum(by_calibrate(mode, one, job[1]) != ours(mode, one, job[1]) for one in drawn) for mode in Mode]


def calibrate_itself(section: Section, effort: Effort, chosen: tuple[Scenario, ...]) -> None:
    table = section.table("measured above against `calibrate` itself", "calibrations", "thresholds that differ")
    jobs = [(one.population, one.risk, one.labels, effort.library) for one in chosen]
    found = effort.spread(_differing, jobs)
    for mode, different in zip(Mode, np.sum(found, axis=0).tolist(), strict=True):
        table.add(mode.value, effort.library * len(jobs), different, claim="none differs", met=different == 0)


Pairs = dict[str, list[tuple[float, float]]]


def _by_library(jobs: list[tuple[str, float, int, int]]) -> list[Pairs]:
    """For every scenario and configuration pairs of the library's own threshold and of our re-computation."""
    drawn = [(one, job[1]) for job in jobs for one in _draws(*job)]
    theirs = library.run([(one, risk, peers.clipped_grid(one, risk, DELTA)) for one, risk in drawn], DELTA)
    found: list[Pairs] = []
    for place, job in enumerate(jobs):
        own = slice(place * job[3], (place + 1) * job[3])
        both = list(zip(theirs[own], drawn[own], strict=True))
        found.append(
            {
                name: [(their[configuration], PROCEDURES[name](one, risk)) for their, (one, risk) in both]
                for configuration, name in OF_LIBRARY.items()
            }
        )
    return found


def library_itself(section: Section, effort: Effort, chosen: tuple[Scenario, ...]) -> None:
    version = library.version()
    if version is None:
        section.left_out.append(
            "the library MAPIE itself, for it is not installed in .venv-bench; its rule, computed anew by us and held "
            "against its vectors, stands above"
        )
        return
    table = section.table(
        "configuration",
        "calibrations",
        "same threshold as our re-computation",
        "relative coverage of the library",
        note=f"**MAPIE {version} itself**, on the first {effort.library} of the same draws of each scenario.",
    )
    jobs = [(one.population, one.risk, one.labels, effort.library) for one in chosen]
    batches = [jobs[start :: effort.workers] for start in range(effort.workers)]
    by_batch = effort.spread(_by_library, [batch for batch in batches if batch])
    found = [by_batch[place % effort.workers][place // effort.workers] for place in range(len(jobs))]
    for name in OF_LIBRARY.values():
        pairs = [pair for one in found for pair in one[name]]
        same = Share(sum(abs(a - b) < 1e-9 or a == b for a, b in pairs), len(pairs))
        relative = [
            Mean.of([population(at.population).automated(a).coverage for a, _ in one[name]]).relative_to(at.oracle)
            for one, at in zip(found, chosen, strict=True)
        ]
        table.add(name, len(pairs), same, Mean.over(relative), claim="all the same", met=same.count == same.runs)


def run(effort: Effort, chosen: tuple[Scenario, ...] = SCENARIOS) -> Section:
    section = Section(
        "Thresholds with a guarantee",
        "A calibration draws labelled cases from a finite real population with replacement; the threshold it gives is "
        "then judged by the whole population. Above the limit: the true share of wrong outputs among the automated "
        f"exceeds the target. {effort.thresholds:,} calibrations a scenario, delta 5 %. Allowed for chance: three "
        "standard errors.",
    )
    if not DATA.is_dir():
        section.left_out.append("all of it, for the folder ../shared/data is not here")
        return section
    section.left_out.append(ABSENT)
    jobs = [(one.population, one.risk, one.labels, effort.thresholds) for one in chosen]
    found = effort.spread(_one_scenario, sorted(jobs, key=lambda job: -job[2]))
    by_job = dict(zip(sorted(jobs, key=lambda job: -job[2]), found, strict=True))
    in_order = [by_job[job] for job in jobs]
    overall(section, in_order, chosen)
    per_scenario(section, in_order, chosen)
    no_threshold(section, effort)
    calibrate_itself(section, effort, chosen)
    library_itself(section, effort, chosen)
    return section
