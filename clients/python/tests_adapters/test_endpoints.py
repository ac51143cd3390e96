"""Governed services on real servers, ASGI and WSGI, before a real Phasegate: the same story for both."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import pytest
import uvicorn
from people import Desk, Service, soon

from phasegate_client import current_step
from phasegate_client.adapters import asgi, wsgi
from phasegate_client.adapters._endpoint import Asked, rules

_cases = count(1)
Answered = tuple[int, str, bytes]


def handle(body: Any, run: Any) -> tuple[Answered, str | None]:
    """The agent: its answer and its confidence."""
    if body == "be wrong":
        return (422, "application/json", b'{"problem": "no"}'), None
    if body == "be vague":
        return (200, "text/plain", b"maybe"), "0.9"
    step = current_step()
    assert (run is None) == (step is None)
    if step is not None:
        step.step("think", kind="model", output="hm")
    output = {"intent": body["text"]} if isinstance(body, dict) else body
    return (200, "application/json", json.dumps(output).encode()), "0.9"


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    (status, kind, answer), confidence = handle(json.loads(message["body"] or b"null"), scope.get("phasegate.run"))
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode())]
    headers += [(b"phasegate-confidence", confidence.encode())] if confidence else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    (status, kind, answer), confidence = handle(json.loads(body or b"null"), environ.get("phasegate.run"))
    headers = [("content-type", kind), ("content-length", str(len(answer)))]
    headers += [("phasegate-confidence", confidence)] if confidence else []
    start_response(f"{status} Said", headers)
    return [answer]


@contextmanager
def on_asgi(service: Service, agent: str, **options: Any) -> Iterator[str]:
    started: list[str] = []

    async def serve() -> None:
        async with service.async_gate(agent, headers=asgi.trace_headers) as gate:
            app = asgi.Governed(asgi_app, gate, paths=["/classify"], **options)
            config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", loop="asyncio", ws="none")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            started.append(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
            while not done.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            server.should_exit = True
            await task

    done = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield soon(lambda: started, "the service is up")[0]
    finally:
        done.set()
        thread.join()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def on_wsgi(service: Service, agent: str, **options: Any) -> Iterator[str]:
    with service.gate(agent, headers=wsgi.trace_headers) as gate:
        app = wsgi.Governed(wsgi_app, gate, paths=["/classify"], **options)
        with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


Up = Callable[..., AbstractContextManager[str]]


@pytest.fixture(params=[on_asgi, on_wsgi], ids=["asgi", "wsgi"])
def up(request: pytest.FixtureRequest, service: Service) -> Up:
    return lambda agent, **options: request.param(service, agent, **options)


def post(url: str, body: Any = None, *, path: str = "/classify", **headers: str) -> httpx2.Response:
    said = {"Case-Id": f"http-{next(_cases)}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    named = {name: value for name, value in said.items() if value}
    content = json.dumps({"text": "lost card"} if body is None else body)
    return httpx2.post(f"{url}{path}", content=content, headers=named, timeout=30.0)


def test_an_auto_answers_what_the_handler_said(up: Up) -> None:
    with up("trusted") as url:
        answer = post(url)

    assert (answer.status_code, answer.json()) == (200, {"intent": "lost card"})
    assert answer.headers["phasegate-route"] == "auto"
    assert "phasegate-confidence" not in answer.headers


def test_of_what_went_alone_nobody_is_told_that_a_person_does_it(up: Up) -> None:
    with up("trusted") as url:
        answer = httpx2.get(f"{url}/decisions/{post(url).headers['phasegate-decision']}")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-decision")


@pytest.mark.parametrize("path", ["/classify", "/api/classify"])
def test_below_a_mount_it_governs_however_the_server_words_the_path(path: str) -> None:
    asked = Asked("POST", path, {}, mount="/api")
    for paths in (["/classify"], [path]):
        assert rules(paths, "/decisions", None, 0.0).govern(asked)


def test_a_review_is_accepted_and_its_ruling_is_found_where_location_says(up: Up, desk: Desk) -> None:
    with up("supervised") as url:
        answer = post(url)
        location = f"{url}{answer.headers['location']}"
        early = httpx2.get(location)
        shown = desk.rule("edit", output={"intent": "stolen card"})
        late = httpx2.get(location, params={"wait": 20}, timeout=30.0)

    assert (answer.status_code, early.status_code) == (202, 202)
    assert answer.json()["decision_id"] == shown["decision_id"]
    assert (late.status_code, late.json()) == (200, {"intent": "stolen card"})


def test_what_a_reviewer_sees(up: Up, desk: Desk) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with up("supervised", describe=lambda _asked, output: {"action": output["intent"]}) as url:
        post(url, Case_Id=(case_id := f"seen-{next(_cases)}"), traceparent=trace)

    shown = desk.next()
    assert (shown["case_id"], shown["input"], shown["action"]) == (case_id, {"text": "lost card"}, "lost card")
    assert shown["confidence"] == 0.9
    assert (shown["trace"][0]["traceparent"], shown["trace"][0]["name"]) == (trace, "POST /classify")
    assert [step["name"] for step in shown["trace"][0]["steps"]] == ["think"]


def test_a_rejected_case_is_handed_over_in_the_reviewers_words(up: Up, desk: Desk) -> None:
    with up("supervised") as url:
        answer = post(url)
        desk.rule("reject", note="call her")
        late = httpx2.get(f"{url}{answer.headers['location']}")

    assert (late.status_code, late.json()["type"], late.json()["detail"]) == (409, "/problems/handed-over", "call her")


def test_a_request_may_be_held_for_the_ruling(up: Up, desk: Desk) -> None:
    with up("supervised", wait=20.0) as url:
        ruling = threading.Thread(target=lambda: desk.rule("approve"))
        ruling.start()
        answer = post(url)
        ruling.join()

    assert (answer.status_code, answer.json()) == (200, {"intent": "lost card"})


def test_a_case_for_people_is_handed_over(up: Up) -> None:
    with up("new") as url:
        answer = post(url)

    assert (answer.status_code, answer.headers["phasegate-route"]) == (409, "human")
    assert "evaluation" in answer.json()["detail"]


def test_a_blocked_action_is_refused(up: Up) -> None:
    with up("trusted", describe=lambda _asked, _output: {"action": "drop_table"}) as url:
        answer = post(url)

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/blocked")


@pytest.mark.parametrize("path", ["/classify", "/classify/", "/classify%0A"])
def test_an_answer_that_cannot_be_decided_on_never_gets_out(up: Up, path: str) -> None:
    with up("trusted") as url:
        answer = post(url, "be vague", path=path)

    assert (answer.status_code, answer.json()["detail"]) == (409, "the agent's answer is not JSON")


def test_the_handlers_own_errors_go_to_the_caller(up: Up) -> None:
    with up("trusted") as url:
        answer = post(url, "be wrong")

    assert (answer.status_code, answer.json()) == (422, {"problem": "no"})


def test_a_case_without_an_id_is_refused_before_the_agent_works(up: Up) -> None:
    with up("trusted") as url:
        answer = post(url, Case_Id="")

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/no-case")


def test_a_body_whose_end_wsgi_does_not_tell_is_refused_before_the_agent_works(service: Service) -> None:
    said: list[str] = []
    asked = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/classify",
        "HTTP_CASE_ID": "c",
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    with service.gate("trusted") as gate:
        app = wsgi.Governed(wsgi_app, gate, paths=["/classify"])
        app(asked, lambda status, _headers: said.append(status))  # type: ignore[arg-type, return-value]

    assert said == ["411 Length Required"]


def test_other_paths_pass_untouched(up: Up) -> None:
    with up("trusted") as url:
        answer = post(url, path="/other", Case_Id="")

    assert (answer.status_code, answer.headers["phasegate-confidence"]) == (200, "0.9")
    assert "phasegate-route" not in answer.headers


def test_nobody_gets_a_ruling_of_another_agent(up: Up, service: Service, desk: Desk) -> None:
    with service.gate("supervised") as gate:
        other = gate.decide(case_id=f"theirs-{next(_cases)}", output="secret")
    desk.rule("approve")
    with up("trusted") as url:
        answers = [httpx2.get(f"{url}/decisions/{name}") for name in (other.id, "nonsense")]

    assert {answer.status_code for answer in answers} == {404}
    assert all("secret" not in answer.text for answer in answers)


@pytest.mark.parametrize("start", [on_asgi, on_wsgi])
def test_without_phasegate_a_person_does_the_case(start: Up, service: Service) -> None:
    with start(Service("http://127.0.0.1:9", service.keys, service.folder), "trusted") as url:
        answer = post(url)

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/handed-over")
