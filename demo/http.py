"""The service as the demo's people use it: plain HTTP with a person's key, and errors that stop the demo."""

from typing import Any

import httpx2


class Refused(RuntimeError):
    """The service said no where the demo needs a yes."""


class Desk:
    """One person's way to the service."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        return self._answer(self._client.get(path, params=query))

    def post(self, path: str, body: Any = None) -> Any:
        return self._answer(self._client.post(path, json={} if body is None else body))

    def put(self, path: str, body: Any) -> Any:
        return self._answer(self._client.put(path, json=body))

    def send_text(self, method: str, path: str, text: str, kind: str) -> Any:
        return self._answer(self._client.request(method, path, content=text, headers={"Content-Type": kind}))

    def close(self) -> None:
        self._client.close()

    @staticmethod
    def _answer(answer: httpx2.Response) -> Any:
        if answer.is_error:
            raise Refused(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None
