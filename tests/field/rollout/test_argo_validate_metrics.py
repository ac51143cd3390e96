"""Which metric specifications are refused, against our plan loader."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.unit.rollout.making import plan_data

GATE: dict[str, Any] = {"metric": "override_rate", "at_most": 0.05}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
WITHOUT_COUNTERPART = {"inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit"}
KNOWN = WITHOUT_COUNTERPART | {"count", "failureLimit", "interval", "initialDelay", "provider", "providers"}


def hold(case: Case) -> Divergence | None:
    try:
        plan: Plan | None = plan_from_data(in_our_words(case))
        problems = []
    except PlanInvalid as refused:
        plan, problems = None, list(refused.problems)
    for problem in problems:
        assert problem.place.startswith("phases")
        assert problem.problem
        assert problem.mend
    assert times_refused(case) is any(problem.place.endswith(("look_every", "minimum_days")) for problem in problems)
    if (plan is not None) is (case["error"] is None):
        return None
    if plan is not None:  # theirs wants an interval, ours has one
        assert "interval must be specified" in case["error"]
        assert plan.phase(Phase.SUPERVISED).look_every == 24
        return Divergence.DEFAULT_LOOK
    told = " ".join(problem.problem for problem in problems)
    if "passes whatever happens" in told:
        return Divergence.CANNOT_FAIL
    assert "there is no field" in told
    return Divergence.OTHER_FIELDS


def times_refused(case: Case) -> bool:
    """Whether it has a time that nobody can read, which is to be told at its own place."""
    spec = case.get("metric", {})
    return any(seconds_in(spec[name]) is None for name in ("interval", "initialDelay") if name in spec)


def in_our_words(case: Case) -> dict[str, Any]:
    """The same plan, as our author would try to write it."""
    data = plan_data()
    phase = data["phases"]["supervised"]
    if "metrics" in case:
        phase["gates"] = [dict(GATE) for _ in case["metrics"]]
    elif "metrics_names" in case:
        phase["gates"] = [{**GATE, "name": name} for name in case["metrics_names"]]
    elif "metric" in case and set(case["metric"]) <= KNOWN:
        phase["gates"] = [gate_of(case["metric"])]
        phase |= timing_of(case["metric"])
    else:
        raise Unmapped(case)
    return data


def gate_of(spec: Case) -> dict[str, Any]:
    written = dict(GATE)
    count = spec.get("count", 0)
    if count:
        written["minimum_cases"] = count
    if (tolerated := spec.get("failureLimit")) is not None:
        if tolerated == -1:
            del written["at_most"]  # no limit at all
        elif count or tolerated < 0:
            written["at_most"] = tolerated / max(count, 1)
        else:
            written["failureLimit"] = tolerated  # so many of any number is no rate
    written |= {name: spec[name] for name in WITHOUT_COUNTERPART & set(spec)}
    if "provider" in spec and spec["provider"] is None:
        del written["metric"]
    if "providers" in spec:
        written["metric"] = ["override_rate"] * spec["providers"]
    return written


def timing_of(spec: Case) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if "interval" in spec:
        seconds = seconds_in(spec["interval"])
        written["look_every"] = spec["interval"] if seconds is None else seconds / 3600
    if "initialDelay" in spec:
        seconds = seconds_in(spec["initialDelay"])
        written["minimum_days"] = spec["initialDelay"] if seconds is None else math.ceil(seconds / 86400)
    return written


def seconds_in(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]+)([smhd])", text)
    return int(found[1]) * SECONDS[found[2]] if found else None


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("argo.validate_metrics"):
        hold(case)


def test_what_both_refuse_ours_refuses_at_its_place(cases: Callable[[str], list[Case]]) -> None:
    refused = [case for case in cases("argo.validate_metrics") if case["error"] and hold(case) is None]

    assert len(refused) > len(cases("argo.validate_metrics")) // 2
    for case in refused:
        with pytest.raises(PlanInvalid, match="supervised"):
            plan_from_data(in_our_words(case))
