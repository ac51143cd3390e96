"""
What decisions are compared with: a bare FastAPI application that stores nothing, under the same uvicorn command.

The claims are against `dict_body`, which parses the body and no more. The other two show what the choice is worth:
`raw_body` does not even parse it, `model_body` validates it against the model of a case.
"""

from typing import Any

from fastapi import FastAPI, Request

PATH = "/noop"


def dict_body() -> FastAPI:
    app = FastAPI()

    @app.post(PATH, status_code=201)
    async def noop(body: dict[str, Any]) -> dict[str, str]:  # noqa: ARG001
        return {"status": "nothing done"}

    return app


def raw_body() -> FastAPI:
    app = FastAPI()

    @app.post(PATH, status_code=201)
    async def noop(request: Request) -> dict[str, str]:
        await request.body()
        return {"status": "nothing done"}

    return app


def model_body() -> FastAPI:
    from routing.cases.schemas import CaseIn  # here, so that the others carry nothing of the service

    app = FastAPI()

    @app.post(PATH, status_code=201)
    async def noop(body: CaseIn) -> dict[str, str]:  # noqa: ARG001
        return {"status": "nothing done"}

    return app
