"""
Two ways to the same API: over HTTP to a running service, or straight into this process's own copy of it.

A command says which call it makes and shows the answer; whether there was a wire in between makes no difference,
so both ways refuse the same things in the same words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer

from cli.house import acting, opened
from governance.actors import Actor
from kit import errors
from kit.errors import Place, Problem, Unavailable

Url = Annotated[str | None, typer.Option("--url", envvar="PHASEGATE_URL", help="Of a running service.")]
Key = Annotated[str | None, typer.Option("--key", envvar="PHASEGATE_KEY", help="Of a person; goes with --url.")]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="LOGIN", help="Without --url: who does it, on the database of the settings."),
]
_TIMEOUT = 60.0

_KINDS: dict[int, type[Problem]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    422: errors.Invalid,
}


@dataclass(frozen=True, slots=True)
class Door:
    """Calls under /v1. An answer that is a problem is raised as one."""

    client: httpx2.Client

    def get(self, *path: str, **params: Any) -> Any:
        return self.call("GET", *path, params={key: value for key, value in params.items() if value is not None})

    def post(self, *path: str, body: Any = None) -> Any:
        return self.call("POST", *path, json=body if body is not None else {})

    def call(self, method: str, *path: str, **options: Any) -> Any:
        """The JSON of the answer; its text where it is none, nothing where it is empty."""
        url = "/v1/" + "/".join(quote(part, safe="") for part in path)
        try:
            answer = self.client.request(method, url, **options)
        except httpx2.HTTPError as error:
            raise Unavailable(f"{self.client.base_url} did not answer: {error or type(error).__name__}") from None
        if answer.is_error:
            raise problem_in(answer)
        if not answer.content:
            return None
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text


@dataclass(frozen=True)
class _NoKeyNeeded:
    """In the place of the keyring: who has the database in their hands acts without a key."""

    acting: Actor

    def known(self, _authorization: str | None) -> Actor:
        return self.acting

    actor = known


@contextmanager
def through(url: str | None, key: str | None, login: str | None) -> Iterator[Door]:
    """The door that the options ask for."""
    if url:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT) as client:
            yield Door(client)
        return
    from fastapi.testclient import TestClient  # an ASGI call without a socket, whatever its name says

    from web_app import create_app

    with opened() as ctx:
        app = create_app(ctx)
        app.state.keyring = _NoKeyNeeded(acting(ctx, login))
        # Its life cycle is not begun: no writer, no snapshot, no listener; nothing here decides a case.
        yield Door(TestClient(app, base_url="http://here", raise_server_exceptions=False))


def problem_in(answer: httpx2.Response) -> Problem:
    """A problem+json as the Problem it was."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    detail = str(body.get("detail") or f"the service answered {answer.status_code}")
    places = [
        Place(str(found.get("place", "")), str(found.get("problem", "")), str(found.get("mend", "")))
        for found in body.get("errors", [])
        if isinstance(found, dict)
    ]
    kind = _KINDS.get(answer.status_code)
    if kind is None:
        return Unavailable(detail)
    problem = kind(detail, places=places)
    problem.title = str(body.get("title") or kind.title)  # type: ignore[misc]  # told as the service told it
    return problem
