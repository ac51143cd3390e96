"""
A plan as a file: reads it with a line for every problem, writes it back, and describes it to editors.

All problems are told at once, those of the shape and those of the sense.
"""

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from rollout.domain import plan_rules
from rollout.domain.gate_rules import Flaw
from rollout.domain.phase import Phase
from rollout.domain.plan import RAMP, Gate, Guardrail, Plan, ReadinessItem, Window
from rollout.domain.plan_rules import PhaseParts
from rollout.domain.shape_errors import shape_flaws
from rollout.domain.threshold_plan import ThresholdPlan, threshold_flaws
from rollout.domain.yaml_tree import FileInvalid, Path, Problem, Source, plain, read_yaml, words_of

Part = TypeVar("Part", bound=BaseModel)


class PlanInvalid(FileInvalid):
    code = "plan-invalid"
    title = "The plan is not valid"


def load_plan(text: str | bytes) -> Plan:
    """Read a plan from YAML (or JSON). Raises `PlanInvalid` with every problem and its line."""
    try:
        source = read_yaml(text)
    except FileInvalid as refused:
        raise PlanInvalid(list(refused.problems)) from None
    return _checked(source)


def plan_from_data(data: Any) -> Plan:
    """The same for a plan that came as data, in a JSON body; its problems have places but no lines."""
    return _checked(Source(data, {}))


def dump_plan(plan: Plan) -> str:
    """The whole plan as YAML, with every default written out; reads back as an equal plan."""
    return dump_yaml(plan.body())


def dump_yaml(data: Any) -> str:
    """Plain data as YAML that our reader reads back as it was."""
    stream = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 100
    writer.allow_unicode = True
    writer.dump(data, stream)
    return stream.getvalue()


def plan_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a plan, for editors."""
    schema = Plan.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Phasegate plan"}


class _Representer(SafeRepresenter):
    """Quotes every text that our reader would take for something else."""

    def represent_str(self, data: str) -> Any:
        style = None if plain(data) == data and isinstance(plain(data), str) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Representer.add_representer(str, _Representer.represent_str)


def _checked(source: Source) -> Plan:
    plan: Plan | None = None
    flaws: list[Flaw] = []
    try:
        plan = Plan.model_validate_json(json.dumps(source.data), strict=True)
    except ValidationError as error:
        flaws = shape_flaws(error, source.data)
    if isinstance(source.data, dict):
        flaws += _senseless(source.data, told={flaw.path for flaw in flaws})
    if plan is None or flaws:
        raise PlanInvalid([_problem(source, flaw) for flaw in flaws])
    return plan


def _problem(source: Source, flaw: Flaw) -> Problem:
    return Problem(*source.mark(flaw.path), words_of(flaw.path), flaw.problem, flaw.mend)


def _senseless(data: Mapping[str, Any], told: set[Path]) -> list[Flaw]:
    """What the rules say of the well-formed parts."""
    phases = _mapping(data.get("phases"))
    found: list[Flaw] = []
    items: list[tuple[Path, ReadinessItem]] = []
    for phase in Phase:
        if isinstance(phases.get(phase.value), dict):
            parts = _parts(phase, phases[phase.value])
            found += plan_rules.phase_flaws(parts)
            items += [((*parts.path, "readiness", at), item) for at, item in parts.readiness.items()]
    found += plan_rules.readiness_flaws(items)
    for index, window in _valid(Window, data.get("windows")).items():
        found += [Flaw(("windows", index, *path), *rest) for path, *rest in plan_rules.window_flaws(window)]
    for threshold in _valid(ThresholdPlan, [data.get("threshold")]).values():
        found += [Flaw(("threshold", *path), *rest) for path, *rest in threshold_flaws(threshold)]
    second = _mapping(data.get("approvals")).get("second_person_for")
    found += plan_rules.approval_flaws([_phase(name) for name in second] if isinstance(second, list) else [])
    found += plan_rules.small_change_flaws(_phase(data.get("small_change_may_start_in")))
    return [flaw for flaw in found if flaw.path not in told]


def _parts(phase: Phase, data: Mapping[str, Any]) -> PhaseParts:
    gates, guardrails = _valid(Gate, data.get("gates")), _valid(Guardrail, data.get("guardrails"))
    whole = all(
        len(valid) == len(data.get(name) or ())
        for name, valid in (("gates", gates), ("guardrails", guardrails))
        if isinstance(data.get(name) or [], list)
    )
    return PhaseParts(
        phase=phase,
        gates=gates,
        guardrails=guardrails,
        ramp=_ramp(data.get("ramp", RAMP)),
        readiness=_valid(ReadinessItem, data.get("readiness")),
        complete=whole,
    )


def _ramp(ramp: Any) -> tuple[float, ...]:
    """The ramp, or the usual one where it is malformed: the shape has been told by then."""
    shares = tuple(ramp) if isinstance(ramp, list | tuple) else RAMP
    return shares if all(type(share) in {int, float} for share in shares) else RAMP


def _valid(model: type[Part], items: Any) -> dict[int, Part]:
    """The well-formed ones of a list, by their index."""
    return dict(_each_valid(model, items if isinstance(items, list) else []))


def _each_valid(model: type[Part], items: list[Any]) -> Iterator[tuple[int, Part]]:
    for index, item in enumerate(items):
        try:
            yield index, model.model_validate_json(json.dumps(item), strict=True)
        except ValidationError:
            continue


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {}


def _phase(name: Any) -> Phase | None:
    return next((phase for phase in Phase if phase.value == name), None)
