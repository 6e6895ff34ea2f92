"""Pages of other origins may ask for inference only where a setting says so, and never with cookies."""

from typing import Any, cast

import pytest
from litestar.types import ASGIApp, Receive, Scope, Send
from pydantic import ValidationError

from services.api.http.cors import with_cors
from services.api.http.settings import HttpSettings
from tests.api.stage import MODEL, Stage

PAGE, OTHER = "https://chat.example.com", "https://other.example.com"


async def answers_ok(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"1")]})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


async def asked(app: ASGIApp, method: str = "POST", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "method": method, "path": "/v1/models", "headers": fields}
    await app(cast("Scope", scope), receive, cast("Send", send))
    start, body = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


async def test_without_the_setting_nothing_changes() -> None:
    assert with_cors(answers_ok, ()) is answers_ok


async def test_a_page_of_an_allowed_origin_may_read_the_answer_and_its_headers() -> None:
    status, headers, body = await asked(with_cors(answers_ok, [PAGE, OTHER]), origin=PAGE)
    assert (status, body) == (200, b"ok")
    assert (headers["access-control-allow-origin"], headers["vary"]) == (PAGE, "Origin")
    assert {"retry-after", "x-coldstart-model", "x-request-id"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in headers


async def test_all_origins_may_be_allowed() -> None:
    _, headers, _ = await asked(with_cors(answers_ok, ["*"]), origin=OTHER)
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origin", [OTHER, "null", f"{PAGE}.evil.example", f"http{PAGE[5:]}", f"{PAGE}:8443"])
async def test_a_page_of_another_origin_may_not(origin: str) -> None:
    app = with_cors(answers_ok, [PAGE])
    for method in ("POST", "OPTIONS"):
        status, headers, _ = await asked(app, method, origin=origin, access_control_request_method="POST")
        assert (status, headers) == (200, {"x-request-id": "1"}), "it is answered, but not for the page"


async def test_a_program_that_has_no_origin_sees_no_difference() -> None:
    assert await asked(with_cors(answers_ok, [PAGE])) == (200, {"x-request-id": "1"}, b"ok")


async def test_what_a_browser_asks_first_is_answered_without_a_key() -> None:
    wanted = "authorization,content-type,x-stainless-lang"
    status, headers, body = await asked(
        with_cors(answers_ok, [PAGE]),
        "OPTIONS",
        origin=PAGE,
        access_control_request_method="POST",
        access_control_request_headers=wanted,
    )
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-methods"] == "GET, POST"
    assert headers["access-control-allow-headers"] == wanted
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    ("text", "origins"),
    [("", ()), ("*", ("*",)), (f"{PAGE}, http://localhost:3000", (PAGE, "http://localhost:3000"))],
)
def test_the_setting_is_a_list_of_origins(monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLDSTART_CORS_ORIGINS", text)
    assert HttpSettings().cors_origins == origins


@pytest.mark.parametrize("text", [f"{PAGE}/", "chat.example.com", "https://*.example.com", "null", "https://"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COLDSTART_CORS_ORIGINS", text)
    with pytest.raises(ValidationError):
        HttpSettings()


async def test_only_inference_is_for_pages_of_other_origins(stage: Stage) -> None:
    api = await stage.api(cors_origins=(PAGE,))
    page = {"Origin": PAGE}
    ask = page | {"Access-Control-Request-Method": "POST", "Authorization": ""}
    for path in ("/v1/chat/completions", "/v1/messages", "/tokenize"):
        assert (await api.client.options(path, headers=ask)).headers["access-control-allow-origin"] == PAGE
    refused = await api.client.post("/v1/chat/completions", json={"model": MODEL}, headers=page)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, PAGE)
    for path in ("/instances", "/models", "/"):
        for answer in (await api.client.options(path, headers=ask), await api.client.get(path, headers=page)):
            assert "access-control-allow-origin" not in answer.headers, path
