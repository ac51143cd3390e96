"""Webhooks as an agent's engineer registers them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AnyHttpUrl, Field

from kit.http import Out, Strict


class WebhookIn(Strict):
    url: Annotated[AnyHttpUrl, Field(description="Where to post; answered with 2xx within 15 seconds.")]


class WebhookOut(Out):
    """`secret` is shown once, when the webhook is made."""

    id: UUID
    agent: str
    url: str
    active: bool
    created_at: datetime
    secret: str | None
