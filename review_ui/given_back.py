"""
What somebody gave back a while ago: others get it before them.

Kept in a cookie of their browser, for nothing hangs on it but who is dealt it first.
"""

from uuid import UUID

from fastapi import Request, Response

from kit.context import Context

COOKIE = "phasegate_given_back"
_SECONDS = 600
_MOST = 20


def given_back(request: Request) -> list[UUID]:
    """The newest last; nothing of a cookie that is not ours."""
    try:
        return [UUID(text) for text in request.cookies.get(COOKIE, "").split(".")[-_MOST:] if text]
    except ValueError:
        return []


def remember(response: Response, request: Request, item_id: UUID, ctx: Context) -> None:
    """That this one was given back just now."""
    before = [one for one in given_back(request) if one != item_id]
    response.set_cookie(
        COOKIE,
        ".".join(str(one) for one in [*before, item_id][-_MOST:]),
        max_age=_SECONDS,
        path="/review",
        httponly=True,
        samesite="lax",
        secure=ctx.settings.secure_cookies,
    )
