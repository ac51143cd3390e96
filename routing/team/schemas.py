"""What goes over the wire about the team's work."""

from datetime import datetime

from kit.wire import Out
from routing.team.service import Standing


class QueueOut(Out):
    """
    What waits of one kind in one line. `soon`: due within the hour; `oldest`: since when the oldest waits. Kinds other
    than review and audit are checks (`second`, `judgement`, `adjudication`): no work depends on them and none is late.

    `older_than_1_hour`, `_8_hours` and `_1_day` each count those that are older still.
    """

    agent: str
    level: int
    kind: str
    waiting: int
    held: int
    late: int
    soon: int
    oldest: datetime
    older_than_1_hour: int
    older_than_8_hours: int
    older_than_1_day: int


class EndedOut(Out):
    """Reviews that ended since then: ruled in time, ruled late, and those that nobody ruled on."""

    agent: str
    in_time: int
    late: int
    expired: int


class LoadOut(Out):
    """What a person holds now, and how many verdicts of theirs count in reviews and audits, of all agents."""

    login: str
    name: str
    holds: int
    ruled: int


class TeamOut(Out):
    """`counted_all`: false where more waits than is counted; then the counts are of the front of the lines."""

    agent: str | None
    since: datetime
    until: datetime
    queues: list[QueueOut]
    counted_all: bool
    ended: list[EndedOut]
    load: list[LoadOut]


def team_out(found: Standing) -> TeamOut:
    return TeamOut(
        agent=found.agent,
        since=found.since,
        until=found.now,
        queues=[
            QueueOut(
                **{name: value for name, value in queue._asdict().items() if name != "ages"},
                older_than_1_hour=queue.ages[0], older_than_8_hours=queue.ages[1], older_than_1_day=queue.ages[2],
            )
            for queue in found.queues
        ],
        counted_all=found.counted_all,
        ended=[EndedOut.model_validate(row) for row in found.ended],
        load=[LoadOut.model_validate(row) for row in found.load],
    )  # fmt: skip
