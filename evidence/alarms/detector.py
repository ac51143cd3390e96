"""
Says, case by case, whether a rate has moved past the level that was tolerated, at a false-alarm rate chosen beforehand.

The e-detector in Shiryaev-Roberts form (Shin, Ramdas, Rinaldo 2024, arXiv 2203.03532): for every alternative rate q,

    M(t) = (M(t-1) + 1) * L(x),   L(bad) = q / reference,   L(good) = (1 - q) / (1 - reference),

which is the sum, over every case at which a change may have begun, of the likelihood ratio since then. The alarm comes
when the mean of M over the alternatives reaches A. While every case is bad with a probability of `reference` at most,
given all before it, the mean less the number of cases never grows on average. So false alarms come A cases or more
apart on average, within t cases with probability t/A at most, and, restarted after each, t/A of them at most are to be
expected. With all alternatives below the reference it watches for a rate that has fallen.

How it relates to `sequences.log_harm`: the same sum, but there a change may begin only where a day begins, the
alternatives are a beta distribution, and A is counted in days. That one needs no state and is recomputed from daily
totals, so guardrails of a plan use it; this one reacts within the day, and is kept case by case.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence.binomial import checked_amount, checked_counts, checked_rate, checked_whole

CASES_BETWEEN_ALARMS = 20_000.0
"""The default of A: at the edge of what is tolerated, one false alarm in this many cases of a stream."""


@dataclass(frozen=True, slots=True)
class DetectorState:
    """
    Where a detector stands after the case at position `through` of its stream. Plain numbers, fit for JSON.

    `logs` holds log(1 + M) for each alternative: zero at the start, and finite however long the stream.
    `cases` and `bad` count since the last start; `alarmed_at` is the position that raised the alarm, which stays until
    somebody restarts; `alarms` counts them over all restarts.
    """

    logs: tuple[float, ...]
    through: int = 0
    cases: int = 0
    bad: int = 0
    alarmed_at: int | None = None
    alarms: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"logs": list(self.logs)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "DetectorState":
        """Read what `to_dict` wrote. Raises ValueError for what no detector can have written."""
        if set(stored) != set(cls.__slots__):
            raise ValueError(
                f"a detector's state must hold {', '.join(cls.__slots__)}, not {', '.join(sorted(stored))}"
            )
        logs = tuple(checked_amount(log, f"logs[{place}]") for place, log in enumerate(stored["logs"]))
        if not logs:
            raise ValueError("logs must hold one sum for each alternative, but is empty")
        bad, cases = checked_counts(stored["bad"], stored["cases"])
        through = checked_whole(stored["through"], "through")
        at = stored["alarmed_at"]
        alarmed_at = None if at is None else checked_whole(at, "alarmed_at")
        if cases > through or (alarmed_at or 0) > through:
            raise ValueError(f"through must be the last position counted, but is {through}")
        return cls(logs, through, cases, bad, alarmed_at, checked_whole(stored["alarms"], "alarms"))


@dataclass(frozen=True, slots=True)
class Detector:
    """
    What is watched for: a rate beyond `reference`, at the `alternatives` (all above it, or all below it).

    `cases_between_alarms` is A, in cases of this stream, more than 1. Raises ValueError for anything else.
    """

    reference: float
    alternatives: tuple[float, ...]
    cases_between_alarms: float = CASES_BETWEEN_ALARMS
    _if_bad: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _if_good: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _threshold: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reference = checked_rate(self.reference, "reference")
        rates = tuple(checked_rate(q, f"alternatives[{place}]") for place, q in enumerate(self.alternatives))
        if not rates or not (min(rates) > reference or max(rates) < reference):
            raise ValueError(f"alternatives must all lie above or all below {reference}, not {rates!r}")
        if not checked_amount(self.cases_between_alarms, "cases_between_alarms") > 1.0:
            raise ValueError(f"cases_between_alarms must be finite and above 1, not {self.cases_between_alarms!r}")
        put = object.__setattr__
        put(self, "alternatives", rates)
        put(self, "_if_bad", tuple(math.log(q / reference) for q in rates))
        put(self, "_if_good", tuple(math.log1p(-q) - math.log1p(-reference) for q in rates))
        put(self, "_threshold", math.log(self.cases_between_alarms) + math.log(len(rates)))

    def start(self, through: int = 0) -> DetectorState:
        """A detector that has seen nothing yet, and whose first case will be the one after position `through`."""
        return DetectorState((0.0,) * len(self.alternatives), checked_whole(through, "through"))

    def update(self, state: DetectorState, bad: bool, position: int | None = None) -> DetectorState:
        """
        Count the next case of the stream; the order of cases matters, and is that of the decisions.

        `position` numbers the cases of a stream from 1 without gaps. One that was counted already changes nothing, so
        a message may be delivered twice (the first verdict stays); one that leaves a gap raises ValueError, for what
        is missing could not be counted later. Without `position` the case is taken for the next one.
        """
        if bad not in (0, 1):  # a verdict that is missing is no good one
            raise ValueError(f"bad must be true or false, not {bad!r}")
        if position is not None and self._seen(state, position, 1):
            return state
        ratios = self._if_bad if bad else self._if_good
        return self._next(state, ratios, int(bad), 1)

    def update_many(self, state: DetectorState, bad: int, cases: int, first: int | None = None) -> DetectorState:
        """
        Count a block of cases of which only the totals are known, such as a day.

        A change may then have begun before the block but not inside it: of the sum the block keeps the terms that its
        totals determine, M = (M + 1) * L(bad)^bad * L(good)^(cases - bad). That is never more than case by case in
        any order, so every bound on false alarms holds for any way of cutting blocks; the price is a later alarm.
        A block of one case is `update`. `first` is the position of its first case: a block that was counted whole
        changes nothing, one that was counted in part raises ValueError.
        """
        bad, cases = checked_counts(bad, cases)
        if not cases or (first is not None and self._seen(state, first, cases)):
            return state
        pairs = zip(self._if_bad, self._if_good, strict=True)
        return self._next(state, tuple(bad * up + (cases - bad) * down for up, down in pairs), bad, cases)

    def restarted(self, state: DetectorState) -> DetectorState:
        """The detector after somebody has acted on its alarm: it forgets the evidence, not its place in the stream."""
        return DetectorState((0.0,) * len(self.alternatives), through=state.through, alarms=state.alarms)

    def log_evidence(self, state: DetectorState) -> float:
        """Log of the mean of M; minus infinity before the first case. The alarm comes at log(A)."""
        logs = self._checked(state).logs
        return _log_sum(tuple(_log_expm1(log) for log in logs)) - math.log(len(logs))

    def alarmed(self, state: DetectorState) -> bool:
        """Whether A has been reached since the last start; it stays so although the evidence may have sunk since."""
        return self._checked(state).alarmed_at is not None

    def _next(self, state: DetectorState, ratios: tuple[float, ...], bad: int, cases: int) -> DetectorState:
        sums = [log + ratio for log, ratio in zip(self._checked(state).logs, ratios, strict=True)]
        at, through = state.alarmed_at, state.through + cases
        raised = at is None and _log_sum(tuple(sums)) >= self._threshold
        return DetectorState(
            tuple([log + math.log1p(math.exp(-log)) if log > 0.0 else math.log1p(math.exp(log)) for log in sums]),
            through,
            state.cases + cases,
            state.bad + bad,
            through if raised else at,
            state.alarms + raised,
        )

    def _checked(self, state: DetectorState) -> DetectorState:
        if len(state.logs) != len(self.alternatives):
            raise ValueError(f"the state has {len(state.logs)} sums for {len(self.alternatives)} alternatives")
        return state

    @staticmethod
    def _seen(state: DetectorState, first: int, cases: int) -> bool:
        """Whether these positions are counted already; neither quite nor next in line is an error."""
        first = checked_whole(first, "position")
        if not first:
            raise ValueError("position must be at least 1")
        last = first + cases - 1
        if last <= state.through:
            return True
        if first != state.through + 1:
            raise ValueError(f"position must be {state.through + 1}, the next of the stream, not {first}")
        return False


def _log_sum(logs: tuple[float, ...]) -> float:
    most = max(logs)
    if most == -math.inf:
        return most
    return most + math.log(math.fsum([math.exp(log - most) for log in logs]))


def _log_expm1(log: float) -> float:
    """Log of exp(log) - 1, for a `log` that is never negative."""
    return log + math.log(-math.expm1(-log)) if log > 0.0 else -math.inf
