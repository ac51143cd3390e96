"""How a person wants to be told, as it goes over the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict
from rollout.agents.schemas import AgentName
from routing.domain.telling import Pace

Way = Literal["none", "email", "slack", "webhook"]
Kind = Literal["urgent", "due", "escalated"]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
KINDS: tuple[Kind, ...] = ("due", "escalated", "urgent")
"""The most pressing first."""


class QuietHours(Strict):
    """From one time of the day until another, over midnight where the second is the earlier one."""

    begins: Clock
    ends: Clock


class NotificationsIn(Strict):
    """
    `about`: `urgent` new urgent cases, `due` cases whose time is nearly over, `escalated` what reached the second line.
    `agents`: of these only; none: of all. `daily_at` counts where `pace` is `daily`.
    """

    way: Way
    address: Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True)] = ""
    about: Annotated[tuple[Kind, ...], Field(max_length=3)] = KINDS
    agents: Annotated[tuple[AgentName, ...], Field(max_length=100)] = ()
    pace: Pace = "soon"
    daily_at: Clock = "08:00"
    quiet: QuietHours | None = None
    zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"


class ConfirmationOut(Out):
    """When the message with the link goes out; five minutes lie between two messages to one person."""

    goes_out_at: datetime


class NotificationsOut(Out):
    """`secret` is shown once, when the address of a webhook is set; `problem`: why the last message did not arrive."""

    way: Way
    address: str
    confirmed_at: datetime | None
    about: list[Kind]
    agents: list[str]
    pace: Pace
    daily_at: str
    quiet: QuietHours | None
    zone: str
    told_at: datetime | None
    problem: str | None
    secret: str | None
