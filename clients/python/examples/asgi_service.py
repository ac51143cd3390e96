"""A plain ASGI service whose callers get what was decided on: `python asgi_service.py`, then POST /classify."""

import json
import os

import uvicorn

from phasegate_client import AsyncPhasegate
from phasegate_client.adapters.asgi import Governed, Receive, Scope, Send, trace_headers

gate = AsyncPhasegate(
    os.environ["PHASEGATE_URL"],
    os.environ["PHASEGATE_KEY"],
    agent="supervised",
    version="v1",
    headers=trace_headers,
)


async def agent(scope: Scope, receive: Receive, send: Send) -> None:
    """Any ASGI application: FastAPI, Starlette, Django …"""
    asked = json.loads((await receive())["body"])
    output = json.dumps({"intent": "lost card" if "card" in asked["text"] else "other"}).encode()
    headers = [(b"content-type", b"application/json"), (b"phasegate-confidence", b"0.93")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": output})


app = Governed(agent, gate, paths=["/classify"])

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8080")), log_level="warning", lifespan="off")
