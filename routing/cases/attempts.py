"""
Attempts: of a case that an agent answered more than once, the first verdict counts.

An agent that tries again after a rejection until somebody approves would else improve its figures by it. A
later attempt may be right and useful; it is only no evidence, because it came after a verdict. How the earlier
ones are counted decides, so what is counted in the end does not depend on the order of settling.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.orm import Session

from routing.cases import queries
from routing.cases.queries import Attempt
from routing.cases.tables import VERDICTS, Counted

_Case = tuple[str, str, str]  # agent, case_id, version


class Attempts:
    """How the attempts of the cases of one settling round are counted."""

    def __init__(self, session: Session, rows: Sequence[Counted]) -> None:
        later = [row for row in rows if row.attempt > 1]
        found, self._held = queries.attempts_with(session, later) if later else ([], set())
        self._known: dict[_Case, dict[int, Attempt]] = defaultdict(dict)
        for attempt in found:
            self._known[attempt[:3]][attempt.attempt] = attempt
        self.changed: list[Counted] = []
        """Those whose verdict came or went: their later attempts have to be settled again."""

    def ready(self, row: Counted) -> bool:
        """False while another worker settles an attempt of the same case: the mark stays for the next round."""
        return row.attempt == 1 or _case(row) not in self._held

    def count(self, row: Counted, alone: str) -> str:
        """
        What the row is counted as when it would be counted as `alone` by itself. Earlier attempts come first.

        A verdict under another rollout or epoch is no reason: it is not among the evidence of this one.
        """
        known = self._known.get(_case(row), {}) if self._known else {}
        place = (row.rollout_id, row.epoch)
        earlier = [found for number, found in known.items() if number < row.attempt]
        spoken = any(found.counted_as in VERDICTS and found[4:6] == place for found in earlier)
        counted = "nothing" if spoken else alone
        if row.counted_as is not None and len(earlier) < row.attempt - 1:
            counted = row.counted_as  # an earlier one was archived: whether it had a verdict is not known any more
        if row.attempt in known:
            known[row.attempt] = known[row.attempt]._replace(counted_as=counted)
        if row.superseded_by is not None and (row.counted_as in VERDICTS) != (counted in VERDICTS):
            self.changed.append(row)
        return counted


def _case(row: Counted) -> _Case:
    return row.agent, row.case_id, row.version
