"""Every invalid request gets a problem document. Nothing is recorded, and no fault is logged."""
# ruff: noqa: E501  one bad request a line

import asyncio
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from tests.api.stage import ADMIN_KEY, BODY, Stage, until

SOME_ID = "5f0c6c1e-1d2c-4b8e-9d5f-0a1b2c3d4e5f"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Bad:
    """`says` must be part of the answer."""

    method: str
    path: str
    status: int
    code: str
    says: str = ""
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def sent(self, client: httpx.AsyncClient) -> httpx.Response:
        content = self.content if self.body is None else json.dumps(self.body).encode()
        headers = {"Content-Type": "application/json"} if content is not None else {}
        return await client.request(self.method, self.path, content=content, headers=headers | self.headers)


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def a_cursor(*values: object) -> str:
    return encoded(json.dumps(values).encode())


def an_instance(**fields: Any) -> dict[str, Any]:
    return BODY | fields


BAD = (
    Bad("GET", "/nothing", 404, "not_found"),
    Bad("GET", "/v10/models", 404, "not_found"),
    Bad("GET", "/instances/a/b/c", 404, "not_found"),
    Bad("GET", "/schema/nothing", 404, "not_found"),
    Bad("PUT", "/instances", 405, "method_not_allowed"),
    Bad("POST", f"/instances/{SOME_ID}", 405, "method_not_allowed"),
    Bad("GET", "/instances/my-instance", 404, "instance_not_found", "UUID"),
    Bad("GET", f"/instances/{SOME_ID}", 404, "instance_not_found"),
    Bad("GET", f"/instances/{SOME_ID}/timeline", 404, "instance_not_found"),
    Bad("GET", f"/instances/{SOME_ID}/events", 404, "instance_not_found"),
    Bad("DELETE", f"/instances/{SOME_ID}", 404, "instance_not_found"),
    Bad("POST", f"/instances/{SOME_ID}/drain", 404, "instance_not_found"),
    Bad("POST", f"/instances/{SOME_ID}/explode", 404, "not_found"),
    Bad("GET", "/instances?status=happy", 422, "invalid_request", "status"),
    Bad("GET", "/instances?limit=0", 422, "invalid_request", "limit"),
    Bad("GET", "/instances?limit=many", 422, "invalid_request", "limit"),
    Bad("GET", "/instances?cursor=eA", 422, "invalid_request", "cursor"),
    Bad("GET", "/instances?cursor=%FF%00", 422, "invalid_request", "cursor"),
    Bad("GET", "/instances?cursor=" + a_cursor("0001-01-01T00:00:00+14:00", SOME_ID), 422, "invalid_request", "cursor"),
    Bad("GET", "/models?cursor=" + a_cursor("9999-12-31T23:59:59-12:00", SOME_ID), 422, "invalid_request", "cursor"),
    Bad("GET", "/api-keys?cursor=" + a_cursor("2026-01-31T09:30:00", SOME_ID), 422, "invalid_request", "cursor"),
    Bad("GET", "/api-keys?cursor=" + encoded(b"[" * 5000), 422, "invalid_request", "cursor"),
    Bad("GET", "/api-keys?cursor=" + encoded(b"[1" + b"0" * 5000 + b"]"), 422, "invalid_request", "cursor"),
    Bad("GET", "/instances?model=%00", 422, "invalid_request", "model"),
    Bad("GET", "/models/search?q=a%00b", 422, "invalid_request", "q"),
    Bad("GET", "/organizations?%00=1", 422, "invalid_request"),
    Bad("GET", "/events?from=middle", 422, "invalid_request", "from"),
    Bad("DELETE", "/api-keys/not-an-id", 404, "api_key_not_found"),
    Bad("DELETE", f"/api-keys/{SOME_ID}", 404, "api_key_not_found"),
    Bad("POST", "/api-keys", 422, "invalid_request", "/role", body={"name": "x", "role": "king"}),
    Bad("POST", "/api-keys", 422, "invalid_request", "/name", body={"name": "\0"}),
    Bad("POST", "/models", 422, "model_id_malformed", body={"model": "gpt2"}),
    Bad("POST", "/models", 422, "invalid_request", "/model", body={}),
    Bad("POST", "/models", 422, "model_not_found", body={"model": "nobody/nothing"}),
    Bad("POST", "/models", 422, "model_gated", "HF_TOKEN", body={"model": "meta-llama/Llama-3.1-8B-Instruct"}),
    Bad("POST", "/instances", 422, "invalid_request", "/model", body={"instance_types": ["L4-1-24G"]}),
    Bad("POST", "/instances", 422, "invalid_request", "/instance_types", body=an_instance(instance_types=[])),
    Bad("POST", "/instances", 422, "invalid_request", "/instance_types", body=an_instance(instance_types="L4-1-24G")),
    Bad("POST", "/instances", 422, "invalid_request", "/instance_types/0", body=an_instance(instance_types=[7])),
    Bad("POST", "/instances", 422, "invalid_request", "H100-1-80G", body=an_instance(instance_types=["A1"])),
    Bad("POST", "/instances", 422, "invalid_request", "/instance_types/1", body=an_instance(instance_types=["L4-1-24G", "A1"])),
    Bad("POST", "/instances", 422, "invalid_request", "fr-par-1", body=an_instance(zones=["moon-1"])),
    Bad("POST", "/instances", 422, "invalid_request", "/zones", body=an_instance(zones=["fr-par-1"], instance_types=["H100-1-80G"])),
    Bad("POST", "/instances", 422, "invalid_request", "/provider", body=an_instance(provider="moon")),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb="200")),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=-1)),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=149)),
    Bad("POST", "/instances", 422, "invalid_request", "/max_lifetime", body=an_instance(max_lifetime=59)),
    Bad("POST", "/instances", 422, "invalid_request", "/idle_shutdown", body=an_instance(idle_shutdown="8h")),
    Bad("POST", "/instances", 422, "invalid_request", "/vllm_args/0", body=an_instance(vllm_args=["--api-key", "x"])),
    Bad("POST", "/instances", 422, "invalid_request", "/vllm_args", body=an_instance(vllm_args="--enforce-eager")),
    Bad("POST", "/instances", 422, "invalid_request", "/revision", body=an_instance(revision="../main")),
    Bad("POST", "/reconcile", 422, "invalid_request", "/delete_unknown", body={"delete_unknown": "please"}),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=10**30)),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=True)),
    Bad("POST", "/instances", 422, "invalid_request", "/keep_for_inspection", body=an_instance(keep_for_inspection="yes")),
    Bad("POST", "/instances", 422, "invalid_request", "/name", body=an_instance(name="")),
    Bad("POST", "/instances", 422, "invalid_request", "/name", body=an_instance(name="a\0b")),
    Bad("POST", "/instances", 422, "invalid_request", "/name", body=an_instance(name="x" * 64)),
    Bad("POST", "/instances", 422, "invalid_request", "/image", body=an_instance(image="x; rm -rf /")),
    Bad("POST", "/instances", 422, "invalid_request", "/colour", body=an_instance(colour="red")),
    Bad("POST", "/instances", 422, "invalid_request", "/model", body=an_instance(model=7)),
    Bad("POST", "/instances", 422, "invalid_request", "/model", body=an_instance(model=None)),
    Bad("POST", "/instances", 422, "model_id_malformed", "Qwen/", body=an_instance(model="../../etc/passwd")),
    Bad("POST", "/instances", 422, "invalid_request", "/model", body=an_instance(model="a/b\0")),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=200.5)),
    Bad("POST", "/instances", 422, "invalid_request", "/volume_gb", body=an_instance(volume_gb=149.0)),
    Bad("POST", "/reconcile", 422, "invalid_request", "/delete_unknwon", body={"delete_unknwon": True}),
    Bad("GET", "/models/resolve", 422, "invalid_request", "model"),
    Bad("GET", "/costs?to=null", 422, "invalid_request", "2026-01-31"),
    Bad("POST", "/instances", 422, "model_not_found", "/model", body=an_instance(model="acme-labs/support-7b")),
    Bad("POST", "/instances", 422, "invalid_request", "Idempotency-Key", body=BODY, headers={"Idempotency-Key": "x" * 256}),
    Bad("POST", "/instances", 422, "invalid_request", body=[1, 2]),
    Bad("POST", "/instances", 422, "invalid_request", body="text"),
    Bad("POST", "/instances", 400, "malformed_json", content=b"{"),
    Bad("POST", "/instances", 400, "malformed_json", content=b""),
    Bad("POST", "/instances", 400, "malformed_json", content=b"\xff\xfe\x00"),
    Bad("POST", "/instances", 400, "malformed_json", content=b'{"model": "\\ud800"}'),
    Bad("POST", "/instances", 400, "malformed_json", "UTF-8", content=b'{"model": "\xff"}'),
    Bad("POST", "/api-keys", 400, "malformed_json", "UTF-8", content=b'{"name": "\xed\xa0\x80"}'),
    Bad("PATCH", f"/api-keys/{SOME_ID}", 400, "malformed_json", "UTF-8", content=b'{"\xc3": 1}'),
    Bad("POST", "/instances", 400, "malformed_json", content=b"[" * 100_000),
    Bad("POST", "/instances", 415, "unsupported_media_type", "application/json", content=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    Bad("POST", "/instances", 413, "body_too_large", content=b'{"name": "' + b"x" * 10_000_000 + b'"}'),
)  # fmt: skip


async def test_every_bad_request_is_told_what_is_wrong_and_changes_nothing(stage: Stage) -> None:
    api = await stage.api()
    before = await stage.last_sequence()
    wrong: list[str] = []
    with capture_logs() as logs:
        for bad in BAD:
            answer = await bad.sent(api.client)
            told = answer.json() if "json" in answer.headers["content-type"] else {}
            as_it_should_be = (
                answer.status_code == bad.status
                and answer.headers["content-type"] == "application/problem+json"
                and told["status"] == bad.status
                and told["code"] == bad.code
                and told["type"].endswith(bad.code)
                and told["title"]
                and told["detail"]
                and bad.says in answer.text
                and (bad.code != "invalid_request" or told["errors"])
            )
            if not as_it_should_be:
                wrong.append(f"{bad.method} {bad.path} {str(bad.body)[:80]} → {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert await stage.last_sequence() == before
    assert [entry for entry in logs if entry["log_level"] not in {"info", "warning"}] == []


async def test_a_streamed_body_that_is_too_large_is_refused_while_it_comes(stage: Stage) -> None:
    api = await stage.api(max_body_bytes=1000)

    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 100

    answer = await api.client.post("/instances", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_at_the_ends_of_time_there_is_nothing_to_report_and_nothing_fails(stage: Stage) -> None:
    api = await stage.api()
    for path in ("/costs", "/usage"):
        for days in (
            "to=0001-01-01",
            "from=0001-01-01&to=0001-12-31",
            "to=9999-12-31",
            "from=9999-12-31&to=9999-12-31",
        ):
            answer = await api.client.get(f"{path}?{days}")
            assert (answer.status_code, answer.json()["items"]) == (200, []), f"{path}?{days} {answer.text}"


async def test_a_whole_number_may_be_written_as_one_with_a_fraction_of_nothing(stage: Stage) -> None:
    api = await stage.api()
    made = await api.client.post("/organizations", content=b'{"slug": "acme", "max_instances": 3.0}', headers=JSON)
    assert (made.status_code, made.json()["max_instances"]) == (201, 3), made.text


async def test_a_form_of_another_kind_than_a_page_sends_is_refused_as_such(stage: Stage) -> None:
    api = await stage.api()
    part = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\n\xff\r\n--x--'
    answer = await api.client.post(
        "/sign-in", content=part, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 415
    assert "application/x-www-form-urlencoded" in answer.text


async def test_without_a_valid_key_nothing_is_told(stage: Stage) -> None:
    api = await stage.api()
    for header in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic eA=="},
        {"Authorization": "Bearer a b"},
    ):
        async with api.stranger(**header) as stranger:
            for method, path in (("GET", "/instances"), ("GET", "/models"), ("POST", "/instances"), ("GET", "/events")):
                answer = await stranger.request(method, path)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (path, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_user_s_key_may_list_models_and_nothing_else_of_the_control_api(stage: Stage) -> None:
    api = await stage.api()
    before = await stage.last_sequence()
    async with api.as_(await api.user_key()) as user:
        assert (await user.get("/models")).status_code == 200
        for method, path in (
            ("GET", "/instances"),
            ("POST", "/instances"),
            ("GET", f"/instances/{uuid4()}"),
            ("DELETE", f"/instances/{uuid4()}"),
            ("GET", "/events"),
            ("POST", "/models"),
            ("GET", "/api-keys"),
            ("POST", "/api-keys"),
        ):
            answer = await user.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    assert await stage.last_sequence() == before


async def test_what_we_did_not_foresee_is_logged_once_and_kept_to_ourselves(stage: Stage) -> None:
    api = await stage.api()
    bucket = await stage.connection.jetstream().key_value("instance_types")
    await bucket.put("scaleway", b"no JSON at all")
    with capture_logs() as logs:
        answer = await api.client.post("/instances", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "JSON" not in answer.text
    assert "ValidationError" not in answer.text
    assert len([entry for entry in logs if entry["log_level"] == "error"]) == 1


async def test_a_client_that_leaves_within_its_body_is_no_fault_of_ours(stage: Stage) -> None:
    api = await stage.api()
    _, writer = await asyncio.open_connection(*api.url.removeprefix("http://").split(":"))
    head = f"POST /instances HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()

    async def counted() -> bool:
        metrics = (await api.client.get("/metrics")).text
        return 'coldstart_http_requests_total{method="POST",route="/instances",status="499"}' in metrics

    await until(counted)


async def test_before_a_provisioner_has_told_its_types_the_sender_is_asked_to_wait(stage: Stage) -> None:
    await stage.connection.jetstream().delete_key_value("instance_types")
    api = await stage.api()
    answer = await api.client.post("/instances", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "instance_types_unknown")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"name": "?!"},
            "/name: may have letters, digits, spaces, dots, dashes and underscores only, and has to begin",
        ),
        ({"image": "VLLM x"}, "/image: is no name of an image; write it as in vllm/vllm-openai:v0.32.0"),
        ({"image": "vllm/vllm-openai:"}, "/image: vllm/vllm-openai: is no name of an image. Write it as in vllm/"),
        ({"revision": "a b"}, "/revision: is no name of a branch, tag or commit; write it as in main or refs/pr/1"),
        ({"volume_gb": 5}, "/volume_gb: has to be greater than or equal to 150"),
        ({"volume_gb": "much"}, "/volume_gb: has to be a valid integer"),
        ({"model": None}, "/model: has to be a valid string"),
        ({"colour": "red"}, "/colour: there is no such field"),
    ],
)
async def test_what_is_wrong_with_a_field_is_said_without_words_of_a_library(
    stage: Stage, more: dict[str, Any], said: str
) -> None:
    refused = await (await stage.api()).client.post("/instances", json={**BODY, **more})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith(said)
    assert "should" not in refused.json()["detail"]


async def test_a_body_that_is_no_object_is_refused_without_the_name_of_a_class(stage: Stage) -> None:
    api = await stage.api()
    refused = await api.client.post("/instances", json=[])
    assert refused.json()["detail"] == "/: has to be an object"
    nested = await api.client.put("/deployments/chat", json={**BODY, "rollout": 3})
    assert nested.json()["detail"] == "/rollout: has to be an object"
