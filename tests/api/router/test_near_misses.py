"""A client whose base URL is wrong is told the right one."""

import time
from typing import Any, cast

import pytest
from litestar.types import Scope

from services.api.router.endpoints import ENDPOINTS
from services.api.router.near_misses import hint, intended


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_slash_too_many_is_seen(path: str) -> None:
    for wrong in (f"/{path}", f"{path}/", f"//{path}//", path.replace("/", "//")):
        assert intended(wrong) == path


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path.startswith("/v1/")])
def test_v1_may_be_missing_or_repeated(path: str) -> None:
    for wrong in (path.removeprefix("/v1"), f"/v1{path}", f"/v1/{path}", f"/v1/v1{path}"):
        assert intended(wrong) == path


def test_the_cost_of_a_path_grows_with_its_length_and_not_with_its_square() -> None:
    """Even without a key a client may send a long path."""

    def cost_s(versions: int) -> float:
        path = "/v1" * versions + "/completions"
        began = time.thread_time()
        for _ in range(20):
            assert intended(path) == "/v1/completions"
        return time.thread_time() - began

    assert cost_s(20_000) < 50 * cost_s(1_000)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("/v1/tokenize", "/tokenize"),
        ("/v1/models/", "/v1/models"),
        ("//v1/models", "/v1/models"),
        ("/v1/v1/models", "/v1/models"),
        ("/v1/v1/models/Qwen/Qwen3-8B", "/v1/models/Qwen/Qwen3-8B"),
        ("/v1/models/Qwen/Qwen3-8B/", "/v1/models/Qwen/Qwen3-8B"),
    ],
)
def test_what_is_beside_v1_and_the_list_of_models_are_found_too(wrong: str, path: str) -> None:
    assert intended(wrong) == path


@pytest.mark.parametrize(
    "path",
    [
        *ENDPOINTS,
        *("/v1/models", "/v1/models/Qwen/Qwen3-8B", "/models", "/models/", "//models", "/models/resolve"),
        *("/", "//", "", "/v1", "/v1/", "/v1/images/generations", "/v10/chat/completions", "/instances", "/usage/"),
    ],
)
def test_what_exists_or_is_something_else_is_no_near_miss(path: str) -> None:
    assert intended(path) is None


def hinted(path: str, host: bytes = b"gpu.example.com:8080") -> str:
    scope: Any = {"path": path, "scheme": "https"}
    return hint(cast("Scope", scope), {b"host": host})


def test_the_hint_has_the_whole_url_and_the_client_s_base_url() -> None:
    assert hinted("/chat/completions") == (
        "There is no /chat/completions. Send this request to https://gpu.example.com:8080/v1/chat/completions. "
        "The base URL of your client should be https://gpu.example.com:8080/v1."
    )
    assert hinted("/v1/v1/messages").endswith(
        "https://gpu.example.com:8080/v1/messages. The base URL of your client should be https://gpu.example.com:8080."
    )
    assert hinted("/v1/tokenize").endswith("Send this request to https://gpu.example.com:8080/tokenize.")
    assert hinted("/v1/nothing") == "There is no /v1/nothing. See /schema for the paths that exist."


@pytest.mark.parametrize("host", [b"", b"evil.example/<script>", b"x" * 300, b"caf\xe9"])
def test_a_host_that_is_none_is_not_repeated(host: bytes) -> None:
    told = hinted("//v1/completions", host)
    assert "Send this request to /v1/completions. The base URL of your client should be /v1." in told


def test_the_address_of_an_ipv6_host_is_repeated() -> None:
    assert "https://[::1]:8080/v1/completions" in hinted("/completions", b"[::1]:8080")
