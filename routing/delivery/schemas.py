"""Webhooks as an agent's engineer registers them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AnyHttpUrl, Field

from kit.wire import Out, Strict


class WebhookIn(Strict):
    url: Annotated[AnyHttpUrl, Field(description="Where to post; https, answered with 2xx within 10 seconds.")]


class WebhookOut(Out):
    """`secret` is shown once, when the webhook is made."""

    id: UUID
    agent: str
    url: str
    active: bool
    created_at: datetime
    secret: str | None


class AuditRulingOut(Out):
    """What a person said of work that was already done; `output` is their own, where they edited it."""

    ruling: Literal["approve", "edit", "reject"]
    reason_code: str | None
    note: str
    output: Any
    by: str
    at: datetime
