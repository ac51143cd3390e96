"""Errors on pages: the same words as in the API, as a sentence with a way on."""

from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Request
from starlette.responses import Response

from review_ui.pages import find_viewer, go, in_background, local_path, render

_API = ("/v1/", "/metrics", "/livez", "/readyz", "/openapi.json", "/docs", "/static/")

_NEXT = {
    401: "Sign in and repeat what you did.",
    403: "Ask an admin for the role, or go back.",
    404: "Look for a spelling mistake in the address, or start from the list of agents.",
    409: "Look at it again as it stands now, then decide.",
    413: "Send less at once.",
    422: "Go back, correct it, and send it again.",
    503: "Try again in a moment.",
}


def is_page(request: Request) -> bool:
    """Whether a person looks at the answer: neither the API nor the page's own script."""
    path, accepts = request.url.path, request.headers.get("accept", "*/*")
    if path.startswith(_API) or path == "/v1" or in_background(request):
        return False
    return "text/html" in accepts or "*/*" in accepts


def as_page(request: Request, response: Response) -> Response:
    """The page for an error that `kit.http` has already answered as problem+json."""
    try:
        body: dict[str, Any] = orjson.loads(bytes(response.body))
    except ValueError:
        return response
    status = response.status_code
    if status == 401:  # noqa: PLR2004
        return _to_sign_in(request)
    if status == 422 and request.method == "GET":  # noqa: PLR2004 - an address that cannot exist is not found
        status = 404
        body = {"title": "There is no such page", "detail": "the address does not lead anywhere"}
    viewer = None if status >= 500 else find_viewer(request, request.app.state.ctx)  # noqa: PLR2004
    page = render(
        request,
        "problems/page.html",
        viewer=viewer,
        status=status,
        title=body.get("title", "Something went wrong"),
        detail=body.get("detail", ""),
        places=body.get("errors", []),
        what_next=_NEXT.get(status, "It was logged. Try again, and tell an operator if it happens again."),
        again=request.method == "GET" and status >= 500,  # noqa: PLR2004
        back=_referring_path(request),
    )
    if "retry-after" in response.headers:
        page.headers["retry-after"] = response.headers["retry-after"]
    return page


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET":
        return go(f"/sign-in?ended=true&next={quote(_referring_path(request), safe='')}")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return go(f"/sign-in?next={quote(wanted, safe='')}" if wanted != "/agents" else "/sign-in")


def _referring_path(request: Request) -> str:
    """Where the person came from, if that was here."""
    came_from = request.headers.get("referer", "")
    here = f"{request.url.scheme}://{request.url.netloc}"
    return local_path(came_from.removeprefix(here), "/agents") if came_from.startswith(f"{here}/") else "/agents"
